"""docdask beside the script that most people would write (``benchmarks/_script.py``), on the same work and the same emulator.

1. ``plain``: the samples, copied with other contents: seconds, pages billed, dollars, documents that are in the tables.
2. ``bad``: one file among them is broken.
3. ``killed``: both are killed (``kill -9``) when half of the pages is billed, and then told to go on: the script by the same
   command, docdask by ``docdask run RUN`` with a new limit.

The emulator answers as slowly as users report of Google (``--latency google``): a batch begins after a minute. ``plain`` runs in
real time; the others ten times as fast, as they count pages, not seconds.

Usage: python -m benchmarks.rival [PART …] [--copies 10]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks._common import print_parts, table
from benchmarks._paid import BUCKET, PROCESSOR, Place, load, place

#: Requests a minute, those of a new project.
QUOTA = 120
#: A page of OCR after the month's free ones.
PAGE_USD = 0.0015
_HERE = Path(__file__).parents[1]
_PAID = ("--engine", "documentai", "--yes")
_BROKEN = b"%PDF-1.7\nthis was cut off while it was copied"


@dataclass(frozen=True)
class Way:
    """One way of doing the work, in a place of its own."""

    name: str
    at: Place

    def start(self, *, again: bool = False) -> subprocess.Popen[bytes]:
        """Give the command; ``again`` after it was killed.

        docdask never spends more than the price that was accepted, and what was in flight may have been billed: then it wants
        a new limit, as a user would have to give.
        """
        if self.name != "docdask":
            command = ["benchmarks._script", str(self.documents), BUCKET, PROCESSOR, str(self.database)]
        elif again:
            command = ["docdask.cli", "run", str(self.run), "--budget", "100000 pages"]
        else:
            command = ["docdask.cli", "run", str(self.documents), "--to", str(self.run), *_PAID]
        with self.log.open("ab") as log:
            return subprocess.Popen([sys.executable, "-m", *command], cwd=_HERE, stdout=log, stderr=log)

    @property
    def documents(self) -> Path:
        return self.at.folder / "documents"

    @property
    def run(self) -> Path:
        return self.at.folder / "run"

    @property
    def database(self) -> Path:
        return self.at.folder / "lines.duckdb"

    @property
    def log(self) -> Path:
        return self.at.folder / "log.txt"

    def tables(self) -> tuple[int, int]:
        """Documents with lines in the tables, and how many of them are there twice, line for line."""
        import duckdb

        if self.name == "docdask":
            if not any(self.run.glob("tables/lines/*.parquet")):
                return 0, 0
            lines = f"(SELECT document_id AS uri, page_number AS page, text FROM '{self.run}/tables/lines/*.parquet')"
            where = ":memory:"
        else:
            lines, where = "lines", str(self.database)
            if not self.database.exists():
                return 0, 0
        times = f"SELECT uri, count(*) AS times FROM {lines} GROUP BY uri, page, text"
        twice = f"SELECT uri FROM ({times}) GROUP BY uri HAVING min(times) > 1"
        with duckdb.connect(where, read_only=where != ":memory:") as database:
            return (
                _one(database, f"SELECT count(DISTINCT uri) FROM {lines}"),
                _one(database, f"SELECT count(*) FROM ({twice})"),
            )


def _one(database: Any, query: str) -> int:
    return int(database.execute(query).fetchone()[0])


def _billed(at: Place) -> int:
    return int(at.emulator.stats()["pages_billed"])


WAYS = ("docdask", "the script")
_HEAD = (
    "",
    "ended",
    "s",
    "pages billed",
    "at $1.50 for 1,000",
    "documents in the tables",
    "there twice",
)


def _row(way: Way, what: str, ended: str, took_s: float) -> tuple[str, ...]:
    documents, twice = way.tables()
    pages = _billed(way.at)
    return (
        what,
        ended,
        f"{took_s:.0f}",
        f"{pages:,}",
        f"${pages * PAGE_USD:.2f}",
        f"{documents:,}",
        f"{twice:,}",
    )


def _ended(code: int) -> str:
    return "well" if code == 0 else f"with code {code}"


def _samples(at: Place, copies: int) -> None:
    import docdask

    docdask.samples(at.folder / "documents", copies=copies)


def plain(options: argparse.Namespace) -> str:
    """Nothing goes wrong."""
    found = _once(options.copies)
    return f"{12 * options.copies} documents, in real time; {load()}\n\n{table(found)}"


def bad(options: argparse.Namespace) -> str:
    """A file is broken."""
    found = _once(options.copies, speed=options.speed, broken=True)
    return f"{12 * options.copies} documents and a broken one, {options.speed:g} times as fast; {load()}\n\n{table(found)}"


def _once(copies: int, *, speed: float = 1.0, broken: bool = False) -> list[tuple[str, ...]]:
    """Each way does all of it, once."""
    rows: list[tuple[str, ...]] = [_HEAD]
    for name in WAYS:
        with place(quota=QUOTA, latency="google", speed=speed) as at:
            _samples(at, copies)
            if broken:
                (at.folder / "documents" / "broken.pdf").write_bytes(_BROKEN)
            way, began = Way(name, at), time.perf_counter()
            code = way.start().wait()
            rows.append(_row(way, name, _ended(code), time.perf_counter() - began))
    return rows


def killed(options: argparse.Namespace) -> str:
    """``kill -9`` when half is billed, then on."""
    rows: list[tuple[str, ...]] = [_HEAD]
    for name in WAYS:
        with place(quota=QUOTA, latency="google", speed=options.speed) as at:
            _samples(at, options.copies)
            half = options.copies * 34 // 2  # the twelve have 34 pages
            way, began = Way(name, at), time.perf_counter()
            process = way.start()
            while process.poll() is None and _billed(at) < half:
                time.sleep(0.05)
            _kill(process)
            rows.append(_row(way, f"{name}, killed", "", time.perf_counter() - began))
            began = time.perf_counter()
            code = way.start(again=True).wait()
            rows.append(_row(way, f"{name}, again", _ended(code), time.perf_counter() - began))
    return f"{12 * options.copies} documents, {options.speed:g} times as fast; {load()}\n\n{table(rows)}"


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and those it started, as a power cut would."""
    if process.poll() is None:
        for one in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]:
            one.kill()
    process.wait()


PARTS = {"plain": plain, "bad": bad, "killed": killed}


def main() -> None:
    """Measure the parts that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--copies", type=int, default=10)
    parser.add_argument("--speed", type=float, default=10.0)
    os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    print_parts(PARTS, parser)


if __name__ == "__main__":
    main()
