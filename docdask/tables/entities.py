"""Rows of ``entities`` from one Document message.

Rules: nested entities follow their parent and name it; an id that is missing or taken becomes ``e<n>``, so that ids are
unique within a document; an entity without a page is placed by its text, and one without either belongs to the whole
document.
"""

from __future__ import annotations

from typing import Any

from docdask.tables import reader, values
from docdask.tables.rows import DocumentRows

#: Entities nested deeper than this are left out: no processor makes them.
_DEEPEST = 20


def read_entities(document: Any, rows: DocumentRows) -> None:
    """Add a row for each entity and each of its properties."""
    if document.entities:
        _Reader(document, rows).read(document.entities, None, 0)


class _Reader:
    """Reads the entities of one document."""

    def __init__(self, document: Any, rows: DocumentRows) -> None:
        self.document, self.rows = document, rows
        self.ids: set[str] = set()
        self.pages: list[tuple[int, float, float]] = []  # number, width and height in pixels
        self.spans: list[tuple[int, int, int]] = []  # start, end in the text, number
        number = 0
        for page in document.pages:
            number = reader.page_number(page, number)
            width, height, _ = reader.page_size(page)
            self.pages.append((number, width or 0.0, height or 0.0))
            self.spans.extend(
                (s.start_index, s.end_index, number) for s in page.layout.text_anchor.text_segments
            )

    def read(self, entities: Any, parent_id: str | None, depth: int) -> None:
        """Add ``entities`` and, after each, its properties."""
        for entity in entities:
            own_id = self._unique(entity.id)
            number, place = self._place(entity)
            self.rows.add(
                "entities",
                (
                    number, own_id, parent_id, entity.type_, self._text(entity),
                    *values.normalised(entity.normalized_value), reader.confidence(entity.confidence), *place,
                ),
            )  # fmt: skip
            if entity.properties and depth < _DEEPEST:
                self.read(entity.properties, own_id, depth + 1)

    def _unique(self, wanted: str) -> str:
        number = len(self.ids)
        while not wanted or wanted in self.ids:
            wanted = f"e{number}"
            number += 1
        self.ids.add(wanted)
        return wanted

    def _text(self, entity: Any) -> str:
        return entity.mention_text or reader.anchored(self.document.text, entity.text_anchor).strip()

    def _place(self, entity: Any) -> tuple[int | None, reader.Box]:
        for reference in entity.page_anchor.page_refs[:1]:
            if 0 <= reference.page < len(self.pages):
                number, width, height = self.pages[reference.page]
                return number, reader.polygon_box(reference.bounding_poly, width, height)
            number = reference.page + 1 if 0 <= reference.page < reader.MOST_PAGES else None
            return number, reader.polygon_box(reference.bounding_poly, 0.0, 0.0)
        for segment in entity.text_anchor.text_segments[:1]:
            for start, end, number in self.spans:
                if start <= segment.start_index < end:
                    return number, reader.NO_BOX
        return None, reader.NO_BOX
