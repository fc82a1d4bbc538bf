"""Three plans for 200,000 invoices at a new project's quota: a call each, in batches, and packed for OCR.

The catalog is made up (PDFs, eight in ten of one page, the others of two or three); the plans are what ``docdask plan``
says. docs/large-pile.md shows them.

Usage: python -m benchmarks.large_pile [DOCUMENTS]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

#: Title → alias and type of the processor, bucket for batches.
WAYS = {
    "the invoice parser, a call each": ("invoice", "INVOICE_PROCESSOR", ""),
    "the invoice parser, with a bucket for batches": ("invoice", "INVOICE_PROCESSOR", "gs://bucket/docdask"),
    "OCR, packed, with a bucket for batches": ("ocr", "OCR_PROCESSOR", "gs://bucket/docdask"),
}


def catalog(folder: str, documents: int) -> None:
    """Write the catalog of the pile."""
    import numpy as np
    import pyarrow as pa

    from docdask.store.catalog import CATALOG
    from docdask.store.manifest import Manifest
    from docdask.store.run import RunDirectory

    rng = np.random.default_rng(0)
    pages = rng.choice([1, 2, 3], documents, p=[0.8, 0.15, 0.05])
    columns: dict[str, Any] = {
        "document_id": [f"{n:016x}" for n in range(documents)],
        "uri": [f"/srv/invoices/{n // 1000:04d}/{n:06d}.pdf" for n in range(documents)],
        "name": [f"{n:06d}.pdf" for n in range(documents)],
        "size_bytes": rng.integers(20_000, 400_000, documents),
        "version": ["1"] * documents,
        "sha256": [rng.bytes(32).hex() for _ in range(documents)],
        "mime_type": ["application/pdf"] * documents,
        "pages": pages,
        "text_pages": np.where(rng.random(documents) < 0.5, 0, pages),
        "max_pixels": np.zeros(documents, np.int64),
        "kind": ["invoice"] * documents,
        "kind_confidence": np.full(documents, 0.9),
        "group": ["pdf"] * documents,
        "state": ["ready"] * documents,
        "unit": ["points"] * documents,
    }
    offsets = pa.array(np.concatenate([[0], np.cumsum(pages)]).astype(np.int32))
    for side, points in (("widths", 595.0), ("heights", 842.0)):
        columns[side] = pa.ListArray.from_arrays(offsets, pa.array(np.full(pages.sum(), points, np.float32)))
    arrays = [
        pa.array(columns[field.name]).cast(field.type)
        if field.name in columns
        else pa.nulls(documents, field.type)
        for field in CATALOG
    ]
    run = RunDirectory.create(folder, Manifest("offline", "1", {}, tokens=False))
    run.append_catalog(pa.table(arrays, schema=CATALOG))


def plan(folder: str, alias: str, kind: str, staging: str) -> str:
    """Plan what the catalog has; returns what ``docdask plan`` would say."""
    from docdask.core.planner import Speed
    from docdask.core.routes import Configuration, Place, Processor, Route
    from docdask.engine import planning
    from docdask.monitor.views import Plan
    from docdask.service import base
    from docdask.store.run import RunDirectory

    processor = Processor(alias, kind, (Place("us", f"projects/p/locations/us/processors/{alias}", "v1"),))
    routes = (Route("all", processor=alias),)
    configuration = Configuration("my-project", "us", {alias: processor}, routes, staging=staging)
    summary = planning.append(
        RunDirectory.open(folder), base.load("docdask.service.dummy:NothingEngine"), Speed(0.01, 0.03, 1.5), 2,
        configuration=configuration, facts={"engine": "documentai/1", "engine_note": "", "speed_note": ""},
    )  # fmt: skip
    return str(Plan(folder, summary))


def main(documents: int = 200_000) -> str:
    """Plan the pile in three ways; returns the plans as text."""
    told = []
    for title, way in WAYS.items():
        with tempfile.TemporaryDirectory(prefix="docdask-bench-") as folder:
            run = str(Path(folder) / "run")
            catalog(run, documents)
            told.append(f"{title}:\n\n```text\n{plan(run, *way)}\n```")
    return "\n\n".join(told)


if __name__ == "__main__":
    print(main(*map(int, sys.argv[1:])))
