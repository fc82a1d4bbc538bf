"""PDFs: pages, text layers, locks, repairs."""

from __future__ import annotations

import io

import pikepdf
import pypdfium2
import pytest
from PIL import Image

from docdask import intake
from docdask.errors import DocumentError
from docdask.intake.textlayer import is_language, judge

LETTER = "Dear Mr Smith,\nthank you for your letter of last week, which we have read with interest.\nYours sincerely\nA. Jones"


def encrypted(data: bytes, user: str, owner: str = "owner") -> bytes:
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(data)) as pdf:
        pdf.save(out, encryption=pikepdf.Encryption(user=user, owner=owner, R=6))
    return out.getvalue()


def scan_of(text_mode: int | None):
    """A page that a picture covers, with text over it in the given render mode (3: invisible)."""

    def draw(canvas):
        from reportlab.lib.utils import ImageReader

        canvas.drawImage(ImageReader(Image.new("L", (50, 70), 240)), 0, 0, 595, 842)
        if text_mode is not None:
            text = canvas.beginText(72, 700)
            text.setTextRenderMode(text_mode)
            for line in LETTER.splitlines():
                text.textLine(line)
            canvas.drawText(text)

    return draw


def test_pages_sizes_text_and_kind(look, make_pdf):
    row = look(make_pdf(LETTER, LETTER, size=(300, 500)))
    assert (row["state"], row["problem"], row["action"]) == ("ready", None, None)
    assert (row["pages"], row["widths"], row["heights"], row["unit"]) == (2, [300, 300], [500, 500], "points")
    assert (row["text_pages"], row["encrypted"], row["group"], row["kind"]) == (2, False, "pdf", "letter")


def test_sizes_are_those_of_the_upright_page(look, make_pdf):
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(make_pdf(LETTER, size=(300, 500)))) as pdf:
        pdf.pages[0].rotate(90, relative=False)
        pdf.save(out)
    row = look(out.getvalue())
    assert (row["widths"], row["heights"]) == ([500], [300])


@pytest.mark.parametrize(
    ("page", "usable"),
    [(scan_of(None), 0), (scan_of(3), 0), (scan_of(0), 0), (LETTER, 1), ("", 0)],
    ids=["scan", "scan with invisible text", "scan with a stamp", "text", "nothing"],
)
def test_text_layers_are_told_from_pictures(look, make_pdf, page, usable):
    assert look(make_pdf(page))["text_pages"] == usable


def test_a_page_of_text_over_a_background_picture_is_text(look, make_pdf):
    def draw(canvas):
        scan_of(0)(canvas)
        for row in range(20):
            canvas.drawString(72, 500 - 14 * row, "a line of a longer letter on coloured paper")

    assert look(make_pdf(draw))["text_pages"] == 1


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The quick brown fox jumps over the lazy dog.", True),
        ("Бързата кафява лисица прескача мързеливото куче", True),
        ("請求書 2024年 合計金額", True),
        ("مرحبا بالعالم", True),
        ("1234 5678 90.00 12/2024", True),
        ("", False),
        ("\ufffd" * 40, False),
        ("\ue001\ue002\ue003 \ue004", False),
        ("\x01\x01\x02 \x03\x04", False),
        ("7KH TXLFN EURZQ IR[ MXPSV RYHU WKH OD]\\ GRJ " * 4, False),
        ("Kfz-Nr. GmbH Str. Nr. " * 10, False),
    ],
)
def test_language_is_told_from_garbage(text, language):
    assert is_language(text) is language


def test_pages_with_nothing_on_them_are_blank(look, make_pdf):
    assert look(make_pdf("", ""))["kind"] == "blank"
    assert look(make_pdf("", LETTER))["kind"] != "blank"
    assert look(make_pdf(scan_of(None)))["kind"] != "blank"


def test_a_letter_has_a_good_text_layer(make_pdf):
    document = pypdfium2.PdfDocument(make_pdf(LETTER))
    assert judge(document[0]).why == "good"


def test_a_locked_pdf_waits_for_its_password(look, make_pdf):
    data = encrypted(make_pdf(LETTER), "secret")
    locked = look(data)
    assert (locked["state"], locked["problem"], locked["encrypted"]) == ("quarantined", "encrypted", True)
    assert "--password" in locked["remedy"]
    wrong = look(data, passwords=["a", "b"])
    assert "none of the 2 passwords" in wrong["reason"]
    opened = look(data, passwords=["wrong", "secret"])
    assert (opened["state"], opened["action"], opened["pages"], opened["kind"]) == (
        "ready",
        "decrypted",
        1,
        "letter",
    )


def test_an_owner_password_does_not_stop_anyone(look, make_pdf):
    row = look(encrypted(make_pdf(LETTER), ""))
    assert (row["state"], row["problem"], row["action"], row["encrypted"]) == (
        "ready",
        "owner-password",
        "decrypted",
        True,
    )


def test_a_pdf_that_opens_and_cannot_be_decrypted_is_told(look, make_pdf):
    """To pdfium 4.0 is a revision like 4; qpdf takes whole numbers only."""
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(make_pdf(LETTER))) as pdf:
        pdf.save(out, encryption=pikepdf.Encryption(user="", owner="owner", R=4))
    row = look(out.getvalue().replace(b"/R 4 ", b"/R 4. "))
    assert (row["state"], row["problem"], row["encrypted"]) == ("quarantined", "encrypted", True)
    assert row["reason"].startswith("it is encrypted and can't be decrypted: ")


def test_prepared_pdfs_are_clean_and_always_the_same(look, make_pdf):
    data = encrypted(make_pdf(LETTER), "secret")
    clean = intake.prepare(data, "decrypted", ["wrong", "secret"])
    assert clean == intake.prepare(data, "decrypted", ["secret"])
    assert look(clean)["encrypted"] is False
    with pytest.raises(DocumentError) as caught:
        intake.prepare(data, "decrypted", ["wrong"])
    assert caught.value.code == "encrypted"


def test_nothing_is_done_without_an_action(make_pdf):
    data = make_pdf(LETTER)
    assert intake.prepare(data, None) is data


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: data.rindex(b"trailer")],
        lambda data: data.replace(b"/Count 1", b"/Count 5"),
    ],
    ids=["cut short", "counts pages that are not there"],
)
def test_what_only_qpdf_reads_right_is_repaired_and_says_so(look, make_pdf, damage):
    data = damage(make_pdf(LETTER))
    row = look(data)
    assert (row["state"], row["problem"], row["action"], row["pages"]) == ("ready", "damaged", "repaired", 1)
    clean = intake.prepare(data, "repaired")
    assert clean == intake.prepare(data, "repaired")
    assert look(clean)["problem"] is None


def test_a_pdf_of_garbage_is_corrupt(look):
    row = look(b"%PDF-1.7\n" + bytes(range(256)) * 20)
    assert (row["state"], row["problem"], row["mime_type"]) == ("quarantined", "corrupt", "application/pdf")


def test_a_pdf_without_pages_says_so(look):
    out = io.BytesIO()
    pikepdf.new().save(out)
    assert look(out.getvalue())["problem"] == "no-pages"


def test_huge_pages_are_noted_and_done(look, make_pdf):
    row = look(make_pdf(LETTER, size=(9000, 600)))
    assert (row["state"], row["problem"]) == ("ready", "oversize-page")
    assert "3.2 m" in row["reason"]


def test_attachments_and_scripts_are_noted(look, make_pdf):
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(make_pdf(LETTER))) as pdf:
        pdf.attachments["notes.docx"] = b"x"
        pdf.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.alert(1)")
        pdf.save(out)
    row = look(out.getvalue())
    assert (row["state"], row["problem"]) == ("ready", "attachment")
    assert "1 file inside" in row["reason"]
    assert "JavaScript" in row["reason"]


def test_the_xml_of_an_electronic_invoice_is_no_attachment_to_worry_about(look, make_pdf):
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(make_pdf(LETTER))) as pdf:
        pdf.attachments["factur-x.xml"] = b"<x/>"
        pdf.save(out)
    assert look(out.getvalue())["problem"] is None


def test_forms_are_recognised_by_their_fields(look, make_pdf):
    def draw(canvas):
        canvas.drawString(72, 700, "Your details, in block capitals, one letter a box")
        canvas.acroForm.textfield(name="a", x=72, y=600)

    assert look(make_pdf(draw))["kind"] == "form"


def test_very_long_documents_are_extrapolated(look, make_pdf):
    row = look(make_pdf(*[LETTER] * 30), text_pages=7)
    assert (row["pages"], len(row["widths"]), row["text_pages"]) == (30, 30, 30)


def test_a_name_that_says_another_type_is_noted(look, make_pdf):
    row = look(make_pdf(LETTER), "scan.png")
    assert (row["state"], row["problem"]) == ("ready", "wrong-type")
    assert "its name says PNG image, but it is a PDF" in row["reason"]
