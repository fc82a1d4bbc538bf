"""The command line as a real process, the processes it leaves, and waiting for a condition instead of a time."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
#: Environment variable that every process of a tree inherits, and by which it is found.
MARK = "DOCDASK_TEST_TREE"
#: Not by ``preexec_fn``: Python between fork and exec crashes now and then where this process has threads of gRPC.
_AS_FROM_A_TERMINAL = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from docdask.cli import main
main()
"""


def wait_until(
    condition: Callable[[], Any], what: str, deadline_s: float = 120.0, told: Callable[[], str] = str
) -> Any:
    """Value of ``condition`` once it is true; fails when that takes longer than the deadline, with ``what`` and what ``told`` finds."""
    end = time.monotonic() + deadline_s
    while not (found := condition()):
        assert time.monotonic() < end, f"waited {deadline_s:g} s in vain for: {what}\n{told()}"
        time.sleep(0.02)
    return found


class Machine:
    """A state folder of its own, in whose processes a command line runs; what is left of them is ended at the end."""

    def __init__(self, state: Path, **environment: str) -> None:
        self.state, self.mark = state, uuid.uuid4().hex
        self.environment = {
            **os.environ,
            MARK: self.mark,
            "DOCDASK_STATE": str(state),
            "DOCDASK_DASHBOARD_PORT": "0",
            "DOCDASK_IDLE_S": "20",
            "PYTHONPATH": str(ROOT),
            "PYTHONDEVMODE": "",
            **environment,
        }

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "docdask.cli", *map(str, arguments)]

    def interruptible(self, *arguments: object) -> list[str]:
        """The same as from a terminal: a shell's background job ignores Ctrl-C, and so would all that it starts."""
        return [sys.executable, "-c", _AS_FROM_A_TERMINAL, *map(str, arguments)]

    def run(self, *arguments: object, timeout_s: float = 120.0, **more: Any) -> subprocess.CompletedProcess:
        return subprocess.run(
            self.command(*arguments),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            **more,
        )

    def start(self, *arguments: object, **more: Any) -> subprocess.Popen:
        """Start a command in a process group of its own, as a shell does."""
        return subprocess.Popen(
            self.interruptible(*arguments),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **more,
        )

    def tree(self) -> list[psutil.Process]:
        """Every living process that descends from a command of this machine, orphans included."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return (
                process.pid != os.getpid()
                and process.environ().get(MARK) == self.mark
                and process.status() != psutil.STATUS_ZOMBIE
            )
        except (psutil.Error, OSError):
            return False

    def kill_tree(self) -> int:
        """``kill -9`` every process of the tree, until none is left; returns how many there were."""
        killed: set[int] = set()

        def gone() -> bool:
            left = self.tree()
            for process in left:
                with contextlib.suppress(psutil.Error):
                    process.send_signal(signal.SIGKILL)
                    killed.add(process.pid)
            return not left

        wait_until(gone, "the end of the whole process tree", 30)
        return len(killed)

    def diagnosis(self) -> str:
        """What scheduler and workers of the local cluster have in hand."""
        from distributed import Client

        try:
            facts = json.loads(next(self.state.glob("cluster-*.json")).read_text())
            with Client(facts["address"], set_as_default=False, timeout=10) as client:
                found = {"scheduler": client.run_on_scheduler(_scheduled), **client.run(_in_hand)}
        except Exception as error:  # noqa: BLE001 - whatever it is, it is worth telling
            return f"no diagnosis: {type(error).__name__}: {error}"
        return json.dumps(found, indent=1, default=str)

    def stop_cluster(self) -> None:
        """End the local cluster, as ``docdask debug cluster --stop`` does."""
        self.run("debug", "cluster", "--stop")


def answer(finished: subprocess.CompletedProcess) -> dict[str, Any]:
    """The one JSON object on stdout of a command that went well."""
    assert finished.returncode == 0, finished.stderr
    lines = finished.stdout.splitlines()
    assert len(lines) == 1, finished.stdout
    found = json.loads(lines[0])
    assert isinstance(found, dict)
    return found


def complaint(finished: subprocess.CompletedProcess, code: int, words: Sequence[str] = ()) -> str:
    """What is on stderr of a command that failed as documented: one sentence, a remedy, no stack trace."""
    said = finished.stderr
    assert finished.returncode == code, (finished.returncode, said, finished.stdout)
    assert "Traceback" not in said, said
    assert not finished.stdout.strip(), finished.stdout
    lines = said.rstrip().splitlines()
    assert sum(line.startswith("error: ") for line in lines) == 1, said
    assert lines[-2].startswith("error: "), said
    assert lines[-1].startswith("  → "), said
    for word in words:
        assert word in said, (word, said)
    return said


def _scheduled(dask_scheduler: Any) -> dict[str, Any]:
    tasks = {str(task.key): (task.state, str(task.processing_on)) for task in dask_scheduler.tasks.values()}
    used = {worker.address: dict(worker.used_resources) for worker in dask_scheduler.workers.values()}
    return {"tasks": tasks, "used": used, "clients": list(dask_scheduler.clients)}


def _in_hand(dask_worker: Any) -> dict[str, Any]:
    import traceback

    state = dask_worker.state
    return {
        "status": str(dask_worker.status),
        "free": dict(state.available_resources),
        "tasks": {str(task.key): task.state for task in state.tasks.values()},
        "threads": [traceback.format_stack(frame)[-4:] for frame in sys._current_frames().values()],
    }
