"""Form fields by layout: a label that ends with a colon, and what stands beside or after it.

Fields that the engine found are kept; these are added where it found none.
"""

from __future__ import annotations

import re
from typing import Any

from docdask.service.emulator.shapes.view import Piece, fill_layout, lines_of

_LABEL = re.compile(r"([^\W\d][^:\n]{0,58}):\s*(.*)", re.DOTALL)


def pairs(document: Any, page: int) -> list[tuple[Piece, Piece]]:
    """Label and value of each field on a page."""
    lines = lines_of(document, page)
    found = []
    for line in lines:
        match = _LABEL.fullmatch(line.text)
        if not match:
            continue
        label = line.part(0, match.end(1) + 1)
        if match[2]:
            found.append((label, line.part(match.start(2), match.end(2))))
        elif value := _beside(line, lines):
            found.append((label, value))
    return found


def _beside(label: Piece, lines: list[Piece]) -> Piece | None:
    """Nearest line to the right on the same height."""
    middle = (label.area[1] + label.area[3]) / 2
    right = [
        line
        for line in lines
        if line.area[0] >= label.area[2] - 0.01 and line.area[1] < middle < line.area[3]
    ]
    return min(right, key=lambda line: line.area[0], default=None)


def add_form_fields(document: Any) -> None:
    """Add ``form_fields`` to pages that have none."""
    for index, page in enumerate(document.pages):
        if page.form_fields:
            continue
        for label, value in pairs(document, index):
            field = page.form_fields.add()
            fill_layout(field.field_name, [label], 0.9)
            fill_layout(field.field_value, [value], 0.9)
