"""Pages as pictures, and what was found on them."""

from __future__ import annotations

import io

import export_helpers as helpers
import numpy as np
import pikepdf
import pytest
from PIL import Image

from docdask.errors import DocumentError, UsageError
from docdask.specimens import raster
from docdask.tables import render
from docdask.tables.render import render_page
from docdask.tables.show import WHAT, show


@pytest.fixture(scope="module")
def invoice():
    return helpers.invoice_message()


@pytest.fixture(scope="module")
def picture(invoice):
    return render_page(invoice[0].data, "application/pdf", 1, 60)


def pixels(figure) -> np.ndarray:
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int)


def has_color(image: np.ndarray, color: str) -> bool:
    wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return bool((np.abs(image - wanted).max(axis=-1) < 12).any())


def test_a_pdf_page_has_the_size_its_resolution_says(invoice):
    image = render_page(invoice[0].data, "application/pdf", 1, 144)
    assert image.mode == "RGB"
    assert image.size == pytest.approx((595.28 * 2, 841.89 * 2), abs=1.5)


def test_rotated_pdf_pages_are_shown_as_a_viewer_shows_them(invoice):
    with pikepdf.open(io.BytesIO(invoice[0].data)) as pdf:
        pdf.pages[0].obj["/Rotate"] = 90
        out = io.BytesIO()
        pdf.save(out)
    image = render_page(out.getvalue(), "application/pdf", 1, 60)
    assert image.width > image.height


def test_huge_pages_are_drawn_smaller_and_not_at_the_price_of_memory():
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=(14_400, 14_400))
        out = io.BytesIO()
        pdf.save(out)
    image = render_page(out.getvalue(), "application/pdf", 1, 600)
    assert image.width * image.height <= render.MAX_PIXELS * 1.01


def test_photos_stand_upright_as_their_exif_tag_says():
    photo = helpers.sample("receipt-photo")
    image = render_page(photo.data, photo.mime_type, 1)
    assert image.height > image.width


def test_frames_of_a_tiff_are_pages():
    fax = helpers.sample("fax-3-pages")
    pages = [render_page(fax.data, fax.mime_type, number) for number in (1, 2, 3)]
    assert len({page.tobytes() for page in pages}) == 3


def test_transparency_is_paper_and_deep_samples_are_spread():
    clear = render.flat(Image.new("RGBA", (4, 4), (255, 0, 0, 0)))
    assert clear.getpixel((1, 1)) == (255, 255, 255)
    deep = render.flat(Image.fromarray(np.arange(0, 4096, 64, dtype=np.uint16).reshape(8, 8)))
    assert (deep.mode, deep.getextrema()) == ("L", (0, 255))


@pytest.mark.parametrize(
    ("data", "mime_type", "page", "code"),
    [
        (b"%PDF-1.4 broken", "application/pdf", 1, "corrupt"),
        (b"broken", "image/png", 1, "corrupt"),
        (None, "application/pdf", 9, "no-such-page"),
    ],
)
def test_what_can_not_be_drawn_is_a_document_error(invoice, data, mime_type, page, code):
    with pytest.raises(DocumentError) as caught:
        render_page(invoice[0].data if data is None else data, mime_type, page)
    assert caught.value.code == code


def test_an_encrypted_pdf_is_told(invoice):
    with pikepdf.open(io.BytesIO(invoice[0].data)) as pdf:
        out = io.BytesIO()
        pdf.save(out, encryption=pikepdf.Encryption(owner="o", user="u"))
    with pytest.raises(DocumentError) as caught:
        render_page(out.getvalue(), "application/pdf", 1)
    assert caught.value.code == "encrypted"


@pytest.mark.parametrize("options", [{"page": 0}, {"page": 1, "dpi": 0}])
def test_impossible_requests_are_refused(options):
    with pytest.raises(UsageError):
        render_page(b"", "application/pdf", **options)


def test_everything_that_was_found_is_drawn_in_its_color_and_counted(invoice, picture):
    figure = show(invoice[1], picture, 1)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    page = invoice[1].pages[0]
    cells = sum(len(row) for row in invoice[0].tables[0]["rows"])
    assert labels == [
        f"blocks ({len(page.blocks)})", f"lines ({len(page.lines)})", f"tokens ({len(page.tokens)})",
        f"table cells ({cells})", "form fields (2)", "entities (3)",
    ]  # fmt: skip
    image = pixels(figure)
    for color in ("#56B4E9", "#0072B2", "#D55E00", "#009E73", "#CC79A7"):
        assert has_color(image, color), color


def test_only_what_is_asked_for_is_drawn(invoice, picture):
    image = pixels(show(invoice[1], picture, 1, what=("tables",)))
    assert has_color(image, "#D55E00")
    assert not has_color(image, "#CC79A7")


def test_boxes_lie_on_the_print_also_when_the_page_was_turned(invoice, picture):
    """The original lies on its side; drawing turns it as the engine did."""
    lying = raster.turned(picture, clockwise=False)
    straight = show(invoice[1], picture, 1, what=("lines",))
    turned = show(invoice[1], lying, 1, what=("lines",), turn_degrees=90)
    assert np.array_equal(pixels(straight), pixels(turned))


def test_a_figure_shows_itself_in_a_notebook(invoice, picture):
    assert show(invoice[1], picture, 1)._repr_png_().startswith(b"\x89PNG")


def test_labels_with_dollars_are_no_formulas(picture):
    message = helpers.read_pdf(helpers.sample("invoice-digital").data)
    word = message.text.split()[0]
    helpers.add_entity(message, "$x_{$", word)
    pixels(show(message, picture, 1))


def test_unknown_parts_and_pages_are_refused(invoice, picture):
    with pytest.raises(UsageError, match=", ".join(WHAT)):
        show(invoice[1], picture, 1, what=("words",))
    with pytest.raises(UsageError, match="pages 1 to 1"):
        show(invoice[1], picture, 2)


def test_parts_of_a_line_item_are_marked_once_and_not_named(picture):
    message = helpers.read_pdf(helpers.sample("invoice-digital").data)
    words = message.text.split()
    helpers.add_entity(message, "line_item", words[0])
    for word in words[:2]:
        helpers.add_entity(message, "line_item/amount", word)
        message.entities[0].properties.append(message.entities.pop())
    figure = show(message, picture, 1, what=("entities",))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["entities (2)"]
    assert [text.get_text() for text in figure.axes[0].texts] == []
