"""What a paid run keeps of itself: any driver reads what another one kept, and a plain run has nothing of it."""

from __future__ import annotations

import pytest

from docdask.core.routes import Configuration, Place, Processor, Route
from docdask.core.spec import BudgetSpec
from docdask.store import paidrun
from docdask.store.manifest import Manifest
from docdask.store.run import RunDirectory


@pytest.fixture
def run(tmp_path):
    return RunDirectory.create(str(tmp_path / "run"), Manifest("documentai", "1", {}, tokens=False))


def test_a_run_without_document_ai_has_nothing_of_it(run):
    assert paidrun.configuration(run) is None
    assert paidrun.budget(run) is None
    assert (paidrun.emulator_options(run), paidrun.books(run)) == ({}, {})


def test_another_driver_reads_what_was_kept(run):
    processor = Processor(
        "ocr", "OCR_PROCESSOR", (Place("eu", "projects/p/locations/eu/processors/1", "v1"),)
    )
    made = Configuration("p", "eu", {"ocr": processor}, (Route("rest", processor="ocr"),))
    paidrun.configure(run, made, {"latency": "google"})
    paidrun.write_books(run, {"pages_billed": 3})
    again = RunDirectory.open(run.url)
    assert paidrun.configuration(again) == made
    assert paidrun.emulator_options(again) == {"latency": "google"}
    assert paidrun.books(again) == {"pages_billed": 3}


@pytest.mark.parametrize(
    "budget", [BudgetSpec(), BudgetSpec(pages=5), BudgetSpec(micros=7), BudgetSpec(5, 7)]
)
def test_what_was_accepted_is_told_apart_from_nothing_accepted(run, budget):
    paidrun.accept(run, budget)
    assert paidrun.budget(RunDirectory.open(run.url)) == budget
