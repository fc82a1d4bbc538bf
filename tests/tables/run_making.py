"""Runs for the tests of tables and results: Documents, facts, plan rows, and a whole small run directory."""

from __future__ import annotations

import dataclasses

import pyarrow as pa

from docdask.core.ledger import Record
from docdask.core.routes import Configuration, Place, Processor, Route
from docdask.core.spec import BudgetSpec
from docdask.model import Facts
from docdask.service.message import new
from docdask.store import paidrun
from docdask.store.catalog import to_table
from docdask.store.ledger import open_writer
from docdask.store.manifest import Manifest
from docdask.store.run import RunDirectory
from docdask.tables import build

START_NS = 1_800_000_000_000_000_000


def message(*texts, first=1, confidence=0.5):
    """Document message with a page a text, its words as tokens and all of it as one line."""
    document = new()
    for number, text in enumerate(texts, first):
        start = len(document.text)
        document.text += f"{text}\n"
        page = document.pages.add(page_number=number)
        page.dimension.width, page.dimension.height, page.dimension.unit = 600, 800, "pixels"
        page.detected_languages.add(language_code="en", confidence=0.9)
        place(page.layout, start, len(document.text))
        if text:
            place(page.lines.add().layout, start, len(document.text), (0.1, 0.2, 0.9, 0.25), confidence)
        at = start
        for word in text.split(" ") if text else ():
            place(page.tokens.add().layout, at, at + len(word) + 1, (0.1, 0.2, 0.3, 0.25), confidence)
            at += len(word) + 1
    return document


def place(layout, start, end, box=None, confidence=0.0):
    """Point a layout at its text, and at its place on the page."""
    layout.text_anchor.text_segments.add(start_index=start, end_index=end)
    layout.confidence = confidence
    if box:
        x0, y0, x1, y1 = box
        for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1)):
            layout.bounding_poly.normalized_vertices.add(x=x, y=y)


def facts(unit_id, document_id="a", first_page=1, pages=1, **changes):
    """Facts of a call that went well."""
    made = Facts(
        unit_id=unit_id, document_id=document_id, first_page=first_page, pages=pages, engine="offline/1",
        processor="offline", processor_version="1", worker="w-0", attempt=1, queued_at_ns=START_NS,
        started_at_ns=START_NS + 10**9, ended_at_ns=START_NS + 3 * 10**9, seconds=2.0, request_bytes=10,
        response_bytes=20, code="OK",
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


def failed(unit_id, document_id="a", **changes):
    """Facts of a call that failed for good."""
    told = {"code": "corrupt", "reason": "it is broken", "remedy": "mend it"} | changes
    return facts(unit_id, document_id, **told)


def planned(document_id="a", unit_ids=("u",), **columns):
    """Row of the plan."""
    return {
        "partition": 0, "document_id": document_id, "uri": f"/in/{document_id}.pdf", "name": f"{document_id}.pdf",
        "sha256": f"hash of {document_id}", "mime_type": "application/pdf", "group": "pdf", "action": None, "pages": 1,
        "ranges": [], "unit_ids": list(unit_ids), "expected_seconds": 1.0, "size_bytes": 1000, "kind": "letter",
        "kind_confidence": 0.9, "problem": None, "reason": None, "remedy": None, "columns": None, **columns,
    }  # fmt: skip


def one(document, row=None, **options):
    """Tables of a single document that was recognised in one call."""
    row = row or planned()
    notes = options.pop("notes", {})
    stored = document if isinstance(document, bytes) else document.SerializeToString()
    made = facts("u", row["document_id"], notes=notes, processor=options.pop("processor", "offline"))
    return build.build([row], {"u": (made, stored)}, 0, **options)


class SmallRun:
    """A run directory that a test fills document by document."""

    def __init__(self, url, manifest=None):
        self.run = RunDirectory.create(url, manifest or Manifest("offline", "1"))
        self.rows = []

    def found(self, *rows):
        """Add catalog rows: planned ones as ready, others as they are."""
        known = to_table([]).schema.names
        self.run.append_catalog(
            to_table([{k: v for k, v in {"state": "ready", **row}.items() if k in known} for row in rows])
        )

    def planned(self, *rows):
        """Find and plan documents."""
        self.found(*rows)
        generation = len(self.run.generations())
        self.run.append_plan(generation, pa.Table.from_pylist(list(rows)), {})

    def recognised(self, partition, made, document):
        """Store the result of a unit."""
        stored = document if document is None or isinstance(document, bytes) else document.SerializeToString()
        self.run.results().put(partition, made, stored)

    def tabulate(self, partition, **options):
        """Write the tables of a partition from what is stored."""
        rows = [row for row in self.run.plan(current=True).to_pylist() if row["partition"] == partition]
        with self.run.results().mapping(partition) as results:
            build.write(self.run, partition, build.build(rows, results, partition, **options))


def configuration(**changes):
    """What a run through an emulator is configured with: one OCR processor in two places."""
    places = tuple(
        Place(location, f"projects/p/locations/{location}/processors/ocr", "v1") for location in ("us", "eu")
    )
    processors = {"ocr": Processor("ocr", "OCR_PROCESSOR", places)}
    values = {"project": "p", "location": "us", "routes": (Route("all", processor="ocr"),), "emulated": True}
    return Configuration(processors=processors, **{**values, **changes})


def make_paid(run, *, pages=None, micros=None, **changes):
    """Make a run one that is paid, with the budget that was accepted."""
    made = configuration(**changes)
    paidrun.configure(run, made, {})
    if pages is not None or micros is not None:
        paidrun.accept(run, BudgetSpec(pages, micros))


def record(sequence, kind, unit="u", fence=1, *, pages=1, micros=1500, **more):
    """Record of the ledger."""
    values = {
        "epoch": 1, "attempt": 1, "run": "r", "semaphore": "documentai/p", "endpoint": "us/ocr", "worker": "w-0",
        "code": "OK" if kind == "answered" else "", "at_utc_ns": START_NS + sequence * 10**9,
    } | more  # fmt: skip
    return Record(sequence=sequence, kind=kind, unit=unit, fence=fence, pages=pages, micros=micros, **values)


def ledger(url, *records, epoch=1):
    """Write a segment of a run's ledger."""
    writer = open_writer(url, epoch)
    writer.append([r._replace(epoch=epoch) for r in records])
    writer.close()
