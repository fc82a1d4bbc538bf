"""What has been paid for and stored, as a fold over append-only records.

The governor writes: the *intent* before a grant leaves, the *outcome* when the permit is returned or lost. State is
``fold(records)``; the same record twice counts once. Rules: ``stored`` is final; a record whose fence is older than the
unit's newest intent moves money only; a page is *at risk* when a call went out and nobody knows its end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, cast

from docdask.core.machine import Table

RecordKind = Literal[
    "intent", "answered", "refused", "failed", "lost", "withdrawn", "stored", "operation", "adopted"
]

UnitState = Literal["new", "calling", "operating", "waiting", "answered", "failed", "at-risk", "stored"]

UNIT: Table = {
    ("new", "intent"): "calling",
    ("waiting", "intent"): "calling",
    ("failed", "intent"): "calling",
    ("at-risk", "intent"): "calling",
    ("answered", "intent"): "calling",
    ("calling", "intent"): "calling",
    ("operating", "intent"): "calling",
    ("calling", "answered"): "answered",
    ("calling", "refused"): "waiting",
    ("calling", "failed"): "failed",
    ("calling", "lost"): "at-risk",
    ("calling", "withdrawn"): "waiting",
    ("calling", "operation"): "operating",
    ("calling", "adopted"): "operating",
    ("at-risk", "operation"): "operating",
    ("at-risk", "adopted"): "operating",
    ("operating", "operation"): "operating",
    ("operating", "adopted"): "operating",
    ("operating", "lost"): "operating",
    ("operating", "answered"): "answered",
    ("operating", "refused"): "waiting",
    ("operating", "failed"): "failed",
    ("operating", "withdrawn"): "operating",
    ("at-risk", "answered"): "answered",
    ("at-risk", "refused"): "waiting",
    ("at-risk", "failed"): "failed",
    ("at-risk", "withdrawn"): "waiting",
    ("answered", "lost"): "at-risk",
    ("calling", "stored"): "stored",
    ("operating", "stored"): "stored",
    ("answered", "stored"): "stored",
    ("at-risk", "stored"): "stored",
    ("waiting", "stored"): "stored",
    ("failed", "stored"): "stored",
    ("new", "stored"): "stored",
}


class Record(NamedTuple):
    """One line of the ledger. JSON object with these names; times in nanoseconds, money in micro-dollars."""

    sequence: int
    """Rises by one a record, from 1, over all segments of a run."""
    epoch: int
    """Which governor wrote it; rises with each restart."""
    kind: RecordKind
    unit: str
    attempt: int
    fence: int
    run: str
    semaphore: str
    endpoint: str
    worker: str
    pages: int
    """Asked for in an intent, billed in an outcome, taken over from an older call in ``adopted``."""
    micros: int
    code: str
    """Status code or reason; the operation's name in ``operation`` and ``adopted``."""
    at_utc_ns: int
    """Wall clock, for people."""


@dataclass(slots=True)
class Unit:
    """What the records say about one unit."""

    state: UnitState = "new"
    attempts: int = 0
    fence: int = -1
    pages_billed: int = 0
    micros_billed: int = 0
    open: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Calls without a known end: fence → pages and micro-dollars."""
    operation: str = ""
    story: list[Record] = field(default_factory=list)


@dataclass(slots=True)
class Ledger:
    """State of a run after some records: always one that the machine can be in."""

    units: dict[str, Unit] = field(default_factory=dict)
    sequence: int = 0
    epoch: int = 0
    fence: int = 0
    pages_billed: int = 0
    micros_billed: int = 0
    ignored: list[Record] = field(default_factory=list)
    """Records that no transition allows: written by somebody who was wrong."""
    _seen: set[int] = field(default_factory=set)

    def apply(self, record: Record) -> None:
        """Take in one record; one that was taken in before changes nothing."""
        if record.sequence in self._seen:
            return
        self._seen.add(record.sequence)
        self.sequence = max(self.sequence, record.sequence)
        self.epoch = max(self.epoch, record.epoch)
        self.fence = max(self.fence, record.fence)
        unit = self.units.setdefault(record.unit, Unit())
        unit.story.append(record)
        self._bill(unit, record)
        if record.fence < unit.fence and record.kind != "stored":
            return
        target = "stored" if unit.state == "stored" else UNIT.get((unit.state, record.kind))
        if target is None:
            self.ignored.append(record)
            return
        unit.state = cast("UnitState", target)
        unit.fence = max(unit.fence, record.fence)
        if record.kind == "intent":
            unit.attempts = max(unit.attempts, record.attempt)
        if record.kind in {"operation", "adopted"}:
            unit.operation = record.code

    def _bill(self, unit: Unit, record: Record) -> None:
        """Move money: open when the intent is written, billed or gone when the end is known."""
        if record.kind == "intent":
            unit.open[record.fence] = (record.pages, record.micros)
        elif record.kind in {"answered", "refused", "failed", "withdrawn"} and record.fence in unit.open:
            del unit.open[record.fence]
            unit.pages_billed += record.pages
            unit.micros_billed += record.micros
            self.pages_billed += record.pages
            self.micros_billed += record.micros
        elif record.kind == "adopted":
            # What earlier calls left open was for the same operation: its end will be theirs.
            earlier = [unit.open.pop(fence) for fence in list(unit.open) if fence <= record.fence]
            if earlier:
                unit.open[record.fence] = sum(p for p, _ in earlier), sum(m for _, m in earlier)

    @property
    def at_risk(self) -> tuple[int, int]:
        """Pages and micro-dollars of calls without a known end."""
        opens = [amount for unit in self.units.values() for amount in unit.open.values()]
        return sum(pages for pages, _ in opens), sum(micros for _, micros in opens)

    def counts(self) -> dict[str, int]:
        """Units by state."""
        counts: dict[str, int] = {}
        for unit in self.units.values():
            counts[unit.state] = counts.get(unit.state, 0) + 1
        return counts


def fold(records: Iterable[Record]) -> Ledger:
    """State after ``records``, in the order of their sequence numbers."""
    ledger = Ledger()
    for record in sorted(records, key=lambda record: record.sequence):
        ledger.apply(record)
    return ledger


def story(records: Iterable[Record], unit: str) -> list[Record]:
    """All records of one unit, oldest first, each once."""
    found = {record.sequence: record for record in records if record.unit == unit}
    return [found[sequence] for sequence in sorted(found)]
