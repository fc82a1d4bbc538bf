"""Writes each table as one CSV file: UTF-8, comma, a header row, ISO 8601 dates and times in UTC.

Rules: null is an empty field and empty text is ``""``; true and false are written as words; line breaks inside a text
stay, in quotes. What stands in a document is not changed, so a text that begins with ``=`` is one here too: import
such files as data, or use the Excel export, where text is never a formula.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docdask.tables.export.writing import Exportable, Tell, tables, whole


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

    fields = [
        pa.field(f.name, pa.string() if pa.types.is_timestamp(f.type) else f.type) for f in dataset.schema
    ]
    with csv.CSVWriter(
        path, pa.schema(fields), write_options=csv.WriteOptions(quoting_style="needed")
    ) as writer:
        for batch in dataset.to_batches():
            writer.write_batch(
                pa.record_batch([_iso(column) for column in batch.columns], schema=pa.schema(fields))
            )


def _iso(column: Any) -> Any:
    """Timestamps as ``2026-03-14T09:26:53.589793Z``; everything else as it is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_timestamp(column.type):
        return column
    return pc.strftime(column.cast(pa.timestamp("us", tz="UTC")), format="%Y-%m-%dT%H:%M:%SZ")
