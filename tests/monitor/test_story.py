"""What ``docdask debug ledger`` says."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from docdask.core.ledger import Record
from docdask.errors import UsageError
from docdask.model import pack_id
from docdask.monitor import ledger_totals, story
from docdask.monitor.ledger_command import ledger_command
from docdask.monitor.story import stories
from docdask.store.ledger import open_writer

BEGIN = 1_795_474_422_123_000_000
UNIT = "3dcdab8924" + "0" * 22
OPERATION = "projects/123456789012/locations/eu/operations/11223344556677889900"


def record(
    sequence,
    kind,
    unit=UNIT,
    *,
    fence=1,
    pages=3,
    code="",
    epoch=1,
    after_s=0.0,
    attempt=1,
    endpoint="eu/form",
):
    call = kind not in {"stored", "operation", "adopted"}
    paid = call and kind != "refused"
    at = BEGIN + int(after_s * 10**9)
    return Record(
        sequence, epoch, kind, unit, attempt, fence, "/data/june", "documentai/p", endpoint if call else "",
        "tcp://127.0.0.1:44321", pages if paid else 0, 4500 * pages if paid else 0, code, at,
    )  # fmt: skip


RECORDS = [
    record(1, "intent"),
    record(2, "refused", code="RESOURCE_EXHAUSTED", after_s=1),
    record(3, "intent", fence=2, attempt=2, after_s=60),
    record(4, "operation", fence=2, code=OPERATION, after_s=61),
    record(5, "answered", fence=2, code="OK", after_s=90_000),
    record(6, "stored", fence=2, after_s=90_000),
    record(7, "intent", "other", fence=3, after_s=90_001),
    record(8, "operation", "other", fence=3, code=OPERATION, after_s=90_002),
]


@pytest.fixture
def run(tmp_path):
    url = str(tmp_path / "june")
    writer = open_writer(url, 1)
    writer.append(RECORDS)
    writer.close()
    return url


def test_the_totals_fit_a_terminal_and_say_everything(run):
    said = ledger_totals.text(run, ledger_totals.of(run))
    assert max(map(len, said.splitlines())) <= 80 or run in max(said.splitlines(), key=len)
    for words in (
        "8 of 1 governor", "2026-11-23 22:53:42 to 2026-11-24 23:53:44", "3 pages, $0.01", "3 pages, $0.01: calls whose", "1 operating · 1 stored",
        "1 batch operation not ended", OPERATION, "whole", "eu/form",
    ):  # fmt: skip
        assert words in said, said


def test_what_is_wrong_with_segments_is_said(run, tmp_path):
    second = open_writer(run, 2)
    second.append([record(12, "intent", "x", epoch=2, fence=9)])
    second.close()
    path = tmp_path / "june" / "ledger" / "epoch-00001.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"x" + lines[1], *lines[2:], b"half a li"]))
    said = " ".join(ledger_totals.text(run, ledger_totals.of(run)).split())
    assert "epoch-00001.jsonl has a torn tail" in said
    assert "line 2 of epoch-00001.jsonl is damaged" in said
    assert "record 2 is missing" in said
    assert "records 9 to 11 are missing" in said


def test_the_story_of_a_unit_is_a_table(run):
    (told,) = stories(run, "3dcd")
    text = str(told)
    assert max(len(line) for line in text.splitlines()) <= 80
    lines = text.splitlines()
    assert lines[0] == f"unit {UNIT}"
    assert lines[1].split(" · ") == ["  stored", "2 attempts", "3 pages billed, $0.01"]
    assert [line for line in lines if line.startswith("2026-")] == ["2026-11-23", "2026-11-24"]
    assert "             RESOURCE_EXHAUSTED" in lines
    assert "22:54:42.123 intent" in text
    assert OPERATION in text
    assert told.to_dict()["operation"] == OPERATION


def test_a_unit_that_nobody_knows_and_too_short_a_beginning_are_errors(run, monkeypatch):
    with pytest.raises(UsageError, match="says nothing about 'nobody'"):
        stories(run, "nobody")
    monkeypatch.setattr(story, "_MOST_UNITS", 1)
    with pytest.raises(UsageError, match="more than 1 units of the ledger begin with ''"):
        stories(run, "")


def test_a_folder_without_a_ledger_is_told(tmp_path):
    with pytest.raises(UsageError, match="there is no ledger"):
        ledger_totals.of(str(tmp_path))
    with pytest.raises(UsageError, match="there is no ledger"):
        stories(str(tmp_path), "u")


def test_a_document_is_found_by_its_name_and_what_it_shares_with_others(run, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    from docdask.store.plan import PLAN, conform

    units = ["a" * 32, "b" * 32, UNIT]
    rows = pa.table(
        {
            "partition": [0, 0, 0], "document_id": ["d1", "d2", "d3"], "uri": ["a.pdf", "b.pdf", "c.pdf"], "name": ["a.pdf", "b.pdf", "c.pdf"],
            "unit_ids": [[unit] for unit in units], "pack": [4, 4, None],
        }
    )  # fmt: skip
    (tmp_path / "june" / "plan").mkdir()
    pq.write_table(
        conform(rows.cast(pa.schema([PLAN.field(n) for n in rows.column_names])), 1),
        tmp_path / "june" / "plan" / "generation-001.parquet",
    )
    shared = pack_id(units[:2])
    writer = open_writer(run, 2)
    writer.append([record(9, "intent", shared, epoch=2, fence=10)])
    writer.close()
    assert [told.unit for told in stories(run, "c.pdf")] == [UNIT]
    assert [told.unit for told in stories(run, "b.pdf")] == [shared]
    assert [told.unit for told in stories(run, "d1")] == [shared]


def test_the_command_prints_text_or_one_json_object(run):
    runner = CliRunner()
    assert runner.invoke(ledger_command, [run]).output.startswith(f"ledger of {run}\n")
    totals = json.loads(runner.invoke(ledger_command, [run, "--json"]).output)
    assert (totals["pages_billed"], totals["faults"]["whole"], totals["endpoints"]["eu/form"]["calls"]) == (
        3,
        True,
        3,
    )
    told = json.loads(runner.invoke(ledger_command, [run, "3dcd", "--json"]).output)
    assert [r["kind"] for r in told["units"][0]["records"]] == [
        "intent",
        "refused",
        "intent",
        "operation",
        "answered",
        "stored",
    ]


def test_long_names_are_cut_to_their_ends():
    endpoint = "northamerica-northeast1/purchase-orders-of-the-archive"
    told = str(story.Story(UNIT, (record(1, "intent", fence=123_456_789, endpoint=endpoint),)))
    assert max(len(line) for line in told.splitlines()) <= 80
    assert "…" in told
    assert "-of-the-archive" in told
