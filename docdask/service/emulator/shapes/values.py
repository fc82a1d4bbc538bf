"""Dates, amounts and currencies in a text, and their normalised values as Google writes them."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

MONEY = re.compile(
    r"(?:[$€£]|USD|EUR|GBP)?\s?-?\d{1,3}(?:[ ,.’']\d{3})*(?:[.,]\d{2})(?!\d)\s?(?:[$€£]|USD|EUR|GBP)?|[$€£]\s?\d+"
)
CURRENCY = re.compile(r"USD|EUR|GBP|CHF|[$€£¥]")
_SYMBOLS = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY"}
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2})(?!\d)"
    r"|(?:\d{1,2}\.?\s)?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?\s(?:\d{1,2},?\s)?\d{4}",
    re.IGNORECASE,
)


def currency_code(text: str) -> str:
    """ISO code of the first currency named in a text, empty if none is."""
    match = CURRENCY.search(text)
    return _SYMBOLS.get(match[0], match[0]) if match else ""


def amount(text: str) -> float | None:
    """Value of an amount, whichever of comma and point is decimal."""
    digits = re.sub(r"[^\d.,-]", "", text)
    match = re.fullmatch(r"(-?[\d.,]*?)(?:[.,](\d{1,2}))?", digits)
    if not match or not re.search(r"\d", digits):
        return None
    whole = re.sub(r"[.,]", "", match[1]) or "0"
    try:
        return float(f"{whole}.{match[2] or 0}")
    except ValueError:
        return None


def money(text: str) -> dict[str, Any]:
    """``normalized_value`` of an amount; empty if it is none."""
    value = amount(text)
    if value is None:
        return {}
    units, code = int(value), currency_code(text)
    parts: dict[str, Any] = {"units": units, "nanos": round((value - units) * 1e9 / 1e7) * 10**7}
    if code:
        parts["currency_code"] = code
    return {"text": f"{value:.2f}".removesuffix(".00") + (f" {code}" if code else ""), "money_value": parts}


def day(text: str) -> dict[str, Any]:
    """``normalized_value`` of a date; empty if it is none. 01/02/2025 is read as the first of February."""
    found = _date(text)
    if found is None:
        return {}
    parts = {"year": found.year, "month": found.month, "day": found.day}
    return {"text": found.isoformat(), "date_value": parts}


def _date(text: str) -> date | None:
    numbers = [int(part) for part in re.findall(r"\d+", text)]
    month = re.search(r"[A-Za-z]{3}", text)
    try:
        if month and month[0].lower() in _MONTHS:
            number = _MONTHS.index(month[0].lower()) + 1
            return date(numbers[-1], number, numbers[0] if len(numbers) > 1 else 1)
        if len(numbers) < 3:
            return None
        if numbers[0] > 31:
            return date(numbers[0], numbers[1], numbers[2])
        year = numbers[2] + (2000 if numbers[2] < 100 else 0)
        first, second = numbers[0], numbers[1]
        return date(year, first, second) if second > 12 else date(year, second, first)
    except ValueError:
        return None
