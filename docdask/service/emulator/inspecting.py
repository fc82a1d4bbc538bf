"""Looks at a document as the service would before it works on it: pages, pixels, and whether it opens at all.

Runs in a child process (:mod:`docdask.sandbox`): no file may hurt the emulator. Rules: the content decides, the MIME type
only says which reader is tried; images whose header claims more pixels than the service takes are never decoded.
"""

from __future__ import annotations

import io
from typing import Any

from docdask.core.limits import IMAGE_TYPES, OFFICE_TYPES, SYSTEM_LIMITS
from docdask.core.server.calls import Problem

#: What is told of a document: pages, largest width and height in pixels (images), problem.
Inspection = tuple[int, int, int, Problem]


def inspect(content: bytes, mime_type: str, *, decode: bool = True) -> Inspection:
    """Look at one document.

    Parameters
    ----------
    content, mime_type
        The document as it was sent.
    decode
        Whether the pixels of images are decoded, to find those that are cut short.

    Returns
    -------
    tuple
        Pages, width, height, problem; 1, 0, 0 where they can't be told.
    """
    if mime_type == "application/pdf":
        return _pdf(content)
    if mime_type in IMAGE_TYPES:
        return _image(content, decode=decode)
    if mime_type in OFFICE_TYPES:
        from docdask.service.emulator.office import page_count

        try:
            return page_count(content, mime_type), 0, 0, ""
        except Exception:  # noqa: BLE001 - zip, XML, anything: the file can't be read
            return 1, 0, 0, "unsupported"
    return 1, 0, 0, "unsupported"


def _pdf(content: bytes) -> Inspection:
    import pypdfium2

    if not content:
        return 1, 0, 0, "corrupt-pdf"
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        encrypted = "password" in str(error).lower()
        return 1, 0, 0, "encrypted" if encrypted else "corrupt-pdf"
    try:
        pages = len(document)
    finally:
        document.close()
    return (pages, 0, 0, "") if pages else (1, 0, 0, "corrupt-pdf")


def _image(content: bytes, *, decode: bool) -> Inspection:
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # the limits are checked before anything is decoded
    try:
        with Image.open(io.BytesIO(content)) as image:
            return _frames(image, decode=decode)
    except Exception:  # noqa: BLE001 - decoders raise nearly anything on broken files
        return 1, 0, 0, "corrupt-image"


def _frames(image: Any, *, decode: bool) -> Inspection:
    # The other pictures of a phone's photo are its previews, not pages.
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    width = height = 0
    for index in range(frames):
        if index:
            image.seek(index)
        width, height = max(width, image.width), max(height, image.height)
        too_large = image.width * image.height > SYSTEM_LIMITS["image_pixels"].value
        if too_large or max(image.size) > SYSTEM_LIMITS["image_side"].value:
            return frames, image.width, image.height, ""
        if decode and index < 30:
            image.load()
    return frames, width, height, ""
