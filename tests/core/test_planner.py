"""Laws of dividing documents among branches."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docdask.core import planner
from docdask.core.planner import Item, Partition, Speed

speeds = st.builds(
    Speed,
    document_s=st.floats(0, 1),
    text_page_s=st.floats(0, 1),
    ocr_page_s=st.floats(0, 10),
    in_flight=st.sampled_from([1, 1, 1, 100]),
)


@st.composite
def items(draw: st.DrawFn) -> list[tuple[str, Item]]:
    sizes = draw(
        st.lists(
            st.tuples(st.sampled_from(["pdf", "image"]), st.integers(1, 300), st.floats(0, 1)), max_size=60
        )
    )
    return [(group, Item(pages, int(pages * share))) for group, pages, share in sizes]


def divided(documents: list[tuple[str, Item]], speed: Speed, workers: int) -> list[Partition]:
    groups: dict[str, list[int]] = {}
    for index, (group, _) in enumerate(documents):
        groups.setdefault(group, []).append(index)
    waits = speed.in_flight > 1
    return planner.partition(
        groups,
        [speed.seconds(item) for _, item in documents],
        [1000] * len(documents),
        [1 if waits else max(1, len(planner.page_ranges(item))) for _, item in documents],
        workers=workers,
        waits=waits,
    )


@given(items(), speeds, st.integers(1, 16))
def test_every_document_is_in_exactly_one_partition(documents, speed, workers):
    parts = divided(documents, speed, workers)
    assert sorted(index for part in parts for index in part.documents) == list(range(len(documents)))
    assert [part.number for part in parts] == list(range(len(parts)))
    assert all(documents[index][0] == part.group for part in parts for index in part.documents)


@given(items(), speeds, st.integers(1, 16))
def test_the_expected_work_of_the_partitions_is_that_of_the_documents(documents, speed, workers):
    parts = divided(documents, speed, workers)
    total = sum(speed.seconds(item) for _, item in documents)
    assert math.isclose(sum(p.expected_s for p in parts), total, abs_tol=1e-9)
    assert all(len(p.documents) <= planner.MAX_DOCUMENTS for p in parts)


@given(items())
def test_page_ranges_cover_each_page_once_and_do_not_depend_on_the_machine(documents):
    for _, item in documents:
        ranges = planner.page_ranges(item)
        pages = [page for r in ranges for page in range(r.first, r.last + 1)]
        assert pages in ([], list(range(1, item.pages + 1)))
        assert not ranges or max(map(len, ranges)) - min(map(len, ranges)) <= 1


@given(items(), speeds, st.integers(1, 16))
def test_the_makespan_lies_between_its_bounds(documents, speed, workers):
    parts = divided(documents, speed, workers)
    total = sum(p.expected_s for p in parts)
    longest = max((p.expected_s / p.pieces for p in parts), default=0.0)
    span = planner.makespan_s(parts, workers)
    assert max(total / workers, longest) <= span * (1 + 1e-9) + 1e-9
    assert span <= total / workers + longest + 1e-9


def test_plenty_of_equal_work_gives_branches_of_ten_to_thirty_seconds():
    documents = [("image", Item(1, 0))] * 2000
    parts = divided(documents, Speed(0.01, 0.03, 1.5), workers=2)
    assert all(10 <= part.expected_s <= 30 for part in parts[:-1])


def test_little_work_still_gives_four_branches_a_worker():
    assert len(divided([("image", Item(1, 0))] * 12, Speed(0.01, 0.03, 1.5), workers=2)) >= 8


def test_an_engine_that_waits_gets_small_branches_of_whole_documents():
    parts = divided([("pdf", Item(300, 0))] * 50, Speed(0.01, 0.03, 1.5, in_flight=100), workers=2)
    assert all(part.pieces == 1 for part in parts)
    assert max(len(part.documents) for part in parts) <= math.ceil(50 / 8)


weights = st.lists(
    st.tuples(st.floats(0, 10, allow_subnormal=False), st.integers(0, 1000)), min_size=0, max_size=60
)


@given(weights, st.floats(0.1, 20), st.integers(1, 2000))
def test_stretches_keep_every_limit_and_are_as_long_as_they_may_be(things, seconds_most, bytes_most):
    seconds, sizes = [s for s, _ in things], [b for _, b in things]
    found = list(planner.stretches([(seconds, seconds_most), (sizes, bytes_most)]))
    assert [index for start, stop in found for index in range(start, stop)] == list(range(len(things)))
    for start, stop in found:
        fits = sum(seconds[start:stop]) <= seconds_most + 1e-6 and sum(sizes[start:stop]) <= bytes_most
        assert fits or stop == start + 1
        if stop < len(things):
            longer = slice(start, stop + 1)
            assert sum(seconds[longer]) > seconds_most - 1e-6 or sum(sizes[longer]) > bytes_most


def test_lanes_are_dealt_out_side_by_side():
    calls = [Partition(0, "pdf", (n,), 1.0, way=1) for n in range(4)]
    work = [Partition(0, "pdf", (n,), float(n), way=2) for n in range(8)]
    ways = [part.way for part in planner.numbered([calls, work], first=7)]
    assert all(1 <= ways[:stop].count(1) <= stop / 2 for stop in range(2, 13))
    assert [part.number for part in planner.numbered([calls, work], first=7)] == list(range(7, 19))


def test_no_workers_can_do_no_work():
    with pytest.raises(ValueError, match="0 workers"):
        planner.partition({}, [], [], [], workers=0)
