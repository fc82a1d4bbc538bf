"""Turns read pages into a ``Document`` message, in the shape that readers of Document AI's answers rely on.

Rules: text is one string for the document; every layout has a text anchor in code points, four normalised vertices
from the top left clockwise, a confidence and an orientation; page numbers are the document's own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from docdask.service import message
from docdask.service.offline import languages
from docdask.service.offline.entities import Entity
from docdask.service.offline.forms import Field
from docdask.service.offline.page import Box, Line, Page, Word, line_of
from docdask.service.offline.reading import Block
from docdask.service.offline.tables import Grid

#: ``Layout.Orientation`` by quarter turns clockwise.
_ORIENTATION = (1, 2, 3, 4)
_BREAK_SPACE = 1


@dataclass(slots=True)
class Spans:
    """Where the words and lines of one page stand in the document's text (half-open, code points)."""

    words: dict[int, tuple[int, int]] = field(default_factory=dict)
    """By ``id`` of the word."""
    broken: dict[int, tuple[int, int]] = field(default_factory=dict)
    """The same with the white space after the word, as cells and fields are anchored."""
    lines: dict[int, tuple[int, int]] = field(default_factory=dict)
    """By ``id`` of the line."""
    page: tuple[int, int] = (0, 0)


class Builder:
    """Collects pages into one message."""

    def __init__(self, mime_type: str, hints: Sequence[str] = ()) -> None:
        self.document = message.new()
        self.document.mime_type = mime_type
        self._hints = tuple(hints)
        self._parts: list[str] = []
        self._length = 0

    @property
    def text(self) -> str:
        """Text so far."""
        return "".join(self._parts)

    def finish(self) -> bytes:
        """Serialise the message; the builder is used up."""
        self.document.text = self.text
        return bytes(self.document.SerializeToString())

    def add_page(self, page: Page, blocks: Sequence[Block]) -> tuple[Any, Spans]:
        """Add a page with its lines in reading order; returns its message and where its text stands."""
        out = self.document.pages.add()
        out.page_number = page.number
        width, height = page.points or (page.width, page.height)
        out.dimension.width, out.dimension.height = width, height
        out.dimension.unit = "points" if page.points else page.unit
        spans = Spans()
        start = self._length
        for block in blocks:
            block_start = self._length
            confidences: list[float] = []
            for paragraph in block.paragraphs:
                paragraph_start = self._length
                for line in paragraph.lines:
                    self._add_line(out, page, line, spans)
                inside = [line.confidence for line in paragraph.lines]
                confidences += inside
                self.layout(
                    out.paragraphs.add().layout, page, paragraph.box, (paragraph_start, self._length),
                    sum(inside) / len(inside), paragraph.lines[0].turn,
                )  # fmt: skip
            turn = block.paragraphs[0].lines[0].turn
            confidence = sum(confidences) / len(confidences)
            self.layout(
                out.blocks.add().layout, page, block.box, (block_start, self._length), confidence, turn
            )
        spans.page = (start, self._length)
        overall = [token.layout.confidence for token in out.tokens]
        whole = Box(0.0, 0.0, page.width, page.height)
        self.layout(out.layout, page, whole, spans.page, sum(overall) / len(overall) if overall else 0.0)
        for code, share in languages.detect(self.text[start:] if overall else "", self._hints):
            found = out.detected_languages.add()
            found.language_code, found.confidence = code, share
        return out, spans

    def _add_line(self, out: Any, page: Page, line: Line, spans: Spans) -> None:
        start = self._length
        last = len(line.words) - 1
        for index, word in enumerate(line.words):
            at = self._length
            self._append(word.text)
            spans.words[id(word)] = (at, self._length)
            if index == last:
                self._append("\n")
            elif word.space_after:
                self._append(" ")
            spans.broken[id(word)] = (at, self._length)
            self._add_token(
                out, page, word, (at, self._length), line.turn, spaced=index == last or word.space_after
            )
        spans.lines[id(line)] = (start, self._length)
        self.layout(out.lines.add().layout, page, line.box, (start, self._length), line.confidence, line.turn)

    def _add_token(
        self, out: Any, page: Page, word: Word, span: tuple[int, int], turn: int, *, spaced: bool
    ) -> None:
        token = out.tokens.add()
        self.layout(token.layout, page, word.box, span, word.confidence, turn)
        if spaced:
            token.detected_break.type_ = _BREAK_SPACE

    def _append(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)

    def layout(
        self,
        layout: Any,
        page: Page,
        box: Box,
        spans: tuple[int, int] | Sequence[tuple[int, int]],
        confidence: float,
        turn: int = 0,
    ) -> None:
        """Fill a ``Layout``: anchor, polygon, confidence, orientation."""
        pairs = [spans] if isinstance(spans, tuple) and isinstance(spans[0], int) else spans
        for start, end in merged(pairs):  # type: ignore[arg-type]
            segment = layout.text_anchor.text_segments.add()
            segment.start_index, segment.end_index = start, end
        layout.confidence = min(1.0, max(0.0, confidence))
        layout.orientation = _ORIENTATION[turn % 4]
        polygon(layout.bounding_poly, page, box)

    def add_table(self, out: Any, page: Page, grid: Grid, spans: Spans) -> None:
        """Add a table; its cells point at the words that stand in them."""
        table = out.tables.add()
        covered: list[tuple[int, int]] = []
        for index, row in enumerate(grid.rows):
            target = (table.header_rows if index < grid.header_rows else table.body_rows).add()
            for cell in row:
                item = target.cells.add()
                item.row_span, item.col_span = cell.row_span, cell.column_span
                parts = [spans.broken[id(word)] for word in cell.words]
                covered += parts
                confidence = min((word.confidence for word in cell.words), default=1.0)
                self.layout(item.layout, page, cell.box, parts, confidence * grid.confidence)
        self.layout(table.layout, page, grid.box, covered, grid.confidence)

    def add_field(self, out: Any, page: Page, item: Field, spans: Spans) -> None:
        """Add a key-value pair."""
        form_field = out.form_fields.add()
        for target, words, box in (
            (form_field.field_name, item.name, item.name_box),
            (form_field.field_value, item.value, item.value_box),
        ):
            parts = [spans.broken[id(word)] for word in words]
            self.layout(target, page, box, parts, item.confidence)
            target.text_anchor.content = line_of(words).text if words else ""
        if item.value_type:
            form_field.value_type = item.value_type

    def add_entities(self, found: Sequence[Entity], pages: Sequence[Page]) -> None:
        """Add entities; ids count from 0, properties after their parent."""
        by_number = {page.number: (index, page) for index, page in enumerate(pages)}
        ids = itertools.count()
        for item in found:
            self._fill_entity(self.document.entities.add(), item, by_number, ids)

    def _fill_entity(
        self, out: Any, item: Entity, pages: dict[int, tuple[int, Page]], ids: Iterator[int]
    ) -> None:
        out.type_, out.mention_text, out.confidence, out.id = (
            item.type,
            item.text,
            item.confidence,
            str(next(ids)),
        )
        segment = out.text_anchor.text_segments.add()
        segment.start_index, segment.end_index = item.start, item.end
        out.text_anchor.content = item.text
        index, page = pages[item.page]
        reference = out.page_anchor.page_refs.add()
        reference.page = index
        polygon(reference.bounding_poly, page, item.box)
        if item.normalized:
            out.normalized_value.text = item.normalized
        if item.date:
            date = out.normalized_value.date_value
            date.year, date.month, date.day = item.date.year, item.date.month, item.date.day
        if item.money:
            money = out.normalized_value.money_value
            units = int(item.money.amount)
            money.currency_code, money.units = item.money.currency, units
            money.nanos = int((item.money.amount - units) * 1_000_000_000)
        for part in item.properties:
            self._fill_entity(out.properties.add(), part, pages, ids)


def merged(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, joined where they touch."""
    out: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return out


def polygon(poly: Any, page: Page, box: Box) -> None:
    """Four normalised vertices, clockwise from the top left."""

    def share(value: float, whole: float) -> float:
        return min(1.0, max(0.0, value / whole)) if whole else 0.0

    x0, x1 = share(box.x0, page.width), share(box.x1, page.width)
    y0, y1 = share(box.y0, page.height), share(box.y1, page.height)
    for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1)):
        vertex = poly.normalized_vertices.add()
        vertex.x, vertex.y = x, y
