"""Engines for benchmarks: valid answers, no work, repeatable latencies."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docdask.errors import EngineError
from docdask.model import PageRange
from docdask.service import base
from docdask.service.dummy import LatencyEngine, NothingEngine


def request(unit_id: str = "u", pages: PageRange | None = None) -> base.Request:
    return base.Request(unit_id, "memory://x", b"", "application/pdf", pages)


def parse(data: bytes):
    from google.cloud.documentai_v1.types import Document

    return Document.pb().FromString(data)


@pytest.mark.parametrize("name", ["NothingEngine", "LatencyEngine"])
def test_engines_load_by_their_path(name):
    engine = base.load(f"docdask.service.dummy:{name}")
    assert isinstance(engine, base.Engine)
    engine.close()


def test_nothing_engine_answers_one_page_with_a_line():
    document = parse(NothingEngine().recognise(request()))
    (page,) = document.pages
    (line,) = page.lines
    (segment,) = line.layout.text_anchor.text_segments
    assert document.text[segment.start_index : segment.end_index] == "Nothing was read here.\n"
    assert len(line.layout.bounding_poly.normalized_vertices) == 4


def test_page_ranges_keep_the_numbers_of_the_document():
    document = parse(NothingEngine().recognise(request(pages=PageRange(7, 9))))
    assert [page.page_number for page in document.pages] == [7, 8, 9]
    ends = [page.lines[0].layout.text_anchor.text_segments[0].end_index for page in document.pages]
    assert ends[-1] == len(document.text)


def test_latency_engine_answers_many_calls_at_once():
    engine = LatencyEngine(0.0, 0.0)

    async def everything() -> list[bytes]:
        return await asyncio.gather(*(engine.recognise(request(str(i))) for i in range(200)))

    assert all(parse(data).pages for data in asyncio.run(everything()))
    assert engine.in_flight == 1000


@given(st.text(), st.floats(0, 5), st.floats(0, 5))
def test_latency_lies_between_its_bounds_and_depends_on_the_unit_only(unit_id, low, extra):
    engine = LatencyEngine(low, low + extra)
    latency = engine.latency_s(unit_id)
    assert low <= latency <= low + extra
    assert latency == LatencyEngine(low, low + extra).latency_s(unit_id)


def test_latencies_spread_over_the_range():
    latencies = [LatencyEngine().latency_s(str(i)) for i in range(1000)]
    assert 1.9 < sum(latencies) / 1000 < 2.1
    assert min(latencies) < 1.05
    assert max(latencies) > 2.95


@pytest.mark.parametrize("options", [{"min_s": 3, "max_s": 1}, {"min_s": -1}, {"in_flight": 0}])
def test_impossible_latencies_are_refused(options):
    with pytest.raises(EngineError, match="min_s"):
        base.load("docdask.service.dummy:LatencyEngine", options)
