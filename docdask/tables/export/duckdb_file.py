"""Writes all tables into one DuckDB database file, with views for the usual questions.

Rules: tables keep their names, types, units and meanings (as comments); DuckDB reads the Parquet files itself, batch
by batch, and spills to disk when it must.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docdask.tables import schema
from docdask.tables.export.writing import Exportable, Tell, tables, whole

#: What DuckDB may hold in memory before it spills to disk.
_MEMORY = "1GB"
#: View → the tables it needs and its query.
VIEWS: dict[str, tuple[tuple[str, ...], str]] = {
    "review": (
        ("documents",),
        (
            "SELECT document_id, name, kind, pages, mean_confidence, problem, reason, uri FROM documents "
            "WHERE outcome = 'stored' AND duplicate_of IS NULL ORDER BY mean_confidence NULLS FIRST, document_id"
        ),
    ),
    "set_aside": (
        ("documents",),
        (
            "SELECT outcome, problem, any_value(reason) AS reason, any_value(remedy) AS remedy, count(*) AS documents "
            "FROM documents WHERE outcome <> 'stored' GROUP BY outcome, problem ORDER BY documents DESC, problem"
        ),
    ),
    "full_text": (
        ("documents", "pages"),
        (
            "SELECT document_id, any_value(name) AS name, string_agg(text, chr(10) ORDER BY page_number) AS text "
            "FROM documents JOIN pages USING (document_id) GROUP BY document_id"
        ),
    ),
}


def write(result: Exportable, folder: Path, tell: Tell) -> list[Path]:  # noqa: ARG001 - one shape for all formats
    """Write ``tables.duckdb``."""
    import duckdb

    path = folder / "tables.duckdb"
    with whole(path) as part:
        connection = duckdb.connect(str(part), config={"memory_limit": _MEMORY})
        try:
            names = [_create(connection, table, dataset) for table, dataset in tables(result)]
            for view, (needs, query) in VIEWS.items():
                if set(needs) <= set(names):
                    connection.execute(f"CREATE VIEW {view} AS {query}")
        finally:
            connection.close()
    return [path]


def _create(connection: Any, table: schema.Table, dataset: Any) -> str:
    connection.register("incoming", dataset)
    connection.execute(f'CREATE TABLE "{table.name}" AS SELECT * FROM incoming')  # noqa: S608 - names of our schema
    connection.unregister("incoming")
    connection.execute(f"COMMENT ON TABLE \"{table.name}\" IS '{_quoted(table.row)}'")
    present = set(dataset.schema.names)
    for column in table.columns:
        if column.name in present:
            unit = f" [{column.unit}]" if column.unit else ""
            connection.execute(
                f'COMMENT ON COLUMN "{table.name}"."{column.name}" IS \'{_quoted(column.meaning + unit)}\''
            )
    return table.name


def _quoted(text: str) -> str:
    return text.replace("'", "''")
