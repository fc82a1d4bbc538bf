"""Is the quota used, and never broken? docdask beside its rivals, in real time, from the emulator's own books.

    python -m benchmarks.quota [PART …] [--windows 5] [--speed 1] [--only docdask]

Parts: ``120x1`` (120 a minute, one worker), ``120x8`` (eight workers, one killed every 20 s), ``6000x8``, ``runs`` (12, 100
and 600 calls from idle), ``urgent`` (an interactive document before 100,000), ``region`` (a region that is killed at full
load), ``windows`` (every kind of window, and a foreign client that takes a third: virtual time). Without any: all of them.
The emulator is a process of its own; calls are plain Dask tasks with Google's bare client. ``--speed 10`` lets a minute
pass in six seconds, for a quick look: jitter then costs ten times as much of the minute. Real time needs more than an hour.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from distributed import Client, Semaphore

import docdask
from benchmarks import _calling as calling
from benchmarks._common import table
from benchmarks._windows import windows
from docdask.core.spec import EndpointSpec, SemaphoreSpec

#: Seconds that a call takes.
LATENCY_S = 0.4
RIVALS = ("docdask", "distributed.Semaphore", "bucket a worker", "64 threads")
_WIDE = "user_requests=1000000"

#: Seconds to run, seconds of the longest call, what the books say.
Outcome = tuple[float, float, calling.Used]


def spec_of(quota: int, speed: float, *regions: str, last_resort: str = "") -> SemaphoreSpec:
    """Endpoints with so many requests a minute each."""
    places = tuple(
        EndpointSpec(
            f"{region}/OCR_PROCESSOR", location=region, requests=quota, last_resort=region == last_resort
        )
        for region in regions
    )
    return SemaphoreSpec(places, period_ns=int(60e9 / speed))


def by_docdask(client: Client, address: str, calls: int, quota: int, speed: float) -> list[float]:
    semaphore = docdask.QuotaSemaphore(
        name="documentai", spec=spec_of(quota, speed, "us"), client=client
    ).register()
    semaphore.open_run("run", calls=calls)
    work = partial(calling.call_by_permit, addresses={"us": address}, quota=semaphore)
    return calling.work_off(client, work, calls)


def by_semaphore(client: Client, address: str, calls: int, quota: int, speed: float) -> list[float]:
    leases = max(4, quota * 2 // 60)  # so many at a time, two seconds each, make the quota
    semaphore = Semaphore(max_leases=leases, name="stock")
    work = partial(
        calling.call_by_lease, address=address, semaphore=semaphore, hold_s=leases * 60 / quota / speed
    )
    return calling.work_off(client, work, calls)


def by_buckets(client: Client, address: str, calls: int, quota: int, speed: float) -> list[float]:
    part = quota / len(client.scheduler_info(n_workers=-1)["workers"])
    work = partial(calling.call_by_bucket, address=address, capacity=part, rate=part / 60 * speed)
    return calling.work_off(client, work, calls)


def by_threads(_client: Client, address: str, calls: int, _quota: int, _speed: float) -> list[float]:
    return calling.by_threads(calls, address)


WAYS: dict[str, Callable[[Client, str, int, int, float], list[float]]] = dict(
    zip(RIVALS, (by_docdask, by_semaphore, by_buckets, by_threads), strict=True)
)


def measure(
    who: str,
    calls: int,
    *,
    quota: int,
    workers: int,
    threads: int,
    kill_s: float,
    options: argparse.Namespace,
) -> Outcome:
    """One way of calling, with an emulator and a cluster of its own."""
    flags = (
        "--quota",
        f"online_requests={quota}",
        "--quota",
        _WIDE,
        "--latency",
        f"{LATENCY_S}",
        "--speed",
        f"{options.speed:g}",
    )
    with calling.emulator(*flags) as server, calling.cluster(workers, threads) as (made, client):
        client.run(_warm, server.grpc)
        _warm(server.grpc)
        begin = time.monotonic()
        with calling.killing(made, kill_s if who != "64 threads" else 0):
            longest_s = max(WAYS[who](client, server.grpc, calls, quota, options.speed), default=0.0)
        took_s = time.monotonic() - begin
        return took_s, longest_s, calling.used(server.calls(), quota, calls)


def _warm(address: str) -> None:
    """Import Google's client and connect, so that what is measured is the calling."""
    calling.google_client(address)
    calling.page()


def rates(
    name: str, quota: int, workers: int, threads: int, kill_s: float, options: argparse.Namespace
) -> str:
    """So many windows of work, each way of calling in turn."""
    rows = [
        (
            "way of calling",
            "calls",
            "done",
            "s",
            "share of the quota",
            "refused by quota",
            "most in a minute",
            "failed",
            "paid twice",
        )
    ]
    for who in options.only or RIVALS:
        calls = quota * options.windows
        took_s, _, books = measure(
            who, calls, quota=quota, workers=workers, threads=threads, kill_s=kill_s, options=options
        )
        rows.append(
            (
                who, f"{books.calls:,}", f"{min(calls, calls + books.again):,}", f"{took_s:.1f}", f"{books.share:.1%}",
                f"{books.refused:,} ({books.refused_part:.2%})", f"{books.most:,}", f"{books.failed:,}", f"{max(0, books.again):,}",
            )
        )  # fmt: skip
        print(f"{name} {rows[-1]}", file=sys.stderr, flush=True)
    return table(rows)


def runs(options: argparse.Namespace) -> str:
    """Runs of 12, 100 and 600 calls from idle, 120 a minute, one worker."""
    rows = [
        ("way of calling", "calls", "s", "the quota needs s", "longest call s", "goal s", "refused by quota")
    ]
    for calls in options.calls or (12, 100, 600):
        for who in options.only or RIVALS:
            took_s, longest_s, books = measure(
                who, calls, quota=120, workers=1, threads=64, kill_s=0, options=options
            )
            needs_s = 0.0 if calls <= 120 else calls / 120 * 60 / options.speed
            goal_s = 1.02 * needs_s + longest_s
            rows.append(
                (
                    who,
                    f"{calls}",
                    f"{took_s:.1f}",
                    f"{needs_s:.0f}",
                    f"{longest_s:.2f}",
                    f"{goal_s:.1f}",
                    f"{books.refused:,}",
                )
            )
            print(f"runs {rows[-1]}", file=sys.stderr, flush=True)
    return table(rows)


def urgent(options: argparse.Namespace) -> str:
    """An interactive document while 100,000 bulk ones wait, 120 a minute, through a real scheduler."""
    waiting, samples = 100_000, 100
    with calling.cluster(1, 2) as (_, client):
        semaphore = docdask.QuotaSemaphore(
            name="documentai", spec=spec_of(120, options.speed, "us"), client=client
        ).register()
        semaphore.open_run(
            "bulk", calls=waiting
        )  # else the first of them look like a run that fits, and take the whole minute
        crowd = client.submit(_crowd, semaphore, waiting, pure=False)
        while sum(semaphore.view().waiting.values()) < waiting - 1000:
            time.sleep(0.2)
        rng, waits = random.Random(1), []
        for _ in range(samples):
            time.sleep(rng.uniform(0.2, 2.0) / options.speed)
            begin = time.perf_counter()
            permit = semaphore.acquire(lane="interactive", timeout=60)
            waits.append(time.perf_counter() - begin)
            permit.report()
        left = sum(semaphore.view().waiting.values())
        semaphore.close()
        crowd.result()
    waits.sort()
    return table(
        [
            ("bulk documents waiting", "interactive ones", "median wait s", "p99 s", "longest s"),
            (f"{left:,}", f"{samples}", f"{statistics.median(waits):.2f}", f"{waits[-1 - samples // 100]:.2f}", f"{waits[-1]:.2f}"),
        ]
    )  # fmt: skip


async def _crowd(semaphore: docdask.QuotaSemaphore, waiters: int) -> int:
    """So many wait at once; how many got a permit until the semaphore was closed."""

    async def one() -> int:
        try:
            permit = await semaphore.acquire(lane="bulk", run="bulk")
        except docdask.errors.PermitRefused:
            return 0
        permit.report()
        return 1

    return sum(await asyncio.gather(*(one() for _ in range(waiters))))


def region() -> str:
    """A region is killed at full load: how long until all goes through the other."""
    rows = [
        (
            "the other region",
            "calls",
            "lost",
            "s until the other ran at full pace",
            "calls to it in the minute after",
        )
    ]
    for other, last_resort in (("in use as well", ""), ("a last resort", "eu")):
        rows.append(_region(other, last_resort))
        print(f"region {rows[-1]}", file=sys.stderr, flush=True)
    return table(rows)


def _region(other: str, last_resort: str) -> tuple[str, ...]:
    quota, before_s, after_s = 1200, 15.0, 60.0
    both = 1 if last_resort else 2
    calls = int(quota / 60 * (before_s * both + after_s))
    flags = ("--quota", f"online_requests={quota}", "--quota", _WIDE, "--latency", f"{LATENCY_S}")
    with (
        calling.emulator(*flags) as us,
        calling.emulator(*flags) as eu,
        calling.cluster(2, 48) as (_, client),
    ):
        for server in (us, eu):
            client.run(_warm, server.grpc)
        # No bursts: all of it would fit into two free minutes, and nothing be left to move.
        spec = replace(spec_of(quota, 1, "us", "eu", last_resort=last_resort), burst=False)
        semaphore = docdask.QuotaSemaphore(name="documentai", spec=spec, client=client).register()
        semaphore.open_run("run", calls=calls)
        work = partial(calling.call_by_permit, addresses={"us": us.grpc, "eu": eu.grpc}, quota=semaphore)
        killed_ns: list[int] = []

        def kill() -> None:
            us.kill()
            killed_ns.append(time.time_ns())

        timer = threading.Timer(before_s, kill)
        timer.start()
        done = calling.work_off(client, work, calls)
        timer.join()
        rows = [row for row in eu.calls() if row["code"] == "OK"]
        at = sorted(row["at_ns"] for row in rows)
        return (
            other, f"{calls:,}", f"{calls - len(done)}", f"{full_pace_s(at, killed_ns[0], quota):.1f}",
            f"{sum(0 <= t - killed_ns[0] < 60e9 for t in at):,} of {quota:,}",
        )  # fmt: skip


def full_pace_s(at_ns: list[int], from_ns: int, quota: int) -> float:
    """Seconds after ``from_ns`` at which a stretch of two seconds first holds what the quota allows, within 5 %."""
    due = 0.95 * quota / 60 * 2
    for second in range(600):
        begin = from_ns + second * 10**8
        if sum(begin <= at < begin + 2 * 10**9 for at in at_ns) >= due:
            return second / 10
    return float("inf")


def _parts(options: argparse.Namespace) -> dict[str, tuple[str, Callable[[], str]]]:
    return {
        "120x1": ("120 a minute, one worker", lambda: rates("120x1", 120, 1, 16, 0, options)),
        "120x8": ("120 a minute, eight workers, one killed every 20 s", lambda: rates("120x8", 120, 8, 8, 20, options)),
        "6000x8": ("6,000 a minute, eight workers", lambda: rates("6000x8", 6000, 8, 16, 0, options)),
        "runs": ("Runs from idle, 120 a minute", lambda: runs(options)),
        "urgent": ("An urgent document before 100,000", lambda: urgent(options)),
        "region": ("A region killed at full load, 1,200 a minute each", region),
        "windows": ("Every kind of window, virtual time", windows),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", help="default: all")
    parser.add_argument(
        "--windows", type=int, default=5, help="minutes of work that each way of calling is given"
    )
    parser.add_argument(
        "--calls", type=int, action="append", help="of the runs from idle: 12, 100 and 600 unless stated"
    )
    parser.add_argument("--speed", type=float, default=1.0, help="emulated seconds in a real one")
    parser.add_argument("--only", action="append", choices=RIVALS, help="leave the others out")
    options = parser.parse_args()
    parts = _parts(options)
    for name in options.parts or parts:
        if name not in parts:
            parser.error(f"no part {name!r}; parts: {', '.join(parts)}")
        title, part = parts[name]
        print(f"## {title}\n\n{part()}\n", flush=True)


if __name__ == "__main__":
    main()
