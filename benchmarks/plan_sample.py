"""A plan for 200,000 small local files from a sample: seconds from the command to the printed plan, start-up included.

Usage: python -m benchmarks.plan_sample [FILES] [SAMPLE]
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

from benchmarks._common import machine, small_pdfs, table


def main(files: int, sample: int) -> str:
    """Time the command; returns the table."""
    with machine() as (_, folder):
        small_pdfs(folder / "pile", files)
        began = time.perf_counter()
        told = subprocess.run(
            [sys.executable, "-m", "docdask.cli", "plan", str(folder / "pile"), "--to", str(folder / "run"),
             "--sample", str(sample), "--json"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        spent = time.perf_counter() - began
    estimate = json.loads(told.stdout)["estimate"]["pages"]
    rows = [
        ("files", "looked at", "s", "pages estimated", "interval (95 %)", "pages there are"),
        (
            f"{files:,}", f"{sample:,}", f"{spent:.1f}", f"{estimate['total']:,.0f}",
            f"{estimate['low']:,.0f} to {estimate['high']:,.0f}", f"{files:,}",
        ),
    ]  # fmt: skip
    return f"{table(rows)}\n\nGoal: 60 s for 200,000 files."


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    print(main(*(numbers or [200_000]), *([] if len(numbers) > 1 else [500])))
