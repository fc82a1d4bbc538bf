"""What the benchmarks share: piles of small documents, CPU of process trees, a table to print, parts to choose."""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil

from docdask import settings
from docdask.engine.clusters import local
from docdask.settings import Settings

_PDF = (
    "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>endobj\n"
    "4 0 obj<</Length {length}>>stream\n{text}\nendstream endobj\n"
    "5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\n"
)


def small_pdfs(folder: Path, count: int) -> None:
    """``count`` one-page PDFs of some 600 bytes whose contents differ."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        text = f"BT /F 12 Tf 72 720 Td (Letter number {number} with a line that anybody can read.) Tj ET"
        body = _PDF.format(length=len(text), text=text).encode()
        offsets = [body.index(f"{n} 0 obj".encode()) for n in range(1, 6)]
        xref = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
        tail = f"xref\n0 6\n0000000000 65535 f \n{xref}trailer<</Size 6/Root 1 0 R>>\nstartxref\n{len(body)}\n%%EOF\n"
        (folder / f"{number:06d}.pdf").write_bytes(body + tail.encode())


@contextlib.contextmanager
def machine(workers: int = 0) -> Iterator[tuple[Settings, Path]]:
    """Settings and a folder that are gone afterwards, with the cluster that was started."""
    with tempfile.TemporaryDirectory(prefix="docdask-bench-") as folder:
        os.environ["DOCDASK_STATE"] = str(Path(folder) / "state")
        made = settings.load(idle_s=30, dashboard_port=0, workers=workers or None)
        try:
            yield made, Path(folder)
        finally:
            local.stop(made)


def cpu_s(process: psutil.Process) -> float:
    """CPU seconds of a process and the children it has waited for."""
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def peak_mib() -> float:
    """Largest resident size of this process so far, MiB.

    From ``VmHWM``: ``ru_maxrss`` of a child starts at the size of the process that forked it.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise OSError("no VmHWM here: run this benchmark on Linux")


def print_parts(
    parts: Mapping[str, Callable[[argparse.Namespace], str]], parser: argparse.ArgumentParser
) -> None:
    """Measure the parts that are named on the command line, or all; print each under its name."""
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(parts))
    options = parser.parse_args()
    if unknown := set(options.parts) - set(parts):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(parts)}")
    for name in options.parts or parts:
        print(f"## {name}\n\n{parts[name](options)}\n", flush=True)


def table(rows: list[tuple[str, ...]]) -> str:
    """Rows as Markdown; the first is the head."""
    head, *body = rows
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in body]
    return "\n".join(lines)
