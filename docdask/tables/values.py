"""Values of entities: text, amounts, currencies, dates, from what the service normalised or from what is printed.

Rule: the service's own normalisation holds; print is parsed only where it can mean one thing (``1.234,50`` can,
``1,234`` is read as a thousand, ``03/04/2024`` is no date).
"""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import Any, NamedTuple

_AMOUNT = re.compile(r"[-−(]?\s*\d[\d.,'’   ]*")
_ISO_DATE = re.compile(r"(?<!\d)(\d{4})-(\d{2})-(\d{2})(?!\d)")
_CODE = re.compile(r"\b[A-Z]{3}\b")
#: Signs that stand for one currency; $, ¥ and kr stand for several.
_SIGNS = {
    "€": "EUR",
    "£": "GBP",
    "₹": "INR",
    "₩": "KRW",
    "₪": "ILS",
    "₺": "TRY",
    "₽": "RUB",
    "₴": "UAH",
    "₫": "VND",
}


class Value(NamedTuple):
    """A normalised value, spread over the columns of ``entities``."""

    normalized: str | None = None
    value: float | None = None
    currency: str | None = None
    date: dt.date | None = None


def normalised(message: Any) -> Value:
    """Value of a NormalizedValue message; all None where it has none."""
    kind = message.WhichOneof("structured_value")
    text = message.text or None
    if kind == "money_value":
        money = message.money_value
        amount = money.units + money.nanos / 1e9
        code = money.currency_code or None
        return Value(text or " ".join(filter(None, (f"{amount:.2f}", code))), amount, code)
    if kind == "date_value":
        day = _date(message.date_value)
        return Value(text or (day.isoformat() if day else None), date=day or iso_date(text))
    if kind == "datetime_value":
        day = _date(message.datetime_value)
        return Value(text or (day.isoformat() if day else None), date=day or iso_date(text))
    if kind == "integer_value":
        return Value(text or str(message.integer_value), float(message.integer_value))
    if kind == "float_value":
        number = message.float_value
        return Value(text or f"{number:g}", number if math.isfinite(number) else None)
    if kind == "boolean_value":
        return Value(text or str(message.boolean_value).lower())
    if kind == "address_value":
        return Value(text or _address(message.address_value))
    return Value(text, date=iso_date(text) if text and _ISO_DATE.fullmatch(text[:10]) else None)


def _date(message: Any) -> dt.date | None:
    try:
        return dt.date(message.year, message.month, message.day)
    except ValueError:
        return None


def _address(message: Any) -> str | None:
    lines = [
        *message.address_lines,
        message.postal_code,
        message.locality,
        message.administrative_area,
        message.region_code,
    ]
    return ", ".join(line for line in lines if line) or None


def iso_date(text: str | None) -> dt.date | None:
    """Date written as ``2024-05-31`` in ``text``; None if there is none."""
    found = _ISO_DATE.search(text or "")
    if not found:
        return None
    try:
        return dt.date(*(int(part) for part in found.groups()))
    except ValueError:
        return None


def amount(text: str) -> float | None:
    """Number printed in ``text``: ``$1,234.50``, ``1.234,50 €``, ``(12.00)``; None if there is none.

    The last of ``.`` and ``,`` is the decimal sign if the other is there too, or if one or two digits follow it.
    """
    found = _AMOUNT.search(text)
    if not found:
        return None
    digits = re.sub(r"[^\d.,]", "", found.group()).rstrip(".,")
    last = max(digits.rfind("."), digits.rfind(","))
    if last >= 0:
        sign = digits[last]
        both = "." in digits and "," in digits
        decimal = digits.count(sign) == 1 and (both or len(digits) - last - 1 in (1, 2))
        whole = re.sub(r"[.,]", "", digits[:last] if decimal else digits)
        digits = f"{whole or 0}.{digits[last + 1 :]}" if decimal else whole
    value = float(digits)
    return -value if found.group()[0] in "-−(" else value


def currency(text: str | None) -> str | None:
    """ISO 4217 code in ``text``, or that of a sign that stands for one currency only."""
    found = _CODE.search(text or "")
    if found:
        return found.group()
    return next((code for sign, code in _SIGNS.items() if sign in (text or "")), None)
