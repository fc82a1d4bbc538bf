"""Pages of PDFs that are pictures: read from the picture itself, and rendered wherever that would not be the page."""

from __future__ import annotations

import io

import numpy as np
import pikepdf
import pypdfium2
import pytest
from PIL import Image

from docdask.intake import assembling
from docdask.intake.limits import Limits
from docdask.service.message import parse
from docdask.service.offline.raster import frames
from docdask.service.offline.recognition import Options, recognise_document
from docdask.service.offline.scans import scanned
from tests.intake.image_making import cases, clear, drawn, saved

IMAGES = {name: (content, mime_type) for name, content, mime_type, _ in cases()}


def wrapped(*images, limits=None):
    """PDF whose pages are these image files."""
    return assembling.join(
        [kind for _, kind in images], *(data for data, _ in images), limits=limits or Limits()
    )[0]


def pictures(content, dpi=150):
    """What is taken out of each page."""
    document = pypdfium2.PdfDocument(content)
    try:
        return [scanned(page, dpi) for page in document]
    finally:
        document.close()


def changed(content, change):
    """The PDF with something done to its first page and the image on it."""
    with pikepdf.open(io.BytesIO(content)) as pdf:
        change(pdf, pdf.pages[0], pdf.pages[0].Resources.XObject.Im0)
        out = io.BytesIO()
        pdf.save(out)
    return out.getvalue()


@pytest.mark.parametrize("name", [name for name in IMAGES if name != "tiny"])
def test_an_image_gives_the_same_pixels_in_a_pdf_as_alone(name):
    content, mime_type = IMAGES[name]
    alone = [picture for _, picture in frames(content, 1, None)]
    for picture, other in zip(pictures(wrapped((content, mime_type))), alone, strict=True):
        assert picture is not None
        assert (picture.width, picture.height) == (other.width, other.height)
        assert (picture.pixels == other.pixels).all()


@pytest.mark.parametrize(
    ("image", "form"),
    [(drawn((3000, 2000)), "JPEG"), (clear().resize((2800, 1900)), "PNG"), (drawn((3000, 2000), "1"), "PNG")],
)
def test_so_do_images_that_are_made_smaller_for_reading(image, form):
    content = saved(image, form)
    (picture,) = pictures(wrapped((content, f"image/{form.lower()}")))
    ((_, alone),) = frames(content, 1, None)
    assert max(alone.pixels.shape) < max(image.size)
    assert (picture.pixels == alone.pixels).all()


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_the_rotation_of_the_page_counts(rotate):
    def turn(pdf, page, image):
        page.Rotate = rotate

    (picture,) = pictures(changed(wrapped(IMAGES["png"]), turn))
    wanted = drawn().rotate(-rotate, expand=True)
    assert (picture.width, picture.height) == wanted.size
    assert (picture.pixels == next(frames(saved(wanted, "PNG"), 1, None))[1].pixels).all()


def _inverted(pdf, page, image):
    image.Decode = pikepdf.Array([1, 0, 1, 0, 1, 0])


def _masked(pdf, page, image):
    mask = np.zeros((400, 600), dtype=np.uint8)
    image.SMask = pdf.make_stream(
        mask.tobytes(), Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Image, Width=600, Height=400,
        ColorSpace=pikepdf.Name.DeviceGray, BitsPerComponent=8,
    )  # fmt: skip


def _written_on(pdf, page, image):
    page.Contents = pdf.make_stream(page.Contents.read_bytes() + b" 1 0 0 rg 10 10 100 80 re f")


def _in_a_corner(pdf, page, image):
    page.Contents = pdf.make_stream(b"q 100 0 0 70 5 5 cm /Im0 Do Q")


def _askew(pdf, page, image):
    page.Contents = pdf.make_stream(b"q 200 30 -20 144 10 0 cm /Im0 Do Q")


def _coarse(pdf, page, image):
    page.MediaBox = pikepdf.Array([0, 0, 600, 400])
    page.Contents = pdf.make_stream(b"q 600 0 0 400 0 0 cm /Im0 Do Q")


def _cropped(pdf, page, image):
    page.CropBox = pikepdf.Array([0, 0, 100, 100])


def _stamped(pdf, page, image):
    page.Annots = pikepdf.Array(
        [
            pikepdf.Dictionary(
                Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Square, Rect=[10, 10, 90, 90], C=[1, 0, 0]
            )
        ]
    )


@pytest.mark.parametrize(
    "change",
    [_masked, _written_on, _in_a_corner, _askew, _coarse, _cropped, _stamped],
    ids=lambda f: f.__name__,
)
def test_a_page_that_is_not_just_its_picture_is_rendered(change):
    assert pictures(changed(wrapped(IMAGES["png"]), change)) == [None]


@pytest.mark.parametrize("name", ["jpeg-turned-1", "jpeg-grey-progressive", "jpeg-cmyk"])
def test_a_jpeg_that_the_page_shows_inverted_is_rendered(name):
    def invert(pdf, page, image):
        count = {"/DeviceGray": 1, "/DeviceRGB": 3, "/DeviceCMYK": 4}[str(image.ColorSpace)]
        image.Decode = pikepdf.Array([0, 1] * count if "/Decode" in image else [1, 0] * count)

    assert pictures(changed(wrapped(IMAGES[name]), invert)) == [None]


def test_an_inverted_picture_that_is_no_jpeg_is_read_as_the_page_shows_it():
    (picture,) = pictures(changed(wrapped(IMAGES["png"]), _inverted))
    ((_, alone),) = frames(IMAGES["png"][0], 1, None)
    # It is enlarged for reading, in both directions, which rounds the one up and the other down.
    assert np.abs(picture.pixels.astype(int) - (255 - alone.pixels.astype(int))).max() <= 2


def test_a_picture_that_can_not_be_decoded_is_rendered():
    def cut_short(pdf, page, image):
        image.write(image.read_raw_bytes()[:300], filter=pikepdf.Name.DCTDecode)

    assert pictures(changed(wrapped(IMAGES["jpeg-turned-1"]), cut_short)) == [None]


def test_the_page_keeps_its_size_in_points_and_boxes_are_those_of_the_image():
    content, mime_type = IMAGES["png"]
    options = Options().as_dict()
    alone = parse(recognise_document(content, mime_type, 1, None, None, options)[0])
    page = parse(
        recognise_document(wrapped((content, mime_type)), "application/pdf", 1, None, None, options)[0]
    )
    size = page.pages[0].dimension
    assert (size.width, size.height, size.unit) == (216, 144, "points")
    assert page.text == alone.text
    assert len(page.text) > 40
    assert page.pages[0].tokens == alone.pages[0].tokens


def test_a_page_on_its_side_keeps_its_size_turned():
    content = saved(drawn().transpose(Image.Transpose.ROTATE_90), "PNG")
    page = parse(
        recognise_document(
            wrapped((content, "image/png")), "application/pdf", 1, None, None, Options().as_dict()
        )[0]
    )
    assert "4711" in page.text
    assert (page.pages[0].dimension.width, page.pages[0].dimension.height) == (216, 144)
