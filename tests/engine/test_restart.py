"""A scheduler that is killed in the middle of a run: the emulator's books and the ledger, across the restart."""

from __future__ import annotations

import pytest

from benchmarks.restart import measure, most_in_a_minute

QUOTA = 30


def test_the_fullest_minute_is_found_wherever_it_begins():
    second = 10**9
    assert most_in_a_minute([]) == 0
    assert most_in_a_minute([0, 59 * second, 60 * second, 61 * second, 200 * second]) == 3


@pytest.mark.slow
def test_no_window_is_over_quota_across_the_restart_and_the_ledger_agrees_with_the_books(tmp_path):
    found = measure(tmp_path, calls=50, quota=QUOTA, minute_s=20.0)
    assert found.stored == 50
    assert found.ledger.epoch > 1
    assert found.whole
    assert found.before < 50
    assert found.refused == 0
    assert (
        found.most <= QUOTA
    )  # what is left fits into a minute, and would go at once if that were not known to be spent
    assert found.agrees
    assert found.served == found.pages
