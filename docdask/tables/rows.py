"""Rows of the page tables from one Document message.

Rules: rows are plain tuples in the column order of :mod:`docdask.tables.schema`; a document adds all of its rows or,
when it can't be read, none. Offsets and numbers are those of the whole document, after its page ranges were merged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from docdask.tables import flow, reader
from docdask.tables.reader import Mean

#: Clockwise turn, degrees, that makes a page upright, by Layout.Orientation: unspecified, up, right, down, left.
_TURNS = (0, 0, 270, 180, 90)

#: Code points of text that are kept to guess the kind.
KIND_TEXT = 4_000


@dataclass(slots=True)
class DocumentRows:
    """Rows of one document by table, and what its own row in ``documents`` needs."""

    document_id: str
    tables: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    mean: Mean = field(default_factory=Mean)
    languages: dict[str, float] = field(default_factory=dict)
    characters: int = 0
    pages: int = 0
    recognised: bool = False
    """Some page was recognised rather than read from a text layer."""
    text: str = ""
    """Of its first pages, enough to guess its kind."""
    width: float = 0.0
    height: float = 0.0
    """Of its first page."""

    def add(self, table: str, row: tuple[Any, ...]) -> None:
        """Add a row; the document's id is put in front."""
        self.tables.setdefault(table, []).append((self.document_id, *row))

    def tell(self, text: str) -> None:
        """Add to the text that tells the kind, as far as it is kept."""
        self.text = (self.text + text[:KIND_TEXT])[:KIND_TEXT]


def read_pages(document: Any, rows: DocumentRows, notes: Mapping[str, Any], *, tokens: bool) -> None:
    """Add the rows of all pages.

    Parameters
    ----------
    document
        Document message.
    rows
        Filled here.
    notes
        What the engine told about pages, by page number as text: ``sources`` (``text-layer`` or ``ocr``) and
        ``turns`` (clockwise degrees that made the page upright).
    tokens
        Whether to add rows for tokens.
    """
    text = document.text
    rows.characters = len(text)
    rows.tell(text)
    rows.recognised = any(source != "text-layer" for source in (notes.get("sources") or {"": ""}).values())
    number = 0
    sources, turns = notes.get("sources") or {}, notes.get("turns") or {}
    for page in document.pages:
        number = reader.page_number(page, number)
        width, height, unit = reader.page_size(page)
        if not rows.pages:
            rows.width, rows.height = width or 0.0, height or 0.0
        rows.pages += 1
        own = reader.page_text(document, page)
        pixels = (width or 0.0, height or 0.0)
        mean = _read_tokens(page, text, number, pixels, rows, wanted=tokens)
        _read_lines(page, text, number, pixels, rows, mean)
        rows.mean.merge(mean)
        spoken = reader.languages(page.detected_languages)
        for code, share in spoken.items():
            rows.languages[code] = rows.languages.get(code, 0.0) + share * max(len(own), 1)
        _read_cells(page, text, number, pixels, rows)
        _read_fields(page, text, number, pixels, rows)
        rows.add(
            "pages",
            (
                number, width, height, unit, own, len(own), sources.get(str(number)),
                turns.get(str(number), _turn(page.layout.orientation)), ",".join(spoken), mean.value,
                len(page.lines), len(page.tokens), len(page.tables), len(page.form_fields),
            ),
        )  # fmt: skip
    if not rows.pages:
        flow.read_layout(document, rows)


def _turn(orientation: int) -> int:
    return _TURNS[orientation] if 0 <= orientation < len(_TURNS) else 0


def _read_tokens(
    page: Any, text: str, number: int, pixels: tuple[float, float], rows: DocumentRows, *, wanted: bool
) -> Mean:
    mean = Mean()
    for index, token in enumerate(page.tokens):
        layout = token.layout
        value = layout.confidence
        mean.add(value, reader.anchored_length(layout.text_anchor))
        if wanted:
            own = reader.anchored(text, layout.text_anchor).rstrip()
            rows.add("tokens", (number, index, own, reader.confidence(value), *reader.box(layout, *pixels)))
    return mean


def _read_lines(
    page: Any, text: str, number: int, pixels: tuple[float, float], rows: DocumentRows, mean: Mean
) -> None:
    """Add the rows of lines; without tokens, their confidence is the page's."""
    count = not page.tokens
    for index, line in enumerate(page.lines):
        layout = line.layout
        own = reader.anchored(text, layout.text_anchor).rstrip()
        if count:
            mean.add(layout.confidence, len(own))
        rows.add(
            "lines", (number, index, own, reader.confidence(layout.confidence), *reader.box(layout, *pixels))
        )


def _read_cells(page: Any, text: str, number: int, pixels: tuple[float, float], rows: DocumentRows) -> None:
    for index, table in enumerate(page.tables):
        for row, column, header, cell in reader.cells(table):
            layout = cell.layout
            own = reader.anchored(text, layout.text_anchor).strip()
            rows.add(
                "table_cells",
                (
                    number, index, row, column, reader.span(cell.row_span), reader.span(cell.col_span), header, own,
                    reader.confidence(layout.confidence), *reader.box(layout, *pixels),
                ),
            )  # fmt: skip


def _read_fields(page: Any, text: str, number: int, pixels: tuple[float, float], rows: DocumentRows) -> None:
    for field_ in page.form_fields:
        name, value = field_.field_name, field_.field_value
        place = reader.box(value, *pixels)
        rows.add(
            "form_fields",
            (
                number,
                reader.anchored(text, name.text_anchor).strip().rstrip(":：").rstrip(),
                reader.anchored(text, value.text_anchor).strip(),
                field_.value_type,
                reader.confidence(name.confidence),
                reader.confidence(value.confidence),
                *(place if place != reader.NO_BOX else reader.box(name, *pixels)),
            ),
        )
