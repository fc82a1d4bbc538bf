"""Signs of life, and ids of permits that are over."""

from __future__ import annotations

from docdask.core.lease import PERMIT, REMEMBERED, Permit, Workers
from docdask.core.machine import mermaid, reachable

SECOND = 10**9


def permit(worker: str, name: str = "p") -> Permit:
    return Permit(name, worker, None, 1, 0, "", 1, 0)


def test_only_who_was_silent_for_a_lease_is_taken_out():
    workers = Workers(30 * SECOND)
    workers.seen("a", 0)
    workers.seen("b", 10 * SECOND)
    assert workers.silent(30 * SECOND - 1) is None
    assert workers.silent(30 * SECOND).name == "a"
    assert workers.silent(30 * SECOND) is None


def test_a_sign_of_life_moves_the_end_of_the_lease():
    workers = Workers(30 * SECOND)
    workers.seen("a", 0).permits["p"] = permit("a")
    workers.seen("b", SECOND).permits["p"] = permit("b")
    workers.seen("a", 2 * SECOND)
    assert workers.expiry_ns(60 * SECOND) == 31 * SECOND
    assert workers.expiry_ns(20 * SECOND) == 20 * SECOND


def test_workers_with_nothing_to_lose_need_no_timer():
    workers = Workers(30 * SECOND)
    workers.seen("a", 0)
    assert workers.expiry_ns(60 * SECOND) == 60 * SECOND


def test_a_lost_worker_stays_lost_until_it_joins():
    workers = Workers(30 * SECOND)
    workers.seen("a", 0)
    workers.lose("a", 1)
    assert workers.is_lost("a")
    workers.joined("a", 2)
    assert not workers.is_lost("a")


def test_ended_permits_are_remembered_for_a_lease_and_not_for_ever():
    worker = Workers(30 * SECOND).seen("a", 0)
    worker.end("old", 0, 30 * SECOND)
    assert worker.has_ended("old")
    for number in range(3 * REMEMBERED):
        worker.end(f"p{number}", SECOND, 30 * SECOND)
    assert not worker.has_ended("old")
    assert worker.has_ended(f"p{3 * REMEMBERED - 1}")
    assert len(worker._ended) + len(worker._ended_before) <= 2 * REMEMBERED


def test_a_late_return_finds_its_permit_once():
    workers = Workers(30 * SECOND)
    lapsed = permit("a")
    workers.lapse(lapsed)
    assert workers.late("a", "p") is lapsed
    assert workers.late("a", "p") is None


def test_every_permit_comes_to_an_end():
    """No state of the table is a dead end except the final ones, and all can be reached."""
    states = reachable(PERMIT, "waiting")
    assert states == {"waiting", "granted", "refused", "forgotten", "returned", "lapsed", "settled"}
    assert {state for state, _ in PERMIT} == {"waiting", "granted", "lapsed"}
    assert "waiting --> granted: grant" in mermaid(PERMIT, "waiting")
