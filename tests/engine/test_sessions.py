"""One driver at a time, whatever died before; what failed for a passing reason is done again; nothing shows a password."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

import docdask
from docdask.engine import planning, process, work
from docdask.engine.job import Hidden, Job, Plain
from docdask.errors import DocumentError, EngineError, UsageError
from docdask.service.base import Request
from docdask.service.dummy import NothingEngine
from docdask.store.run import RunDirectory

from .conftest import NOTHING

HERE = "tests.engine.test_sessions"


class StopsAtOnce(NothingEngine):
    """Asks its own run to stop, as another process would, while it does the first unit."""

    def __init__(self, url: str) -> None:
        super().__init__(name="stops")
        self.url = url

    def recognise(self, request: Request) -> bytes:
        docdask.handle(self.url).stop(wait=False)
        process._last_look.clear()
        return super().recognise(request)


class Hurried(NothingEngine):
    """Is too slow for the default limit of time."""

    def __init__(self) -> None:
        super().__init__(name="hurried")

    def recognise(self, request: Request) -> bytes:
        if request.limits["timeout_s"] <= 120:
            raise DocumentError("timeout", "it took too long", "raise the limit with --timeout")
        return super().recognise(request)


class KillsItsScheduler(NothingEngine):
    """Kills the local cluster's own process, once."""

    def __init__(self, mark: str) -> None:
        super().__init__(name="kills")
        self.mark = Path(mark)

    def recognise(self, request: Request) -> bytes:
        if not self.mark.exists():
            self.mark.touch()
            os.kill(os.getppid(), signal.SIGKILL)
        return super().recognise(request)


@pytest.fixture
def planned(pile, tmp_path):
    """A run that was planned, and its first branch."""
    docdask.plan(pile, to=tmp_path / "run", engine=NOTHING, cluster="none")
    run = RunDirectory.open(str(tmp_path / "run"))
    return run, next(planning.branches(run))


def job(run: RunDirectory, session: str, engine: str = NOTHING) -> Job:
    return Job(session, run.url, engine, {})


def test_a_run_is_stopped_by_word_and_not_by_a_signal(pile, tmp_path):
    """The driver may be a thread of somebody's notebook, as it is a thread of this test."""
    url = str(tmp_path / "run")
    options = {"url": url}
    result = docdask.run(pile, to=url, engine=f"{HERE}:StopsAtOnce", options=options, cluster="none")
    assert docdask.status(url)["state"] == "stopped"
    assert result.summary()["pending"] > 0
    assert len(list((tmp_path / "run" / "results").rglob("*.pb.zst"))) == 1


def test_tasks_of_a_driver_that_died_end_when_another_has_the_run(planned):
    run, branch = planned
    run.write(process.SESSION, b"another")
    units = branch.pieces[0]
    orphan = work.recognise(job(run, "dead"), branch.partition, units, {})
    assert (orphan.units, orphan.stopped) == (0, True)
    contents = work.read(job(run, "another"), units)
    alive = work.recognise(job(run, "another"), branch.partition, units, contents)
    assert (alive.units, alive.stopped) == (len(units), False)


def test_a_source_that_was_away_is_read_by_the_next_run(pile, tmp_path):
    folder = tmp_path / "documents"
    folder.mkdir()
    for name in ("letter 00.pdf", "letter 01.pdf"):
        (folder / name).write_bytes((pile / name).read_bytes())
    run = tmp_path / "run"
    docdask.plan(folder, to=run, engine=NOTHING, cluster="none")
    (folder / "letter 01.pdf").rename(tmp_path / "away.pdf")
    assert docdask.run(run, cluster="none").summary()["quarantined"] == 1
    (tmp_path / "away.pdf").rename(folder / "letter 01.pdf")
    assert docdask.run(run, cluster="none").summary()["stored"] == 2


def test_a_limit_reaches_the_engine_and_a_raised_one_gives_another_chance(pile, tmp_path):
    run = tmp_path / "run"
    first = docdask.run(pile, to=run, engine=f"{HERE}:Hurried", cluster="none")
    assert set(first.calls["code"]) == {"timeout"}
    assert docdask.run(run, cluster="none").summary()["stored"] == 0
    raised = docdask.run(run, cluster="none", timeout_s=600)
    assert raised.summary()["stored"] == 21
    assert raised.documents["document_id"].is_unique


def test_an_error_keeps_its_class_on_the_way_from_the_driver(planned):
    run, _ = planned
    manifest = run.read_json("docdask.json")
    run.write_json("docdask.json", {**manifest, "engine_version": "0"})
    with pytest.raises(EngineError, match="installed is"):
        docdask.run(run.url)


def test_a_driver_that_cannot_write_its_status_still_says_what_is_wrong(planned):
    run, _ = planned
    Path(run.url, "status.json").mkdir()
    from docdask.engine import detached
    from docdask.engine.handle import RunHandle
    from docdask.errors import StorageError
    from docdask.settings import load

    handle = RunHandle(run, process=detached.start(run, load(), cluster="none"))
    with pytest.raises(StorageError):
        handle.wait(60)


def test_what_was_open_beside_a_killer_is_not_taken_for_one(planned):
    """After two deaths of its worker only the unit that was begun alone and twice is set aside."""
    run, branch = planned
    killer, *others = branch.pieces[0]
    for unit, times in [(killer, 2), *((unit, 1) for unit in others)]:
        run.write_json(f"marks/{branch.partition:05d}-{unit.unit_id}.json", {"times": times})
    latency = job(run, "mine", "docdask.service.dummy:LatencyEngine")
    latency.options.update(min_s=0.0, max_s=0.0)
    tally = work.call(latency, branch.partition, branch.pieces[0], careful=True)
    assert (tally.units, tally.failed) == (len(branch.pieces[0]), 1)
    with run.results().mapping(branch.partition) as results:
        assert results[killer.unit_id][0].code == "killed-worker"
    assert {name.split("-")[1] for name in run.names("marks")} <= {f"{killer.unit_id}.json"}


def test_nothing_that_prints_arguments_shows_a_password(planned):
    run, _ = planned
    made = Job("0badcafe", run.url, NOTHING, {}, passwords=("sesame",), storage_options={"secret": "sesame"})
    assert "sesame" not in repr(made)
    assert "sesame" not in repr((Plain([1]), Hidden([("sesame",)])))
    assert json.dumps(list(Hidden(["sesame"])))


def test_calls_are_open_on_a_worker_of_their_own(pile, tmp_path):
    options = {"min_s": 0.0, "max_s": 0.01}
    engine = "docdask.service.dummy:LatencyEngine"
    result = docdask.run(pile, to=tmp_path / "run", engine=engine, options=options)
    assert result.summary()["stored"] == 21
    assert {worker.split("-")[0] for worker in result.calls["worker"]} == {"call"}


def test_a_run_outlives_the_scheduler_of_the_local_cluster(pile, tmp_path):
    options = {"mark": str(tmp_path / "killed")}
    result = docdask.run(pile, to=tmp_path / "run", engine=f"{HERE}:KillsItsScheduler", options=options)
    assert (tmp_path / "killed").exists()
    assert result.summary()["stored"] == 21


def test_more_inputs_are_not_lost_when_a_driver_is_at_work(pile, tmp_path):
    """A second command waits for the run that goes on, then does what that one did not know."""
    folders = [tmp_path / "a", tmp_path / "b"]
    for number, folder in enumerate(folders):
        folder.mkdir()
        (folder / "letter.pdf").write_bytes((pile / f"letter {number:02d}.pdf").read_bytes())
    first = docdask.run(folders[0], to=tmp_path / "run", engine=NOTHING, wait=False)
    second = docdask.run(folders[1], to=tmp_path / "run", engine=NOTHING, cluster="none")
    first.wait(60)
    assert second.summary()["stored"] == 2


@pytest.mark.parametrize("said", [{"sample": 5}, {"seed": 1}])
def test_a_sample_of_a_run_that_has_its_plan_is_refused(planned, said):
    run, _ = planned
    with pytest.raises(UsageError, match="has a plan already"):
        docdask.run(run.url, cluster="none", **said)
