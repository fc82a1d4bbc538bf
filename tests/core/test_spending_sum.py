"""Money alone, added up, is what the fold says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from docdask.core.ledger import fold
from docdask.core.spending import Spending, Spent
from tests.core.test_ledger import ledgers


@given(ledgers(), st.integers(0, 40))
def test_it_is_the_money_of_the_fold_however_the_records_are_handed_over(records, cut):
    spending = Spending()
    spending.add_all(records[:cut])
    spending.add_all(records[cut:])
    whole = fold(records)
    assert spending.spent() == Spent(whole.pages_billed, whole.micros_billed, *whole.at_risk)
    assert spending.sequence == whole.sequence
