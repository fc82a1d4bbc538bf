"""Shares of lanes, turns of runs, order within a run."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from docdask.core.lane import Flow, Lanes
from docdask.core.lease import Permit

WEIGHTS = (("interactive", 16), ("normal", 4), ("bulk", 1))


class Queue:
    """Lanes with flows made on demand."""

    def __init__(self, weights=WEIGHTS):
        self.lanes = Lanes(weights)
        self.count = 0

    def add(self, lane: str, run: str = "", pages: int = 1) -> Permit:
        key = (lane, run)
        flow = self.lanes.flow(key) or Flow(key, self.lanes.lanes[lane], run, "online", ())
        self.count += 1
        permit = Permit(f"p{self.count}", "w", flow, pages, 0, "", 1, self.count)
        self.lanes.add(permit)
        return permit

    def serve(self) -> Permit:
        flow = self.lanes.next()
        assert flow is not None
        return self.lanes.serve(flow, 1)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(50, 400))
def test_lanes_that_all_wait_are_served_by_their_weights(a, b, c, served):
    queue = Queue((("a", a), ("b", b), ("c", c)))
    for lane in "abc":
        for _ in range(served):
            queue.add(lane)
    got = Counter(queue.serve().flow.lane.name for _ in range(served))
    for lane, weight in (("a", a), ("b", b), ("c", c)):
        assert abs(got[lane] - served * weight / (a + b + c)) <= 2


@given(st.lists(st.tuples(st.sampled_from(["interactive", "normal", "bulk"]), st.booleans()), max_size=200))
def test_within_a_run_the_first_to_come_is_the_first_to_be_served(steps):
    queue, last = Queue(), {}
    for lane, serve in steps:
        queue.add(lane)
        if serve:
            permit = queue.serve()
            assert permit.since_ns > last.get(permit.flow.lane.name, 0)
            last[permit.flow.lane.name] = permit.since_ns


def test_one_urgent_document_waits_for_a_permit_not_for_the_queue():
    queue = Queue()
    for _ in range(100_000):
        queue.add("bulk")
    for _ in range(1000):
        queue.serve()
    urgent = queue.add("interactive")
    assert queue.serve() is urgent


def test_a_lane_collects_no_credit_while_it_is_idle():
    queue = Queue()
    for _ in range(1000):
        queue.add("bulk")
    for _ in range(500):
        queue.serve()
    for _ in range(200):
        queue.add("normal")
    first = Counter(queue.serve().flow.lane.name for _ in range(50))
    assert first["bulk"] >= 9


def test_a_lane_that_could_not_go_collects_no_credit_meanwhile():
    """Its region was down for an hour, or its ledger stood still."""
    queue = Queue()
    for _ in range(2000):
        queue.add("bulk")
        queue.add("interactive")
    for _ in range(1000):
        flow = queue.lanes.next()
        if flow.lane.name == "bulk":
            queue.lanes.park(flow)
        queue.serve()
        queue.lanes.unpark()
    served = Counter(queue.serve().flow.lane.name for _ in range(170))
    assert 8 <= served["bulk"] <= 12


def test_runs_within_a_lane_take_turns():
    queue = Queue()
    for _ in range(300):
        queue.add("bulk", "large")
    for _ in range(3):
        queue.add("bulk", "small")
    assert [queue.serve().flow.run for _ in range(6)].count("small") == 3


def test_a_parked_flow_keeps_its_place_and_lets_others_by():
    queue = Queue()
    blocked, other = queue.add("bulk", "a"), queue.add("bulk", "b")
    queue.lanes.park(queue.lanes.next())
    assert queue.serve() is other
    queue.lanes.unpark()
    assert queue.serve() is blocked


@given(st.lists(st.tuples(st.sampled_from(["add", "serve", "remove"]), st.integers(0, 5)), max_size=200))
def test_counts_agree_with_what_waits(steps):
    queue, waiting = Queue(), []
    for what, n in steps:
        if what == "add":
            waiting.append(queue.add(("interactive", "normal", "bulk")[n % 3], str(n), pages=n))
        elif waiting and what == "serve":
            waiting.remove(queue.serve())
        elif waiting:
            queue.lanes.remove(waiting.pop(n % len(waiting)))
        assert queue.lanes.waiting == len(waiting)
        assert queue.lanes.pages == sum(permit.pages for permit in waiting)
        assert (queue.lanes.next() is None) == (not waiting)
