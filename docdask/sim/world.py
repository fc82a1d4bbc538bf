"""Drives governor and service in virtual time: a heap of what happens next, and nothing else.

Rules: the clock is the heap's; time only goes forward; of two things at the same nanosecond the governor's timer comes
first, then what was planned first. A call arrives some milliseconds after its grant, the service says when it will have
answered, and the worker returns the permit with that answer. Workers want permits in batches, try again as
:class:`docdask.core.retry.RetryPolicy` says, and die when an incident says so.
"""

from __future__ import annotations

import random
from array import array
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from docdask.core import events as ev
from docdask.core.governor import Governor
from docdask.core.instructions import Grant, Instruction, Refuse, Reject, WakeAt
from docdask.core.meter import NEVER_NS
from docdask.core.prices import NANO_USD, price_of
from docdask.core.retry import Verdict, verdict
from docdask.core.server import Service
from docdask.core.server.status import RetryInfo, Status
from docdask.core.spec import MINUTE_NS, SECOND_NS
from docdask.errors import UsageError
from docdask.sim.incidents import Schedule
from docdask.sim.result import Result, summarise
from docdask.sim.scenario import LEASE_NS, Scenario, nanoseconds
from docdask.sim.streams import Caller, End, Job, Stream
from docdask.sim.tally import EndpointMinute, Minute, Site

SEMAPHORE = "documentai"
_PROJECT = "100000000000"
_USER = "docdask"
#: From the service's decision to the worker's knowledge of it.
_REPLY_NS = 5_000_000

#: Takes each event and what the governor answered.
Record = Callable[[ev.Event, list[Instruction]], object]


def simulate(scenario: Scenario, *, record: Record | None = None) -> Result:
    """Run a scenario in virtual time.

    Parameters
    ----------
    scenario
        What is simulated.
    record
        Called with each event and the governor's instructions, in order; an
        :class:`docdask.sim.eventlog.EventLog` writes them down for a replay.

    Returns
    -------
    Result
        The same for the same scenario, always.

    Raises
    ------
    UsageError
        If the governor rejects what the scenario registers.
    """
    return World(scenario, record).run()


class World:
    """One semaphore, its workers, its service.

    Parameters
    ----------
    scenario
        What is simulated.
    record
        As for :func:`simulate`.
    """

    def __init__(self, scenario: Scenario, record: Record | None = None) -> None:
        self.scenario = scenario
        self.governor = Governor()
        self.now_ns = 0
        self.service = Service(scenario.server(), random.Random(f"{scenario.seed}/service").random)
        self.streams = [Stream(load, scenario.most_pages) for load in scenario.loads]
        self.open = sum(stream.documents for stream in self.streams)
        self.minutes: list[Minute] = []
        self.by_endpoint: list[EndpointMinute] = []
        self.waits_ns = {name: array("q") for name, _ in scenario.lanes}
        """How long each permit was waited for, by lane."""
        self.refusals: dict[str, int] = {}
        """Calls that the governor refused, by reason."""
        self.verdicts: dict[Verdict, int] = {}
        self.events = 0
        self._record = record
        self._random = random.Random(f"{scenario.seed}/workers").random
        self._travel_ns = tuple(nanoseconds(seconds) for seconds in scenario.travel_s)
        self._heap: list[tuple[int, int, Callable[[Any], None], Any]] = []
        self._serial = self._permits = 0
        self._wake_ns = NEVER_NS
        self._jobs: dict[str, Job] = {}
        self._thirsty: deque[Caller] = deque()
        self._alive = [f"worker-{number}" for number in range(scenario.workers)]
        self._heard: set[str] = set()
        self._minute_from = self._cost = self._set_aside = self._done = 0
        self._micros: dict[int, int] = {}
        self._schedule = Schedule(scenario.incidents)
        self._tell(ev.Register(0, SEMAPHORE, scenario.spec()))
        self._pool = self.governor.pools[SEMAPHORE]
        self._sites = {
            name: Site(endpoint, scenario.processor, _PROJECT, _USER, imageless=scenario.imageless)
            for name, endpoint in self._pool.limits.endpoints.items()
        }

    def run(self) -> Result:
        """Go on until every document has ended, nobody is left to work, or the horizon is reached."""
        for stream in self.streams:
            self._at(nanoseconds(stream.load.start_s), self._begin, stream)
        for at_ns in self._schedule.moments_ns:
            self._at(at_ns, self._turn, None)
        self._at(LEASE_NS // 5, self._refresh, None)
        heap, thirsty = self._heap, self._thirsty
        horizon_ns = nanoseconds(self.scenario.horizon_s)
        while self.open and self._alive:
            wake_ns = self._wake_ns
            at_ns = min(heap[0][0], wake_ns)
            if at_ns > horizon_ns:
                self.now_ns = horizon_ns
                break
            if at_ns > self.now_ns:
                while at_ns >= self._minute_from + MINUTE_NS:
                    self._close_minute(self._minute_from + MINUTE_NS)
                self.now_ns = at_ns
            if wake_ns <= at_ns:
                self._wake_ns = NEVER_NS
                self._tell(ev.Timer(self.now_ns, SEMAPHORE))
            else:
                _, _, what, about = heappop(heap)
                what(about)
            while thirsty:
                self._top_up(thirsty.popleft())
        while self.now_ns > self._minute_from or self._counting():
            self._close_minute(min(self.now_ns, self._minute_from + MINUTE_NS))
        return summarise(self)

    def _at(self, at_ns: int, what: Callable[[Any], None], about: object) -> None:
        self._serial += 1
        heappush(self._heap, (at_ns, self._serial, what, about))

    # -- the governor ------------------------------------------------------------------------------------------------

    def _tell(self, event: ev.Event) -> None:
        out = self.governor.handle(event)
        self.events += 1
        if self._record is not None:
            self._record(event, out)
        for instruction in out:
            kind = type(instruction)
            if kind is Grant:
                self._granted(instruction)  # type: ignore[arg-type]
            elif kind is WakeAt:
                self._wake_ns = instruction.at_ns  # type: ignore[union-attr]
            elif kind is Refuse:
                self._refused(instruction)  # type: ignore[arg-type]
            elif isinstance(instruction, Reject):
                raise UsageError(instruction.message, instruction.remedy)

    def _granted(self, grant: Grant) -> None:
        job = self._jobs[grant.permit]
        assert job.caller is not None
        job.caller.waiting -= 1
        job.fence = grant.fence
        job.site = self._sites[grant.endpoint]
        now_ns = self.now_ns
        self.waits_ns[job.stream.load.lane].append(now_ns - job.wanted_ns)
        least, most = self._travel_ns
        self._serial += 1
        arrival_ns = now_ns + least + int(self._random() * (most - least))
        heappush(self._heap, (arrival_ns, self._serial, self._arrive, job))

    def _refused(self, refuse: Refuse) -> None:
        job = self._jobs.pop(refuse.permit)
        self.refusals[refuse.reason] = self.refusals.get(refuse.reason, 0) + 1
        assert job.caller is not None
        job.caller.waiting -= 1
        self._end(job, "refused")

    def _want(self, caller: Caller, jobs: list[Job]) -> None:
        """Ask for permits; each attempt has one of its own."""
        now_ns, known, permits = self.now_ns, self._jobs, self._permits
        waiters = []
        for job in jobs:
            permits += 1
            job.permit = permit = str(permits)
            job.wanted_ns = now_ns
            job.caller = caller
            job.verdict = None
            known[permit] = job
            pages = job.pages
            waiters.append(ev.Waiter(permit, pages, self._micros_of(pages), "", job.attempt))
        self._permits = permits
        caller.waiting += len(waiters)
        load = caller.stream.load
        self._heard.add(caller.worker)
        self._tell(ev.Want(now_ns, SEMAPHORE, caller.worker, tuple(waiters), lane=load.lane, run=load.name))

    def _micros_of(self, pages: int) -> int:
        """Most that a call of so many pages can cost, in micro-dollars."""
        micros = self._micros.get(pages)
        if micros is None:
            price = price_of(self.scenario.processor_type)
            nanos = price.units(pages) * max(each for _, each in price.tiers)
            micros = self._micros[pages] = -(-nanos * 1_000_000 // NANO_USD)
        return micros

    # -- the way of a call -------------------------------------------------------------------------------------------

    def _arrive(self, job: Job) -> None:
        caller, site = job.caller, job.site
        assert caller is not None
        assert site is not None
        if not caller.alive:
            return
        now_ns = self.now_ns
        job.arrived_ns = now_ns
        site.calls += 1
        job.verdict = decided = self.service.process(site.call(job.pages), now_ns)
        self._serial += 1
        heappush(self._heap, (decided.finish_ns + _REPLY_NS, self._serial, self._answer, job))

    def _answer(self, job: Job) -> None:
        caller, site, decided = job.caller, job.site, job.verdict
        assert caller is not None
        assert site is not None
        assert decided is not None
        if not caller.alive:
            return  # counted as lost when its worker died
        now_ns, status = self.now_ns, decided.status
        latency_ns = now_ns - job.arrived_ns
        del self._jobs[job.permit]
        if status is None and decided.fault != "lost":
            answer: Verdict = "ok"
            site.ok += 1
            site.pages += job.pages
            outcome = ev.Outcome(job.permit, job.fence, "ok", latency_ns)
        else:
            answer, outcome = self._trouble(job, site, status, latency_ns)
        self.verdicts[answer] = self.verdicts.get(answer, 0) + 1
        self._heard.add(caller.worker)
        self._tell(ev.Return(now_ns, SEMAPHORE, caller.worker, (outcome,)))
        if answer == "ok":
            self._end(job, "done")
        else:
            self._try_again(job, answer, outcome.after_ns)

    def _trouble(
        self, job: Job, site: Site, status: Status | None, latency_ns: int
    ) -> tuple[Verdict, ev.Outcome]:
        """What a worker makes of an answer that is not well."""
        if status is None:
            site.lost += 1
            return "lost", ev.Outcome(job.permit, job.fence, "lost", latency_ns, code="UNKNOWN")
        answer = verdict(status.code, status.message)
        if answer == "quota":
            site.refused += 1
        elif answer == "lost":
            site.lost += 1
        else:
            site.failed += 1
        after_ns = max((d.delay_ns for d in status.details if isinstance(d, RetryInfo)), default=0)
        limit = _limit_of(status.message) if answer == "quota" else ""
        return answer, ev.Outcome(
            job.permit, job.fence, answer, latency_ns, after_ns, limit, code=status.code
        )

    def _try_again(self, job: Job, answer: Verdict, after_ns: int) -> None:
        policy = self.scenario.retry
        if answer not in {"quota", "capacity"}:
            job.counted += 1
            if job.counted > policy.attempts:
                self._end(job, "failed")
                return
        wait_ns = policy.wait_ns(
            answer, min(job.attempt, policy.attempts - 1), self._random, after_ns=after_ns
        )
        if wait_ns is None:
            self._end(job, "failed")
            return
        job.attempt += 1
        self._at(self.now_ns + wait_ns, self._again, job)

    def _again(self, job: Job) -> None:
        caller = job.caller
        assert caller is not None
        if caller.alive:
            self._want(caller, [job])
        else:
            job.stream.give_back(job)
            self._thirsty.extend(job.stream.callers)

    def _end(self, job: Job, how: End) -> None:
        caller, stream = job.caller, job.stream
        assert caller is not None
        caller.busy -= 1
        self._thirsty.append(caller)
        ended = stream.end(job, how, self.now_ns)
        if ended is not None:
            self.open -= 1
            if ended == "done":
                self._done += 1
            else:
                self._set_aside += 1
            if not stream.pending:
                self._tell(ev.CloseRun(self.now_ns, SEMAPHORE, stream.load.name))

    # -- documents and workers ---------------------------------------------------------------------------------------

    def _begin(self, stream: Stream) -> None:
        """A run begins: its calls are announced, its documents spread over the workers."""
        load, width = stream.load, self.scenario.calls_per_worker
        known = not load.every_s
        self._tell(
            ev.OpenRun(
                self.now_ns,
                SEMAPHORE,
                load.name,
                calls=stream.calls if known else 0,
                pages=stream.pages if known else 0,
                budget=load.budget,
            )
        )
        stream.callers = [Caller(worker, stream, width) for worker in self._alive]
        if not known:
            self._supply(stream)
            return
        share = min(width, -(-stream.calls // len(stream.callers)))
        for caller in stream.callers:
            self._take(caller, share)

    def _supply(self, stream: Stream) -> None:
        """One more document arrives, for the next worker that has room; for whoever has room first if none has."""
        if not stream.documents:
            return
        if stream.arrive():
            self._at(self.now_ns + nanoseconds(stream.load.every_s), self._supply, stream)
        callers = stream.callers
        calls = -(-stream.load.pages[stream.arrived - 1] // stream.most)
        for _ in callers:
            stream.turn = (stream.turn + 1) % len(callers)
            caller = callers[stream.turn]
            if caller.alive and caller.busy < caller.width:
                self._take(caller, min(calls, caller.width - caller.busy))
                return

    def _top_up(self, caller: Caller) -> None:
        self._take(caller, caller.room())

    def _take(self, caller: Caller, most: int) -> None:
        jobs = caller.stream.take(most) if most > 0 else []
        if jobs:
            caller.busy += len(jobs)
            self._want(caller, jobs)

    def _refresh(self, _: object) -> None:
        """Workers that said nothing else say that they are alive."""
        for worker in self._alive:
            if worker not in self._heard:
                self._tell(ev.Refresh(self.now_ns, worker))
        self._heard.clear()
        self._at(self.now_ns + LEASE_NS // 5, self._refresh, None)

    def _turn(self, _: object) -> None:
        """An incident begins or ends."""
        faults, lost = self._schedule.at(self.now_ns)
        self.service.faults = faults
        for _ in range(min(lost, len(self._alive))):
            self._lose(self._alive.pop())

    def _lose(self, worker: str) -> None:
        """A worker dies: what it had is given back, calls in flight are paid for and lost."""
        for stream in self.streams:
            for caller in stream.callers:
                if caller.worker == worker:
                    caller.alive = False
        for job in [job for job in self._jobs.values() if job.caller and not job.caller.alive]:
            del self._jobs[job.permit]
            if job.verdict is not None and job.site is not None:
                job.site.lost += 1
                self.verdicts["lost"] = self.verdicts.get("lost", 0) + 1
            job.stream.give_back(job.again())
        self._tell(ev.WorkerLost(self.now_ns, worker))
        for stream in self.streams:
            stream.callers = [caller for caller in stream.callers if caller.alive]
            self._thirsty.extend(stream.callers)

    # -- books -------------------------------------------------------------------------------------------------------

    def _counting(self) -> bool:
        """Whether anything has been counted since the last minute was closed."""
        return bool(self._done or self._set_aside) or any(site.busy() for site in self._sites.values())

    def _close_minute(self, end_ns: int) -> None:
        seconds = (end_ns - self._minute_from) / SECOND_NS
        number = self._minute_from // MINUTE_NS
        self.by_endpoint += [site.close(number, seconds) for site in self._sites.values()]
        cost = self.service.books.cost_nano_usd
        waiting = tuple(lane.waiting for lane in self._pool.lanes.lanes.values())
        self.minutes.append(
            Minute(number, self._done, self._set_aside, cost - self._cost, self.open, waiting, seconds)
        )
        self._cost, self._done, self._set_aside = cost, 0, 0
        self._minute_from = end_ns


def _limit_of(message: str) -> str:
    """Quota that a refusal's text names; the bare status code is the same for all."""
    if "'All requests'" in message:
        return "user"
    return "pages" if "document pages" in message else "requests"
