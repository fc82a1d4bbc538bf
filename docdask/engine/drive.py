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
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from docdask.engine import books, calibration, desk, graph, planning, process, work
from docdask.engine import job as jobs
from docdask.engine import status as status_file
from docdask.engine.branch import Branch
from docdask.engine.clusters.calling import CallWorker
from docdask.engine.job import Job, Tally
from docdask.engine.paying import Payer
from docdask.engine.pool import Feed, OnCluster, Pool, open_pool
from docdask.engine.status import Amount, StatusWriter
from docdask.engine.supply import Supply
from docdask.errors import ClusterError, DocdaskError, EngineError, RunLocked, from_json, to_json
from docdask.service import base
from docdask.settings import Settings
from docdask.store.manifest import Manifest
from docdask.store.run import RunDirectory

#: Times that the local cluster is started again when its scheduler dies during a run.
RESTARTS = 3

_WAIT_S = 0.5


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
        job = _job(run, manifest, settings, passwords, storage_options or {})
        # Before the first status: whoever sees that and wants the run to stop writes there after us.
        run.write(process.SESSION, job.session.encode())
        status = StatusWriter(run, {"engine": manifest.engine_id, "token": job.session})
        status.set("starting")
        with _failure_told(status), contextlib.closing(_engine(run, manifest)) as engine:
            with Payer(run, job, manifest) as payer:
                driver = Driver(run, payer.job, engine, settings, cluster, client, status, stop, payer)
                driver.drive()
            status.write()  # the summary reads the session's seconds there
            summary = books.close(run, engine, payer.job.configuration)
            status.set("stopped" if stop.is_set() and summary["pending"] else "finished")
        return summary


def _job(
    run: RunDirectory,
    manifest: Manifest,
    settings: Settings,
    passwords: tuple[str, ...],
    storage_options: dict[str, Any],
) -> Job:
    """What the tasks of a new session are told."""
    return Job(
        session=uuid.uuid4().hex[:12],
        url=run.url,
        engine=manifest.engine,
        options=manifest.engine_options,
        tokens=manifest.tokens,
        passwords=passwords,
        storage_options=storage_options,
        engine_folder=base.folder(manifest.engine),
        again=jobs.PASSING | (jobs.LIMITED if settings.raised else frozenset()),
        priority=settings.priority,
        **settings.limits,
    )


@contextlib.contextmanager
def _failure_told(status: StatusWriter) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        with contextlib.suppress(DocdaskError):  # what could not be written may be the reason
            status.set("failed", error=to_json(error))
        raise


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


@dataclass(slots=True)
class Driver:
    """One session of a run: what it works with."""

    run: RunDirectory
    job: Job
    engine: base.Engine
    settings: Settings
    cluster: str
    client: Any
    status: StatusWriter
    stop: threading.Event
    payer: Payer
    call_worker: CallWorker | None = None
    error: dict[str, Any] | None = None
    """What a task said must end the run."""

    @property
    def calls(self) -> bool:
        """Whether anything waits for a service."""
        return self.engine.in_flight > 1

    def drive(self) -> None:
        """Work off what is planned; start the local cluster again if its scheduler dies."""
        books.drop_superseded(self.run)
        books.drop_passing(self.run, self.job)
        books.write_set_aside(self.run, self.engine, self.job.configuration)
        restarts = 0
        while True:
            done = self._left()
            if done is None:
                return
            pool = open_pool(self.cluster, self.settings, client=self.client)
            try:
                with self._call_worker(pool), self.payer.paying(pool):
                    if isinstance(pool, OnCluster):
                        pool.check(self.run)
                    self.status.facts.update(dashboard=pool.dashboard, workers=pool.workers)
                    self._work_off(pool, done)
                if self.error is not None:
                    raise from_json(self.error)
                if self.stop.is_set() or not self._escalated(pool):
                    return
            except ClusterError:
                restarts += 1
                if (
                    self.cluster != "local"
                    or self.client is not None
                    or restarts > RESTARTS
                    or self.stop.is_set()
                ):
                    raise
                self.status.progress.forget_open()
            finally:
                pool.close()

    def _left(self) -> set[int] | None:
        """Partitions that are done; None if all are, or the run is to stop."""
        planned = planning.planned(self.run)
        done = books.done(self.run, planned)
        left = books.account(self.status, planned, done)
        return done if left and not self.stop.is_set() else None

    def _escalated(self, pool: Pool) -> bool:
        """Plan for Google what the offline engine read badly; whether there was any."""
        configuration = self.job.configuration
        if configuration is None:
            return False
        speed, _ = calibration.speed(self.engine, self.settings)
        found = planning.escalate(self.run, base.reader(self.engine), configuration, speed, pool.workers)
        books.drop_superseded(self.run)
        return bool(found)

    def _work_off(self, pool: Pool, done: set[int]) -> None:
        progress = self.status.progress
        self._wait_until_ready()

        def submit(branch: Branch, tries: int) -> Any:
            calls = self.call_worker.resource if self.call_worker else "call"
            return graph.build(
                self.job, branch, waits=self.calls, resources=pool.resources, calls=calls, attempt=tries
            )

        def tell(_job: Job, event: dict[str, Any]) -> None:
            _heard(progress, event)
            self._idle()

        def inline(branch: Branch) -> Tally:
            return work.serial(self.job, branch, waits=self.calls, tell=tell)

        stale = planning.superseded(self.run)
        supply = Supply(
            lambda lanes: planning.branches(self.run, done, lanes=lanes, stale=stale),
            self.stop,
            branches_most=2 * pool.workers + 2,
            requests_most=int(1.5 * self.engine.in_flight) if self.calls else 0,
        )
        with _progress_events(pool, self.job.session, progress):
            self.status.begin()
            for branch, tally in pool.window(
                Feed(self._opened(supply), submit, inline, supply.width, self._idle)
            ):
                supply.ended(branch)
                self._ended(branch, tally)

    def _wait_until_ready(self) -> None:
        """Wait until the call worker is there with what its first call needs: it started while processors were looked at."""
        if self.call_worker:
            self.call_worker.wait()
        while self.call_worker and not self.stop.is_set() and not self.call_worker.prepared(_WAIT_S):
            self._idle()

    def _opened(self, supply: Supply) -> Iterator[Branch]:
        for branch in supply:
            amount = Amount(branch.pages, branch.expected_s, len(branch.rows))
            self.status.progress.open(branch.partition, amount)
            yield branch

    def _ended(self, branch: Branch, tally: Tally) -> None:
        progress = self.status.progress
        progress.ended(branch.partition, stopped=tally.stopped)
        progress.units_failed += tally.failed
        progress.units_again += tally.again
        progress.call_seconds += tally.seconds
        if tally.error is not None:
            self.error = self.error or tally.error
            self.stop.set()
        self.status.tick()

    def _idle(self) -> None:
        """What is looked after while the driver waits."""
        if process.stopping(self.run, self.job.session):
            self.stop.set()
        if self.stop.is_set() and self.status.state == "running":
            if process.whose(self.run) == self.job.session:
                self.run.write(process.SESSION, process.STOP.encode())
            self.status.set("stopping")
        if self.call_worker:
            self.call_worker.check()
        self.payer.check()
        self.status.tick()

    @contextlib.contextmanager
    def _call_worker(self, pool: Pool) -> Iterator[None]:
        """For an engine that waits, on the local cluster: one call worker beside the CPU workers."""
        if not self.calls or self.cluster != "local" or not isinstance(pool, OnCluster):
            yield
            return
        self.call_worker = CallWorker(pool, self.job.session, self.settings.state_folder / "cluster.log")
        try:
            if self.job.configuration is not None:
                self.call_worker.prepare(desk.make_ready, self.job)
            yield
        finally:
            self.call_worker.close()
            self.call_worker = None


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
