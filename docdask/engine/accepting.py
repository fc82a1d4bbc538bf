"""What somebody is asked to accept when a paid run begins: the most that it may spend, beside what is planned.

Rules: what is asked is what is kept, to the page; a budget takes the place of the price, whether it covers it or not, and is for
all sessions of the run; one below what the run has spent is no budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from docdask.core.spec import BudgetSpec
from docdask.engine import configuring
from docdask.engine.branch import PAID
from docdask.errors import UsageError
from docdask.store import paidrun
from docdask.store.run import RunDirectory
from docdask.store.spending import FollowedLedger


@dataclass(frozen=True, slots=True)
class Offer:
    """What would be accepted."""

    price: BudgetSpec
    """Of everything that is planned, and of what may follow from it."""
    most: BudgetSpec
    """Most that would be spent."""

    @property
    def covers(self) -> bool:
        """Whether the price is within it."""
        return all(
            most is None or most >= (price or 0)
            for most, price in ((self.most.pages, self.price.pages), (self.most.micros, self.price.micros))
        )

    def to_json(self) -> dict[str, Any]:
        """JSON object: ``pages`` and ``usd`` at most (None: no limit), and those of the price."""
        return {
            "pages": self.most.pages,
            "usd": None if self.most.micros is None else self.most.micros / 1e6,
            "price_pages": self.price.pages,
            "price_usd": (self.price.micros or 0) / 1e6,
            "covers": self.covers,
        }


def offer(run: RunDirectory, budget: str | float | None) -> Offer | None:
    """What there is to accept; None if what was accepted before covers it, and no budget is named.

    Raises
    ------
    UsageError
        If the budget is no amount, or less than what the run has spent.
    """
    limit = configuring.budget(budget)
    planned = price(run)
    if limit is None:
        accepted = paidrun.budget(run) or BudgetSpec(pages=0, micros=0)
        return None if Offer(planned, accepted).covers else Offer(planned, planned)
    spent = FollowedLedger(run.url).spent()
    for most, paid, words in (
        (limit.pages, spent.pages, f"{spent.pages:,} pages"),
        (limit.micros, spent.micros, f"${spent.micros / 1e6:,.2f}"),
    ):
        if most is not None and most < paid:
            raise UsageError(
                f"--budget {budget!r} is below the {words} that {run.url} has spent already",
                "a budget is for all sessions of a run: give more, or leave it",
            )
    return Offer(planned, limit)


def price(run: RunDirectory) -> BudgetSpec:
    """Pages and micro-dollars of everything that is planned for a paid service, and of what may follow from it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = run.plan(current=True)
    paid = rows.filter(pc.is_in(rows["lane"], pa.array(sorted(PAID))))
    pages = pc.sum(paid["pages"].cast("int64")).as_py() or 0
    micros = pc.sum(paid["cost_micros"]).as_py() or 0
    for generation in run.generations():
        more = run.plan_summary(generation).get("reserve", {})
        pages, micros = pages + more.get("pages", 0), micros + more.get("micros", 0)
    return BudgetSpec(pages, micros)
