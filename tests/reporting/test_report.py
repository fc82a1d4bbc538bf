"""The report tells what is in the tables, as PDF and as HTML, for any number of documents and any text in them."""

from __future__ import annotations

import html as markup
import re
from dataclasses import replace

import pandas as pd
import pikepdf
import pypdfium2
import pytest

from docdask.errors import StorageError, UsageError
from docdask.reporting import ReportData, build, facts
from docdask.reporting.chapters import compose
from docdask.reporting.content import Pictures
from tests import synthetic


def data(count, *, hostile=False, backend="numpy", render_page=None):
    docs = synthetic.documents(count, hostile=hostile)
    calls = synthetic.calls(docs)
    frames = [docs, synthetic.pages(docs), calls, synthetic.invoices(docs)]
    docs_, pages, calls_, invoices = (synthetic.backed(frame, backend) for frame in frames)
    return ReportData(
        docs_,
        pages,
        calls_,
        invoices=invoices,
        summary=synthetic.summary(docs, calls),
        render_page=render_page,
    )


def all_stored():
    """Documents of which none was set aside."""
    some = data(40)
    stored = some.documents[some.documents["outcome"] == "stored"].head(3)
    counts = {"inputs": 3, "stored": 3, "quarantined": 0, "skipped": 0, "pending": 0}
    return replace(some, documents=stored, summary={**some.summary, **counts})


def pdf_pages(path):
    with pypdfium2.PdfDocument(path) as document:
        return [" ".join(page.get_textpage().get_text_range().split()) for page in document]


def html_text(path):
    return markup.unescape(
        re.sub(r"<[^>]*>", "", re.sub(r"<style>.*?</style>", "", path.read_text(), flags=re.DOTALL))
    )


@pytest.fixture(scope="module")
def dozen(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    build(data(40), pdf=folder / "r.pdf", html=folder / "r.html", baseline="12/h")
    return folder


def test_page_one_tells_a_manager_what_was_done(dozen):
    first = pdf_pages(dozen / "r.pdf")[0]
    assert "35 of 40 documents are done; 5 were set aside." in first
    for word in ("Documents an hour", "Against the baseline", "Baseline (estimated)", "What to do next"):
        assert word in first


def test_every_page_is_numbered_n_of_all(dozen):
    pages = pdf_pages(dozen / "r.pdf")
    for number, text in enumerate(pages, 1):
        assert f"Page {number} of {len(pages)}" in text


def test_contents_name_the_page_where_each_chapter_stands(dozen):
    pages = pdf_pages(dozen / "r.pdf")
    contents = next(text for text in pages if "Contents" in text)
    for chapter in ("How the run went", "What is in the documents", "How it was measured", "Every document"):
        page = int(re.search(re.escape(chapter) + r"\s+(\d+)", contents)[1])
        assert chapter in pages[page - 1]


def test_bookmarks_and_links_lead_to_chapters(dozen):
    with pikepdf.open(dozen / "r.pdf") as document, document.open_outline() as outline:
        titles = [item.title for item in outline.root]
        assert titles[0] == "At a glance"
        assert "How it was measured" in titles
        assert [child.title for child in outline.root[0].children] == [
            "Against the baseline",
            "What to do next",
        ]
        assert len(document.pages[1].Annots) > 8


def test_every_font_is_embedded(dozen):
    with pikepdf.open(dozen / "r.pdf") as document:
        fonts = [font for page in document.pages for font in page.Resources.Font.values()]
        assert fonts
        for font in fonts:
            assert "/FontFile2" in font.DescendantFonts[0].FontDescriptor


def test_charts_are_vectors_not_pictures(dozen):
    with pikepdf.open(dozen / "r.pdf") as document:
        assert not any("/XObject" in page.Resources for page in document.pages)
    pages = " ".join(pdf_pages(dozen / "r.pdf"))
    assert "Throughput over time" in pages  # a chart's text is text
    assert "one after another" in pages


def test_html_tells_the_same_and_loads_nothing(dozen):
    source, text = (dozen / "r.html").read_text(), html_text(dozen / "r.html")
    assert "<script" not in source
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", source)
    assert "@import" not in source
    assert source.count("<svg") == 6
    assert "35 of 40 documents are done; 5 were set aside." in text
    assert "prefers-color-scheme: dark" in source
    assert "@media print" in source
    for figure in ("Against the baseline", "How it was measured", "Throughput over time"):
        assert figure in text


def test_ids_in_the_html_are_unique(dozen):
    found = re.findall(r'\sid="([^"]+)"', (dozen / "r.html").read_text())
    assert not {name for name in found if found.count(name) > 1 and not name.startswith(("m", "C"))}


def test_contents_stand_on_page_one_where_there_is_room(tmp_path, dozen):
    build(all_stored(), pdf=tmp_path / "r.pdf")
    assert "Contents" in pdf_pages(tmp_path / "r.pdf")[0]
    crowded = pdf_pages(dozen / "r.pdf")
    assert "Contents" not in crowded[0]
    assert "Contents" in crowded[1]


def test_where_nothing_was_set_aside_no_chart_says_so(tmp_path, dozen):
    build(all_stored(), html=tmp_path / "r.html")
    assert "Nothing was set aside." in html_text(tmp_path / "r.html")
    assert "Outcome by reason" not in html_text(tmp_path / "r.html")
    assert "Outcome by reason" in html_text(dozen / "r.html")


def test_the_account_uses_the_words_of_page_one(dozen):
    text = html_text(dozen / "r.html")
    card = re.search(r"Set aside\s*5\s*(\d+) with a problem · (\d+) left out", text)
    assert f"35 stored + {card[1]} with a problem + {card[2]} left out + 0 not decided yet = 40" in text


def test_a_currency_without_any_total_has_no_sum():
    rows = pd.DataFrame({"currency": ["EUR", None], "total": [12.5, None]})
    assert [(m.currency, m.total) for m in facts.money(rows)] == [
        ("EUR", 12.5),
        ("not told", pytest.approx(float("nan"), nan_ok=True)),
    ]


def test_a_run_slower_than_one_call_after_another_claims_no_speed_up(tmp_path):
    for speedup, told in ((0.8, False), (1.8, True)):
        slow = data(3)
        build(replace(slow, summary={**slow.summary, "speedup": speedup}), html=tmp_path / "r.html")
        assert (f"{speedup} × as fast as one after another" in html_text(tmp_path / "r.html")) is told


@pytest.mark.slow
def test_the_same_tables_give_the_same_bytes(dozen, tmp_path):
    build(data(40), pdf=tmp_path / "r.pdf", html=tmp_path / "r.html", baseline="12/h")
    assert (tmp_path / "r.pdf").read_bytes() == (dozen / "r.pdf").read_bytes()
    assert (tmp_path / "r.html").read_bytes() == (dozen / "r.html").read_bytes()


@pytest.mark.parametrize("backend", ["numpy_nullable", "pyarrow"])
def test_any_backend_of_dtypes_tells_the_same(backend, dozen, tmp_path):
    build(data(40, backend=backend), html=tmp_path / "r.html", baseline="12/h")
    assert html_text(tmp_path / "r.html") == html_text(dozen / "r.html")


def test_no_document_gives_a_report_that_says_so(tmp_path):
    build(data(0), pdf=tmp_path / "r.pdf", html=tmp_path / "r.html", baseline=12)
    assert "No document was given to this run." in pdf_pages(tmp_path / "r.pdf")[0]
    assert "No document was given to this run." in html_text(tmp_path / "r.html")


def test_hostile_names_are_printed_and_change_nothing(tmp_path):
    build(data(60, hostile=True), pdf=tmp_path / "r.pdf", html=tmp_path / "r.html")
    source, text = (tmp_path / "r.html").read_text(), html_text(tmp_path / "r.html")
    assert "<b>bold" not in source
    assert "<script" not in source
    assert "\u202e" not in source
    assert "\x00" not in source
    assert "<script>alert(1)</script>.pdf" in text
    printed = " ".join(pdf_pages(tmp_path / "r.pdf"))
    for name in (
        "<b>bold</b> & <script>",
        "Счёт-фактура №7.pdf",
        "Τιμολόγιο.pdf",
        "[U+202E]gnp.exe",
        "$x^2$ %s {0}.pdf",
    ):
        assert name in printed


def test_the_table_of_all_documents_ends_at_two_hundred():
    titles = {count: [getattr(b, "text", "") for b in compose(data(count)).blocks] for count in (200, 201)}
    assert "Every document" in titles[200]
    assert "Every document" not in titles[201]


def test_failures_show_reason_remedy_and_at_most_five_examples(tmp_path):
    build(data(300), html=tmp_path / "r.html")
    text = html_text(tmp_path / "r.html")
    assert "The file is encrypted and no password opens it" in text
    assert "Give its password with --password, or --passwords FILE" in text
    assert "Examples (5 of 9)" in text


def test_thumbnails_only_when_asked_for(tmp_path):
    from PIL import Image

    asked = []

    def page(document_id, number):
        asked.append((document_id, number))
        if len(asked) % 2:
            raise ValueError("it was set aside because it can't be drawn")
        return Image.new("RGB", (600, 800), "white")

    shown = compose(data(40, render_page=page))
    assert not asked
    assert not any(isinstance(block, Pictures) for block in shown.blocks)
    shown = compose(data(40, render_page=page), thumbnails=True)
    assert asked
    pictures = [p for block in shown.blocks if isinstance(block, Pictures) for p in block.pictures]
    assert pictures
    assert max(p.height for p in pictures) <= 220
    build(data(40, render_page=page), pdf=tmp_path / "r.pdf", html=tmp_path / "r.html", thumbnails=True)
    assert "data:image/png;base64," in (tmp_path / "r.html").read_text()
    with pikepdf.open(tmp_path / "r.pdf") as document:
        assert any("/XObject" in page.Resources for page in document.pages)


@pytest.mark.slow
def test_long_tables_repeat_their_header(tmp_path):
    build(data(200), pdf=tmp_path / "r.pdf")
    pages = pdf_pages(tmp_path / "r.pdf")
    last = [text for text in pages if "invoice-0019" in text]
    assert last
    assert all("Document Kind Outcome Pages Confidence" in text for text in last)


def test_currencies_are_not_added():
    blocks = str(compose(data(40)).blocks)
    for currency in ("EUR", "USD", "JPY", "not told"):
        assert currency in blocks


def test_an_account_that_does_not_add_up_is_told():
    given = data(12)
    wrong = ReportData(given.documents, given.pages, given.calls, summary={**given.summary, "inputs": 13})
    assert "do not add up" in str(compose(wrong).blocks)


def test_no_file_named_is_a_usage_error():
    with pytest.raises(UsageError, match="a file to go to"):
        build(data(1))


def test_an_unwritable_place_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="can't be written"):
        build(data(1), html=tmp_path / "file" / "r.html")
