"""Reads the line items of an invoice from its tables: one entity a row, with description, quantity, price and amount.

Rules: a table is one of line items when its headings name a description and an amount or price; sums under the items
(rows whose first words are a label such as "Total") are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from docdask.service.offline import labels, values
from docdask.service.offline.entities import Entity
from docdask.service.offline.page import Word, union
from docdask.service.offline.tables import Cell, Grid
from docdask.service.offline.values import Money


def find(grid: Grid, spans: Mapping[int, tuple[int, int]], page: int) -> list[Entity]:
    """Line items of a table.

    Parameters
    ----------
    grid
        The table.
    spans
        Where each word stands in the document's text, by its ``id``.
    page
        1-based page number.
    """
    kinds = _headings(grid)
    if "description" not in kinds.values() or not {"amount", "unit_price"} & set(kinds.values()):
        return []
    items: list[Entity] = []
    for row in grid.rows[grid.header_rows :]:
        parts = [
            part
            for index, cell in _numbered(row)
            if index in kinds and cell.words and (part := _part(kinds[index], cell, spans, page)) is not None
        ]
        told = {part.type for part in parts}
        words = tuple(word for cell in row for word in cell.words)
        if (
            len(told) < 2
            or not words
            or "line_item/description" not in told
            or labels.kinds_in(words[0].text)
        ):
            continue
        items.append(_entity("line_item", words, spans, page, 0.7, properties=tuple(parts)))
    return items


def _numbered(row: tuple[Cell, ...]) -> list[tuple[int, Cell]]:
    """Cells with the number of their first column."""
    out, column = [], 0
    for cell in row:
        out.append((column, cell))
        column += cell.column_span
    return out


def _headings(grid: Grid) -> dict[int, str]:
    """Kind of each column whose heading is known; each kind once, the amount rightmost."""
    kinds: dict[int, str] = {}
    for row in grid.rows[: grid.header_rows]:
        for index, cell in _numbered(row):
            for kind in ("unit_price", "quantity", "amount", "description"):
                if cell.words and labels.column_pattern(kind).search(cell.text):
                    if kind == "amount":
                        kinds = {other: name for other, name in kinds.items() if name != "amount"}
                    if kind not in kinds.values():
                        kinds[index] = kind
                    break
    return kinds


def _part(kind: str, cell: Cell, spans: Mapping[int, tuple[int, int]], page: int) -> Entity | None:
    """Property of a line item; None where the cell does not hold such a value."""
    text = cell.text
    name = f"line_item/{kind}"
    if kind == "description":
        return _entity(name, cell.words, spans, page, 0.75, normalized=text)
    if kind == "quantity":
        number = values.parse_number(text.split()[0])
        return (
            _entity(name, cell.words, spans, page, 0.75, normalized=str(number))
            if number is not None
            else None
        )
    found = values.find_amounts(text)
    money = found[0].value if found else _bare(text)
    if money is None:
        return None
    plain = f"{money.amount} {money.currency}".strip()
    return _entity(name, cell.words, spans, page, 0.75, money=money, normalized=plain)


def _bare(text: str) -> Money | None:
    number: Decimal | None = values.parse_number(text)
    return Money(number, "", decimals=False) if number is not None else None


def _entity(
    kind: str,
    words: tuple[Word, ...],
    spans: Mapping[int, tuple[int, int]],
    page: int,
    confidence: float,
    *,
    money: Money | None = None,
    normalized: str = "",
    properties: tuple[Entity, ...] = (),
) -> Entity:
    places = [spans[id(word)] for word in words]
    sure = confidence * sum(word.confidence for word in words) / len(words)
    return Entity(
        kind, " ".join(word.text for word in words), page, union(word.box for word in words),
        min(start for start, _ in places), max(end for _, end in places), round(sure, 4),
        money=money, normalized=normalized, properties=properties,
    )  # fmt: skip
