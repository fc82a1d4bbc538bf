"""Opens images and renders PDF pages as upright-as-stored pictures of a bounded size.

Rules: the size is looked at before anything is decoded; EXIF and TIFF orientation are applied; every mode (CMYK, 16
bit, palette, transparent) becomes blue-green-red on white; frames are read one at a time.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from docdask.errors import DocumentError
from docdask.intake.pixels import DEEP, on_paper, spread, with_alpha

#: Longest side of a picture that OCR works on: A4 at 200 dpi is 2,340.
MAX_SIDE_PIXELS = 2600
#: Smaller pictures are enlarged to this, as the models want letters of some height.
MIN_SIDE_PIXELS = 900
#: Most pixels that are decoded at once: 3 bytes each, well below the sandbox's memory.
MAX_PIXELS = 120_000_000
#: Most pixels of a transparent picture that is laid on white before it is made smaller, which takes 12 bytes a pixel.
MAX_FLAT_PIXELS = 40_000_000


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture to read."""

    pixels: Any
    """uint8 (height, width, 3), blue-green-red."""
    width: float
    height: float
    """Size of the page in its own unit; the picture may be scaled."""


def frames(content: bytes, first: int, last: int | None) -> Iterator[tuple[int, Picture]]:
    """Frames of an image with their 1-based numbers.

    Raises
    ------
    DocumentError
        ``oversize-image``, ``corrupt-image`` or ``empty-range``.
    """
    from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # the limit below is ours, and says so
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(content))
            _check_size(image.size)
            number = 0
            for number, frame in enumerate(ImageSequence.Iterator(image), start=1):
                if last is not None and number > last:
                    return
                if number >= first:
                    _check_size(frame.size)
                    frame.load()
                    yield number, picture_of(ImageOps.exif_transpose(frame))
                if image.format == "MPO":  # the other pictures of a phone's photo are its previews
                    break
    except UnidentifiedImageError as error:
        raise DocumentError(
            "corrupt-image",
            "the image can't be read: its format is not recognised",
            "open it in another program and save it again",
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, TypeError) as error:
        raise DocumentError(
            "corrupt-image",
            f"the image can't be decoded: {error}",
            "open it in another program and save it again",
        ) from error
    if number < first:
        raise DocumentError(
            "empty-range",
            f"pages from {first} were asked for, the image has {number}",
            "ask for pages that are there",
        )


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise DocumentError(
            "oversize-image",
            f"the image has {width} x {height} pixels; the limit is {MAX_PIXELS // 1_000_000} million",
            "scan it at a lower resolution",
        )


def picture_of(image: Any) -> Picture:
    """Make the picture that OCR works on from an upright Pillow image of any mode and size."""
    import numpy as np
    from PIL import Image

    width, height = image.size
    if image.mode in DEEP:
        image = spread(image)
    factor = max(width, height) / MAX_SIDE_PIXELS
    image = with_alpha(image)
    if width * height <= MAX_FLAT_PIXELS:
        image = on_paper(image)
    if image.mode == "1":
        image = image.convert("L")
    if factor > 1:
        if image.mode == "P":
            image = image.convert("RGB")
        image = image.resize(
            (max(1, round(width / factor)), max(1, round(height / factor))),
            Image.Resampling.BOX if factor > 3 else Image.Resampling.LANCZOS,
        )
    image = on_paper(image)
    image = image.convert("RGB")
    if max(image.size) < MIN_SIDE_PIXELS:
        grow = min(3.0, MIN_SIDE_PIXELS / max(image.size))
        image = image.resize(
            (max(1, round(image.width * grow)), max(1, round(image.height * grow))), Image.Resampling.BICUBIC
        )
    pixels = np.ascontiguousarray(np.asarray(image)[:, :, ::-1])
    return Picture(pixels, float(width), float(height))


def render(page: Any, dpi: float) -> Picture:
    """Render a pypdfium2 page, ``/Rotate`` applied."""
    import numpy as np

    width, height = page.get_size()
    scale = min(dpi / 72, MAX_SIDE_PIXELS / max(width, height, 1.0))
    bitmap = page.render(scale=scale, fill_color=(255, 255, 255, 255), may_draw_forms=True)
    pixels = bitmap.to_numpy()
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        pixels = np.repeat(pixels.reshape(*pixels.shape[:2], 1), 3, axis=2)
    pixels = np.ascontiguousarray(pixels[:, :, :3])
    bitmap.close()
    return Picture(pixels, float(width), float(height))
