"""Reads dates and amounts as people write them in English, German, French, Spanish, Italian and Dutch.

Rules: what can't be a date or an amount gives None, never a guess outside the calendar; of two readings of 3/4/2024 the
caller says which (`day_first`); the last separator of a number is its decimal point only where one or two digits
follow it, or where another separator groups the thousands.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, TypeVar

_MONTHS = {
    1: "january jan januar jänner janvier janv enero ene gennaio gen januari",
    2: "february feb februar février fevrier févr fev febrero febbraio februari",
    3: "march mar märz maerz mär mars marzo maart mrt",
    4: "april apr avril avr abril abr aprile",
    5: "may mai mayo maggio mag mei",
    6: "june jun juni juin junio giugno giu",
    7: "july jul juli juillet juil julio luglio lug",
    8: "august aug août aout agosto ago augustus",
    9: "september sep sept septembre septiembre settembre set",
    10: "october oct oktober okt octobre octubre ottobre ott",
    11: "november nov novembre noviembre",
    12: "december dec dezember dez décembre déc diciembre dic dicembre",
}
_MONTH_NUMBER = {name: number for number, names in _MONTHS.items() for name in names.split()}
_MONTH = "(" + "|".join(sorted(map(re.escape, _MONTH_NUMBER), key=len, reverse=True)) + r")\.?"

_DATE_PATTERNS = (
    ("ymd", re.compile(r"(?<![\d./-])(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?![\d/-])")),
    ("xxy", re.compile(r"(?<![\d./-])(\d{1,2})\s?([-/.])\s?(\d{1,2})\s?\2\s?(\d{4}|\d{2})(?![\d/-])")),
    ("dmy", re.compile(rf"(?<!\d)(\d{{1,2}})(?:st|nd|rd|th|er|\.)?[\s-]*(?:de\s+)?{_MONTH}[\s,-]*(?:de\s+)?(\d{{4}}|\d{{2}}(?!\d|:))", re.IGNORECASE)),
    ("mdy", re.compile(rf"\b{_MONTH}[\s-]*(\d{{1,2}})(?:st|nd|rd|th)?(?:\s*,\s*|\s+|-)(\d{{4}})(?!\d)", re.IGNORECASE)),
    ("cjk", re.compile(r"(\d{4})\s?年\s?(\d{1,2})\s?月\s?(\d{1,2})\s?日")),
)  # fmt: skip

_SYMBOLS = {
    "€": "EUR",
    "£": "GBP",
    "$": "USD",
    "¥": "JPY",
    "₹": "INR",
    "₽": "RUB",
    "₩": "KRW",
    "zł": "PLN",
    "US$": "USD",
    "RM": "MYR",
}
_CODES = [
    "EUR",
    "USD",
    "GBP",
    "CHF",
    "JPY",
    "CNY",
    "INR",
    "SEK",
    "NOK",
    "DKK",
    "PLN",
    "CZK",
    "HUF",
    "CAD",
    "AUD",
    "NZD",
    "SGD",
    "MYR",
    "BRL",
    "MXN",
    "ZAR",
    "RUB",
    "TRY",
    "KRW",
]
_CURRENCY = (
    "(?:"
    + "|".join([r"US\$", r"[€£$¥₹₽₩]", "zł", r"RM(?=\s?\d)", *(rf"\b{code}\b" for code in _CODES)])
    + ")"
)
_NUMBER = r"\d{1,3}(?:[.,'’\u00a0\u202f ]\d{3})+(?:[.,]\d{1,2})?(?![\d])|\d+(?:[.,]\d{1,2})?(?![\d])"
_AMOUNT = re.compile(
    rf"(?P<before>{_CURRENCY})?\s?(?P<sign>[-−(])?\s?(?<![\d.,/])(?<!\d-)(?P<number>{_NUMBER})(?:,-)?(?P<close>\)|-(?!\d))?\s?(?P<after>{_CURRENCY})?"
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """A value and where it stands in the text (half-open)."""

    start: int
    end: int
    value: T


@dataclass(frozen=True, slots=True)
class Money:
    """An amount; the currency is empty where it is not told."""

    amount: Decimal
    currency: str
    decimals: bool
    """Whether decimals are written."""


def find_dates(text: str, *, day_first: bool = True) -> list[Found[dt.date]]:
    """Dates in a text, from left to right.

    Parameters
    ----------
    text
        One line or more.
    day_first
        How to read 3/4/2024; where only one reading is a date, that one is taken. Dots always put the day first.
    """
    found: list[Found[dt.date]] = []
    taken: list[tuple[int, int]] = []
    for kind, pattern in _DATE_PATTERNS:
        for match in pattern.finditer(text):
            if any(match.start() < end and start < match.end() for start, end in taken):
                continue
            date = _date(kind, match, day_first=day_first)
            if date:
                found.append(Found(match.start(), match.end(), date))
                taken.append(match.span())
    return sorted(found, key=lambda item: item.start)


def _date(kind: str, match: re.Match[str], *, day_first: bool) -> dt.date | None:
    if kind == "ymd":
        return _valid(match[1], match[3], match[4])
    if kind == "cjk":
        return _valid(match[1], match[2], match[3])
    if kind == "dmy":
        return _valid(match[3], str(_MONTH_NUMBER[match[2].lower()]), match[1])
    if kind == "mdy":
        return _valid(match[3], str(_MONTH_NUMBER[match[1].lower()]), match[2])
    first, second = (match[1], match[3]) if day_first or match[2] == "." else (match[3], match[1])
    return _valid(match[4], second, first) or _valid(match[4], first, second)


def _valid(year: str, month: str, day: str) -> dt.date | None:
    number = int(year)
    if len(year) == 2:
        number += 2000 if number < 70 else 1900
    if not 1500 <= number <= 2200:
        return None
    try:
        return dt.date(number, int(month), int(day))
    except ValueError:
        return None


def day_first_by(text: str, language: str) -> bool:
    """Whether dates such as 3/4/2024 put the day first: by other dates of the document, else by its language."""
    pairs = re.findall(r"(?<![\d/])(\d{1,2})/(\d{1,2})/\d{2,4}(?![\d/])", text)
    if any(int(first) > 12 >= int(second) for first, second in pairs):
        return True
    if any(int(second) > 12 >= int(first) for first, second in pairs):
        return False
    british = "£" in text or re.search(r"\b(VAT|GST|Pty|Ltd|IBAN)\b", text) is not None
    return language != "en" or british


def parse_number(text: str) -> Decimal | None:
    """Number with separators of any of the locales; None if it is none.

    >>> parse_number("1.234,50"), parse_number("1,234.5"), parse_number("1'000"), parse_number("1.234")
    (Decimal('1234.50'), Decimal('1234.5'), Decimal('1000'), Decimal('1234'))
    """
    digits = re.sub(r"[\s'’\u00a0\u202f]", "", text)
    if not re.fullmatch(r"\d[\d.,]*", digits):
        return None
    last = max(digits.rfind("."), digits.rfind(","))
    if last >= 0:
        whole, fraction = digits[:last], digits[last + 1 :]
        groups = re.split(r"[.,]", whole)
        other = any(mark in whole for mark in ".," if mark != digits[last])
        if len(fraction) in (1, 2) or (other and fraction):
            digits = "".join(groups) + "." + fraction
        else:
            digits = "".join(groups) + fraction
    return Decimal(digits)


def find_amounts(text: str) -> list[Found[Money]]:
    """Amounts in a text: with a currency, or with two decimals."""
    found: list[Found[Money]] = []
    for match in _AMOUNT.finditer(text):
        sign = match["before"] or match["after"] or ""
        number = parse_number(match["number"])
        decimals = re.search(r"[.,]\d{2}$", match["number"]) is not None
        if number is None or not (sign or decimals) or text[match.end() : match.end() + 1] in ("%", "/"):
            continue
        if text[match.end() :].lstrip()[:1] == "%":
            continue
        negative = (
            match["sign"] in ("-", "−")
            or (match["sign"] == "(" and match["close"] == ")")
            or match["close"] == "-"
        )
        start, end = match.span()
        while start < end and text[start].isspace():
            start += 1
        end = start + len(text[start:end].rstrip())
        currency = _SYMBOLS.get(sign, sign)
        found.append(Found(start, end, Money(-number if negative else number, currency, decimals)))
    return found


_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_URL = re.compile(r"(?:https?://|www\.)[^\s<>\"']+[^\s<>\"'.,;:)]", re.IGNORECASE)
_PHONE = re.compile(
    r"(?<![\w.,/-])(?:\+\d{1,3}[\s.-]?)?(?:\(\d{1,5}\)[\s.-]?)?\d{2,5}(?:[\s./-]\d{2,8}){1,4}(?![\w/-]|[.,]\d)"
)
_PHONE_LABEL = re.compile(
    r"\b(?:tel|phone|telephone|telefon|tél|téléphone|teléfono|telefono|telefoon|fax|mobile|mobil|cell)\b",
    re.IGNORECASE,
)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{4}){2,7}(?:\s?[A-Z0-9]{1,4})?\b")


def find_emails(text: str) -> list[Found[str]]:
    """E-mail addresses."""
    return [Found(*match.span(), match[0]) for match in _EMAIL.finditer(text)]


def find_urls(text: str) -> list[Found[str]]:
    """Web addresses with a scheme or ``www``."""
    return [Found(*match.span(), match[0]) for match in _URL.finditer(text)]


def find_phones(text: str) -> list[Found[str]]:
    """Telephone numbers: with a country code, or behind a word for telephone."""
    found = []
    for match in _PHONE.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        told = match[0].startswith("+") or _PHONE_LABEL.search(
            text[max(0, match.start() - 24) : match.start()]
        )
        american = re.fullmatch(r"\(\d{3}\)[\s-]?\d{3}[-.\s]\d{4}", match[0])
        if 7 <= len(digits) <= 15 and (told or american):
            found.append(Found(match.start(), match.end(), match[0]))
    return found


def find_ibans(text: str) -> list[Found[str]]:
    """International bank account numbers whose check digits are right (ISO 13616, modulo 97)."""
    found = []
    for match in _IBAN.finditer(text):
        for end in range(match.end(), match.start() + 14, -1):
            plain = text[match.start() : end].replace(" ", "")
            if 15 <= len(plain) <= 34 and _iban_valid(plain):
                found.append(Found(match.start(), end, plain))
                break
    return found


def _iban_valid(iban: str) -> bool:
    moved = iban[4:] + iban[:4]
    return int("".join(str(int(character, 36)) for character in moved)) % 97 == 1
