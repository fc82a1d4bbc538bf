"""Finds the local cluster or starts it, and connects to any other.

A cluster is named as the user writes it: ``local`` (default), ``tcp://host:8786`` or ``tls://…``, or ``none`` for this
process.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from docdask._version import __version__
from docdask.errors import ClusterError, UsageError
from docdask.settings import Settings

_START_TIMEOUT_S = 90


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """Where a cluster is."""

    address: str
    dashboard: str = ""
    started: bool = False
    """This call started it."""


def find_or_start(settings: Settings) -> ClusterFacts:
    """Join this machine's cluster, or start it.

    A cluster that runs with another number of workers than asked for is not joined; a private one is started then.

    Raises
    ------
    ClusterError
        If it does not start.
    """
    state = _state_file(settings)
    with _locked(state.with_suffix(".lock")):
        facts = _running(state)
        if facts and (not settings.workers or facts["workers"] == settings.workers):
            return ClusterFacts(facts["address"], facts["dashboard"])
        return _start(settings, None if facts else state)


def running(settings: Settings) -> ClusterFacts | None:
    """This machine's cluster, if it runs."""
    facts = _running(_state_file(settings))
    return ClusterFacts(facts["address"], facts["dashboard"]) if facts else None


def stop(settings: Settings) -> bool:
    """End this machine's cluster. Returns whether there was one."""
    facts = _running(_state_file(settings))
    if not facts:
        return False
    process = psutil.Process(facts["pid"])
    process.terminate()
    with contextlib.suppress(psutil.TimeoutExpired):
        process.wait(20)
    return True


def connect(address: str, *, timeout_s: float = 15.0) -> Any:
    """Client of the scheduler at ``address``.

    Parameters
    ----------
    address
        As Dask writes it.
    timeout_s
        Seconds to wait for an answer; Dask's own ``distributed.comm.timeouts.connect`` where that is shorter.

    Raises
    ------
    ClusterError
        If nothing answers there.
    UsageError
        If that is no address.
    """
    import dask
    from distributed import Client

    _check_address(address)
    configured = dask.utils.parse_timedelta(dask.config.get("distributed.comm.timeouts.connect", "30s"))
    timeout_s = min(timeout_s, configured)
    try:
        # A client that can't connect takes long to go, and waits for ever where a port is open and nobody answers.
        _greet(address, timeout_s)
        return Client(address, timeout=f"{timeout_s:g}s", set_as_default=False, name="docdask")
    except (OSError, TimeoutError, ValueError) as error:
        raise ClusterError(
            f"no Dask scheduler answers at {address}",
            "start one (dask scheduler), or leave --cluster away to use this machine",
        ) from error
    except TypeError as error:  # what Dask says of an encrypted address without certificates
        raise ClusterError(
            f"no certificates to reach {address} with: {error}",
            "name them in Dask's configuration, distributed.comm.tls",
        ) from error


def _check_address(address: str) -> None:
    from distributed.comm import addressing, registry

    scheme, mark, place = address.partition("://")
    try:
        known = bool(mark) and registry.get_backend(scheme) is not None
        right = known and bool(place) and bool(addressing.parse_host_port(place)[0])
    except (ValueError, TypeError):
        right = False
    if not right:
        raise UsageError(
            f"--cluster {address!r} is no scheduler address", "write local, none, or tcp://host:8786"
        )


def _greet(address: str, timeout_s: float) -> None:
    """Shake hands with the scheduler, in a thread as a notebook's own thread has a loop already."""
    from distributed.comm import connect as greet
    from distributed.security import Security

    async def shake() -> None:
        arguments = Security().get_connection_args("client")
        comm = await asyncio.wait_for(greet(address, timeout=timeout_s, **arguments), timeout_s)
        await comm.close()

    answer: Future[None] = Future()

    def body() -> None:
        try:
            answer.set_result(asyncio.run(shake()))
        except BaseException as error:  # noqa: BLE001 - raised below
            answer.set_exception(error)

    threading.Thread(target=body, name="docdask-greeting", daemon=True).start()
    answer.result(timeout_s + 5)


def _state_file(settings: Settings) -> Path:
    # Another Python or another docdask must not get our tasks to unpickle.
    key = hashlib.blake2b(f"{sys.executable}|{__version__}|{os.getuid()}".encode(), digest_size=6).hexdigest()
    return settings.state_folder / f"cluster-{key}.json"


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _running(state: Path) -> dict[str, Any] | None:
    try:
        facts: dict[str, Any] = json.loads(state.read_text(encoding="utf-8"))
        process = psutil.Process(facts["pid"])
        alive = (
            process.status() != psutil.STATUS_ZOMBIE and "docdask.engine.clusters.daemon" in process.cmdline()
        )
    except (OSError, ValueError, KeyError, psutil.Error):
        return None
    if not alive:
        return None
    try:
        client = connect(facts["address"], timeout_s=5)
    except ClusterError:
        return None
    with client:
        return facts if client.scheduler_info(n_workers=-1)["workers"] else None


def _start(settings: Settings, state: Path | None) -> ClusterFacts:
    command = [
        sys.executable,
        "-m",
        "docdask.engine.clusters.daemon",
        f"--workers={settings.worker_count}",
        f"--dashboard-port={settings.dashboard_port}",
        f"--idle-s={settings.idle_s}",
        f"--state-file={state or ''}",
        f"--state={settings.state_folder}",
        f"--record={settings.record and os.path.abspath(settings.record)}",  # noqa: PTH100 - an empty one stays empty
    ]
    log = settings.state_folder / "cluster.log"
    with log.open("ab") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL, start_new_session=True
        )
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], _START_TIMEOUT_S)
    line = process.stdout.readline() if ready else b""
    facts = (
        json.loads(line)
        if line
        else {"error": f"it said nothing for {_START_TIMEOUT_S} s" if not ready else "it ended"}
    )
    process.stdout.close()
    if "error" in facts:
        process.kill()
        raise ClusterError(
            f"the local cluster did not start: {facts['error']}",
            f"see {log}, or run in this process with --cluster none",
        )
    return ClusterFacts(facts["address"], facts["dashboard"], started=True)
