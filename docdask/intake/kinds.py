"""Guesses what kind of document it is: invoice, receipt, form, letter, contract, table, report, article and so on.

Rules: words decide where there is text (six languages, a word counts once, more where it stands near the top);
layout helps (length of lines, digits, long narrow pages); without text only the shape of the page is left and the
confidence is low. A guess, for sampling, routing and sorting; never a reason to set a document aside. Pure, so that
recognised text can refine the guess of the scan.

Confidence is the share of the best score in all scores, damped while the evidence is thin:
``best / (all + 2)``, with 2 as the weight of "other". On the labelled folders of the test corpus see docs/scan.md.
"""

from __future__ import annotations

import re
import unicodedata

#: Words and phrases by kind: weight → words. Folded: lower case, no accents. A ``*`` stands for any word ending.
_WORDS: dict[str, dict[float, str]] = {
    "invoice": {
        4: "invoice no, invoice number, invoice date, invoice #, tax invoice, rechnungsnummer, rechnungs-nr*, rechnungsdatum, rechnung nr, "
        "facture n*, numero de facture, date de facture, numero de factura, fecha de factura, numero fattura, fattura n*, data fattura, "
        "factuurnummer, factuurdatum, bill to, amount due, balance due, credit note, gutschrift, avoir",
        3: "invoice, rechnung, facture, factura, fattura, factuur",
        1.5: "payment terms, due date, purchase order, po number, vat, ust-id*, ust-idnr, mwst, tva, iva, btw, subtotal, sub total, zwischensumme, "
        "nettobetrag, bruttobetrag, rechnungsbetrag, zahlbar bis, zahlungsziel, total ht, total ttc, net a payer, echeance, base imponible, importe, "
        "imponibile, scadenza, subtotaal, betalingstermijn, te betalen, unit price, quantity, qty, einzelpreis, menge, prix unitaire, quantite, "
        "precio unitario, cantidad, prezzo unitario, quantita, stukprijs, aantal, iban, remit to, ship to, sold to",
    },
    "receipt": {
        4: "cash receipt, sales receipt, kassenbon, kassenzettel, ticket de caisse, ticket de compra, scontrino, kassabon, thank you for shopping, "
        "thank you for your visit, vielen dank fur ihren einkauf, merci de votre visite, gracias por su compra, grazie e arrivederci",
        2.5: "receipt, quittung, recu, recibo, ricevuta, bon, cashier, kasse, caissier, cajero, cassa, change due, ruckgeld, rendu monnaie, cambio, resto, "
        "wisselgeld, rounding adj*, gst summary",
        1.5: "cash, bar, especes, efectivo, contanti, contant, card, visa, mastercard, tendered, total, summe, gst, tax, terminal, tip, server, guest*",
    },
    "form": {
        4: "please print, print name, for office use, for official use, office use only, please complete, fill in, fill out, check all that apply, "
        "omb no, omb approval, bitte ausfullen, zutreffendes ankreuzen, a remplir, cocher, rellenar, marque con, compilare, barrare, invullen, aankruisen",
        3: "form, formular, antrag, formulaire, formulario, solicitud, modulo, domanda, formulier, aanvraag, application for*, questionnaire, w-2, wage and tax statement",
        1.5: "signature, unterschrift, firma, handtekening, date of birth, geburtsdatum, date de naissance, fecha de nacimiento, data di nascita, geboortedatum, "
        "first name, last name, vorname, nachname, prenom, nombre, apellido*, cognome, voornaam, achternaam, zip code, social security, marital status, "
        "employer, applicant, yes no, phone number, employee",
    },
    "letter": {
        4: "dear sir, dear madam, dear mr*, dear ms, dear mrs, dear, sehr geehrte*, chere madame, cher monsieur, messieurs, estimad*, egregi*, gentile, geachte, to whom it may concern, "
        "yours sincerely, sincerely yours, yours faithfully, yours truly, best regards, kind regards, mit freundlichen grussen, hochachtungsvoll, "
        "veuillez agreer, cordialement, atentamente, un cordial saludo, cordiali saluti, distinti saluti, met vriendelijke groet, hoogachtend",
        2: "madame, monsieur",
        3: "sincerely, memorandum, memo, re:, betreff, betrifft, objet, asunto, oggetto, betreft",
        1: "enclosure*, encl, anlage*, p.j, cc:, subject:, regards",
    },
    "contract": {
        4: "this agreement, hereinafter, hereby agree*, the parties agree, in witness whereof, terms and conditions, governing law, force majeure, "
        "zwischen den parteien, vertragsparteien, vertragsgegenstand, nachfolgend, les parties conviennent, ci-apres, il a ete convenu, "
        "las partes acuerdan, en adelante, le parti convengono, di seguito, partijen komen overeen, hierna te noemen",
        3: "agreement, contract, vertrag, contrat, contrato, contratto, overeenkomst, lease, mietvertrag, arbeitsvertrag",
        1.5: "party, parties, clause, termination, liability, indemnif*, confidential*, kundigung, haftung, gerichtsstand, resiliation, responsabilite, clausula, "
        "rescision, clausola, recesso, artikel, aansprakelijkheid, shall, effective date, landlord, tenant, licensee, licensor",
    },
    "article": {
        4: "abstract, zusammenfassung, resume, resumen, riassunto, samenvatting, references, bibliography, literaturverzeichnis, bibliographie, bibliografia, "
        "doi, arxiv, et al, keywords, schlusselworter, mots-cles, palabras clave, parole chiave, trefwoorden",
        2: "introduction, einleitung, introduccion, introduzione, inleiding, conclusion*, fig, figure, abbildung, theorem, lemma, proof, journal, university, universitat, universite",
    },
    "report": {
        4: "table of contents, inhaltsverzeichnis, table des matieres, indice de contenidos, sommario, inhoudsopgave, executive summary, annual report, jahresbericht, "
        "rapport annuel, informe anual, relazione annuale, jaarverslag, federal register",
        2: "report, bericht, rapport, informe, relazione, verslag, chapter, kapitel, chapitre, capitulo, capitolo, hoofdstuk, appendix, anhang, annexe, summary, section, contents",
    },
    "slide": {3: "agenda, any questions, thank you for your attention, vielen dank fur ihre aufmerksamkeit, merci de votre attention", 1: "overview, outline, next steps"},
    "id": {
        4: "passport, reisepass, passeport, pasaporte, passaporto, paspoort, driver license, driving licence, fuhrerschein, permis de conduire, identity card, "
        "personalausweis, carte d'identite, documento nacional de identidad, carta d'identita, identiteitskaart",
        1: "nationality, staatsangehorigkeit, nationalite, nacionalidad, cittadinanza, date of issue, date of expiry",
    },
}  # fmt: skip

_OTHER_WEIGHT = 2.0
#: Below this score nothing speaks clearly enough.
_LEAST = 3.0
#: Kinds that run to many pages, and kinds that hardly ever do.
_SHORT = {"invoice": 10, "receipt": 2, "letter": 4, "id": 2, "form": 20}
_SPACE = re.compile(r"\s+")
_AMOUNT = re.compile(r"(?:[$€£]\s?)?\b\d{1,3}(?:[.,\s]?\d{3})*[.,]\d{2}\b")
_BLANK_FIELD = re.compile(r"_{4,}|\.{8,}|[☐☑☒□]|\[\s?\]")
_CONTENTS_LINE = re.compile(r"(?:\.\s?){5,}\s*\d+\s*$", re.MULTILINE)


def guess(
    text: str,
    *,
    pages: int,
    width: float,
    height: float,
    is_image: bool,
    form_fields: bool = False,
    paper_share: float | None = None,
) -> tuple[str, float]:
    r"""Guess the kind of a document and the confidence of that guess.

    Parameters
    ----------
    text
        Of its first pages; empty where there is no text layer.
    pages
        Number of its pages.
    width, height
        Of its first upright page, in points or pixels.
    is_image
        It is an image file rather than a PDF.
    form_fields
        It has fields to fill in (AcroForm, XFA).
    paper_share
        Share of an image's pixels that are as bright as paper, if known: tells photographs from documents.

    Returns
    -------
    kind
        One of :data:`docdask.model.KINDS`.
    confidence
        0-1.

    >>> guess("INVOICE\nInvoice number 17\nBill to: X\nAmount due: 5.00", pages=1, width=595, height=842, is_image=False)[0]
    'invoice'
    """
    words = _fold(text)
    if len(words) < 20 and not form_fields:
        return _by_shape(pages, width, height, paper_share if is_image else None)
    scores = {kind: _score(words, weights) for kind, weights in _TERMS.items()}
    _add_layout(scores, text, pages, width, height)
    scores["receipt"] *= min(1.0, 1500 / len(words)) if words else 1.0
    if form_fields:
        scores["form"] += 5
    for kind, most in _SHORT.items():
        if pages > most:
            scores[kind] *= most / pages
    total = sum(scores.values()) + _OTHER_WEIGHT
    # Ties go to the kind that stands first in KINDS: the more specific ones do.
    kind = max(scores, key=lambda name: scores[name])
    if scores[kind] < _LEAST:
        return "other", round(_OTHER_WEIGHT / total / 2, 2)
    return kind, round(scores[kind] / total, 2)


def _by_shape(pages: int, width: float, height: float, paper_share: float | None) -> tuple[str, float]:
    """Guess from the page's shape alone: long and narrow, a screen's, or a picture without paper in it."""
    tall = height / max(width, 1.0)
    if tall > 2:
        return "receipt", 0.4
    if pages > 1 and abs(width / max(height, 1.0) - 16 / 9) < 0.02:
        return "slide", 0.3
    if paper_share is not None and pages == 1 and paper_share < 0.4:
        return "photo", 0.3
    return "other", 0.1


def _fold(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text.lower().replace("ß", "ss"))
    plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    return _SPACE.sub(" ", plain.replace("’", "'"))


def _compile(words: str) -> re.Pattern[str]:
    parts = []
    for word in words.split(","):
        term = _fold(word.strip())
        stem = re.escape(term.rstrip("*"))
        parts.append(stem + (r"\w*" if term.endswith("*") else r"(?!\w)"))
    return re.compile(r"(?<!\w)(?:" + "|".join(sorted(parts, key=len, reverse=True)) + ")")


_TERMS = {
    kind: [(weight, _compile(words)) for weight, words in weights.items()] for kind, weights in _WORDS.items()
}


def _score(words: str, terms: list[tuple[float, re.Pattern[str]]]) -> float:
    """Sum of the weights of the distinct terms found; half as much again for one in the first 300 characters."""
    score = 0.0
    for weight, pattern in terms:
        seen: dict[str, int] = {}
        for match in pattern.finditer(words):
            seen.setdefault(match.group(), match.start())
        score += sum(weight * (1.5 if at < 300 else 1.0) for at in seen.values())
    return score


def _add_layout(scores: dict[str, float], text: str, pages: int, width: float, height: float) -> None:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    amounts = len(_AMOUNT.findall(text[:6000]))
    if width > 0 and height / width > 2:
        scores["receipt"] += 4
    if width > height and abs(width / max(height, 1.0) - 16 / 9) < 0.02:
        scores["slide"] += 4
    scores["invoice"] += min(2.0, amounts / 4) if scores["invoice"] else 0
    scores["form"] += min(4.0, len(_BLANK_FIELD.findall(text)) / 2)
    scores["report"] += min(4.0, len(_CONTENTS_LINE.findall(text)) / 2) + (2 if pages > 20 else 0)
    scores["table"] = _table_score(lines)


def _table_score(lines: list[str]) -> float:
    """Points for lines that are mostly figures; bare line and page numbers are none."""
    lines = [line for line in lines if not (line.isdigit() and len(line) <= 3)]
    if len(lines) < 8:
        return 0.0
    figures = sum(sum(c.isdigit() for c in line) > 0.3 * sum(not c.isspace() for c in line) for line in lines)
    return 8 * max(0.0, figures / len(lines) - 0.2)
