"""The books of a run: what is done, what is open again, what was set aside; and that every input is accounted for.

Rules: nothing is remembered but what the tables and the plan say, so any driver can be killed at any moment; at the end
stored + quarantined + skipped + pending = inputs, or the run says that docdask has a fault.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from docdask.core.routes import Configuration
from docdask.engine import planning
from docdask.engine.job import Job
from docdask.engine.status import StatusWriter
from docdask.errors import RunFailed
from docdask.service import base
from docdask.store.run import RunDirectory


def done(run: RunDirectory, planned: dict[int, tuple[int, int, float]]) -> set[int]:
    """Partitions all of whose documents have their rows."""
    from docdask.tables import build

    decided = build.decided(run)
    return {number for number, (documents, *_) in planned.items() if decided.get(number, 0) >= documents}


def account(status: StatusWriter, planned: dict[int, tuple[int, int, float]], done: set[int]) -> int:
    """Set the totals; returns how many documents are left to do."""
    p = status.progress
    p.documents_total, p.pages_total, p.work_total_s = _sums(planned.values())
    p.documents, p.pages, p.work_done_s = _sums(planned[number] for number in done)
    status.write()
    return p.documents_total - p.documents


def _sums(counts: Iterable[tuple[int, int, float]]) -> tuple[int, int, float]:
    listed = list(counts)
    return sum(c[0] for c in listed), sum(c[1] for c in listed), sum(c[2] for c in listed)


def drop_passing(run: RunDirectory, job: Job) -> None:
    """Documents that failed for a reason that may have passed are open again."""
    from docdask.tables import build
    from docdask.tables.result import Result

    failed = [("problem", "in", job.again), ("outcome", "==", "quarantined")]
    rows = Result(run.url).frame("documents", ["document_id", "partition"], filters=failed)
    by_partition: dict[int, set[str]] = {}
    for document, partition in rows.dropna(subset="partition").itertuples(index=False):
        by_partition.setdefault(int(partition), set()).add(document)
    for partition, documents in by_partition.items():
        build.drop(run, partition, documents)


def drop_superseded(run: RunDirectory) -> None:
    """Documents that changed and were planned again: their rows in the older partition no longer hold."""
    from docdask.tables import build

    for partition, documents in planning.superseded(run).items():
        build.drop(run, partition, documents)


def write_set_aside(run: RunDirectory, engine: base.Engine, configuration: Configuration | None) -> None:
    """Write the rows of what is not sent to any engine."""
    from docdask.tables import build

    build.write_documents(
        run, "set-aside", build.set_aside(planning.set_aside(run, base.reader(engine), configuration))
    )


def close(run: RunDirectory, engine: base.Engine, configuration: Configuration | None) -> dict[str, Any]:
    """Write the rows of duplicates, and check that every input is accounted for."""
    from docdask.tables import build
    from docdask.tables.result import Result

    rows = planning.copies(run, base.reader(engine), configuration)
    originals = {row["duplicate_of"] for row in rows}
    known = (
        Result(run.url).frame("documents", filters=[("document_id", "in", originals)])
        if rows
        else _no_documents()
    )
    build.write_documents(run, "duplicates", build.duplicates(rows, known))
    summary = Result(run.url).summary()
    if (
        summary["stored"] + summary["quarantined"] + summary["skipped"] + summary["pending"]
        != summary["inputs"]
    ):
        raise RunFailed(
            f"the books of {run.url} do not balance: {summary}",
            "this is a fault of docdask; please report it with this line",
        )
    return summary


def _no_documents() -> Any:
    from docdask.tables import schema

    return schema.DOCUMENTS.schema.empty_table()
