"""Dates, amounts and addresses as people write them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docdask.service.offline import values


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2024-05-31", (2024, 5, 31)),
        ("31.05.2024", (2024, 5, 31)),
        ("31/5/24", (2024, 5, 31)),
        ("31 May 2024", (2024, 5, 31)),
        ("May 31, 2024", (2024, 5, 31)),
        ("1st of", None),
        ("31. März 2024", (2024, 3, 31)),
        ("le 14 juillet 2023", (2023, 7, 14)),
        ("3 de enero de 2022", (2022, 1, 3)),
        ("5 gennaio 2021", (2021, 1, 5)),
        ("25 mei 2015", (2015, 5, 25)),
        ("2014年05月08日", (2014, 5, 8)),
        ("31.02.2024", None),
        ("version 1.2.3", None),
        ("192.168.10.12", None),
    ],
)
def test_dates_are_read_in_six_languages(text, date):
    found = values.find_dates(text)
    assert [item.value for item in found] == ([dt.date(*date)] if date else [])
    for item in found:
        assert text[item.start : item.end].strip() == text[item.start : item.end]


def test_the_ambiguous_date_is_read_as_told():
    assert values.find_dates("3/4/2024", day_first=True)[0].value == dt.date(2024, 4, 3)
    assert values.find_dates("3/4/2024", day_first=False)[0].value == dt.date(2024, 3, 4)
    assert values.find_dates("3/14/2024", day_first=True)[0].value == dt.date(2024, 3, 14)


def test_other_dates_of_the_document_settle_which_is_the_day():
    assert not values.day_first_by("on 03/20/2023 and 04/04/2023", "fr")
    assert values.day_first_by("on 20/03/2023", "en")
    assert not values.day_first_by("on 03/04/2023", "en")
    assert values.day_first_by("am 03/04/2023", "de")


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("$1,234.50", "1234.50", "USD"),
        ("1.234,50 €", "1234.50", "EUR"),
        ("EUR 12,00", "12.00", "EUR"),
        ("120 000,00 €", "120000.00", "EUR"),
        ("CHF 1'949.75", "1949.75", "CHF"),
        ("£-5.00", "-5.00", "GBP"),
        ("($ 7.25)", "7.25", "USD"),
        ("300 €", "300", "EUR"),
        ("19.99", "19.99", ""),
    ],
)
def test_amounts_are_read_with_their_currency(text, amount, currency):
    (found,) = values.find_amounts(text)
    assert found.value.amount == Decimal(amount)
    assert found.value.currency == currency


@pytest.mark.parametrize("text", ["20,00 %", "19.5%", "page 3", "12345", "1.2.2024"])
def test_what_is_no_amount_is_none(text):
    assert values.find_amounts(text) == []


@given(st.decimals(min_value=0, max_value=10**9, places=2), st.sampled_from([",.", ".,", " ,", "'."]))
def test_a_number_survives_the_separators_of_any_locale(number, separators):
    group, point = separators
    written = f"{number:,.2f}".replace(",", "\0").replace(".", point).replace("\0", group)
    assert values.parse_number(written) == number


@given(st.dates(min_value=dt.date(1970, 1, 1), max_value=dt.date(2069, 12, 31)))
def test_every_date_is_found_where_it_stands(date):
    for pattern in ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%d %B %Y", "%B %d, %Y"):
        written = date.strftime(pattern)
        (found,) = values.find_dates(f"on {written} it was", day_first=True)
        assert found.value == date
        assert f"on {written} it was"[found.start : found.end] == written


def test_addresses_are_found():
    text = "mail a.b@c.example, see https://x.example/y?z=1. Tel. 030 1234567 or +41 44 668 18 00, fax none"
    assert [item.value for item in values.find_emails(text)] == ["a.b@c.example"]
    assert [item.value for item in values.find_urls(text)] == ["https://x.example/y?z=1"]
    assert [item.value for item in values.find_phones(text)] == ["030 1234567", "+41 44 668 18 00"]


def test_an_iban_needs_the_right_check_digits():
    assert [item.value for item in values.find_ibans("IBAN NL50 INGB 0683 2513 09 BIC")] == [
        "NL50INGB0683251309"
    ]
    assert values.find_ibans("IBAN NL51 INGB 0683 2513 09") == []
