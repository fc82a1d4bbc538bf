"""Calls in flight grow with success and shrink when there is no capacity."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from docdask.core.flight import Flight

MS = 10**6


def serve(flight: Flight, rounds: int, *, capacity: int = 10**9, fence: int = 0) -> int:
    """Fill the limit, answer all, again and again; beyond the capacity calls are refused."""
    for _ in range(rounds):
        sent = []
        while not flight.full():
            flight.take()
            fence += 1
            sent.append(fence)
        newest = fence
        for number, mine in enumerate(sent):
            if number < capacity:
                flight.success(1, 100 * MS, mine, newest)
            else:
                flight.refused(mine, newest)
            flight.free()
    return fence


def test_it_doubles_until_the_first_refusal():
    flight = Flight(None, start=8)
    serve(flight, 4)
    assert flight.limit >= 8 * 8


def test_it_settles_near_what_the_endpoint_can_take():
    flight = Flight(None, start=8)
    fence = serve(flight, 60, capacity=40)
    limits = []
    for _ in range(40):
        fence = serve(flight, 1, capacity=40, fence=fence)
        limits.append(flight.limit)
    assert min(limits) >= 26
    assert max(limits) <= 46
    assert sum(limits) / len(limits) >= 34


def test_refusals_of_calls_that_were_in_flight_together_shrink_it_once():
    flight = Flight(None, start=100)
    for _ in range(100):
        flight.take()
    for fence in range(1, 31):
        flight.refused(fence, 100)
        flight.free()
    assert flight.limit == 70


def test_a_few_refusals_among_many_answers_change_nothing():
    flight = Flight(None, start=100)
    fence = serve(flight, 1)
    before = flight.limit
    for number in range(400):
        flight.take()
        fence += 1
        if number % 100 == 50:
            flight.refused(fence, fence)
        else:
            flight.success(1, 100 * MS, fence, fence)
        flight.free()
    assert flight.limit >= before


def test_a_few_slow_answers_change_nothing():
    flight = Flight(None, start=50)
    fence = serve(flight, 1)
    before = flight.limit
    for number in range(400):
        flight.take()
        fence += 1
        flight.success(1, (4000 if number % 5 == 0 else 100) * MS, fence, fence)
        flight.free()
    assert flight.limit >= before


def test_latency_that_has_doubled_shrinks_it():
    flight = Flight(None, start=50)
    fence = serve(flight, 1)
    before = flight.limit
    for _ in range(60):
        flight.take()
        fence += 1
        flight.success(1, 250 * MS, fence, fence)
        flight.free()
    assert flight.limit < before


def test_longer_documents_are_not_mistaken_for_an_endpoint_in_trouble():
    flight = Flight(None, start=50)
    fence = serve(flight, 1)
    before = flight.limit
    for _ in range(60):
        flight.take()
        fence += 1
        flight.success(30, 9_000 * MS, fence, fence)
        flight.free()
    assert flight.limit >= before


@given(
    st.integers(1, 50),
    st.lists(st.tuples(st.sampled_from(["ok", "slow", "refused"]), st.integers(0, 40)), max_size=80),
)
def test_the_limit_never_leaves_its_bounds(most, answers):
    flight, newest = Flight(most), 0
    for what, back in answers:
        if not flight.full():
            flight.take()
            newest += 1
        if what == "refused":
            flight.refused(newest - back, newest)
        else:
            flight.success(1, (100 if what == "ok" else 900) * MS, newest - back, newest)
        assert 1 <= flight.limit <= most
        assert flight.now <= most


def test_a_limit_that_is_not_adaptive_stays():
    flight = Flight(5, adaptive=False)
    serve(flight, 3, capacity=2)
    assert flight.limit == 5
