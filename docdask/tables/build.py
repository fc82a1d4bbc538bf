"""From stored results to the rows of one partition.

Rules:

1. A document is *stored* if all of its units have a Document; *quarantined* if one of them failed for good, with that
   unit's reason; else it is pending and has no row in ``documents`` (its calls have theirs).
2. What an engine returned and no reader understands is a failure for good too (``bad-answer``), of that document only.
3. The guess of a document's kind is refined with the recognised text where the scan was not sure; a text layer told it all it has to tell.
4. The user's own columns travel as one JSON text, ``columns``, and become columns when they are written
   (:mod:`docdask.tables.write`), because only the whole run knows their names and dtypes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from docdask.errors import DocdaskError
from docdask.store.results import Loaded
from docdask.tables import invoices, schema, stored
from docdask.tables.entities import read_entities
from docdask.tables.rows import DocumentRows, read_pages
from docdask.tables.write import PACKED, WITH_COLUMNS, decided, drop, write, write_documents

__all__ = ["build", "decided", "drop", "duplicates", "set_aside", "write", "write_documents"]

#: Below this the scan's guess of a kind is checked against the recognised text.
SURE = 0.5

Row = Mapping[str, Any]

#: Columns of ``documents`` that a row of the catalog or the plan answers.
_GIVEN = ("document_id", "uri", "name", "sha256", "size_bytes", "mime_type", "kind", "kind_confidence", "pages", "problem",
          "reason", "remedy", "action", "columns")  # fmt: skip


def build(
    documents: Iterable[Row], results: Mapping[str, Loaded], partition: int, *, tokens: bool = False
) -> dict[str, pa.Table]:
    """Every table of one partition.

    Parameters
    ----------
    documents
        Rows of the plan (:data:`docdask.store.plan.PLAN`), one a document.
    results
        Unit id → facts and serialised Document; :meth:`docdask.store.results.Results.mapping`.
    partition
        Number of the branch.
    tokens
        Whether to make the table ``tokens``.

    Returns
    -------
    dict
        Table name → table, in the order in which they are to be written; ``documents`` last. Columns as in
        :mod:`docdask.tables.schema`; ``documents`` and ``invoices`` have one more, ``columns``.
    """
    collected: dict[str, list[tuple[Any, ...]]] = {}
    for row in documents:
        loaded = [found for unit in row["unit_ids"] or () if (found := results.get(unit)) is not None]
        rows = _document(row, loaded, partition, tokens=tokens)
        for name, more in rows.tables.items():
            collected.setdefault(name, []).extend(more)
    return {
        table.name: _table(table, collected.get(table.name, []))
        for table in schema.STORED
        if tokens or table.name != "tokens"
    }


def set_aside(rows: Iterable[Row]) -> pa.Table:
    """Rows of ``documents`` for what the scan quarantined or skipped.

    Parameters
    ----------
    rows
        Rows of the catalog with ``state`` quarantined or skipped.
    """
    found = [
        {
            **{name: row.get(name) for name in _GIVEN},
            "outcome": row["state"],
            "cost_usd": 0.0,
            "seconds": 0.0,
            "finished_at": row.get("inspected_at"),
        }
        for row in rows
        if row["state"] in {"quarantined", "skipped"}
    ]
    return _documents(found)


def duplicates(rows: Iterable[Row], originals: Any) -> pa.Table:
    """Rows of ``documents`` for files with the same bytes as another, with that one's outcome.

    Parameters
    ----------
    rows
        Rows of the catalog, each with ``duplicate_of``: the document that was done instead.
    originals
        ``documents`` so far, as an Arrow table or a pandas frame.

    Returns
    -------
    pyarrow.Table
        A row for each whose original is decided. Nothing was spent on it: cost and seconds are 0.
    """
    known = schema.DOCUMENTS.schema
    if not isinstance(originals, pa.Table):
        originals = pa.Table.from_pandas(originals[known.names], schema=known, preserve_index=False)
    by_id = {
        row["document_id"]: row
        for row in originals.select(known.names).to_pylist()
        if row["duplicate_of"] is None
    }
    own = ("document_id", "uri", "name", "size_bytes", "columns")
    found = [
        {
            **original,
            **{name: row.get(name) for name in own},
            "duplicate_of": row["duplicate_of"],
            "cost_usd": 0.0,
            "seconds": 0.0,
        }
        for row in rows
        if (original := by_id.get(row["duplicate_of"])) is not None
    ]
    return _documents(found)


def _document(row: Row, loaded: list[Loaded], partition: int, *, tokens: bool) -> DocumentRows:
    """Rows of one document in all tables."""
    failed = next((facts for facts, document in loaded if document is None and facts.permanent), None)
    complete = bool(loaded) and len(loaded) == len(row["unit_ids"]) and all(d is not None for _, d in loaded)
    rows = DocumentRows(row["document_id"])
    given: dict[str, Any] = {}
    if failed is not None:
        given = {
            "outcome": "quarantined", "problem": failed.code, "reason": failed.reason or None, "remedy": failed.remedy or None,
        }  # fmt: skip
    elif complete:
        try:
            _read(rows, loaded, tokens=tokens)
            given = {"outcome": "stored", **_told(row, rows)}
        except Exception as error:  # noqa: BLE001 - an engine's answer is input: bad input never ends a branch
            rows = DocumentRows(row["document_id"])
            given = _bad_answer(error)
    kind = given.get("kind", row.get("kind"))
    _add_calls(rows, row, kind, loaded, partition)
    if given:
        if given["outcome"] == "stored":
            _add_invoice(rows, row, kind, loaded)
        spent = _spent(loaded) | {"partition": partition}
        values = {**{name: row.get(name) for name in _GIVEN}, **given, **spent}
        rows.add("documents", tuple(values.get(name) for name in _DOCUMENT_NAMES[1:]))
    return rows


def _read(rows: DocumentRows, loaded: list[Loaded], *, tokens: bool) -> None:
    """Read the Document that the units give together."""
    notes: dict[str, Any] = {}
    for facts, _ in loaded:
        for key, value in facts.notes.items():
            if isinstance(value, dict):
                notes[key] = {**notes.get(key, {}), **value}
    document = stored.whole(loaded)
    read_pages(document, rows, notes, tokens=tokens)
    read_entities(document, rows)


def _told(row: Row, rows: DocumentRows) -> dict[str, Any]:
    """Values of ``documents`` that the recognised document tells."""
    kind, sure = _kind(row, rows)
    return {
        "kind": kind,
        "kind_confidence": sure,
        "pages": rows.pages or row.get("pages"),
        "mean_confidence": rows.mean.value,
        "languages": ",".join(sorted(rows.languages, key=lambda code: -rows.languages[code])),
        "characters": rows.characters,
    }


def _kind(row: Row, rows: DocumentRows) -> tuple[str | None, float | None]:
    """Kind and confidence; the recognised text's guess where it is the surer one."""
    before, sure = row.get("kind"), row.get("kind_confidence")
    if (sure or 0.0) >= SURE or not rows.recognised or not rows.text.strip():
        return before, sure
    from docdask.intake.kinds import guess

    image = (row.get("mime_type") or "").startswith("image/")
    now, surer = guess(
        rows.text, pages=max(rows.pages, 1), width=rows.width, height=rows.height, is_image=image
    )
    return (now, surer) if surer > (sure or 0.0) else (before, sure)


def _bad_answer(error: Exception) -> dict[str, Any]:
    detail = " ".join((error.message if isinstance(error, DocdaskError) else str(error)).split())[:200]
    return {
        "outcome": "quarantined",
        "problem": "bad-answer",
        "reason": f"what the engine returned can't be read: {detail or type(error).__name__}",
        "remedy": "report it to the makers of the engine, with its version",
    }


def _spent(loaded: list[Loaded]) -> dict[str, Any]:
    """Values of ``documents`` that the calls tell."""
    facts = [f for f, _ in loaded]
    if not facts:
        return {}
    last = facts[-1]
    return {
        "engine": last.engine,
        "processor": last.processor,
        "processor_version": last.processor_version,
        "cost_usd": sum(f.cost_usd for f in facts),
        "seconds": sum(f.seconds for f in facts),
        "finished_at": max(f.ended_at_ns for f in facts) // 1000,
    }


def _add_calls(rows: DocumentRows, row: Row, kind: Any, loaded: list[Loaded], partition: int) -> None:
    for f, _ in loaded:
        rows.add(
            "calls",
            (
                f.unit_id, f.first_page, f.pages, row.get("mime_type"), kind, row.get("group"), f.engine, f.processor,
                f.processor_version, f.worker, partition, f.attempt, f.queued_at_ns // 1000, f.started_at_ns // 1000,
                f.ended_at_ns // 1000, f.seconds, f.request_bytes, f.response_bytes, f.code, f.cost_usd,
                *_sent(f.notes),
            ),
        )  # fmt: skip


def _sent(notes: Mapping[str, Any]) -> tuple[str | None, str | None, int | None]:
    """Endpoint, lane and units of the request that a unit was in; nothing of these offline."""
    if "endpoint" not in notes:
        return None, None, None
    return notes["endpoint"], notes.get("lane", "online"), notes.get("packed", 1)


def _add_invoice(rows: DocumentRows, row: Row, kind: Any, loaded: list[Loaded]) -> None:
    own = invoices.kind_of(kind, {f.processor for f, _ in loaded})
    if own is None:
        return
    values = {
        **invoices.read_invoice(rows.tables.get("entities", [])),
        "uri": row["uri"],
        "kind": own,
        "pages": rows.pages,
        "columns": row.get("columns"),
    }
    rows.add("invoices", tuple(values.get(name) for name in _INVOICE_NAMES[1:]))


def _in_memory(table: schema.Table) -> pa.Schema:
    """Schema of a table between building and writing."""
    own: pa.Schema = table.schema
    return own.append(pa.field(PACKED, pa.string())) if table.name in WITH_COLUMNS else own


_SCHEMAS = {table.name: _in_memory(table) for table in schema.STORED}
_DOCUMENT_NAMES = _SCHEMAS["documents"].names
_INVOICE_NAMES = _SCHEMAS["invoices"].names


def _table(table: schema.Table, rows: list[tuple[Any, ...]]) -> pa.Table:
    own = _SCHEMAS[table.name]
    if not rows:
        return own.empty_table()
    arrays = [
        pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), own, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=own)


def _documents(rows: list[dict[str, Any]]) -> pa.Table:
    return _table(schema.DOCUMENTS, [tuple(row.get(name) for name in _DOCUMENT_NAMES) for row in rows])
