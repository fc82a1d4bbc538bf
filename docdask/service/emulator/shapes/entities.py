"""Invoice, expense and custom entities by label and pattern, with Google's type names and normalised values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from docdask.service.emulator.shapes import values
from docdask.service.emulator.shapes.fields import pairs
from docdask.service.emulator.shapes.view import Entities, Piece, all_lines, lines_of

Normalise = Callable[[str], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Rule:
    """An entity type, the label that announces it, and what its value looks like."""

    kind: str
    label: re.Pattern[str]
    value: re.Pattern[str]
    normalise: Normalise | None = None
    last: bool = False
    """The last match wins (totals stand at the end)."""


def _rule(
    kind: str,
    label: str,
    value: str | re.Pattern[str],
    normalise: Normalise | None = None,
    *,
    last: bool = False,
) -> Rule:
    pattern = value if isinstance(value, re.Pattern) else re.compile(value)
    return Rule(kind, re.compile(label, re.IGNORECASE), pattern, normalise, last)


_ID = re.compile(r"(?:NO\.?\s*)?[A-Z0-9][A-Z0-9/_.-]*\d[A-Z0-9/_-]*", re.IGNORECASE)
_REST = re.compile(r"\S.*\S|\S")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+\w")
_PHONE = re.compile(r"\+?\d[\d ()/.-]{7,}\d")

INVOICE_RULES = (
    _rule("invoice_id", r"invoice\s*(?:no|number|nr|#|id)\b\.?|facture\s*n|rechnung(?:s-?)?\s*(?:nr|nummer)", _ID),
    _rule("invoice_date", r"(?:invoice\s*)?date(?:\s+of\s+issue)?\b|rechnungsdatum|date\s*de\s*facture", values.DATE, values.day),
    _rule("due_date", r"due\s*date|payment\s*due|due\b|f[äa]llig", values.DATE, values.day),
    _rule("purchase_order", r"p\.?o\.?\s*(?:no|number|#)\b|purchase\s*order", _ID),
    _rule("payment_terms", r"(?:payment\s*)?terms\b", _REST),
    _rule("net_amount", r"sub\s*-?total|net\s*(?:amount|total)|total\s*ht|netto", values.MONEY, values.money, last=True),
    _rule("total_tax_amount", r"(?:sales\s*)?tax\b|\bvat\b|\btva\b|mwst", values.MONEY, values.money, last=True),
    _rule("freight_amount", r"freight|shipping|delivery\s*(?:fee|cost)", values.MONEY, values.money),
    _rule(
        "total_amount", r"(?:grand\s*|invoice\s*)?total(?:\s*due)?\b(?!\s*(?:ht|tax))|amount\s*due|balance\s*due|gesamt",
        values.MONEY, values.money, last=True,
    ),
    _rule("supplier_iban", r"\biban\b", r"[A-Z]{2}\d{2}[ A-Z0-9]{8,}"),
    _rule("supplier_tax_id", r"(?:vat|tax)\s*(?:id|no|number|reg)\b|ust-?id", r"[A-Z]{0,3}\s?\d[\d ]{5,}\d"),
    _rule("receiver_name", r"bill(?:ed)?\s*to|customer\b|ship\s*to|sold\s*to", _REST),
)  # fmt: skip

EXPENSE_RULES = (
    _rule("receipt_date", r"", values.DATE, values.day),
    _rule("purchase_time", r"", r"\b(?:[01]?\d|2[0-3])[:h][0-5]\d(?::[0-5]\d)?\b"),
    _rule("net_amount", r"sub\s*-?total|net\b|total\s*ht", values.MONEY, values.money, last=True),
    _rule("total_tax_amount", r"\btax\b|\bvat\b|\bgst\b|\btva\b", values.MONEY, values.money, last=True),
    _rule("tip_amount", r"\btip\b|gratuity", values.MONEY, values.money),
    _rule("total_amount", r"\btotal\b|amount\s*due", values.MONEY, values.money, last=True),
    _rule("credit_card_last_four_digits", r"(?:visa|master|amex|card)", r"(?<=[*xX])\d{4}\b"),
)


#: What the engine calls by another name than Google: type, then the types of the first, second … of its kind.
_INVOICE_NAMES = {
    "email": ("supplier_email", "receiver_email"),
    "phone": ("supplier_phone", "receiver_phone"),
    "url": ("supplier_website",),
    "iban": ("supplier_iban",),
}
_EXPENSE_NAMES = {"invoice_date": ("receipt_date",), "phone": ("supplier_phone",), "date": ("receipt_date",)}
#: Types of which a document may have several.
_REPEATED = frozenset({"line_item", "vat"})
#: Types of the engine that Google's parsers do not have.
_FOREIGN = frozenset({"date", "amount", "email", "phone", "url", "iban"})


def add_invoice(document: Any, found: list[Any]) -> None:
    """Add the entities of the Invoice Parser: what the engine found, then what the rules find beside it."""
    writer, lines = Entities(document), all_lines(document)
    known = _adopt(writer, found, _INVOICE_NAMES)
    _labelled(writer, lines, tuple(rule for rule in INVOICE_RULES if rule.kind not in known))
    if not {"supplier_email", "supplier_phone"} & known:
        _contacts(writer, lines)
    _rest(writer, document, lines, known)


def add_expense(document: Any, found: list[Any]) -> None:
    """Add the entities of the Expense Parser: what the engine found, then what the rules find beside it."""
    writer, lines = Entities(document), all_lines(document)
    known = _adopt(writer, found, _EXPENSE_NAMES)
    _labelled(writer, lines, tuple(rule for rule in EXPENSE_RULES if rule.kind not in known))
    _rest(writer, document, lines, known)
    if not any(entity.type_ == "line_item" for entity in writer.all):
        _receipt_items(writer, lines)


def _rest(writer: Entities, document: Any, lines: list[Piece], known: set[str]) -> None:
    if "currency" not in known:
        _currency(writer, lines)
    if "supplier_name" not in known:
        _supplier(writer, lines)
    if "line_item" not in known:
        _line_items(writer, document, ("description", "quantity", "unit_price", "amount"))


def _adopt(writer: Entities, found: list[Any], names: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Take over the engine's entities under Google's names; the types that are there then."""
    seen: dict[str, int] = {}
    for entity in found:
        kinds = names.get(entity.type_, () if entity.type_ in _FOREIGN else (entity.type_,))
        position = seen.get(entity.type_, 0)
        seen[entity.type_] = position + 1
        if entity.type_ in _REPEATED:
            writer.adopt(entity, entity.type_)
        elif position < len(kinds):
            writer.adopt(entity, kinds[position])
    return {entity.type_ for entity in writer.all}


def add_custom(document: Any, schema: Any) -> None:
    """Add an entity for each property of the schema whose name is a label on the page; all labels without a schema."""
    writer = Entities(document)
    wanted = {
        _plain(item.name): item.name for kind in schema.entity_types for item in kind.properties
    } if schema is not None else {}  # fmt: skip
    for page in range(len(document.pages)):
        for label, value in pairs(document, page):
            name = _plain(label.text)
            if not wanted or name in wanted:
                kind = wanted.get(name, name)
                writer.add(
                    kind,
                    [value],
                    0.8,
                    normal=values.day(value.text) if values.DATE.fullmatch(value.text) else None,
                )


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:60]


def _labelled(writer: Entities, lines: list[Piece], rules: tuple[Rule, ...]) -> None:
    taken: set[tuple[int, int]] = set()
    for rule in rules:
        matches = [
            value
            for line in lines
            if (value := _value(rule, line, lines)) and (value.start, value.end) not in taken
        ]
        if matches:
            value = matches[-1 if rule.last else 0]
            taken.add((value.start, value.end))
            writer.add(
                rule.kind, [value], 0.85, normal=rule.normalise(value.text) if rule.normalise else None
            )


def _value(rule: Rule, line: Piece, lines: list[Piece]) -> Piece | None:
    """Value after the label, in its line, beside it or below it."""
    label = rule.label.search(line.text)
    if not label:
        return None
    rest = line.text[label.end() :]
    offset = label.end() + len(rest) - len(rest.lstrip(" :#\t"))
    match = rule.value.search(line.text, offset)
    if match and match.end() > match.start():
        return line.part(match.start(), match.end())
    if line.text[offset:].strip():
        return None
    for other in _near(line, lines):
        match = rule.value.match(other.text.lstrip())
        if match:
            return other.part(match.start(), match.end())
    return None


def _near(line: Piece, lines: list[Piece]) -> list[Piece]:
    """The line beside, then the line below."""
    middle = (line.area[1] + line.area[3]) / 2
    page = [other for other in lines if other.page == line.page and other is not line]
    beside = [o for o in page if o.area[0] >= line.area[2] - 0.01 and o.area[1] < middle < o.area[3]]
    below = [
        o for o in page if 0 <= o.area[1] - line.area[3] + 0.005 < 3 * max(0.005, line.height)
        and o.area[0] < line.area[2] and o.area[2] > line.area[0]
    ]  # fmt: skip
    nearest = [min(beside, key=lambda o: o.area[0])] if beside else []
    return nearest + ([min(below, key=lambda o: o.area[1])] if below else [])


def _contacts(writer: Entities, lines: list[Piece]) -> None:
    for index, (pattern, kinds) in enumerate(
        ((_EMAIL, ("supplier_email", "receiver_email")), (_PHONE, ("supplier_phone", "receiver_phone")))
    ):
        found = 0
        for line in lines:
            match = pattern.search(line.text)
            if match and found < 2 and (index == 0 or re.search(r"(?i)tel|phone|fax|\+\d", line.text)):
                writer.add(kinds[found], [line.part(match.start(), match.end())], 0.8)
                found += 1


def _currency(writer: Entities, lines: list[Piece]) -> None:
    for line in lines:
        match = values.CURRENCY.search(line.text)
        if match:
            writer.add(
                "currency",
                [line.part(match.start(), match.end())],
                0.8,
                normal={"text": values.currency_code(match[0])},
            )
            return


def _supplier(writer: Entities, lines: list[Piece]) -> None:
    """The first line of the first page that is a name: words, no label, not the word invoice."""
    for line in lines[:12]:
        words = line.text.strip()
        if (
            len(words) > 2
            and ":" not in words
            and not re.search(r"(?i)invoice|receipt|page|\d{3}|date|@", words)
        ):
            writer.add("supplier_name", [line], 0.6)
            return


_COLUMNS = (
    ("quantity", re.compile(r"(?i)^(?:qty|quantity|hours|units?)\b|menge|quantité")),
    ("unit_price", re.compile(r"(?i)unit\s*price|price|rate|einzelpreis|prix")),
    ("amount", re.compile(r"(?i)amount|total|sum|betrag|montant")),
    ("product_code", re.compile(r"(?i)\bcode\b|sku|item\s*(?:no|#)|artikel")),
    ("description", re.compile(r"(?i)description|item|product|service|details|bezeichnung")),
)
_SUM = re.compile(r"(?i)^\s*(?:sub-?\s*total|total|tax|vat|balance|amount\s*due)\b")
_ITEM = re.compile(
    r"(?P<description>\S.*?)\s+(?P<quantity>\d+(?:[.,]\d+)?)\s+(?P<unit_price>[$€£]?[\d.,]+)\s+(?P<amount>[$€£]?[\d.,]*\d)"
)


def _line_items(writer: Entities, document: Any, names: tuple[str, ...]) -> None:
    for index, page in enumerate(document.pages):
        found = [table for table in page.tables if _table_items(writer, document, index, table)]
        if found:
            continue
        for line in lines_of(document, index):
            match = _ITEM.fullmatch(line.text)
            if (
                match
                and not _SUM.match(line.text)
                and _adds_up(match["quantity"], match["unit_price"], match["amount"])
            ):
                item = writer.add("line_item", [line], 0.8)
                for name in names:
                    piece = line.part(match.start(name), match.end(name))
                    _property(writer, item, name, piece)


def _receipt_items(writer: Entities, lines: list[Piece]) -> None:
    """Items of a receipt: words, then an amount at the end of the line or beside it."""
    for line in lines:
        if (
            _SUM.search(line.text)
            or not re.search(r"[^\W\d_]{3}", line.text)
            or values.DATE.search(line.text)
        ):
            continue
        match = re.search(rf"\s({values.MONEY.pattern})$", line.text)
        if match:
            pieces = [line.part(0, match.start()), line.part(match.start(1), match.end(1))]
        else:
            beside = [other for other in _near(line, lines)[:1] if values.MONEY.fullmatch(other.text)]
            if not beside or beside[0].area[0] < line.area[2] - 0.01:
                continue
            pieces = [line, beside[0]]
        item = writer.add("line_item", pieces, 0.7)
        _property(writer, item, "description", pieces[0])
        _property(writer, item, "amount", pieces[1])


def _property(writer: Entities, item: Any, name: str, piece: Piece) -> None:
    normal = values.money(piece.text) if name in ("unit_price", "amount") else None
    if name == "quantity":
        normal = {"text": piece.text}
    writer.add(f"line_item/{name}", [piece], 0.75, parent=item, normal=normal)


def _adds_up(quantity: str, price: str, total: str) -> bool:
    numbers = [values.amount(text) for text in (quantity, price, total)]
    if any(number is None for number in numbers):
        return False
    a, b, c = (number or 0.0 for number in numbers)
    return abs(a * b - c) <= max(0.02, 0.01 * abs(c))


def _table_items(writer: Entities, document: Any, page: int, table: Any) -> bool:
    """Line items of a table whose header names an amount; whether it is one."""
    header = [_cell(document, page, cell) for cell in table.header_rows[0].cells] if table.header_rows else []
    columns: dict[int, str] = {}
    for position, cell in enumerate(header):
        name = next((name for name, pattern in _COLUMNS if cell and pattern.search(cell.text)), "")
        if name and name not in columns.values():
            columns[position] = name
    if "amount" not in columns.values() and "unit_price" not in columns.values():
        return False
    for row in table.body_rows:
        cells = [
            (columns[i], piece)
            for i, cell in enumerate(row.cells)
            if i in columns and (piece := _cell(document, page, cell))
        ]
        # A row without quantity and price is a subtotal, not an item.
        if len(cells) > 2 and not _SUM.match(cells[0][1].text):
            item = writer.add("line_item", [piece for _, piece in cells], 0.8)
            for name, piece in cells:
                _property(writer, item, name, piece)
    return True


def _cell(document: Any, page: int, cell: Any) -> Piece | None:
    from docdask.service.emulator.documents import box

    segments = cell.layout.text_anchor.text_segments
    if not segments:
        return None
    start, end = segments[0].start_index, segments[-1].end_index
    text = document.text[start:end].strip()
    if not text:
        return None
    start = document.text.index(text, start)
    return Piece(text, start, start + len(text), box(cell.layout), page)
