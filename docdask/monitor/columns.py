"""Words and numbers side by side, for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Container

#: Columns of the terminal.
WIDTH = 80


def columns(rows: list[tuple[str, ...]], *, left: Container[int]) -> list[str]:
    """Rows as wide as they must be, words to the left and numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        " ".join(
            cell.ljust(width) if at in left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            if width
        ).rstrip()
        for row in rows
    ]
