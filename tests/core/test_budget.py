"""A budget is never exceeded by a page, also when replies are lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from docdask.core.budget import Budget
from docdask.core.spec import BudgetSpec

actions = st.lists(
    st.tuples(st.sampled_from(["ask", "settle", "lose", "late"]), st.integers(0, 30), st.integers(0, 10**6)),
    max_size=100,
)


@given(st.integers(0, 200), st.integers(0, 10**7), actions)
def test_spent_reserved_and_at_risk_never_exceed_the_budget(pages_most, micros_most, actions):
    budget = Budget(BudgetSpec(pages_most, micros_most))
    out: list[tuple[int, int]] = []
    lost: list[tuple[int, int]] = []
    for what, pages, micros in actions:
        if what == "ask":
            if budget.room(pages, micros) == "fits":
                budget.reserve(pages, micros)
                out.append((pages, micros))
        elif what == "settle" and out:
            asked = out.pop()
            budget.settle(*asked, min(pages, asked[0]), min(micros, asked[1]))
        elif what == "lose" and out:
            asked = out.pop(0)
            budget.risk(*asked)
            lost.append(asked)
        elif what == "late" and lost:
            asked = lost.pop()
            budget.settle_risk(*asked, *asked)
        assert budget.pages.left >= 0
        assert budget.micros.left >= 0
        assert budget.pages.at_risk == sum(p for p, _ in lost)
        assert budget.pages.reserved == sum(p for p, _ in out)


def test_what_may_fit_when_reservations_settle_is_later_what_can_not_is_never():
    budget = Budget(BudgetSpec(pages=10))
    budget.reserve(8, 0)
    assert budget.room(2, 0) == "fits"
    assert budget.room(3, 0) == "later"
    assert budget.room(11, 0) == "never"
    budget.risk(8, 0)
    assert budget.room(3, 0) == "never"


def test_without_a_limit_everything_fits():
    budget = Budget(BudgetSpec())
    budget.reserve(10**9, 10**12)
    assert budget.room(10**9, 10**12) == "fits"
    assert budget.pages.left is None
