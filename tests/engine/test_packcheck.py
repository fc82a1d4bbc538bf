"""Whether packing changes what is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docdask.engine.packcheck import MOST, difference


@given(st.text(max_size=80), st.text(max_size=80))
def test_difference_is_a_share_and_nothing_for_the_same(one, other):
    assert 0 <= difference(one, other) <= 1
    assert difference(one, one) == 0
    assert (difference(one, other) == 0) == (one == other)


@pytest.mark.parametrize(("lost", "off"), [(0, False), (4, False), (6, True)])
def test_half_a_percent_is_what_may_differ(lost, off):
    text = "".join(chr(0x4E00 + i) for i in range(1000))
    assert (difference(text, text[lost:]) > MOST) is off
