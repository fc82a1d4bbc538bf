"""What a ledger comes to, for people: pages, money, units, endpoints, and what was wrong with its segments.

Rules: a ledger of any length is read in bounded memory; what was wrong is said, not passed over.
"""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from docdask.core.segments import Faults
from docdask.core.totals import Totals
from docdask.errors import UsageError
from docdask.monitor.amounts import call_dollars
from docdask.monitor.columns import WIDTH, columns
from docdask.store import ledger
from docdask.words import counted


def of(url: str) -> Totals:
    """Totals of a ledger.

    Raises
    ------
    UsageError
        If there is none.
    StorageError
        If the storage refuses.
    """
    must_exist(url)
    return ledger.totals(url)


def text(url: str, found: Totals) -> str:
    """Totals of the ledger at ``url``, for a terminal of 80 columns."""
    span = f"{_moment(found.first_utc_ns)} to {_moment(found.last_utc_ns)} UTC" if found.records else ""
    facts = [
        ("records", f"{found.records:,} of {counted(found.epoch, 'governor')}"),
        ("", span),
        ("billed", f"{counted(found.pages_billed, 'page')}, {call_dollars(found.micros_billed)}"),
        (
            "at risk",
            f"{counted(found.pages_at_risk, 'page')}, {call_dollars(found.micros_at_risk)}: calls whose end is not known",
        ),
        ("units", " · ".join(f"{count:,} {state}" for state, count in found.units.items())),
    ]
    if found.operations:
        some = ", ".join(operation.name for operation in found.operations[:3])
        more = len(found.operations) - 3
        facts.append(
            (
                "operations",
                f"{counted(len(found.operations), 'batch operation')} not ended: {some}"
                + (f" and {more:,} more" if more > 0 else ""),
            )
        )
    if len(found.runs) > 1:
        facts += [
            (
                "run",
                f"{run or '(none)'} in {semaphore}: {counted(purse.pages_billed, 'page')}, {call_dollars(purse.micros_billed)}",
            )
            for (semaphore, run), purse in sorted(found.runs.items())
        ]
    facts.append(("segments", _faults(found.faults)))
    if found.ignored:
        facts.append(("impossible", f"{counted(found.ignored, 'record')} that no transition allows"))
    lines = [f"ledger of {url}"]
    for name, value in facts:
        lines += textwrap.wrap(
            value, WIDTH, initial_indent=f"  {name:<11}", subsequent_indent=" " * 13, break_long_words=False,
            break_on_hyphens=False,
        )  # fmt: skip
    return "\n".join([*lines, "", *_endpoints(found)])


def to_json(found: Totals) -> dict[str, Any]:
    """Totals as JSON values."""
    return {
        "records": found.records,
        "epochs": found.epoch,
        "first_utc_ns": found.first_utc_ns,
        "last_utc_ns": found.last_utc_ns,
        "pages_billed": found.pages_billed,
        "cost_usd": found.micros_billed / 1e6,
        "pages_at_risk": found.pages_at_risk,
        "cost_at_risk_usd": found.micros_at_risk / 1e6,
        "units": found.units,
        "operations": [asdict(operation) for operation in found.operations],
        "runs": [{"semaphore": s, "run": run, **asdict(purse)} for (s, run), purse in found.runs.items()],
        "endpoints": {name: asdict(answers) for name, answers in found.endpoints.items()},
        "ignored": found.ignored,
        "faults": {"whole": found.faults.whole, **asdict(found.faults)},
    }


def must_exist(url: str) -> None:
    """Raise :class:`~docdask.errors.UsageError` if there is no ledger."""
    if not ledger.exists(url):
        raise UsageError(
            f"there is no ledger in {url}", "give the run directory of a run that calls a paid service"
        )


def _faults(faults: Faults) -> str:
    said = [
        *(f"{name} has a torn tail" for name in faults.torn),
        *(f"line {line} of {name} is damaged" for name, line in faults.damaged),
        *(f"record {first:,} is missing" if first == last else f"records {first:,} to {last:,} are missing" for first, last in faults.missing),
    ]  # fmt: skip
    more = len(said) - 6
    said = said[:6] + ([f"{more:,} more of that kind"] if more > 0 else [])
    if faults.repeated:
        said.append(f"{counted(faults.repeated, 'record')} there twice")
    if faults.overruled:
        said.append(f"{counted(faults.overruled, 'record')} of a governor that had been replaced")
    return "; ".join(said) or "whole"


def _endpoints(found: Totals) -> list[str]:
    head = ("endpoint", "calls", "answered", "refused", "failed", "lost", "pages", "$")
    rows = [
        (
            name or "-",
            *(f"{n:,}" for n in (e.calls, e.answered, e.refused, e.failed, e.lost, e.pages_billed)),
            f"{e.micros_billed / 1e6:,.2f}",
        )
        for name, e in found.endpoints.items()
    ]
    return columns([head, *rows], left={0}) if rows else []


def _moment(utc_ns: int) -> str:
    return f"{datetime.fromtimestamp(utc_ns / 1e9, UTC):%Y-%m-%d %H:%M:%S}"
