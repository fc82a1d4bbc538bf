"""One semaphore: who gets the next permit, at which endpoint, and when.

Rules, in this order: an event changes the books; silent workers lapse and silent endpoints open their breakers; then the
*pump* serves lanes and flows in turn while the first waiter of each can go. A waiter that can't go keeps the
endpoint that will be ready for it first from those behind it, so that a long document is not starved by short ones.
A burst is decided when demand arrives after idleness and ends when anything no longer fits. Driven by
:class:`docdask.core.governor.Governor`.
"""

from __future__ import annotations

from docdask.core import events as ev
from docdask.core.admission import Refusal, admit_flow, admit_waiter, burst_fits, readmit_flow
from docdask.core.budget import Budget, Run
from docdask.core.endpoint import Endpoint
from docdask.core.instructions import Append, Grant, Instruction, Refuse, Revoke, WakeAt
from docdask.core.journal import Book, Journal, billed
from docdask.core.lane import Flow, Lanes
from docdask.core.lease import Permit, Worker, Workers
from docdask.core.ledger import RecordKind
from docdask.core.limiting import Limits, make_limits
from docdask.core.meter import NEVER_NS
from docdask.core.spec import SemaphoreSpec


class Pool:
    """State of one semaphore.

    Parameters
    ----------
    name, spec
        Of the semaphore.
    journal
        Numbers fences and records; shared by all semaphores of a governor.
    """

    __slots__ = (
        "_bursting", "_none_before_ns", "_wake_ns", "budget", "granted", "journal", "lanes", "limits", "name", "returned",
        "runs", "spec", "tokens", "workers",
    )  # fmt: skip

    def __init__(self, name: str, spec: SemaphoreSpec, journal: Journal) -> None:
        self.name = name
        self.spec = spec
        self.journal = journal
        self.limits: Limits = make_limits(spec)
        self.lanes = Lanes(spec.lanes)
        self.workers = Workers(spec.lease_ns)
        self.budget = Budget(spec.budget)
        self.runs: dict[str, Run] = {}
        self.tokens: set[str] = set()
        self.granted = 0
        """Permits granted so far."""
        self.returned: dict[str, int] = {}
        """Permits returned so far, by verdict."""
        self._bursting = False
        self._wake_ns = NEVER_NS
        self._none_before_ns = 0  # nobody who waits can go before this unless there is news

    # -- events ------------------------------------------------------------------------------------------------------

    def want(self, event: ev.Want, now_ns: int, out: list[Instruction]) -> None:
        """Queue what can be granted some day, refuse the rest."""
        if self.workers.is_lost(event.worker):
            refusal = Refusal(
                "lapsed", f"worker {event.worker} was reported lost", "join again, then ask again"
            )
            out += [Refuse(self.name, event.worker, waiter.permit, *refusal) for waiter in event.waiters]
            return
        worker = self.workers.seen(event.worker, now_ns)
        idle = not self.lanes.waiting
        flow = admit_flow(self, event)
        run = self.runs.get(event.run)
        if run is not None:
            run.heard_ns = now_ns
        permits, add, name = worker.permits, self.lanes.add, worker.name
        refusals: dict[tuple[int, int], Refusal | None] = {}
        for waiter in event.waiters:
            id_, pages, micros, unit, attempt = waiter
            known = permits.get(id_)
            if known is not None:
                if known.state == "granted":
                    out.append(self._grant_of(known))
                continue
            if worker.has_ended(id_):
                continue
            if isinstance(flow, Refusal):
                self._turn_away(worker, waiter, flow, now_ns, out)
                continue
            if (pages, micros) not in refusals:  # what decides it does not change within an event
                refusals[pages, micros] = admit_waiter(self, flow, waiter)
            refused = refusals[pages, micros]
            if refused is not None:
                self._turn_away(worker, waiter, refused, now_ns, out)
                continue
            permit = permits[id_] = Permit(
                id_, name, flow, pages, micros, unit or f"{name}/{id_}", attempt, now_ns
            )
            add(permit)
            if run is not None and attempt == 1:
                run.calls = max(0, run.calls - 1)
                run.pages = max(0, run.pages - pages)
        if idle or self._bursting:
            self._bursting = self.spec.burst and burst_fits(self, now_ns)

    def cancel(self, event: ev.Cancel, now_ns: int, out: list[Instruction]) -> None:
        """Withdraw waiters; a permit that was granted meanwhile comes back unused."""
        worker = self.workers.get(event.worker)
        if worker is None:
            return
        for id_ in event.permits:
            permit = worker.permits.get(id_)
            if permit is None:
                worker.end(id_, now_ns, self.spec.lease_ns)
            elif permit.state == "waiting":
                permit.step("cancel")
                self.lanes.remove(permit)
                self._over(worker, permit, now_ns)
            else:
                permit.step("cancel")
                self._settle(permit, ev.Outcome(id_, permit.fence, "unused"), now_ns, out)
                self._over(worker, permit, now_ns)

    def returns(self, event: ev.Return, now_ns: int, out: list[Instruction]) -> bool:
        """Take permits back, and learn from what became of them; whether that may let somebody go earlier."""
        worker = self.workers.get(event.worker)
        guard_ns, news = self.limits.guard_ns, False
        if worker is not None:
            worker = self.workers.seen(event.worker, now_ns)
        for outcome in event.outcomes:
            permit = None if worker is None else worker.permits.get(outcome.permit)
            if permit is None or worker is None:
                self._late(event.worker, outcome, out)
                news = True
            elif permit.state == "granted" and permit.fence == outcome.fence:
                at = permit.endpoint
                news = news or at is None or permit.flow.kind != "online" or not at.unmoved(outcome)
                permit.step("return")
                self._settle(permit, outcome, now_ns, out)
                self._over(worker, permit, now_ns)
        return news or guard_ns != self.limits.guard_ns

    def refresh(self, event: ev.Refresh, now_ns: int, out: list[Instruction]) -> None:
        """Note that a worker lives, and which of its grants it does not know of."""
        worker = self.workers.get(event.worker)
        if worker is None:
            return
        worker = self.workers.seen(event.worker, now_ns)
        if event.semaphore != self.name or event.fence < 0:
            return
        held = set(event.held)
        lost = [p for p in worker.permits.values() if p.id not in held and p.unknown(event.fence)]
        for permit in lost:
            self._lapse(worker, permit, "lapse", now_ns, out)

    def worker_lost(self, name: str, now_ns: int, out: list[Instruction]) -> None:
        """Forget a worker's waiters, free what it held."""
        worker = self.workers.lose(name, now_ns)
        for permit in list(worker.permits.values()):
            if permit.state == "waiting":
                permit.step("worker lost")
                self.lanes.remove(permit)
                self._over(worker, permit, now_ns)
            else:
                self._lapse(worker, permit, "worker lost", now_ns, out)

    def configure(self, spec: SemaphoreSpec, now_ns: int, out: list[Instruction]) -> None:
        """Take other quotas; what was used, is held and waits stays, except what can never be granted now."""
        self.limits.change(spec)
        for endpoint in self.limits.endpoints.values():
            endpoint.change(spec)
        self.spec = spec
        self.workers.lease_ns = spec.lease_ns
        self.budget.resize(spec.budget)
        for flow in self.lanes.flows():
            nowhere = readmit_flow(self, flow)
            for permit in list(flow.waiting):
                waiter = ev.Waiter(permit.id, permit.pages, permit.micros)
                refusal = nowhere or admit_waiter(self, flow, waiter)
                if refusal is not None:
                    self._refuse(permit, refusal, now_ns, out)
        self._bursting = False

    def open_run(self, event: ev.OpenRun) -> None:
        """Begin a run, or go on with one; what its ledger says was spent beyond what is known counts."""
        run = self.runs.get(event.run)
        new = run is None or run.closed
        run = run or self.runs.setdefault(event.run, Run())
        known = run.budget.claims()
        more = [max(0, now - before) for now, before in zip(event.spent, known, strict=True)]
        self.budget.add(*more)
        run.budget.add(*more)
        if new:
            run.calls, run.pages = event.calls, event.pages
            run.ledger = event.ledger
        run.closed = False
        run.heard_ns = self.journal.now_ns
        run.budget.resize(event.budget)

    def book(self, run: str) -> Book | None:
        """Where a run's records go: its own ledger, the governor's, or nowhere."""
        known = self.runs.get(run)
        if known is not None and known.ledger:
            return self.journal.books[known.ledger]
        return self.journal.books[""] if self.spec.ledger else None

    def writes(self, book: Book) -> bool:
        """Whether any record of this semaphore may be in that ledger."""
        return self.spec.ledger if not book.name else any(r.ledger == book.name for r in self.runs.values())

    def close_run(self, name: str, now_ns: int, out: list[Instruction]) -> None:
        """End a run; whoever waits for it is refused."""
        run = self.runs.setdefault(name, Run())
        run.closed = True
        run.calls = run.pages = 0
        refusal = Refusal("closed", f"run {name!r} has ended", "start the run again to go on")
        self.refuse_all(refusal, now_ns, out, run=name)

    def refuse_all(
        self, refusal: Refusal, now_ns: int, out: list[Instruction], *, run: str | None = None
    ) -> None:
        """Refuse everybody who waits (for a run), so that nobody is left hanging."""
        for flow in self.lanes.flows():
            if run is None or flow.run == run:
                for permit in list(flow.waiting):
                    self._refuse(permit, refusal, now_ns, out)

    def ledger_failed(
        self, book: Book, held: set[int], refusal: Refusal, now_ns: int, out: list[Instruction]
    ) -> None:
        """Take back grants that never left (``held``: their records), and refuse everybody who waits for that ledger."""
        for worker in list(self.workers):
            for permit in [
                p
                for p in worker.permits.values()
                if p.state == "granted" and p.book is book and p.sequence in held
            ]:
                permit.step("refuse")
                self._settle(permit, ev.Outcome(permit.id, permit.fence, "unused"), now_ns, out)
                self._over(worker, permit, now_ns)
                out.append(Refuse(self.name, worker.name, permit.id, *refusal))
        for run in {flow.run for flow in self.lanes.flows()}:
            if self.book(run) is book:
                self.refuse_all(refusal, now_ns, out, run=run)

    # -- after each event --------------------------------------------------------------------------------------------

    def settle(self, now_ns: int, out: list[Instruction], *, news: bool = True) -> None:
        """Do what time has brought, serve who can be served (without ``news``: when the first can go), ask to be woken."""
        late_ns = now_ns - self._wake_ns
        if late_ns >= 0:
            self._wake_ns = NEVER_NS
            if late_ns > self.spec.lease_ns // 4:
                # Asked to be woken long ago: this process was away, not the workers, whose signs of life still queue.
                self.workers.forgive(now_ns)
        while (worker := self.workers.silent(now_ns)) is not None:
            self._silent(worker, now_ns, out)
            news = True
        endpoints, silent_ns = self.limits.endpoints.values(), NEVER_NS
        for endpoint in endpoints:
            at_ns = endpoint.silent_ns()
            if at_ns <= now_ns:
                endpoint.breaker.silence(now_ns)
                news = True
            elif at_ns < silent_ns:
                silent_ns = at_ns
        wake_ns = self._none_before_ns
        if not self.lanes.waiting:
            wake_ns = NEVER_NS
        elif news or now_ns >= wake_ns:
            wake_ns = self._pump(now_ns, out)
            silent_ns = min(endpoint.silent_ns() for endpoint in endpoints)  # grants have changed it
        self._ask_to_wake(min(wake_ns, silent_ns), out)

    def _pump(self, now_ns: int, out: list[Instruction]) -> int:
        """Grant while somebody can go; returns when the first of those who can't will be able to."""
        overtaken = True
        while overtaken:  # who was passed over before somebody else went may be told another moment now
            wake_ns, overtaken = self._round(now_ns, out)
        return wake_ns

    def _round(self, now_ns: int, out: list[Instruction]) -> tuple[int, bool]:
        """Look at every flow in its turn; returns also whether anybody was granted something after another was passed over."""
        lanes = self.lanes
        passed = overtaken = False
        shut: set[tuple[str, str]] = set()
        wake_ns = NEVER_NS
        by_pages = self.limits.by_pages
        timed = True
        while (flow := lanes.next()) is not None:
            book = self.book(flow.run)
            if book is not None and book.behind(now_ns, self.spec.most_guard_ns):
                timed = False  # grants would leave in one heap when the ledger catches up
                passed = True
                lanes.park(flow)
                continue
            permit = flow.head()
            room = self._room(flow, permit)
            if room == "never":
                self._refuse(permit, Refusal.budget(self, permit, flow.run), now_ns, out)
                continue
            endpoint, ready_ns = (
                (None, NEVER_NS) if room == "later" else self._place(flow, permit, now_ns, shut)
            )
            if endpoint is None:
                timed = timed and room != "later"
                passed = True
                lanes.park(flow)
                wake_ns = min(wake_ns, ready_ns)
                if len(shut) >= lanes.kinds * len(self.limits.endpoints):
                    break  # every endpoint is kept for somebody: those behind need not be looked at
                continue
            overtaken = passed
            lanes.serve(flow, max(permit.pages, 1) if by_pages else 1)
            self._grant(permit, endpoint, book, now_ns, out)
        lanes.unpark()
        if not lanes.waiting:
            self._bursting = False
        self._none_before_ns = wake_ns if timed and not self._bursting else 0
        return wake_ns, overtaken

    def _place(
        self, flow: Flow, permit: Permit, now_ns: int, shut: set[tuple[str, str]]
    ) -> tuple[Endpoint | None, int]:
        """The emptiest endpoint that is ready, or None and when the first one will be."""
        kind, pages = flow.kind, permit.pages
        permit.burst = False
        user = self.limits.user
        user_ns = (
            now_ns
            if user is None
            else user.ready_ns(1, now_ns, burst=self._bursting and user.burst_free(now_ns) > 0)
        )
        best: Endpoint | None = None
        first: Endpoint | None = None
        best_load, first_ns = 0, NEVER_NS
        candidates = self.limits.candidates(flow.endpoints)
        if len(candidates) < len(flow.endpoints) and all(
            e.closed(kind) or e.too_large(kind, pages) for e in candidates
        ):
            candidates = flow.endpoints  # well as they are, none of those will ever take it
        if shut:
            candidates = tuple(e for e in candidates if (e.name, kind) not in shut)
        for endpoint in candidates:
            ready_ns = endpoint.ready_ns(kind, pages, now_ns, burst=False)
            if self._bursting and now_ns < ready_ns < NEVER_NS and endpoint.may_burst(pages, now_ns):
                ready_ns = endpoint.ready_ns(kind, pages, now_ns, burst=True)
                permit.burst = ready_ns <= now_ns
            if ready_ns < first_ns:
                first, first_ns = endpoint, ready_ns
            if ready_ns > now_ns or user_ns > now_ns:
                continue
            if len(candidates) == 1:
                return endpoint, now_ns
            load = endpoint.load_ppm(now_ns)
            if best is None or load < best_load:
                best, best_load = endpoint, load
        if best is not None:
            return best, now_ns
        if first is not None:
            shut.add((first.name, kind))
            if first_ns < NEVER_NS:
                self._bursting = False
        return None, max(first_ns, user_ns)

    def _grant(
        self, permit: Permit, endpoint: Endpoint, book: Book | None, now_ns: int, out: list[Instruction]
    ) -> None:
        pages, micros = permit.pages, permit.micros
        permit.step("grant")
        permit.endpoint = endpoint
        permit.granted_ns = now_ns
        permit.fence = self.journal.next_fence()
        endpoint.granted(permit.flow.kind, pages, now_ns)
        if self.limits.user is not None:
            self.limits.user.charge(1, now_ns)
        self.budget.reserve(pages, micros)
        run = self.runs.get(permit.flow.run)
        if run is not None:
            run.budget.reserve(pages, micros)
        self.granted += 1
        permit.book = book
        if book is not None:
            self._record("intent", permit, pages, micros, "", out)
            permit.sequence = book.intent(now_ns)
        out.append(self._grant_of(permit))

    def _grant_of(self, permit: Permit) -> Grant:
        assert permit.endpoint is not None
        return Grant(
            self.name, permit.worker, permit.id, permit.endpoint.name, permit.fence, self.spec.lease_ns, permit.sequence,
            permit.flow.kind, "" if permit.book is None else permit.book.name,
        )  # fmt: skip

    def _room(self, flow: Flow, permit: Permit) -> str:
        room = self.budget.room(permit.pages, permit.micros)
        run = self.runs.get(flow.run)
        if run is None or room == "never":
            return room
        other = run.budget.room(permit.pages, permit.micros)
        return room if other == "fits" else other

    def _ask_to_wake(self, wake_ns: int, out: list[Instruction]) -> None:
        wake_ns = self.workers.expiry_ns(min(wake_ns, self._wake_ns))
        if wake_ns < self._wake_ns:
            self._wake_ns = wake_ns
            out.append(WakeAt(self.name, wake_ns))

    # -- ends of permits ---------------------------------------------------------------------------------------------

    def _settle(self, permit: Permit, outcome: ev.Outcome, now_ns: int, out: list[Instruction]) -> None:
        """Free what a returned permit held, charge what it cost, learn from it."""
        endpoint, flow, verdict, limits = permit.endpoint, permit.flow, outcome.verdict, self.limits
        assert endpoint is not None
        endpoint.learn(permit, outcome, self.journal.fence, now_ns)
        by_user = outcome.limit == "user" or (flow.kind == "poll" and not outcome.limit)
        if by_user and verdict == "quota" and limits.user is not None:
            limits.user.refused(1, permit.granted_ns, now_ns, after_ns=outcome.after_ns, burst=permit.burst)
        endpoint.ended(flow.kind)
        latency_ns = outcome.latency_ns
        limits.heard(now_ns - permit.granted_ns - latency_ns, latency_ns)
        self.returned[verdict] = self.returned.get(verdict, 0) + 1
        run = self.runs.get(flow.run)
        if run is not None:
            run.heard_ns = now_ns
        reserved = permit.pages, permit.micros
        if verdict == "lost" and outcome.pages_billed is None:
            self.budget.risk(*reserved)
            if run is not None:
                run.budget.risk(*reserved)
            self._record("lost", permit, *reserved, outcome.code, out)
            return
        spent = billed(permit, outcome)
        self.budget.settle(*reserved, *spent)
        if run is not None:
            run.budget.settle(*reserved, *spent)
        if permit.book is not None:
            self._record(self.journal.kind_of(verdict), permit, *spent, outcome.code, out)

    def _late(self, worker: str, outcome: ev.Outcome, out: list[Instruction]) -> None:
        """Settle what was at risk: a permit came back after its lease had lapsed."""
        permit = self.workers.late(worker, outcome.permit)
        if permit is None:
            return
        if permit.fence != outcome.fence or (outcome.verdict == "lost" and outcome.pages_billed is None):
            self.workers.lapse(permit)
            return
        permit.step("late return")
        pages, micros = billed(permit, outcome)
        run = self.runs.get(permit.flow.run)
        for budget in (self.budget,) if run is None else (self.budget, run.budget):
            budget.settle_risk(permit.pages, permit.micros, pages, micros)
        self._record(self.journal.kind_of(outcome.verdict), permit, pages, micros, outcome.code, out)

    def _lapse(self, worker: Worker, permit: Permit, cause: str, now_ns: int, out: list[Instruction]) -> None:
        """Free a slot whose holder is gone; what it may have spent stays charged, as at risk."""
        endpoint = permit.endpoint
        assert endpoint is not None
        permit.step(cause)
        endpoint.breaker.unused(permit.granted_ns)
        endpoint.ended(permit.flow.kind)
        run = self.runs.get(permit.flow.run)
        for budget in (self.budget,) if run is None else (self.budget, run.budget):
            budget.risk(permit.pages, permit.micros)
        self.workers.lapse(permit)
        self._over(worker, permit, now_ns)
        self._record("lost", permit, permit.pages, permit.micros, cause, out)
        out.append(Revoke(self.name, permit.worker, permit.id, permit.fence))

    def _record(
        self, kind: RecordKind, permit: Permit, pages: int, micros: int, code: str, out: list[Instruction]
    ) -> None:
        book = permit.book
        if book is not None:
            out.append(
                Append(self.journal.record(book, kind, self.name, permit, pages, micros, code), book.name)
            )

    def _silent(self, worker: Worker, now_ns: int, out: list[Instruction]) -> None:
        refusal = Refusal(
            "lapsed",
            f"worker {worker.name} gave no sign of life for {self.spec.lease_ns / 1e9:g} s",
            "ask again",
        )
        for permit in list(worker.permits.values()):
            if permit.state == "waiting":
                self._refuse(permit, refusal, now_ns, out, worker=worker)
            else:
                self._lapse(worker, permit, "lapse", now_ns, out)

    def _refuse(
        self,
        permit: Permit,
        refusal: Refusal,
        now_ns: int,
        out: list[Instruction],
        *,
        worker: Worker | None = None,
    ) -> None:
        permit.step("refuse")
        self.lanes.remove(permit)
        holder = worker or self.workers.get(permit.worker)
        if holder is not None:
            self._over(holder, permit, now_ns)
        out.append(Refuse(self.name, permit.worker, permit.id, *refusal))

    def _turn_away(
        self, worker: Worker, waiter: ev.Waiter, refusal: Refusal, now_ns: int, out: list[Instruction]
    ) -> None:
        worker.end(waiter.permit, now_ns, self.spec.lease_ns)
        out.append(Refuse(self.name, worker.name, waiter.permit, *refusal))

    def _over(self, worker: Worker, permit: Permit, now_ns: int) -> None:
        del worker.permits[permit.id]
        worker.end(permit.id, now_ns, self.spec.lease_ns)
