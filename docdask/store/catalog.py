"""The catalog: one row a document, as the scan found it. docs/scan.md explains it, docs/run-directory.md says where it is.

Rules: every input has exactly one latest row; a row is replaced by a later one of the same ``document_id``, never
edited; what is unknown is null. Page sizes are those of the upright page.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

_s, _i32, _i64, _f32, _f64, _b = pa.string(), pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.bool_()


def _field(name: str, kind: pa.DataType, unit: str, meaning: str) -> pa.Field:
    return pa.field(name, kind, metadata={"unit": unit, "description": meaning})


#: Arrow schema of the catalog, with unit and meaning of each column in the field's metadata.
CATALOG: pa.Schema = pa.schema(
    [
        _field("document_id", _s, "", "16 hexadecimal digits of a hash of the URI"),
        _field("uri", _s, "", "where it was read: absolute local path or fsspec URL"),
        _field("name", _s, "", "last part of the URI"),
        _field("size_bytes", _i64, "bytes", "size of the file"),
        _field("version", _s, "", "changes when the file changes: mtime in nanoseconds, ETag, generation, checksum"),
        _field("sha256", _s, "", "hash of its bytes, hexadecimal; null where it could not be read"),
        _field("mime_type", _s, "", "type told from the content, not from the name; null where it could not be read"),
        _field("pages", _i32, "pages", "pages or frames; null where they could not be counted"),
        _field("widths", pa.list_(_f32), "see unit", "width of each upright page"),
        _field("heights", pa.list_(_f32), "see unit", "height of each upright page"),
        _field("unit", _s, "", "unit of widths and heights: points or pixels"),
        _field("encrypted", _b, "", "the PDF is encrypted, also where it opens without a password"),
        _field("text_pages", _i32, "pages", "pages with a usable text layer; extrapolated for very long documents"),
        _field("max_pixels", _i64, "pixels", "pixels of its largest image frame; null for PDFs"),
        _field("kind", _s, "", "guess: invoice, receipt, form, letter, contract, table, report, …, other"),
        _field("kind_confidence", _f32, "0-1", "confidence of that guess"),
        _field("group", _s, "", "worker group: pdf or image; null if neither"),
        _field("state", _s, "", "ready, quarantined or skipped"),
        _field("problem", _s, "", "short code of what is wrong (kebab-case), also when mended; null if nothing"),
        _field("reason", _s, "", "the same for a person"),
        _field("remedy", _s, "", "what can be done about it"),
        _field("action", _s, "", "what docdask does before recognition: repaired, decrypted, both with a comma; or null"),
        _field("columns", _s, "", "JSON object of the extra columns of the source list"),
        _field("seconds", _f64, "s", "what the inspection took"),
        _field("inspected_at", pa.timestamp("us", tz="UTC"), "UTC", "when it was inspected"),
    ],
    metadata={"table": "catalog", "row": "one document, as the scan found it"},
)  # fmt: skip


def to_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows (dicts; absent keys are null) as a table of the catalog's schema.

    Raises
    ------
    ValueError
        If a row has a key that is no column, or lacks ``document_id`` or ``state``.
    """
    rows = list(rows)
    known = set(CATALOG.names)
    for row in rows:
        if unknown := row.keys() - known:
            raise ValueError(f"no such catalog columns: {', '.join(sorted(unknown))}")
        if not row.get("document_id") or not row.get("state"):
            raise ValueError(f"a catalog row needs document_id and state: {dict(row)!r:.200}")
    return pa.Table.from_pylist([dict(row) for row in rows], schema=CATALOG)


def latest(tables: Sequence[pa.Table]) -> pa.Table:
    """One row a document from tables in the order they were written: the latest row wins.

    Returns
    -------
    pyarrow.Table
        Of schema :data:`CATALOG`, sorted by ``uri``.
    """
    import numpy as np
    import pyarrow.compute as pc

    table = pa.concat_tables(
        [t.select(CATALOG.names).cast(CATALOG) for t in tables] or [CATALOG.empty_table()]
    )
    if table.num_rows == 0:
        return table
    # inspected_at decides; among equals (one batch written twice) the later position does.
    numbered = pa.table(
        {
            "document_id": table["document_id"],
            "uri": table["uri"],
            "at": pc.fill_null(pc.cast(table["inspected_at"], _i64), 0),
            "position": pa.array(np.arange(table.num_rows)),
        }
    ).sort_by([("at", "ascending"), ("position", "ascending")])
    last = numbered.group_by("document_id", use_threads=False).aggregate(
        [("position", "last"), ("uri", "last")]
    )
    order = last.sort_by([("uri_last", "ascending"), ("position_last", "ascending")])["position_last"]
    return table.take(order)


def duplicates(table: pa.Table) -> dict[str, str]:
    """Documents with the same bytes as another one that is done instead.

    Only ready documents take part: the first of each sha256 by URI order is done, the others point at it.

    Returns
    -------
    dict
        ``document_id -> duplicate_of``, without the documents that are done themselves.
    """
    first: dict[str, str] = {}
    found: dict[str, str] = {}
    columns = table.select(["uri", "document_id", "sha256", "state"]).to_pydict()
    for _, document, sha256, state in sorted(zip(*columns.values(), strict=True), key=lambda row: row[0]):
        if state != "ready" or sha256 is None:
            continue
        if first.setdefault(sha256, document) != document:
            found[document] = first[sha256]
    return found


def columns_json(columns: Mapping[str, Any]) -> str | None:
    """Write the extra columns of a source list as the catalog keeps them: a JSON object, or None without any."""
    return json.dumps(dict(columns), ensure_ascii=False, default=str, sort_keys=True) if columns else None
