"""Writes each table as one CSV file: UTF-8, comma, a header row, ISO 8601 dates and times in UTC.

Rules: null is an empty field and empty text is ``""``; true and false are written as words; line breaks inside a text
stay, in quotes. What stands in a document is not changed, so a text that begins with ``=`` is one here too: import
such files as data, or use the Excel export, where text is never a formula.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docdask.tables.export.writing import Exportable, Tell, batches, tables, whole


def write(result: Exportable, folder: Path, tell: Tell) -> list[Path]:  # noqa: ARG001 - one shape for all formats
    """Write ``csv/<table>.csv`` for each table."""
    paths = []
    for table, dataset in tables(result):
        path = folder / "csv" / f"{table.name}.csv"
        with whole(path) as part:
            _write_table(dataset, part)
        paths.append(path)
    return paths


def _write_table(dataset: Any, path: Path) -> None:
    import pyarrow as pa
    from pyarrow import csv

    plain = pa.schema([pa.field(field.name, _plain_type(field.type)) for field in dataset.schema])
    with csv.CSVWriter(path, plain, write_options=csv.WriteOptions(quoting_style="needed")) as writer:
        for batch in batches(dataset):
            writer.write_batch(pa.record_batch([_plain(column) for column in batch.columns], schema=plain))


def _plain_type(kind: Any) -> Any:
    import pyarrow as pa

    return pa.string() if pa.types.is_timestamp(kind) or pa.types.is_nested(kind) else kind


def _plain(column: Any) -> Any:
    """Timestamps as ``2026-03-14T09:26:53.589793Z``, lists and structures as JSON, everything else as it is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_timestamp(column.type):
        return pc.strftime(column.cast(pa.timestamp("us", tz="UTC")), format="%Y-%m-%dT%H:%M:%SZ")
    if pa.types.is_nested(column.type):
        # A user's own column of a Parquet list; CSV has no other form for it.
        return pa.array(
            [
                None if v is None else json.dumps(v, default=str, ensure_ascii=False)
                for v in column.to_pylist()
            ]
        )
    return column
