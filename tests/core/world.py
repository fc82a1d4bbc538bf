"""A small virtual-time shell around the governor: a heap of events, workers, and a server that meters as it likes.

The clock is the heap's. Calls arrive 5 to 300 ms after their grant unless told otherwise.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from docdask.core import events as ev
from docdask.core.governor import Governor
from docdask.core.instructions import Append, Grant, Instruction, Refuse, WakeAt
from docdask.core.server.windows import Window
from docdask.core.spec import SemaphoreSpec

SECOND = 10**9
MINUTE = 60 * SECOND


@dataclass
class Site:
    """What stands behind one endpoint."""

    window: Window | None = None
    latency_ns: int = 100_000_000
    up: bool = True
    arrived: list[int] = field(default_factory=list)
    admitted: list[int] = field(default_factory=list)


@dataclass
class Job:
    lane: str
    run: str
    pages: int
    attempt: int = 1
    wanted_ns: int = 0


class World:
    """One semaphore, its workers, its server."""

    def __init__(
        self, spec: SemaphoreSpec, sites: dict[str, Site], *, seed: int = 0, workers: int = 8, start_ns: int = 0,
        jitter_ns: tuple[int, int] = (5_000_000, 300_000_000),
    ):  # fmt: skip
        self.rng = random.Random(seed)
        self.governor = Governor()
        self.sites = sites
        self.jitter_ns = jitter_ns
        self.now_ns = start_ns
        self.workers = workers
        self.heap: list[tuple[int, int, Callable[[], None]]] = []
        self.log: list[ev.Event] = []
        self.answers: list[list[Instruction]] = []
        self.jobs: dict[tuple[str, str], Job] = {}
        self.grants: list[tuple[int, Grant, Job]] = []
        self.refusals: list[Refuse] = []
        self.refused_by_quota: list[int] = []
        self.done: list[tuple[int, Job, str]] = []
        self.spec = spec
        self._serial = 0
        self._wake: tuple[int, int] | None = None
        self._permits = 0
        self.tell(ev.Register(self.now_ns, "s", spec))
        self.at(self.now_ns, self._refresh)

    def at(self, at_ns: int, what: Callable[[], None]) -> None:
        self._serial += 1
        heapq.heappush(self.heap, (at_ns, self._serial, what))

    def wake_at(self, at_ns: int) -> None:
        self.at(at_ns, lambda: self.tell(ev.Timer(self.now_ns, "s")) and None)

    def tell(self, event: ev.Event) -> list[Instruction]:
        out = self.governor.handle(event)
        self.log.append(event)
        self.answers.append(out)
        for instruction in out:
            if isinstance(instruction, Grant):
                self._granted(instruction)
            elif isinstance(instruction, Refuse):
                self.refusals.append(instruction)
            elif isinstance(instruction, WakeAt):
                self.wake_at(instruction.at_ns)
            elif isinstance(instruction, Append):
                pass
        return out

    def want(self, jobs: list[Job], **options) -> None:
        """Queue jobs at the workers in turn, one event a worker, lane and run."""
        groups: dict[tuple[str, str, str], list[ev.Waiter]] = {}
        for job in jobs:
            self._permits += 1
            worker = f"w{self._permits % self.workers}"
            permit = f"p{self._permits}"
            job.wanted_ns = self.now_ns
            self.jobs[worker, permit] = job
            groups.setdefault((worker, job.lane, job.run), []).append(
                ev.Waiter(permit, job.pages, unit=f"u{self._permits}", attempt=job.attempt)
            )
        for (worker, lane, run), waiters in groups.items():
            self.tell(ev.Want(self.now_ns, "s", worker, tuple(waiters), lane=lane, run=run, **options))

    def run(self, until_ns: int | None = None) -> None:
        """Go on until nothing is left to do, or until a moment."""
        while self.heap:
            if until_ns is not None and self.heap[0][0] > until_ns:
                self.now_ns = until_ns
                return
            if until_ns is None and not self.jobs:
                return
            self.now_ns, _, what = heapq.heappop(self.heap)
            what()

    def _refresh(self) -> None:
        for worker in {worker for worker, _ in self.jobs}:
            self.tell(ev.Refresh(self.now_ns, worker))
        self.at(self.now_ns + self.spec.lease_ns // 5, self._refresh)

    def _granted(self, grant: Grant) -> None:
        job = self.jobs[grant.worker, grant.permit]
        granted_ns = self.now_ns
        self.grants.append((granted_ns, grant, job))
        self.at(
            granted_ns + self.rng.randint(*self.jitter_ns),
            lambda: self._arrive(grant, job, self.now_ns - granted_ns),
        )

    def _arrive(self, grant: Grant, job: Job, travelled_ns: int) -> None:
        site = self.sites[grant.endpoint]
        site.arrived.append(self.now_ns)
        if not site.up:
            self.at(self.now_ns + 5_000_000, lambda: self._answer(grant, job, "capacity", 5_000_000))
        elif site.window is not None and not site.window.admit(1, self.now_ns):
            self.refused_by_quota.append(self.now_ns)
            self.at(self.now_ns + 5_000_000, lambda: self._answer(grant, job, "quota", 5_000_000))
        else:
            site.admitted.append(self.now_ns)
            latency_ns = site.latency_ns
            self.at(self.now_ns + latency_ns, lambda: self._answer(grant, job, "ok", latency_ns))

    def _answer(self, grant: Grant, job: Job, verdict: str, latency_ns: int) -> None:
        known = self.jobs.pop((grant.worker, grant.permit), None)
        outcome = ev.Outcome(grant.permit, grant.fence, verdict, latency_ns)
        self.tell(ev.Return(self.now_ns, "s", grant.worker, (outcome,)))
        if known is None:
            return  # its worker is gone
        if verdict == "ok":
            self.done.append((self.now_ns, job, grant.endpoint))
        else:
            job.attempt += 1
            self.want([job])
