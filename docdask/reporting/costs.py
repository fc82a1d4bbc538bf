"""What a paid run was to cost, has cost and would have cost otherwise, gathered from its plan, its tables and its ledger.

Rules: what was paid is the ledger's word, what it was paid for is the tables'; the plan's summary is read as it is, and what
it does not say is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from docdask.store import paidrun
from docdask.tables import money
from docdask.tables.result import Result

#: Lanes that are paid.
_PAID = ("online", "batch")


@dataclass(frozen=True)
class Amount:
    """Pages, and dollars for them."""

    pages: int
    usd: float


@dataclass(frozen=True)
class Way:
    """Documents of one route."""

    route: str
    lane: str
    documents: int
    planned: Amount
    paid_usd: float
    """For what is in the tables."""


@dataclass(frozen=True)
class Endpoint:
    """Requests to one processor in one place, by one lane."""

    name: str
    lane: str
    requests: int
    answered: int
    refused: int
    """For whatever reason; these are not billed."""
    unknown: int
    """Without a known end."""
    billed: Amount


@dataclass(frozen=True)
class Alternative:
    """What the same documents would have cost."""

    name: str
    documents: int
    usd: float


@dataclass(frozen=True)
class Costs:
    """Money of a paid run."""

    planned: Amount
    reserve: Amount
    """Accepted on top: what may follow from the plan."""
    in_tables: Amount
    """Paid for results that the tables have."""
    ways: tuple[Way, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    books: Amount | None = None
    """What the run's own emulator has in its books of the last session."""


def gather(result: Result, requests: pd.DataFrame) -> Costs | None:
    """Costs of a run; None if it is not paid.

    Parameters
    ----------
    result
        Of the run.
    requests
        Its :attr:`~docdask.tables.result.Result.requests`.
    """
    run = result.run
    if paidrun.configuration(run) is None:
        return None
    summaries = [run.plan_summary(generation) for generation in run.generations()]
    ways = _ways(result)
    books = paidrun.books(run)
    return Costs(
        planned=Amount(sum(way.planned.pages for way in ways), sum(way.planned.usd for way in ways)),
        reserve=_reserve(summaries),
        in_tables=_in_tables(result),
        ways=tuple(ways),
        endpoints=tuple(_endpoints(requests)),
        alternatives=_alternatives(summaries),
        books=Amount(books["pages_billed"], books["cost_usd"])
        if "pages_billed" in books and "cost_usd" in books
        else None,
    )


def _ways(result: Result) -> list[Way]:
    """By route and lane, the dearest first; what is not paid last."""
    names = ["document_id", "route", "lane", "pages", "cost_micros"]
    plan = result.run.plan(current=True).select(names).to_pandas()
    plan = plan[plan["lane"].notna()]
    paid = result.frame("documents", ["document_id", "cost_usd"])
    rows = plan.merge(paid, on="document_id", how="left").fillna(
        {"route": "", "pages": 1, "cost_micros": 0, "cost_usd": 0.0}
    )
    found = [
        Way(
            str(route) or "default",
            str(lane),
            len(part),
            Amount(
                int(part["pages"].sum()) if lane in _PAID else 0,
                float(part["cost_micros"].sum()) / money.MICRO_USD,
            ),
            float(part["cost_usd"].sum()),
        )
        for (route, lane), part in pd.DataFrame(rows).groupby(["route", "lane"], sort=True)
    ]
    return sorted(
        found, key=lambda way: (way.lane not in _PAID, -way.planned.usd, -way.planned.pages, way.route)
    )


def _endpoints(requests: pd.DataFrame) -> Iterator[Endpoint]:
    """By name and lane. What was never sent, or goes on as another request, is none."""
    sent = requests[~requests["outcome"].isin(["withdrawn", "adopted"])]
    for (name, lane), part in sent.groupby(["endpoint", "lane"], sort=True):
        ends = part["outcome"].value_counts()
        unknown = part["outcome"].isin(["lost", "open"])
        billed = part[~unknown]
        yield Endpoint(
            str(name),
            str(lane),
            len(part),
            int(ends.get("answered", 0)),
            int(ends.get("refused", 0) + ends.get("failed", 0)),
            int(unknown.sum()),
            Amount(int(billed["pages"].sum()), float(billed["cost_usd"].sum())),
        )


def _reserve(summaries: list[dict[str, Any]]) -> Amount:
    found = [summary.get("reserve") or {} for summary in summaries]
    return Amount(
        sum(row.get("pages", 0) for row in found),
        sum(row.get("micros", 0) for row in found) / money.MICRO_USD,
    )


def _in_tables(result: Result) -> Amount:
    calls = result.frame("calls", ["endpoint", "code", "pages", "cost_usd"])
    good = calls[calls["endpoint"].notna() & (calls["code"] == "OK")]
    return Amount(int(good["pages"].sum()), float(good["cost_usd"].sum()))


def _alternatives(summaries: list[dict[str, Any]]) -> tuple[Alternative, ...]:
    """Over all generations of the plan; only those that every one of them has."""
    sums: dict[str, list[tuple[int, float]]] = {}
    planned = [summary["alternatives"] for summary in summaries if summary.get("alternatives")]
    for rows in planned:
        for row in rows:
            sums.setdefault(str(row["name"]), []).append((int(row["documents"]), float(row["cost_usd"])))
    return tuple(
        Alternative(name, sum(n for n, _ in parts), sum(usd for _, usd in parts))
        for name, parts in sums.items()
        if len(parts) == len(planned)
    )
