"""Makes a Document without recognising anything: text from the text layer, or from a hash, for load tests.

Runs in a child process, imports neither protobuf nor a model, and takes under 5 ms for 15 pages of some lines each (dense
ones up to three times as long). Rules: the same bytes always give the same text, and a page the same whatever it is sent
with, also a JPEG or PNG as the page of a PDF; lines lie evenly on the page; every page has a block, a paragraph, lines and
tokens, but only the first 8 lines and the first 12 words of a page get boxes.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
from collections.abc import Iterator, Sequence
from typing import Any

from docdask.service.emulator.wire import chunk, integer, real, varint

_LINES = 8
_ORIENTATION = 0x0112
_TOKENS = 12
#: Objects of a page without text that its hash is made of.
_HASHED_OBJECTS = 50
_PIXELS_PER_POINT = 200 / 72
#: Words of the hashed text; a byte of the hash picks one.
_WORDS = [
    "river",
    "stone",
    "garden",
    "winter",
    "letter",
    "morning",
    "account",
    "window",
    "silver",
    "market",
    "paper",
    "bridge",
    "summer",
    "signal",
    "harbour",
    "engine",
    "forest",
    "number",
    "candle",
    "ticket",
    "winter",
    "ledger",
    "copper",
    "valley",
    "island",
    "mirror",
    "thunder",
    "meadow",
    "village",
    "lantern",
    "anchor",
    "orchard",
]


def recognise(content: bytes, mime_type: str, selection: Sequence[int] | None) -> bytes:
    """Serialised ``Document`` of the selected pages.

    Parameters
    ----------
    content, mime_type
        The document as it was sent; it has been inspected.
    selection
        1-based pages, None for all.

    Returns
    -------
    bytes
        ``google.cloud.documentai.v1.Document``.
    """
    texts, sizes, numbers = _pages(content, mime_type, selection)
    parts, offset, encoded = [], 0, []
    for text, (width, height), number in zip(texts, sizes, numbers, strict=True):
        encoded.append(chunk(6, _page(text, offset, number, width, height)))
        parts.append(text)
        offset += len(text)
    return chunk(3, mime_type.encode()) + chunk(4, "".join(parts).encode()) + b"".join(encoded)


def _pages(
    content: bytes, mime_type: str, selection: Sequence[int] | None
) -> tuple[list[str], list[tuple[float, float]], list[int]]:
    """Text, size in pixels and number of each selected page."""
    if mime_type == "application/pdf":
        return _pdf_pages(content, selection)
    digest = _digest(content)
    if mime_type.startswith("image/"):
        frames, size, digest = _image(content, digest)
    else:
        from docdask.service.emulator.office import page_count

        frames, size = page_count(content, mime_type), (1700.0, 2200.0)
    numbers = list(selection or range(1, frames + 1))
    return [hash_text(digest, number) for number in numbers], [size] * len(numbers), numbers


def _digest(*parts: bytes) -> bytes:
    return hashlib.blake2b(b"".join(parts), digest_size=32).digest()


def _image(content: bytes, digest: bytes) -> tuple[int, tuple[float, float], bytes]:
    """Frames, upright size, and hash of an image; of a PNG that of its data, which a PDF would hold as they are."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    with Image.open(io.BytesIO(content)) as image:
        frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
        width, height = float(image.width), float(image.height)
        # The base class's: that of a PNG decodes the picture first, which may be cut short.
        if image.format != "TIFF" and Image.Image.getexif(image).get(_ORIENTATION, 1) > 4:
            width, height = height, width
        if image.format == "PNG" and frames == 1:
            digest = _digest(*_png_data(content))
    return frames, (width, height), digest


def _png_data(content: bytes) -> Iterator[bytes]:
    """Compressed data of a PNG, chunk by chunk."""
    at = 8
    while at + 12 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        if content[at + 4 : at + 8] == b"IDAT":
            yield content[at + 8 : at + 8 + size]
        at += size + 12


def _pdf_pages(
    content: bytes, selection: Sequence[int] | None
) -> tuple[list[str], list[tuple[float, float]], list[int]]:
    import pypdfium2

    texts, sizes = [], []
    document = pypdfium2.PdfDocument(content)
    try:
        numbers = list(selection or range(1, len(document) + 1))
        for number in numbers:
            width, height = 612.0, 792.0
            with contextlib.suppress(pypdfium2.PdfiumError):
                width, height = document.get_page_size(number - 1)
            text = ""
            with contextlib.suppress(pypdfium2.PdfiumError):
                page = document[number - 1]
                text = _clean(page.get_textpage().get_text_range()) or hash_text(_page_digest(page), 1)
            texts.append(text or hash_text(_digest(content), number))
            sizes.append((float(round(width * _PIXELS_PER_POINT)), float(round(height * _PIXELS_PER_POINT))))
    finally:
        document.close()
    return texts, sizes, numbers


def _page_digest(page: Any) -> bytes:
    """Hash of what is on a page without text: the data of its picture, or kinds and places of what is drawn."""
    import pypdfium2.raw as pdfium

    found = [item for item, _ in zip(page.get_objects(max_depth=1), range(_HASHED_OBJECTS), strict=False)]
    if len(found) == 1 and found[0].type == pdfium.FPDF_PAGEOBJ_IMAGE:
        return _digest(bytes(found[0].get_data(decode_simple=False)))
    places = [(item.type, *(round(side) for side in _bounds(item))) for item in found]
    return _digest(repr((page.get_size(), places)).encode())


def _bounds(item: Any) -> tuple[float, ...]:
    import pypdfium2

    with contextlib.suppress(pypdfium2.PdfiumError):
        return tuple((getattr(item, "get_bounds", None) or item.get_pos)())
    return ()


def _clean(text: str) -> str:
    """One newline after each line that says something; no lone surrogates, which UTF-8 can't carry."""
    lines = [line for line in (" ".join(raw.split()) for raw in text.splitlines()) if line]
    return ("\n".join(lines) + "\n").encode("utf-8", "ignore").decode() if lines else ""


def hash_text(digest: bytes, number: int) -> str:
    """Eight lines of five words that follow from the content's hash and the page number."""
    picks = hashlib.blake2b(digest + number.to_bytes(4, "big"), digest_size=40).digest()
    words = [_WORDS[pick % len(_WORDS)] for pick in picks]
    return "".join(" ".join(words[start : start + 5]) + "\n" for start in range(0, 40, 5))


@functools.lru_cache(maxsize=4096)
def _box(left: int, top: int, right: int, bottom: int) -> bytes:
    """Confidence, bounding polygon and orientation of a layout; thousandths of the page."""
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    polygon = b"".join(chunk(2, real(1, x / 1000) + real(2, y / 1000)) for x, y in corners)
    return real(2, 0.98) + chunk(3, polygon) + integer(4, 1)


def _bare(start: int, end: int, box: bytes) -> bytes:
    """``Layout`` of the text from ``start`` to ``end``."""
    segment = integer(1, start) + integer(2, end)
    anchor = b"\x0a" + varint(len(segment)) + segment
    return b"\x0a" + varint(len(anchor)) + anchor + box


def _layout(start: int, end: int, box: bytes) -> bytes:
    """``Layout`` as field 1 of a block, paragraph, line or token."""
    body = _bare(start, end, box)
    return b"\x0a" + varint(len(body)) + body


def _page(text: str, offset: int, number: int, width: float, height: float) -> bytes:
    end = offset + len(text)
    language = chunk(1, b"en") + real(2, 0.9)
    whole = _layout(offset, end, _box(100, 50, 900, 950))
    parts = [
        integer(1, number),
        chunk(2, real(1, width) + real(2, height) + chunk(3, b"pixels")),
        chunk(3, _bare(offset, end, _box(0, 0, 1000, 1000))),
        chunk(4, language),
        chunk(5, whole),
        chunk(6, whole),
    ]
    tokens: list[bytes] = []
    position = offset
    for index, line in enumerate(text.splitlines(keepends=True)[:_LINES]):
        top = 60 + index * 72
        box = _box(100, top, min(900, 120 + 8 * len(line)), top + 20)
        parts.append(chunk(7, _layout(position, position + len(line), box) + chunk(2, language)))
        if len(tokens) < _TOKENS:
            _tokens(line, position, top, tokens)
        position += len(line)
    parts += tokens[:_TOKENS]
    return b"".join(parts)


def _tokens(line: str, start: int, top: int, tokens: list[bytes]) -> None:
    position = start
    for word in line.split(" "):
        left = 100 + 8 * min(95, position - start)
        box = _box(left, top, left + 8 * min(12, len(word)), top + 20)
        end = min(position + len(word) + 1, start + len(line))
        if end > position:
            tokens.append(chunk(8, _layout(position, end, box) + chunk(2, integer(1, 1))))
        position = end
