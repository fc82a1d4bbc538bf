"""What a ledger comes to, record by record: money, units by state, epochs, in memory that does not grow with its records.

The same rules as :func:`docdask.core.ledger.fold`, without the stories. Kept a unit: two integers; a call: nothing once
its end is known. Records must come in the order of their sequence numbers, each once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from docdask.core.ledger import UNIT, Record, UnitState
from docdask.core.segments import Faults

_STATES: tuple[UnitState, ...] = (
    "new", "calling", "operating", "waiting", "answered", "failed", "at-risk", "stored",
)  # fmt: skip
_NEW, _OPERATING, _STORED = _STATES.index("new"), _STATES.index("operating"), _STATES.index("stored")
_BITS, _MASK = 4, 15
#: By kind of record: state after it, by state before; None where no transition allows it.
_AFTER: dict[str, tuple[int | None, ...]] = {
    kind: tuple(
        _STORED if state == "stored" else _STATES.index(UNIT[state, kind]) if (state, kind) in UNIT else None
        for state in _STATES
    )
    for kind in {kind for _, kind in UNIT}
}
_NONE: tuple[int | None, ...] = (None,) * len(_STATES)  # a kind that nobody writes
_ENDS = frozenset({"answered", "refused", "failed", "withdrawn"})


@dataclass(frozen=True, slots=True)
class Operation:
    """A batch operation that was begun and whose end is not known."""

    name: str
    unit: str
    attempt: int
    fence: int
    run: str
    semaphore: str
    endpoint: str
    pages: int
    micros: int


@dataclass(slots=True)
class Purse:
    """Pages and micro-dollars."""

    pages_billed: int = 0
    micros_billed: int = 0
    pages_at_risk: int = 0
    """Of calls whose end is not known."""
    micros_at_risk: int = 0

    @property
    def spent(self) -> tuple[int, int, int, int]:
        """As :class:`docdask.core.events.OpenRun` takes it."""
        return self.pages_billed, self.micros_billed, self.pages_at_risk, self.micros_at_risk


@dataclass(slots=True)
class Answers:
    """Calls that an endpoint was sent, and what it said."""

    calls: int = 0
    pages_billed: int = 0
    micros_billed: int = 0
    answered: int = 0
    refused: int = 0
    failed: int = 0
    lost: int = 0
    withdrawn: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """What a ledger comes to."""

    records: int
    sequence: int
    """Of the last record."""
    epoch: int
    """Of the last governor."""
    fence: int
    pages_billed: int
    micros_billed: int
    pages_at_risk: int
    """Of calls whose end is not known."""
    micros_at_risk: int
    units: dict[str, int]
    """By state."""
    runs: dict[tuple[str, str], Purse]
    """By semaphore and run."""
    endpoints: dict[str, Answers]
    operations: tuple[Operation, ...]
    ignored: int
    """Records that no transition allows."""
    first_utc_ns: int
    last_utc_ns: int
    recent: tuple[Record, ...] = ()
    """Intents since the moment that was asked for, for :func:`docdask.core.recovery.recover`."""
    faults: Faults = field(default_factory=Faults)
    """What was wrong with the segments."""


class Summing:
    """Adds records up.

    Parameters
    ----------
    since_utc_ns
        Keep intents from this moment on; None keeps none.
    """

    def __init__(self, since_utc_ns: int | None = None) -> None:
        self._since_utc_ns = since_utc_ns
        self._units: dict[int, int] = {}  # hash of the unit → fence + 1 and state
        self._open: dict[tuple[int, int], tuple[int, int, tuple[str, str]]] = {}
        self._runs: dict[tuple[str, str], Purse] = {}
        self._endpoints: dict[str, Answers] = {}
        self._operations: dict[str, Operation] = {}
        self._recent: list[Record] = []
        self._records = self._sequence = self._epoch = self._fence = self._ignored = 0
        self._first_utc_ns = self._last_utc_ns = 0

    def add(self, records: Iterable[Record]) -> None:
        """Take in records."""
        units, after = self._units, _AFTER
        count, top, epoch = self._records, self._fence, self._epoch
        record = None
        for record in records:
            if not count:
                self._first_utc_ns = record.at_utc_ns
            count += 1
            kind, fence = record.kind, record.fence
            if fence > top:  # noqa: PLR1730 - hot
                top = fence
            if record.epoch > epoch:  # noqa: PLR1730 - hot
                epoch = record.epoch
            key = hash(record.unit)
            if kind == "intent":
                self._begin(record, key)
            elif kind in _ENDS:
                self._end(record, key)
            elif kind == "lost":
                self._of_endpoint(record.endpoint).lost += 1
            elif kind == "adopted":
                self._adopted(record, key)
            known = units.get(key, _NEW)
            newest, state = known >> _BITS, known & _MASK
            if fence + 1 < newest and kind != "stored":
                continue
            target = after.get(kind, _NONE)[state]
            if target is None:
                self._ignored += 1
                units.setdefault(key, known)
                continue
            units[key] = (fence + 1 if fence + 1 > newest else newest) << _BITS | target  # noqa: FURB136 - hot
            if target == _OPERATING or (state == _OPERATING and self._operations):
                self._operating(record, operating=target == _OPERATING)
        if record is not None:
            self._records, self._fence, self._epoch = count, top, epoch
            self._sequence, self._last_utc_ns = record.sequence, record.at_utc_ns

    def _begin(self, record: Record, key: int) -> None:
        """A call goes out: what it may cost is at risk."""
        fence = record.fence
        run = (record.semaphore, record.run)
        self._open[key, fence] = record.pages, record.micros, run
        self._of_endpoint(record.endpoint).calls += 1
        if self._since_utc_ns is not None and record.at_utc_ns >= self._since_utc_ns:
            self._recent.append(record)

    def _end(self, record: Record, key: int) -> None:
        """Its end is known: what it cost is billed, as :meth:`docdask.core.ledger.Ledger.apply` does it."""
        found = self._open.pop((key, record.fence), None)
        if found is None:
            return
        purse, answers = self._of_run(found[2]), self._of_endpoint(record.endpoint)
        purse.pages_billed += record.pages
        purse.micros_billed += record.micros
        answers.pages_billed += record.pages
        answers.micros_billed += record.micros
        if record.kind == "answered":
            answers.answered += 1
        else:
            setattr(answers, record.kind, getattr(answers, record.kind) + 1)

    def _adopted(self, record: Record, key: int) -> None:
        """Move to the adopting call what earlier ones of its unit left open."""
        run = (record.semaphore, record.run)
        calls = [
            call
            for call, of in self._open.items()
            if call[0] == key and call[1] <= record.fence and of[2] == run
        ]
        earlier = [self._open.pop(call) for call in calls]
        if earlier:
            pages, micros = sum(one[0] for one in earlier), sum(one[1] for one in earlier)
            self._open[key, record.fence] = pages, micros, run

    def _of_endpoint(self, name: str) -> Answers:
        answers = self._endpoints.get(name)
        if answers is None:
            answers = self._endpoints[name] = Answers()
        return answers

    def _of_run(self, key: tuple[str, str]) -> Purse:
        purse = self._runs.get(key)
        if purse is None:
            purse = self._runs[key] = Purse()
        return purse

    def _operating(self, record: Record, *, operating: bool) -> None:
        if not operating:
            self._operations.pop(record.unit, None)
        elif record.kind in {"operation", "adopted"}:
            call = self._open.get((hash(record.unit), record.fence))
            pages, micros = call[:2] if call else (record.pages, record.micros)
            self._operations[record.unit] = Operation(
                record.code, record.unit, record.attempt, record.fence, record.run, record.semaphore, record.endpoint,
                pages, micros,
            )  # fmt: skip

    @property
    def epoch(self) -> int:
        """Of the last governor so far."""
        return self._epoch

    def totals(self, faults: Faults | None = None) -> Totals:
        """What all that was taken in comes to."""
        runs = {key: Purse(p.pages_billed, p.micros_billed) for key, p in self._runs.items()}
        for pages, micros, key in self._open.values():
            purse = runs.setdefault(key, Purse())
            purse.pages_at_risk += pages
            purse.micros_at_risk += micros
        states: dict[str, int] = {}
        for known in self._units.values():
            name = _STATES[known & _MASK]
            states[name] = states.get(name, 0) + 1
        return Totals(
            records=self._records,
            sequence=self._sequence,
            epoch=self._epoch,
            fence=self._fence,
            pages_billed=sum(purse.pages_billed for purse in runs.values()),
            micros_billed=sum(purse.micros_billed for purse in runs.values()),
            pages_at_risk=sum(purse.pages_at_risk for purse in runs.values()),
            micros_at_risk=sum(purse.micros_at_risk for purse in runs.values()),
            units={state: states[state] for state in _STATES if state in states},
            runs=runs,
            endpoints={name: self._endpoints[name] for name in sorted(self._endpoints)},
            operations=tuple(self._operations.values()),
            ignored=self._ignored,
            first_utc_ns=self._first_utc_ns,
            last_utc_ns=self._last_utc_ns,
            recent=tuple(self._recent),
            faults=faults or Faults(),
        )
