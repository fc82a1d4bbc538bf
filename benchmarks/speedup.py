"""How close a run comes to what the machine, or the remote service, allows.

1. Offline, ``samples --copies 10``: docdask with a worker a core against the same pages in as many bare processes.
2. An engine with the latencies of a remote service (1-3 s a call, no CPU): twelve documents against the bound (sum of
   latencies ÷ the longest) and 1,000 documents against one after another, beside a thread pool that stops growing at 12.

First submit to last result stored, on a warm cluster. Usage: python -m benchmarks.speedup [offline] [remote]
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

from benchmarks._common import machine, small_pdfs, table

LATENCY = "docdask.service.dummy:LatencyEngine"


def span_s(result: object) -> float:
    """Seconds from the first submission to the last result stored."""
    import pandas as pd

    import docdask

    began = pd.Timestamp(docdask.status(result.url)["started_at"])  # type: ignore[attr-defined]
    return (result.calls["ended_at"].max() - began).total_seconds()  # type: ignore[attr-defined]


def _bare(path: str) -> None:
    from docdask.intake.content_type import sniff
    from docdask.service.offline.recognition import Options, recognise_document

    data = Path(path).read_bytes()
    recognise_document(data, sniff(data), 1, None, None, asdict(Options()))


def _bare_start() -> None:
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")


def offline(copies: int = 10) -> str:
    """docdask against bare processes on the same pages."""
    import docdask

    with machine() as (made, folder):
        docdask.samples(folder / "documents", copies=copies)
        files = sorted(str(p) for p in (folder / "documents").iterdir() if not p.name.startswith("."))
        docdask.samples(folder / "warm-documents", seed=99)
        docdask.run(folder / "warm-documents", to=folder / "warm")  # a warm cluster, as the figure asks
        plan = docdask.plan(folder / "documents", to=folder / "run")
        result = docdask.run(plan)
        ours = span_s(result)
        with multiprocessing.get_context("spawn").Pool(made.worker_count, _bare_start) as pool:
            pool.map(_bare, files[: 3 * made.worker_count])  # as warm as the cluster is
            began = time.perf_counter()
            for _ in pool.imap_unordered(_bare, files, chunksize=1):
                pass
            theirs = time.perf_counter() - began
        pages = int(result.summary()["pages"])
    rows: list[tuple[str, ...]] = [
        ("", "pages", "s", "pages/min"),
        (f"{made.worker_count} bare processes", str(pages), f"{theirs:.1f}", f"{60 * pages / theirs:.0f}"),
        (f"docdask, {made.worker_count} workers", str(pages), f"{ours:.1f}", f"{60 * pages / ours:.0f}"),
    ]
    return f"{table(rows)}\n\ndocdask reaches {theirs / ours:.3f} of the bare processes (goal: 0.95)."


def remote() -> str:
    """Twelve and a thousand calls of 1-3 s, beside a pool of 12 threads."""
    import docdask
    from docdask.service.dummy import LatencyEngine

    engine = LatencyEngine()
    rows: list[tuple[str, ...]] = [
        ("documents", "sum of latencies s", "longest s", "", "s", "speed-up", "of the bound")
    ]
    with machine() as (_, folder):
        small_pdfs(folder / "warm-up", 12)
        docdask.run(folder / "warm-up", to=folder / "warm", engine=LATENCY)
        for count in (12, 1000):
            small_pdfs(folder / f"pile-{count}", count)
            plan = docdask.plan(folder / f"pile-{count}", to=folder / f"run-{count}", engine=LATENCY)
            result = docdask.run(plan)
            ours = span_s(result)
            latencies = [engine.latency_s(unit) for units in plan.frame["unit_ids"] for unit in units]
            total, longest = sum(latencies), max(latencies)
            bound = total / longest
            rows.append(
                (
                    f"{count:,}",
                    f"{total:.0f}",
                    f"{longest:.2f}",
                    "docdask",
                    f"{ours:.2f}",
                    f"{total / ours:.1f}x",
                    f"{total / ours / bound:.3f}",
                )
            )
            if count == 12 or "--pool" in sys.argv:
                pool = _pool(latencies, 12)
                rows.append(
                    (
                        "",
                        "",
                        "",
                        "12 threads",
                        f"{pool:.2f}",
                        f"{total / pool:.1f}x",
                        f"{total / pool / bound:.3f}",
                    )
                )
            else:
                pool = _pool(latencies[:120], 12) * total / sum(latencies[:120])
                rows.append(
                    (
                        "",
                        "",
                        "",
                        "12 threads (120 calls, scaled)",
                        f"{pool:.0f}",
                        f"{total / pool:.1f}x",
                        f"{total / pool / bound:.3f}",
                    )
                )
    return f"{table(rows)}\n\nGoals: 0.95 of the bound for twelve; 300x for 1,000 (aim 500x). The published thread pool reached 6.36x."


def _pool(latencies: list[float], threads: int) -> float:
    began = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        list(pool.map(time.sleep, latencies))
    return time.perf_counter() - began


if __name__ == "__main__":
    wanted = [name for name in ("offline", "remote") if name in sys.argv[1:]] or ["offline", "remote"]
    for name in wanted:
        print(f"## {name}\n\n{globals()[name]()}\n", flush=True)
