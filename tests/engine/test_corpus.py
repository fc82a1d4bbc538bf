"""Real documents, hostile ones among them: each gets a row, and none is recognised twice."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pandas as pd
import pytest

import docdask
from docdask.store.run import RunDirectory
from tests.processes import Machine, answer, wait_until

from .conftest import NOTHING
from .test_run import tables

pytestmark = pytest.mark.corpus

#: What the manifest expects → problems of a document that was set aside for it.
ASIDE = {
    "encrypted": {"encrypted", "certificate"},
    "corrupt": {"corrupt"},
    "empty": {"empty"},
    "oversize-image": {"oversize-image"},
    "no-pages": {"no-pages"},
    "deep-nesting": {"deep-nesting"},
    "loop": {"loop"},
    "wrong-type": {"unsupported-type"},
}


@pytest.fixture(scope="module")
def manifest(corpus: Path) -> dict[str, dict[str, str]]:
    with (corpus / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return {str(corpus / row["path"]): row for row in csv.DictReader(file)}


def test_every_file_gets_a_row_with_its_reason(corpus, manifest, tmp_path):
    result = docdask.run(corpus, to=tmp_path / "run", engine=NOTHING)
    summary = result.summary()
    files = sum(1 for path in corpus.rglob("*") if path.is_file() and not path.name.startswith("."))
    assert summary["inputs"] == files == len(result.documents)
    assert summary["stored"] + summary["quarantined"] + summary["skipped"] == files
    assert summary["pending"] == 0
    assert summary["stored"] > 80
    rows = result.documents.set_index("uri")
    assert rows.index.is_unique
    assert manifest.keys() <= set(rows.index)
    for uri, row in rows.iterrows():
        if row["outcome"] == "stored":
            continue
        assert row["reason"], uri
        assert row["remedy"], uri
        assert "Traceback" not in row["reason"], uri
        expected = manifest[uri]["expected_problem"] if uri in manifest else "none"
        if row["outcome"] == "quarantined":
            assert row["problem"] in ASIDE[expected], (uri, expected)


@pytest.mark.slow
def test_killed_whole_the_offline_engine_goes_on_to_the_same_tables(corpus, manifest, tmp_path):
    """``kill -9`` of everything, three times, while real documents are recognised."""
    folder, run = tmp_path / "in", tmp_path / "run"
    folder.mkdir()
    small = [
        uri for uri, row in sorted(manifest.items())
        if row["kind"] in {"pdf-digital", "images", "forms-invoices", "hostile"} and int(row["bytes"]) < 120_000
        and (not row["pages"] or int(row["pages"]) <= 2)
    ]  # fmt: skip
    for number, uri in enumerate(small[:: max(1, len(small) // 25)][:25]):
        shutil.copyfile(uri, folder / f"{number:02d} {Path(uri).name}")
    order = ("run", folder, "--to", run, "--json")
    machine = Machine(tmp_path / "state", DOCDASK_WORKERS="2")

    def ended() -> dict[str, int]:
        """When each stored unit was recognised."""
        results = RunDirectory(str(run)).results()
        found = [results.finished(number) for number in results.partitions()]
        return {unit: facts.ended_at_ns for units in found for unit, facts in units.items()}

    try:
        assert answer(machine.run(*order, timeout_s=200))["pending"] == 0
        undisturbed = tables(run)
        units, first = ended(), docdask.open(run).calls
        assert len(units) >= 15
        shutil.move(run, tmp_path / "undisturbed")
        kept: dict[str, int] = {}
        for wanted in (1, 6, 11):
            process = machine.start(*order)
            wait_until(lambda wanted=wanted: run.exists() and len(ended()) >= wanted, "results", 120)
            machine.kill_tree()
            process.communicate(timeout=60)
            now = ended()
            assert kept.items() <= now.items(), "a stored unit was recognised again"
            kept = now
        assert answer(machine.run(*order, timeout_s=200))["pending"] == 0
        for name, frame in undisturbed.items():
            pd.testing.assert_frame_equal(frame, tables(run)[name])
        assert kept.items() <= ended().items()
        calls = docdask.open(run).calls
        assert len(calls) == len(first)
        assert calls["unit_id"].is_unique
        machine.stop_cluster()
        wait_until(lambda: not machine.tree(), "no process left behind", 60)
    finally:
        machine.kill_tree()
