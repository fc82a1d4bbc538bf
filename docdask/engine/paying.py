"""The driver's side of a run that is paid: what is checked, announced and limited before the first call.

Rules:

1. What a run needs to know of Document AI is in its directory, but for credentials: any driver can go on.
2. Before money is spent every processor is looked at, and asked with something that is not billed.
3. The governor is told of the run with its budget: the accepted price is the most that is ever spent, over all sessions.
4. An emulator that belongs to the run is started and stopped with its driver; what its books said is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from docdask.configuration import emulator_host
from docdask.core.routes import Configuration
from docdask.core.spec import BudgetSpec
from docdask.engine import planning, quota
from docdask.engine.job import Job
from docdask.engine.packcheck import first_packs
from docdask.engine.plugin import GovernorPlugin
from docdask.engine.pool import InProcess, OnCluster, Pool
from docdask.engine.semaphore import QuotaSemaphore
from docdask.errors import EngineError, UsageError
from docdask.service.documentai import Check, DocumentAI
from docdask.service.emulator.child import EmulatorProcess
from docdask.service.staging import Staging
from docdask.store import paidrun
from docdask.store.manifest import Manifest
from docdask.store.run import RunDirectory

#: Engines whose runs are paid, or would be if the service were real.
PAID_ENGINES = frozenset({"documentai", "emulator"})


def unproven(configuration: Configuration) -> bool:
    """Whether the first packs are to be sent singly as well: Google nowhere says that pages are read independently."""
    return not configuration.emulated and any(row.packs for row in configuration.processors.values())


class Payer:
    """Everything about money in one session of a run; nothing at all in a run that is not paid.

    Parameters
    ----------
    run, job, manifest
        The run and what its tasks are told.

    Attributes
    ----------
    job
        The job with what paid tasks need to know.
    """

    def __init__(self, run: RunDirectory, job: Job, manifest: Manifest) -> None:
        self.run, self.job = run, job
        self._emulator: EmulatorProcess | None = None
        self._paid = manifest.engine in PAID_ENGINES
        self._own = manifest.engine == "emulator"

    def __enter__(self) -> Self:
        if not self._paid:
            return self
        configuration = paidrun.configuration(self.run)
        if configuration is None:
            raise UsageError(
                f"{self.run.url} lacks {paidrun.CONFIGURATION}",
                f"plan it again: docdask plan SOURCE --to {self.run.url}",
            )
        host, storage = emulator_host(), os.environ.get("STORAGE_EMULATOR_HOST", "")
        if self._own:
            self._emulator = EmulatorProcess(configuration, paidrun.emulator_options(self.run)).start()
            host, storage = self._emulator.grpc_address, self._emulator.http_url
        elif configuration.emulated != bool(host):
            raise _mixed(self.run, configuration, host)
        self.job = replace(
            self.job,
            configuration=configuration,
            emulator_host=host,
            storage_host=storage,
            checks=first_packs(planning.branches(self.run)) if unproven(configuration) else frozenset(),
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_emulator()

    def check(self) -> None:
        """Raise if the emulator has ended: calls would wait for it.

        Raises
        ------
        EngineError
            If so.
        """
        if self._emulator is not None and not self._emulator.running:
            raise EngineError("the run's own emulator has ended", "give the same command again")

    @contextlib.contextmanager
    def paying(self, pool: Pool) -> Iterator[None]:
        """Announce the run to the governor of a cluster, for as long as it is worked on there."""
        configuration = self.job.configuration
        if configuration is None:
            yield
            return
        with _governed(pool) as client:
            client.register_plugin(GovernorPlugin())
            semaphore = QuotaSemaphore(
                name=quota.semaphore_name(configuration, self.job.emulator_host),
                spec=quota.spec(configuration),
                client=client,
            )
            _register(semaphore)
            calls, pages = _announced(self.run)
            budget = paidrun.budget(self.run) or BudgetSpec()
            semaphore.open_run(self.job.url, calls=calls, pages=pages, budget=budget, ledger=self.job.url)
            try:
                self._look(configuration, semaphore)
                yield
            finally:
                with contextlib.suppress(Exception):  # the scheduler may be gone; that is told elsewhere
                    semaphore.close_run(self.job.url)

    def _look(self, configuration: Configuration, semaphore: QuotaSemaphore) -> None:
        """Look at every processor before money is spent, with permits: the service counts these calls too.

        Raises
        ------
        EngineError
            What is wrong, in one sentence, with its remedy.
        """
        names = sorted(
            name for alias in configuration.processors for name in quota.places(configuration, alias)
        )
        permits = [
            semaphore.acquire(pages=0, run=self.job.url, unit=f"check {name}", endpoints=(name,))
            for name in names
        ]
        try:
            found = asyncio.run(_checked(configuration, self.job, batch=_uses_batch(self.run)))
        finally:
            for permit in permits:
                permit.report(pages_billed=0, micros_billed=0, code="CHECK")
                semaphore.release(permit)
        bad = [check for check in found if not check.ok]
        if bad:
            raise EngineError("; ".join(dict.fromkeys(check.message for check in bad)), self._remedy(bad[0]))

    def _remedy(self, bad: Check) -> str:
        """What to do, and how the run comes to know of it, where it is something that its own copy of the file says."""
        if bad.error is not None and bad.error.scope in ("credentials", "client"):
            return bad.remedy
        engine = "emulator" if self._own else "documentai"
        return f"{bad.remedy}; for the run to know what you change in docdask.toml: docdask plan SOURCE --to {self.run.url} --engine {engine}"

    def _stop_emulator(self) -> None:
        emulator, self._emulator = self._emulator, None
        if emulator is None:
            return
        with contextlib.suppress(EngineError):
            if emulator.running:
                paidrun.write_books(self.run, emulator.stats())
        emulator.stop()


async def _checked(configuration: Configuration, job: Job, *, batch: bool) -> list[Check]:
    async with DocumentAI(configuration, emulator_host=job.emulator_host) as client:
        found = await client.check()
    if batch:
        async with Staging(
            configuration.staging, project=configuration.project, endpoint=job.storage_host
        ) as staging:
            found.append(await staging.check())
    return found


def _uses_batch(run: RunDirectory) -> bool:
    """Whether anything is planned for the batch lane."""
    import pyarrow.compute as pc

    return any(
        pc.any(pc.equal(rows["lane"], "batch")).as_py()
        for generation in run.generations()
        for rows in run.plan_batches(generation, ["lane"])
    )


def _register(semaphore: QuotaSemaphore) -> None:
    """Use the project's semaphore, with our processors beside those of other runs, and the quotas that we know."""
    semaphore.register()
    semaphore.configure(semaphore.spec)


def _announced(run: RunDirectory) -> tuple[int, int]:
    """Calls and pages that the plan has for a paid service."""
    import pyarrow as pa
    import pyarrow.compute as pc

    calls = pages = 0
    for generation in run.generations():
        for batch in run.plan_batches(generation, ["partition", "lane", "pack", "pages", "unit_ids"]):
            online = batch.filter(pc.equal(batch["lane"], "online"))
            alone = online.filter(pc.is_null(online["pack"]))
            packed = pa.table(online.filter(pc.is_valid(online["pack"])))
            calls += pc.sum(pc.list_value_length(alone["unit_ids"])).as_py() or 0
            calls += len(packed.group_by(["partition", "pack"]).aggregate([]))
            pages += pc.sum(online["pages"].cast(pa.int64())).as_py() or 0
    return calls, pages


def _mixed(run: RunDirectory, configuration: Configuration, host: str) -> EngineError:
    if configuration.emulated:
        return EngineError(
            f"{run.url} belongs to an emulator ({configuration.billing}), and DOCUMENTAI_EMULATOR_HOST is not set",
            "set it to the emulator's address; for real calls start another RUN",
        )
    return EngineError(
        f"{run.url} belongs to {configuration.billing}, and DOCUMENTAI_EMULATOR_HOST={host} is set",
        "unset it to go on with real calls, or start another RUN",
    )


@contextlib.contextmanager
def _governed(pool: Pool) -> Iterator[Any]:
    """Client of a scheduler on which a governor can live; without a cluster, one in this process and without workers."""
    if isinstance(pool, OnCluster):
        yield pool.client
        return
    assert isinstance(pool, InProcess)
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=0, processes=False, dashboard_address="127.0.0.1:0", silence_logs=50
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client
