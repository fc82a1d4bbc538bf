"""docdask's own work a document: 20,000 one-page documents through an engine that does nothing.

CPU of driver + scheduler + workers (with their children), and the driver's memory against a tenth of the documents.
The scan is not counted: it is the same without a run. Usage: python -m benchmarks.overhead [DOCUMENTS]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil

from benchmarks._common import cpu_s, machine, peak_mib, small_pdfs, table

ENGINE = "docdask.service.dummy:NothingEngine"


def child(url: str) -> None:
    """Drive a planned run in this process and print what it took."""
    import pyarrow as pa

    from docdask import settings
    from docdask.engine.clusters import local
    from docdask.engine.drive import drive
    from docdask.store.run import RunDirectory

    pa.set_cpu_count(1)  # as docdask.engine.detached does
    pa.set_io_thread_count(1)
    made = settings.load()
    facts = local.find_or_start(made)
    with local.connect(facts.address) as client:
        pids = list(client.run(os.getpid).values())
        scheduler = client.run_on_scheduler(os.getpid)
    watched = [psutil.Process(pid) for pid in {*pids, scheduler}]
    watched += [c for p in list(watched) for c in p.children(recursive=True) if c not in watched]
    before, mine = sum(map(cpu_s, watched)), sum(os.times()[:2])
    summary = drive(RunDirectory.open(url), made)
    spent = sum(map(cpu_s, watched)) - before
    driver = sum(os.times()[:2]) - mine
    print(
        json.dumps(
            {
                "driver_s": driver,
                "cluster_s": spent,
                "peak_mib": peak_mib(),
                "stored": summary["stored"],
                "wall_s": summary["wall_s"],
            }
        )
    )


def main(count: int) -> str:
    """Run both sizes; returns the table."""
    import docdask
    from docdask.engine import detached

    found = {}
    with machine() as (_, folder):
        for documents in (count // 10, count):
            small_pdfs(folder / f"pile-{documents}", documents)
            run = folder / f"run-{documents}"
            docdask.plan(folder / f"pile-{documents}", to=run, engine=ENGINE)
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.overhead", "--child", str(run)],
                capture_output=True,
                check=True,
                env=detached.environment(),
                cwd=Path(__file__).parents[1],
            )
            found[documents] = json.loads(done.stdout.splitlines()[-1])
    rows: list[tuple[str, ...]] = [
        ("documents", "driver ms/doc", "scheduler + workers ms/doc", "together", "driver peak MiB", "wall s")
    ]
    for documents, one in found.items():
        assert one["stored"] == documents
        driver, cluster = 1000 * one["driver_s"] / documents, 1000 * one["cluster_s"] / documents
        rows.append(
            (
                f"{documents:,}",
                f"{driver:.2f}",
                f"{cluster:.2f}",
                f"{driver + cluster:.2f}",
                f"{one['peak_mib']:.0f}",
                f"{one['wall_s']:.1f}",
            )
        )
    small, large = found[count // 10]["peak_mib"], found[count]["peak_mib"]
    return f"{table(rows)}\n\nDriver memory, ten times the documents: {large / small:.3f}x (goal: within 1.10). CPU goal: 3 ms a document."


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2])
    else:
        print(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000))
