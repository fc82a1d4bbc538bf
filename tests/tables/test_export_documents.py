"""Documents in other forms: hOCR that parses, JSON that Google's toolbox opens, names that every system takes."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import export_helpers as helpers
import pypdfium2 as pdfium
import pytest
from hypothesis import given
from hypothesis import strategies as st

from docdask.errors import DocumentError, SourceError
from docdask.tables.export import export, hocr, writing

XHTML = "{http://www.w3.org/1999/xhtml}"


@pytest.fixture(scope="module")
def invoice():
    return helpers.invoice_message()


@pytest.fixture
def result(invoice):
    result = helpers.FakeResult()
    result.add("invoice.pdf", invoice[0].data, invoice[1], source="text-layer")
    return result


# hOCR


def parse(message, name="x.pdf") -> ET.Element:
    return ET.fromstring("".join(hocr.hocr(message, name)))


def of_class(root: ET.Element, name: str) -> list[ET.Element]:
    return [element for element in root.iter() if element.get("class") == name]


def box(element: ET.Element) -> tuple[int, ...]:
    return tuple(map(int, re.search(r"bbox (\d+) (\d+) (\d+) (\d+)", element.get("title")).groups()))


def test_hocr_nests_pages_areas_paragraphs_lines_and_words(invoice):
    root = parse(invoice[1])
    (page,) = of_class(root, "ocr_page")
    assert box(page) == (0, 0, 2480, 3508)
    assert "scan_res 300 300" in page.get("title")
    assert page.get("lang") == "en"
    words = [
        word
        for area in of_class(page, "ocr_carea")
        for paragraph in of_class(area, "ocr_par")
        for line in of_class(paragraph, "ocr_line")
        for word in of_class(line, "ocrx_word")
    ]
    assert [word.text for word in words] == invoice[1].text.split()
    assert "x_wconf 93" in words[0].get("title")


def test_hocr_boxes_lie_within_those_around_them(invoice):
    root = parse(invoice[1])
    for line in of_class(root, "ocr_line"):
        x0, y0, x1, y1 = box(line)
        for word in of_class(line, "ocrx_word"):
            a0, b0, a1, b1 = box(word)
            assert x0 <= a0 < a1 <= x1
            assert y0 <= b0 < b1 <= y1


def test_hocr_ids_are_unique(invoice):
    ids = [element.get("id") for element in parse(invoice[1]).iter() if element.get("id")]
    assert len(ids) == len(set(ids)) > 200


def test_hocr_of_several_pages_numbers_them():
    message = helpers.read_pdf(helpers.sample("stock-tables").data)
    pages = of_class(parse(message), "ocr_page")
    assert [re.search(r"ppageno (\d)", page.get("title"))[1] for page in pages] == ["0", "1"]
    assert len(of_class(pages[1], "ocrx_word")) == len(message.pages[1].tokens)


def test_hocr_works_with_words_alone_and_with_lines_alone(invoice):
    words = helpers.Message()
    words.CopyFrom(invoice[1])
    for name in ("blocks", "paragraphs", "lines"):
        del getattr(words.pages[0], name)[:]
    assert len(of_class(parse(words), "ocrx_word")) == len(invoice[1].pages[0].tokens)
    lines = helpers.Message()
    lines.CopyFrom(invoice[1])
    del lines.pages[0].tokens[:]
    assert "".join(parse(lines).itertext()).split()[-40:] == invoice[1].text.split()[-40:]


@given(st.text(max_size=40), st.text(max_size=20))
def test_hocr_is_well_formed_whatever_the_text_and_the_name(text, name):
    text = text.encode("utf-8", "replace").decode()
    name = name.encode("utf-8", "replace").decode()
    message = helpers.Message(text=text)
    page = message.pages.add(page_number=1)
    helpers.place(page.tokens.add().layout, 0, len(text), (0.1, 0.1, 0.2, 0.2))
    assert parse(message, name).tag == f"{XHTML}html"


# Document AI JSON


def test_googles_toolbox_opens_what_is_exported(result, invoice, tmp_path):
    from google.cloud.documentai_toolbox import document as toolbox

    (path,) = export(result, ["documentai"], tmp_path)
    opened = toolbox.Document.from_document_path(str(path))
    assert opened.text == invoice[1].text
    (page,) = opened.pages
    assert [line.text for line in page.lines] == invoice[1].text.splitlines(keepends=True)
    assert len(page.tokens) == len(invoice[1].pages[0].tokens)
    (table,) = page.tables
    rows = invoice[0].tables[0]["rows"]
    assert [[cell.strip() for cell in row] for row in (*table.header_rows, *table.body_rows)] == rows
    assert table.to_dataframe().shape == (len(rows) - 1, 4)
    assert page.form_fields[0].field_name == "Invoice number:"
    assert page.form_fields[0].field_value == invoice[0].fields["invoice_id"]
    entities = {entity.type_: entity for entity in opened.entities}
    assert entities["invoice_id"].mention_text == invoice[0].fields["invoice_id"]
    assert entities["total_amount"].normalized_text.endswith("EUR")


def test_json_is_camel_case_with_64_bit_numbers_as_strings(result, tmp_path):
    import json

    (path,) = export(result, ["documentai"], tmp_path)
    page = json.loads(path.read_text("utf-8"))["pages"][0]
    assert page["pageNumber"] == 1
    segment = page["lines"][1]["layout"]["textAnchor"]["textSegments"][0]
    assert isinstance(segment["endIndex"], str)
    assert page["layout"]["orientation"] == "PAGE_UP"
    assert len(page["lines"][0]["layout"]["boundingPoly"]["normalizedVertices"]) == 4


# All forms


def test_the_searchable_pdf_of_a_run_is_made_in_the_sandbox_and_read_back(invoice, tmp_path):
    from docdask.specimens import raster

    result = helpers.FakeResult()
    picture = raster.render(invoice[0].data, 80)[0]
    result.add("scan.png", raster.png(picture), invoice[1], mime_type="image/png")
    turned = raster.image_pdf([raster.turned(picture, clockwise=False)], dpi=80, quality=60)
    result.add("turned.pdf", turned, invoice[1], orientation_degrees=90)
    for path in export(result, ["pdf"], tmp_path):
        with pdfium.PdfDocument(path) as pdf:
            assert "Please pay within 30 days" in pdf[0].get_textpage().get_text_range()


@pytest.mark.parametrize("name", ["pdf", "hocr", "documentai"])
def test_duplicates_get_files_of_their_own_and_what_was_set_aside_gets_none(result, invoice, tmp_path, name):
    original = result.rows["documents"][0]["document_id"]
    copy = result.add("invoice.copy.pdf", invoice[0].data, None, duplicate_of=original)
    result.add("bad.pdf", b"", None, outcome="quarantined")
    paths = export(result, [name], tmp_path)
    assert len(paths) == 2
    assert any(copy in path.name and path.name.startswith("invoice.copy-") for path in paths)


def test_one_bad_document_is_told_about_and_passed_over(result, invoice, tmp_path):
    result.add("broken.pdf", b"not a pdf", invoice[1])
    gone = result.add("gone.pdf", b"", invoice[1])
    lost = result.add("lost.pdf", b"", None)

    def source_bytes(identity, known=result.originals):
        if identity == gone:
            raise SourceError("it is not there any more", "put it back")
        return known[identity]

    def document(identity, known=result.messages):
        if identity == lost:
            raise DocumentError("bad-result", "its result can't be read", "run it again")
        return known[identity]

    result.source_bytes, result.document = source_bytes, document
    told: list[str] = []
    (path,) = export(result, ["pdf"], tmp_path, tell=told.append)
    assert path.name.startswith("invoice-")
    assert [line.split(" ", maxsplit=1)[0] for line in told] == ["broken.pdf", "gone.pdf", "lost.pdf"]
    assert "run it again" in told[2]
    assert len(helpers.files_in(tmp_path)) == 1


def test_an_unreadable_container_does_not_hide_the_documents_after_it(result, tmp_path):
    def documents_iter():
        raise DocumentError("bad-result", "the container is cut short")
        yield

    result.documents_iter = documents_iter
    assert len(export(result, ["hocr"], tmp_path)) == 1


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("invoice.pdf", "invoice"),
        ("../../etc/passwd", "etc_passwd"),
        ("a b:c*?.PDF", "a_b_c"),
        ("Größe 日本.tif", "Größe_日本"),
        (".hidden", "hidden"),
        ("", "document"),
        ("...", "document"),
        ("version 1.2 final", "version_1.2_final"),
        ("x" * 400 + ".pdf", "x" * 120),
    ],
)
def test_names_are_safe_and_readable(name, stem):
    stored = writing.Stored("0123456789abcdef", "0123456789abcdef", name, "application/pdf", "")
    assert writing.safe_name(stored, ".json") == f"{stem}-0123456789abcdef.json"


@given(st.text(max_size=300), st.text(max_size=300))
def test_names_are_unique_and_allowed_everywhere(one, two):
    names = [
        writing.safe_name(writing.Stored(f"{n:016x}", "", name, "", ""), ".pdf")
        for n, name in enumerate((one, two))
    ]
    assert names[0].casefold() != names[1].casefold()
    for name in names:
        assert len(name.encode()) < 255
        assert not re.search(r'[/\\:*?"<>|\x00-\x1f]', name)
        assert not name.startswith(".")


def test_a_name_appears_only_when_its_file_is_whole(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("old")

    def fails():
        with writing.whole(path) as part:
            part.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert path.read_text() == "old"
    assert helpers.files_in(tmp_path) == ["x.txt"]
