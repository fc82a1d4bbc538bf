"""What a ledger says, for people: what a run has paid for, and the story of one unit (``docdask debug ledger``).

Rules: a ledger of any length is read in bounded memory; what was wrong with its segments is said, not passed over; a
document is found by its name or id through the plan, and a request that several documents share is told whole.
"""

from __future__ import annotations

import textwrap
from collections.abc import Container, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from docdask.core.ledger import Record, fold
from docdask.core.segments import Faults
from docdask.core.totals import Totals
from docdask.errors import UsageError
from docdask.store import ledger
from docdask.words import counted

#: Units that one look at a ledger tells of.
_MOST_UNITS = 20
_WIDTH = 80
_UNDER = " " * 13  # below what a row says


@dataclass(frozen=True)
class Story:
    """All records of one unit, oldest first."""

    unit: str
    records: tuple[Record, ...]

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON values."""
        state = fold(self.records).units[self.unit]
        return {
            "unit": self.unit,
            "state": state.state,
            "attempts": state.attempts,
            "pages_billed": state.pages_billed,
            "cost_usd": state.micros_billed / 1e6,
            "pages_at_risk": sum(pages for pages, _ in state.open.values()),
            "operation": state.operation,
            "records": [record._asdict() for record in self.records],
        }

    def __str__(self) -> str:
        facts = self.to_dict()
        said = [
            facts["state"],
            counted(facts["attempts"], "attempt"),
            f"{counted(facts['pages_billed'], 'page')} billed, {_dollars(round(facts['cost_usd'] * 1e6))}",
        ]
        if facts["pages_at_risk"]:
            said.append(f"{counted(facts['pages_at_risk'], 'page')} at risk")
        first = self.records[0]
        run = sorted({record.run for record in self.records if record.run})
        lines = [
            f"unit {self.unit}",
            f"  {' · '.join(said)}",
            *(
                f"  {name} {value}"
                for name, value in (("run", ", ".join(run)), ("semaphore", first.semaphore))
                if value
            ),
            "",
            *_table(self.records),
        ]
        return "\n".join(lines)


def stories(url: str, wanted: str) -> list[Story]:
    """Stories of the units that ``wanted`` stands for.

    Parameters
    ----------
    url
        Run directory.
    wanted
        Beginning of a unit's id; or the name of a document in the plan, or the beginning of its id.

    Raises
    ------
    UsageError
        If there is no ledger, nothing in it fits, or more than twenty units do.
    """
    _must_exist(url)
    ids = list(dict.fromkeys(_units_of(url, wanted))) or [wanted]
    found: dict[str, list[Record]] = {}
    for record in ledger.records(url, of=ids):
        found.setdefault(record.unit, []).append(record)
        if len(found) > _MOST_UNITS:
            raise UsageError(
                f"more than {_MOST_UNITS} units of the ledger begin with {wanted!r}", "give more of the id"
            )
    if not found:
        raise UsageError(
            f"the ledger of {url} says nothing about {wanted!r}",
            "give a unit's id, or a document's name or id; without one you see the totals",
        )
    return [Story(unit, tuple(records)) for unit, records in found.items()]


def _units_of(url: str, wanted: str) -> Iterator[str]:
    """Requests that a document of the plan takes part in, by its name or the beginning of its id."""
    import pyarrow.compute as pc

    from docdask.model import pack_id
    from docdask.store.run import RunDirectory

    run = RunDirectory(url)
    columns = ["partition", "document_id", "name", "unit_ids", "pack"]
    for generation in run.generations():
        packs: set[tuple[int, int]] = set()
        for batch in run.plan_batches(generation, columns):
            fits = pc.or_(
                pc.starts_with(batch["document_id"], wanted),
                pc.fill_null(pc.equal(batch["name"], wanted), False),
            )
            for row in batch.filter(fits).to_pylist():
                yield from row["unit_ids"] or ()
                if row["pack"] is not None:
                    packs.add((row["partition"], row["pack"]))
        if packs:
            shared: dict[tuple[int, int], list[str]] = {pack: [] for pack in packs}
            for batch in run.plan_batches(generation, columns):
                for row in batch.filter(pc.is_valid(batch["pack"])).to_pylist():
                    shared.get((row["partition"], row["pack"]), []).extend(row["unit_ids"] or ())
            yield from (pack_id(units) for units in shared.values())


def _must_exist(url: str) -> None:
    if not ledger.exists(url):
        raise UsageError(
            f"there is no ledger in {url}", "give the run directory of a run that calls a paid service"
        )


def totals_of(url: str) -> Totals:
    """Totals of a ledger.

    Raises
    ------
    UsageError
        If there is none.
    StorageError
        If the storage refuses.
    """
    _must_exist(url)
    return ledger.totals(url)


def totals_text(url: str, found: Totals) -> str:
    """Totals of the ledger at ``url``, for a terminal of 80 columns."""
    span = f"{_moment(found.first_utc_ns)} to {_moment(found.last_utc_ns)} UTC" if found.records else ""
    facts = [
        ("records", f"{found.records:,} of {counted(found.epoch, 'governor')}"),
        ("", span),
        ("billed", f"{counted(found.pages_billed, 'page')}, {_dollars(found.micros_billed)}"),
        (
            "at risk",
            f"{counted(found.pages_at_risk, 'page')}, {_dollars(found.micros_at_risk)}: calls whose end is not known",
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
                f"{run or '(none)'} in {semaphore}: {counted(purse.pages_billed, 'page')}, {_dollars(purse.micros_billed)}",
            )
            for (semaphore, run), purse in sorted(found.runs.items())
        ]
    facts.append(("segments", _faults(found.faults)))
    if found.ignored:
        facts.append(("impossible", f"{counted(found.ignored, 'record')} that no transition allows"))
    lines = [f"ledger of {url}"]
    for name, value in facts:
        lines += textwrap.wrap(
            value, _WIDTH, initial_indent=f"  {name:<11}", subsequent_indent=" " * 13, break_long_words=False,
            break_on_hyphens=False,
        )  # fmt: skip
    return "\n".join([*lines, "", *_endpoints(found)])


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
    return _columns([head, *rows], left={0}) if rows else []


def _table(records: tuple[Record, ...]) -> list[str]:
    """Rows of a story under their days; a code that has no room stands on a line of its own."""
    head = ("time (UTC)", "what", "try", "fence", "endpoint", "worker", "pages", "$")
    rows = [head, *map(_row, records)]
    spare = (
        _WIDTH
        - max(len(line) for line in _columns([(*row[:4], "", *row[5:]) for row in rows], left=frozenset()))
        - 1
    )
    rows = [(*row[:4], _end(row[4], max(spare, 12)), *row[5:]) for row in rows]
    lines = _columns(rows, left={0, 1, 4, 5})
    told, day = [lines[0]], ""
    for record, line in zip(records, lines[1:], strict=True):
        today = f"{datetime.fromtimestamp(record.at_utc_ns / 1e9, UTC):%Y-%m-%d}"
        if today != day:
            told.append(today)
            day = today
        full = f"{line.ljust(len(lines[0]))} {record.code}".rstrip()
        if len(full) <= _WIDTH:
            told.append(full)
        else:
            told += [
                line,
                *textwrap.wrap(record.code, _WIDTH, initial_indent=_UNDER, subsequent_indent=_UNDER),
            ]
    return told


def _row(record: Record) -> tuple[str, ...]:
    moment = datetime.fromtimestamp(record.at_utc_ns // 10**9, UTC)
    call = record.kind not in {"stored", "operation", "adopted"}
    return (
        f"{moment:%H:%M:%S}.{record.at_utc_ns // 10**6 % 1000:03d}",
        record.kind,
        str(record.attempt),
        str(record.fence),
        record.endpoint,
        _end(record.worker.rpartition("://")[2], 15),
        str(record.pages) if call else "",
        f"{record.micros / 1e6:.4f}" if record.micros else "",
    )


def _end(name: str, most: int) -> str:
    """A long name's end: what tells it from others stands there."""
    return name if len(name) <= most else f"…{name[1 - most :]}"


def _columns(rows: list[tuple[str, ...]], *, left: Container[int]) -> list[str]:
    """Rows as wide as they must be, words to the left and numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        " ".join(
            cell.ljust(width) if at in left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            if width
        ).rstrip()
        for row in rows
    ]


def _moment(utc_ns: int) -> str:
    return f"{datetime.fromtimestamp(utc_ns / 1e9, UTC):%Y-%m-%d %H:%M:%S}"


def _dollars(micros: int) -> str:
    return f"${micros / 1e6:,.2f}" if micros >= 10_000 or not micros else f"${micros / 1e6:,.4f}"


def totals_dict(found: Totals) -> dict[str, Any]:
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
