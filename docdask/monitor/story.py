"""The story of one unit, for people: every record that a ledger has of it (``docdask debug ledger RUN UNIT``).

Rules: a ledger of any length is read in bounded memory; a document is found by its name or id through the plan, and a
request that several documents share is told whole.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from docdask.core.ledger import Record, fold
from docdask.errors import UsageError
from docdask.monitor.amounts import call_dollars
from docdask.monitor.columns import WIDTH, columns
from docdask.monitor.ledger_totals import must_exist
from docdask.store import ledger
from docdask.words import counted

#: Units that one look at a ledger tells of.
_MOST_UNITS = 20
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
            f"{counted(facts['pages_billed'], 'page')} billed, {call_dollars(round(facts['cost_usd'] * 1e6))}",
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
    must_exist(url)
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


def _table(records: tuple[Record, ...]) -> list[str]:
    """Rows of a story under their days; a code that has no room stands on a line of its own."""
    head = ("time (UTC)", "what", "try", "fence", "endpoint", "worker", "pages", "$")
    rows = [head, *map(_row, records)]
    spare = (
        WIDTH
        - max(len(line) for line in columns([(*row[:4], "", *row[5:]) for row in rows], left=frozenset()))
        - 1
    )
    rows = [(*row[:4], _end(row[4], max(spare, 12)), *row[5:]) for row in rows]
    lines = columns(rows, left={0, 1, 4, 5})
    told, day = [lines[0]], ""
    for record, line in zip(records, lines[1:], strict=True):
        today = f"{datetime.fromtimestamp(record.at_utc_ns / 1e9, UTC):%Y-%m-%d}"
        if today != day:
            told.append(today)
            day = today
        full = f"{line.ljust(len(lines[0]))} {record.code}".rstrip()
        if len(full) <= WIDTH:
            told.append(full)
        else:
            told += [
                line,
                *textwrap.wrap(record.code, WIDTH, initial_indent=_UNDER, subsequent_indent=_UNDER),
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
