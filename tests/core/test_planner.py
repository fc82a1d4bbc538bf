"""Laws of dividing documents among branches."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docdask.core import planner
from docdask.core.planner import Item, Speed

speeds = st.builds(
    Speed,
    document_s=st.floats(0, 1),
    text_page_s=st.floats(0, 1),
    ocr_page_s=st.floats(0, 10),
    in_flight=st.sampled_from([1, 1, 1, 100]),
)


@st.composite
def items(draw: st.DrawFn) -> list[Item]:
    sizes = draw(
        st.lists(
            st.tuples(st.sampled_from(["pdf", "image"]), st.integers(1, 300), st.floats(0, 1)), max_size=60
        )
    )
    return [
        Item(f"{n:016x}", group, pages, int(pages * share), 1000)
        for n, (group, pages, share) in enumerate(sizes)
    ]


@given(items(), speeds, st.integers(1, 16), st.integers(0, 1000))
def test_every_document_is_in_exactly_one_partition(documents, speed, workers, first):
    parts = planner.partition(documents, speed, workers=workers, first_number=first)
    assert sorted(index for part in parts for index in part.documents) == list(range(len(documents)))
    assert [part.number for part in parts] == list(range(first, first + len(parts)))
    assert all(documents[index].group == part.group for part in parts for index in part.documents)


@given(items(), speeds, st.integers(1, 16))
def test_the_expected_work_of_the_partitions_is_that_of_the_documents(documents, speed, workers):
    parts = planner.partition(documents, speed, workers=workers)
    assert math.isclose(
        sum(p.expected_s for p in parts), sum(speed.seconds(d) for d in documents), abs_tol=1e-9
    )
    assert all(len(p.documents) <= planner.MAX_DOCUMENTS for p in parts)


@given(items())
def test_page_ranges_cover_each_page_once_and_do_not_depend_on_the_machine(documents):
    for item in documents:
        ranges = planner.page_ranges(item)
        pages = [page for r in ranges for page in range(r.first, r.last + 1)]
        assert pages in ([], list(range(1, item.pages + 1)))
        assert not ranges or max(map(len, ranges)) - min(map(len, ranges)) <= 1


@given(items(), speeds, st.integers(1, 16))
def test_the_makespan_lies_between_its_bounds(documents, speed, workers):
    parts = planner.partition(documents, speed, workers=workers)
    total = sum(p.expected_s for p in parts)
    longest = max((p.expected_s / (len(p.ranges) or 1) for p in parts), default=0.0)
    span = planner.makespan_s(parts, workers)
    assert max(total / workers, longest) <= span * (1 + 1e-9) + 1e-9
    assert span <= total / workers + longest + 1e-9


def test_plenty_of_equal_work_gives_branches_of_ten_to_thirty_seconds():
    documents = [Item(f"{n:016x}", "image", 1, 0, 1000) for n in range(2000)]
    parts = planner.partition(documents, Speed(0.01, 0.03, 1.5), workers=2)
    assert all(10 <= part.expected_s <= 30 for part in parts[:-1])


def test_little_work_still_gives_four_branches_a_worker():
    documents = [Item(f"{n:016x}", "image", 1, 0, 1000) for n in range(12)]
    assert len(planner.partition(documents, Speed(0.01, 0.03, 1.5), workers=2)) >= 8


def test_a_long_scan_is_cut_and_a_long_digital_document_is_not():
    assert len(planner.page_ranges(Item("a", "pdf", 20, 0, 1))) == 4
    assert planner.page_ranges(Item("a", "pdf", 20, 20, 1)) == ()


def test_an_engine_that_waits_gets_its_documents_whole_and_all_at_once():
    documents = [Item(f"{n:016x}", "pdf", 1, 0, 1000) for n in range(1000)]
    parts = planner.partition(documents, Speed(0.001, 2.0, 2.0, in_flight=1000), workers=1)
    assert 4 <= len(parts) <= 8
    assert not any(part.ranges for part in parts)


def test_no_workers_is_an_error_that_says_so():
    with pytest.raises(ValueError, match="0 workers"):
        planner.partition([], Speed(0, 0, 0), workers=0)
