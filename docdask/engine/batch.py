"""The batch lane: one task a batch operation, whose results come from the bucket.

Rules:

1. An operation's name is in the ledger, and in the run directory, before anyone waits for it; a task that runs again
   adopts it. One operation that is lost may be thousands of pages that are paid for nothing.
2. Files are read in place where they are in a bucket, else staged once, by what is in them.
3. A file that failed has its own reason; the others are stored.
4. Asked to stop, nobody waits any longer: the operation goes on, and the next session adopts it.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from docdask.engine import payload as payloads
from docdask.engine.desk import Desk
from docdask.engine.facts import Record
from docdask.engine.job import Job, Tally, Tell, Unit, log_event
from docdask.engine.operations import Adjourned, BatchFile, BatchRequest, Earlier, Result, run_batch
from docdask.engine.payload import Payload
from docdask.engine.permit import Permit
from docdask.engine.process import calls_loop
from docdask.engine.waiting import Stopped, all_of
from docdask.errors import DocdaskError, DocumentError, EngineError, PermitRefused
from docdask.model import pack_id
from docdask.service.errors import ServiceError
from docdask.service.staging import Staging

#: What is written where nothing was handed in yet.
_NEVER = 0.0
#: Attempts that are told of a unit whose operation did not end well.
_ATTEMPTS = 1


def operate(
    job: Job,
    partition: int,
    requests: Sequence[Sequence[Unit]],
    alias: str,
    *,
    careful: bool = False,
    tell: Tell = log_event,
) -> Tally:
    """Run the batch operations of a branch, as a rule one, and store what they bring.

    Parameters
    ----------
    job, partition
        What to do.
    requests
        Units by operation.
    alias
        Processor.
    careful
        Makes no difference: nothing of a batch is opened here that could take a worker down.
    tell
        Told at most once a second how far it is.
    """
    del careful
    operations = Operations(job, partition, requests, alias, tell)
    return asyncio.run_coroutine_threadsafe(operations.everything(), calls_loop()).result()


class Operations(Desk):
    """The operations of one task; see :func:`operate`."""

    def __init__(
        self, job: Job, partition: int, requests: Sequence[Sequence[Unit]], alias: str, tell: Tell
    ) -> None:
        super().__init__(job, partition, [unit for request in requests for unit in request], alias, tell)
        self._requests = requests

    async def work(self) -> None:
        """All operations at once; the governor has slots for a few."""
        place, project = self.configuration.staging, self.configuration.project
        async with Staging(place, project=project, endpoint=self.job.storage_host) as self._staging:
            await all_of([self._guarded(tuple(request)) for request in self._requests])

    async def _guarded(self, units: tuple[Unit, ...]) -> None:
        left = self.left(units)
        if not left:
            return
        try:
            await self._operation(units, left)
        except (Adjourned, Stopped):
            self.stop.set()
        except PermitRefused as error:
            self.end(error)
        except ServiceError as error:
            if not error.retry:
                self.end(EngineError(error.message, error.remedy))
                return
            for unit in left:
                await self.leave_open(unit, error, _ATTEMPTS)

    async def _operation(self, units: tuple[Unit, ...], left: tuple[Unit, ...]) -> None:
        """Go on with the operation that was begun for these units, or begin one for what is left of them."""
        journal = _Journal(self, [unit.unit_id for unit in units])
        sent = await asyncio.to_thread(journal.open, [unit.unit_id for unit in left])
        chosen = tuple(unit for unit in units if unit.unit_id in sent)
        wanted = {unit.unit_id: unit for unit in left}
        files = [await self._file(unit) for unit in chosen]
        request = BatchRequest(
            journal.request_id,
            files,
            self.processor,
            self.places,
            run=self.job.url,
            priority=self.job.priority,
            labels=self.labels,
        )
        journal.cost = request.pages, request.cost_micros
        # Their calls begin now: in the tables each of them lasts as long as the operation that they share.
        records = {unit.unit_id: Record(self.maker, unit, self.queued_ns) for unit in left}
        began, results = time.perf_counter(), 0
        async for unit_id, result in run_batch(
            request,
            client=self.client,
            staging=self._staging,
            semaphore=self.semaphore,
            noted=journal.noted,
            trying=journal.trying,
            earlier=journal.earlier,
            stop=self.stop,
        ):
            results += 1
            unit = wanted.pop(unit_id, None)
            if unit is not None:
                seconds = (time.perf_counter() - began) / len(files)
                await self._keep(records[unit_id], result, seconds, journal.endpoint)
        if results:
            await asyncio.to_thread(journal.close)
            await journal.stored()

    async def _keep(self, record: Record, result: Result, seconds: float, endpoint: str) -> None:
        unit = record.unit
        if isinstance(result, ServiceError) and result.retry and result.scope != "document":
            await self.leave_open(unit, result, _ATTEMPTS)
            return
        if isinstance(result, DocdaskError):
            code = getattr(result, "kind", "") or getattr(result, "code", "") or "failed"
            await self.set_aside(unit, DocumentError(code, result.message, result.remedy))
            return
        span = unit.page_range
        payload = Payload((unit,), b"", unit.mime_type, first_page=span.first if span else 1)
        try:
            documents = await asyncio.to_thread(payloads.documents, payload, result, self.job.limits)
        except DocumentError as error:
            await self.set_aside(unit, error)
            return
        document = documents[unit.unit_id]
        facts = record.success(
            document,
            unit.size_bytes,
            _ATTEMPTS,
            seconds=seconds,
            cost_usd=unit.cost_micros / 1e6,
            notes={"endpoint": endpoint, "lane": "batch"},
        )
        await asyncio.to_thread(self.put, [(facts, document)])

    # -- files -------------------------------------------------------------------------------------------------------

    async def _file(self, unit: Unit) -> BatchFile:
        """How a unit is sent: in place, or staged under the name of what is in it."""
        common: dict[str, Any] = {"pages": unit.pages, "cost_micros": unit.cost_micros}
        if unit.uri.startswith("gs://") and not unit.action and not unit.ranged:
            return BatchFile(unit.unit_id, unit.sha256, unit.mime_type, uri=unit.uri, **common)
        sha256, mime_type = unit.sha256, unit.mime_type
        if unit.action or unit.ranged:  # what is sent is made of the file, always in the same way
            made = f"{unit.sha256}/{unit.action}/{unit.page_range}"
            sha256 = hashlib.sha256(made.encode()).hexdigest()
        if unit.action and mime_type.startswith("image/"):
            # Repaired losslessly: as PNG, or as TIFF where there are several frames.
            mime_type = "image/png" if unit.pages == 1 else "image/tiff"
        return BatchFile(unit.unit_id, sha256, mime_type, load=self._loader(unit), **common)

    def _loader(self, unit: Unit) -> Callable[[], Awaitable[bytes]]:
        async def load() -> bytes:
            async with self.room.for_bytes(unit.size_bytes):
                payload = await asyncio.to_thread(
                    payloads.build, self.job, self.processor, (unit,), selects=False
                )
            if payload.refused:
                raise payload.refused[0][1]
            return payload.content

        return load


class _Journal:
    """What the run directory says about the operation for some units: ``operations/<id>.json``."""

    def __init__(self, desk: Operations, unit_ids: Sequence[str]) -> None:
        self._desk, self._first = desk, pack_id(unit_ids)
        self.request_id = self._first
        self.earlier: Earlier | None = None
        self.endpoint = ""
        self.cost = 0, 0
        """Pages and micro-dollars of all that the operation was, or is, handed in for."""
        self._fence = 0
        self._known: dict[str, Any] = {}

    def open(self, left: Sequence[str]) -> set[str]:
        """Find what was begun, or write down what is about to be; returns the units that are, or were, sent.

        An operation that has ended and was read is over: what is left after it is a request of its own. One that was never
        about to be handed in is not looked for.
        """
        run = self._desk.run
        while (known := run.read_json(self._path)) and known.get("ended"):
            self.request_id = pack_id([self.request_id, *left])
        if known and known.get("tried_s") != _NEVER:
            self.earlier = Earlier(known.get("name", ""), known["since_s"], known.get("tried_s", math.inf))
            self._known = known
        else:
            self._known = {"since_s": time.time(), "tried_s": _NEVER, "units": list(left)}
            run.write_json(self._path, self._known)
        return set(self._known["units"])

    async def trying(self) -> None:
        """Write down that the operation is about to be handed in."""
        self._known |= {"tried_s": time.time()}
        await asyncio.to_thread(self._desk.run.write_json, self._path, self._known)

    async def noted(self, name: str, permit: Permit, adopted: bool) -> None:
        """Write an operation's name down, in the run and in the ledger."""
        self.endpoint, self._fence = permit.endpoint, permit.fence
        self._known |= {"name": name, "endpoint": permit.endpoint}
        await asyncio.to_thread(self._desk.run.write_json, self._path, self._known)
        pages, micros = self.cost if adopted else (0, 0)
        await self._desk.note(
            self.request_id,
            permit.fence,
            "adopted" if adopted else "operation",
            code=name,
            pages=pages,
            micros=micros,
        )

    def close(self) -> None:
        """Say that its results have been read."""
        self._known |= {"ended": True}
        self._desk.run.write_json(self._path, self._known)

    async def stored(self) -> None:
        """Say in the ledger that its results are stored."""
        await self._desk.note(self.request_id, self._fence, "stored")

    @property
    def _path(self) -> str:
        return f"operations/{self.request_id}.json"
