"""The guess at the kind is right where it is sure, and unsure where nothing speaks clearly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docdask.intake.kinds import guess
from docdask.model import KINDS

A4 = {"pages": 1, "width": 595, "height": 842, "is_image": False}

TEXTS = {
    "invoice en": ("invoice", "ACME Ltd\nInvoice number: 2024-17\nInvoice date 31 May 2024\nBill to: X\nQty Unit price\nSubtotal 10.00\nVAT 2.00\nAmount due 12.00"),
    "invoice de": ("invoice", "Muster GmbH\nRechnung Nr. 17\nRechnungsdatum 31.05.2024\nMenge Einzelpreis\nZwischensumme 10,00\nMwSt 1,90\nRechnungsbetrag 11,90 EUR"),
    "invoice fr": ("invoice", "Facture n° 17\nDate de facture 31/05/2024\nQuantité Prix unitaire\nTotal HT 10,00\nTVA 2,00\nNet à payer 12,00 €"),
    "invoice es": ("invoice", "Factura\nNúmero de factura 17\nFecha de factura 31/05/2024\nCantidad Precio unitario\nBase imponible 10,00\nIVA 2,10\nImporte 12,10 €"),
    "invoice it": ("invoice", "Fattura n. 17\nData fattura 31/05/2024\nQuantità Prezzo unitario\nImponibile 10,00\nIVA 2,20\nScadenza 30/06/2024"),
    "invoice nl": ("invoice", "Factuur\nFactuurnummer 17\nFactuurdatum 31-05-2024\nAantal Stukprijs\nSubtotaal 10,00\nBTW 2,10\nTe betalen 12,10"),
    "receipt en": ("receipt", "CITY MART\nCash receipt\n1 x tea 2.00\nTotal 2.00\nCash 5.00\nChange due 3.00\nThank you for your visit"),
    "receipt de": ("receipt", "MARKT\nKassenbon\nTee 2,00\nSumme 2,00\nBar 5,00\nRückgeld 3,00\nVielen Dank für Ihren Einkauf"),
    "letter en": ("letter", "Dear Mr Smith,\nthank you for your letter of last week.\nYours sincerely\nA. Jones"),
    "letter de": ("letter", "Betreff: Ihr Schreiben\nSehr geehrte Frau Schmidt,\nvielen Dank für Ihr Schreiben.\nMit freundlichen Grüßen"),
    "letter fr": ("letter", "Objet : votre demande\nChère Madame,\nVeuillez agréer, Madame, l'expression de mes sentiments distingués."),
    "letter es": ("letter", "Asunto: su carta\nEstimado señor García:\nLe agradecemos su carta.\nAtentamente"),
    "letter it": ("letter", "Oggetto: la Sua lettera\nEgregio signor Rossi,\nLa ringraziamo.\nDistinti saluti"),
    "letter nl": ("letter", "Betreft: uw brief\nGeachte heer Jansen,\nhartelijk dank voor uw brief.\nMet vriendelijke groet"),
    "contract en": ("contract", "This Agreement is made between the parties. The parties agree as follows. Termination. Liability. Governing law."),
    "contract de": ("contract", "Mietvertrag\nzwischen den Parteien wird Folgendes vereinbart. Kündigung. Haftung. Gerichtsstand ist Köln."),
    "form en": ("form", "Application for benefits\nPlease print\nFirst name ________ Last name ________\nDate of birth ________\n[ ] yes [ ] no\nSignature ________\nFor office use only"),
    "form de": ("form", "Antrag auf Wohngeld\nBitte ausfüllen\nVorname ________ Nachname ________\nGeburtsdatum ________\nUnterschrift ________"),
    "article en": ("article", "On the theory of things\nA. Author, University of X\nAbstract. We show in Figure 1 that\n1 Introduction\nas in Smith et al.\nReferences"),
    "report en": ("report", "Annual report 2024\nTable of contents\nExecutive summary ......... 3\nChapter 1 ......... 5\nAppendix ......... 9"),
    "table": ("table", "\n".join(f"{year} {year * 3} {year * 7} {year * 11}" for year in range(1990, 2020))),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_plain_cases_in_six_languages(name):
    kind, text = TEXTS[name]
    guessed, confidence = guess(text, **A4)
    assert guessed == kind
    assert confidence > 0.4


def test_text_that_says_nothing_is_other():
    assert guess("The cat sat on the mat and looked out of the window at the rain.", **A4)[0] == "other"


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        ({"pages": 1, "width": 300, "height": 900, "is_image": True, "paper_share": 0.9}, "receipt"),
        ({"pages": 1, "width": 400, "height": 300, "is_image": True, "paper_share": 0.1}, "photo"),
        ({"pages": 1, "width": 1654, "height": 2339, "is_image": True, "paper_share": 0.9}, "other"),
        ({"pages": 20, "width": 960, "height": 540, "is_image": False}, "slide"),
        ({"pages": 3, "width": 595, "height": 842, "is_image": False}, "other"),
    ],
)
def test_without_text_the_shape_speaks_quietly(page, kind):
    guessed, confidence = guess("", **page)
    assert guessed == kind
    assert confidence < 0.5


def test_form_fields_make_a_form():
    assert guess("", **A4, form_fields=True)[0] == "form"


def test_a_book_that_mentions_invoices_is_no_invoice():
    text = "Chapter 1\nTable of contents\n" + "An invoice is a bill. " * 5
    assert guess(text, **{**A4, "pages": 200})[0] == "report"


@given(
    st.text(max_size=500),
    st.integers(1, 1000),
    st.floats(0, 1e5),
    st.floats(0, 1e5),
    st.booleans(),
)
def test_any_document_has_a_kind_and_a_confidence(text, pages, width, height, is_image):
    kind, confidence = guess(text, pages=pages, width=width, height=height, is_image=is_image)
    assert kind in KINDS
    assert 0 <= confidence <= 1
