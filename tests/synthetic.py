"""Frames as the tables' schema has them, made from a seed: what ``Result`` hands to charts and report."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa

from docdask.tables import schema
from docdask.tables.requests import COLUMNS

START = datetime(2026, 5, 31, 14, 3, tzinfo=UTC)
HOSTILE = [
    "a" * 300 + ".pdf", "<b>bold</b> & <script>alert(1)</script>.pdf", "two\nlines\tand\x00a null.pdf", "😀 party 🎉.png",
    "فاتورة رقم 12 (نسخة).pdf", "חשבונית 2024-05.pdf", "चालान क्षेत्र.pdf", "ใบแจ้งหนี้.pdf", "請求書_東京.pdf", "发票 二〇二六.pdf",
    "Счёт-фактура №7.pdf", "Τιμολόγιο.pdf", "청구서.pdf", "  ", "\u202egnp.exe", "$x^2$ %s {0}.pdf", "𒀀𒀁.pdf", "‰Žluťoučký.pdf",
]  # fmt: skip
REASONS = [
    ("encrypted", "The file is encrypted and no password opens it", "Give its password with --password, or --passwords FILE"),
    ("corrupt", "The PDF's cross-reference table is broken & its trailer is missing; repairing it with qpdf found no pages at all, not even one", "Ask for the file again"),
    ("timeout", "Reading it took more than 60 s", ""),
]  # fmt: skip


def frame(table, rows):
    """Rows as a frame with exactly the schema's columns and types, numpy-backed as read_parquet gives them."""
    arrow = pa.Table.from_pylist(
        [{n: row.get(n) for n in table.schema.names} for row in rows], schema=table.schema
    )
    return arrow.to_pandas()


def backed(data, backend):
    """The same frame with another backend of dtypes."""
    return data.convert_dtypes(dtype_backend=backend) if backend != "numpy" else data


def documents(count, seed=0, *, hostile=False):
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(count):
        name = HOSTILE[i % len(HOSTILE)] if hostile else f"invoice-{i:05d}.pdf"
        image = i % 4 == 3
        row = {
            "document_id": f"{i:016x}", "uri": f"/data/{i % 7}/{name}", "name": name, "size_bytes": int(rng.integers(2e4, 9e6)),
            "mime_type": "image/png" if image else "application/pdf", "kind": ["invoice", "receipt", "letter", "form"][i % 4],
            "outcome": "stored", "pages": int(rng.integers(1, 9)), "engine": "offline/1", "processor": "offline",
            "processor_version": "1", "cost_usd": 0.0, "partition": i // 50,
        }  # fmt: skip
        if i % 11 == 5:
            problem, reason, remedy = REASONS[(i // 11) % len(REASONS)]
            row |= {"outcome": "quarantined", "problem": problem, "reason": reason, "remedy": remedy or None}
        elif i % 37 == 9:
            row |= {
                "outcome": "skipped",
                "problem": "type",
                "reason": "Word documents are no PDF or image",
                "remedy": "Save it as PDF",
            }
        else:
            row |= {
                "mean_confidence": float(0.55 + 0.449 * rng.beta(6, 1)),
                "characters": 2000,
                "seconds": 1.0,
            }
        rows.append(row)
    return frame(schema.DOCUMENTS, rows)


def pages(docs):
    rng = np.random.default_rng(1)
    stored = docs[docs["outcome"] == "stored"]
    rows = [
        {"document_id": d, "page_number": p + 1, "width": 595.0, "height": 842.0, "unit": "points", "characters": 900,
         "source": "ocr" if p % 3 else "text-layer", "mean_confidence": float(min(1, c + rng.normal(0, 0.03))) if p % 7 else None}
        for d, n, c in zip(stored["document_id"], stored["pages"], stored["mean_confidence"], strict=True)
        for p in range(int(n))
    ]  # fmt: skip
    return frame(schema.PAGES, rows)


def calls(docs, workers=4):
    rng = np.random.default_rng(2)
    free = [0.0] * workers
    rows = []
    for i, row in enumerate(docs[docs["outcome"] != "skipped"].itertuples()):
        worker = int(np.argmin(free))
        seconds = float(rng.gamma(2.0, 0.35) * row.pages + 0.05)
        begin = free[worker] + 0.02
        free[worker] = begin + seconds
        rows.append({
            "document_id": row.document_id, "unit_id": f"{i:032x}", "first_page": 1, "pages": row.pages, "mime_type": row.mime_type,
            "kind": row.kind, "group": "image" if "image" in row.mime_type else "pdf", "engine": "offline/1", "processor": "offline",
            "processor_version": "1", "worker": f"tcp://127.0.0.1:{40000 + worker}", "partition": row.partition, "attempt": 1,
            "queued_at": START, "started_at": START + timedelta(seconds=begin), "ended_at": START + timedelta(seconds=free[worker]),
            "seconds": seconds, "request_bytes": 10_000, "response_bytes": 20_000,
            "code": "OK" if row.outcome == "stored" else "TIMEOUT", "cost_usd": 0.0,
        })  # fmt: skip
    return frame(schema.CALLS, rows)


def requests(docs, quota=120):
    """A request a document, as the ledger of a run would tell: at the pace of the quota, some refused, one without an end."""
    stored = docs[docs["outcome"] == "stored"]
    rows = []
    for i, row in enumerate(stored.itertuples()):
        sent = START + timedelta(seconds=60 * i / quota)
        group = ["us OCR_PROCESSOR", "us INVOICE_PROCESSOR"][i % 2]
        outcome = "open" if i == len(stored) - 1 else "refused" if i % 7 == 3 else "answered"
        rows.append((
            f"{i:032x}", 1, "us/ocr", "online", "w-0", row.pages, 0.0015 * row.pages, outcome, "", sent, sent + timedelta(seconds=1),
            group, quota, 60.0,
        ))  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def paid(summary, pages, usd):
    """The summary of a run that was paid for."""
    return {
        **summary, "billing": "EMULATED: nothing billed", "pages_paid": pages, "cost_usd": usd, "pages_at_risk": 12,
        "cost_at_risk_usd": 0.018, "budget": {"pages": pages + 20, "usd": None},
    }  # fmt: skip


def invoices(docs):
    rng = np.random.default_rng(3)
    chosen = docs[(docs["outcome"] == "stored") & docs["kind"].isin(["invoice", "receipt"])]
    rows = [
        {"document_id": r.document_id, "uri": r.uri, "kind": r.kind, "supplier": r.name[:40], "total": None if i % 9 == 8 else float(rng.uniform(5, 4000)),
         "net": 1.0, "tax": 0.2, "currency": [None, "EUR", "USD", "JPY"][i % 4], "pages": r.pages, "confidence": 0.9}
        for i, r in enumerate(chosen.itertuples())
    ]  # fmt: skip
    return frame(schema.INVOICES, rows)


def summary(docs, data):
    counts = docs["outcome"].value_counts() if len(docs) else {}
    wall = float((data["ended_at"].max() - data["started_at"].min()).total_seconds()) if len(data) else 0.0
    stored = int(counts.get("stored", 0))
    return {
        "run": "runs/june", "inputs": len(docs), "stored": stored, "quarantined": int(counts.get("quarantined", 0)),
        "skipped": int(counts.get("skipped", 0)), "pending": 0, "pages": int(docs["pages"].sum()) if len(docs) else 0,
        "wall_s": wall, "documents_per_hour": stored / wall * 3600 if wall else 0.0, "speedup": 3.9, "engine": "offline/1",
        "workers": 4, "started_at": START if len(docs) else None, "ended_at": START + timedelta(seconds=wall) if len(docs) else None,
        "docdask_version": "0.1.0", "machine": "Linux, 2 cores, 24 GB",
    }  # fmt: skip
