"""Classifier and splitter: classes by the words of a page, confidence by how many of a class's words are there."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Any

#: Class → words that speak for it; names as Google's lending and procurement models have them.
_CLUES = {
    "invoice_statement": [
        "invoice",
        "bill",
        "due",
        "supplier",
        "remit",
        "vat",
        "iban",
        "payment",
        "terms",
        "facture",
        "rechnung",
    ],
    "receipt_statement": [
        "receipt",
        "cashier",
        "change",
        "cash",
        "subtotal",
        "visa",
        "thank",
        "store",
        "ticket",
        "kassenbon",
    ],
    "utility_statement": [
        "kwh",
        "meter",
        "electricity",
        "gas",
        "water",
        "usage",
        "tariff",
        "utility",
        "energy",
    ],
    "restaurant_statement": [
        "restaurant",
        "table",
        "server",
        "guest",
        "tip",
        "gratuity",
        "menu",
        "cafe",
        "bar",
    ],
    "form": ["form", "name", "signature", "applicant", "checkbox", "please", "print", "birth"],
    "contract": ["agreement", "party", "parties", "hereby", "clause", "contract", "whereas", "shall"],
}
_WORD = re.compile(r"[^\W\d_]+")


def scores(text: str) -> dict[str, float]:
    """Confidence of each class, ``other`` included; they add up to 1."""
    words = Counter(word.lower() for word in _WORD.findall(text))
    raw = {name: sum(min(2, words[clue]) for clue in clues) for name, clues in _CLUES.items()}
    raw["other"] = 1
    powers = {name: math.exp(1.2 * value) for name, value in raw.items()}
    total = sum(powers.values())
    return {name: value / total for name, value in powers.items()}


def _page_text(document: Any, page: Any) -> str:
    return "".join(
        document.text[segment.start_index : segment.end_index]
        for segment in page.layout.text_anchor.text_segments
    )


def add_classes(document: Any) -> None:
    """One entity a class, most likely last as Google has them, without page anchors."""
    ranked = sorted(scores(document.text).items(), key=lambda pair: pair[1])
    for index, (name, confidence) in enumerate(ranked):
        document.entities.add(type_=name, confidence=confidence, id=str(index))


def add_splits(document: Any) -> None:
    """One entity a logical document: neighbouring pages of the same class belong together."""
    entity = None
    for index, page in enumerate(document.pages):
        name, confidence = max(scores(_page_text(document, page)).items(), key=lambda pair: pair[1])
        if entity is None or entity.type_ != name:
            entity = document.entities.add(type_=name, confidence=confidence)
        entity.confidence = min(entity.confidence, confidence)
        entity.page_anchor.page_refs.add(page=index)
        segments = page.layout.text_anchor.text_segments
        if segments:
            known = entity.text_anchor.text_segments
            if known:
                known[0].end_index = segments[-1].end_index
            else:
                known.add(start_index=segments[0].start_index, end_index=segments[-1].end_index)


def bare_pages(document: Any) -> None:
    """What a splitter's pages hold: number and layout only."""
    for page in document.pages:
        for field, _ in page.ListFields():
            if field.name not in ("page_number", "layout"):
                page.ClearField(field.name)
