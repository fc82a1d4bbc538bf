"""What can happen to the governor; each event carries the time at which it happened.

Events are frozen values. They travel from workers, are recorded, and replayed: :func:`docdask.core.wire.encode` turns
them into JSON and back. ``at_ns`` is the clock of the process that holds the governor, stamped on arrival. Any event
may arrive twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from docdask.core.meter import MeterState
from docdask.core.retry import Verdict
from docdask.core.spec import UNLIMITED, BudgetSpec, Kind, SemaphoreSpec


class Waiter(NamedTuple):
    """One permit that a worker wants."""

    permit: str
    """Made by the worker, unique among its permits."""
    pages: int = 1
    micros: int = 0
    """What the call will cost at most, in micro-dollars."""
    unit: str = ""
    """Unit (or pack) that the call is for, in the ledger; empty: worker and permit stand for it."""
    attempt: int = 1


class Outcome(NamedTuple):
    """What became of one permit."""

    permit: str
    fence: int
    verdict: Verdict = "ok"
    latency_ns: int = 0
    """From sending the call to its answer, on the worker's clock; 0 if unknown."""
    after_ns: int = 0
    """What the service asked to wait (``RetryInfo``)."""
    limit: str = ""
    """Quota that a refusal was for: ``requests``, ``pages``, ``user``, ``batch``; empty if it did not say."""
    pages_billed: int | None = None
    """None: all if the verdict is ``ok`` or the caller failed, none if it was refused, unknown if it was lost."""
    micros_billed: int | None = None
    code: str = ""
    """Status code, for the ledger."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at ``at_ns``."""

    at_ns: int


@dataclass(frozen=True, slots=True)
class Register(Event):
    """Somebody uses a semaphore by this name; the first one's spec counts, others must agree."""

    semaphore: str
    spec: SemaphoreSpec


@dataclass(frozen=True, slots=True)
class Configure(Event):
    """The semaphore's quotas change while it runs."""

    semaphore: str
    spec: SemaphoreSpec


@dataclass(frozen=True, slots=True)
class Close(Event):
    """The semaphore ends; whoever waits is refused."""

    semaphore: str


@dataclass(frozen=True, slots=True)
class OpenLedger(Event):
    """A ledger was opened, and can be named by runs; its numbers go on above these. Told again before each time it is."""

    ledger: str
    epoch: int
    """Of this governor in it."""
    fence: int
    """Last ones in use."""
    sequence: int


@dataclass(frozen=True, slots=True)
class OpenRun(Event):
    """A run begins, with a budget and what it means to call in all."""

    semaphore: str
    run: str
    calls: int = 0
    """Calls that the run will want permits for, as far as known; decides whether it fits into a burst."""
    pages: int = 0
    budget: BudgetSpec = UNLIMITED
    spent: tuple[int, int, int, int] = (0, 0, 0, 0)
    """From the ledger of an earlier part of the run: pages and micro-dollars spent, pages and micro-dollars at risk."""
    ledger: str = ""
    """Ledger of the run's own, opened before; empty: the governor's, if the semaphore keeps one."""


@dataclass(frozen=True, slots=True)
class CloseRun(Event):
    """A run is over; whoever waits for it is refused."""

    semaphore: str
    run: str


@dataclass(frozen=True, slots=True)
class Want(Event):
    """A worker wants permits: all that its waiters want, at once."""

    semaphore: str
    worker: str
    waiters: tuple[Waiter, ...]
    lane: str = "normal"
    run: str = ""
    kind: Kind = "online"
    endpoints: tuple[str, ...] = ()
    """Endpoints that may be called; empty for all."""
    locations: tuple[str, ...] = ()
    """Residency rule: locations that the data may go to; empty for all."""


@dataclass(frozen=True, slots=True)
class Cancel(Event):
    """A worker no longer wants these permits; it promises not to use one that it was granted meanwhile."""

    semaphore: str
    worker: str
    permits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Return(Event):
    """A worker is done with these permits."""

    semaphore: str
    worker: str
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Refresh(Event):
    """A worker is alive.

    ``held`` lists the permits it holds in this semaphore, ``fence`` the newest grant it has seen: what was granted up to
    there and is not listed has been lost on the way. With an empty ``semaphore`` it is a sign of life and no more.
    """

    worker: str
    semaphore: str = ""
    fence: int = -1
    held: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkerJoined(Event):
    """A worker has shaken hands with the governor."""

    worker: str


@dataclass(frozen=True, slots=True)
class WorkerLost(Event):
    """The scheduler saw the worker go."""

    worker: str


@dataclass(frozen=True, slots=True)
class Timer(Event):
    """A moment that a ``WakeAt`` asked for has come (or any other: being woken too often does no harm)."""

    semaphore: str


@dataclass(frozen=True, slots=True)
class Durable(Event):
    """All records of a ledger up to ``sequence`` are on disk."""

    sequence: int
    ledger: str = ""


@dataclass(frozen=True, slots=True)
class LedgerFailed(Event):
    """Records of a ledger can't be written; until its next ``Durable`` no permit that needs one is granted."""

    message: str
    ledger: str = ""


@dataclass(frozen=True, slots=True)
class Note(Event):
    """A worker wants a fact about a unit in the ledger: its result is stored, its operation has a name, was adopted."""

    semaphore: str
    worker: str
    run: str
    unit: str
    fence: int
    kind: Literal["stored", "operation", "adopted"]
    attempt: int = 1
    code: str = ""
    """The operation's name."""
    pages: int = 0
    """With ``adopted``: what was reserved when the operation was submitted, and is at risk since."""
    micros: int = 0


@dataclass(frozen=True, slots=True)
class Restore(Event):
    """What the project used lately, from an earlier run's :meth:`docdask.core.governor.Governor.usage`."""

    semaphore: str
    token: str
    """Names the saved state; the same one counts once."""
    meters: dict[str, MeterState]
    spent: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Of the project's budget, by calls of no run: pages and micro-dollars spent, pages and micro-dollars at risk."""


EVENTS: tuple[type[Event], ...] = (
    Register, Configure, Close, OpenLedger, OpenRun, CloseRun, Want, Cancel, Return, Refresh, WorkerJoined, WorkerLost, Timer,
    Durable, LedgerFailed, Note, Restore,
)  # fmt: skip
