"""Scans sources on a cluster into the catalog: resumable, incremental, in batches.

Rules: a file that did not change is not read again; rows are kept as their batches end, so that a scan that was
interrupted goes on; the catalog has one writer, this process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from docdask.engine.job import Hidden, Plain
from docdask.engine.pool import Feed, Pool
from docdask.intake.limits import Limits
from docdask.intake.scan import LIMITED, scan_batch, to_inspect
from docdask.model import Source
from docdask.settings import Settings
from docdask.store import catalog
from docdask.store.run import RunDirectory

#: Files a task inspects; fewer where there are few, so that every worker has some.
BATCH = 200
_KEEP_ROWS = 2000
_KEEP_S = 5.0


def scan(
    sources: Sequence[Source],
    run: RunDirectory,
    pool: Pool,
    settings: Settings,
    *,
    passwords: Sequence[str] = (),
    storage_options: dict[str, Any] | None = None,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> int:
    """Inspect what the catalog of ``run`` lacks and add it there.

    Parameters
    ----------
    sources
        Files that were found.
    run
        Run directory whose catalog is filled.
    pool, settings
        Where it runs, and its limits.
    passwords
        Tried on encrypted documents.
    on_progress
        Called with (inspected, to inspect).

    Returns
    -------
    int
        Files that were inspected; the others had not changed.
    """
    import dask

    known = run.catalog(["document_id", "version", "size_bytes", "state", "problem"]).to_pylist()
    todo = to_inspect(
        sources,
        {row["document_id"]: row for row in known},
        has_passwords=bool(passwords),
        rescan=LIMITED if settings.raised else frozenset(),
    )
    size = max(1, min(BATCH, len(todo) // (4 * pool.workers) + 1))
    batches = [todo[start : start + size] for start in range(0, len(todo), size)]
    token = f"{time.time_ns() & 0xFFFFFFFF:08x}"
    arguments = (tuple(passwords), Limits(**settings.limits), storage_options)

    def submit(batch: tuple[int, list[Source]], tries: int) -> Any:
        number, files = batch
        task = dask.delayed(scan_hidden, pure=False, traverse=False)
        return task(Plain(files), Hidden(arguments), dask_key_name=f"scan-{token}-{number:05d}-{tries}")

    def inline(batch: tuple[int, list[Source]]) -> Any:
        return scan_batch(batch[1], *arguments)

    kept, done = _Kept(run), 0
    for _, found in pool.window(Feed(enumerate(batches), submit, inline, lambda: 2 * pool.workers + 2)):
        kept.add(found)
        done += len(found)
        on_progress(done, len(todo))
    kept.write()
    return len(todo)


class _Kept:
    """Rows on their way into the catalog: some at a time, and never late, for a scan may be interrupted."""

    def __init__(self, run: RunDirectory) -> None:
        self._run, self._rows, self._written_s = run, list[dict[str, Any]](), time.monotonic()

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """Take rows; write if there are many, or the last time was long ago."""
        self._rows += rows
        if len(self._rows) >= _KEEP_ROWS or time.monotonic() - self._written_s > _KEEP_S:
            self.write()

    def write(self) -> None:
        """Write what there is."""
        if self._rows:
            self._run.append_catalog(catalog.to_table(self._rows))
        self._rows, self._written_s = [], time.monotonic()


def scan_hidden(sources: list[Source], arguments: Hidden) -> list[dict[str, Any]]:
    """Inspect a batch; passwords and credentials are where no log of a failed task shows them."""
    return scan_batch(sources, *arguments)
