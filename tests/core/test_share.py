"""The share of a quota that others leave."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from docdask.core.share import FULL_PPM, LEAST_PPM, Share, _cube_root

MINUTE = 60 * 10**9


@given(st.integers(0, 10**18))
def test_cube_root_is_the_largest_integer_below(value):
    root = _cube_root(value)
    assert root**3 <= value < (root + 1) ** 3


@given(st.lists(st.tuples(st.integers(0, 5 * MINUTE), st.integers(0, FULL_PPM)), max_size=30))
def test_the_share_stays_within_its_bounds_and_never_falls_without_a_cut(cuts):
    share, now_ns = Share(MINUTE), 0
    for gap_ns, admitted_ppm in cuts:
        before = share.ppm(now_ns)
        now_ns += gap_ns
        assert share.ppm(now_ns) >= before
        share.cut(now_ns, admitted_ppm)
        assert LEAST_PPM <= share.ppm(now_ns) < FULL_PPM


def test_a_share_that_became_free_is_taken_back_within_minutes():
    share = Share(MINUTE)
    for _ in range(3):
        share.cut(0, 666_000)
    assert share.ppm(0) < 670_000
    assert share.ppm(2 * MINUTE) < 680_000
    assert share.ppm(6 * MINUTE) == FULL_PPM


def test_a_learned_share_is_where_the_next_run_starts():
    share = Share(MINUTE)
    share.restore(0, 600_000)
    assert share.ppm(0) == 600_000
    assert share.ppm(8 * MINUTE) == FULL_PPM
