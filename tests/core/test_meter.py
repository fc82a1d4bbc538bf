"""Laws of one quota's meter."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from docdask.core.meter import NEVER_NS, Meter

SECOND = 10**9
MINUTE = 60 * SECOND


def windows_hold(sent: list[tuple[int, int]], limit: int, width_ns: int) -> bool:
    """Whether no half-open window of that width holds more than the limit."""
    start = total = 0
    for at_ns, amount in sent:
        total += amount
        while sent[start][0] <= at_ns - width_ns:
            total -= sent[start][1]
            start += 1
        if total > limit:
            return False
    return True


steps = st.lists(st.tuples(st.integers(0, 3 * SECOND), st.integers(1, 12), st.booleans()), max_size=120)
limits = st.integers(12, 60)


@given(limits, steps)
def test_no_window_holds_more_than_the_limit_whatever_is_asked_when(limit, asked):
    meter = Meter(limit, 10 * SECOND, SECOND // 10)
    now_ns, sent = 0, []
    for gap_ns, amount, burst in asked:
        now_ns += gap_ns
        if meter.ready_ns(amount, now_ns, burst=burst) == now_ns:
            meter.charge(amount, now_ns)
            sent.append((now_ns, amount))
    assert windows_hold(sent, limit, 10 * SECOND + SECOND // 10)


@given(limits, steps, st.integers(1, 12))
def test_the_advised_wait_is_exactly_enough(limit, asked, amount):
    """At the moment it was told the caller is admitted, and not one nanosecond before."""
    meter = Meter(limit, 10 * SECOND, SECOND // 10)
    now_ns = 0
    for gap_ns, more, _ in asked:
        now_ns += gap_ns
        if meter.ready_ns(more, now_ns, burst=True) == now_ns:
            meter.charge(more, now_ns)
    ready_ns = meter.ready_ns(amount, now_ns)
    if ready_ns > now_ns:
        assert meter.ready_ns(amount, ready_ns - 1) == ready_ns
    assert meter.ready_ns(amount, ready_ns) == ready_ns


def test_what_is_above_the_limit_is_never_ready():
    assert Meter(30, MINUTE, 0).ready_ns(31, 0) == NEVER_NS
    assert Meter(0, MINUTE, 0).ready_ns(1, 0) == NEVER_NS


def test_an_even_pace_uses_ninety_nine_hundredths_of_the_quota():
    meter = Meter(120, MINUTE, 300_000_000)
    now_ns = granted = 0
    while now_ns < 10 * MINUTE:
        meter.charge(1, now_ns)
        granted += 1
        now_ns = meter.ready_ns(1, now_ns)
    assert 0.99 * 1200 <= granted <= 1200


def test_a_burst_is_free_only_when_nothing_was_used_for_two_periods():
    """A gateway that weighs the previous minute still counts what has left the window."""
    meter = Meter(120, MINUTE, 300_000_000)
    assert meter.burst_free(0) == 120
    meter.charge(100, 0)
    assert meter.burst_free(SECOND) == 20
    assert 20 <= meter.burst_free(61 * SECOND) < 25
    assert 65 <= meter.burst_free(90 * SECOND) <= 75
    assert meter.burst_free(121 * SECOND) == 120


def test_a_refused_burst_ends_bursting_and_leaves_the_share_alone():
    meter = Meter(120, MINUTE, 300_000_000)
    meter.charge(40, 0)
    meter.refused(1, 0, SECOND, burst=True)
    assert meter.burst_free(10 * MINUTE) == 0
    assert meter.share.ppm(2 * SECOND) == 1_000_000


def test_one_refusal_is_answered_with_a_pause_a_second_within_a_period_cuts_the_share():
    meter = Meter(120, MINUTE, 300_000_000)
    for tick in range(120):
        meter.charge(1, tick * SECOND // 2)
    meter.refused(1, 59 * SECOND, MINUTE)
    assert meter.ready_ns(1, MINUTE) > MINUTE
    assert meter.share.ppm(MINUTE) == 1_000_000
    meter.refused(1, 61 * SECOND, 62 * SECOND)
    assert meter.share.ppm(62 * SECOND) < 990_000


def test_refusals_of_calls_from_before_the_last_one_tell_nothing_new():
    meter = Meter(120, MINUTE, 300_000_000)
    for tick in range(100):
        meter.charge(1, tick * SECOND // 2)
    meter.refused(1, 40 * SECOND, 50 * SECOND)
    meter.refused(1, 51 * SECOND, 52 * SECOND)
    share_ppm, ready_ns = meter.share.ppm(53 * SECOND), meter.ready_ns(1, 53 * SECOND)
    meter.refused(1, 49 * SECOND, 53 * SECOND)
    assert meter.share.ppm(53 * SECOND) == share_ppm
    assert meter.ready_ns(1, 53 * SECOND) == ready_ns


def test_what_the_service_asks_to_wait_is_waited():
    meter = Meter(120, MINUTE, 300_000_000)
    meter.charge(1, 0)
    meter.refused(1, 0, SECOND, after_ns=20 * SECOND)
    assert meter.ready_ns(1, 2 * SECOND, burst=True) == 21 * SECOND


def test_pauses_grow_while_refusals_go_on_and_start_anew_after_an_acceptance():
    meter = Meter(120, MINUTE, 300_000_000)
    waits, now_ns = [], 0
    for _ in range(4):
        meter.charge(1, now_ns)
        meter.refused(1, now_ns, now_ns)
        ready_ns = meter.ready_ns(1, now_ns, burst=True)
        waits.append(ready_ns - now_ns)
        now_ns = ready_ns
    assert waits == sorted(waits)
    assert waits[-1] >= 4 * waits[0]
    meter.accepted(now_ns)
    meter.refused(1, now_ns, now_ns)
    assert meter.ready_ns(1, now_ns, burst=True) - now_ns < waits[-1]


@given(limits, steps, st.integers(0, 30 * SECOND), st.integers(-(10**18), 10**18))
def test_a_restored_meter_admits_no_earlier_than_the_one_it_was_saved_from(limit, asked, pause_ns, offset_ns):
    meter = Meter(limit, 10 * SECOND, SECOND // 10)
    now_ns = 0
    for gap_ns, amount, _ in asked:
        now_ns += gap_ns
        if meter.ready_ns(amount, now_ns) == now_ns:
            meter.charge(amount, now_ns)
    saved = meter.export(now_ns, offset_ns)
    other = Meter(limit, 10 * SECOND, SECOND // 10)
    later_ns = now_ns + pause_ns + 5
    other.restore(saved, later_ns - 77, offset_ns - 77)  # another clock, started elsewhere
    assert other.expire(later_ns - 77) == meter.expire(later_ns - 77 + 77)
    assert other.burst_free(later_ns - 77) <= meter.burst_free(later_ns) + 1


def test_a_raised_quota_counts_at_once_and_a_lowered_one_waits():
    meter = Meter(6, MINUTE, 0)
    meter.charge(1, 0)
    meter.resize(600)
    assert meter.ready_ns(1, 0) < SECOND
    meter.charge(100, SECOND)
    meter.resize(60)
    assert meter.ready_ns(1, SECOND) > MINUTE


def test_memory_is_bounded_however_large_the_quota():
    meter = Meter(10**9, MINUTE, 300_000_000)
    for tick in range(200_000):
        assert meter.ready_ns(1, tick * 1_000_000) == tick * 1_000_000
        meter.charge(1, tick * 1_000_000)
    assert len(meter._log) + len(meter._older) < 9_000
    assert meter.used > 60_000
