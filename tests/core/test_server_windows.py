"""Quota windows: the 121st call in a minute is refused under each kind, and none ever holds more than its limit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docdask.core.server.windows import MINUTE_NS, Bucket, FixedWindow, SlidingWindow, make_window
from docdask.errors import UsageError

KINDS = ["fixed", "sliding", "sliding-count", "bucket", "bucket:120"]
#: (gap before the attempt in ns, weight)
attempts = st.lists(st.tuples(st.integers(0, 20 * 10**9), st.integers(1, 4)), max_size=200)


def admitted(window, steps, **kwargs):
    at_ns, taken = 0, []
    for gap, weight in steps:
        at_ns += gap
        if window.admit(weight, at_ns, **kwargs):
            taken.append((at_ns, weight))
    return taken


@pytest.mark.parametrize("kind", KINDS)
def test_120_calls_of_a_minute_pass_and_the_121st_is_refused(kind):
    window = make_window(kind, 120)
    # All within a second at the start of a minute: how the kinds refill does not matter then.
    answers = [window.admit(1, 60 * MINUTE_NS + n * 1_000_000) for n in range(121)]
    assert answers == [True] * 120 + [False]


@pytest.mark.parametrize("kind", [*KINDS, "bucket/4"])
@pytest.mark.parametrize("count_refused", [False, True])
def test_a_full_window_has_room_again_after_two_minutes_of_rest(kind, count_refused):
    window = make_window(kind, 120)
    for n in range(500):
        window.admit(1, n, count_refused=count_refused)
    assert window.admit(1, 2 * MINUTE_NS + 500, count_refused=count_refused)


@pytest.mark.parametrize("kind", ["sliding", "bucket"])
def test_attempts_that_count_keep_a_hammering_client_out(kind):
    patient, hammering = make_window(kind, 6), make_window(kind, 6)
    steps = [(10**9, 1)] * 300
    assert len(admitted(patient, steps)) > 6
    assert len(admitted(hammering, steps, count_refused=True)) <= 7


@given(attempts, st.integers(1, 12), st.booleans(), st.integers(0, MINUTE_NS))
def test_no_fixed_minute_holds_more_than_the_limit(steps, limit, count_refused, phase):
    taken = admitted(FixedWindow(limit, phase_ns=phase), steps, count_refused=count_refused)
    minutes = {}
    for at_ns, weight in taken:
        minute = (at_ns - phase) // MINUTE_NS
        minutes[minute] = minutes.get(minute, 0) + weight
    assert all(total <= limit for total in minutes.values())


@given(attempts, st.integers(1, 12), st.booleans())
def test_no_sixty_seconds_hold_more_than_the_limit(steps, limit, count_refused):
    taken = admitted(SlidingWindow(limit), steps, count_refused=count_refused)
    for end_ns, _ in taken:
        assert sum(weight for at_ns, weight in taken if end_ns - MINUTE_NS < at_ns <= end_ns) <= limit


@given(attempts, st.integers(1, 12))
def test_a_sliding_window_refuses_only_when_it_must(steps, limit):
    window, at_ns, taken = SlidingWindow(limit), 0, []
    for gap, weight in steps:
        at_ns += gap
        load = sum(size for then, size in taken if at_ns - MINUTE_NS < then)
        assert window.admit(weight, at_ns) == (load + weight <= limit)
        if load + weight <= limit:
            taken.append((at_ns, weight))


@given(attempts, st.integers(1, 12), st.booleans())
def test_the_weighted_count_never_exceeds_the_limit(steps, limit, count_refused):
    taken = admitted(make_window("sliding-count", limit), steps, count_refused=count_refused)
    counts = {}
    for at_ns, weight in taken:
        minute, elapsed = divmod(at_ns, MINUTE_NS)
        counts[minute] = counts.get(minute, 0) + weight
        weighted = counts.get(minute - 1, 0) * (MINUTE_NS - elapsed) + counts[minute] * MINUTE_NS
        assert weighted <= limit * MINUTE_NS


@given(attempts, st.integers(1, 12), st.integers(1, 12), st.booleans())
def test_a_bucket_lets_through_its_capacity_and_the_rate(steps, limit, capacity, count_refused):
    taken = admitted(Bucket(limit, capacity=capacity), steps, count_refused=count_refused)
    for i, (start_ns, _) in enumerate(taken):
        total = 0
        for at_ns, weight in taken[i:]:
            total += weight
            assert total * MINUTE_NS <= capacity * MINUTE_NS + limit * (at_ns - start_ns)


@given(attempts, st.sampled_from([*KINDS, "bucket/4", "bucket:3"]), st.booleans())
def test_the_share_in_use_lies_between_none_and_all(steps, kind, count_refused):
    window, at_ns = make_window(kind, 8), 0
    for gap, weight in steps:
        at_ns += gap
        window.admit(weight, at_ns, count_refused=count_refused)
        assert 0.0 <= window.used(at_ns) <= 1.0


def test_memory_of_a_sliding_window_is_bounded_by_its_limit():
    window = SlidingWindow(10)
    for n in range(10_000):
        window.admit(1, n, count_refused=True)
    assert len(window._entries) <= 10


def test_a_large_limit_is_counted_in_grains_and_stays_strict():
    window = SlidingWindow(20_000)
    taken = sum(
        window.admit(1, 30 * MINUTE_NS + n * 2_000_000) for n in range(40_000)
    )  # 80 s at 500 a second
    assert len(window._entries) <= 6001
    # 20,000 in the first 40 s, then nothing until the first of them leave at 60 s; a grain is 10 ms, 5 calls.
    assert 20_000 + 10_000 - 10 <= taken <= 20_000 + 10_000
    start = [at for at in range(0, 60_000, 50) if window.admit(20_000, 32 * MINUTE_NS + at * 1_000_000)]
    assert len(start) == 1


@pytest.mark.parametrize("kind", ["", "minute", "bucket/0", "bucket:", "bucket/x", "fixed/2", "bucket/4:3"])
def test_a_kind_that_does_not_exist_is_refused(kind):
    with pytest.raises(UsageError, match="window kind"):
        make_window(kind, 120)
