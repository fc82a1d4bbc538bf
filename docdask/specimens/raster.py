"""Turns drawn pages into what a scanner, a fax or a telephone's camera would have made of them.

Rules: everything random comes from the generator that is passed; same pages and generator, same bytes.
"""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from typing import Any

#: Timestamp in image PDFs, the one reportlab's invariant mode uses.
_EPOCH = time.struct_time((2000, 1, 1, 0, 0, 0, 5, 1, 0))


def render(pdf: bytes, dpi: int) -> list[Any]:
    """Pages of a PDF of our own as grey or colour Pillow images."""
    import pypdfium2 as pdfium

    document = pdfium.PdfDocument(pdf)
    try:
        return [page.render(scale=dpi / 72).to_pil().convert("RGB") for page in document]
    finally:
        document.close()


def _noise(shape: tuple[int, ...], seed: int, sigma: float) -> Any:
    import numpy as np

    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32) * np.float32(sigma)


def scanned(page: Any, seed: int, *, skew_degrees: float, sigma: float = 4.0) -> Any:
    """Grey scan: slightly turned, greyish paper, an uneven lamp, soft edges, noise and specks of dust."""
    import numpy as np
    from PIL import Image, ImageFilter

    grey = page.convert("L").rotate(skew_degrees, resample=Image.Resampling.BICUBIC, fillcolor=250)
    pixels = np.asarray(grey.filter(ImageFilter.GaussianBlur(0.55)), dtype=np.float32)
    height, width = pixels.shape
    lamp = 1 - 0.05 * np.linspace(0, 1, width, dtype=np.float32)[None, :] ** 2
    pixels = (pixels * np.float32(0.86) + 30) * lamp + _noise(pixels.shape, seed, sigma)
    generator = np.random.default_rng(seed + 1)
    for _ in range(40):
        y, x = int(generator.integers(2, height - 3)), int(generator.integers(2, width - 3))
        pixels[y : y + int(generator.integers(1, 3)), x : x + 2] -= 70
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def turned(image: Any, *, clockwise: bool) -> Any:
    """Image turned by 90°, without loss."""
    from PIL import Image

    return image.transpose(Image.Transpose.ROTATE_270 if clockwise else Image.Transpose.ROTATE_90)


def faxed(page: Any, seed: int) -> Any:
    """Bilevel page as a fax machine prints it, with ragged edges to its letters."""
    import numpy as np
    from PIL import Image

    pixels = np.asarray(page.convert("L"), dtype=np.float32)
    pixels = pixels + _noise(pixels.shape, seed, 22)
    return Image.fromarray(np.where(pixels < 140, 0, 255).astype(np.uint8)).convert("1")


def photographed(page: Any, seed: int, *, margin: float = 0.11) -> Any:
    """Colour photograph of a page on a table: seen at an angle, with a shadow, warm light and sensor noise."""
    import numpy as np
    from PIL import Image, ImageFilter

    generator = np.random.default_rng(seed)
    width, height = page.size
    size = (int(width * (1 + 2.6 * margin)), int(height * (1 + 1.1 * margin)))
    left, top = int(width * 1.3 * margin), int(height * 0.55 * margin)
    shake = generator.uniform(0.004, 0.022, size=8) * np.array([width, height] * 4)
    corners = [
        (left + shake[0] + 0.015 * width, top + shake[1]),
        (left + width - shake[2], top + shake[3]),
        (left + width + shake[4], top + height - shake[5]),
        (left - shake[6], top + height + shake[7] * 0.4),
    ]
    source = [(0, 0), (width, 0), (width, height), (0, height)]
    coefficients = _perspective(corners, source)
    warp: dict[str, Any] = {"resample": Image.Resampling.BICUBIC}
    mask = Image.new("L", page.size, 255).transform(size, Image.Transform.PERSPECTIVE, coefficients, **warp)
    sheet = page.transform(size, Image.Transform.PERSPECTIVE, coefficients, **warp)
    table = _table(size, seed)
    # The sheet throws a soft shadow on the table.
    shadow = mask.filter(ImageFilter.GaussianBlur(9))
    table = Image.composite(
        Image.new("RGB", size, (46, 34, 26)), table, shadow.point(lambda v: int(v * 0.75))
    )
    picture = Image.composite(sheet, table, mask).filter(ImageFilter.GaussianBlur(0.6))
    pixels = np.asarray(picture, dtype=np.float32)
    y, x = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32)
    slope = generator.uniform(0.25, 0.6)
    shade = 1 / (1 + np.exp((x + slope * y - size[0] * generator.uniform(1.05, 1.25)) / (0.09 * size[0])))
    light = 0.74 + 0.24 * shade
    pixels = pixels * light[..., None] * np.array([1.0, 0.975, 0.92], dtype=np.float32)
    pixels += _noise(pixels.shape, seed + 2, 3.0)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _table(size: tuple[int, int], seed: int) -> Any:
    """Wooden table: long dark streaks on brown."""
    import numpy as np
    from PIL import Image

    _width, height = size
    streaks = _noise((height // 6 + 1, 4), seed + 5, 13)
    grain = Image.fromarray(np.clip(streaks + 128, 0, 255).astype(np.uint8)).resize(
        size, Image.Resampling.BICUBIC
    )
    pixels = np.asarray(grain, dtype=np.float32)[..., None] - 128 + np.array([122, 90, 62], dtype=np.float32)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _perspective(
    corners: Sequence[tuple[float, float]], source: Sequence[tuple[float, float]]
) -> tuple[float, ...]:
    """Coefficients of Pillow's perspective transform that maps ``corners`` of the output onto ``source``."""
    import numpy as np

    rows, right = [], []
    for (x, y), (u, v) in zip(corners, source, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    return tuple(float(c) for c in np.linalg.solve(np.array(rows), np.array(right)))


def jpeg(image: Any, *, quality: int, dpi: int, orientation: int | None = None) -> bytes:
    """JPEG bytes; ``orientation`` is written as the EXIF tag, for an image that is stored turned."""
    from PIL import Image

    extra: dict[str, Any] = {}
    if orientation is not None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        exif[0x010F], exif[0x0110] = "Example", "Pocket 7"
        extra["exif"] = exif
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, dpi=(dpi, dpi), optimize=True, **extra)
    return buffer.getvalue()


def image_pdf(images: Sequence[Any], *, dpi: int, quality: int) -> bytes:
    """PDF whose pages are JPEG pictures and nothing else, as scanners write it."""
    buffer = io.BytesIO()
    first, *rest = images
    first.save(
        buffer,
        "PDF",
        resolution=dpi,
        quality=quality,
        save_all=True,
        append_images=rest,
        producer="Example Scanner",
        creationDate=_EPOCH,
        modDate=_EPOCH,
    )
    return buffer.getvalue()


def fax_tiff(images: Sequence[Any], *, dpi: int) -> bytes:
    """Multi-page TIFF with CCITT group 4 compression."""
    buffer = io.BytesIO()
    first, *rest = images
    first.save(buffer, "TIFF", compression="group4", dpi=(dpi, dpi), save_all=True, append_images=rest)
    return buffer.getvalue()


def png(image: Any) -> bytes:
    """PNG bytes."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
