"""Images: frames, orientation, limits, mending."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from docdask import intake
from docdask.errors import DocumentError


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(1).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def saved(image: Image.Image, fmt: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, fmt, **options)
    return out.getvalue()


@pytest.mark.parametrize("fmt", ["BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP"])
def test_every_format_is_measured_and_decoded(look, fmt):
    row = look(saved(noise(40, 30), fmt))
    assert (row["state"], row["problem"], row["group"]) == ("ready", None, "image")
    assert (row["pages"], row["widths"], row["heights"], row["unit"], row["max_pixels"]) == (
        1,
        [40],
        [30],
        "pixels",
        1200,
    )


@pytest.mark.parametrize("fmt", ["TIFF", "GIF", "WEBP"])
def test_frames_are_pages(look, fmt):
    frames = [noise(40 + n, 30) if fmt == "TIFF" else noise(40, 30).rotate(n * 90) for n in range(3)]
    row = look(saved(frames[0], fmt, save_all=True, append_images=frames[1:]))
    assert (row["pages"], row["heights"]) == (3, [30, 30, 30])
    if fmt == "TIFF":
        assert row["widths"] == [40, 41, 42]


@pytest.mark.parametrize("fmt", ["JPEG", "TIFF", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("orientation", "size"), [(1, (40, 30)), (3, (40, 30)), (6, (30, 40)), (8, (30, 40))]
)
def test_sizes_are_those_of_the_upright_image(look, fmt, orientation, size):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"tiffinfo": {274: orientation}} if fmt == "TIFF" else {"exif": exif}
    row = look(saved(noise(40, 30), fmt, **options))
    assert (row["widths"], row["heights"]) == ([size[0]], [size[1]])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_every_pixel_mode_is_taken(look, mode):
    image = (
        Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(30, 40))
        if mode == "I;16"
        else noise(40, 30).convert(mode)
    )
    row = look(saved(image, "TIFF" if mode == "CMYK" else "PNG"))
    assert (row["state"], row["pages"]) == ("ready", 1)


def png_that_declares(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(10)))
        + chunk(b"IEND", b"")
    )


def test_a_decompression_bomb_is_refused_by_its_declared_size(look):
    row = look(png_that_declares(60_000, 60_000))
    assert (row["state"], row["problem"]) == ("quarantined", "oversize-image")
    assert "60,000 × 60,000" in row["reason"]


def test_the_pixel_limit_is_a_setting(look):
    assert look(saved(noise(40, 30), "PNG"), image_pixels=1199)["problem"] == "oversize-image"
    assert look(saved(noise(40, 30), "PNG"), image_pixels=1200)["problem"] is None


def test_frames_beyond_the_total_are_measured_only(look):
    frames = [noise(40, 30)] * 5
    row = look(saved(frames[0], "TIFF", save_all=True, append_images=frames[1:]), total_pixels=2400)
    assert (row["state"], row["pages"]) == ("ready", 5)


@pytest.mark.parametrize("fmt", ["PNG", "JPEG", "BMP"])
@pytest.mark.parametrize(("share", "state"), [(0.8, "ready"), (0.2, "quarantined")])
def test_a_picture_cut_short_is_used_if_most_of_it_is_there(look, fmt, share, state):
    data = saved(noise(200, 200), fmt)
    row = look(data[: int(len(data) * share)])
    assert row["state"] == state, row["reason"]
    if state == "ready":
        assert (row["problem"], row["action"], row["pages"]) == ("cut-short", "repaired", 1)
        clean = intake.prepare(data[: int(len(data) * share)], "repaired")
        assert look(clean)["problem"] is None
        mended = Image.open(io.BytesIO(clean)).convert("L")
        assert mended.size == (200, 200)
        assert mended.getextrema()[1] == 255
        missing = 0 if fmt == "BMP" else -1  # a BMP is stored from the bottom up
        assert np.asarray(mended)[missing].min() == 255, "what is missing is white"
    else:
        assert row["problem"] == "corrupt"


def test_frames_before_a_broken_one_are_kept(look):
    frames = [noise(60, 60) for _ in range(3)]
    data = bytearray(
        saved(frames[0], "TIFF", save_all=True, append_images=frames[1:], compression="tiff_lzw")
    )
    row = look(bytes(data[: int(len(data) * 0.9)]))
    assert row["state"] == "ready", row["reason"]
    assert row["action"] == "repaired"
    assert 1 <= row["pages"] < 3
    clean = look(intake.prepare(bytes(data[: int(len(data) * 0.9)]), "repaired"))
    assert (clean["pages"], clean["problem"]) == (row["pages"], None)


def test_garbage_after_a_signature_is_corrupt(look):
    for head in (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"II*\0", b"RIFF\0\0\0\0WEBP"):
        row = look(head + bytes(range(100)))
        assert (row["state"], row["problem"]) == ("quarantined", "corrupt"), head


def test_what_cannot_be_mended_is_told_whatever_the_library_raises():
    with pytest.raises(DocumentError) as caught:
        intake.prepare(b"no picture at all", "repaired")
    assert caught.value.code == "corrupt"


def test_an_empty_sheet_is_blank_and_a_written_one_is_not(look):
    paper = Image.new("L", (600, 800), 250)
    assert look(saved(paper, "PNG"))["kind"] == "blank"
    paper.paste(0, (100, 100, 400, 110))
    assert look(saved(paper, "PNG"))["kind"] != "blank"


def test_a_photograph_has_no_paper_in_it(look):
    photo = Image.radial_gradient("L").resize((400, 300)).point(lambda v: 255 - v)
    assert look(saved(photo, "JPEG"))["kind"] == "photo"


def test_a_long_narrow_slip_may_be_a_receipt(look):
    slip = Image.new("L", (300, 900), 250)
    slip.paste(0, (50, 50, 250, 80))
    row = look(saved(slip, "PNG"))
    assert row["kind"] == "receipt"
    assert row["kind_confidence"] < 0.5
