"""The words that name the fields of an invoice, in six languages. One place for all extractors.

Types are named as Google's invoice parser names them. Patterns are matched without regard to case; the longest match
wins, so that ``subtotal`` is not read as ``total``.
"""

from __future__ import annotations

import re
from functools import cache

#: Order tells which is tried first at the same place.
LABELS: dict[str, tuple[str, ...]] = {
    "invoice_id": (
        r"(?:invoice|rechnung|facture|fattura|factuur|factura)(?=\s*:?\s*#?\s*[A-Z]{0,5}[-/_]?\d[\w/-]*\s*$)", r"invoice\s*:\s*(?:no\b\.?|#)",
        r"(?:tax )?invoice\s*(?:no|number|num|nr|id|#|№)\b\.?\s*#?", r"invoice\s*#", r"rechnungs?[-\s]?(?:nr|nummer|no)\b\.?", r"rechnung\s+nr\.?", r"beleg(?:nummer|-?nr\.?)",
        r"(?:n[°ºo]\.?\s*(?:de\s*)?|num[ée]ro\s*(?:de\s*)?)facture", r"facture\s*(?:n[°ºo]\.?|num[ée]ro)", r"(?:n[°ºo]\.?\s*(?:de\s*)?|n[uú]mero\s*de\s*)factura", r"factura\s*(?:n[°ºo]\.?|n[uú]m(?:ero)?\.?)",
        r"(?:numero\s*)?fattura\s*(?:n[°ºr]?\.?|numero)", r"factuur\s*(?:nummer|nr)\b\.?", r"(?:bill|receipt|order)\s*(?:no|number|#)\b\.?", r"(?:doc(?:ument)?)\s*no\b\.?", r"inv\s*no\b\.?",
    ),
    "invoice_date": (
        r"invoice\s*date", r"date\s*of\s*(?:issue|invoice)", r"date\s*(?:issued|d['’]émission|de\s*facture|de\s*la\s*facture)", r"issue\s*date", r"bill(?:ing)?\s*date", r"rechnungs\s*datum", r"rechnungsdatum", r"belegdatum",
        r"fecha(?:\s*de)?\s*(?:factura|emisi[oó]n)", r"data\s*(?:fattura|emissione|documento)", r"factuur\s*datum", r"\bdate\b", r"\bdatum\b", r"\bfecha\b", r"\bdata\b",
    ),
    "due_date": (
        r"(?:payment\s*)?due\s*(?:date|by|on)?\b", r"pay\s*by", r"fällig(?:keit)?(?:sdatum|\s*am|\s*bis)?", r"zahlbar\s*bis", r"(?:date\s*d['’])?[ée]ch[ée]ance", r"(?:fecha\s*de\s*)?vencimiento", r"(?:data\s*)?scadenza", r"verval\s*datum", r"vervaldatum",
    ),
    "net_amount": (
        r"sub\s*-?\s*total", r"net(?:to)?\s*(?:amount|total|betrag|summe)?\b", r"zwischensumme", r"nettobetrag", r"summe\s*netto", r"total\s*(?:ht|h\.t\.|hors\s*taxes?|excl?\.?\s*(?:btw|vat|tax|gst)?)", r"montant\s*ht", r"base\s*imponible", r"(?:totale\s*)?imponibile", r"subtotaal", r"total\s*(?:before|without|excluding)\s*(?:tax|vat|gst)", r"exclusief\s*btw",
    ),
    "total_tax_amount": (
        r"(?:sales\s*|total\s*)?tax(?:\s*(?:total|amount))?\b", r"\bvat\b(?:\s*amount)?", r"\bgst\b(?:\s*(?:payable|amount))?", r"(?:gesamt)?(?:umsatzsteuer|mehrwertsteuer)(?:betrag)?", r"\b(?:mwst|ust|mwst-?betrag)\b\.?", r"(?:total\s*)?(?:t\.?v\.?a\b\.?|taxes)", r"(?:total\s*)?\biva\b", r"\bimposta\b", r"\bbtw\b(?:\s*bedrag)?",
    ),
    "total_amount": (
        r"grand\s*total", r"(?:total\s*)?amount\s*(?:due|payable|to\s*pay)", r"balance\s*(?:due)?\b", r"total\s*(?:due|amount|payable|ttc|incl?\.?\w*|a\s*pagar|à\s*payer|general|factura|fattura|sales)?(?:\s*\(\s*\w{2,3}\s*\))?", r"invoice\s*total", r"gesamt(?:betrag|summe|preis)?\b", r"rechnungs(?:betrag|summe)", r"(?:zu\s*zahlen(?:der\s*betrag)?|zahlbetrag|bruttobetrag|endbetrag|summe)", r"(?:montant\s*(?:total|ttc|à\s*payer)|net\s*à\s*payer)", r"importe\s*total", r"totale(?:\s*(?:documento|fattura|da\s*pagare))?", r"(?:totaal(?:\s*bedrag)?|te\s*betalen)", r"\btotal\b", r"\bcharges\b",
    ),
    "receiver_name": (
        r"bill(?:ed)?\s*to", r"invoice(?:d)?\s*to", r"sold\s*to", r"(?:customer|client)(?:\s*name)?", r"rechnung\s*an", r"rechnungsempfänger", r"(?:kunde|kundenname|käufer)", r"factur[ée]\s*[àa]", r"(?:cliente|destinatario|klant)", r"\bto\b(?=\s*:|$)", r"\bbuyer\b",
    ),
    "supplier_name": (r"(?:from|seller|vendor|supplier|verkäufer|lieferant|fournisseur|vendeur|proveedor|fornitore|leverancier|issued\s*by)(?=\s*:|\s*$)",),
    "purchase_order": (r"(?:p\.?o\.?|purchase\s*order)\s*(?:no|number|#|nr)?\b\.?\s*:?(?=\s|$)", r"bestell(?:nummer|-?nr\.?)"),
}  # fmt: skip

#: Words that make a document an invoice or receipt.
INVOICE_WORDS = re.compile(
    r"\b(?:invoices?|receipt|rechnung|quittung|factur[ea]|facture|fattura|factuur|ricevuta|re[cç]u|recibo|kassenbon|kassabon|bill\s+to|amount\s+due|cash\s*bill|ust-?id|mwst|tva|btw|vat|gst|sub\s*total)\b",
    re.IGNORECASE,
)

#: Headings of the columns of line items.
COLUMN_LABELS = {
    "description": r"description|item|article|artikel|bezeichnung|beschreibung|d[ée]signation|libell[ée]|descripci[oó]n|concepto|descrizione|omschrijving|product|service|details",
    "quantity": r"qty|quantity|quant|hrs|hours|menge|anzahl|stk|stück|qt[ée]|quantit[ée]|cantidad|quantità|aantal|units?",
    "unit_price": r"unit\s*(?:price|cost)|price|rate|einzelpreis|preis|stückpreis|p\.?u\.?|prix(?:\s*unitaire)?|precio|prezzo|prijs|cost",
    "amount": r"amount|total|sum|line\s*total|betrag|gesamt(?:preis)?|montant|importe|importo|totale|bedrag|sub\s*total|extension",
}


@cache
def pattern(kind: str) -> re.Pattern[str]:
    """Pattern of all labels of an entity type."""
    return re.compile("|".join(f"(?:{label})" for label in LABELS[kind]), re.IGNORECASE)


@cache
def column_pattern(kind: str) -> re.Pattern[str]:
    """Pattern of the headings of a line-item column."""
    return re.compile(rf"\b(?:{COLUMN_LABELS[kind]})\b", re.IGNORECASE)


def is_heading(text: str) -> bool:
    """Whether a text is nothing but the heading of a line-item column."""
    return any(column_pattern(kind).fullmatch(text.strip()) for kind in COLUMN_LABELS)


def kinds_in(text: str) -> list[tuple[int, int, str]]:
    """Labels in a text as (start, end, type): longest first at each place, none inside another."""
    found = [
        (match.start(), match.end(), kind)
        for kind in LABELS
        for match in pattern(kind).finditer(text)
        if match.end() > match.start() and _whole(text, match.start(), match.end())
    ]
    found.sort(key=lambda item: (item[0] - item[1], item[0]))
    kept: list[tuple[int, int, str]] = []
    for start, end, kind in found:
        if all(end <= other[0] or start >= other[1] for other in kept):
            kept.append((start, end, kind))
    return sorted(kept)


def _whole(text: str, start: int, end: int) -> bool:
    """Whether a match does not stand inside a word."""
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    return not (before.isalnum() and text[start].isalnum()) and not (
        after.isalpha() and text[end - 1].isalpha()
    )
