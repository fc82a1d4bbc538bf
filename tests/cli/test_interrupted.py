"""Ctrl-C, ``kill -9`` of the terminal's command or of everything, a full disk: the same command goes on."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
from collections import Counter

import pandas as pd
import pytest

import docdask
from docdask.store.run import RunDirectory
from tests.engine.test_run import tables
from tests.processes import Machine, answer, complaint, wait_until

SLOW = "tests.engine.engines:Slow"
NOTHING = "docdask.service.dummy:NothingEngine"


def calls(log) -> list[str]:
    return log.read_text().split() if log.exists() else []


def stored(run) -> set[str]:
    """Units whose result is stored, read as a program would that goes on."""
    results = RunDirectory(str(run)).results()
    return {unit for partition in results.partitions() for unit in results.finished(partition)}


@pytest.fixture
def order(pile, tmp_path):
    """Arguments of a run, whose calls are written to a log."""
    log = tmp_path / "calls"
    return ("run", pile, "--to", tmp_path / "run", "--engine", SLOW, "--option", f"log={log}", "--json")


def test_ctrl_c_stops_cleanly_and_the_same_command_goes_on(shell, order, tmp_path):
    log, hold = tmp_path / "calls", tmp_path / "calls.hold"
    hold.touch()
    process = shell.start(*order)
    wait_until(lambda: calls(log), "a call", told=shell.diagnosis)
    os.killpg(process.pid, signal.SIGINT)
    wait_until(
        lambda: docdask.status(tmp_path / "run")["state"] == "stopping",
        "the driver to have heard",
        told=lambda: f"command: {process.poll()}, {shell.diagnosis()}",
    )
    hold.unlink()
    out, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert out == ""
    assert "the same command goes on" in said
    assert "Traceback" not in said
    found = answer(shell.run("status", tmp_path / "run", "--json"))
    assert found["state"] == "stopped"
    assert found["pending"] > 0
    assert stored(tmp_path / "run") == set(calls(log)), "what was begun is stored"
    again = answer(shell.run(*order))
    assert (again["stored"], again["pending"]) == (21, 0)
    assert set(Counter(calls(log)).values()) == {1}


def test_a_run_outlives_its_terminal_and_the_same_command_finds_it_again(shell, order, tmp_path):
    log, hold = tmp_path / "calls", tmp_path / "calls.hold"
    hold.touch()
    process = shell.start(*order)
    wait_until(lambda: calls(log), "a call", told=shell.diagnosis)
    process.kill()
    process.communicate(timeout=60)
    found = answer(shell.run("status", tmp_path / "run", "--json"))
    assert found["state"] == "running"
    follower = shell.start(*order)
    hold.unlink()
    out, said = follower.communicate(timeout=120)
    assert follower.returncode == 0, said
    assert '"pending": 0' in out
    assert answer(shell.run("status", tmp_path / "run", "--json"))["state"] == "finished"
    assert set(Counter(calls(log)).values()) == {1}


def test_status_stops_a_detached_run(shell, order, tmp_path):
    log, hold, run = tmp_path / "calls", tmp_path / "calls.hold", tmp_path / "run"
    hold.touch()
    started = answer(shell.run(*order, "--detach"))
    assert started["state"] in {"starting", "running"}
    wait_until(lambda: calls(log), "a call", told=shell.diagnosis)
    stopper = shell.start("status", run, "--stop", "--json")
    wait_until(
        lambda: docdask.status(run)["state"] == "stopping", "the driver to have heard", told=shell.diagnosis
    )
    hold.unlink()
    out, said = stopper.communicate(timeout=120)
    assert stopper.returncode == 0, said
    found = json.loads(out)
    assert found["state"] == "stopped"
    assert found["pending"] > 0


def test_ctrl_c_while_the_progress_is_being_chosen_stops_the_driver(monkeypatch):
    """The driver works already when the terminal's command imports what shows it."""
    from docdask import making
    from docdask.monitor import progress

    class Handle:
        stopped = False

        def status(self):
            return {"state": "running"}

        def stop(self):
            self.stopped = True
            return {"state": "stopped"}

    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(progress, "choose", interrupted)
    handle = Handle()
    with pytest.raises(KeyboardInterrupt):
        making.wait(handle, None)
    assert handle.stopped


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2026])
def test_killed_whole_at_random_moments_it_ends_with_the_same_tables(tmp_path, order, seed):
    """``kill -9`` of command, driver, cluster, workers and their children, three times."""
    log, run = tmp_path / "calls", tmp_path / "run"
    machine = Machine(tmp_path / "state", DOCDASK_WORKERS="2")
    try:
        assert answer(machine.run(*order))["stored"] == 21
        undisturbed = tables(run)
        shutil.move(run, tmp_path / "undisturbed")
        log.unlink()
        moments, safe = random.Random(seed), []
        for _ in range(3):
            begun = len(calls(log)) + moments.randint(1, 5)
            process = machine.start(*order)
            wait_until(lambda begun=begun: len(calls(log)) >= begun, "calls")
            assert machine.kill_tree() >= 5
            process.communicate(timeout=60)
            safe.append((len(calls(log)), stored(run)))
        assert answer(machine.run("status", run, "--json"))["state"] == "interrupted"
        assert answer(machine.run(*order))["stored"] == 21
        for name, frame in undisturbed.items():
            pd.testing.assert_frame_equal(frame, tables(run)[name])
        assert any(units for _, units in safe)
        for length, units in safe:
            assert not units & set(calls(log)[length:]), "a stored unit was recognised again"
        machine.stop_cluster()
        wait_until(lambda: not machine.tree(), "no process left behind", 60)
    finally:
        machine.kill_tree()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 3 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a small file system can't be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder) -> None:
    """Leave 24 KiB on the file system."""
    with (folder / "filler").open("wb") as file:
        file.write(bytes(shutil.disk_usage(folder).free - 24 * 1024))


@pytest.mark.parametrize("cluster", ["none", "local"])
def test_a_full_disk_is_told_and_the_run_goes_on_when_there_is_room(shell, pile, small_disk, cluster):
    run = small_disk / "run"
    order = ("run", pile, "--to", run, "--engine", NOTHING, "--cluster", cluster, "--json")
    assert shell.run("plan", *order[1:]).returncode == 0
    fill(small_disk)
    complaint(shell.run(*order), 4, ["there is no space left on the disk", "free some space"])
    (small_disk / "filler").unlink()
    found = answer(shell.run(*order))
    assert (found["stored"], found["pending"]) == (21, 0)
