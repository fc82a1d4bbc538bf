"""The commands, called as the command line calls them."""

from __future__ import annotations

import json

import pandas as pd
import pyarrow as pa
import pytest
from click.testing import CliRunner

from docdask.errors import RunError, StorageError, UsageError
from docdask.sim import distribution, drawn, like
from docdask.sim.command import replay_command, simulate_command
from docdask.sim.times import clock_s, length_s, moment_s, stretch_s
from docdask.store import catalog
from docdask.store.manifest import Manifest
from docdask.store.run import RunDirectory

NOON = 12 * 3600.0


def call(command, *arguments, code=0):
    done = CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=True)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code
    return done.output


@pytest.fixture
def run(tmp_path):
    made = RunDirectory.create(str(tmp_path / "run"), Manifest(engine="offline", engine_version="1"))
    rows = [
        {"document_id": f"{n:016x}", "uri": f"/{n}.pdf", "state": "ready", "pages": 1 + n % 3}
        for n in range(30)
    ]
    rows.append({"document_id": "f" * 16, "uri": "/x.pdf", "state": "quarantined", "pages": 99})
    made.append_catalog(catalog.to_table(rows))
    return made.url


@pytest.mark.parametrize("name", ["invoice", "INVOICE_PROCESSOR"])
def test_a_processor_type_has_the_same_names_as_everywhere(name):
    told = json.loads(call(simulate_command, "--documents", 30, "--processor", name, "--json"))
    assert told["cost_usd"] == pytest.approx(3.0)  # ten cents for up to ten pages


def test_a_processor_type_that_nobody_knows_is_named():
    with pytest.raises(UsageError, match="invoce"):
        call(simulate_command, "--processor", "invoce")


def test_a_region_fails_at_noon_and_the_files_tell_it(tmp_path):
    told = json.loads(
        call(
            simulate_command, "--documents", 1500, "--region", "us", "--region", "eu", "--start", "11:58",
            "--fail", "us@12:00", "--to", tmp_path / "out", "--json",
        )
    )  # fmt: skip
    assert told["done"] == 1500
    assert told["failed_calls"] > 0
    endpoints = pd.read_csv(tmp_path / "out" / "endpoints.csv")
    us = endpoints[endpoints["location"] == "us"].set_index("minute")["ok"]
    assert us.loc[1] > 100
    assert us.loc[3:].sum() == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "minutes.csv", "endpoints.csv", "lanes.csv", "loads.csv", "totals.csv", "calls.svg", "waiting.svg",
        "progress.svg",
    }  # fmt: skip


def test_documents_like_those_of_a_run(run):
    assert json.loads(call(simulate_command, run, "--json"))["pages"] == 10 * (1 + 2 + 3)
    told = json.loads(
        call(simulate_command, run, "--documents", 3000, "--quota", 6000, "--user-quota", 6000, "--json")
    )
    assert told["documents"] == 3000
    assert told["pages"] == pytest.approx(6000, rel=0.05)


def test_the_answer_for_people_names_time_calls_and_money():
    text = call(simulate_command, "--documents", 5000, "--quota", 600, "--workers", 50)
    assert "5,000 of 5,000 documents in 8 min" in text
    assert "$6.00" in text
    assert "of the quota used" in text


@pytest.mark.parametrize("name", ["events.jsonl", "events.jsonl.gz"])
def test_what_was_recorded_replays(tmp_path, name):
    log = tmp_path / name
    call(simulate_command, "--documents", 300, "--record", log, "--fault", "hostile@0s", "--lose", "2@1min")
    assert "give the same" in call(replay_command, log)
    told = json.loads(call(replay_command, log, "--json"))
    assert told["same"]
    assert told["events"] > 600


def test_a_log_that_was_changed_ends_with_1(tmp_path):
    log = tmp_path / "events.jsonl"
    call(simulate_command, "--documents", 20, "--record", log)
    log.write_text(log.read_text().replace('"fence":3,', '"fence":4,'))
    assert "differently" in call(replay_command, log, code=1)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--documents", -1),
        ("--pages", "one"),
        ("--pages", "0:1"),
        ("--pages", "1:0"),
        ("--quota", -5),
        ("--fail", "us"),
        ("--fail", "mars@0s"),
        ("--fail", "us@25:00"),
        ("--fail", "us@5min-5min"),
        ("--fault", "gremlins@0s"),
        ("--lose", "many@0s"),
        ("--start", "noon"),
        ("--workers", 0),
        ("--lane", "fast"),
        ("--window", "lunar"),
    ],
)
def test_bad_options_name_the_value_and_a_remedy(arguments):
    with pytest.raises(UsageError) as caught:
        call(simulate_command, *arguments)
    assert caught.value.remedy


def test_files_that_cannot_be_used_are_named(tmp_path, run):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="nowhere"):
        call(replay_command, tmp_path / "nowhere")
    with pytest.raises(StorageError, match="file"):
        call(simulate_command, "--documents", 1, "--to", tmp_path / "file" / "x")
    with pytest.raises(UsageError, match="first line"):
        call(replay_command, tmp_path / "file")
    with pytest.raises(RunError):
        call(simulate_command, tmp_path)
    with pytest.raises(UsageError, match="--pages"):
        call(simulate_command, run, "--pages", "1")


def test_a_run_without_ready_documents_is_refused(tmp_path):
    made = RunDirectory.create(str(tmp_path / "run"), Manifest(engine="offline", engine_version="1"))
    with pytest.raises(RunError, match="ready"):
        like(made.url)


def test_times_are_read_as_people_write_them():
    assert clock_s("12:00") == NOON
    assert clock_s("9:05:30") == 9 * 3600 + 330
    assert [length_s(t) for t in ("45s", "90min", "1.5h", "2d", "+3 h")] == [45, 5400, 5400, 172800, 10800]
    assert moment_s("12:00", start_s=8 * 3600) == 4 * 3600
    assert moment_s("07:00", start_s=8 * 3600) == 23 * 3600
    assert stretch_s("12:00-14:30", 8 * 3600) == (4 * 3600, 6.5 * 3600)
    assert stretch_s("23:00-01:00", 0) == (23 * 3600, 25 * 3600)
    assert stretch_s("3h+20min", 0) == (10800, 12000)
    assert stretch_s("3h-4h", 0) == (10800, 14400)
    assert stretch_s("12:00", 0) == (NOON, float("inf"))


def test_drawn_documents_follow_the_shares_and_the_seed():
    shares = distribution("1:70, 2:20,15:10")
    first = drawn(20_000, shares, seed=1)
    assert first == drawn(20_000, shares, seed=1)
    assert first != drawn(20_000, shares, seed=2)
    assert sum(p == 15 for p in first) == pytest.approx(2000, rel=0.1)


def test_a_catalog_without_page_counts_counts_one_each(tmp_path):
    made = RunDirectory.create(str(tmp_path / "run"), Manifest(engine="offline", engine_version="1"))
    made.append_catalog(catalog.to_table([{"document_id": "0" * 16, "uri": "/a", "state": "ready"}]))
    assert list(like(made.url)) == [1]
    assert isinstance(made.catalog(), pa.Table)
