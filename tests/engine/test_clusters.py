"""Clusters that others started, and what happens when their processes die."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections import Counter

import dask
import psutil
import pytest

import docdask
from docdask.engine import drive
from docdask.engine import status as status_file
from docdask.engine.clusters import local
from docdask.errors import ClusterError, UsageError
from docdask.store.run import RunDirectory
from tests.processes import ROOT, wait_until

from .conftest import NOTHING

SLOW, DEADLY = "tests.engine.engines:Slow", "tests.engine.engines:Deadly"
STORED = 21


class Foreign:
    """A scheduler and workers as a user starts them: ``dask scheduler``, ``dask worker``."""

    def __init__(self, folder):
        self.file, self.folder, self.processes = folder / "scheduler.json", folder, []
        self._start("dask_scheduler", f"--scheduler-file={self.file}", "--port=0", "--host=127.0.0.1")
        wait_until(lambda: self.file.exists() and self.file.read_text().strip().endswith("}"), "a scheduler")
        self.address = json.loads(self.file.read_text())["address"]

    def worker(self, *, nanny=False, first="", **environment):
        """Start a worker; ``first`` is run in its process before it."""
        return self._start(
            "dask_worker", self.address, "--nthreads=1", "--nanny" if nanny else "--no-nanny", "--host=127.0.0.1",
            f"--local-directory={self.folder}", "--memory-limit=0", first=first, **environment,
        )  # fmt: skip

    def _start(self, module, *arguments, first="", **environment):
        program = f"{textwrap.dedent(first)}\nimport sys; from distributed.cli.{module} import main; sys.exit(main())"
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", program, *arguments, "--no-dashboard"], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT), **environment}, cwd=self.folder,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def wait_for(self, workers):
        with local.connect(self.address) as client:
            client.wait_for_workers(workers, timeout=60)

    def close(self):
        for process in reversed(self.processes):  # workers first: without a scheduler they wait for it
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def foreign(tmp_path):
    (tmp_path / "foreign").mkdir()
    made = Foreign(tmp_path / "foreign")
    yield made
    made.close()


def calls(log):
    return log.read_text().split() if log.exists() else []


def test_a_cluster_by_its_address_loses_a_worker_and_nothing_else(foreign, pile, tmp_path):
    victim, _ = foreign.worker(), foreign.worker()
    foreign.wait_for(2)
    log = tmp_path / "calls"
    handle = docdask.run(
        pile, to=tmp_path / "run", engine=SLOW, options={"log": str(log)}, cluster=foreign.address, wait=False
    )
    wait_until(lambda: len(calls(log)) >= 4, "a few calls")
    results = handle.run.results()
    safe = {unit for number in results.partitions() for unit in results.finished(number)}
    begun = len(calls(log))
    victim.kill()
    handle.wait(120)
    assert docdask.status(handle.url)["stored"] == STORED
    assert not safe & set(calls(log)[begun:])
    assert max(Counter(calls(log)).values()) <= 2


def test_a_scheduler_without_workers_is_told(foreign, pile, tmp_path):
    with pytest.raises(ClusterError, match="has no workers"):
        docdask.run(pile, to=tmp_path / "run", engine=NOTHING, cluster=foreign.address)


def test_a_worker_of_another_version_is_told(foreign, pile, tmp_path):
    foreign.worker(first="import docdask._version; docdask._version.__version__ = '0.0.1'")
    foreign.wait_for(1)
    with pytest.raises(ClusterError, match=r"has docdask 0\.0\.1 .* use the same versions"):
        docdask.run(pile, to=tmp_path / "run", engine=NOTHING, cluster=foreign.address)


def test_a_worker_without_docdask_is_told(foreign, pile, tmp_path):
    foreign.worker(first="import sys; sys.modules['docdask'] = None")
    foreign.wait_for(1)
    with pytest.raises(ClusterError, match="can't run docdask"):
        docdask.run(pile, to=tmp_path / "run", engine=NOTHING, cluster=foreign.address)


def test_a_worker_that_cannot_write_the_run_directory_is_told(foreign, pile, tmp_path):
    foreign.worker(
        first="""
        from docdask.store import files
        real = files.replace
        def refused(path, data, *, sync):
            raise OSError(30, "Read-only file system")
        files.replace = refused
        """
    )
    foreign.wait_for(1)
    with pytest.raises(ClusterError, match="read-only"):
        docdask.run(pile, to=tmp_path / "run", engine=NOTHING, cluster=foreign.address)


def test_a_run_directory_in_memory_is_refused_where_other_processes_work(pile):
    with pytest.raises(UsageError, match="memory of this process"):
        docdask.run(pile, to="memory://elsewhere/run", engine=NOTHING)


def test_a_run_directory_in_memory_works_in_this_process(pile):
    result = docdask.run(pile, to="memory://here/run", engine=NOTHING, cluster="none")
    assert (result.summary()["stored"], result.summary()["pending"]) == (STORED, 0)
    assert len(result.documents) == 23


def test_a_client_of_any_cluster_will_do(pile, tmp_path):
    """Workers without docdask's resources, two threads in one process."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        result = docdask.run(pile, to=tmp_path / "run", engine=NOTHING, client=client)
        assert result.summary()["stored"] == STORED


def test_a_document_that_kills_its_worker_once_is_done_the_second_time(pile, tmp_path):
    once = tmp_path / "once"
    result = docdask.run(
        pile, to=tmp_path / "run", engine=DEADLY, options={"name": "letter 05.pdf", "once": str(once)}
    )
    assert once.exists()
    assert result.summary()["stored"] == STORED


@pytest.mark.slow
def test_a_document_that_kills_its_worker_each_time_is_set_aside_and_the_rest_is_stored(pile, tmp_path):
    result = docdask.run(pile, to=tmp_path / "run", engine=DEADLY, options={"name": "letter 05.pdf"})
    summary = result.summary()
    assert (summary["stored"], summary["quarantined"], summary["pending"]) == (STORED - 1, 2, 0)
    row = result.documents.set_index("name").loc["letter 05.pdf"]
    assert (row["outcome"], row["problem"]) == ("quarantined", "killed-worker")
    assert row["reason"]
    assert row["remedy"]


@pytest.mark.slow
def test_a_local_scheduler_that_dies_during_a_run_is_started_again(pile, tmp_path, machine):
    log, run = tmp_path / "calls", tmp_path / "run"
    handle = docdask.run(pile, to=run, engine=SLOW, options={"log": str(log)}, wait=False)
    wait_until(lambda: len(calls(log)) >= 3, "a few calls")
    state = json.loads(local._state_file(machine).read_text())
    children = psutil.Process(state["pid"]).children(recursive=True)
    os.kill(state["pid"], signal.SIGKILL)
    handle.wait(120)
    assert docdask.status(run)["stored"] == STORED
    assert json.loads(local._state_file(machine).read_text())["pid"] != state["pid"]
    wait_until(lambda: not any(alive(child) for child in children), "the end of its workers", 60)


def alive(process):
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


@pytest.mark.slow
def test_two_runs_share_the_local_cluster_and_it_ends_when_idle(pile, tmp_path, monkeypatch):
    monkeypatch.setenv("DOCDASK_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("DOCDASK_IDLE_S", "4")
    log = tmp_path / "calls"
    (tmp_path / "calls.hold").touch()
    # Planned first: a scan would wait for a worker, and the held calls of the other run may have them all.
    options = {"log": str(log)}
    plans = [docdask.plan(pile, to=tmp_path / name, engine=SLOW, options=options) for name in ("one", "two")]
    handles = [docdask.run(plan, wait=False) for plan in plans]
    wait_until(lambda: all(status_file.read(h.run)["state"] == "running" for h in handles), "both to run")
    assert len({status_file.read(handle.run)["dashboard"] for handle in handles}) == 1
    [file] = (tmp_path / "state").glob("cluster-*.json")
    daemon = psutil.Process(json.loads(file.read_text())["pid"])
    (tmp_path / "calls.hold").unlink()
    for handle in handles:
        handle.wait(120)
        assert docdask.status(handle.url)["stored"] == STORED
    wait_until(lambda: not alive(daemon), "the end of the idle cluster", 60)
    assert not file.exists()


def test_a_driver_in_this_process_tells_a_cluster_that_is_gone(foreign, pile, tmp_path, machine):
    foreign.worker()
    foreign.wait_for(1)
    docdask.plan(pile, to=tmp_path / "run", engine=NOTHING, cluster=foreign.address)
    foreign.close()
    foreign.processes.clear()
    run = RunDirectory.open(str(tmp_path / "run"))
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(ClusterError, match="no Dask scheduler answers"),
    ):
        drive.drive(run, machine, cluster=foreign.address)
