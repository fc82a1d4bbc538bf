"""Money alone, added up, is what the fold says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from docdask.core.ledger import fold
from docdask.core.spending import Spending, Spent
from tests.core.test_ledger import ledgers, record


@given(ledgers(), st.integers(0, 40))
def test_it_is_the_money_of_the_fold_however_the_records_are_handed_over(records, cut):
    spending = Spending()
    spending.add_all(records[:cut])
    spending.add_all(records[cut:])
    whole = fold(records)
    assert spending.spent() == Spent(whole.pages_billed, whole.micros_billed, *whole.at_risk)
    assert spending.sequence == whole.sequence


def test_an_operation_that_was_adopted_is_counted_once():
    begun = [record(1, "intent"), record(2, "operation"), record(3, "lost")]
    adopted = [
        record(4, "intent", fence=2, pages=0, micros=0),
        record(5, "adopted", fence=2, pages=0, micros=0),
    ]
    spending = Spending()
    spending.add_all([*begun, *adopted])
    assert spending.spent() == Spent(0, 0, 3, 4500)
    spending.add(record(6, "answered", fence=2))
    assert spending.spent() == Spent(3, 4500, 0, 0)
