"""The blocks a report is made of: what is told, without how it looks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Tone = Literal["good", "bad", "doubtful", "plain"]
Align = Literal["left", "right"]


@dataclass(frozen=True)
class Heading:
    """A chapter (level 1) or a section (level 2); ``key`` is its anchor."""

    text: str
    level: int
    key: str


@dataclass(frozen=True)
class Prose:
    """A paragraph; parts between ``**`` pairs are strong. ``data`` may stand in it: it is set for any script."""

    parts: tuple[tuple[str, bool], ...]
    tone: Literal["body", "lead", "note"] = "body"

    @property
    def text(self) -> str:
        """All of it, without weights."""
        return "".join(part for part, _ in self.parts)


def prose(*parts: str | tuple[str, bool], tone: Literal["body", "lead", "note"] = "body") -> Prose:
    """A paragraph of plain parts and ``(text, strong)`` parts."""
    return Prose(tuple((p, False) if isinstance(p, str) else p for p in parts), tone)


@dataclass(frozen=True)
class Card:
    """One figure for a manager."""

    label: str
    value: str
    note: str = ""
    tone: Tone = "plain"


@dataclass(frozen=True)
class Cards:
    """Figures side by side."""

    cards: tuple[Card, ...]


@dataclass(frozen=True)
class Share:
    """A bar divided by number."""

    parts: tuple[tuple[str, int, Tone], ...]


@dataclass(frozen=True)
class Column:
    """A table's column: title, share of the width, alignment."""

    title: str
    share: float
    align: Align = "left"


@dataclass(frozen=True)
class Grid:
    """A table with a header row that is repeated on each page. Cells are text; the last row may be a sum."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    summed: bool = False


@dataclass(frozen=True)
class Chart:
    """A chart by name, with the sentence that says how to read it."""

    name: str
    caption: str


@dataclass(frozen=True)
class Picture:
    """A thumbnail: PNG bytes, size in pixels, what it shows."""

    png: bytes
    width: int
    height: int
    label: str


@dataclass(frozen=True)
class Pictures:
    """Thumbnails side by side."""

    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Contents:
    """Where the table of contents stands."""


@dataclass(frozen=True)
class NewPage:
    """What follows starts a page in print."""


@dataclass(frozen=True)
class Together:
    """Blocks that stay on one page where they fit."""

    blocks: tuple[Any, ...]


Block = Heading | Prose | Cards | Share | Grid | Chart | Pictures | Contents | NewPage | Together


@dataclass(frozen=True)
class Report:
    """A title block and what follows."""

    title: str
    subtitle: str
    run: str
    footer: str
    blocks: tuple[Block, ...]
    billing: str = ""
    """Whether it was real money, told on every page; empty for a run that is not paid."""


def texts(report: Report) -> Iterator[str]:
    """Every text of a report, so that fonts can be cut for them."""
    yield from (report.title, report.subtitle, report.run, report.footer, report.billing)
    yield from _texts(report.blocks)


def _texts(blocks: Sequence[Any]) -> Iterator[str]:
    for block in blocks:
        match block:
            case Heading(text=text):
                yield text
            case Prose():
                yield block.text
            case Cards(cards=cards):
                for card in cards:
                    yield from (card.label, card.value, card.note)
            case Share(parts=parts):
                yield from (label for label, _, _ in parts)
            case Grid(columns=columns, rows=rows):
                yield from (column.title for column in columns)
                for row in rows:
                    yield from row
            case Chart(caption=caption):
                yield caption
            case Pictures(pictures=pictures):
                yield from (picture.label for picture in pictures)
            case Together(blocks=inner):
                yield from _texts(inner)
