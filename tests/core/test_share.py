"""The share of a quota that others leave."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from docdask.core.share import FULL_PPM, LEAST_PPM, STEP_PPM, Share

SECOND = 10**9
MINUTE = 60 * SECOND


def cut_share(ppm: int) -> Share:
    """A share that was cut to ``ppm`` at time 0."""
    share = Share(MINUTE)
    share.restore(0, ppm)
    return share


@given(st.lists(st.tuples(st.integers(0, 8 * MINUTE), st.integers(0, FULL_PPM)), max_size=30))
def test_the_share_stays_within_its_bounds_and_never_falls_without_a_cut(cuts):
    share, now_ns = Share(MINUTE), 0
    for gap_ns, admitted_ppm in cuts:
        before = share.ppm(now_ns)
        now_ns += gap_ns
        refused = share.ppm(now_ns)
        assert refused >= before
        share.cut(now_ns, admitted_ppm)
        assert LEAST_PPM <= share.ppm(now_ns) < FULL_PPM
        assert share.ppm(now_ns) <= max(LEAST_PPM, refused - refused * STEP_PPM // FULL_PPM + 1)


@given(st.integers(50_000, 990_000))
def test_refusals_find_what_is_admitted_and_stay_within_a_few_hundredths_of_it(left_ppm):
    share, now_ns, refusals = Share(MINUTE), 0, 0
    for _ in range(2000):
        now_ns += SECOND // 2
        if share.ppm(now_ns) > left_ppm:
            share.cut(now_ns, left_ppm)
            refusals += 1
        if now_ns >= MINUTE:
            assert 0.98 * left_ppm <= share.ppm(now_ns) <= 1.03 * left_ppm + 5_000
    assert refusals < 60


def test_one_refusal_at_the_level_that_is_admitted_costs_a_hundredth():
    share = cut_share(660_000)
    share.cut(0, 660_000)
    assert share.ppm(0) == 653_400


def test_far_above_what_is_admitted_a_fourth_of_the_way_is_gone_at_once():
    share = Share(MINUTE)
    share.cut(0, 600_000)
    assert share.ppm(0) == 900_000


def test_after_a_refusal_it_creeps_by_less_than_a_step_a_minute():
    share = cut_share(660_000)
    assert 660_000 < share.ppm(2 * MINUTE) <= 660_000 + STEP_PPM


def test_a_probe_that_is_refused_is_forgotten():
    share = cut_share(660_000)
    at_ns = 7 * MINUTE // 2
    assert share.ppm(at_ns) > 740_000
    share.cut(at_ns, 660_000)
    assert 655_000 < share.ppm(at_ns) < 670_000


def test_what_a_probe_was_admitted_is_kept():
    share = cut_share(500_000)
    at_ns = 7 * MINUTE // 2
    share.cut(at_ns, 570_000)
    assert share.ppm(at_ns) == 564_300


def test_a_share_that_became_free_is_taken_back_within_minutes():
    share = Share(MINUTE)
    for _ in range(20):
        share.cut(0, 666_000)
    assert share.ppm(0) < 670_000
    assert share.ppm(2 * MINUTE) < 680_000
    assert share.ppm(5 * MINUTE) == FULL_PPM


def test_a_learned_share_is_where_the_next_run_starts():
    share = Share(MINUTE)
    share.restore(0, 600_000)
    assert share.ppm(0) == 600_000
    assert share.ppm(6 * MINUTE) == FULL_PPM
