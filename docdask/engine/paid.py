"""Online calls that cost money: prepared, permitted, made, stored; every unit once.

Rules:

1. A unit whose result is stored is never sent. What is in a pack is written down before the pack is sent.
2. A call is made with a permit in hand and at once; its outcome is told as soon as its answer is there.
3. What came back is stored before anything else is done with it, also when the run is to stop.
4. A document that the service refuses is set aside. A pack that is refused for its content is halved until the culprit
   stands alone; the others are paid once, as what is refused is not billed.
5. A processor that refuses everybody ends the run, after what is in flight has come back.
6. Asked to stop, nobody waits for a permit any more; calls in flight are waited for, for they are paid.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

from docdask.core.retry import RetryPolicy
from docdask.engine import marks
from docdask.engine import payload as payloads
from docdask.engine.desk import Desk
from docdask.engine.facts import Record
from docdask.engine.job import Job, Tally, Tell, Unit, log_event
from docdask.engine.packcheck import Packing
from docdask.engine.payload import Payload
from docdask.engine.permit import Permit
from docdask.engine.process import calls_loop
from docdask.engine.semaphore import Entry
from docdask.engine.waiting import Stopped, all_of
from docdask.errors import DocumentError, EngineError, PermitRefused
from docdask.model import pack_id
from docdask.service.documentai import Answer
from docdask.service.errors import ServiceError

#: Refusals for quota after which a request is left for the next run.
QUOTA_REFUSALS = 50

_POLICY = RetryPolicy()


def call(
    job: Job,
    partition: int,
    requests: Sequence[Sequence[Unit]],
    alias: str,
    *,
    careful: bool = False,
    tell: Tell = log_event,
) -> Tally:
    """Make the calls of a branch, all at once as far as permits come, and store what comes back.

    Parameters
    ----------
    job, partition
        What to do.
    requests
        Units by call: one, or those of a pack.
    alias
        Processor.
    careful
        A worker died doing this before: one request at a time, with a mark for each unit.
    tell
        Told at most once a second how far it is.
    """
    calls = Calls(job, partition, requests, alias, careful=careful, tell=tell)
    return asyncio.run_coroutine_threadsafe(calls.everything(), calls_loop()).result()


class Calls(Desk):
    """The calls of one task; see :func:`call`."""

    def __init__(
        self,
        job: Job,
        partition: int,
        requests: Sequence[Sequence[Unit]],
        alias: str,
        *,
        careful: bool,
        tell: Tell,
    ) -> None:
        super().__init__(job, partition, [unit for request in requests for unit in request], alias, tell)
        self.packing, self.careful = Packing(self.run, job.checks), careful
        self._requests = requests

    async def work(self) -> None:
        """All requests at once."""
        self._alone = asyncio.Lock()
        todo = [self.left(request) for request in self._requests]
        await all_of([self._guarded(request) for request in todo if request])

    # -- one request -------------------------------------------------------------------------------------------------

    async def _guarded(self, units: tuple[Unit, ...]) -> None:
        """One request; what concerns all of them stops the others."""
        try:
            if self.careful:
                async with self._alone:
                    await self._careful(units)
            else:
                await self._request(units)
        except Stopped:
            pass
        except PermitRefused as error:
            self.end(error)
        except ServiceError as error:
            self.end(EngineError(error.message, error.remedy))

    async def _careful(self, units: tuple[Unit, ...]) -> None:
        """A request whose units are marked while it lasts; those that took their worker down too often are set aside."""
        deaths = {unit: marks.deaths_of(self.run, self.partition, unit) for unit in units}
        left = tuple(unit for unit in units if deaths[unit] < marks.DEATHS)
        for unit in set(units) - set(left):
            await self.set_aside(unit, marks.killed_worker(deaths[unit]))
        for unit in left:  # one at a time: else a pack would mark the innocent as well
            with marks.marked(self.run, self.partition, unit, deaths[unit]):
                await self._request((unit,))

    async def _request(self, units: tuple[Unit, ...]) -> None:
        """Send units together; halve what is refused for its content."""
        if len(units) > 1 and self.packing.off:
            await self._all([(unit,) for unit in units])
            return
        refused: ServiceError | None = None
        async with self.room.for_bytes(sum(unit.size_bytes for unit in units)):
            self.check_stop()
            payload = await self._built(units)
            for unit, error in payload.refused:
                await self.set_aside(unit, error)
            if payload.units:
                refused = await self._sent(payload)
        more: list[tuple[Unit, ...]] = [(unit,) for unit in payload.alone]
        if refused is not None and len(payload.units) > 1:
            middle = len(payload.units) // 2
            more += [payload.units[:middle], payload.units[middle:]]
        elif refused is not None:
            reason = DocumentError(refused.kind, refused.message, refused.remedy)
            await self.set_aside(payload.units[0], reason)
        elif payload.pack is not None and pack_id([unit.unit_id for unit in units]) in self.job.checks:
            await self._check_packing(payload)
        await self._all(more)

    async def _built(self, units: tuple[Unit, ...]) -> Payload:
        """What is sent for ``units``; in a thread, unless a hop to a thread would take longer than the work."""
        if payloads.quick(units):
            return payloads.build(self.job, self.processor, units)
        return await asyncio.to_thread(payloads.build, self.job, self.processor, units)

    async def _all(self, requests: Sequence[tuple[Unit, ...]]) -> None:
        await asyncio.gather(*(self._request(units) for units in requests))

    async def _sent(self, payload: Payload) -> ServiceError | None:
        """Call until there is an answer, and store it; returns why the documents were refused, if they were."""
        record = Record(self.maker, payload.units[0], self.queued_ns)
        request_id = pack_id([u.unit_id for u in payload.units]) if payload.pack else payload.units[0].unit_id
        if payload.pack is not None:
            self.packing.write_down(self.partition, request_id, payload.pack)
        try:
            answer, permit, attempt = await self._answer(payload, request_id, record)
        except ServiceError as error:
            if error.scope == "document":
                return error
            if not error.retry:
                raise
            for unit in payload.units:
                await self.leave_open(unit, error, _POLICY.attempts)
            return None
        await self._keep(payload, answer, permit, record, attempt)
        await self.note(request_id, permit.fence, "stored", attempt=attempt)
        return None

    async def _answer(self, payload: Payload, request_id: str, record: Record) -> tuple[Answer, Permit, int]:
        """One attempt after another, each with a permit of its own.

        Raises
        ------
        ServiceError
            The last one, if none succeeds.
        """
        attempt, failures, refusals = 0, 0, 0
        while True:
            attempt += 1
            entry = self._entry(payload, request_id, attempt)
            permit: Permit = await self.unless_stopped(entry.__aenter__())
            record.start()
            try:
                return await self._one_call(payload, permit), permit, attempt
            except ServiceError as error:
                if error.verdict == "quota":
                    refusals += 1
                else:
                    failures += 1
                wait_ns = _POLICY.wait_ns(
                    error.verdict, max(failures, 1), random.random, after_ns=int(error.after_s * 1e9)
                )
                if wait_ns is None or not error.retry or refusals >= QUOTA_REFUSALS:
                    raise
            finally:
                entry.__exit__(None, None, None)  # what became of the call has been told
            await self.unless_stopped(asyncio.sleep(wait_ns / 1e9))

    def _entry(self, payload: Payload, request_id: str, attempt: int) -> Entry:
        return self.semaphore.permit(
            pages=payload.pages,
            micros=sum(unit.cost_micros for unit in payload.units),
            unit=request_id,
            attempt=attempt,
            run=self.job.url,
            lane=self.job.priority,
            endpoints=tuple(self.places),
        )

    async def _one_call(self, payload: Payload, permit: Permit) -> Answer:
        try:
            answer = await self.client.process(
                self.places[permit.endpoint],
                self.processor,
                payload.content,
                payload.mime_type,
                pages=payload.selector,
                labels=self.labels,
            )
        except ServiceError as error:
            permit.report(error.verdict, after_s=error.after_s, limit=error.limit, code=error.code)
            raise
        except BaseException:  # cancelled: the call may have been made
            permit.report("lost", code="CANCELLED")
            raise
        permit.report("ok", code="OK")
        return answer

    # -- what comes of it --------------------------------------------------------------------------------------------

    async def _keep(
        self, payload: Payload, answer: Answer, permit: Permit, record: Record, attempt: int
    ) -> None:
        """Store the answer by unit, or why there is none in it: it was paid for, and is not asked for again."""
        try:
            await asyncio.to_thread(self._stored_now, payload, answer, permit, record, attempt)
        except DocumentError as error:
            for unit in payload.units:
                await self.set_aside(unit, error)

    def _stored_now(
        self, payload: Payload, answer: Answer, permit: Permit, record: Record, attempt: int
    ) -> None:
        """Take the answer apart and store it. Its seconds are divided among units, so that their sum is that of the calls."""
        found = payloads.documents(payload, answer.document, self.job.limits)
        kept = []
        for unit in payload.units:
            record.unit = unit
            document = found[unit.unit_id]
            facts = record.success(
                document,
                answer.request_bytes // len(payload.units),
                attempt,
                seconds=answer.seconds / len(payload.units),
                cost_usd=unit.cost_micros / 1e6,
                notes=_notes(payload, permit),
            )
            kept.append((facts, document))
        self.put(kept)

    async def _check_packing(self, payload: Payload) -> None:
        """Send the documents of a pack singly as well; packing goes off if their texts differ."""
        documents = {}
        for unit in payload.units:
            async with self.room.for_bytes(unit.size_bytes):
                single = await self._built((unit,))
                if single.units:
                    record = Record(self.maker, unit, self.queued_ns)
                    answer, _, _ = await self._answer(single, unit.unit_id, record)
                    documents[unit.unit_id] = answer.document
        await asyncio.to_thread(self.packing.compare, self.partition, documents)


def _notes(payload: Payload, permit: Permit) -> dict[str, Any]:
    notes: dict[str, Any] = {"endpoint": permit.endpoint, "fence": permit.fence}
    if payload.pack is not None:
        notes["packed"] = len(payload.units)
    return notes
