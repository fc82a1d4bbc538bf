"""The wide form of invoices and receipts: one row a document, from its entities.

Rules: entity types are those of Google's invoice and expense parsers, which the offline engine uses too; of several
candidates the most confident wins; the row's confidence is that of its least sure value, so that sorting by it gives
what to look at first. A document is in the table if its kind is invoice or receipt, or if the processor is made for
those.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from docdask.tables import schema, values

_TYPES = {
    "supplier": ("supplier_name", "vendor_name", "merchant_name", "remit_to_name"),
    "receiver": ("receiver_name", "customer_name", "bill_to_name", "ship_to_name"),
    "invoice_number": ("invoice_id", "invoice_number", "receipt_id", "receipt_number"),
    "invoice_date": ("invoice_date", "receipt_date", "purchase_date", "transaction_date"),
    "due_date": ("due_date", "payment_due_date"),
    "net": ("net_amount", "subtotal", "subtotal_amount"),
    "tax": ("total_tax_amount", "tax_amount"),
    "total": ("total_amount", "total", "amount_due"),
    "currency": ("currency",),
}
#: Entity type → column and rank; a lower rank wins before confidence does.
_COLUMN = {kind: (column, rank) for column, kinds in _TYPES.items() for rank, kind in enumerate(kinds)}
_ENTITY = {column.name: index for index, column in enumerate(schema.ENTITIES.columns)}


class _Candidate(NamedTuple):
    rank: int
    doubt: float
    row: tuple[Any, ...]


def kind_of(kind: str | None, processors: Iterable[str]) -> str | None:
    """``invoice`` or ``receipt`` if the document belongs in the table, else None."""
    if kind in {"invoice", "receipt"}:
        return kind
    names = " ".join(processors).upper()
    if "INVOICE" in names:
        return "invoice"
    return "receipt" if "EXPENSE" in names or "RECEIPT" in names else None


def read_invoice(entities: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    """Values of the columns of ``invoices`` that entities tell, from rows of ``entities``."""
    best: dict[str, _Candidate] = {}
    for row in entities:
        column, rank = _COLUMN.get(row[_ENTITY["type"]], (None, 0))
        if column is None or row[_ENTITY["parent_id"]] is not None or _read(column, row) is None:
            continue
        candidate = _Candidate(rank, -(row[_ENTITY["confidence"]] or 0.0), row)
        if column not in best or candidate[:2] < best[column][:2]:
            best[column] = candidate
    found = {column: _read(column, candidate.row) for column, candidate in best.items()}
    if found.get("currency") is None:
        found["currency"] = _currency_of_amounts(best)
    known = [c.row[_ENTITY["confidence"]] for c in best.values() if c.row[_ENTITY["confidence"]] is not None]
    found["confidence"] = min(known, default=None)
    return found


def _read(column: str, row: tuple[Any, ...]) -> Any:
    text, normalized = row[_ENTITY["text"]], row[_ENTITY["normalized"]]
    if column in {"invoice_date", "due_date"}:
        return row[_ENTITY["date"]] or values.iso_date(normalized) or values.iso_date(text)
    if column in {"net", "tax", "total"}:
        value = row[_ENTITY["value"]]
        return value if value is not None else values.amount(normalized or text)
    if column == "currency":
        return values.currency(normalized) or values.currency(text)
    return " ".join((text or normalized or "").split()) or None


def _currency_of_amounts(best: dict[str, _Candidate]) -> str | None:
    for column in ("total", "net", "tax"):
        if column in best:
            row = best[column].row
            code = row[_ENTITY["currency"]] or values.currency(row[_ENTITY["text"]])
            if code:
                return str(code)
    return None
