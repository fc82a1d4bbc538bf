"""How long shared requests are: full where the quota decides, no longer than what is waited for anyway where it does not."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docdask.core.capacity import Capacity, capacity
from docdask.core.limits import DEFAULT_BOOK
from docdask.core.requesting import Sender
from docdask.core.server import GOOGLE
from docdask.core.server.latency import NONE
from docdask.core.spreading import calls_of, pages_of_pack
from docdask.core.traffic import Traffic, online_s
from tests.engine.catalogs import configuration, processor

WHOLE = 30


def sender(**more: object) -> Sender:
    return Sender(processor("ocr", **more), DEFAULT_BOOK, staged=False)


def room(requests: int = 120) -> Capacity:
    made = configuration(limits={"online_requests": requests}, quota_share=1.0)
    return capacity([made.processors["ocr"]], made)


def calls(documents: dict[int, int], most: int) -> Counter[int]:
    return calls_of(documents, sender(), packed=True, pages_most=most)


def test_requests_are_full_where_the_quota_decides():
    documents = {1: 10_000}
    most = pages_of_pack(documents, sender(), room(), GOOGLE)
    assert most == WHOLE
    assert calls(documents, most).total() == 334


def test_a_few_documents_share_no_longer_requests_than_the_longest_of_them():
    samples = {1: 9, 2: 1, 3: 1, 20: 1}
    assert pages_of_pack(samples, sender(), room(), GOOGLE) == 20
    assert pages_of_pack({1: 12}, sender(), room(), GOOGLE) == 1


def test_so_many_share_a_request_that_all_go_at_once():
    documents = {1: 300}
    most = pages_of_pack(documents, sender(), room(), GOOGLE)
    assert calls(documents, most).total() <= 120
    assert most < WHOLE


def test_files_are_not_joined_for_less_than_half_of_the_requests():
    for count in (2, 13, 14, 20):
        most = pages_of_pack({1: count}, sender(), room(), GOOGLE)
        assert most == 1 or 2 * calls({1: count}, most).total() <= count
    assert pages_of_pack({1: 13}, sender(), room(), GOOGLE) == 1


def test_what_else_goes_to_the_quota_counts():
    alone = pages_of_pack({1: 100}, sender(), room(), GOOGLE)
    beside = pages_of_pack({1: 100}, sender(), room(), GOOGLE, {1: 100})
    assert beside > alone


def test_a_service_that_answers_at_once_gets_full_requests():
    assert pages_of_pack({1: 12}, sender(), room(), NONE) == WHOLE


def test_pack_as_an_option_means_full_requests():
    assert pages_of_pack({1: 12}, sender(pack=True), room(), GOOGLE) == WHOLE
    assert pages_of_pack({}, sender(), room(), GOOGLE) == WHOLE


@given(
    st.dictionaries(st.integers(1, 40), st.integers(1, 400), min_size=1, max_size=6),
    st.integers(1, 600),
    st.dictionaries(st.integers(1, 30), st.integers(1, 300), max_size=3),
)
def test_no_other_length_ends_the_run_noticeably_earlier(documents, quota, others):
    most = pages_of_pack(documents, sender(), room(quota), GOOGLE, others)
    assert 1 <= most <= WHOLE

    def ends_s(length: int) -> float:
        return online_s(Traffic(room(quota), calls(documents, length) + Counter(others)), GOOGLE)

    assert ends_s(most) <= max(0.5, 0.02 * ends_s(most)) + min(map(ends_s, range(1, WHOLE + 1)))


@pytest.mark.parametrize("most", [1, 7, 20, 30])
def test_no_page_is_lost_and_shared_requests_are_no_longer(most):
    documents = {1: 50, 6: 3, 7: 2, 25: 4, 70: 1}
    found = calls(documents, most)
    assert sum(pages * count for pages, count in found.items()) == 50 + 18 + 14 + 100 + 70
    own = {1, 6, 7, 25, 30, 10}  # of one document: the long one goes in 30, 30 and 10
    assert {pages for pages in found if pages > most} <= own
