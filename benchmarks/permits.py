"""What a permit costs through a real scheduler: permits a second, CPU of scheduler and workers, median wait, with and without a ledger.

    python -m benchmarks.permits [ROW …]

Scheduler and workers are processes of their own. Rows: ``many`` (10,000 waiters), ``64x2`` and ``64x1`` (as many as a call
worker has calls in flight), ``single`` (one permit at a time), ``ledger``, ``crowd`` (100,000 waiters), ``million`` (permits, for
the scheduler's memory).

A row's time is from the first wish to the last permit that came back, on the workers' clocks, which are one on one machine: handing tasks out and
fetching tables of waits is Dask's work, not the governor's. CPU is of the whole processes over all of that.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from contextlib import contextmanager
from pathlib import Path

import psutil
from distributed import Client

import docdask
from docdask.core.spec import EndpointSpec, SemaphoreSpec


async def cycle(semaphore: docdask.QuotaSemaphore, waiters: int, total: int) -> tuple[float, float, array]:
    """``waiters`` coroutines take and return ``total`` permits: when they began and ended, and seconds waited, each."""
    waits = array("d")  # a list of floats Dask sends one by one, which takes it longer than the permits took
    started = time.perf_counter()

    async def one(count: int) -> None:
        for _ in range(count):
            begin = time.perf_counter()
            permit = await semaphore.acquire()
            waits.append(time.perf_counter() - begin)
            await semaphore.release(permit)

    await asyncio.gather(*(one(total // waiters) for _ in range(waiters)))
    return started, time.perf_counter(), waits


@contextmanager
def cluster(workers: int, ledger: str):
    environment = os.environ | {"DOCDASK_LEDGER": ledger}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scheduler.json"
        dask = [sys.executable, "-m", "dask"]
        quiet = {"stderr": subprocess.DEVNULL, "env": environment}
        made = [
            subprocess.Popen(
                [*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--preload", "docdask.engine.preload",
                 "--scheduler-file", str(file)], **quiet,
            )
        ]  # fmt: skip
        worker = [
            *dask,
            "worker",
            "--nthreads",
            "1",
            "--no-dashboard",
            "--no-nanny",
            "--scheduler-file",
            str(file),
        ]
        made += [subprocess.Popen(worker, **quiet) for _ in range(workers)]
        try:
            while not file.exists():
                time.sleep(0.05)
            with Client(scheduler_file=str(file), timeout=30) as client:
                client.wait_for_workers(workers)
                yield client, psutil.Process(made[0].pid)
        finally:
            for process in reversed(made):
                process.terminate()
                process.wait()


def cpu_s(process: psutil.Process) -> float:
    """CPU that a process has used so far, its own and the system's for it."""
    times = process.cpu_times()
    return times.user + times.system


def measure(workers: int, waiters: int, total: int, *, ledger: bool) -> str:
    with (
        tempfile.TemporaryDirectory() as folder,
        cluster(workers, folder if ledger else "") as (client, scheduler),
    ):
        spec = SemaphoreSpec((EndpointSpec("us"),), adaptive=False, ledger=ledger)
        semaphore = docdask.QuotaSemaphore(name="bench", spec=spec).register()
        pids = client.run(os.getpid)
        processes = [scheduler, *map(psutil.Process, pids.values())]

        def cycles(each: int) -> list[tuple[float, float, array]]:
            made = [client.submit(cycle, semaphore, waiters, each, workers=[w], pure=False) for w in pids]
            return client.gather(made)

        cycles(waiters)
        memory, cpus_s = scheduler.memory_info().rss, [cpu_s(process) for process in processes]
        found = cycles(total // workers)
        cpus_s = [cpu_s(process) - before for process, before in zip(processes, cpus_s, strict=True)]
        grown = (scheduler.memory_info().rss - memory) / 2**20
    waits = [wait for _, _, some in found for wait in some]
    wall_s = max(end for _, end, _ in found) - min(begin for begin, _, _ in found)
    each_us = 1e6 / len(waits)
    return (
        f"| {workers} | {waiters:,} | {'yes' if ledger else 'no'} | {len(waits) / wall_s:,.0f} | {cpus_s[0] * each_us:.0f} µs "
        f"| {sum(cpus_s[1:]) * each_us:.0f} µs | {statistics.median(waits) * 1e3:.1f} ms | {grown:+.0f} MiB |"
    )


#: Name → workers, waiters each, permits in all, with a ledger.
ROWS = {
    "many": (2, 5_000, 100_000, False),
    "64x2": (2, 64, 40_000, False),
    "64x1": (1, 64, 40_000, False),
    "single": (1, 1, 1_000, False),
    "ledger": (2, 64, 20_000, True),
    "crowd": (2, 50_000, 200_000, False),
    "million": (2, 5_000, 1_000_000, False),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", help=f"of {', '.join(ROWS)}; all if none is named")
    options = parser.parse_args()
    unknown = set(options.rows) - set(ROWS)
    if unknown:
        parser.error(f"no row {', '.join(unknown)}; rows: {', '.join(ROWS)}")
    print(
        "| workers | waiters each | ledger | permits/s | scheduler CPU a permit | worker CPU a permit | median wait | scheduler memory |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name in options.rows or ROWS:
        workers, waiters, total, ledger = ROWS[name]
        print(measure(workers, waiters, total, ledger=ledger), flush=True)


if __name__ == "__main__":
    main()
