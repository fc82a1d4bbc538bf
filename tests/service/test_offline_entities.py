"""Entities from lines and the places where they stand."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from offline_making import line

from docdask.service.offline import entities, labels, lineitems
from docdask.service.offline.page import Box
from docdask.service.offline.tables import Cell, Grid


def placed(rows):
    """Lines of one page, one below the other or at given places, with their offsets in the text."""
    out, start = [], 0
    for index, row in enumerate(rows):
        text, x, y = row if isinstance(row, tuple) else (row, 50, 60 + 20 * index)
        item = line(text, x, y)
        out.append(entities.placed(item, 1, start, 595, 842))
        start += len(item.text) + 1
    return out


def found(rows, language="en"):
    lines = placed(rows)
    text = "\n".join(item.text for item in lines)
    items = entities.find(lines, language)
    for item in items:
        assert text[item.start : item.end] == item.text
    return {item.type: item for item in items}, items


def test_the_fields_of_an_invoice_are_found():
    by_type, _ = found(
        ["Example Supplies Ltd", "Invoice number: INV-2024-0042", "Invoice date: 05/31/2024", "Due date: 06/30/2024",
         "Bill to: Jane Doe", "Subtotal $100.00", "Tax $19.00", "Total $119.00", "mail: pay@example.com"]
    )  # fmt: skip
    assert by_type["supplier_name"].text == "Example Supplies Ltd"
    assert by_type["invoice_id"].text == "INV-2024-0042"
    assert by_type["invoice_date"].date == dt.date(2024, 5, 31)
    assert by_type["due_date"].date == dt.date(2024, 6, 30)
    assert by_type["receiver_name"].text == "Jane Doe"
    assert by_type["net_amount"].money.amount == Decimal("100.00")
    assert by_type["total_tax_amount"].money.amount == Decimal("19.00")
    assert by_type["total_amount"].money.amount == Decimal("119.00")
    assert by_type["total_amount"].confidence > 0.95, "the three agree"
    assert by_type["currency"].normalized == "USD"
    assert by_type["email"].text == "pay@example.com"


def test_german_labels_and_decimal_commas_are_read():
    by_type, _ = found(
        ["Muster GmbH", "Rechnung", "Rechnungsnummer: 4711", "Rechnungsdatum: 01.02.2024", "Zwischensumme 1.000,00 €",
         "MwSt. 19 % 190,00 €", "Gesamtbetrag 1.190,00 €"], "de",
    )  # fmt: skip
    assert by_type["invoice_id"].text == "4711"
    assert by_type["invoice_date"].date == dt.date(2024, 2, 1)
    assert by_type["total_amount"].money.amount == Decimal("1190.00")
    assert by_type["currency"].normalized == "EUR"
    assert by_type["supplier_name"].text == "Muster GmbH"


def test_something_that_was_bought_is_not_the_supplier():
    """However large it is printed: on a photograph of a receipt lines differ in height by chance."""
    lines = placed(
        [
            ("Bellweather Grocers", 150, 40),
            ("Receipt 268461", 150, 60),
            ("7.38", 300, 100),
            ("TOTAL", 50, 140),
            ("£7.38", 300, 140),
        ]
    )
    bought = entities.placed(line("2 x Basmati rice", 50, 99, high=12), 1, 200, 595, 842)
    by_type = {item.type: item for item in entities.find([*lines, bought], "en")}
    assert by_type["supplier_name"].text == "Bellweather Grocers"


def test_a_supplier_beside_the_date_is_still_the_supplier():
    by_type, _ = found(
        [
            ("Bellweather Grocers", 50, 40),
            ("12.05.2024", 400, 40),
            ("Receipt 268461", 50, 80),
            ("TOTAL £7.38", 50, 140),
        ]
    )
    assert by_type["supplier_name"].text == "Bellweather Grocers"


def test_a_value_right_of_its_label_or_below_it_is_found():
    by_type, _ = found(
        [
            ("Invoice", 50, 40),
            ("Invoice date", 50, 100),
            ("2024-05-31", 300, 100),
            ("Amount due", 50, 140),
            ("EUR 75.00", 50, 154),
        ]
    )
    assert by_type["invoice_date"].date == dt.date(2024, 5, 31)
    assert by_type["total_amount"].money.amount == Decimal("75.00")


def test_the_total_that_adds_up_wins_over_the_one_that_does_not():
    by_type, _ = found(
        [
            "Invoice",
            "Subtotal $112.00",
            "Subtotal $150.90",
            "Subtotal $262.90",
            "Tax $16.94",
            "Total $112.90",
            "Total $279.84",
        ]
    )
    amounts = [by_type[kind].money.amount for kind in ("net_amount", "total_tax_amount", "total_amount")]
    assert amounts == [Decimal("262.90"), Decimal("16.94"), Decimal("279.84")]


def test_a_letter_has_dates_and_amounts_but_no_invoice_fields():
    by_type, items = found(["Dear Jane,", "on 31 May 2024 we paid $12.50 in total for lunch.", "Yours, Joe"])
    assert {item.type for item in items} == {"date", "amount"}
    assert by_type["date"].normalized == "2024-05-31"


def test_subtotal_is_not_total():
    assert labels.kinds_in("Subtotal") == [(0, 8, "net_amount")]
    assert labels.kinds_in("Grand total") == [(0, 11, "total_amount")]
    assert labels.kinds_in("totally") == []


@pytest.mark.parametrize("kind", sorted(labels.LABELS))
def test_every_label_pattern_matches_something(kind):
    assert labels.pattern(kind).pattern
    assert not labels.pattern(kind).fullmatch("")


def test_line_items_come_from_a_table_with_known_headings():
    rows, spans, at = [], {}, 0
    for r, texts in enumerate(
        [
            ("Description", "Qty", "Unit price", "Amount"),
            ("Blue pen", "3", "1.50", "4.50"),
            ("Total", "", "", "4.50"),
        ]
    ):
        cells = []
        for c, text in enumerate(texts):
            words = line(text, 50 + 120 * c, 100 + 20 * r).words if text else ()
            for word in words:
                spans[id(word)] = (at, at + len(word.text))
                at += len(word.text) + 1
            cells.append(Cell(Box(50 + 120 * c, 100 + 20 * r, 170 + 120 * c, 120 + 20 * r), tuple(words)))
        rows.append(tuple(cells))
    (item,) = lineitems.find(Grid(Box(50, 100, 530, 160), tuple(rows), 1, 0.9), spans, 1)
    assert [(part.type, part.text) for part in item.properties] == [
        ("line_item/description", "Blue pen"), ("line_item/quantity", "3"), ("line_item/unit_price", "1.50"), ("line_item/amount", "4.50"),
    ]  # fmt: skip
