"""Permits from the asking to the end: who waits, who holds, and what happens when a holder falls silent.

A permit's id is made by the worker that asks, so asking again is harmless. A grant makes it a lease: it lasts while its
worker gives signs of life, and ends when it is returned, when the worker says that it does not hold it, when the worker
is lost, or after ``lease_ns`` of silence. Each grant has a *fence*, a number that only rises; whoever stores a result
compares fences, so that a writer whose lease has lapsed can't overwrite. Ids of permits that are over are remembered
for a while, so that an event which arrives twice does not start one anew.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from docdask.core.machine import Table

if TYPE_CHECKING:
    from docdask.core.endpoint import Endpoint
    from docdask.core.journal import Book
    from docdask.core.lane import Flow

PERMIT: Table = {
    ("waiting", "grant"): "granted",
    ("waiting", "refuse"): "refused",
    ("waiting", "cancel"): "forgotten",
    ("waiting", "worker lost"): "forgotten",
    ("granted", "return"): "returned",
    ("granted", "cancel"): "returned",
    ("granted", "refuse"): "refused",
    ("granted", "lapse"): "lapsed",
    ("granted", "worker lost"): "lapsed",
    ("lapsed", "late return"): "settled",
}

#: Ids remembered a worker and generation; two generations are kept.
REMEMBERED = 8192
#: Lost workers remembered.
_LOST = 1024


class Permit:
    """One permit, waiting or granted."""

    __slots__ = (
        "attempt", "book", "burst", "endpoint", "fence", "flow", "granted_ns", "id", "micros", "missed", "pages", "sequence",
        "since_ns", "state", "unit", "worker",
    )  # fmt: skip

    def __init__(
        self,
        id: str,  # noqa: A002 - it is the permit's id
        worker: str,
        flow: Flow,
        pages: int,
        micros: int,
        unit: str,
        attempt: int,
        since_ns: int,
    ) -> None:
        self.id = id
        self.worker = worker
        self.flow = flow
        self.pages = pages
        self.micros = micros
        self.unit = unit
        self.attempt = attempt
        self.since_ns = since_ns
        self.state = "waiting"
        self.endpoint: Endpoint | None = None
        self.fence = 0
        self.granted_ns = 0
        self.burst = False
        self.sequence = 0
        self.book: Book | None = None
        """Where its intent stands; its outcome goes there too."""
        self.missed = False
        """Its worker, which should know of it, did not name it last time."""

    def unknown(self, fence: int) -> bool:
        """Whether its grant has been lost on the way to a worker that has seen ``fence`` and does not name this one.

        Grants leave in the order of their fences but for those that wait for their records: such a one may have been on its way
        while the worker spoke, and is lost only if it is not named the next time either.
        """
        if self.state != "granted" or self.fence > fence:
            return False
        if self.book is None:
            return True
        if self.book.holds(self.sequence):
            return False
        missed, self.missed = self.missed, True
        return missed

    def step(self, cause: str) -> None:
        """Go to the next state; what the table does not know is a mistake of the governor's own."""
        self.state = PERMIT[self.state, cause]


class Worker:
    """Permits of one worker (or client) that are not over, and ids of those that are."""

    __slots__ = ("_ended", "_ended_before", "_turned_ns", "granted", "name", "permits", "seen_ns")

    def __init__(self, name: str, now_ns: int) -> None:
        self.name = name
        self.seen_ns = now_ns
        self.permits: dict[str, Permit] = {}
        self.granted = 0
        self._ended: set[str] = set()
        self._ended_before: set[str] = set()
        self._turned_ns = now_ns

    def has_ended(self, permit: str) -> bool:
        """Whether the permit was here and is over."""
        return permit in self._ended or permit in self._ended_before

    def end(self, permit: str, now_ns: int, remember_ns: int) -> None:
        """Remember that the permit is over."""
        if len(self._ended) >= REMEMBERED or now_ns - self._turned_ns > remember_ns:
            self._ended_before, self._ended = self._ended, set()
            self._turned_ns = now_ns
        self._ended.add(permit)


class Workers:
    """Workers in the order of their last sign of life."""

    __slots__ = ("_lapsed", "_lost", "_workers", "lease_ns")

    def __init__(self, lease_ns: int) -> None:
        self.lease_ns = lease_ns
        self._workers: OrderedDict[str, Worker] = OrderedDict()
        self._lost: OrderedDict[str, Worker] = OrderedDict()
        self._lapsed: OrderedDict[tuple[str, str], Permit] = OrderedDict()

    def __iter__(self) -> Iterator[Worker]:
        return iter(self._workers.values())

    def get(self, name: str) -> Worker | None:
        """The worker, if it has anything here."""
        return self._workers.get(name)

    def seen(self, name: str, now_ns: int) -> Worker:
        """Note a sign of life."""
        worker = self._workers.get(name)
        if worker is None:
            worker = self._workers[name] = Worker(name, now_ns)
        else:
            worker.seen_ns = now_ns
            self._workers.move_to_end(name)
        return worker

    def is_lost(self, name: str) -> bool:
        """Whether the worker was reported lost and has not joined again."""
        return name in self._lost

    def joined(self, name: str, now_ns: int) -> None:
        """Take back that a worker was lost; what it wanted before is still over."""
        worker = self._lost.pop(name, None)
        if worker is not None:
            worker.seen_ns = now_ns
            self._workers[name] = worker

    def lose(self, name: str, now_ns: int) -> Worker:
        """Take a worker out; what it says from now on does not count."""
        worker = self._lost.get(name) or self._workers.pop(name, None) or Worker(name, now_ns)
        self._lost[name] = worker
        while len(self._lost) > _LOST:
            self._lost.popitem(last=False)
        return worker

    def silent(self, now_ns: int) -> Worker | None:
        """Take out one worker that has been silent for a lease, None when there is none."""
        for worker in self._workers.values():
            if now_ns - worker.seen_ns < self.lease_ns:
                return None
            del self._workers[worker.name]
            return worker
        return None

    def expiry_ns(self, before_ns: int) -> int:
        """When the first worker that holds or waits will have been silent for a lease, if that is before ``before_ns``."""
        lease_ns = self.lease_ns
        for worker in self._workers.values():
            if worker.seen_ns + lease_ns >= before_ns:  # so will be those after it
                break
            if worker.permits:
                return worker.seen_ns + lease_ns
        return before_ns

    def forgive(self, now_ns: int) -> None:
        """Count everybody as just seen: it was the listener that was away."""
        for worker in self._workers.values():
            worker.seen_ns = now_ns

    def lapse(self, permit: Permit) -> None:
        """Keep a lapsed permit, so that a late return can settle it."""
        self._lapsed[permit.worker, permit.id] = permit
        while len(self._lapsed) > 16 * REMEMBERED:
            self._lapsed.popitem(last=False)

    def late(self, worker: str, permit: str) -> Permit | None:
        """Take out the lapsed permit that came back after all."""
        return self._lapsed.pop((worker, permit), None)
