"""Scan speed and memory: the corpus, file by file in one child; a large folder of small files, listed only.

    python -m benchmarks.scan [FOLDER] [--listed 200000]

Prints seconds, files a second, the slowest files, and the largest resident size of worker and child together. The
goal is 200 corpus files in 20 s on two cores and less than 1.5 GB.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from pathlib import Path

import psutil

from docdask import sandbox
from docdask.intake.finding import find
from docdask.intake.scan import scan_batch

GOAL_SECONDS, GOAL_BYTES = 20.0, 1.5e9


class Peak(threading.Thread):
    """Largest sum of resident sizes of this process and its children, looked at every 10 ms."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.bytes = self.child_bytes = 0
        self._done = threading.Event()

    def run(self) -> None:
        own = psutil.Process()
        while not self._done.wait(0.01):
            sizes = []
            for pid in sandbox.children():
                try:
                    sizes.append(psutil.Process(pid).memory_info().rss)
                except psutil.Error:
                    continue
            self.child_bytes = max(self.child_bytes, *sizes, 0)
            self.bytes = max(self.bytes, own.memory_info().rss + sum(sizes))

    def stop(self) -> None:
        self._done.set()
        self.join()


def scan(folder: Path) -> None:
    peak = Peak()
    peak.start()
    started = time.perf_counter()
    sources = list(find([str(folder)]))
    rows = scan_batch(sources)
    seconds = time.perf_counter() - started
    peak.stop()
    size = sum(row["size_bytes"] for row in rows)
    print(f"{len(rows)} files, {size / 1e6:.1f} MB, one caller: {seconds:.2f} s ({len(rows) / seconds:.0f} files/s), "
          f"{seconds / GOAL_SECONDS:.2f} of the goal of {GOAL_SECONDS:.0f} s")  # fmt: skip
    print(f"resident at most: worker and child {peak.bytes / 1e6:.0f} MB, child {peak.child_bytes / 1e6:.0f} MB, "
          f"{peak.bytes / GOAL_BYTES:.2f} of the goal of {GOAL_BYTES / 1e9:.1f} GB")  # fmt: skip
    for row in sorted(rows, key=lambda row: -row["seconds"])[:5]:
        print(f"  {row['seconds']:.2f} s  {row['pages'] or '-'} pages  {row['name']}")
    tiny = [source for source in sources if source.size_bytes < 20_000]
    started = time.perf_counter()
    scan_batch(tiny)
    print(f"{len(tiny)} files below 20 kB: {(time.perf_counter() - started) / len(tiny) * 1e3:.1f} ms a file")


def overhead() -> None:
    calls = 2000
    sandbox.call("docdask.intake.examine:examine", b"x", "x", (), None)
    started = time.perf_counter()
    for _ in range(calls):
        sandbox.call("docdask.intake.examine:examine", b"x", "x", (), None)
    print(
        f"a call into the sandbox that does next to nothing: {(time.perf_counter() - started) / calls * 1e3:.2f} ms"
    )


def listing(count: int) -> None:
    with tempfile.TemporaryDirectory() as top:
        for number in range(count):
            if number % 1000 == 0:
                folder = Path(top, f"{number // 1000:04}")
                folder.mkdir()
            (folder / f"{number}.pdf").touch()
        started = time.perf_counter()
        found = sum(1 for _ in find([top]))
        print(f"{found:,} files listed in {time.perf_counter() - started:.2f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default=os.environ.get("DOCDASK_CORPUS", "../shared/corpus"))
    parser.add_argument("--listed", type=int, default=200_000)
    arguments = parser.parse_args()
    scan(Path(arguments.folder))
    overhead()
    if arguments.listed:
        listing(arguments.listed)
