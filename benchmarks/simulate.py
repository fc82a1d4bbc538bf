"""Time and memory of simulating a million documents: python -m benchmarks.simulate [--documents N].

The scenario that the documentation shows: 1,000,000 documents of 1 to 15 pages, quota 600 a minute, two regions, one of
which fails at noon, 500 workers. To be done in at most 60 s on one core.
"""

from __future__ import annotations

import argparse
import time

from benchmarks._common import peak_mib, table
from docdask.core.server import Faults
from docdask.sim import Incident, Load, Scenario, drawn, simulate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=500)
    options = parser.parse_args()
    start_s, cpu_s = time.perf_counter(), time.process_time()
    scenario = Scenario(
        (Load(drawn(options.documents, {1: 70, 2: 20, 15: 10})),),
        regions=("us", "eu"),
        requests=600,
        workers=options.workers,
        incidents=(Incident(12 * 3600, Faults(regions_down=("us",))),),
    )
    result = simulate(scenario)
    frames = len(result.minutes) + len(result.endpoints)
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - start_s
    print(result, "\n", sep="")
    print(
        table(
            [
                ("documents", "events", "frame rows", "CPU s", "wall s", "CPU µs a document", "peak MiB"),
                (
                    f"{result.documents:,}", f"{result.events:,}", f"{frames:,}", f"{cpu_s:.1f}", f"{wall_s:.1f}",
                    f"{cpu_s / max(1, result.documents) * 1e6:.1f}", f"{peak_mib():.0f}",
                ),
            ]
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
