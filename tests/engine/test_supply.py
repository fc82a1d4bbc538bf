"""Which branch is submitted next: cores and quotas are both fed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator

from docdask.engine.branch import Branch
from docdask.engine.job import Unit
from docdask.engine.supply import Supply


def branch(number: int, lane: str, requests: int = 1) -> Branch:
    units = tuple(
        Unit(f"{number}-{i}", f"d{i}", "/x", "0", "application/pdf", None, 1, 1, 1, ranged=False)
        for i in range(requests)
    )
    return Branch(number, "pdf", (), (units,), 1, 1.0, requests=tuple((unit,) for unit in units), lane=lane)


def of(plan: list[Branch]) -> Callable[[Collection[str] | None], Iterator[Branch]]:
    """What reads the branches of some lanes of a plan."""
    return lambda lanes: (one for one in plan if lanes is None or one.lane in lanes)


def submitted(supply: Supply) -> list[Branch]:
    """What a window would open now."""
    opened = []
    for taken in supply:
        opened.append(taken)
        if len(opened) >= supply.width():
            break
    return opened


def test_calls_are_not_kept_waiting_behind_work_for_the_cores():
    plan = [branch(i, "offline") for i in range(100)] + [branch(100 + i, "online", 50) for i in range(20)]
    supply = Supply(of(plan), threading.Event(), branches_most=4, requests_most=200)
    opened = submitted(supply)
    assert [b.partition for b in opened if b.lane == "offline"] == [0, 1, 2, 3]
    assert sum(len(b.requests) for b in opened if b.lane == "online") == 200
    supply.ended(opened[0])
    assert supply.width() == len(opened), "there is room for one more in place of the one that ended"
    assert next(supply).lane == "offline"


def test_batches_are_few_at_a_time_as_each_holds_a_thread():
    plan = [branch(i, "batch", 5) for i in range(100)]
    supply = Supply(of(plan), threading.Event(), branches_most=4, requests_most=10**6)
    assert len(submitted(supply)) == 16


def test_every_branch_is_handed_out_once():
    plan = [branch(i, ("offline", "online", "batch", "")[i % 4]) for i in range(200)]
    supply = Supply(of(plan), threading.Event(), branches_most=3, requests_most=7)
    seen, open_ = [], []
    for taken in supply:
        open_.append(taken)
        seen.append(taken.partition)
        while len(open_) >= supply.width() and open_:
            supply.ended(open_.pop(0))
    assert sorted(seen) == list(range(200))


def test_a_stop_ends_it():
    stop = threading.Event()
    supply = Supply(of([branch(0, ""), branch(1, "")]), stop, branches_most=5, requests_most=0)
    next(supply)
    stop.set()
    assert next(supply, None) is None
