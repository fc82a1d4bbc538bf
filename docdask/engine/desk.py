"""What a task that spends money works with: client, permits, places, and how it stores, sets aside and stops.

Rules: made once a task, what is dear is kept by the process; nothing is raised before everything that was begun has
ended; a failure that concerns everybody is told by the tally, so that the driver lets the others end as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import time
from collections.abc import Awaitable, Sequence
from typing import Any, Literal

from docdask.core.routes import Configuration, Processor
from docdask.engine import payload, quota, waiting
from docdask.engine import units as one
from docdask.engine.facts import Maker, Record
from docdask.engine.job import Job, Tally, Tell, Unit
from docdask.engine.process import calls_loop, run_of, stopping
from docdask.engine.room import Room
from docdask.errors import ClusterError, DocumentError, EngineError, to_json
from docdask.model import Facts, document_id
from docdask.service.documentai import DocumentAI
from docdask.service.errors import ServiceError
from docdask.store.run import RunDirectory

#: Bytes of requests that are prepared or in flight in one process; a request waits with its bytes in hand, so that its
#: call can be made the moment its permit comes.
ROOM_BYTES = 512 * 2**20
#: Requests prepared or in flight in one process.
ROOM_REQUESTS = 1000

_LOOK_S = 1.0


class Desk:
    """Base of the tasks that call Document AI.

    Parameters
    ----------
    job, partition, units
        What to do.
    alias
        Processor.
    tell
        Told at most once a second how far it is.

    Attributes
    ----------
    configuration, processor, client, semaphore, places
        What calls are made with; places by the name of their endpoint.
    room
        How much this process may have in hand.
    tally
        What was done.
    """

    def __init__(self, job: Job, partition: int, units: Sequence[Unit], alias: str, tell: Tell) -> None:
        key = _key(job)
        self.job, self.partition, self.run = job, partition, run_of(job.url)
        self.configuration = _configured(key)
        self.processor: Processor = self.configuration.processors[alias]
        self.semaphore = quota.semaphore_of(job)
        _ = self.semaphore.agent  # found in the task's own thread, which knows its worker
        self.client = _client(key, job.emulator_host)
        self.places = quota.places(self.configuration, alias)
        self.labels = {"docdask-run": document_id(job.url)}
        """On every request, so that a bill can be divided among runs."""
        self.room = _room(key)
        self.maker = Maker(self.processor.engine_id, self.processor.processor_type, self.processor.version)
        self.queued_ns = time.time_ns()
        self.tally = Tally()
        self._stored = one.stored(job, self.run, partition, units)
        self.tally.again = len(self._stored)
        self._report = one.Reporter(job, partition, units, tell)
        self._error: EngineError | None = None

    async def everything(self) -> Tally:
        """Do the work; raises what was nobody's fault only after all of it has ended."""
        self.stop = asyncio.Event()
        watcher = asyncio.ensure_future(self._watch())
        try:
            await self.work()
        finally:
            watcher.cancel()
            await self._settled()
        if self._error is not None:
            self.tally.error = to_json(self._error)
        self.tally.stopped = self.stop.is_set()
        self._report(self.tally, last=True)
        return self.tally

    async def work(self) -> None:
        """What the task is for."""
        raise NotImplementedError

    def left(self, units: Sequence[Unit]) -> tuple[Unit, ...]:
        """Those whose result is not stored."""
        return tuple(unit for unit in units if unit.unit_id not in self._stored)

    # -- what comes of a unit ----------------------------------------------------------------------------------------

    def put(self, kept: Sequence[tuple[Facts, bytes | None]]) -> None:
        """Store what became of units, and count it. Blocks."""
        for facts, document in kept:
            one.put(self.run, self.partition, facts, document, self.tally)
        self._report(self.tally)

    async def note(
        self,
        request_id: str,
        fence: int,
        kind: Literal["stored", "operation", "adopted"],
        *,
        code: str = "",
        attempt: int = 1,
        pages: int = 0,
        micros: int = 0,
    ) -> None:
        """Put a fact about a request into the ledger; see :meth:`QuotaSemaphore.note`, which would stop this loop."""
        agent = self.semaphore.agent
        fact = (self.semaphore.name, self.job.url, request_id, fence, kind, attempt, code, pages, micros)
        await self.semaphore.bridge(agent.note(fact, durable=kind != "stored"))

    async def set_aside(self, unit: Unit, error: DocumentError) -> None:
        """The document can't be done."""
        facts = Record(self.maker, unit, self.queued_ns).failure(error, 1)
        await asyncio.to_thread(self.put, [(facts, None)])

    async def leave_open(self, unit: Unit, error: ServiceError, attempts: int) -> None:
        """The service did not answer for too long: the document stays pending, with the reason."""
        reason = DocumentError(error.kind, error.message, error.remedy)
        facts = Record(self.maker, unit, self.queued_ns).failure(reason, attempts, permanent=False)
        await asyncio.to_thread(self.put, [(facts, None)])

    # -- stopping ----------------------------------------------------------------------------------------------------

    def end(self, error: EngineError) -> None:
        """Something concerns everybody: begin nothing more, and tell why."""
        self._error = self._error or error
        self.stop.set()

    def check_stop(self) -> None:
        """Raise :class:`~docdask.engine.waiting.Stopped` if the run is to stop."""
        if self.stop.is_set():
            raise waiting.Stopped

    async def unless_stopped(self, waited: Awaitable[Any]) -> Any:
        """Wait for something, but not longer than the run goes on."""
        return await waiting.unless_stopped(self.stop, waited)

    async def _settled(self) -> None:
        """Wait until the governor knows how each call ended: who leaves without a word has lost its calls, and their price."""
        for _ in range(3):  # what was cancelled a moment ago is on its way to the agent's loop
            await asyncio.sleep(0)
        with contextlib.suppress(ClusterError):  # nobody is there to be told
            await self.semaphore.bridge(self.semaphore.agent.settled())

    async def _watch(self) -> None:
        while not stopping(self.run, self.job.session):  # noqa: ASYNC110 - a file says it, and files don't wake anybody
            await asyncio.sleep(_LOOK_S)
        self.stop.set()


# -- this process ------------------------------------------------------------------------------------------------------


def make_ready(job: Job) -> None:
    """Make what the first call would have to make: client, permits, children of the sandbox; a second, once a process."""
    _client(_key(job), job.emulator_host)
    _ = quota.semaphore_of(job).agent
    calls_loop()
    if opens_files(run_of(job.url)):
        payload.start_children(job.limits)


def opens_files(run: RunDirectory) -> bool:
    """Whether files are joined or cut before they are sent."""
    import pyarrow.compute as pc

    def opened(rows: Any) -> bool:
        online = rows.filter(pc.equal(rows["lane"], "online"))
        cut = pc.any(pc.greater(pc.list_value_length(online["ranges"]), 0)).as_py()
        return bool(cut or online["pack"].null_count < len(online))

    return any(
        opened(rows)
        for generation in run.generations()
        for rows in run.plan_batches(generation, ["lane", "pack", "ranges"])
    )


def _key(job: Job) -> str:
    assert job.configuration is not None
    return json.dumps(job.configuration.to_json(), sort_keys=True)


@functools.lru_cache(maxsize=4)
def _configured(configuration: str) -> Configuration:
    return Configuration.from_json(json.loads(configuration))


@functools.lru_cache(maxsize=4)
def _client(configuration: str, emulator_host: str) -> DocumentAI:
    client = DocumentAI(_configured(configuration), emulator_host=emulator_host)
    client.load()  # the first call has a permit in hand, which is for a call that goes out at once
    return client


@functools.lru_cache(maxsize=4)
def _room(configuration: str) -> Room:
    del configuration  # part of the key: one a project
    return Room(ROOM_REQUESTS, ROOM_BYTES)
