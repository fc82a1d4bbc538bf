"""Examines and mends images with Pillow. Runs in the sandbox only.

Rules:

1. The declared size is looked at before a pixel is decoded; more than the limit is refused.
2. Every frame is decoded once, up to a total: a file that can't be decoded is found here and not in the middle of a
   run. JPEGs are decoded at an eighth of their size, which reads all of their bytes and costs little.
3. A file that is cut short is mended if at least half of its rows are there (or, with several frames, the first
   frame is): the missing part is white, later frames are left out, and the catalog says so.
4. Sizes are those of the upright image: EXIF and TIFF orientation are applied.
"""

from __future__ import annotations

import io
import itertools
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from docdask.errors import DocumentError
from docdask.intake import kinds, problems
from docdask.intake.findings import Findings
from docdask.intake.limits import Limits

#: EXIF and TIFF tag with the image's orientation, 1 to 8.
ORIENTATION = 0x0112
#: Matrix of a PDF from the unit square to the upright page, by orientation; w and h are the page's width and height.
UPRIGHT = {
    1: "{w} 0 0 {h} 0 0",
    2: "-{w} 0 0 {h} {w} 0",
    3: "-{w} 0 0 -{h} {w} {h}",
    4: "{w} 0 0 -{h} 0 {h}",
    5: "0 -{h} -{w} 0 {w} {h}",
    6: "0 -{h} {w} 0 0 {h}",
    7: "0 {h} {w} 0 0 0",
    8: "0 {h} -{w} 0 {w} 0",
}
_LEAST_SHARE = 0.5
_FORMATS = ("BMP", "DIB", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
#: What Pillow and its decoders raise for broken files.
BROKEN = (OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, struct.error, OverflowError, ZeroDivisionError)  # fmt: skip


def examine(data: bytes, found: Findings, limits: Limits) -> None:
    """Fill ``found`` for the image in ``data``.

    Raises
    ------
    DocumentError
        ``oversize-image`` or ``corrupt``.
    """
    found.group, found.unit, found.text_pages = "image", "pixels", 0
    sizes: list[tuple[int, int]] = []
    paper: float | None = None
    blank = True
    try:
        for size, thumbnail in _frames(data, limits):
            sizes.append(size)
            blank = blank and thumbnail is not None and _is_blank(thumbnail)
            if len(sizes) == 1 and thumbnail is not None:
                paper = _paper_share(thumbnail)
    except BROKEN as cause:
        blank = False
        sizes = _mendable(data, sizes, found, limits, cause)
    found.pages = len(sizes)
    found.widths = [float(width) for width, _ in sizes]
    found.heights = [float(height) for _, height in sizes]
    found.max_pixels = max(width * height for width, height in sizes)
    if found.mime_type == "image/tiff" and _tiff_loops(data):
        found.note("loop", "the list of its frames points back at itself; each frame is used once", "")
    if blank:
        found.kind, found.kind_confidence = "blank", 0.9
    else:
        width, height = sizes[0]
        found.kind, found.kind_confidence = kinds.guess(
            "", pages=len(sizes), width=width, height=height, is_image=True, paper_share=paper
        )


def mend(data: bytes, limits: Limits) -> bytes:
    """Make a clean image of the readable part of a damaged one: a PNG, or a TIFF of the readable frames.

    Raises
    ------
    DocumentError
        ``corrupt`` if less than half of the first frame is there.
    """
    intact = _intact_frames(data, limits)
    out = io.BytesIO()
    if intact:
        with opened(data) as image:
            frames = []
            for index in range(intact):
                image.seek(index)
                frames.append(
                    image.convert("RGB")
                    if image.mode in {"P", "RGBA", "PA", "LA", "CMYK", "YCbCr"}
                    else image.copy()
                )
        frames[0].save(out, "TIFF", save_all=True, append_images=frames[1:], compression="tiff_deflate")
        return out.getvalue()
    frame, share = _partial(data, limits)
    if share < _LEAST_SHARE:
        raise problems.error("corrupt", f"it is cut short: {share:.0%} of the picture is there")
    frame.save(out, "PNG", compress_level=1)
    return out.getvalue()


@contextmanager
def opened(data: bytes) -> Iterator[Any]:
    """Open an image with Pillow; nothing is decoded yet."""
    import warnings

    from PIL import Image, ImageFile, TiffImagePlugin, WebPImagePlugin  # noqa: F401 - they register

    Image.preinit()
    # Our own limit is checked on the declared size; Pillow's would only add a second, different one.
    Image.MAX_IMAGE_PIXELS = None
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
        try:
            yield image
        finally:
            image.close()


def _frames(data: bytes, limits: Limits) -> Iterator[tuple[tuple[int, int], Any | None]]:
    """Upright size of each frame, and a small grey copy of those that were decoded."""
    with opened(data) as image:
        budget = limits.total_pixels
        for _ in each_frame(image, limits):
            budget -= image.size[0] * image.size[1]
            yield _decoded(image) if budget >= 0 else (image.size, None)


def each_frame(image: Any, limits: Limits) -> Iterator[int]:
    """Put an opened image on one frame after another, if its declared size is within the limits; yields their numbers.

    Raises
    ------
    DocumentError
        As :func:`check_size`.
    """
    for index in itertools.count():
        try:
            image.seek(index)
        except EOFError:
            return
        check_size(image.size, limits)
        yield index
        if image.format == "MPO":  # the other pictures of a phone's photo are its previews
            return


def check_size(size: tuple[int, int], limits: Limits) -> None:
    """Refuse a frame by its declared size.

    Raises
    ------
    DocumentError
        ``oversize-image`` or ``corrupt``.
    """
    width, height = size
    if width * height > limits.image_pixels:
        raise problems.error(
            "oversize-image",
            f"it declares {width:,} × {height:,} pixels, the limit is {limits.image_pixels / 1e6:,.0f} million",
        )
    if width < 1 or height < 1:
        raise problems.error("corrupt", f"it declares {width} × {height} pixels")


def _decoded(image: Any) -> tuple[tuple[int, int], Any]:
    size = image.size
    turned = image.format != "TIFF" and image.getexif().get(ORIENTATION) in {5, 6, 7, 8}
    if image.format in {"JPEG", "MPO"}:
        image.draft(None, (max(1, size[0] // 8), max(1, size[1] // 8)))
    image.load()
    if image.format == "TIFF":
        # Newer Pillow turns TIFFs while loading; then size is the upright one and the tag is gone.
        size = image.size
        turned = image.getexif().get(ORIENTATION) in {5, 6, 7, 8}
    small = image.convert("RGB") if image.mode in {"P", "PA"} else image
    return (size[::-1] if turned else size), small.convert("L").reduce(max(1, min(image.size) // 256))


def _is_blank(grey: Any) -> bool:
    """Whether a small grey copy shows nothing: all but a thousandth of its pixels are as bright as the paper."""
    histogram = grey.histogram()
    total = sum(histogram)
    paper = max(range(256), key=histogram.__getitem__)
    return paper > 128 and sum(histogram[: max(0, paper - 40)]) < total / 1000


def _paper_share(grey: Any) -> float:
    """Share of the pixels that are nearly as bright as the brightest twentieth; unevenly lit paper is paper."""
    histogram = grey.histogram()
    total = sum(histogram)
    above, white = 0, 255
    while above < total / 20:
        above += histogram[white]
        white -= 1
    return float(sum(histogram[max(0, white - 50) :]) / total)


def _mendable(
    data: bytes, sizes: list[tuple[int, int]], found: Findings, limits: Limits, cause: Exception
) -> list[tuple[int, int]]:
    if sizes:
        found.actions.append("repaired")
        good = f"the first {len(sizes)} frames are" if len(sizes) > 1 else "the first frame is"
        found.note("cut-short", f"it is damaged; {good} used")
        return sizes
    try:
        frame, share = _partial(data, limits)
    except BROKEN as deeper:
        raise problems.error(
            "corrupt", f"it is damaged and can't be decoded ({decoder_message(deeper)})"
        ) from cause
    if share < _LEAST_SHARE:
        raise problems.error(
            "corrupt", f"it is cut short: only {share:.0%} of the picture is there"
        ) from cause
    found.actions.append("repaired")
    part = f"{share:.0%}" if share < 1 else "all of it, perhaps with less detail,"
    found.note("cut-short", f"it is cut short; of its picture {part} could be read and is used")
    return [frame.size]


def _intact_frames(data: bytes, limits: Limits) -> int:
    count = 0
    try:
        for _ in _frames(data, limits):
            count += 1
    except (DocumentError, *BROKEN):
        pass
    return count


def _partial(data: bytes, limits: Limits) -> tuple[Any, float]:
    """First frame as far as it decodes, upright, the rest white; and the share of its rows that are there.

    Rows that the decoder never reached are all of one colour, the same up to the last (of a BMP, which is stored
    from the bottom up: to the first).
    """
    import numpy as np
    from PIL import Image, ImageFile, ImageOps

    with opened(data) as image:
        check_size(image.size, limits)
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            image.load()
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = False
        pixels = np.array(image.convert("RGB"))
        exif = image.getexif()
        rows = pixels[::-1] if image.format in {"BMP", "DIB"} else pixels
    unread = (rows == rows[-1, 0]).all(axis=(1, 2))
    reached = len(rows) - int(np.argmin(unread[::-1])) if not unread.all() else 0
    rows[reached:] = 255
    frame = Image.fromarray(pixels)
    frame.getexif().update(exif)
    return ImageOps.exif_transpose(frame), reached / len(rows)


def decoder_message(cause: Exception) -> str:
    """What a decoder says is wrong, short; without addresses in memory."""
    from PIL import UnidentifiedImageError

    if isinstance(cause, UnidentifiedImageError):  # its text is the address of a buffer
        return "its header makes no sense"
    return " ".join(str(cause).split())[:120] or type(cause).__name__


def _tiff_loops(data: bytes) -> bool:
    """Whether the chain of image file directories comes back to one it has passed (classic TIFF only)."""
    order = "<" if data[:2] == b"II" else ">"
    if data[2:4] not in {b"*\0", b"\0*"}:
        return False
    seen: set[int] = set()
    try:
        (at,) = struct.unpack_from(order + "I", data, 4)
        while at and at not in seen and len(seen) < 100_000:
            seen.add(at)
            (entries,) = struct.unpack_from(order + "H", data, at)
            (at,) = struct.unpack_from(order + "I", data, at + 2 + 12 * entries)
    except struct.error:
        return False
    return at in seen
