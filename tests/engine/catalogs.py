"""Catalogs and configurations that are made up, for tests of the plan: nothing is read and nothing is called."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from docdask.core.planner import Speed
from docdask.core.routes import Configuration, Place, Processor, Route
from docdask.model import document_id
from docdask.service.dummy import NothingEngine
from docdask.store.catalog import to_table
from docdask.store.manifest import Manifest
from docdask.store.run import RunDirectory

SPEED = Speed(document_s=0.01, text_page_s=0.03, ocr_page_s=1.5)
ENGINE = NothingEngine()

TYPES = {
    "ocr": "OCR_PROCESSOR",
    "form": "FORM_PARSER_PROCESSOR",
    "invoice": "INVOICE_PROCESSOR",
    "extractor": "CUSTOM_EXTRACTION_PROCESSOR",
    "expense": "EXPENSE_PROCESSOR",
    "statement": "BANK_STATEMENT_PROCESSOR",
}
ROUTES = (
    Route("invoices", processor="invoice", kind="invoice"),
    Route("forms", processor="form", kind="form"),
    Route("own", engine="offline", processor="ocr", text_layer=True, escalate_below=0.85),
    Route("rest", processor="ocr"),
)


def processor(alias: str, *locations: str, **more: Any) -> Processor:
    """Processor of the type that ``alias`` stands for."""
    places = tuple(
        Place(location, f"projects/p/locations/{location}/processors/{alias}", "v1")
        for location in locations or ("us",)
    )
    return Processor(alias, TYPES[alias], places, **more)


def configuration(*routes: Route, processors: Iterable[Processor] = (), **more: Any) -> Configuration:
    """Four routes in ``us`` unless others are given."""
    known = {alias: processor(alias) for alias in TYPES} | {row.alias: row for row in processors}
    return Configuration("p", "us", known, routes or ROUTES, **more)


def row(name: str, **more: Any) -> dict[str, Any]:
    """One document of a catalog: a letter of one page unless said otherwise."""
    uri = f"/pile/{name}"
    known = {
        "document_id": document_id(uri),
        "uri": uri,
        "name": name,
        "sha256": hashlib.sha256(uri.encode()).hexdigest(),
        "mime_type": "application/pdf",
        "group": "pdf",
        "size_bytes": 50_000,
        "pages": 1,
        "text_pages": 0,
        "kind": "letter",
        "state": "ready",
    }
    return {**known, **more}


def run(folder: Path, rows: Iterable[Mapping[str, Any]]) -> RunDirectory:
    """Run directory with that catalog."""
    made = RunDirectory.create(str(folder), Manifest("offline", "1", {}, tokens=False))
    made.append_catalog(to_table(rows))
    return made
