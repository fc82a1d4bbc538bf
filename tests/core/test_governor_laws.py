"""Laws of the governor, whatever comes in whatever order.

A machine plays workers that ask, cancel, return, refresh, fall silent and die, a server that answers as it likes, and a
wire that delivers events twice. After every step the books of the test agree with those of the governor.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from docdask.core import events as ev
from docdask.core.governor import Governor
from docdask.core.instructions import Append, Grant, Refuse, Revoke, WakeAt
from docdask.core.ledger import UNIT, Ledger, Unit, fold
from docdask.core.machine import reachable
from docdask.core.recovery import recover
from docdask.core.retry import Verdict
from docdask.core.server.windows import Bucket, FixedWindow, SlidingWindow, Window
from docdask.core.spec import BudgetSpec, EndpointSpec, SemaphoreSpec
from docdask.core.views import view

SECOND = 10**9
PERIOD = 10 * SECOND
GUARD = SECOND // 10
LEASE = 30 * SECOND
WORKERS = ("a", "b", "c")
VERDICTS = ("ok", "ok", "ok", *get_args(Verdict))

SPEC = SemaphoreSpec(
    (
        EndpointSpec("us", location="us", requests=12, pages=40, in_flight=6, batch=2),
        EndpointSpec("eu", location="eu", requests=9, pages=30, batch=1),
    ),
    period_ns=PERIOD,
    guard_ns=GUARD,
    guard_most_ns=GUARD,
    lease_ns=LEASE,
    user_requests=25,
    budget=BudgetSpec(pages=150),
    ledger=True,
)


def record_pages(unit: Unit) -> int:
    """Pages that a unit has asked for so far."""
    return sum(record.pages for record in unit.story if record.kind == "intent")


class Books:
    """What was granted, and the limit that it was granted under."""

    def __init__(self) -> None:
        self.sent: dict[str, deque[tuple[int, int]]] = {}

    def charge(self, name: str, amount: int, limit: int, at_ns: int) -> None:
        log = self.sent.setdefault(name, deque())
        while log and log[0][0] <= at_ns - PERIOD - GUARD:
            log.popleft()
        log.append((at_ns, amount))
        assert sum(n for _, n in log) <= limit, f"{name}: more than {limit} within a period and guard"


class GovernorMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now_ns = 0
        self.spec = SPEC
        self.governor = Governor()
        self.events: list[ev.Event] = []
        self.answers: list[list] = []
        self.books = Books()
        self.fence = 0
        self.wake_ns: int | None = None
        self.count = 0
        self.wanted: dict[tuple[str, str], ev.Want] = {}
        self.waiting: set[tuple[str, str]] = set()
        self.held: dict[tuple[str, str], Grant] = {}
        self.lapsed: list[Grant] = []
        self.records: dict[str, list] = {"": [], "L": []}
        self.arrivals: list[tuple[int, str]] = []
        self.tell(ev.Register(0, "s", SPEC))
        self.tell(ev.OpenLedger(0, "L", 1, 0, 0))
        self.tell(ev.OpenRun(0, "s", "capped", budget=BudgetSpec(pages=40), ledger="L"))

    # -- the wire ----------------------------------------------------------------------------------------------------

    def tell(self, event: ev.Event) -> None:
        out = self.governor.handle(event)
        self.events.append(event)
        self.answers.append(out)
        for instruction in out:
            if isinstance(instruction, Grant):
                self._granted(instruction)
            elif isinstance(instruction, Refuse):
                assert instruction.message
                assert instruction.remedy
                self.waiting.discard((instruction.worker, instruction.permit))
                self.held.pop((instruction.worker, instruction.permit), None)
            elif isinstance(instruction, Revoke):
                self.lapsed.append(self.held.pop((instruction.worker, instruction.permit)))
            elif isinstance(instruction, WakeAt):
                self.wake_ns = instruction.at_ns
            elif isinstance(instruction, Append):
                records = self.records[instruction.ledger]
                records.append(instruction.record)
                assert instruction.record.sequence == len(records), "a ledger has a gap"
                assert (instruction.record.run == "capped") == (instruction.ledger == "L")
        if not isinstance(event, ev.Durable):
            for name, records in self.records.items():
                if records:
                    self.tell(ev.Durable(self.now_ns, records[-1].sequence, name))

    def _granted(self, grant: Grant) -> None:
        key = (grant.worker, grant.permit)
        if key in self.held:
            assert grant == self.held[key], "a repeated grant says the same"
            return
        assert key in self.waiting, "nobody is granted what nobody waits for"
        self.waiting.remove(key)
        self.held[key] = grant
        assert grant.fence > self.fence
        self.fence = grant.fence
        want = self.wanted[key]
        endpoint = next(e for e in self.spec.endpoints if e.name == grant.endpoint)
        assert not want.locations or endpoint.location in want.locations
        assert not want.endpoints or grant.endpoint in want.endpoints
        pages = next(w.pages for w in want.waiters if w.permit == grant.permit)
        self.books.charge("user", 1, self.spec.user_requests, self.now_ns)
        if want.kind == "online":
            self.books.charge(f"requests {grant.endpoint}", 1, endpoint.requests, self.now_ns)
            self.books.charge(f"pages {grant.endpoint}", pages, endpoint.pages, self.now_ns)
            self.arrivals.append((self.now_ns, grant.endpoint))
        mine = [
            k
            for k, g in self.held.items()
            if g.endpoint == grant.endpoint and self.wanted[k].kind == want.kind
        ]
        most = {"online": endpoint.in_flight, "batch": endpoint.batch, "poll": None}[want.kind]
        assert most is None or len(mine) <= most

    # -- what may happen ---------------------------------------------------------------------------------------------

    @rule(
        worker=st.sampled_from(WORKERS),
        count=st.integers(1, 12),
        pages=st.integers(1, 12),
        lane=st.sampled_from(["interactive", "normal", "bulk"]),
        run=st.sampled_from(["", "capped"]),
        kind=st.sampled_from(["online", "online", "online", "batch", "poll"]),
        where=st.sampled_from([{}, {"locations": ("eu",)}, {"endpoints": ("us",)}]),
    )
    def want(self, worker, count, pages, lane, run, kind, where):
        waiters = tuple(ev.Waiter(f"p{self.count + n}", 0 if kind == "poll" else pages) for n in range(count))
        self.count += count
        event = ev.Want(self.now_ns, "s", worker, waiters, lane=lane, run=run, kind=kind, **where)
        if not self.governor.pools["s"].workers.is_lost(worker):
            for waiter in waiters:
                self.wanted[worker, waiter.permit] = event
                self.waiting.add((worker, waiter.permit))
        self.tell(event)

    @rule(step_ns=st.integers(0, 3 * SECOND))
    def time_passes(self, step_ns):
        """Timers that were asked for fire at their moment, not later."""
        until_ns = self.now_ns + step_ns
        while self.wake_ns is not None and self.wake_ns <= until_ns:
            self.now_ns = max(self.now_ns, self.wake_ns)
            self.wake_ns = None
            self.tell(ev.Timer(self.now_ns, "s"))
        self.now_ns = until_ns

    @rule()
    def a_timer_fires_that_nobody_asked_for(self):
        self.tell(ev.Timer(self.now_ns, "s"))

    @rule(data=st.data(), verdict=st.sampled_from(VERDICTS), after_ns=st.sampled_from([0, 0, SECOND]))
    def a_permit_is_returned(self, data, verdict, after_ns):
        if self.held:
            key = data.draw(st.sampled_from(sorted(self.held)))
            self.give_back(self.held[key], verdict, after_ns)

    @rule(data=st.data(), verdict=st.sampled_from(VERDICTS))
    def a_permit_is_returned_late(self, data, verdict):
        if self.lapsed:
            grant = data.draw(st.sampled_from(self.lapsed))
            self.tell(
                ev.Return(
                    self.now_ns, "s", grant.worker, (ev.Outcome(grant.permit, grant.fence, verdict, SECOND),)
                )
            )

    def give_back(self, grant: Grant, verdict: str, after_ns: int = 0) -> None:
        del self.held[grant.worker, grant.permit]
        outcome = ev.Outcome(grant.permit, grant.fence, verdict, SECOND // 2, after_ns)
        self.tell(ev.Return(self.now_ns, "s", grant.worker, (outcome,)))

    @rule(data=st.data())
    def a_waiter_gives_up(self, data):
        if self.waiting or self.held:
            worker, permit = data.draw(st.sampled_from(sorted(self.waiting | set(self.held))))
            self.waiting.discard((worker, permit))
            self.held.pop((worker, permit), None)
            self.tell(ev.Cancel(self.now_ns, "s", worker, (permit,)))

    @rule(worker=st.sampled_from(WORKERS), drop=st.booleans())
    def a_worker_gives_a_sign_of_life(self, worker, drop):
        held = sorted(permit for who, permit in self.held if who == worker)
        self.tell(ev.Refresh(self.now_ns, worker, "s", self.fence, tuple(held[drop:])))

    @rule(worker=st.sampled_from(WORKERS))
    def a_worker_dies(self, worker):
        self.waiting = {key for key in self.waiting if key[0] != worker}
        self.tell(ev.WorkerLost(self.now_ns, worker))

    @rule(worker=st.sampled_from(WORKERS))
    def a_worker_comes_back(self, worker):
        self.tell(ev.WorkerJoined(self.now_ns, worker))

    @rule(data=st.data())
    def an_event_arrives_twice(self, data):
        kinds = (ev.Want, ev.Cancel, ev.Return, ev.WorkerLost, ev.Timer, ev.Durable, ev.OpenRun)
        recent = [e for e in self.events[-40:] if isinstance(e, kinds) and e.at_ns > self.now_ns - LEASE // 2]
        recent = [
            e
            for e in recent
            if not isinstance(e, ev.WorkerLost) or self.governor.pools["s"].workers.is_lost(e.worker)
        ]
        recent = [
            e for e in recent if not isinstance(e, ev.Want) or (e.worker, e.waiters[0].permit) in self.wanted
        ]
        if not recent:
            return
        before = (set(self.waiting), dict(self.held), view(self.governor, "s").budgets)
        now = view(self.governor, "s")
        event = data.draw(st.sampled_from(recent))
        due = self.wake_ns is not None and self.wake_ns <= self.now_ns
        self.tell(replace(event, at_ns=self.now_ns))
        if not due and not self.waiting:
            assert (set(self.waiting), dict(self.held), view(self.governor, "s").budgets) == before
            assert view(self.governor, "s").granted == now.granted

    @rule(requests=st.integers(0, 20), pages=st.integers(0, 60))
    def the_quota_is_changed(self, requests, pages):
        us = replace(self.spec.endpoints[0], requests=requests, pages=pages)
        self.spec = replace(self.spec, endpoints=(us, self.spec.endpoints[1]))
        self.tell(ev.Configure(self.now_ns, "s", self.spec))

    @rule(name=st.sampled_from(["", "L"]))
    def the_disk_is_full_for_a_moment(self, name):
        others = {key for key in self.waiting if (self.wanted[key].run == "capped") != (name == "L")}
        self.tell(ev.LedgerFailed(self.now_ns, "no space left", name))
        assert others <= self.waiting | set(self.held), "a run was refused for the ledger of another"
        self.tell(ev.Durable(self.now_ns, len(self.records[name]), name))

    # -- what always holds -------------------------------------------------------------------------------------------

    @invariant()
    def every_request_waits_is_held_or_has_been_answered(self):
        pool = self.governor.pools["s"]
        found = {
            (worker.name, permit.id): permit.state
            for worker in pool.workers
            for permit in worker.permits.values()
        }
        assert {key for key, state in found.items() if state == "waiting"} == self.waiting
        assert {key for key, state in found.items() if state == "granted"} == set(self.held)
        assert pool.lanes.waiting == len(self.waiting)

    @invariant()
    def nobody_waits_without_something_to_wake_them(self):
        assert not self.waiting or self.wake_ns is not None

    @invariant()
    def the_budget_is_never_exceeded_by_a_page(self):
        for budget in view(self.governor, "s").budgets:
            claimed = budget.pages_spent + budget.pages_reserved + budget.pages_at_risk
            assert claimed <= budget.pages_most
            assert min(budget.pages_spent, budget.pages_reserved, budget.pages_at_risk) >= 0

    @invariant()
    def the_ledger_agrees_with_the_budget(self):
        ledgers = {name: fold(records) for name, records in self.records.items()}
        assert not any(ledger.ignored for ledger in ledgers.values())
        project, capped = view(self.governor, "s").budgets
        assert sum(ledger.pages_billed for ledger in ledgers.values()) == project.pages_spent
        at_risk = sum(ledger.at_risk[0] for ledger in ledgers.values())
        assert at_risk == project.pages_reserved + project.pages_at_risk
        assert ledgers["L"].pages_billed == capped.pages_spent
        assert ledgers["L"].at_risk[0] == capped.pages_reserved + capped.pages_at_risk

    def teardown(self):
        self._everybody_is_served_in_the_end()
        self._replay_is_the_identity()
        self._every_prefix_of_the_ledger_is_a_possible_state()
        self._a_governor_that_goes_on_from_any_prefix_spends_no_page_too_many()
        self._no_kind_of_server_refuses()

    def _everybody_is_served_in_the_end(self):
        for _ in range(400):
            if not self.waiting:
                return
            for grant in list(self.held.values()):
                if (grant.worker, grant.permit) in self.held:
                    self.give_back(grant, "ok")
            for worker in WORKERS:
                self.tell(ev.Refresh(self.now_ns, worker))
            self.time_passes(SECOND)
        pytest.fail(f"{len(self.waiting)} waiters were forgotten")

    def _replay_is_the_identity(self):
        fresh = Governor()
        assert [fresh.handle(event) for event in self.events] == self.answers

    def _every_prefix_of_the_ledger_is_a_possible_state(self):
        """Whatever record a crash made the last one: it follows from those before, and nobody has spent too much."""
        possible = reachable(UNIT, "new")
        for name, records in self.records.items():
            ledger, most = Ledger(), 40 if name else 150
            for record in records:
                ledger.apply(record)
                unit = ledger.units[record.unit]
                assert unit.state in possible
                assert not ledger.ignored, record
                assert unit.pages_billed + sum(pages for pages, _ in unit.open.values()) <= record_pages(unit)
                assert ledger.pages_billed + ledger.at_risk[0] <= most
            whole = fold(records)
            assert (ledger.pages_billed, ledger.at_risk) == (whole.pages_billed, whole.at_risk)

    def _a_governor_that_goes_on_from_any_prefix_spends_no_page_too_many(self):
        records = self.records["L"]
        for length in {0, len(records) // 3, len(records) // 2, len(records)}:
            recovery = recover(records[:length], "s", SPEC, now_utc_ns=self.now_ns)
            heir, now_ns = Governor(epoch=recovery.epoch), self.now_ns
            spent = recovery.spent.get("capped", (0, 0, 0, 0))
            for event in (
                ev.Register(now_ns, "s", SPEC),
                ev.OpenLedger(now_ns, "L", recovery.epoch, recovery.fence, recovery.sequence),
                ev.OpenRun(now_ns, "s", "capped", budget=BudgetSpec(pages=40), spent=spent, ledger="L"),
            ):
                assert heir.handle(event) == []
            assert spent[0] + spent[2] <= 40
            waiters = tuple(ev.Waiter(f"n{n}", 1) for n in range(60))
            out = heir.handle(ev.Want(now_ns, "s", "a", waiters, run="capped"))
            for _ in range(60):  # all that it may, at once or later
                now_ns += PERIOD // 6
                out += heir.handle(ev.Timer(now_ns, "s"))
                for grant in [i for i in out if isinstance(i, Grant)]:
                    outcome = ev.Outcome(grant.permit, grant.fence, "ok", SECOND)
                    out += heir.handle(ev.Return(now_ns, "s", "a", (outcome,)))
                    out += heir.handle(ev.Durable(now_ns, 10**9, "L"))
            granted = {i.permit: i for i in out if isinstance(i, Grant)}
            assert len(granted) == 40 - spent[0] - spent[2]
            assert all(grant.fence > recovery.fence for grant in granted.values())
            assert {i.reason for i in out if isinstance(i, Refuse)} == {"budget"}

    def _no_kind_of_server_refuses(self):
        """Calls arrive at most a guard after their grant; the quota is that of the endpoint that nobody changed."""
        eu = sorted(at + hash((n, at)) % GUARD for n, (at, name) in enumerate(self.arrivals) if name == "eu")
        servers: list[Window] = [SlidingWindow(9, PERIOD), Bucket(9, PERIOD)]
        servers += [FixedWindow(9, PERIOD, phase) for phase in range(0, PERIOD, PERIOD // 7)]
        for server in servers:
            assert all(server.admit(1, at) for at in eu)


GovernorMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestGovernor = GovernorMachine.TestCase


@given(st.integers(1, 200), st.integers(1, 400), st.integers(0, 59 * SECOND), st.integers(0, 300))
@settings(max_examples=60, deadline=None)
def test_a_waiter_told_to_wait_is_granted_then_and_not_a_nanosecond_before(quota, count, start_ns, used):
    """If nothing else changes; whether it waits for the pace or for the window."""
    governor = Governor()
    governor.handle(
        ev.Register(
            0, "s", SemaphoreSpec((EndpointSpec("e", requests=quota),), adaptive=False, lease_ns=10**15)
        )
    )
    governor.handle(ev.Want(0, "s", "w", tuple(ev.Waiter(f"q{n}") for n in range(min(used, quota)))))
    out = governor.handle(ev.Want(start_ns, "s", "w", tuple(ev.Waiter(f"p{n}") for n in range(count))))
    for _ in range(5):
        told = [i.at_ns for i in out if isinstance(i, WakeAt)]
        if view(governor, "s").waiting["normal"] == 0:
            return
        (at_ns,) = told
        assert not [i for i in governor.handle(ev.Timer(at_ns - 1, "s")) if isinstance(i, Grant)]
        out = governor.handle(ev.Timer(at_ns, "s"))
        assert [i for i in out if isinstance(i, Grant)]


@given(
    st.lists(
        st.tuples(
            st.integers(1, 12), st.integers(1, 12), st.sampled_from(["interactive", "normal", "bulk"]),
            st.sampled_from([(), ("us",), ("eu",)]),
        ),
        min_size=1, max_size=8,
    ),
    st.booleans(),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_whoever_waits_is_granted_at_the_moment_told_with_every_limit_at_once(wants, burst):
    """Two endpoints, requests, pages and the user's quota, lanes, residency: the first moment told is right, to the nanosecond."""
    governor, spec = (
        Governor(),
        replace(SPEC, lease_ns=10**15, budget=BudgetSpec(), ledger=False, burst=burst, adaptive=False),
    )
    spec = replace(spec, endpoints=tuple(replace(one, in_flight=None) for one in spec.endpoints))
    governor.handle(ev.Register(0, "s", spec))
    out = []
    for number, (count, pages, lane, locations) in enumerate(wants):
        waiters = tuple(ev.Waiter(f"p{number}.{n}", pages) for n in range(count))
        out += governor.handle(ev.Want(0, "s", "w", waiters, lane=lane, locations=locations))
    for number in range(25):
        if not sum(view(governor, "s").waiting.values()):
            return
        *_, at_ns = (i.at_ns for i in out if isinstance(i, WakeAt))
        early = governor.handle(ev.Timer(at_ns - 1, "s"))
        assert not [i for i in early if isinstance(i, Grant)]
        out = [*early, *governor.handle(ev.Timer(at_ns, "s"))]
        # The first moment was told before the last of them came.
        assert number == 0 or [i for i in out if isinstance(i, Grant)]


@given(
    st.lists(st.sampled_from(["interactive", "normal", "bulk"]), min_size=3, max_size=3, unique=True),
    st.integers(30, 200),
)
@settings(max_examples=20, deadline=None)
def test_lanes_share_by_weight_while_all_wait_and_none_starves(order, served):
    governor = Governor()
    governor.handle(ev.Register(0, "s", SemaphoreSpec((EndpointSpec("e", requests=600),), lease_ns=10**15)))
    lane_of = {}
    for lane in order:
        waiters = tuple(ev.Waiter(f"{lane}{n}") for n in range(1000))
        lane_of |= {waiter.permit: lane for waiter in waiters}
        for instruction in governor.handle(ev.Want(0, "s", "w", waiters, lane=lane)):
            if isinstance(instruction, Grant):  # the very first, before the others had come
                lane_of.pop(instruction.permit)
    got = {"interactive": 0, "normal": 0, "bulk": 0}
    now_ns = 0
    while sum(got.values()) < served:
        now_ns += SECOND
        for instruction in governor.handle(ev.Timer(now_ns, "s")):
            if isinstance(instruction, Grant):
                got[lane_of[instruction.permit]] += 1
                outcome = ev.Outcome(instruction.permit, instruction.fence)
                governor.handle(ev.Return(now_ns, "s", "w", (outcome,)))
    for lane, weight in SemaphoreSpec((EndpointSpec("e"),)).lanes:
        assert abs(got[lane] - served * weight / 21) <= 3
