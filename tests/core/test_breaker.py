"""Closed, open, half-open."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from docdask.core.breaker import BREAKER, Breaker
from docdask.core.machine import reachable
from docdask.core.meter import NEVER_NS
from docdask.core.spec import BreakerSpec

SECOND = 10**9
SPEC = BreakerSpec(failures=3, window=6, open_ns=5 * SECOND, open_most_ns=15 * SECOND, probes=2)


def tripped(at_ns: int = 0) -> Breaker:
    breaker = Breaker(SPEC)
    for _ in range(3):
        breaker.failure(at_ns, at_ns)
    return breaker


def test_failures_in_a_row_open_it_and_a_success_between_them_does_not():
    breaker = Breaker(SPEC)
    for _ in range(2):
        breaker.failure(0, 0)
        breaker.failure(0, 0)
        breaker.success(0)
        breaker.success(0)
    assert breaker.state == "closed" or breaker._failed * 2 >= 6
    assert tripped().state == "open"


def test_half_of_the_recent_outcomes_failed_opens_it():
    breaker = Breaker(SPEC)
    for _ in range(3):
        breaker.success(0)
        breaker.failure(0, 0)
    assert breaker.state == "open"


def test_it_lets_one_probe_out_after_the_pause_exactly():
    breaker = tripped()
    assert breaker.ready_ns(SECOND) == 5 * SECOND
    assert breaker.ready_ns(5 * SECOND) == 5 * SECOND
    breaker.granted()
    assert breaker.state == "half-open"
    assert breaker.ready_ns(5 * SECOND) == NEVER_NS


def test_as_many_successes_as_asked_close_it():
    breaker = tripped()
    breaker.granted()
    breaker.success(5 * SECOND)
    assert breaker.state == "half-open"
    assert breaker.ready_ns(6 * SECOND) == 6 * SECOND
    breaker.granted()
    breaker.success(6 * SECOND)
    assert breaker.state == "closed"


def test_once_closed_it_holds_nothing_against_the_endpoint():
    breaker = Breaker(SPEC)
    for _ in range(3):
        breaker.success(0)
        breaker.failure(0, 0)
    for at in (5, 6):
        breaker.granted()
        breaker.success(at * SECOND)
    breaker.failure(7 * SECOND, 7 * SECOND)
    assert breaker.state == "closed"
    for _ in range(3):
        breaker.success(8 * SECOND)
        breaker.failure(8 * SECOND, 8 * SECOND)
    assert breaker.state == "open"  # and what happens from then on counts as it did at first


def test_failures_of_long_ago_are_forgotten():
    breaker = Breaker(SPEC)
    for _ in range(10):
        breaker.failure(0, 0)
        for _ in range(5):
            breaker.success(0)
    assert breaker.state == "closed"


def test_each_failed_probe_doubles_the_pause_up_to_the_most():
    breaker, now_ns, pauses = tripped(), 0, []
    for _ in range(4):
        ready_ns = breaker.ready_ns(now_ns)
        pauses.append((ready_ns - now_ns) // SECOND)
        now_ns = ready_ns
        breaker.granted()
        breaker.failure(now_ns, now_ns)
    assert pauses == [5, 10, 15, 15]


def test_answers_to_calls_from_before_it_opened_tell_nothing():
    breaker = tripped(at_ns=10 * SECOND)
    breaker.granted()
    breaker.success(9 * SECOND)
    breaker.failure(9 * SECOND, 16 * SECOND)
    assert breaker.state == "half-open"


def test_an_answer_ends_the_suspicion_that_silence_raised():
    breaker = Breaker(SPEC)
    breaker.silence(10 * SECOND)
    assert breaker.state == "open"
    breaker.success(9 * SECOND)
    assert breaker.state == "closed"


def test_a_probe_that_was_never_sent_makes_room_for_another():
    breaker = tripped()
    breaker.granted()
    breaker.unused(5 * SECOND)
    assert breaker.ready_ns(5 * SECOND) == 5 * SECOND


moves = st.lists(
    st.tuples(st.sampled_from(["go", "success", "failure", "unused", "silence"]), st.integers(0, 7 * SECOND))
)


@given(moves)
def test_whatever_happens_it_never_stays_shut_for_ever(moves):
    """Once all calls are answered there is always a moment at which a call may go."""
    breaker, now_ns, out = Breaker(SPEC), 0, []
    for what, gap_ns in moves:
        now_ns += gap_ns
        if what == "go" and breaker.ready_ns(now_ns) == now_ns:
            breaker.granted()
            out.append(now_ns)
        elif what == "silence":
            breaker.silence(now_ns)
        elif out and what == "success":
            breaker.success(out.pop())
        elif out and what == "failure":
            breaker.failure(out.pop(), now_ns)
        elif out and what == "unused":
            breaker.unused(out.pop())
    for granted_ns in out:
        breaker.failure(granted_ns, now_ns)
    assert breaker.ready_ns(now_ns) < NEVER_NS
    assert breaker.state in reachable(BREAKER, "closed")
