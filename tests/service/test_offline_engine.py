"""The offline engine on real bytes: messages of the right shape, upright pages, errors that people understand."""

from __future__ import annotations

import itertools

import pytest
from offline_making import INVOICE, encoded, pdf, picture

from docdask.errors import DocumentError, UsageError
from docdask.model import PageRange
from docdask.service import base, message
from docdask.service.offline import OfflineEngine


@pytest.fixture(scope="module")
def engine():
    engine = OfflineEngine()
    yield engine
    engine.close()


def recognised(engine, content, mime_type="application/pdf", pages=None, password=None):
    request = base.Request("unit", "file", content, mime_type, pages, password)
    data, notes = engine.recognise_with_notes(request)
    return message.parse(data), notes


def check_shape(document):
    """What readers of Document AI's answers rely on."""
    text = document.text
    for page in document.pages:
        assert page.page_number >= 1
        assert page.dimension.width > 0
        assert page.dimension.unit in ("points", "pixels")
        for item in itertools.chain(
            page.blocks, page.paragraphs, page.lines, page.tokens, [page], page.tables
        ):
            vertices = item.layout.bounding_poly.normalized_vertices
            assert len(vertices) == 4
            assert vertices[0].x <= vertices[2].x
            assert vertices[0].y <= vertices[2].y
            assert all(0 <= vertex.x <= 1 and 0 <= vertex.y <= 1 for vertex in vertices)
            assert 0 <= item.layout.confidence <= 1
            assert item.layout.orientation in (1, 2, 3, 4)
            for start, end in message.segments(item.layout.text_anchor):
                assert 0 <= start <= end <= len(text)
                assert start < end or item is page, "only a blank page has an empty anchor"
        for lines in (page.blocks, page.paragraphs, page.lines):
            assert "".join(message.layout_text(document, item.layout) for item in lines) == message.page_text(
                document, page
            )
        for token in page.tokens:
            own = message.layout_text(document, token.layout)
            assert own.strip()
            assert (own[-1] in " \n") == (token.detected_break.type_ == 1)
        for table in page.tables:
            assert table.header_rows
            assert table.body_rows
    assert "".join(message.page_text(document, page) for page in document.pages) == text
    for entity in document.entities:
        (segment,) = entity.text_anchor.text_segments
        assert (
            text[segment.start_index : segment.end_index].split() == entity.mention_text.split()
            or entity.properties
        )
        assert 0 <= entity.page_anchor.page_refs[0].page < len(document.pages)


def test_a_digital_pdf_is_read_from_its_text_layer(engine):
    document, notes = recognised(engine, pdf(INVOICE, ("Second page.",)))
    check_shape(document)
    assert notes["sources"] == {"1": "text-layer", "2": "text-layer"}
    assert document.text.splitlines() == [*INVOICE, "Second page."]
    assert document.pages[0].detected_languages[0].language_code == "en"
    found = {entity.type_: entity for entity in document.entities}
    assert found["invoice_id"].mention_text == "INV-2024-0042"
    assert found["total_amount"].normalized_value.money_value.units == 119
    date = found["invoice_date"].normalized_value.date_value
    assert (date.year, date.month, date.day) == (2024, 5, 31)
    fields = {
        f.field_name.text_anchor.content: f.field_value.text_anchor.content
        for f in document.pages[0].form_fields
    }
    assert fields["Bill to:"] == "Jane Doe"


def test_a_page_range_keeps_the_documents_own_numbers(engine):
    document, notes = recognised(
        engine, pdf(*[(f"This is page {n}.",) for n in range(1, 6)]), pages=PageRange(3, 4)
    )
    check_shape(document)
    assert [page.page_number for page in document.pages] == [3, 4]
    assert document.text == "This is page 3.\nThis is page 4.\n"
    assert list(notes["sources"]) == ["3", "4"]


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_a_picture_is_read_upright_however_it_was_scanned(engine, turn):
    document, notes = recognised(engine, encoded(picture(INVOICE, turn)), "image/png")
    check_shape(document)
    assert notes["sources"] == {"1": "ocr"}
    assert notes.get("turns", {}).get("1", 0) == 90 * (-turn % 4)
    assert "INV-2024-0042" in document.text
    page = document.pages[0]
    assert (page.dimension.width, page.dimension.height) == (1000, 120 + 60 * len(INVOICE))
    first = page.lines[0].layout
    assert message.layout_text(document, first).startswith("Example")
    assert first.bounding_poly.normalized_vertices[0].y < 0.2, "the first line is at the top"


def test_the_exif_orientation_is_applied(engine):
    image = picture(("A line of text",))
    exif = image.getexif()
    exif[0x0112] = 6
    turned = image.rotate(90, expand=True)
    document, notes = recognised(engine, encoded(turned, "JPEG", exif=exif.tobytes()), "image/jpeg")
    assert document.text.strip() == "A line of text"
    assert "turns" not in notes, "as stored and as tagged it is upright"
    assert document.pages[0].dimension.width == 1000


def test_every_page_of_a_tiff_is_read(engine):
    pages = [picture((f"Sheet number {name}",)) for name in ("one", "two", "three")]
    content = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    document, _ = recognised(engine, content, "image/tiff", pages=PageRange(2, 3))
    check_shape(document)
    assert document.text == "Sheet number two\nSheet number three\n"
    assert [page.page_number for page in document.pages] == [2, 3]


def test_a_blank_page_has_no_text_and_is_no_error(engine):
    document, _ = recognised(engine, pdf(()))
    check_shape(document)
    assert document.text == ""
    assert len(document.pages) == 1


def test_a_password_opens_and_its_lack_is_told(engine):
    locked = pdf(("Secret text",), encrypt="abc")
    document, _ = recognised(engine, locked, password="abc")
    assert document.text == "Secret text\n"
    with pytest.raises(DocumentError) as caught:
        recognised(engine, locked)
    assert caught.value.code == "encrypted"
    assert "--password" in caught.value.remedy


@pytest.mark.parametrize(
    ("content", "mime_type", "code"),
    [
        (b"%PDF-1.4 nothing", "application/pdf", "corrupt"),
        (b"", "application/pdf", "corrupt"),
        (b"no image", "image/png", "corrupt-image"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "image/png", "corrupt-image"),
    ],
)
def test_what_cannot_be_read_is_told_with_a_code(engine, content, mime_type, code):
    with pytest.raises(DocumentError) as caught:
        recognised(engine, content, mime_type)
    assert caught.value.code == code
    assert caught.value.remedy


def test_a_range_beyond_the_end_is_told(engine):
    with pytest.raises(DocumentError) as caught:
        recognised(engine, pdf(("One page",)), pages=PageRange(2, 3))
    assert caught.value.code == "empty-range"


def test_ocr_never_takes_what_the_text_layer_has():
    engine = OfflineEngine(ocr="never")
    document, notes = recognised(engine, pdf(()))
    assert notes["sources"] == {"1": "text-layer"}
    assert document.text == ""


@pytest.mark.parametrize(
    "options", [{"dpi": 10}, {"ocr": "sometimes"}, {"min_text_quality": 2}, {"languages": "en"}]
)
def test_options_that_cannot_be_right_are_refused(options):
    with pytest.raises(UsageError):
        OfflineEngine(**options)


def test_the_engine_is_found_by_its_name_and_fits_the_protocols():
    engine = base.load("offline", {"dpi": 150, "languages": ["en", "de"]})
    assert isinstance(engine, base.Engine)
    assert isinstance(engine, base.Noting)
    assert base.engine_id(engine).startswith("offline/")


def test_calibration_measures_both_kinds_of_page(engine):
    measured = engine.calibrate()
    assert measured["ocr_page_s"] > measured["text_page_s"] > 0


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("path", "mime_type", "says"),
    [
        ("images/phototest-rotated-180.png", "image/png", "quick brown dog"),
        ("images/phototest-rotated-L.png", "image/png", "quick brown dog"),
        ("images/g4_orientation_8.tif", "image/tiff", ""),
        ("images/hopper_orientation_6.jpg", "image/jpeg", ""),
        ("pdf-digital/PDFBOX-2984-rotations.pdf", "application/pdf", "270° text matrix"),
        ("pdf-scanned/vector.pdf", "application/pdf", ""),
        ("pdf-scanned/blank_book_pg1.pdf", "application/pdf", ""),
        ("tables/twotables.pdf", "application/pdf", "利益剰余金"),
        ("forms-invoices/coolblue1.pdf", "application/pdf", "993548900"),
    ],
)
def test_documents_of_the_corpus_have_the_right_shape(engine, corpus, path, mime_type, says):
    document, _ = recognised(engine, (corpus / path).read_bytes(), mime_type)
    check_shape(document)
    assert says in document.text


@pytest.mark.corpus
def test_the_invoice_that_google_read_has_the_same_fields(engine, corpus):
    document, _ = recognised(engine, (corpus / "documentai-json/toolbox_invoice_test.pdf").read_bytes())
    found = {entity.type_: entity.mention_text for entity in document.entities}
    assert found["total_amount"] == "$2140.00"
    assert found["net_amount"] == "$2000.00"
    assert found["total_tax_amount"] == "$140.00"
    assert found["supplier_name"] == "Company ABC"
    assert found["receiver_name"] == "John Doe"
    assert sum(entity.type_ == "line_item" for entity in document.entities) == 3
    table = document.pages[0].tables[0]
    assert [message.layout_text(document, cell.layout).strip() for cell in table.header_rows[0].cells] == [
        "Item Description", "Quantity", "Price", "Amount",
    ]  # fmt: skip
