"""Measures how far a found text, field, form or table is from the true one.

Rules: white space and Unicode composition never count; characters are compared as they are, names and values without
regard to case; an amount is right to the cent.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

#: Entity types that answer for a field, the exact one first.
_TYPES = {
    "invoice_date": ("invoice_date", "date"),
    "receipt_date": ("receipt_date", "purchase_date", "invoice_date", "date"),
    "due_date": ("due_date", "date"),
    "supplier_email": ("supplier_email", "email"),
    "net_amount": ("net_amount", "subtotal_amount"),
    "total_tax_amount": ("total_tax_amount", "tax_amount"),
}
#: A table may be found with this many rows too many or too few above it.
_ROW_SHIFT = 2


def normal(text: str) -> str:
    """Composed (NFC), with single blanks for white space."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def edits(found: str, true: str) -> int:
    """Least number of characters to insert, delete or replace (Levenshtein).

    Bit-parallel, after Hyyrö, *A bit-vector algorithm for computing Levenshtein and Damerau edit distances*, 2003, with
    Python's integers as vectors: a page of 3,000 characters takes a few milliseconds.
    """
    if not true:
        return len(found)
    matches: dict[str, int] = {}
    for place, character in enumerate(true):
        matches[character] = matches.get(character, 0) | 1 << place
    full, last = (1 << len(true)) - 1, 1 << (len(true) - 1)
    plus, minus, score = full, 0, len(true)
    for character in found:
        equal = matches.get(character, 0)
        across = (((equal & plus) + plus) ^ plus | equal) & full
        up = minus | ~(across | plus) & full
        down = plus & across
        score += bool(up & last) - bool(down & last)
        up = (up << 1 | 1) & full
        diagonal = equal | minus
        plus = down << 1 & full | ~(diagonal | up) & full
        minus = up & diagonal
    return score


def words_found(found: str, true: str) -> tuple[int, int]:
    """Words of the truth that were found, in whatever order, and words of the truth."""
    wanted = Counter(normal(true).casefold().split())
    return (wanted & Counter(normal(found).casefold().split())).total(), wanted.total()


def field_verdict(key: str, true: Any, entities: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Judge one field: ``right``, ``wrong`` (its type is there with another value) or ``missing``; and what was found.

    Parameters
    ----------
    key
        Entity type; ``currency`` is looked up in the column of the amounts.
    true
        Text, ISO date or number.
    entities
        Rows of the table ``entities`` for the document.
    """
    if key == "currency":
        found = [row["currency"] for row in entities if row["type"] == "total_amount" and row["currency"]]
        if true in found:
            return "right", ""
        return ("wrong", found[0]) if found else ("missing", "")
    types = _TYPES.get(key, (key,))
    if any(row["type"] in types and _equal(true, row) for row in entities):
        return "right", ""
    exact = [row for row in entities if row["type"] == key]
    return ("wrong", str(exact[0]["text"] or "")) if exact else ("missing", "")


def _equal(true: Any, row: Mapping[str, Any]) -> bool:
    if isinstance(true, int | float):
        value = row["value"]
        return value is not None and value == value and abs(value - true) < 0.005  # noqa: PLR0124 - not NaN
    date: Any = row.get("date")
    iso = date.isoformat()[:10] if hasattr(date, "isoformat") and date == date else ""  # noqa: PLR0124 - not NaT
    return bool(true == iso) or normal(str(row["text"] or "")).casefold() == normal(true).casefold()


def form_fields_right(true: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names of the fields whose value, or tick, was found as it is."""
    found: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        name = normal(str(row["name"] or "")).rstrip(": ").casefold()
        found.setdefault(name, []).append(
            (normal(str(row["value"] or "")).casefold(), row["value_type"] or "")
        )
    right = []
    for name, value in true.items():
        candidates = found.get(normal(name).casefold(), [])
        place = 1 if value.endswith("filled_checkbox") else 0
        if any(candidate[place] == normal(value).casefold() for candidate in candidates):
            right.append(name)
    return right


def cells_right(true: Sequence[Sequence[str]], rows: Iterable[Mapping[str, Any]]) -> int:
    """Cells of one true table that stand in the same row and column of the found table that fits best.

    ``rows`` are those of the table ``table_cells`` for the page; a title or blank row above the table is forgiven.
    """
    tables: dict[int, dict[tuple[int, int], str]] = {}
    for row in rows:
        cell = normal(str(row["text"] or "")).casefold()
        tables.setdefault(int(row["table_number"]), {})[int(row["row"]), int(row["column"])] = cell
    wanted = {(r, c): normal(text).casefold() for r, row in enumerate(true) for c, text in enumerate(row)}
    return max(
        (
            sum(table.get((r + shift, c)) == text for (r, c), text in wanted.items())
            for table in tables.values()
            for shift in range(-_ROW_SHIFT, _ROW_SHIFT + 1)
        ),
        default=0,
    )
