"""Calls whose end nobody knows are named, with their price and their documents."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from docdask.monitor import risk
from docdask.monitor.ledger_command import ledger_command
from tests.tables.run_making import SmallRun, ledger, make_paid, planned, record


@pytest.fixture
def small(tmp_path):
    small = SmallRun(str(tmp_path / "run"))
    make_paid(small.run)
    small.planned(
        *(
            planned(name, [f"{name}1", f"{name}2"] if name == "long" else [name])
            for name in ("a", "b", "c", "long")
        )
    )
    return small


def test_single_packed_and_batch_calls_are_named_the_dearest_first(small):
    small.run.write_json("packing/part-00007/pack.json", {"entries": [{"unit_id": "a"}, {"unit_id": "b"}]})
    small.run.write_json("operations/batch.json", {"units": ["c", "long1", "long2"], "since_s": 0})
    ledger(
        small.run.url,
        record(1, "intent", "pack", 1, pages=2, micros=3000),
        record(2, "intent", "batch", 2, pages=50, micros=75_000),
        record(3, "lost", "batch", 2),
        record(4, "intent", "a", 3),
        record(5, "answered", "a", 3),
        record(6, "intent", "c", 4),
        record(7, "intent", "", 5, pages=0, micros=0),
    )
    calls = risk.open_calls(small.run.url)
    assert [(c.request_id, c.pages, c.cost_usd, c.documents) for c in calls] == [
        ("batch", 50, 0.075, ("c.pdf", "long.pdf")),
        ("pack", 2, 0.003, ("a.pdf", "b.pdf")),
        ("c", 1, 0.0015, ("c.pdf",)),
    ]
    assert risk.text(calls).splitlines()[1:4] == [
        "      50      $0.07  batch  c.pdf, long.pdf",
        "       2    $0.0030  pack  a.pdf, b.pdf",
        "       1    $0.0015  c  c.pdf",
    ]


def test_many_are_cut_in_a_terminal_and_whole_in_json(small):
    ledger(small.run.url, *(record(n, "intent", f"{n:032x}", n) for n in range(1, 31)))
    said = CliRunner().invoke(ledger_command, [small.run.url]).output
    assert "and 10 more calls: --json has all" in said
    told = json.loads(CliRunner().invoke(ledger_command, [small.run.url, "--json"]).output)
    assert len(told["at_risk"]) == 30
    assert sum(call["pages"] for call in told["at_risk"]) == told["pages_at_risk"] == 30


def test_where_nothing_is_at_risk_nothing_is_said(small):
    ledger(small.run.url, record(1, "intent"), record(2, "answered"))
    assert risk.open_calls(small.run.url) == []
    assert "documents that were in it" not in CliRunner().invoke(ledger_command, [small.run.url]).output


def test_lines_fit_a_terminal():
    name = "a name of a document that is long.pdf"
    lines = risk.text([risk.OpenCall("f" * 32, 1, 12_345, 18.5, (name,))]).splitlines()
    assert max(map(len, lines)) <= 80
    assert name in " ".join(lines)
