"""Decides what a report tells of money: planned, paid and at risk, by route and by processor, and what else it could have cost.

Rule: a run that is not paid has none of this; one that is says on every page whether it was real money.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docdask.charts.gallery import CHARTS
from docdask.reporting.content import Block, Card, Cards, Chart, Column, Grid, Heading, Together, prose
from docdask.reporting.costs import Amount, Costs
from docdask.tables.money import dollars
from docdask.words import counted


def billing(summary: Mapping[str, Any]) -> str:
    """Whether it was real money; empty for a run that is not paid."""
    return str(summary.get("billing") or "")


def cards(summary: Mapping[str, Any], costs: Costs | None) -> list[Block]:
    """The three figures of page 1."""
    if not billing(summary) or costs is None:
        return []
    paid, risk = _paid(summary), _risk(summary)
    row = [
        Card("Paid", dollars(paid.usd), f"{counted(paid.pages, 'page')} · {billing(summary)}"),
        Card("Planned", dollars(costs.planned.usd), counted(costs.planned.pages, "page")),
        Card(
            "At risk", dollars(risk.usd), f"{counted(risk.pages, 'page')} in calls without a known end",
            "bad" if risk.pages else "plain",
        ),
    ]  # fmt: skip
    return [Cards(tuple(row))]


def chapter(summary: Mapping[str, Any], costs: Costs | None) -> list[Block]:
    """What it cost."""
    if not billing(summary) or costs is None:
        return []
    paid = _paid(summary)
    lead = prose(
        (f"{counted(paid.pages, 'page')} paid, {dollars(paid.usd)}", True), f" ({billing(summary)})."
    )
    return [
        Heading("What it cost", 1, "cost"),
        lead,
        _account(summary, costs),
        prose(_note(summary), tone="note"),
        *_routes(costs),
        *_processors(costs),
        *_alternatives(costs),
        *_quota(costs),
    ]


def _quota(costs: Costs) -> list[Block]:
    """How much of each quota was used, where online requests were made."""
    if all(one.lane != "online" for one in costs.endpoints):
        return []
    chart = Chart("quota_use", CHARTS["quota_use"].tells)
    return [Together((Heading("Quota in use", 2, "quota"), chart))]


def _account(summary: Mapping[str, Any], costs: Costs) -> Grid:
    """Each amount with what it is."""
    paid, risk, tables = _paid(summary), _risk(summary), costs.in_tables
    limit = summary.get("budget")
    rows = []
    if limit:
        pages = "no limit" if limit["pages"] is None else f"{limit['pages']:,}"
        usd = "no limit" if limit["usd"] is None else dollars(limit["usd"])
        rows.append(("Accepted", pages, usd, "the most that is ever spent, over all sessions"))
    rows.append(_row("Planned", costs.planned, "the price of what is in the plan"))
    if costs.reserve.pages:
        rows.append(
            _row(
                "Reserved", costs.reserve, "what may follow from the plan: escalation, packs that are checked"
            )
        )
    rows.append(_row("Paid", paid, "what the service has billed, by the run's ledger"))
    if (tables.pages, dollars(tables.usd)) != (paid.pages, dollars(paid.usd)):
        rows.append(_row("of it in the tables", tables, "the price of the results that are in the tables"))
        rest = Amount(paid.pages - tables.pages, paid.usd - tables.usd)
        rows.append(
            _row(
                "and not",
                rest,
                "not tabulated yet, paid twice after a kill, or sent once more to check a pack",
            )
        )
    rows.append(_row("At risk", risk, _of_risk(summary, risk)))
    if costs.books is not None:
        rows.append(
            _row(
                "Emulator's books",
                costs.books,
                "counted by the emulator in its last session, at list prices, with a month's free pages",
            )
        )
    columns = (
        Column("", 0.19),
        Column("Pages", 0.12, "right"),
        Column("USD", 0.14, "right"),
        Column("What it is", 0.55),
    )
    return Grid(columns, tuple(rows))


def _of_risk(summary: Mapping[str, Any], risk: Amount) -> str:
    if not risk.pages:
        return "calls without a known end: there are none"
    return f"calls without a known end; docdask debug ledger {summary.get('run', 'RUN')} names them"


def _note(summary: Mapping[str, Any]) -> str:
    if summary.get("emulated", billing(summary).startswith("EMULATED")):
        return (
            "An emulator answered and nothing was billed: the amounts are what the price list, or your own prices, would "
            "have made of these calls."
        )
    return (
        "The amounts are worked out from the price list, or from your own prices, free pages and tiers included; discounts and "
        "credits are not known here. The bill is Google's."
    )


def _routes(costs: Costs) -> list[Block]:
    if not costs.ways:
        return []
    grid = Grid(
        (
            Column("Route", 0.28), Column("Lane", 0.14), Column("Documents", 0.14, "right"), Column("Paid pages", 0.14, "right"),
            Column("Planned, USD", 0.15, "right"), Column("Paid, USD", 0.15, "right"),
        ),
        tuple(
            (way.route, way.lane, f"{way.documents:,}", f"{way.planned.pages:,}", dollars(way.planned.usd), dollars(way.paid_usd))
            for way in costs.ways
        ),
    )  # fmt: skip
    return [Together((Heading("By route", 2, "cost-routes"), grid))]


def _processors(costs: Costs) -> list[Block]:
    if not costs.endpoints:
        return []
    grid = Grid(
        (
            Column("Processor", 0.26), Column("Lane", 0.1), Column("Requests", 0.12, "right"), Column("Answered", 0.12, "right"),
            Column("Refused", 0.11, "right"), Column("No end", 0.1, "right"), Column("Pages", 0.09, "right"),
            Column("USD", 0.1, "right"),
        ),
        tuple(
            (
                one.name, one.lane, f"{one.requests:,}", f"{one.answered:,}", f"{one.refused:,}", f"{one.unknown:,}",
                f"{one.billed.pages:,}", dollars(one.billed.usd),
            )
            for one in costs.endpoints
        ),
    )  # fmt: skip
    note = (
        "Requests as they were let out, each attempt one; those that were refused are not billed. No end: nobody knows whether they were "
        "answered; what they may cost is at risk."
    )
    return [Together((Heading("By processor", 2, "cost-processors"), grid, prose(note, tone="note")))]


def _alternatives(costs: Costs) -> list[Block]:
    if not costs.alternatives:
        return []
    routed, *others = costs.alternatives
    # A way that comes to the same is none: so it is where there is one processor.
    rows = [
        routed, *(row for row in others if (row.documents, row.usd) != (routed.documents, routed.usd)),
    ]  # fmt: skip
    if len(rows) < 2:
        return []
    most = max(row.documents for row in rows)
    first = routed.usd
    grid = Grid(
        (Column("Way", 0.4), Column("Documents", 0.18, "right"), Column("USD", 0.22, "right"), Column("Factor", 0.2, "right")),
        tuple(
            (row.name, f"{row.documents:,}", dollars(row.usd), f"{row.usd / first:,.3g} ×" if first else "—")
            for row in rows
        ),
    )  # fmt: skip
    blocks: list[Block] = [Heading("What else it could have cost", 2, "cost-alternatives"), grid]
    if any(row.documents < most for row in rows):
        blocks.append(
            prose(
                "A processor that does not take all types of files has fewer documents, and so a lower price.",
                tone="note",
            )
        )
    return [Together(tuple(blocks))]


def _row(name: str, amount: Amount, what: str) -> tuple[str, str, str, str]:
    return name, f"{amount.pages:,}", dollars(amount.usd), what


def _paid(summary: Mapping[str, Any]) -> Amount:
    return Amount(int(summary.get("pages_paid") or 0), float(summary.get("cost_usd") or 0.0))


def _risk(summary: Mapping[str, Any]) -> Amount:
    return Amount(int(summary.get("pages_at_risk") or 0), float(summary.get("cost_at_risk_usd") or 0.0))
