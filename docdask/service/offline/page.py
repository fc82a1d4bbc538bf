"""What is known of one page before it becomes a message: words, lines and rules with their boxes.

Rules: coordinates are in the page's own unit (points or pixels) on the *upright* page, x to the right, y down; text is
in logical order, also where it runs from right to left.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

#: Where the text of a page came from.
PageSource = Literal["text-layer", "ocr"]


class Box(NamedTuple):
    """Upright rectangle: left, top, right, bottom."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        """Extent in x."""
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        """Extent in y."""
        return self.y1 - self.y0

    @property
    def middle(self) -> float:
        """Centre in y."""
        return (self.y0 + self.y1) / 2

    @property
    def centre(self) -> float:
        """Centre in x."""
        return (self.x0 + self.x1) / 2

    def overlap_x(self, other: Box) -> float:
        """Length of the common part in x, negative for the distance between them."""
        return min(self.x1, other.x1) - max(self.x0, other.x0)

    def overlap_y(self, other: Box) -> float:
        """Length of the common part in y, negative for the distance between them."""
        return min(self.y1, other.y1) - max(self.y0, other.y0)

    def contains(self, other: Box) -> bool:
        """Whether the centre of the other box lies in this one."""
        return self.x0 <= other.centre <= self.x1 and self.y0 <= other.middle <= self.y1


def union(boxes: Iterable[Box]) -> Box:
    """Smallest box around all (there must be one)."""
    left, top, right, bottom = zip(*boxes, strict=True)
    return Box(min(left), min(top), max(right), max(bottom))


@dataclass(frozen=True, slots=True)
class Word:
    """One token."""

    text: str
    box: Box
    confidence: float = 1.0
    """0-1."""
    space_after: bool = True
    """Whether white space separates it from the next word of its line (not so in Chinese or Japanese)."""


@dataclass(frozen=True, slots=True)
class Line:
    """Words that stand side by side, in logical order."""

    words: tuple[Word, ...]
    box: Box
    turn: int = 0
    """Quarter turns clockwise that its writing is turned by against the upright page."""

    @property
    def text(self) -> str:
        """The words with a space where white space separates them."""
        parts = [word.text + (" " if word.space_after else "") for word in self.words]
        return "".join(parts).rstrip(" ")

    @property
    def confidence(self) -> float:
        """Mean of the words' confidences, weighted by characters."""
        characters = sum(len(word.text) for word in self.words)
        return sum(word.confidence * len(word.text) for word in self.words) / max(characters, 1)


def line_of(words: Iterable[Word], turn: int = 0) -> Line:
    """Line of words (at least one), with the box around them."""
    words = tuple(words)
    return Line(words, union(word.box for word in words), turn)


@dataclass(frozen=True, slots=True)
class Rule:
    """A drawn straight line, or an edge of a drawn box: horizontal if its width is the larger side."""

    box: Box

    @property
    def horizontal(self) -> bool:
        """Whether it runs from left to right."""
        return self.box.width >= self.box.height


@dataclass(frozen=True, slots=True)
class Page:
    """One upright page, read but not yet ordered."""

    number: int
    """1-based in the document."""
    width: float
    height: float
    unit: Literal["points", "pixels"]
    lines: tuple[Line, ...]
    source: PageSource
    turn: int = 0
    """Quarter turns clockwise that made the stored page upright."""
    skew_degrees: float = 0.0
    """Turned back by this much on top of that; clockwise is positive."""
    rules: tuple[Rule, ...] = ()
    checkboxes: tuple[tuple[Box, bool], ...] = ()
    """Drawn boxes of the size of a letter, and whether they are marked."""
    points: tuple[float, float] | None = None
    """Declared width and height of a PDF's page that was read from its own picture, in the picture's pixels."""
    notes: dict[str, object] = field(default_factory=dict)
