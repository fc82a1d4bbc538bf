"""Amounts, currencies and dates as people print them."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docdask.tables import values


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("$1,234.50", 1234.5), ("1.234,50 €", 1234.5), ("1 234,50", 1234.5), ("1'234.50 CHF", 1234.5), ("12,5", 12.5),
        ("1,234", 1234.0), ("1.234", 1234.0), ("1,234,567", 1234567.0), ("1.234.567,8", 1234567.8), ("(12.00)", -12.0),
        ("-3.5", -3.5), ("EUR 7", 7.0), ("0,99", 0.99), ("5.", 5.0), ("12.3456", 123456.0), ("", None), ("no number", None), (".,", None),
    ],
)  # fmt: skip
def test_amounts(text, number):
    assert values.amount(text) == number


@given(st.integers(0, 10**9), st.integers(0, 99))
def test_both_ways_of_printing_mean_the_same(units, cents):
    american = f"{units:,}.{cents:02d}"
    german = american.translate(str.maketrans(",.", ".,"))
    assert values.amount(american) == values.amount(german) == pytest.approx(units + cents / 100)


@given(st.text(max_size=30))
def test_no_text_is_an_error(text):
    values.amount(text)
    values.currency(text)
    values.iso_date(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [("12 €", "EUR"), ("£5", "GBP"), ("CHF 3", "CHF"), ("$5", None), ("", None), (None, None)],
)
def test_a_sign_of_several_currencies_is_none(text, code):
    assert values.currency(text) == code


@pytest.mark.parametrize(
    ("text", "day"),
    [("2024-05-31", dt.date(2024, 5, 31)), ("on 2024-05-31T10:00", dt.date(2024, 5, 31)), ("2024-13-01", None), ("03/04/2024", None), (None, None)],
)  # fmt: skip
def test_only_what_can_mean_one_day_is_a_date(text, day):
    assert values.iso_date(text) == day
