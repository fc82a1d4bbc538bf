"""Drives a run: what is planned and not done is submitted in a sliding window, until everything is accounted for.

Rules:

1. A partition is done when the table ``documents`` has its rows; nothing else is remembered between drivers, so any
   driver can be killed at any moment.
2. At the end stored + quarantined + skipped + pending = inputs, or the run says that docdask has a fault.
3. The run directory says whose the run is. To stop is to write there that it is nobody's: tasks end after the unit at
   hand, what they did is kept. The tasks of a driver that died end when another one has written itself there.
4. What failed for a reason that may have passed (a source that could not be read, a limit that is raised now) is done
   again.
"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from docdask.engine import graph, planning, process, work
from docdask.engine import job as jobs
from docdask.engine import status as status_file
from docdask.engine.clusters.calling import CallWorker
from docdask.engine.graph import Branch
from docdask.engine.job import Job, Tally
from docdask.engine.pool import OnCluster, Pool, open_pool
from docdask.engine.status import Amount, StatusWriter
from docdask.errors import ClusterError, DocdaskError, EngineError, RunFailed, RunLocked, sentence
from docdask.service import base
from docdask.settings import Settings
from docdask.store.manifest import Manifest
from docdask.store.run import RunDirectory

#: Times that the local cluster is started again when its scheduler dies during a run.
RESTARTS = 3


def drive(
    run: RunDirectory,
    settings: Settings,
    *,
    cluster: str = "local",
    client: Any = None,
    passwords: tuple[str, ...] = (),
    storage_options: dict[str, Any] | None = None,
    stop: threading.Event | None = None,
    patience_s: float = 0.0,
) -> dict[str, Any]:
    """Do what is planned and not done.

    Parameters
    ----------
    run
        Run directory with a plan.
    settings
        Limits, and the local cluster's size.
    cluster
        ``local``, ``none`` or a scheduler's address.
    client
        Client of a cluster that the caller has; then ``cluster`` does not matter.
    passwords
        For encrypted documents.
    storage_options
        Of the file systems that sources are read from.
    stop
        Set it to stop cleanly.
    patience_s
        Seconds to wait for somebody who holds the run and is no driver, but plans it.

    Returns
    -------
    dict
        Summary of the run, as ``docdask.open(run).summary()``.

    Raises
    ------
    RunLocked
        If another driver works on it.
    ClusterError, EngineError, StorageError
        If the cluster, the engine or the storage fails for good; the run can be resumed.
    """
    stop = stop or threading.Event()
    manifest = run.manifest()
    with _held(run, patience_s):
        job = Job(
            session=uuid.uuid4().hex[:12],
            url=run.url,
            engine=manifest.engine,
            options=manifest.engine_options,
            tokens=manifest.tokens,
            passwords=passwords,
            storage_options=storage_options or {},
            engine_folder=base.folder(manifest.engine),
            again=jobs.PASSING | (jobs.LIMITED if settings.raised else frozenset()),
            **settings.limits,
        )
        # Before the first status: whoever sees that and wants the run to stop writes there after us.
        run.write(process.SESSION, job.session.encode())
        status = StatusWriter(run, {"engine": manifest.engine_id, "token": job.session})
        status.set("starting")
        try:
            engine = _engine(run, manifest)
        except BaseException as error:
            with contextlib.suppress(DocdaskError):  # what could not be written may be the reason
                status.set("failed", error=told(error))
            raise
        try:
            _drive(run, job, engine, settings, cluster, client, status, stop)
            status.write()  # the summary reads the session's seconds there
            summary = _close_books(run, engine)
            status.set("stopped" if stop.is_set() and summary["pending"] else "finished")
        except BaseException as error:
            with contextlib.suppress(DocdaskError):  # what could not be written may be the reason
                status.set("failed", error=told(error))
            raise
        finally:
            engine.close()
        return summary


@contextlib.contextmanager
def _held(run: RunDirectory, patience_s: float) -> Iterator[None]:
    """Hold the run; wait a little for somebody who plans it, not for another driver."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            lock = run.lock()
            break
        except RunLocked:
            if time.monotonic() > deadline or status_file.read(run)["state"] not in status_file.ENDED:
                raise
            time.sleep(0.2)
    with lock:
        yield


def _engine(run: RunDirectory, manifest: Manifest) -> base.Engine:
    """The engine that the run was made with, of the same version."""
    engine = base.load(manifest.engine, manifest.engine_options)
    if engine.version != manifest.engine_version:
        engine.close()
        raise EngineError(
            f"{run.url} was made with {manifest.engine_id}, installed is {base.engine_id(engine)}",
            "install that version to go on, or start another RUN",
        )
    return engine


def _drive(
    run: RunDirectory, job: Job, engine: base.Engine, settings: Settings, cluster: str, client: Any, status: StatusWriter,
    stop: threading.Event,
) -> None:  # fmt: skip
    _drop_superseded(run)
    _drop_passing(run, job)
    _write_set_aside(run, engine)
    for restart in range(RESTARTS + 1):
        planned = planning.planned(run)
        done = _done(run, planned)
        if not _account(status, planned, done) or stop.is_set():
            return
        pool = open_pool(cluster, settings, client=client)
        try:
            with _call_worker(pool, engine, cluster, settings, job.session) as call_worker:
                if isinstance(pool, OnCluster):
                    pool.check(run)
                status.facts.update(dashboard=pool.dashboard, workers=pool.workers)
                _work_off(run, job, engine, pool, call_worker, done, status, stop)
                return
        except ClusterError:
            if cluster != "local" or client is not None or restart == RESTARTS or stop.is_set():
                raise
            status.progress.forget_open()
        finally:
            pool.close()


def _work_off(
    run: RunDirectory,
    job: Job,
    engine: base.Engine,
    pool: Pool,
    call_worker: CallWorker | None,
    done: set[int],
    status: StatusWriter,
    stop: threading.Event,
) -> None:
    waits = engine.in_flight > 1
    progress, open_units = status.progress, [0]

    def submit(branch: Branch, tries: int) -> Any:
        calls = call_worker.resource if call_worker else "call"
        return graph.build(job, branch, waits=waits, resources=pool.resources, calls=calls, attempt=tries)

    def tell(_job: Job, event: dict[str, Any]) -> None:
        _heard(progress, event)
        idle()

    def inline(branch: Branch) -> Tally:
        return work.serial(job, branch.partition, branch.pieces, branch.rows, waits=waits, tell=tell)

    def supply() -> Iterator[Branch]:
        for branch in planning.branches(run, done):
            if stop.is_set():
                return
            open_units[0] += len(branch.unit_ids)
            progress.open(branch.partition, Amount(branch.pages, branch.expected_s, len(branch.rows)))
            yield branch

    def width() -> int:
        least = 2 * pool.workers + 2
        if not waits or open_units[0] >= 1.5 * engine.in_flight:
            return least
        return 10**6  # an engine that waits: until its calls in flight are fed

    def idle() -> None:
        if process.stopping(run, job.session):
            stop.set()
        if stop.is_set() and status.state == "running":
            if process.whose(run) == job.session:
                run.write(process.SESSION, process.STOP.encode())
            status.set("stopping")
        if call_worker:
            call_worker.check()
        status.tick()

    with _progress_events(pool, job.session, progress):
        status.begin()
        for branch, tally in pool.window(supply(), submit, inline, width, idle):
            open_units[0] -= len(branch.unit_ids)
            progress.ended(branch.partition, stopped=tally.stopped)
            progress.units_failed += tally.failed
            progress.units_again += tally.again
            progress.call_seconds += tally.seconds
            status.tick()


@contextlib.contextmanager
def _progress_events(pool: Pool, session: str, progress: Any) -> Iterator[None]:
    if not isinstance(pool, OnCluster):
        yield
        return

    def heard(event: tuple[float, dict[str, Any]]) -> None:
        _heard(progress, event[1])

    topic = jobs.topic(session)
    pool.client.subscribe_topic(topic, heard)
    try:
        yield
    finally:
        with contextlib.suppress(Exception):  # the scheduler may be gone; that is told elsewhere
            pool.client.unsubscribe_topic(topic)


def _heard(progress: Any, told: dict[str, Any]) -> None:
    progress.heard(told["partition"], told["task"], (told["pages"], told["units"]))


@contextlib.contextmanager
def _call_worker(
    pool: Pool, engine: base.Engine, cluster: str, settings: Settings, session: str
) -> Iterator[CallWorker | None]:
    """For an engine that waits, on the local cluster: one call worker beside the CPU workers."""
    if engine.in_flight == 1 or cluster != "local" or not isinstance(pool, OnCluster):
        yield None
        return
    worker = CallWorker(pool, session, settings.state_folder / "cluster.log")
    try:
        worker.wait()
        yield worker
    finally:
        worker.close()


# -- books -------------------------------------------------------------------------------------------------------------


def _done(run: RunDirectory, planned: dict[int, tuple[int, int, float]]) -> set[int]:
    """Partitions all of whose documents have their rows."""
    from docdask.tables import build

    decided = build.decided(run)
    return {number for number, (documents, *_) in planned.items() if decided.get(number, 0) >= documents}


def _account(status: StatusWriter, planned: dict[int, tuple[int, int, float]], done: set[int]) -> int:
    """Set the totals; returns how many documents are left to do."""
    p = status.progress
    p.documents_total, p.pages_total, p.work_total_s = _sums(planned.values())
    p.documents, p.pages, p.work_done_s = _sums(planned[number] for number in done)
    status.write()
    return p.documents_total - p.documents


def _sums(counts: Iterable[tuple[int, int, float]]) -> tuple[int, int, float]:
    listed = list(counts)
    return sum(c[0] for c in listed), sum(c[1] for c in listed), sum(c[2] for c in listed)


def _drop_passing(run: RunDirectory, job: Job) -> None:
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


def _drop_superseded(run: RunDirectory) -> None:
    """Documents that changed and were planned again: their rows in the older partition no longer hold."""
    from docdask.tables import build

    for partition, documents in planning.superseded(run).items():
        build.drop(run, partition, documents)


def _write_set_aside(run: RunDirectory, engine: base.Engine) -> None:
    from docdask.tables import build

    build.write_documents(run, "set-aside", build.set_aside(planning.set_aside(run, engine)))


def _close_books(run: RunDirectory, engine: base.Engine) -> dict[str, Any]:
    """Write the rows of duplicates, and check that every input is accounted for."""
    from docdask.tables import build
    from docdask.tables.result import Result

    rows = planning.copies(run, engine)
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


def told(error: BaseException) -> dict[str, Any]:
    """Error as a JSON object, for another process to raise; see :func:`docdask.engine.handle.rebuilt`."""
    if isinstance(error, DocdaskError):
        return {
            "type": type(error).__name__,
            "message": error.message,
            "remedy": error.remedy,
            "exit_code": error.exit_code,
        }
    return {"type": type(error).__name__, "message": sentence(error), "remedy": "", "exit_code": 1}
