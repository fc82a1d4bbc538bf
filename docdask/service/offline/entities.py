"""Finds typed entities: dates, amounts, addresses of all kinds, and the fields of invoices and receipts.

Rules: named as Google's invoice parser names them. A field's value is looked for behind its label in the same line,
then to the right in the same row, then below; of several candidates for the total the one with the strongest label
wins, then the lowest on the last page. Fields of invoices are looked for only where the document speaks of one.
Confidence is that of the rule times that of the reading; it is no probability.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from docdask.service.offline import labels, values
from docdask.service.offline.page import Box, Line, union
from docdask.service.offline.values import Found, Money

#: Fields that stand at most once in a document.
_MONEY_FIELDS = ("total_amount", "net_amount", "total_tax_amount")
_STRONG_TOTAL = re.compile(
    r"due|payable|grand|ttc|zahl|brutto|gesamt|pagar|payer|rechnungs|invoice total|incl|betalen",
    re.IGNORECASE,
)
_LEGAL_FORM = re.compile(
    r"\b(?:GmbH(?:\s*&\s*Co\.?\s*KG)?|AG|UG|KG|e\.K\.|Inc\.?|LLC|Ltd\.?|Limited|PLC|Corp\.?|Corporation|Co\.|S\.?A\.?R\.?L\.?|SAS|S\.A\.|S\.?L\.?U?\.?|S\.?p\.?A\.?|S\.?r\.?l\.?|B\.?V\.?|N\.?V\.?|SDN\.?\s*BHD\.?|Pty)(?=\W|$)"
)
_ID_VALUE = re.compile(r"[A-Z0-9][A-Z0-9/_.-]*\d[A-Z0-9/_.-]*|\d+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Entity:
    """One typed entity."""

    type: str
    text: str
    page: int
    """1-based page number."""
    box: Box
    start: int
    end: int
    """Where it stands in the document's text."""
    confidence: float
    date: dt.date | None = None
    money: Money | None = None
    normalized: str = ""
    properties: tuple[Entity, ...] = ()


@dataclass(frozen=True, slots=True)
class PlacedLine:
    """A line, the page it is on and where its text starts in the document."""

    line: Line
    page: int
    start: int
    page_height: float
    page_width: float
    text: str = field(default="")


def placed(line: Line, page: int, start: int, width: float, height: float) -> PlacedLine:
    """Line of a page at an offset of the document's text."""
    return PlacedLine(line, page, start, height, width, line.text)


def find(lines: Sequence[PlacedLine], language: str) -> list[Entity]:
    """Entities of a document, in the order of its text.

    Parameters
    ----------
    lines
        In reading order, all pages.
    language
        ISO 639-1 code of most of the text; settles which of 3/4/2024 is the day.
    """
    text = "\n".join(item.text for item in lines)
    day_first = values.day_first_by(text, language)
    found: list[Entity] = []
    if len(labels.INVOICE_WORDS.findall(text)) >= 1:
        found += _invoice(lines, day_first=day_first)
    taken = [(item.start, item.end) for item in found if item.type != "currency"]
    for line in lines:
        for item in _plain(line, day_first=day_first):
            if not any(item.start < end and start < item.end for start, end in taken):
                found.append(item)
                taken.append((item.start, item.end))
    return sorted(found, key=lambda item: (item.start, item.end))


def entity(line: PlacedLine, kind: str, start: int, end: int, confidence: float, **more: Any) -> Entity:
    """Entity on characters ``start`` to ``end`` of a line."""
    boxes = []
    at = 0
    for word in line.line.words:
        if at < end and start < at + len(word.text):
            boxes.append(word.box)
        at += len(word.text) + (1 if word.space_after else 0)
    box = union(boxes) if boxes else line.line.box
    sure = round(confidence * line.line.confidence, 4)
    return Entity(
        kind, line.text[start:end], line.page, box, line.start + start, line.start + end, sure, **more
    )


def _plain(line: PlacedLine, *, day_first: bool) -> Iterator[Entity]:
    """Entities that tell by themselves what they are."""
    text = line.text
    finders: tuple[tuple[str, Callable[[str], list[Found[str]]], float], ...] = (
        ("email", values.find_emails, 0.95),
        ("url", values.find_urls, 0.9),
        ("iban", values.find_ibans, 0.98),
    )
    for kind, finder, confidence in finders:
        for item in finder(text):
            yield entity(line, kind, item.start, item.end, confidence, normalized=item.value)
    for date in values.find_dates(text, day_first=day_first):
        yield entity(
            line, "date", date.start, date.end, 0.85, date=date.value, normalized=date.value.isoformat()
        )
    for item in values.find_phones(text):
        yield entity(line, "phone", item.start, item.end, 0.7, normalized=item.value)
    for money in values.find_amounts(text):
        if money.value.currency:
            yield _money_entity(line, "amount", money, 0.8)


def _money_entity(line: PlacedLine, kind: str, money: Found[Money], confidence: float) -> Entity:
    plain = f"{money.value.amount} {money.value.currency}".strip()
    return entity(line, kind, money.start, money.end, confidence, money=money.value, normalized=plain)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a label's value may stand: a line from a character on, and how sure that is."""

    line: PlacedLine
    start: int
    confidence: float


def _invoice(lines: Sequence[PlacedLine], *, day_first: bool) -> list[Entity]:
    """Fields of an invoice or receipt."""
    candidates: dict[str, list[tuple[float, Entity]]] = {}
    for index, line in enumerate(lines):
        found = labels.kinds_in(line.text) if len(line.text) < 120 else []
        for place, (start, end, kind) in enumerate(found):
            # A label starts its line, or stands in a row of labels; inside running text it is a word like any other.
            if start > 30 and place == 0:
                continue
            limit = found[place + 1][0] if place + 1 < len(found) else len(line.text)
            for score, item in _candidates(lines, index, kind, start, end, limit, day_first=day_first):
                candidates.setdefault(kind, []).append((score, item))
    best = {kind: max(options, key=lambda option: option[0])[1] for kind, options in candidates.items()}
    best |= _agreeing(candidates)
    if "supplier_name" not in best:
        supplier = _supplier(lines, best.get("receiver_name"))
        if supplier:
            best["supplier_name"] = supplier
    found_entities = list(best.values())
    currency = _currency(lines, best)
    if currency:
        found_entities.append(currency)
    return found_entities


def _candidates(
    lines: Sequence[PlacedLine], index: int, kind: str, start: int, end: int, limit: int, *, day_first: bool
) -> Iterator[tuple[float, Entity]]:
    """Values that the label at this place may have, with a score."""
    line = lines[index]
    label = line.text[start:end]
    for place in _places(lines, index, end):
        stop = limit if place.line is line else len(place.line.text)
        item = _value(kind, place, stop, day_first=day_first)
        if item is None:
            continue
        score = place.confidence
        if kind in _MONEY_FIELDS:
            score += 0.5 if item.money and item.money.decimals else 0.0
            score += 1.0 if kind == "total_amount" and _STRONG_TOTAL.search(label) else 0.0
            score += 0.02 * line.page + 0.3 * line.line.box.middle / max(line.page_height, 1.0)
        elif kind in ("invoice_id", "invoice_date", "due_date"):
            score += 0.02 * len(label) - 0.1 * line.page
        yield score, item
        if kind not in _MONEY_FIELDS:
            return


def _places(lines: Sequence[PlacedLine], index: int, end: int) -> Iterator[_Place]:
    """Behind the label, right of it, below it."""
    line = lines[index]
    if line.text[end:].strip(" :.#-"):
        yield _Place(line, end, 0.9)
    box = line.line.box
    right = [
        item
        for item in lines[max(0, index - 40) : index + 40]
        if item.page == line.page and item is not line and item.line.box.x0 >= box.x1 - 1
        and item.line.box.overlap_y(box) > 0.5 * min(box.height, item.line.box.height)
    ]  # fmt: skip
    for item in sorted(right, key=lambda item: item.line.box.x0)[:3]:
        yield _Place(item, 0, 0.85)
    below = [
        item
        for item in lines[max(0, index - 20) : index + 60]
        if item.page == line.page and item is not line
        and 0 < item.line.box.middle - box.middle < 3.2 * max(box.height, item.line.box.height)
        and item.line.box.overlap_x(box) > 0.2 * min(box.width, item.line.box.width)
    ]  # fmt: skip
    for item in sorted(below, key=lambda item: item.line.box.middle)[:1]:
        yield _Place(item, 0, 0.75)


def _value(kind: str, place: _Place, stop: int, *, day_first: bool) -> Entity | None:
    line, text = place.line, place.line.text
    if kind in ("invoice_date", "due_date"):
        for date in values.find_dates(text, day_first=day_first):
            if place.start <= date.start:
                return entity(
                    line,
                    kind,
                    date.start,
                    date.end,
                    place.confidence,
                    date=date.value,
                    normalized=date.value.isoformat(),
                )
        return None
    if kind in _MONEY_FIELDS:
        amounts = [item for item in values.find_amounts(text) if place.start <= item.start]
        return _money_entity(line, kind, amounts[-1], place.confidence) if amounts else None
    if kind in ("invoice_id", "purchase_order"):
        match = _ID_VALUE.search(text, place.start)
        if match is None or match.start() >= max(stop, place.start + 1) or match.start() - place.start > 12:
            return None
        if any(
            date.start <= match.start() < date.end for date in values.find_dates(text, day_first=day_first)
        ):
            return None
        return entity(line, kind, match.start(), match.end(), place.confidence, normalized=match[0])
    return _name(kind, place)


def _name(kind: str, place: _Place) -> Entity | None:
    """Name of a party: the rest of the line, if it is no label and no number."""
    text = place.line.text
    start = place.start
    while start < len(text) and not text[start].isalnum():
        start += 1
    rest = text[start:].rstrip(" ,;:")
    letters = sum(character.isalpha() for character in rest)
    if letters < 3 or letters < 0.5 * len(rest) or len(rest) > 60 or text.rstrip().endswith(":"):
        return None
    if any(begin <= start < end for begin, end, _ in labels.kinds_in(text) if begin >= place.start):
        return None
    return entity(place.line, kind, start, start + len(rest), 0.8 * place.confidence, normalized=rest)


def _agreeing(candidates: dict[str, list[tuple[float, Entity]]]) -> dict[str, Entity]:
    """Net, tax and total that add up, with the strongest labels; else those that at least don't contradict the total."""
    total, net, tax = (
        [(score, item) for score, item in candidates.get(kind, []) if item.money] for kind in _MONEY_FIELDS
    )
    sums = [
        (whole_score + part_score + tax_score, whole, part, duty)
        for whole_score, whole in total
        for part_score, part in net
        for tax_score, duty in tax
        if whole.money and part.money and duty.money and part.money.amount + duty.money.amount == whole.money.amount
        and whole.start not in (part.start, duty.start) and part.start != duty.start and whole.money.amount > 0
    ]  # fmt: skip
    if sums:
        _, *three = max(sums, key=lambda item: item[0])
        return {
            kind: replace(item, type=kind, confidence=max(item.confidence, 0.97))
            for kind, item in zip(_MONEY_FIELDS, three, strict=True)
        }
    return {}


def _supplier(lines: Sequence[PlacedLine], receiver: Entity | None) -> Entity | None:
    """Who sent it: a line with a legal form near the top, else the largest writing there that is no heading and has no price."""
    top = [
        item
        for item in lines
        if item.page == lines[0].page and item.line.turn == 0 and item.line.box.middle < 0.45 * item.page_height
        and 3 <= len(item.text) <= 60 and sum(map(str.isalpha, item.text)) > 0.6 * len(item.text.replace(" ", ""))
        and not (receiver and item.start <= receiver.start < item.start + len(item.text))
    ]  # fmt: skip
    legal = [item for item in top if _LEGAL_FORM.search(item.text)]
    plain = [
        item
        for item in top
        if not labels.INVOICE_WORDS.search(item.text)
        and not labels.kinds_in(item.text)
        and not labels.is_heading(item.text)
        and item.text[0].isalnum()
        and ":" not in item.text
        and not _is_priced(item, lines)
    ]
    if legal:
        return entity(legal[0], "supplier_name", 0, len(legal[0].text), 0.7, normalized=legal[0].text)
    if plain:
        tallest = max(plain[:12], key=lambda item: item.line.box.height)
        return entity(tallest, "supplier_name", 0, len(tallest.text), 0.45, normalized=tallest.text)
    return None


def _is_priced(item: PlacedLine, lines: Sequence[PlacedLine]) -> bool:
    """Whether an amount stands in the same row: then it is something that was bought."""
    box = item.line.box
    return any(
        other is not item
        and other.page == item.page
        and abs(other.line.box.middle - box.middle) < 0.5 * box.height
        and any(
            amount.end - amount.start > 0.6 * len(other.text) for amount in values.find_amounts(other.text)
        )
        for other in lines
    )


def _currency(lines: Sequence[PlacedLine], best: dict[str, Entity]) -> Entity | None:
    """Currency of the document: that of its total, else the one that stands most often."""
    counts: Counter[str] = Counter()
    where: dict[str, Entity] = {}
    total = best.get("total_amount")
    for line in lines:
        for item in values.find_amounts(line.text):
            code = item.value.currency
            if code:
                counts[code] += 100 if total and line.start + item.start == total.start else 1
                where.setdefault(code, entity(line, "currency", item.start, item.end, 0.85, normalized=code))
        for match in re.finditer(r"\b(?:EUR|USD|GBP|CHF|SEK|NOK|DKK|PLN|CAD|AUD|MYR|INR|JPY)\b|€", line.text):
            code = "EUR" if match[0] == "€" else match[0]
            counts[code] += 1
            where.setdefault(code, entity(line, "currency", match.start(), match.end(), 0.8, normalized=code))
    return where[counts.most_common(1)[0][0]] if counts else None
