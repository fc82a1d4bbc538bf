"""Tables in the run directory: one Parquet file a partition a table, right at any moment.

Rules:

1. A file's name depends on its partition only, and it is replaced whole: a retry replaces and never adds.
2. ``documents`` is written last and dropped from first: a row there means that its rows elsewhere are there.
3. Every table has a file for every partition, if only an empty one, so that a glob always finds something.
4. All files of a table have the same schema. The user's own columns are known to the run (``columns.json``); when a
   later scan brings new ones, the older files get them too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pyarrow as pa

from docdask.store import columns as user_columns
from docdask.store.run import RunDirectory
from docdask.tables import schema

#: Name of the JSON text of the user's columns in a table that is not yet written.
PACKED = "columns"

#: Tables whose rows carry the user's columns.
WITH_COLUMNS = ("invoices", "documents")


def write(run: RunDirectory, partition: int, tables: Mapping[str, pa.Table]) -> None:
    """Write the tables of one partition, as :func:`docdask.tables.build.build` made them.

    Raises
    ------
    StorageError
        If the storage refuses.
    """
    types = run.columns()
    for table in schema.STORED:
        if table.name in tables:
            ready = unpack(table, tables[table.name], types)
            run.write_parquet(f"tables/{table.name}/{_part(partition)}", ready)


def write_documents(run: RunDirectory, name: str, table: pa.Table) -> None:
    """Write rows of ``documents`` that belong to no partition, as ``tables/documents/<name>.parquet``.

    Brings the user's columns of all other files in step first, and drops the rows that a partition still has for these
    documents: a file that was read once may be damaged by the next scan. For the driver: nobody else may write meanwhile.
    """
    align(run)
    _displace(run, table)
    ready = unpack(schema.DOCUMENTS, table, run.columns())
    run.write_parquet(f"tables/documents/{name}.parquet", ready)


def _displace(run: RunDirectory, table: pa.Table) -> None:
    """Drop from all partitions they were ever in the documents that ``table`` decides now."""
    import pyarrow.compute as pc

    if not len(table):
        return
    decided = table["document_id"].combine_chunks()
    displaced: dict[int, set[str]] = {}
    # In batches: a plan of a million documents is not read as a whole for the few that are set aside.
    for generation in run.generations():
        for batch in run.plan_batches(generation, ["partition", "document_id"]):
            for row in batch.filter(pc.is_in(batch["document_id"], decided)).to_pylist():
                displaced.setdefault(row["partition"], set()).add(row["document_id"])
    for partition, documents in displaced.items():
        drop(run, partition, documents)


def unpack(table: schema.Table, rows: pa.Table, types: Mapping[str, str]) -> pa.Table:
    """``rows`` with the user's columns spread out, in the schema that the files of ``table`` have.

    Parameters
    ----------
    table
        Which table it is.
    rows
        Its rows; the JSON text ``columns`` is optional.
    types
        Name → dtype of the user's columns, :meth:`docdask.store.run.RunDirectory.columns`.
    """
    own = table.schema
    if table.name not in WITH_COLUMNS:
        return rows.select(own.names).cast(own)
    names = own.names
    texts = rows[PACKED].to_pylist() if PACKED in rows.column_names else [None] * len(rows)
    more = user_columns.expand(texts, types, names)
    arrays = [*(rows[name].cast(own.field(name).type) for name in names), *(array for _, array in more)]
    return pa.Table.from_arrays(arrays, schema=file_schema(table, types))


def file_schema(table: schema.Table, types: Mapping[str, str]) -> pa.Schema:
    """Schema of the files of ``table`` in a run whose user's columns are ``types``."""
    own: pa.Schema = table.schema
    if table.name not in WITH_COLUMNS:
        return own
    return pa.schema([*own, *user_columns.fields(types, own.names)], metadata=own.metadata)


def fitted(rows: pa.Table, wanted: pa.Schema) -> pa.Table:
    """``rows`` in the schema ``wanted``: cast, and null where they lack a column."""
    arrays = [
        rows[field.name].cast(field.type)
        if field.name in rows.column_names
        else pa.nulls(len(rows), field.type)
        for field in wanted
    ]
    return pa.Table.from_arrays(arrays, schema=wanted)


def align(run: RunDirectory) -> int:
    """Give every file the user's columns that the run knows by now; returns how many files were replaced."""
    types = run.columns()
    if not types:
        return 0
    replaced = 0
    for table in (schema.BY_NAME[name] for name in WITH_COLUMNS):
        wanted = file_schema(table, types)
        for name in (f"tables/{table.name}/{file}" for file in file_names(run, table.name)):
            with _footer(run, name) as footer:
                if footer.schema_arrow.equals(wanted):
                    continue
            run.write_parquet(name, fitted(run.read_parquet(name), wanted))
            replaced += 1
    return replaced


def decided(run: RunDirectory) -> dict[int, int]:
    """Partition → documents that have their row; from the files' footers alone."""
    found = {}
    for name in file_names(run, "documents"):
        number = name.removeprefix("part-").removesuffix(".parquet")
        if number.isdigit():
            with _footer(run, f"tables/documents/{name}") as footer:
                found[int(number)] = footer.metadata.num_rows
    return found


def drop(run: RunDirectory, partition: int, document_ids: Collection[str]) -> int:
    """Remove the rows of documents that another partition has now; returns how many files were replaced."""
    import pyarrow.compute as pc

    gone = pa.array(sorted(document_ids), pa.string())
    replaced = 0
    for table in reversed(schema.STORED):
        name = f"tables/{table.name}/{_part(partition)}"
        try:
            rows = run.read_parquet(name)
        except FileNotFoundError:
            continue
        left = rows.filter(pc.invert(pc.is_in(rows["document_id"], gone)))
        if len(left) < len(rows):
            run.write_parquet(name, left)
            replaced += 1
    return replaced


def file_names(run: RunDirectory, table: str) -> list[str]:
    """Names of the files of a table."""
    return [name for name in run.names(f"tables/{table}") if name.endswith(".parquet")]


@contextlib.contextmanager
def _footer(run: RunDirectory, name: str) -> Iterator[Any]:
    """A Parquet file of which only the end is read."""
    import pyarrow.parquet as pq

    with run.fs.open(run.path(name), "rb") as file:
        yield pq.ParquetFile(file)


def _part(partition: int) -> str:
    return f"part-{partition:05d}.parquet"
