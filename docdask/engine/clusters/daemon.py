"""The local cluster as a process of its own: scheduler, nannies and their workers.

Rules:

1. It belongs to no notebook: pandas in a user's kernel must not stall the scheduler, and a run must outlive its driver.
2. It is found again through a file in the state folder, so that a second run on this machine joins it.
3. The governor is on it from the start, and keeps what was used in the last minute in the state folder.
4. It ends by itself when no client was connected for ``idle_s`` seconds.

Started by :mod:`docdask.engine.clusters.local` as ``python -m docdask.engine.clusters.daemon``; prints one JSON line when
it is ready.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

from distributed.diagnostics.plugin import SchedulerPlugin

#: Groups whose work a CPU worker takes, one task of each at a time (it has one thread anyway).
CPU_RESOURCES = {"pdf": 1, "image": 1}
#: Seconds that whoever started the cluster has to connect.
_FIRST_S = 30.0


def _config() -> None:
    import dask

    dask.config.set(
        {
            # Expensive tasks: a worker gets the next when it is free, none in advance.
            "distributed.scheduler.worker-saturation": 1.0,
            "distributed.scheduler.allowed-failures": 2,
            "distributed.scheduler.work-stealing": True,
            # A worker's memory is mostly its child's, which has limits of its own.
            "distributed.worker.memory.terminate": 0.95,
            "distributed.comm.timeouts.connect": "30s",
        }
    )


async def serve(arguments: argparse.Namespace) -> None:
    """Run the cluster until nobody needs it."""
    from distributed import LocalCluster

    from docdask.engine.plugin import GovernorPlugin

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the dashboard's port is taken: another one is found, and printed
        cluster = await LocalCluster(
            n_workers=arguments.workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=f"127.0.0.1:{arguments.dashboard_port}",
            resources=CPU_RESOURCES,
            silence_logs=logging.CRITICAL,
            asynchronous=True,
        )
    state = Path(arguments.state_file) if arguments.state_file else None
    # A worker that finds no governor calls nothing: it is there before the first client.
    plugin = GovernorPlugin(state=arguments.state, record=arguments.record)
    await cluster.scheduler.register_scheduler_plugin(plugin, name=plugin.name, idempotent=True)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    try:
        facts = {
            "address": cluster.scheduler_address,
            "dashboard": cluster.dashboard_link,
            "pid": os.getpid(),
            "workers": arguments.workers,
        }
        if state:
            temporary = state.with_suffix(f".{os.getpid()}")
            temporary.write_text(json.dumps(facts), encoding="utf-8")
            temporary.replace(state)
        print(json.dumps(facts), flush=True)
        await _until_unused(cluster, stop, arguments.idle_s)
    finally:
        if state:
            with contextlib.suppress(OSError, ValueError):
                if json.loads(state.read_text(encoding="utf-8"))["pid"] == os.getpid():
                    state.unlink()
        await cluster.close(timeout=10)


async def _until_unused(cluster: object, stop: asyncio.Event, idle_s: float) -> None:
    scheduler = cluster.scheduler  # type: ignore[attr-defined]
    loop = asyncio.get_running_loop()
    # Whoever started us has a moment to connect, however short idle_s is.
    users = _Users(loop.time() + _FIRST_S)
    scheduler.add_plugin(users)
    while not stop.is_set():
        if any(name != "fire-and-forget" for name in scheduler.clients):
            users.last_seen = max(users.last_seen, loop.time())
        if loop.time() - users.last_seen > idle_s:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 1.0)


class _Users(SchedulerPlugin):  # type: ignore[misc]  # distributed has no types
    """Notes when a client came or went: one that only looks in is gone before the next look."""

    name = "docdask-users"

    def __init__(self, last_seen: float) -> None:
        self.last_seen = last_seen

    def add_client(self, scheduler: Any, client: str) -> None:
        """See :class:`SchedulerPlugin`."""
        del scheduler, client
        self.last_seen = asyncio.get_running_loop().time()

    def remove_client(self, scheduler: Any, client: str) -> None:
        """See :class:`SchedulerPlugin`."""
        self.add_client(scheduler, client)


def main() -> None:
    """Entry of the process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--dashboard-port", type=int, default=8787)
    parser.add_argument("--idle-s", type=float, default=60.0)
    parser.add_argument("--state-file", default="")
    parser.add_argument("--state", default="")
    parser.add_argument("--record", default="")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for the driver
    _config()
    try:
        asyncio.run(serve(parser.parse_args()))
    except Exception as error:  # noqa: BLE001 - told to whoever started us, as one line
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
