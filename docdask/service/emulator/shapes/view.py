"""A page's lines as plain values, which the heuristics read, and entities and layouts as they write them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from docdask.service.emulator.documents import box, set_box, union

Area = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a document's text on one page."""

    text: str
    start: int
    end: int
    area: Area
    """Left, top, right, bottom as shares of the page."""
    page: int
    """0-based index into the document's pages."""

    @property
    def height(self) -> float:
        """Height as a share of the page's."""
        return self.area[3] - self.area[1]

    def part(self, start: int, end: int) -> Piece:
        """Characters ``start`` to ``end`` of the piece; its box is cut in proportion."""
        left, top, right, bottom = self.area
        each = (right - left) / max(1, len(self.text))
        area = (left + each * start, top, left + each * end, bottom)
        return Piece(self.text[start:end], self.start + start, self.start + end, area, self.page)


def lines_of(document: Any, page: int) -> list[Piece]:
    """Lines of a page, in reading order; of paragraphs where the page has no lines."""
    elements = document.pages[page].lines or document.pages[page].paragraphs
    found = []
    for element in elements:
        segments = element.layout.text_anchor.text_segments
        if segments:
            start, end = segments[0].start_index, segments[-1].end_index
            text = document.text[start:end]
            bare = text.rstrip()
            found.append(Piece(bare, start, start + len(bare), box(element.layout), page))
    return found


def all_lines(document: Any) -> list[Piece]:
    """Lines of all pages."""
    return [line for page in range(len(document.pages)) for line in lines_of(document, page)]


def anchor(target: Any, piece: Piece, *, content: bool = True) -> None:
    """Write a text anchor."""
    target.text_segments.add(start_index=piece.start, end_index=piece.end)
    if content:
        target.content = piece.text


def fill_layout(layout: Any, pieces: Iterable[Piece], confidence: float) -> None:
    """Write a layout that covers pieces of one page."""
    found = list(pieces)
    for piece in found:
        layout.text_anchor.text_segments.add(start_index=piece.start, end_index=piece.end)
    layout.text_anchor.content = "".join(piece.text + "\n" for piece in found)
    layout.confidence = confidence
    layout.orientation = 1
    set_box(layout.bounding_poly, union(piece.area for piece in found))


class Entities:
    """Writes entities with ids in the order they are added, properties included."""

    def __init__(self, document: Any) -> None:
        self._document = document
        self._next = 0

    @property
    def all(self) -> Any:
        """Entities of the document."""
        return self._document.entities

    def adopt(self, entity: Any, kind: str) -> None:
        """Add a copy of an entity that is there already, under another type and with ids of this document."""
        copy = self._document.entities.add()
        copy.CopyFrom(entity)
        copy.type_ = kind
        for part in (copy, *copy.properties):
            part.id = str(self._next)
            self._next += 1

    def add(
        self,
        kind: str,
        pieces: Iterable[Piece],
        confidence: float,
        parent: Any = None,
        normal: dict[str, Any] | None = None,
    ) -> Any:
        """Add an entity (a property of ``parent`` if one is given) that covers pieces of one page."""
        found = list(pieces)
        entity = (self._document.entities if parent is None else parent.properties).add()
        entity.type_ = kind
        entity.id = str(self._next)
        self._next += 1
        entity.confidence = confidence
        entity.mention_text = "\n".join(piece.text for piece in found)
        for piece in found:
            entity.text_anchor.text_segments.add(start_index=piece.start, end_index=piece.end)
        entity.text_anchor.content = entity.mention_text
        if found:
            reference = entity.page_anchor.page_refs.add(page=found[0].page)
            set_box(reference.bounding_poly, union(piece.area for piece in found))
        for name, value in (normal or {}).items():
            if isinstance(value, dict):
                target = getattr(entity.normalized_value, name)
                for part, number in value.items():
                    setattr(target, part, number)
            else:
                setattr(entity.normalized_value, name, value)
        return entity
