"""A full plan for a million documents that are in the catalog: seconds and peak memory, offline and with routes.

The catalog is made by one process, each plan by another, whose peak is its own (VmHWM). Document AI is configured with
four processors, four routes, packs and batches; prices, times and advice are worked out.

Usage: python -m benchmarks.plan_million [DOCUMENTS]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks._common import peak_mib, table

KINDS = ("invoice", "form", "letter", "report")


def catalog(folder: str, documents: int) -> None:
    """Write the catalog of a made-up pile: images and PDFs, most of them short, one in fifty of up to 120 pages."""
    import numpy as np
    import pyarrow as pa

    from docdask.store.catalog import CATALOG
    from docdask.store.manifest import Manifest
    from docdask.store.run import RunDirectory

    run = RunDirectory.create(folder, Manifest("offline", "1", {}, tokens=False))
    rng = np.random.default_rng(0)
    for start in range(0, documents, 50_000):
        count = min(50_000, documents - start)
        numbers = np.arange(start, start + count)
        image = rng.random(count) < 0.3
        long = rng.random(count) < 0.02
        pages = np.where(
            image, 1, np.where(long, rng.choice([8, 40, 120], count), rng.choice([1, 1, 2, 3], count))
        )
        columns: dict[str, Any] = {
            "document_id": [f"{n:016x}" for n in numbers],
            "uri": [f"/srv/archive/2026/letters-and-more/{n // 1000:04d}/{n:08d}.{'png' if i else 'pdf'}" for n, i in zip(numbers, image, strict=True)],
            "name": [f"{n:08d}" for n in numbers],
            "size_bytes": rng.integers(20_000, 400_000, count),
            "version": ["1"] * count,
            "sha256": [rng.bytes(32).hex() for _ in range(count)],
            "mime_type": np.where(image, "image/png", "application/pdf"),
            "pages": pages,
            "text_pages": np.where(image | (rng.random(count) < 0.5), 0, pages),
            "max_pixels": np.where(image, 2_000_000, 0),
            "kind": rng.choice(KINDS, count),
            "kind_confidence": rng.random(count),
            "group": np.where(image, "image", "pdf"),
            "state": ["ready"] * count,
        }  # fmt: skip
        offsets = np.concatenate([[0], np.cumsum(pages)]).astype(np.int32)
        for side, points in (("widths", 595.0), ("heights", 842.0)):
            values = np.full(offsets[-1], points, np.float32)
            columns[side] = pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))
        columns["unit"] = np.where(image, "pixels", "points")
        arrays = [
            _array(columns[field.name]).cast(field.type)
            if field.name in columns
            else pa.nulls(count, field.type)
            for field in CATALOG
        ]
        run.append_catalog(pa.table(arrays, schema=CATALOG))


def _array(column: Any) -> Any:
    import pyarrow as pa

    return column if isinstance(column, pa.Array) else pa.array(column)


def plan(folder: str, way: str) -> dict[str, Any]:
    """Plan what the catalog has, in this process."""
    from docdask.core.planner import Speed
    from docdask.core.routes import Configuration, Place, Processor, Route
    from docdask.engine import planning
    from docdask.service import base
    from docdask.store.run import RunDirectory

    def processor(alias: str, kind: str) -> Processor:
        return Processor(alias, kind, (Place("us", f"projects/p/locations/us/processors/{alias}", "v1"),))

    configuration = Configuration(
        "p", "us",
        {row.alias: row for row in (processor("ocr", "OCR_PROCESSOR"), processor("form", "FORM_PARSER_PROCESSOR"),
                                    processor("invoice", "INVOICE_PROCESSOR"))},
        (Route("invoices", processor="invoice", kind="invoice"), Route("forms", processor="form", kind="form"),
         Route("own", engine="offline", processor="ocr", text_layer=True, escalate_below=0.85),
         Route("rest", processor="ocr", path="/srv/*")),
        staging="gs://bucket/prefix", free_pages=0,
    )  # fmt: skip
    began, cpu_began = time.perf_counter(), time.process_time()
    summary = planning.append(
        RunDirectory.open(folder), base.load("docdask.service.dummy:NothingEngine"), Speed(0.01, 0.03, 1.5), 2,
        configuration=configuration if way == "routes" else None,
    )  # fmt: skip
    spent = time.perf_counter() - began
    return {
        "seconds": spent,
        "cpu_s": time.process_time() - cpu_began,
        "mib": peak_mib(),
        "requests": summary.get("requests", {}),
        **summary,
    }


def _child(*words: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.plan_million", *words]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(told.splitlines()[-1]) if told else {}


def main(documents: int) -> str:
    """Time both plans; returns the table."""
    rows = [("plan of", "s", "CPU s", "peak MiB", "partitions", "requests", "cost")]
    for way, title in (("offline", "the offline engine"), ("routes", "four routes, packs, batches")):
        with tempfile.TemporaryDirectory(prefix="docdask-bench-") as folder:
            _child("catalog", str(Path(folder) / "run"), str(documents))
            found = _child("plan", str(Path(folder) / "run"), way)
        requests = ", ".join(f"{count:,} {lane}" for lane, count in found["requests"].items())
        cost = f"${found['cost_usd']:,.2f}" if "cost_usd" in found else ""
        rows.append(
            (title, f"{found['seconds']:.1f}", f"{found['cpu_s']:.1f}", f"{found['mib']:,.0f}", f"{found['partitions']:,}", requests or "none", cost)
        )  # fmt: skip
    return f"{documents:,} documents in the catalog.\n\n{table(rows)}\n\nGoals: 60 s and 1,024 MiB."


if __name__ == "__main__":
    if sys.argv[1:2] == ["catalog"]:
        catalog(sys.argv[2], int(sys.argv[3]))
    elif sys.argv[1:2] == ["plan"]:
        print(json.dumps(plan(sys.argv[2], sys.argv[3])))
    else:
        print(main(int(sys.argv[1]) if sys.argv[1:] else 1_000_000))
