"""Images of every mode and format that a join may meet, with words on them."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms, ImageDraw, ImageFont

WORDS = "Order 4711 of 3 May\nTotal due 128.50 EUR\nThank you for your visit"
#: How an upright picture is stored under each EXIF orientation.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
ORIENTATION = 0x0112


def drawn(size=(600, 400), mode="RGB", text=WORDS):
    """A picture with words, dark on light."""
    image = Image.new("RGB", size, (250, 248, 240))
    font = ImageFont.load_default(size=max(12, size[0] // 18))
    ImageDraw.Draw(image).multiline_text(
        (size[0] // 15, size[1] // 8), text, fill=(20, 30, 60), font=font, spacing=size[0] // 45
    )
    return image if mode == "RGB" else image.convert(mode)


def saved(image, form, **options):
    """The file of it."""
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def turned(orientation, form="JPEG", size=(600, 400), **options):
    """A file whose EXIF tag says how it is to be turned."""
    image = drawn(size)
    if STORED[orientation] is not None:
        image = image.transpose(STORED[orientation])
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return saved(image, form, exif=exif, **options)


def clear():
    """A picture whose paper is transparent."""
    pixels = np.array(drawn().convert("RGBA"))
    pixels[..., 3] = np.where(pixels[..., 0] > 200, 40, 200)
    return Image.fromarray(pixels)


def palette():
    """A picture of 16 colours."""
    return drawn().convert("P", palette=Image.Palette.ADAPTIVE, colors=16)


def grey16(factor):
    """A picture of 16 bits a pixel."""
    return Image.fromarray(np.asarray(drawn(mode="L")).astype(np.uint16) * factor)


def raw_png(width, height, depth, colour_type, rows, interlace=0):
    """A PNG that Pillow can't write."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlace)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def deep_png(*, alpha=False):
    """A coloured PNG of 16 bits a channel."""
    pixels = (np.asarray(drawn()).astype(np.uint16) * 257 + 3).astype(">u2")
    height, width, _ = pixels.shape
    if alpha:
        pixels = np.dstack([pixels, np.full((height, width), 60_000, ">u2")]).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    return raw_png(width, height, 16, 6 if alpha else 2, rows)


def interlaced_png():
    """A PNG in Adam7 order."""
    pixels = np.asarray(drawn())
    height, width, _ = pixels.shape
    rows = b""
    for x, y, right, down in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):  # fmt: skip
        rows += b"".join(b"\0" + row.tobytes() for row in pixels[y::down, x::right])
    return raw_png(width, height, 8, 2, rows, interlace=1)


def profile():
    """An ICC profile that a reader might apply."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def cases():
    """Name, content, MIME type and number of pages of each."""
    image, second = drawn(), drawn(text="Second page\nof the same file")
    two = {"save_all": True, "append_images": [second]}
    jpeg, png, tiff, gif = "image/jpeg", "image/png", "image/tiff", "image/gif"
    yield from ((f"jpeg-turned-{n}", turned(n, quality=88), jpeg, 1) for n in STORED)
    yield "jpeg-grey-progressive", saved(drawn(mode="L"), "JPEG", progressive=True), jpeg, 1
    yield "jpeg-cmyk", saved(drawn(mode="CMYK"), "JPEG", quality=90), jpeg, 1
    yield "jpeg-profile", saved(image, "JPEG", icc_profile=profile()), jpeg, 1
    yield "jpeg-with-preview", saved(image, "MPO", save_all=True, append_images=[drawn((150, 100))]), jpeg, 1
    yield "png", saved(image, "PNG"), png, 1
    yield "png-turned", turned(6, "PNG"), png, 1
    yield "png-profile", saved(image, "PNG", icc_profile=profile()), png, 1
    yield "png-grey", saved(drawn(mode="L"), "PNG"), png, 1
    yield "png-bilevel", saved(drawn(mode="1"), "PNG"), png, 1
    yield "png-palette", saved(palette(), "PNG"), png, 1
    yield "png-transparent", saved(clear(), "PNG"), png, 1
    yield "png-grey-transparent", saved(clear().convert("LA"), "PNG"), png, 1
    yield "png-palette-transparent", saved(palette(), "PNG", transparency=0), png, 1
    yield "png-transparent-colour", saved(image, "PNG", transparency=(250, 248, 240)), png, 1
    yield "png-16-dark", saved(grey16(16), "PNG"), png, 1
    yield "png-16", saved(grey16(257), "PNG"), png, 1
    yield "png-16-colour", deep_png(), png, 1
    yield "png-16-transparent", deep_png(alpha=True), png, 1
    yield "png-interlaced", interlaced_png(), png, 1
    yield "png-animated", saved(image, "PNG", **two), png, 2
    yield "tiff-turned", saved(image.transpose(STORED[6]), "TIFF", tiffinfo={ORIENTATION: 6}), tiff, 1
    yield "tiff-16", saved(grey16(16), "TIFF"), tiff, 1
    yield "tiff-real", saved(drawn(mode="L").convert("F"), "TIFF"), tiff, 1
    yield "tiff-cmyk", saved(drawn(mode="CMYK"), "TIFF"), tiff, 1
    yield "tiff-jpeg", saved(image, "TIFF", compression="jpeg"), tiff, 1
    fax = [page.convert("1") for page in (image, second)]
    yield (
        "tiff-fax",
        saved(fax[0], "TIFF", compression="group4", save_all=True, append_images=fax[1:]),
        tiff,
        2,
    )
    yield "bmp", saved(image, "BMP"), "image/bmp", 1
    yield "gif", saved(image, "GIF"), gif, 1
    yield "gif-animated", saved(image, "GIF", duration=100, **two), gif, 2
    yield "gif-transparent", saved(palette(), "GIF", transparency=0, disposal=2), gif, 1
    yield "webp", saved(image, "WEBP", quality=70), "image/webp", 1
    yield "webp-transparent", saved(clear(), "WEBP", lossless=True), "image/webp", 1
    yield "webp-animated", saved(image, "WEBP", **two), "image/webp", 2
    yield "odd-size", saved(drawn((733, 331)), "PNG"), png, 1
    yield "tiny", saved(Image.new("RGB", (1, 1)), "PNG"), png, 1
    yield "blank", saved(Image.new("L", (400, 500), 255), "JPEG"), jpeg, 1
