"""The till: prices request after request, and the sum is what the service bills."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docdask.core.costing import Till, alternative_nano_usd, shared, tariff, usd
from docdask.core.prices import PRICES, Price, cost_nano_usd, price_list
from docdask.core.server.books import Books
from docdask.errors import UsageError
from tests.engine.catalogs import TYPES, configuration, processor

requests = st.lists(st.tuples(st.sampled_from(sorted(TYPES)), st.integers(1, 30)), max_size=200)


@given(requests, st.integers(0, 1500))
def test_the_till_charges_what_the_books_bill(calls, used):
    configured = configuration(used_pages={"OCR_PROCESSOR": used, "FORM_PARSER_PROCESSOR": 999_900})
    till, books = Till(configured), Books(units={"OCR_PROCESSOR": used, "FORM_PARSER_PROCESSOR": 999_900})
    total = 0
    for alias, pages in calls:
        price = tariff(configured.processors[alias])
        total += till.charge(price, price.units([pages]), pages)
        books.bill(TYPES[alias], pages)
    assert till.nano_usd == books.cost_nano_usd == total * 1000


@given(requests)
def test_charging_many_is_charging_each(calls):
    configured = configuration(used_pages={"OCR_PROCESSOR": 900})
    aliases = sorted(TYPES)
    tariffs = [*(tariff(configured.processors[alias]) for alias in aliases), None]
    one, many = Till(configured), Till(configured)
    which = [aliases.index(alias) for alias, _ in calls] + [len(aliases)]
    pages = [length for _, length in calls] + [7]
    units = [tariffs[i].units([p]) if tariffs[i] else 0 for i, p in zip(which, pages, strict=True)]
    singly = [
        one.charge(tariffs[i], u, p) if tariffs[i] else 0 for i, u, p in zip(which, units, pages, strict=True)
    ]
    assert many.charge_all(tariffs, which, units, pages).tolist() == singly
    assert (many.nano_usd, [many.used(t.price) for t in tariffs[:-1]]) == (
        one.nano_usd, [one.used(t.price) for t in tariffs[:-1]],
    )  # fmt: skip


@given(st.lists(st.integers(0, 5_000), max_size=100), st.integers(1, 999))
def test_rounding_never_gathers(pages, nano):
    """A price of less than a micro-dollar a page is carried on until it makes one."""
    configured = configuration()
    odd = tariff(processor("ocr"), {"OCR_PROCESSOR": Price("OCR_PROCESSOR", "page", ((0, nano),), PRICES["OCR_PROCESSOR"].origin)})  # fmt: skip
    till = Till(configured)
    assert sum(till.charge(odd, count, count) for count in pages) == nano * sum(pages) // 1000


@given(st.integers(0, 10**9), st.lists(st.integers(0, 50), min_size=1, max_size=20))
def test_the_shares_of_a_document_add_up(micros, units):
    parts = shared(micros, units)
    assert sum(parts) == micros
    assert all(part >= 0 for part in parts)
    total = sum(units)
    assert not total or all(abs(p - micros * u / total) <= 1 for p, u in zip(parts, units, strict=True))


def test_an_alternative_is_priced_like_documents_sent_there():
    configured = configuration(used_pages={"OCR_PROCESSOR": 990})
    ocr = tariff(configured.processors["ocr"])
    found = alternative_nano_usd(configured, ocr, {(30, 5): 2, (1,): 10})
    assert found == cost_nano_usd("OCR_PROCESSOR", [35, 35, *[1] * 10], used_pages=990)


def test_an_invoice_cut_into_ranges_is_rounded_for_each():
    invoice = tariff(processor("invoice"))
    assert (invoice.units([31]), invoice.units([30, 1])) == (4, 4)
    assert (invoice.units([35]), invoice.units([15, 15, 5])) == (4, 5)


def test_an_unknown_type_counts_for_itself():
    configured = configuration()
    own = tariff(processor("ocr"), {"CUSTOM_EXTRACTION_PROCESSOR": PRICES["CUSTOM_EXTRACTION_PROCESSOR"]})
    till = Till(configured)
    till.charge(own, 5, 5)
    assert till.used(own.price) == 5
    assert till.used(tariff(processor("extractor")).price) == 0


def test_agreed_prices_keep_the_free_pages():
    found = price_list({"OCR_PROCESSOR": 1.2, "INVOICE_PROCESSOR": 0.08})
    assert found["OCR_PROCESSOR"].tiers == ((0, 0), (1000, 1_200_000))
    assert found["INVOICE_PROCESSOR"].tiers == ((0, 80_000_000),)
    assert found["FORM_PARSER_PROCESSOR"] is PRICES["FORM_PARSER_PROCESSOR"]


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_a_price_that_is_no_amount_is_refused(value):
    with pytest.raises(UsageError, match="the price of OCR_PROCESSOR can't be"):
        price_list({"OCR_PROCESSOR": value})


def test_micros_are_dollars():
    assert usd(1_234_567) == 1.234567
