"""What is read for real: page images, OCR options, office files; with the offline engine behind the emulator."""

from __future__ import annotations

import io
import zipfile

import pytest
from emulator_requests import pdf, png, request
from google.cloud import documentai_v1 as documentai
from google.protobuf import field_mask_pb2

from docdask.core.limits import OFFICE_TYPES
from docdask.service.emulator import EmulatorConfig, fast, inspecting, office
from docdask.service.emulator.documents import Document, join
from docdask.service.emulator.wire import varint
from docdask.testing import running_emulator


@pytest.fixture(scope="module")
def reader():
    with running_emulator(EmulatorConfig(ocr="offline")) as emulator:
        yield emulator.documentai_client()


def read(client, content, mime_type="application/pdf", **more):
    return client.process_document(request=request(content, mime_type, **more), timeout=120).document


def test_a_page_has_its_image_unless_masked_or_imageless(reader):
    page = read(reader, pdf()).pages[0]
    assert page.image.content.startswith(b"\x89PNG")
    assert (
        (page.image.width, page.image.height) == (page.dimension.width, page.dimension.height) == (1700, 2200)
    )
    assert not read(reader, pdf(), imageless_mode=True).pages[0].image.content
    for paths in (["text"], ["pages.layout"]):
        masked = read(reader, pdf(), field_mask=field_mask_pb2.FieldMask(paths=paths))
        assert not any(page.image.content for page in masked.pages)
    only = read(reader, pdf(), field_mask=field_mask_pb2.FieldMask(paths=["pages.image"]))
    assert only.pages[0].image.content
    assert not only.text


def test_pages_apart_are_joined_with_their_anchors_re_based(reader):
    selector = documentai.ProcessOptions.IndividualPageSelector(pages=[1, 4])
    document = read(
        reader, pdf(5), process_options=documentai.ProcessOptions(individual_page_selector=selector)
    )
    assert [page.page_number for page in document.pages] == [1, 4]
    for page in document.pages:
        segment = page.lines[0].layout.text_anchor.text_segments[0]
        assert document.text[segment.start_index : segment.end_index].strip() == f"Page {page.page_number}"


@pytest.mark.slow
def test_without_native_parsing_the_text_layer_is_not_used(reader):
    config = documentai.OcrConfig(hints={"language_hints": ["en-GB"]})
    document = read(reader, pdf(text="Harbour"), process_options=documentai.ProcessOptions(ocr_config=config))
    native = documentai.ProcessOptions(ocr_config={"enable_native_pdf_parsing": True})
    layer = read(reader, pdf(text="Harbour"), process_options=native)
    assert "Harbour" in document.text
    assert "Harbour" in layer.text
    # What is read from pixels is never quite sure; what is read from the text layer is.
    assert min(token.layout.confidence for token in document.pages[0].tokens) < 1.0
    assert min(token.layout.confidence for token in layer.pages[0].tokens) == 1.0


WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
MIME = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
PARTS = {
    "docx": {
        "word/document.xml": (
            f'<w:document xmlns:w="{WORD}"><w:body>'
            '<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>Title</w:t></w:r></w:p>'
            "<w:p><w:r><w:t>Body</w:t></w:r></w:p>"
            "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc></w:tr></w:tbl></w:body></w:document>"
        ),
    },
    "pptx": {
        f"ppt/slides/slide{number}.xml": f'<p xmlns:a="{DRAWING}"><a:p><a:r><a:t>Slide {number}</a:t></a:r></a:p></p>'
        for number in (2, 10, 1)
    },
    "xlsx": {
        "xl/sharedStrings.xml": f'<sst xmlns="{SHEET}"><si><t>name</t></si></sst>',
        "xl/worksheets/sheet1.xml": (
            f'<worksheet xmlns="{SHEET}"><sheetData><row><c t="s"><v>0</v></c><c><v>5</v></c>'
            '<c t="inlineStr"><is><t>x</t></is></c></row></sheetData></worksheet>'
        ),
    },
}


def office_file(kind):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in PARTS[kind].items():
            archive.writestr(name, text)
    return out.getvalue()


def test_office_files_become_layouts(reader):
    document = read(reader, office_file("docx"), MIME["docx"], processor="layout")
    (title,) = document.document_layout.blocks
    assert (title.text_block.type_, title.text_block.text) == ("heading-1", "Title")
    assert [block.text_block.text for block in title.text_block.blocks][:1] == ["Body"]
    table = title.text_block.blocks[1].table_block
    assert table.header_rows[0].cells[0].blocks[0].text_block.text == "a"


def test_pages_of_office_files_follow_the_price_list():
    assert office.page_count(office_file("pptx"), MIME["pptx"]) == 3
    slides = [value for _, _, value in office.read_blocks(office_file("pptx"), MIME["pptx"])]
    assert slides == ["Slide 1", "Slide 2", "Slide 10"]
    assert office.read_blocks(office_file("xlsx"), MIME["xlsx"]) == [(1, "table", [["name", "5", "x"]])]
    assert office.page_count(f"<p>{'x' * 2999}</p><p>y</p>".encode(), "text/html") == 2
    assert set(MIME.values()) < OFFICE_TYPES


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", office_file("xlsx")[:-30]])
def test_an_office_file_that_is_broken_is_told(content):
    assert inspecting.inspect(content, MIME["docx"])[3] == "unsupported"


def test_made_up_documents_are_valid_and_repeatable():
    content = pdf(3)
    made = fast.recognise(content, "application/pdf", None)
    assert made == fast.recognise(content, "application/pdf", None)
    document = Document.FromString(made)
    joined = Document.FromString(join([fast.recognise(content, "application/pdf", [n]) for n in (1, 2, 3)]))
    assert joined == document
    blank = fast.recognise(png(10, 10), "image/png", None)
    assert len(Document.FromString(blank).text.splitlines()) == 8


def test_made_up_text_of_a_page_is_the_same_whatever_it_is_sent_with():
    from docdask.intake.assembling import join as joined
    from docdask.intake.limits import Limits
    from tests.intake.image_making import drawn, saved, turned

    long = pdf(1, "words " * 500)
    parts = [
        (long, "application/pdf"), (turned(6), "image/jpeg"), (saved(drawn((300, 200)), "PNG"), "image/png"),
        (pdf(1), "application/pdf"),
    ]  # fmt: skip
    content, _ = joined([kind for _, kind in parts] * 2, *(data for data, _ in parts * 2), limits=Limits())
    whole = Document.FromString(fast.recognise(content, "application/pdf", None))
    alone = [Document.FromString(fast.recognise(data, kind, None)) for data, kind in parts] * 2
    assert whole.text == "".join(document.text for document in alone)
    assert [page.dimension for page in whole.pages] == [document.pages[0].dimension for document in alone]
    assert len({document.text for document in alone}) == len(parts)


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**40])
def test_varints_read_back(value):
    from google.protobuf.internal.decoder import _DecodeVarint

    assert _DecodeVarint(varint(value), 0) == (value, len(varint(value)))
