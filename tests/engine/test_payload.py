"""Children of the sandbox that join, cut and take apart: there before the first call needs them, and no more than cores."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from docdask import sandbox
from docdask.core.routes import Route
from docdask.engine import desk, planning
from docdask.engine.job import Unit
from docdask.engine.payload import CHILDREN, Payload, documents, start_children
from docdask.service import message
from tests.engine.catalogs import ENGINE, SPEED, configuration, processor, row, run


@pytest.fixture
def no_children():
    sandbox.close_all()
    yield
    sandbox.close_all()


def piece() -> tuple[Payload, bytes]:
    """What was cut out from page 7 on, and its answer."""
    unit = Unit("u", "d", "/d.pdf", "", "application/pdf", None, 1, 7, 1, ranged=True, document_pages=9)
    answer = message.new()
    answer.text = "seven"
    answer.pages.add(page_number=1)
    return Payload((unit,), b"", "application/pdf", first_page=7), answer.SerializeToString()


def test_no_more_children_work_than_there_are_cores(no_children):
    payload, answer = piece()
    with ThreadPoolExecutor(4 * CHILDREN) as pool:
        found = list(pool.map(lambda _: documents(payload, answer, {}), range(8 * CHILDREN)))
    assert 1 <= len(sandbox.children()) <= CHILDREN
    assert {message.parse(one["u"]).pages[0].page_number for one in found} == {7}


def test_children_are_there_before_anything_is_to_be_joined(no_children):
    start_children({})
    before = sandbox.children()
    assert 1 <= len(before) <= CHILDREN
    documents(*piece(), {})
    assert sandbox.children() == before


@pytest.mark.parametrize(
    ("pages", "pack", "opens"), [((1, 2), False, False), ((1, 2), True, True), ((1, 70), False, True)]
)
def test_children_are_started_only_for_a_run_that_joins_or_cuts(tmp_path, pages, pack, opens):
    made = run(tmp_path / "run", [row(f"{count}", pages=count) for count in pages])
    configured = configuration(
        Route("rest", processor="ocr"), processors=[processor("ocr", pack=pack)], emulated=True
    )
    planning.append(made, ENGINE, SPEED, 2, configuration=configured)
    assert desk.opens_files(made) is opens
