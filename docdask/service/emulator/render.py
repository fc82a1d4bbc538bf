"""Renders pages to PNG, as ``page.image`` has them. Runs in a child process."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

#: Google's page images of A4 and letter pages are about this many pixels a point (200 dpi).
_SCALE = 200 / 72
_MAX_SIDE = 4000


def render(content: bytes, mime_type: str, numbers: Sequence[int]) -> list[tuple[bytes, int, int]]:
    """PNG, width and height in pixels of the pages ``numbers`` (1-based)."""
    if mime_type == "application/pdf":
        return _pdf(content, numbers)
    from PIL import Image, ImageOps

    found = []
    with Image.open(io.BytesIO(content)) as image:
        for number in numbers:
            if number > 1:
                image.seek(number - 1)
            found.append(_png(ImageOps.exif_transpose(image)))
    return found


def _pdf(content: bytes, numbers: Sequence[int]) -> list[tuple[bytes, int, int]]:
    import pypdfium2

    found = []
    document = pypdfium2.PdfDocument(content)
    try:
        for number in numbers:
            page = document[number - 1]
            scale = min(_SCALE, _MAX_SIDE / max(1.0, *page.get_size()))
            bitmap = page.render(scale=scale)
            found.append(_png(bitmap.to_pil()))
            bitmap.close()
            page.close()
    finally:
        document.close()
    return found


def _png(image: Any) -> tuple[bytes, int, int]:
    image.thumbnail((_MAX_SIDE, _MAX_SIDE))
    if image.mode not in ("1", "L", "RGB"):
        image = image.convert("RGB")
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=1)
    return out.getvalue(), image.width, image.height
