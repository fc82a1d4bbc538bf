"""What a found table is: rows of cells with the words in them. How it is found: grids.py and columns.py."""

from __future__ import annotations

from dataclasses import dataclass

from docdask.service.offline.page import Box, Word


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell; spans count rows and columns."""

    box: Box
    words: tuple[Word, ...]
    row_span: int = 1
    column_span: int = 1

    @property
    def text(self) -> str:
        """Its words, joined by spaces."""
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True, slots=True)
class Grid:
    """One table."""

    box: Box
    rows: tuple[tuple[Cell, ...], ...]
    header_rows: int
    """How many rows at the top are headings (at least one, as readers of the message expect)."""
    confidence: float
    """0-1: drawn lines are surer than white space."""
