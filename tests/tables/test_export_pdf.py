"""Searchable PDF: looks as before, and its text can be found where it stands, on whatever page in whatever script."""

from __future__ import annotations

import io
import shutil
import subprocess

import export_helpers as helpers
import numpy as np
import pikepdf
import pypdfium2 as pdfium
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from docdask.errors import DocumentError
from docdask.specimens import raster
from docdask.tables.export import layout, searchable_pdf, text_layer


@pytest.fixture(scope="module")
def invoice():
    return helpers.invoice_message()


@pytest.fixture(scope="module")
def picture(invoice):
    return raster.render(invoice[0].data, 100)[0]


def searchable(original, message, *, mime_type="application/pdf", turn=0, source="ocr") -> bytes:
    facts = {page.page_number: (source, turn) for page in message.pages}
    return text_layer.add(original, mime_type, searchable_pdf.layers_of(message, facts))


def drawn(data: bytes, page: int = 0, scale: float = 1.0) -> np.ndarray:
    with pdfium.PdfDocument(data) as pdf:
        return np.asarray(pdf[page].render(scale=scale).to_pil().convert("RGB"), dtype=np.int16)


def text_of(data: bytes) -> str:
    with pdfium.PdfDocument(data) as pdf:
        return "\n".join(page.get_textpage().get_text_range() for page in pdf)


def rectangle(data: bytes, text: str) -> tuple[float, float, float, float]:
    """Where a reader highlights ``text`` on the first page: left, top, right, bottom of the page as shown, 0-1."""
    with pdfium.PdfDocument(data) as pdf:
        page = pdf[0]
        text_page = page.get_textpage()
        hit = text_page.search(text, match_case=True).get_next()
        assert hit is not None, text
        boxes = [text_page.get_charbox(i) for i in range(hit[0], hit[0] + hit[1])]
        x0, y0, x1, y1 = helpers.around(boxes)
        # Character boxes are in the page's own space: bring them to the page as it is shown.
        left, bottom, right, top = page.get_cropbox()
        spot = [(x, y) for x in (x0, x1) for y in (y0, y1)]
        normal = [((x - left) / (right - left), (top - y) / (top - bottom)) for x, y in spot]
        turn = page.get_rotation()
        shown = [{0: (x, y), 90: (1 - y, x), 180: (1 - x, 1 - y), 270: (y, 1 - x)}[turn] for x, y in normal]
        xs, ys = zip(*shown, strict=True)
        return min(xs), min(ys), max(xs), max(ys)


def expected(message, text: str) -> tuple[float, float, float, float]:
    return helpers.locate(message, text)[2]


def turned_box(box, clockwise_degrees: int):
    """Box on a page that was turned clockwise."""
    x0, y0, x1, y1 = box
    spot = [(x, y) for x in (x0, x1) for y in (y0, y1)]
    new = [
        {0: (x, y), 90: (1 - y, x), 180: (1 - x, 1 - y), 270: (y, 1 - x)}[clockwise_degrees % 360]
        for x, y in spot
    ]
    xs, ys = zip(*new, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


WORDS = ("INV-2025-61328", "Holmgarth", "Description", "18,571.34")


def test_a_scan_becomes_searchable_and_looks_the_same(invoice, picture):
    scan = raster.image_pdf([picture], dpi=100, quality=70)
    assert not text_of(scan).strip()
    data = searchable(scan, invoice[1])
    assert text_of(data).split() == invoice[1].text.split()
    assert np.array_equal(drawn(data), drawn(scan))
    for word in WORDS:
        assert rectangle(data, word) == pytest.approx(expected(invoice[1], word), abs=0.004)


def test_words_of_a_line_are_set_apart(invoice, picture):
    data = searchable(raster.image_pdf([picture], dpi=100, quality=70), invoice[1])
    assert "Please pay within 30 days of the invoice date" in text_of(data)


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_pages_that_lie_otherwise_get_their_text_along_the_print(invoice, picture, turn):
    """The engine turned the page clockwise by ``turn``: in the original the text runs the other way."""
    how = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}[
        turn
    ]
    scan = raster.image_pdf([picture.transpose(how)], dpi=100, quality=70)
    data = searchable(scan, invoice[1], turn=turn)
    assert np.array_equal(drawn(data), drawn(scan))
    for word in WORDS:
        box = turned_box(expected(invoice[1], word), -turn)
        assert rectangle(data, word) == pytest.approx(box, abs=0.004)


@pytest.mark.parametrize("rotate", [90, 180, 270])
def test_rotate_of_the_page_is_taken_into_account(invoice, picture, rotate):
    """The picture lies on its side in the file and ``/Rotate`` stands it up again."""
    how = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}[
        rotate
    ]
    with pikepdf.open(io.BytesIO(raster.image_pdf([picture.transpose(how)], dpi=100, quality=70))) as pdf:
        pdf.pages[0].obj["/Rotate"] = rotate
        out = io.BytesIO()
        pdf.save(out)
    data = searchable(out.getvalue(), invoice[1])
    for word in WORDS:
        assert rectangle(data, word) == pytest.approx(expected(invoice[1], word), abs=0.004)


def test_crop_box_and_inherited_attributes_are_taken_into_account(invoice, picture):
    with pikepdf.open(io.BytesIO(raster.image_pdf([picture], dpi=100, quality=70))) as pdf:
        page = pdf.pages[0].obj
        x0, y0, x1, y1 = (float(number) for number in page["/MediaBox"])
        parent = page["/Parent"]
        parent["/CropBox"] = [x0, y0, x1, y1]
        parent["/Resources"] = page["/Resources"]
        parent["/MediaBox"] = [x0 - 50, y0 - 70, x1 + 30, y1 + 20]
        del page["/Resources"], page["/MediaBox"]
        if "/CropBox" in page:
            del page["/CropBox"]
        out = io.BytesIO()
        pdf.save(out)
    data = searchable(out.getvalue(), invoice[1])
    assert np.array_equal(drawn(data), drawn(out.getvalue()))
    for word in WORDS:
        assert rectangle(data, word) == pytest.approx(expected(invoice[1], word), abs=0.004)


def test_content_that_leaves_its_state_behind_moves_nothing(invoice):
    """The page's own content scales without restoring; the text layer does not care."""
    with pikepdf.new() as pdf:
        page = pdf.add_blank_page(page_size=(595.28, 841.89))
        page.contents_add(pdf.make_stream(b"q q 0.01 0 0 0.01 300 300 cm"))
        out = io.BytesIO()
        pdf.save(out)
    data = searchable(out.getvalue(), invoice[1])
    assert rectangle(data, "Holmgarth") == pytest.approx(expected(invoice[1], "Holmgarth"), abs=0.004)


def test_pages_with_a_text_layer_are_left_alone(invoice):
    data = searchable(invoice[0].data, invoice[1], source="text-layer")
    assert text_of(data) == text_of(invoice[0].data)
    with pikepdf.open(io.BytesIO(data)) as pdf:
        assert "/Docdask0" not in pdf.pages[0].obj["/Resources"]["/Font"]


def one_line(words: list[tuple[str, layout.Quad, bool]]) -> bytes:
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=(600, 800))
        out = io.BytesIO()
        pdf.save(out)
    return text_layer.add(out.getvalue(), "application/pdf", {1: (0, words)})


def row(texts: list[str]) -> list[tuple[str, layout.Quad, bool]]:
    step = 0.8 / len(texts)
    lefts = [0.1 + i * step for i in range(len(texts))]
    return [
        (t, ((x, 0.1), (x + step * 0.9, 0.1), (x + step * 0.9, 0.13), (x, 0.13)), True)
        for t, x in zip(texts, lefts, strict=True)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Ελληνικά κείμενο",
        "українська мова",
        "日本語 テキスト",
        "한국어 문서",
        "ไทย ภาษา",
        "हिन्दी पाठ",
        "½ € № 😀𝔸",
    ],
    ids=["greek", "ukrainian", "japanese", "korean", "thai", "hindi", "beyond-the-basic-plane"],
)
def test_any_script_comes_back(text):
    assert "".join(text_of(one_line(row(text.split()))).split()) == "".join(text.split())


@pytest.mark.parametrize("word", ["שלום", "مرحبا"], ids=["hebrew", "arabic"])
def test_words_from_right_to_left_come_back_in_reading_order(word):
    data = one_line(row([word]))
    assert word in text_of(data)
    assert rectangle(data, word) == pytest.approx((0.1, 0.1, 0.82, 0.13), abs=0.004)


@pytest.mark.skipif(not shutil.which("pdftotext"), reason="poppler's pdftotext is not installed")
@pytest.mark.parametrize("text", ["Ελληνικά", "日本語", "😀𝔸", "שלום"])
def test_other_readers_get_the_same_text(text, tmp_path):
    (tmp_path / "x.pdf").write_bytes(one_line(row([text])))
    run = subprocess.run(["pdftotext", tmp_path / "x.pdf", "-"], capture_output=True, check=True)
    marks = "\u202a\u202b\u202c\u200e\u200f\x0c \n"  # poppler says which way the text runs
    assert run.stdout.decode().strip(marks) == text


def test_skewed_words_are_set_along_their_own_baseline():
    tilted = ((0.10, 0.12), (0.50, 0.10), (0.503, 0.13), (0.103, 0.15))
    data = one_line([("Skewed", tilted, False)])
    with pdfium.PdfDocument(data) as pdf:
        page = pdf[0].get_textpage()
        first, last = page.get_charbox(0), page.get_charbox(5)
    assert last[1] - first[1] == pytest.approx((0.15 - 0.13) * 800 * 5 / 6, abs=2.5)


corner = st.floats(0, 1, width=32)


@given(
    st.text(min_size=1, max_size=8).filter(str.strip),
    st.tuples(*[st.tuples(corner, corner)] * 4),
    st.booleans(),
)
def test_no_word_and_no_box_breaks_the_file(text, quad, space):
    data = one_line([(text.encode("utf-8", "replace").decode(), quad, space)])
    with pikepdf.open(io.BytesIO(data)) as pdf:
        shown = [str(operator) for _, operator in pikepdf.parse_content_stream(pdf.pages[0])]
        assert shown == ["q", "BT", "Tr", "Tf", "Tm", "Tj", "ET", "Q"]
        assert not pdf.check_pdf_syntax()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_jpeg_originals_keep_their_bytes_and_stand_upright(picture, orientation):
    jpeg = raster.jpeg(
        picture.resize((210, 297)).crop((0, 0, 200, 150)), quality=90, dpi=72, orientation=orientation
    )
    data = text_layer.add(jpeg, "image/jpeg", {})
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(jpeg))).convert("RGB")
    shown = drawn(data)
    assert shown.shape[1::-1] == upright.size
    assert np.abs(shown - np.asarray(upright, np.int16)).mean() < 3
    with pikepdf.open(io.BytesIO(data)) as pdf:
        image = pdf.pages[0].obj["/Resources"]["/XObject"]["/Image"]
        assert image.read_raw_bytes() == jpeg


MODES = {
    "PNG": ["1", "L", "RGB", "P", "RGBA", "LA", "I;16"],
    "TIFF": ["1", "L", "RGB", "P", "RGBA", "LA", "CMYK", "I;16"],
    "BMP": ["1", "L", "RGB", "P", "RGBA"],
    "GIF": ["1", "L", "RGB", "P", "RGBA", "LA"],
    "WEBP": ["1", "L", "RGB", "P", "RGBA", "LA"],
}


@pytest.mark.parametrize(("kind", "mode"), [(kind, mode) for kind, modes in MODES.items() for mode in modes])
def test_other_images_become_pages_without_loss(mode, kind):
    gradient = Image.linear_gradient("L").resize((61, 40))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(gradient).astype(np.uint16) * 257)
    else:
        image = gradient.convert(mode)
    out = io.BytesIO()
    image.save(out, kind, **({"lossless": True} if kind == "WEBP" else {}))
    data = text_layer.add(out.getvalue(), Image.MIME[kind], {})
    reread = Image.open(io.BytesIO(out.getvalue()))
    with pikepdf.open(io.BytesIO(data)) as pdf:
        stored = pdf.pages[0].obj["/Resources"]["/XObject"]["/Image"]
        assert (int(stored["/Width"]), int(stored["/Height"])) == reread.size
        pixels = np.asarray(pikepdf.PdfImage(stored).as_pil_image().convert("L"), np.int16)
    if mode != "I;16":
        plain = reread.convert("RGBA") if mode in {"RGBA", "LA"} else reread
        if plain.mode == "RGBA":
            plain = Image.alpha_composite(Image.new("RGBA", plain.size, "white"), plain)
        assert np.abs(pixels - np.asarray(plain.convert("RGB").convert("L"), np.int16)).max() <= 1
    else:
        assert np.ptp(pixels) > 200


def test_each_frame_of_a_tiff_is_a_page():
    fax = helpers.sample("fax-3-pages")
    data = text_layer.add(fax.data, fax.mime_type, {})
    with pikepdf.open(io.BytesIO(data)) as pdf:
        assert len(pdf.pages) == 3
        assert [round(float(n)) for n in pdf.pages[2].mediabox][2:] == [595, 842]


def test_what_can_not_be_opened_is_a_document_error():
    for mime_type in ("application/pdf", "image/png"):
        with pytest.raises(DocumentError, match="can't be opened"):
            text_layer.add(b"not a file", mime_type, {})


def test_same_input_gives_the_same_bytes(invoice, picture):
    scan = raster.image_pdf([picture], dpi=100, quality=70)
    assert searchable(scan, invoice[1]) == searchable(scan, invoice[1])
