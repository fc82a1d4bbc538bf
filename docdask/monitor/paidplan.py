"""What a plan that costs money says: price, requests, time, what decides it, what would be better; a line a fact.

Rules: the first line says whether it is real money; a price is an estimate and says so; what is not there is not told.
"""

from __future__ import annotations

from typing import Any

from docdask.monitor.amounts import interval
from docdask.tables.money import dollars
from docdask.words import counted, duration

Facts = list[tuple[str, str]]


def facts(summary: dict[str, Any]) -> Facts:
    """Names and values of a plan for Document AI, in the order in which they are read; a name is empty where it goes on."""
    found = [("requests", _requests(summary)), ("price", _price(summary))]
    found += _routes(summary)
    found += _named("instead", _alternatives(summary))
    time = duration(summary["expected_s"])
    found += [
        ("expected time", f"{time}, in {counted(summary['partitions'], 'partition')}"),
        ("decided by", _decided(summary)),
        ("answer time", summary["latency_note"] if summary["requests"] else ""),
        ("worker time", _worker_time(summary)),
    ]
    found += _named("faster", [row["text"] for row in summary["advice"] if not row["in_plan"]])
    found += _named("as planned", [row["text"] for row in summary["advice"] if row["in_plan"]])
    return [(name, value) for name, value in found if value]


def estimated(summary: dict[str, Any]) -> Facts:
    """The same of an estimate from a sample."""
    estimate = summary["estimate"]
    found = [
        ("price", f"{interval(estimate['cost_usd'], said=dollars)}; an estimate, not a bill"),
        ("pages to pay", interval(estimate["paid_pages"], "pages")),
        ("requests", interval(estimate["requests"], "online")),
    ]
    if estimate["batch_documents"]["total"]:
        found.append(("by batch", interval(estimate["batch_documents"], "documents")))
    return [*found, ("decided by", _decided(summary)), ("answer time", summary["latency_note"])]


def _named(name: str, values: list[str]) -> Facts:
    """One name for several lines."""
    return [(name if number == 0 else "", value) for number, value in enumerate(values)]


def _requests(s: dict[str, Any]) -> str:
    words = {"online": "online request", "batch": "batch operation"}
    parts = [counted(s["requests"][lane], word) for lane, word in words.items() if s["requests"].get(lane)]
    if not parts:
        return "none: nothing is sent"
    return f"{' and '.join(parts)} for {counted(s['paid_pages'], 'page')}"


def _price(s: dict[str, Any]) -> str:
    text = f"{dollars(s['cost_usd'])}; an estimate, not a bill"
    checks = s["checks"]
    if checks["pages"]:
        text += f" ({dollars(checks['usd'])} of it to send the first packs singly too, {counted(checks['pages'], 'page')})"
    more = s["escalation"]
    if more["documents"]:
        text += (
            f"; up to {dollars(more['usd'])} more if all of {counted(more['documents'], 'document')} "
            "are read badly offline"
        )
        if "expected_usd" in more:
            text += (
                f", {dollars(more['expected_usd'])} as in what was read so far ({more['expected_share']:.0%})"
            )
    return text


def _routes(s: dict[str, Any]) -> Facts:
    rows = s["cost_by_route"]
    if len(rows) < 2:
        return []
    wide = max(map(len, rows))
    return _named(
        "by route",
        [
            f"{name.ljust(wide)}  {dollars(row['cost_usd'])}: {counted(row['documents'], 'document')}, "
            f"{counted(row['pages'], 'page')}, {counted(row['requests'], 'request') if row['requests'] else 'offline'}"
            for name, row in rows.items()
        ],
    )


def _alternatives(s: dict[str, Any]) -> list[str]:
    routed, *others = s["alternatives"]
    same = (routed["cost_usd"], routed["documents"])
    rows = [routed, *(row for row in others if (row["cost_usd"], row["documents"]) != same)]
    if len(rows) < 2:
        return []
    whole = max(row["documents"] for row in rows)
    told = []
    for row in rows:
        left = whole - row["documents"]
        less = f" (it does not take {left:,} of them)" if left else ""
        told.append(f"{row['name']}: {dollars(row['cost_usd'])}{less}")
    return ["; ".join(told)]


def _decided(s: dict[str, Any]) -> str:
    assumed = (
        " (assumed: the quotas of a new project)" if s["quotas_assumed"] and "/min" in s["decides"] else ""
    )
    return f"{s['decides']}{assumed}"


def _worker_time(s: dict[str, Any]) -> str:
    work_s = s["expected_work_s"]
    if work_s < 1:
        return ""
    hours = f" ({s['worker_hours']:,.2f} worker-hours)" if s["worker_hours"] >= 0.05 else ""
    known = f"; {s['speed_note']}" if "offline" in s["lanes"] else ""
    return f"{duration(work_s)} in all, on {counted(s['workers'], 'worker')}{hours}{known}"
