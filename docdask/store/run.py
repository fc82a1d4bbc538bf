"""The run directory: everything durable about a run, at one fsspec URL.

docs/run-directory.md lists what is in it. Rules: every write is atomic; every file but ``status.json`` and
``columns.json`` is written once or replaced by an equal or better one of the same name; whoever changes the catalog or
the plan holds the lock.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from importlib.metadata import version
from typing import IO, TYPE_CHECKING, Any

from docdask.errors import RunError, RunMismatch, RunNotFound, StorageError
from docdask.store import files
from docdask.store.lock import FileLock, LeaseLock, Lock
from docdask.store.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa

    from docdask.store.results import Results

MANIFEST = "docdask.json"
LOCK = ".lock"
#: Rows of a row group of the plan, and of a batch that is read of it.
PLAN_ROWS = 1024


class RunDirectory:
    """A run directory. Cheap to make, and to send to another process: it is its URL.

    Make one with :meth:`create` or :meth:`open`; the plain constructor checks nothing, which is what a worker wants.

    Parameters
    ----------
    url
        Local path or fsspec URL, such as ``gs://bucket/runs/june``.
    """

    def __init__(self, url: str) -> None:
        self.fs, self.root = files.filesystem(str(url))
        self.local = files.is_local(self.fs)
        #: Absolute, so that a worker with another working folder finds the same place.
        self.url: str = self.root if self.local else self.fs.unstrip_protocol(self.root)

    def __reduce__(self) -> tuple[type[RunDirectory], tuple[str]]:
        return RunDirectory, (self.url,)

    def __repr__(self) -> str:
        return f"RunDirectory({self.url!r})"

    # Beginning

    @classmethod
    def create(cls, url: str, manifest: Manifest) -> RunDirectory:
        """Make a run directory, or join the one that is there if it was made with the same options.

        Raises
        ------
        RunMismatch
            If there is one whose options differ; the message names the differences.
        RunVersion
            If there is one of another format version.
        RunError
            If the folder has other things in it.
        StorageError
            If it can't be written.
        """
        run = cls(url)
        if run.exists():
            return cls.open(url, manifest)
        others = [name for name in files.names(run.fs, run.root) if not name.startswith(".")]
        if others:
            raise RunError(
                f"{run.url} is no run directory and has {len(others)} other things in it, such as {others[0]!r}",
                "choose a new or empty folder",
            )
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        made = replace(
            manifest,
            created_at=manifest.created_at or now,
            docdask_version=manifest.docdask_version or version("docdask"),
        )
        run.write_json(MANIFEST, made.to_json())
        return run

    @classmethod
    def open(cls, url: str, manifest: Manifest | None = None) -> RunDirectory:
        """Open the run directory at ``url``, checked.

        Parameters
        ----------
        url
            Local path or fsspec URL.
        manifest
            What is asked for now; compared with what the run was made with.

        Raises
        ------
        RunNotFound
            If there is none.
        RunVersion, RunMismatch, StorageError
            As for :meth:`create`.
        """
        run = cls(url)
        made = run.manifest()
        differences = made.differences(manifest) if manifest else []
        if differences:
            raise RunMismatch(
                f"{run.url} was made with other options: {'; '.join(differences)}",
                "give the options it was made with, or choose another folder",
            )
        return run

    def exists(self) -> bool:
        """Whether there is a run directory here."""
        with files.storage_errors(self.url, local=self.local):
            return bool(self.fs.isfile(self.path(MANIFEST)))

    def manifest(self) -> Manifest:
        """Read what the run was made with; errors as for :meth:`open`."""
        value = self.read_json(MANIFEST)
        if value is None:
            with files.storage_errors(self.url, local=self.local):
                there = self.fs.exists(self.root)
            what = "is no run directory (it has no docdask.json)" if there else "does not exist"
            raise RunNotFound(
                f"{self.url} {what}", f"check the path, or make one with: docdask plan SOURCE --to {self.url}"
            )
        return Manifest.from_json(value, self.path(MANIFEST))

    def lock(self) -> Lock:
        """Hold the run: one driver at a time.

        Raises
        ------
        RunLocked
            If another driver holds it; says who and what to do.
        StorageError
            If the lock can't be written.
        """
        if self.local:
            return FileLock(self.path(LOCK), self.url)
        return LeaseLock(self.fs, self.path(LOCK), self.url)

    # Files

    def path(self, *parts: str) -> str:
        """Path on :attr:`fs` of something in the run directory."""
        return "/".join((self.root.rstrip("/"), *parts))

    def write(self, name: str, data: bytes) -> None:
        """Write the file ``name`` (parts joined by ``/``) atomically."""
        files.atomic_write(self.fs, self.path(name), data)

    def read(self, name: str) -> bytes:
        """Content of the file ``name``; ``FileNotFoundError`` if there is none."""
        return files.read(self.fs, self.path(name))

    def names(self, folder: str) -> list[str]:
        """Sorted names of what is in ``folder``; empty if it does not exist."""
        return files.names(self.fs, self.path(folder))

    def write_json(self, name: str, value: Any) -> None:
        """Write ``value`` as the JSON file ``name``."""
        self.write(name, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())

    def read_json(self, name: str) -> Any:
        """Value of the JSON file ``name``; None if there is no such file.

        Raises
        ------
        StorageError
            If it is there and is no JSON.
        """
        try:
            return json.loads(self.read(name))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise StorageError(
                f"{self.path(name)} is damaged: {error}", "restore it, or start in a new folder"
            ) from error

    def write_parquet(self, name: str, table: pa.Table, *, row_group_rows: int | None = None) -> None:
        """Write ``table`` as the Parquet file ``name`` (zstd), atomically."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd", row_group_size=row_group_rows)
        self.write(name, sink.getvalue().to_pybytes())

    def read_parquet(self, name: str, columns: list[str] | None = None) -> pa.Table:
        """Table in the Parquet file ``name``.

        Raises
        ------
        FileNotFoundError
            If there is none.
        StorageError
            If it is no Parquet file.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        data = self.read(name)
        try:
            return pq.ParquetFile(pa.BufferReader(data)).read(columns=columns)
        except (pa.ArrowException, OSError) as error:
            raise StorageError(
                f"{self.path(name)} is damaged: {error}", "remove it and give the same command again"
            ) from error

    # Catalog: what was found

    def append_catalog(self, rows: pa.Table) -> None:
        """Add rows (schema ``docdask.store.catalog.CATALOG``); a document's latest row holds. One writer at a time."""
        numbers = [int(name[5:-8]) for name in self._parts("catalog", "part-", ".parquet")]
        self.write_parquet(f"catalog/part-{max(numbers, default=-1) + 1:05d}.parquet", rows)
        self._observe_columns(rows)

    def catalog(self, columns: list[str] | None = None, *, of: Iterable[str] | None = None) -> pa.Table:
        """Latest row of each document, in the order in which they were found.

        Parameters
        ----------
        columns
            Columns to read; ``document_id`` is added.
        of
            Ids of the documents that are wanted; None for all. Only their rows are kept in memory.
        """
        from docdask.store.catalog import CATALOG

        schema = CATALOG if columns is None else _pick(CATALOG, {"document_id", *columns})
        parts = self._parts("catalog", "part-", ".parquet")
        return self._read_parts("catalog", parts, schema, of=None if of is None else sorted(of))

    def columns(self) -> dict[str, str]:
        """Name and dtype of the source list's extra columns, see :mod:`docdask.store.columns`."""
        from docdask.store.columns import NAME

        return self.read_json(NAME) or {}

    def _observe_columns(self, rows: pa.Table) -> None:
        from docdask.store.columns import NAME, observe

        if "columns" not in rows.column_names or rows["columns"].null_count == len(rows):
            return
        known = self.columns()
        seen = observe(known, rows["columns"].to_pylist())
        if seen != known:
            self.write_json(NAME, seen)

    # Plan: which documents are in which partition

    def append_plan(
        self, generation: int, partitions: pa.Table | Iterable[pa.Table], summary: dict[str, Any]
    ) -> None:
        """Add a generation of the plan, which must not be there yet.

        Parameters
        ----------
        generation
            0 for the first, then one more each.
        partitions
            Columns of :data:`docdask.store.plan.PLAN`; those that are missing become null. Several tables are written one
            after another, so that a large plan never stands in memory as a whole.
        summary
            JSON object; written first, so that a generation with partitions has its summary.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        from docdask.store.plan import PLAN, conform

        name = f"plan/generation-{generation:03d}"
        if generation in self.generations():
            msg = f"generation {generation} of the plan is there already"
            raise ValueError(msg)
        self.write_json(f"{name}.json", summary)
        tables: Iterable[pa.Table]
        if isinstance(partitions, pa.Table):
            tables = [conform(partitions, generation)]
        else:
            tables = (conform(table, generation) for table in partitions)

        def write(file: IO[bytes]) -> None:
            with pq.ParquetWriter(file, PLAN, compression="zstd") as writer:
                for table in tables:
                    writer.write_table(table, row_group_size=PLAN_ROWS)

        files.atomic_stream(self.fs, self.path(f"{name}.parquet"), write)

    def generations(self) -> list[int]:
        """List the generations of the plan, in order."""
        return [int(name[11:-8]) for name in self._parts("plan", "generation-", ".parquet")]

    def plan(self, *, current: bool = False) -> pa.Table:
        """All generations of the plan, columns of :data:`docdask.store.plan.PLAN`.

        Parameters
        ----------
        current
            Only what holds now: of each document the latest row, and none if the file has changed since (by the
            catalog's latest row it is set aside, or has other bytes, and no generation has planned it anew).
        """
        from docdask.store.plan import PLAN, still_holds

        parts = self._parts("plan", "generation-", ".parquet")
        plan = self._read_parts("plan", parts, PLAN, latest_only=current)
        return plan.filter(still_holds(plan, self.catalog(["state", "sha256"]))) if current else plan

    def plan_batches(self, generation: int, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Rows of one generation in order, a few thousand at a time: a large plan never is in memory as a whole."""
        import pyarrow.parquet as pq

        name = self.path(f"plan/generation-{generation:03d}.parquet")
        with files.storage_errors(name, local=self.local), self.fs.open(name, "rb") as file:
            yield from pq.ParquetFile(file).iter_batches(batch_size=PLAN_ROWS, columns=columns)

    def plan_summary(self, generation: int) -> dict[str, Any]:
        """Summary of a generation; empty if there is none."""
        return self.read_json(f"plan/generation-{generation:03d}.json") or {}

    # Results

    def results(self) -> Results:
        """Give access to the stored results of this run."""
        from docdask.store.results import Results

        return Results(self.url)

    def _parts(self, folder: str, prefix: str, suffix: str) -> list[str]:
        return [
            name
            for name in self.names(folder)
            if name.startswith(prefix)
            and name.endswith(suffix)
            and name[len(prefix) : -len(suffix)].isdigit()
        ]

    def _read_parts(
        self,
        folder: str,
        parts: list[str],
        schema: pa.Schema,
        *,
        latest_only: bool = True,
        of: list[str] | None = None,
    ) -> pa.Table:
        import pyarrow as pa
        import pyarrow.compute as pc

        from docdask.store.plan import latest

        if not parts:
            return schema.empty_table()
        tables = (self.read_parquet(f"{folder}/{part}", schema.names) for part in parts)
        if of is not None:
            wanted = pa.array(of, pa.string())
            tables = (table.filter(pc.is_in(table["document_id"], wanted)) for table in tables)
        table = pa.concat_tables([schema.empty_table(), *tables], promote_options="permissive")
        return latest(table) if latest_only else table


def _pick(schema: pa.Schema, wanted: set[str]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([field for field in schema if field.name in wanted])
