"""Limits and prices: every number has an origin, overrides find their way, money is exact."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docdask.core import limits, prices
from docdask.errors import UsageError


def test_every_number_names_its_source_and_date():
    rows = [*limits.PROCESSOR_LIMITS.values(), *limits.SYSTEM_LIMITS.values(), *limits.QUOTAS.values()]
    for row in [*rows, *prices.PRICES.values()]:
        assert row.origin.source, row
        assert row.origin.dated[:2] == "20", row


def test_every_priced_type_has_limits_and_the_other_way_round():
    assert set(prices.PRICES) == set(limits.PROCESSOR_LIMITS)


def test_locations_are_counted_as_us_eu_or_single():
    assert [limits.region_kind(name) for name in ("us", "eu", "europe-west2", "us-central1")] == [
        "us",
        "eu",
        "single",
        "single",
    ]


def test_defaults_are_those_of_a_new_project():
    book = limits.DEFAULT_BOOK
    assert book.quota("online_requests", "us", "OCR_PROCESSOR") == 120
    assert book.quota("online_requests", "single", "OCR_PROCESSOR") == 6
    assert book.quota("user_requests", "us") == 1800
    assert book.quota("batch_operations", "eu") == 5
    assert book.limit("online_bytes") == 41_943_040


def test_the_most_specific_override_wins():
    book = limits.DEFAULT_BOOK.override(
        {"online_requests": 10, "online_requests.eu": 20, "online_requests.eu.OCR_PROCESSOR": 30}
    )
    assert book.quota("online_requests", "us", "OCR_PROCESSOR") == 10
    assert book.quota("online_requests", "eu", "INVOICE_PROCESSOR") == 20
    assert book.quota("online_requests", "eu", "OCR_PROCESSOR") == 30
    assert (
        book.override({"online_requests.*.OCR_PROCESSOR": 7}).quota("online_requests", "us", "OCR_PROCESSOR")
        == 7
    )


def test_page_limits_can_be_overridden_per_type():
    book = limits.DEFAULT_BOOK.override({"batch_pages.FORM_PARSER_PROCESSOR": 200})
    assert book.processor("FORM_PARSER_PROCESSOR").batch_pages == 200
    assert limits.DEFAULT_BOOK.processor("FORM_PARSER_PROCESSOR").batch_pages == 100


@pytest.mark.parametrize(
    "changes", [{"online_request": 5}, {"online_requests.mars": 5}, {"online_requests": -1}]
)
def test_an_override_of_nothing_is_refused_with_what_exists(changes):
    with pytest.raises(UsageError):
        limits.DEFAULT_BOOK.override(changes)


def test_the_first_thousand_pages_of_ocr_are_free_then_tiers_follow():
    assert prices.cost_usd("OCR_PROCESSOR", [1] * 1000) == 0
    assert prices.cost_usd("OCR_PROCESSOR", [2000]) == 1.5
    assert prices.cost_usd("OCR_PROCESSOR", [2000], free_pages=0) == 3.0
    assert prices.cost_usd("OCR_PROCESSOR", [2], used_pages=4_999_999) == 0.0021
    assert prices.cost_usd("OCR_PROCESSOR", [1000], free_pages=0, add_ons=True) == 7.5


def test_invoices_are_rounded_up_to_ten_pages_each():
    assert prices.cost_usd("INVOICE_PROCESSOR", [1]) == 0.1
    assert prices.cost_usd("INVOICE_PROCESSOR", [11]) == 0.2
    assert prices.cost_usd("INVOICE_PROCESSOR", [1] * 10) == 1.0
    assert prices.cost_usd("BANK_STATEMENT_PROCESSOR", [30]) == 0.75
    assert prices.cost_usd("CUSTOM_EXTRACTION_PROCESSOR", [2], used_pages=999_999) == 0.05


@given(
    st.sampled_from(sorted(prices.PRICES)),
    st.lists(st.integers(0, 3000), max_size=8),
    st.lists(st.integers(0, 3000), max_size=8),
    st.integers(0, 6_000_000),
)
def test_paying_in_two_parts_costs_the_same(processor_type, first, second, used):
    price = prices.PRICES[processor_type]
    units = sum(price.units(pages) for pages in first)
    whole = prices.cost_nano_usd(processor_type, first + second, used_pages=used)
    parts = prices.cost_nano_usd(processor_type, first, used_pages=used) + prices.cost_nano_usd(
        processor_type, second, used_pages=used + units
    )
    assert whole == parts
