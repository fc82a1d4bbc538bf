"""A run does what is planned, once, and accounts for every input."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

import docdask
from docdask.engine import drive, graph, planning
from docdask.engine import status as status_file
from docdask.engine.job import Job
from docdask.errors import RunLocked, RunMismatch, UsageError
from docdask.service.base import Request
from docdask.service.dummy import NothingEngine
from docdask.store.run import RunDirectory

from .conftest import NOTHING

INPUTS = 23


class Counting(NothingEngine):
    """Counts its calls in a file, as they may come from several processes; stops the run where it is told to."""

    def __init__(self, log: str, stop_after: int = 0) -> None:
        super().__init__(name="counting")
        self.log, self.stop_after = Path(log), stop_after

    def recognise(self, request: Request) -> bytes:
        with self.log.open("a") as file:
            file.write(f"{request.unit_id}\n")
        return super().recognise(request)


def tables(run: Path) -> dict[str, pd.DataFrame]:
    """Tables without what differs from run to run: times and who did it."""
    result = docdask.open(run)
    moving = {"seconds", "finished_at", "worker", "queued_at", "started_at", "ended_at", "partition"}
    found = {}
    for name in ("documents", "pages", "lines", "calls"):
        frame = result.frame(name)
        columns = [c for c in frame.columns if c not in moving]
        found[name] = frame[columns].sort_values(columns[:3], ignore_index=True)
    return found


@pytest.fixture(params=["none", "local"])
def cluster(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_input_is_accounted_for(pile, tmp_path, cluster):
    result = docdask.run(pile, to=tmp_path / "run", engine=NOTHING, cluster=cluster)
    summary = result.summary()
    assert summary["inputs"] == INPUTS
    assert (summary["stored"], summary["quarantined"], summary["skipped"], summary["pending"]) == (
        21,
        1,
        1,
        0,
    )
    documents = result.documents.set_index("name")
    assert documents.loc["again.pdf", "duplicate_of"] == documents.loc["letter 03.pdf", "document_id"] or (
        documents.loc["letter 03.pdf", "duplicate_of"] == documents.loc["again.pdf", "document_id"]
    )
    assert documents.loc["broken.pdf", "reason"]
    assert documents.loc["note.txt", "outcome"] == "skipped"


def test_running_again_does_nothing_again(pile, tmp_path):
    log = tmp_path / "calls"
    options = {"log": str(log)}
    for _ in range(2):
        docdask.run(
            pile,
            to=tmp_path / "run",
            engine="tests.engine.test_run:Counting",
            options=options,
            cluster="none",
        )
    calls = Counter(log.read_text().split())
    assert set(calls.values()) == {1}
    assert len(calls) == 20


def test_more_inputs_are_welcome_and_a_changed_file_is_done_again(pile, tmp_path):
    folder = tmp_path / "documents"
    folder.mkdir()
    names = sorted(path for path in pile.glob("letter*.pdf"))
    for path in names[:5]:
        (folder / path.name).write_bytes(path.read_bytes())
    run = tmp_path / "run"
    docdask.run(folder, to=run, engine=NOTHING, cluster="none")
    (folder / names[7].name).write_bytes(names[7].read_bytes())
    changed = folder / names[0].name
    changed.write_bytes(names[8].read_bytes())
    os.utime(changed, ns=(1, 1))
    result = docdask.run(folder, to=run, engine=NOTHING, cluster="none")
    assert result.summary()["stored"] == result.summary()["inputs"] == 6
    documents = result.documents.set_index("name")
    assert documents.index.is_unique
    assert documents.loc[changed.name, "sha256"] == hashlib.sha256(names[8].read_bytes()).hexdigest()
    assert len(result.pages) == documents["pages"].sum()


def test_a_pilot_is_not_done_again_by_the_full_run(pile, tmp_path):
    log = tmp_path / "calls"
    more = {"engine": "tests.engine.test_run:Counting", "options": {"log": str(log)}, "cluster": "none"}
    pilot = docdask.run(pile, to=tmp_path / "run", sample=5, **more)
    assert 1 <= pilot.summary()["stored"] <= 6
    full = docdask.run(pile, to=tmp_path / "run", **more)
    assert full.summary()["stored"] == 21
    assert set(Counter(log.read_text().split()).values()) == {1}


def test_other_options_are_refused_and_the_difference_is_named(pile, tmp_path):
    docdask.plan(pile, to=tmp_path / "run", engine=NOTHING, cluster="none")
    with pytest.raises(RunMismatch, match="name"):
        docdask.run(pile, to=tmp_path / "run", engine=NOTHING, options={"name": "other"}, cluster="none")
    with pytest.raises(RunMismatch, match="tokens"):
        docdask.plan(pile, to=tmp_path / "run", engine=NOTHING, tokens=True, cluster="none")


def test_a_plan_recognises_nothing_and_a_run_does_exactly_that_plan(pile, tmp_path):
    plan = docdask.plan(pile, to=tmp_path / "run", engine=NOTHING, cluster="none")
    assert plan.summary["new"] == 20
    assert plan.summary["duplicates"] == 1
    assert not (tmp_path / "run" / "results").exists()
    result = docdask.run(plan, cluster="none")
    assert set(result.calls["unit_id"]) == {unit for units in plan.frame["unit_ids"] for unit in units}


def test_sources_without_a_run_directory_are_refused_with_the_command_to_give(pile):
    with pytest.raises(UsageError, match="--to RUN"):
        docdask.run(pile, cluster="none")


def test_two_drivers_do_not_work_on_one_run(pile, tmp_path, machine):
    docdask.plan(pile, to=tmp_path / "run", engine=NOTHING, cluster="none")
    run = RunDirectory.open(str(tmp_path / "run"))
    with run.lock(), pytest.raises(RunLocked):
        drive.drive(run, machine, cluster="none")


def test_a_stopped_run_says_so_and_goes_on(pile, tmp_path, machine):
    log = tmp_path / "calls"
    docdask.plan(
        pile,
        to=tmp_path / "run",
        engine="tests.engine.test_run:Counting",
        options={"log": str(log)},
        cluster="none",
    )
    run = RunDirectory.open(str(tmp_path / "run"))
    stop = threading.Event()
    stop.set()
    summary = drive.drive(run, machine, cluster="none", stop=stop)
    assert summary["pending"] > 0
    assert status_file.read(run)["state"] == "stopped"
    assert docdask.run(tmp_path / "run", cluster="none").summary()["pending"] == 0
    assert set(Counter(log.read_text().split()).values()) == {1}


def test_killed_at_any_moment_it_goes_on_to_the_same_tables(pile, tmp_path):
    """A driver that is killed after each n-th result leaves a run that ends as an undisturbed one."""
    undisturbed = tmp_path / "undisturbed"
    docdask.run(pile, to=undisturbed, engine=NOTHING, cluster="none")
    disturbed = tmp_path / "disturbed"
    docdask.plan(pile, to=disturbed, engine=NOTHING, cluster="none")
    program = (
        "import os, signal, sys\n"
        "from docdask.store.results import Results\n"
        "put, left = Results.put, [int(sys.argv[2])]\n"
        "def dying(self, *args):\n"
        "    put(self, *args)\n"
        "    left[0] -= 1\n"
        "    if not left[0]: os.kill(os.getpid(), signal.SIGKILL)\n"
        "Results.put = dying\n"
        "import docdask; docdask.run(sys.argv[1], cluster='none')\n"
    )
    for count in (3, 1, 7):
        died = subprocess.run(
            [sys.executable, "-c", program, str(disturbed), str(count)], capture_output=True, check=False
        )
        assert died.returncode == -signal.SIGKILL, died.stderr.decode()
        assert docdask.status(disturbed)["state"] == "interrupted"
    docdask.run(disturbed, cluster="none")
    for name, frame in tables(undisturbed).items():
        pd.testing.assert_frame_equal(frame, tables(disturbed)[name])


def test_a_handle_tells_how_a_detached_run_goes_and_ends(pile, tmp_path):
    handle = docdask.run(pile, to=tmp_path / "run", engine=NOTHING, wait=False)
    assert handle.status()["state"] in {"starting", "running", "finished"}
    ended = handle.wait(60)
    assert ended["state"] == "finished"
    assert docdask.status(tmp_path / "run")["stored"] == 21


def test_a_client_that_the_caller_has_is_used(pile, tmp_path, machine):
    from distributed import Client

    from docdask.engine.clusters import local

    with Client(local.find_or_start(machine).address, set_as_default=False) as client:
        result = docdask.run(pile, to=tmp_path / "run", engine=NOTHING, client=client)
    assert result.summary()["stored"] == 21
    assert set(result.calls["worker"]) <= {"worker-0", "worker-1"}


def test_building_a_branch_computes_nothing_and_names_its_tasks(pile, tmp_path):
    plan = docdask.plan(pile, to=tmp_path / "run", engine=NOTHING, cluster="none")
    branch = next(planning.branches(RunDirectory.open(plan.url)))
    job = Job("0badcafe", plan.url, NOTHING, {})
    made = graph.build(job, branch, waits=False, resources=frozenset({"pdf"}))
    names = {str(key).split("-")[0] for key in made.dask}
    assert names == {"read", "recognise", "store", "tabulate"}
    assert not (tmp_path / "run" / "results").exists()


def test_the_status_file_is_json_that_any_program_reads(pile, tmp_path):
    docdask.run(pile, to=tmp_path / "run", engine=NOTHING, cluster="none")
    found = json.loads((tmp_path / "run" / "status.json").read_text())
    assert found["state"] == "finished"
    assert found["documents"] == found["documents_total"] == 20
