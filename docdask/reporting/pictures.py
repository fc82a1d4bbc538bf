"""Makes thumbnails of first pages, small and without metadata; a page that can't be drawn is left out."""

from __future__ import annotations

import io
from collections.abc import Iterable

from docdask.reporting.content import Picture
from docdask.reporting.data import RenderPage

#: Longest side, in pixels: enough to tell documents apart, too little to read small print.
LONGEST = 220


def pictures(render_page: RenderPage, examples: Iterable[tuple[str, str]]) -> tuple[Picture, ...]:
    """First pages of ``(document_id, name)`` examples as PNG."""
    found = []
    for document_id, name in examples:
        try:
            image = render_page(document_id, 1).convert("RGB")
        except Exception:  # noqa: BLE001, S112 - what was set aside often can't be drawn: that is why it was
            continue
        image.thumbnail((LONGEST, LONGEST))
        buffer = io.BytesIO()
        image.save(buffer, "PNG", optimize=True)
        found.append(Picture(buffer.getvalue(), image.width, image.height, name))
    return tuple(found)
