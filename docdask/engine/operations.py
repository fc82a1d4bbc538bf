"""One batch operation from its files to their results: uploaded, submitted, noted, waited for, read.

Rules:

1. Files go to the bucket before a slot is asked for, so that a slot is held by work and not by uploads.
2. The operation's name is noted before anyone waits for it. Whoever comes back with the name goes on waiting (*adopts* it)
   and never submits.
3. When nobody knows whether a submission arrived, or what its name was, the operation is looked for, by the prefix that it
   alone writes to. As long as a stranger runs that could be it, nothing is submitted again.
4. Polls take permits of their own, are at least ten seconds apart (of sixty to the minute), and grow rarer.
5. What the service says about the whole operation never hides what it says about one file.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from docdask.core.retry import RetryPolicy
from docdask.core.routes import Place, Processor
from docdask.engine.lostandfound import find, from_bucket
from docdask.engine.permit import Permit
from docdask.engine.semaphore import QuotaSemaphore
from docdask.engine.waiting import Stopped, unless_stopped
from docdask.errors import DocdaskError, DocumentError, UsageError
from docdask.service.documentai import DocumentAI, Operation
from docdask.service.documentai.client import SUBMIT_S
from docdask.service.errors import ServiceError, make
from docdask.service.staging import THREADS, Staging

logger = logging.getLogger(__name__)

#: Seconds between two polls at least, of sixty to the minute, and at most.
POLL_S, POLL_MOST_S = 10.0, 60.0
_SLOWER = 1.25
#: Looks in a row at which a lost operation must not be there before its files are sent again, and seconds after its
#: submission from which one look is enough.
LOOKS, SETTLED_S = 3, 600.0
#: Refusals for quota after which a submission is given up.
QUOTA_REFUSALS = 50
_POLICY = RetryPolicy()

#: What one file came to: its Document, serialised, or why there is none.
Result = bytes | DocdaskError


@dataclass(frozen=True, slots=True)
class BatchFile:
    """One file of a batch."""

    unit_id: str
    sha256: str
    """Of the bytes that are sent."""
    mime_type: str
    pages: int
    uri: str = ""
    """``gs://`` URI to be read in place; empty: :attr:`load` is staged."""
    load: Callable[[], Awaitable[bytes]] | None = None
    """Gives the bytes; called only if they are not in the bucket yet. May raise ``DocumentError``."""
    cost_micros: int = 0


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """One operation to be run."""

    request_id: str
    """Names it in the ledger, and its outputs in the bucket: never used for another."""
    files: Sequence[BatchFile]
    processor: Processor
    places: Mapping[str, Place]
    """Where it may run, by the name of the semaphore's endpoint."""
    run: str = ""
    """Whose budget it is."""
    priority: str = "normal"
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def sent(self) -> list[BatchFile]:
        """Files that are sent: of several with one content, or of one place, the first."""
        found: dict[Any, BatchFile] = {}
        for one in self.files:
            found.setdefault(one.uri or (one.sha256, one.mime_type), one)
        return list(found.values())

    @property
    def pages(self) -> int:
        """Pages that are sent, and reserved."""
        return sum(one.pages for one in self.sent)

    @property
    def cost_micros(self) -> int:
        """Micro-dollars that they cost if all of them succeed."""
        return sum(one.cost_micros for one in self.sent)


@dataclass(frozen=True, slots=True)
class Earlier:
    """What is known of an earlier attempt at the same request."""

    name: str = ""
    """Of the operation; empty: an intent was written and its name was not."""
    since_s: float = 0.0
    """When that was, in seconds since the epoch."""
    tried_s: float = math.inf
    """When it was about to be handed in for the last time; infinity: not known."""
    others: Collection[str] = ()
    """Names of operations that are known to be something else."""


class Adjourned(Exception):  # noqa: N818 - no error: the run was asked to stop
    """The run is to stop; the operation goes on and is adopted by the next.

    Parameters
    ----------
    name
        Of the operation; empty if none was submitted.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


#: Told an operation's name and its permit before anyone waits for it; True if it was adopted.
Noted = Callable[[str, Permit, bool], Awaitable[None]]
#: Told that the operation is about to be handed in.
Trying = Callable[[], Awaitable[None]]


async def run_batch(
    request: BatchRequest,
    *,
    client: DocumentAI,
    staging: Staging,
    semaphore: QuotaSemaphore,
    noted: Noted,
    trying: Trying | None = None,
    earlier: Earlier | None = None,
    stop: asyncio.Event | None = None,
) -> AsyncIterator[tuple[str, Result]]:
    """Run one batch operation, or go on with one that was begun before.

    Parameters
    ----------
    request
        What to send where.
    client, staging, semaphore
        What it is done with; the semaphore gives permits of the kinds ``batch`` (held until the operation has ended) and
        ``poll``.
    noted
        Must have written the name down when it returns.
    trying
        Must have written down, when it returns, that from now on there may be an operation.
    earlier
        What an earlier attempt left behind; None: there was none.
    stop
        Set when the run is to stop.

    Yields
    ------
    tuple
        Unit id and its result, once for each file, as they are read.

    Raises
    ------
    ServiceError
        If the operation could not be begun or asked after; none of the files is to blame.
    PermitRefused
        If there will be no permit.
    Adjourned
        If ``stop`` was set before the operation had ended.
    """
    batch = _Batch(request, client, staging, semaphore, noted, trying, stop or asyncio.Event())
    async for result in batch.everything(earlier):
        yield result


#: Names noted in this process: none of them is the one that another request has lost.
_NOTED: set[str] = set()


class _Batch:
    def __init__(
        self, request: BatchRequest, client: DocumentAI, staging: Staging, semaphore: QuotaSemaphore, noted: Noted,
        trying: Trying | None, stop: asyncio.Event,
    ) -> None:  # fmt: skip
        self.request, self.client, self.staging, self.semaphore = request, client, staging, semaphore
        self._noted, self._trying, self._stop = noted, trying, stop
        self._second = client.configuration.period_s / 60
        self._output = staging.output_prefix(request.request_id)
        self._name = ""
        self._units: dict[str, list[BatchFile]] = {}
        """By input URI, in the order in which they are or were submitted."""
        for one in request.files:
            uri = one.uri or staging.input_uri(one.sha256, one.mime_type)
            self._units.setdefault(uri, []).append(one)

    async def everything(self, earlier: Earlier | None) -> AsyncIterator[tuple[str, Result]]:
        name = "" if earlier is None else earlier.name or await self._look(earlier)
        if name:
            operation = await self._adopt(name)
        else:
            for unit_id, error in await self._upload():
                yield unit_id, error
            if not self._units:
                return
            operation = await self._begin()
        async for result in self._results(operation):
            yield result

    # -- in ----------------------------------------------------------------------------------------------------------

    async def _upload(self) -> list[tuple[str, DocdaskError]]:
        """Stage what is not read in place; files that can't be loaded are left out and returned with their reason."""
        gate = asyncio.Semaphore(THREADS)
        bad: list[tuple[str, DocdaskError]] = []

        async def stage(uri: str, one: BatchFile) -> None:
            async with gate:
                if self._stop.is_set():
                    raise Adjourned("")
                # An upload replaces nothing and leaves nothing half done: what is there is whole.
                if one.uri or await self.staging.has(one.sha256, one.mime_type):
                    return
                assert one.load is not None
                try:
                    content = await one.load()
                except DocumentError as error:
                    bad.extend((same.unit_id, error) for same in self._units.pop(uri))
                    return
                await self.staging.upload(one.sha256, one.mime_type, content, missing=True)

        jobs = [asyncio.ensure_future(stage(uri, files[0])) for uri, files in self._units.items()]
        try:
            await asyncio.gather(*jobs)
        finally:
            for job in jobs:
                job.cancel()
        return bad

    async def _begin(self) -> Operation:
        """Submit until it is accepted, and wait for its end, each attempt under a permit of its own."""
        failures = refusals = 0
        while True:
            async with self._slot(attempt=failures + refusals + 1) as permit:
                try:
                    await self._submit(permit)
                except ServiceError as error:
                    refusals += error.verdict == "quota"
                    failures += error.verdict != "quota"
                    wait_ns = _POLICY.wait_ns(
                        error.verdict, max(failures, 1), random.random, after_ns=int(error.after_s * 1e9)
                    )
                    if wait_ns is None or not error.retry or refusals >= QUOTA_REFUSALS:
                        raise
                else:
                    return await self._end(permit)
            await self._pause(wait_ns / 1e9 * self._second)

    async def _submit(self, permit: Permit) -> None:
        """Hand it in once and note its name. Without an answer it is looked for, with the permit in hand."""
        request, place = self.request, self.request.places[permit.endpoint]
        inputs = [(uri, files[0].mime_type) for uri, files in self._units.items()]
        if self._trying is not None:
            await self._trying()
        since_s = time.time()
        try:
            name = await self.client.submit(
                place, request.processor, inputs, self._output, labels=request.labels
            )
        except ServiceError as error:
            window_s = since_s, since_s + SUBMIT_S
            name = await self._search(place, window_s, ()) if error.verdict == "lost" else ""
            if not name:
                # Looked for and not there: it failed, and nothing was billed.
                verdict = "transient" if error.verdict == "lost" else error.verdict
                permit.report(
                    verdict, after_s=error.after_s, limit=error.limit, pages_billed=0, micros_billed=0, code=error.code
                )  # fmt: skip
                raise
        except UsageError:
            permit.report("unused")
            raise
        await self._note(name, permit, adopted=False)

    async def _note(self, name: str, permit: Permit, *, adopted: bool) -> None:
        self._name = name
        _NOTED.add(name)
        await self._noted(name, permit, adopted)

    # -- going on ----------------------------------------------------------------------------------------------------

    async def _adopt(self, name: str) -> Operation:
        """Take a slot for an operation that runs already, and wait for its end."""
        self._name = name
        location = name.split("/")[3]
        endpoints = tuple(key for key, place in self.request.places.items() if place.location == location)
        if not endpoints:
            raise make("operation-elsewhere", operation=name, location=location)
        # Its pages are reserved since it was submitted, in the ledger of then.
        async with self._slot(attempt=1, endpoints=endpoints, reserve=False) as permit:
            await self._note(name, permit, adopted=True)
            return await self._end(permit)

    async def _look(self, earlier: Earlier) -> str:
        """Name of an operation that an earlier attempt may have begun; empty if there is none."""
        window_s = earlier.since_s, earlier.tried_s + SUBMIT_S
        for place in self.request.places.values():
            name = await self._search(place, window_s, earlier.others)
            if name:
                return name
        return ""

    async def _search(self, place: Place, window_s: tuple[float, float], others: Collection[str]) -> str:
        """Look for our operation until it is found, or nothing is left that it could be.

        One look is not enough soon after: the service may still be at work on a submission that it never answered.
        """
        looks, wait_s = 0, POLL_S
        while True:
            async with self._poll(place):
                found = await find(
                    self.client, self.staging, place, self._output, self._units, window_s, {*others, *_NOTED}
                )
            if found.name:
                return found.name
            looks = 0 if found.strangers else looks + 1
            latest_s = window_s[0] if math.isinf(window_s[1]) else window_s[1]
            if looks >= LOOKS or (looks and time.time() - latest_s > SETTLED_S):
                return ""
            if found.strangers:
                logger.warning(
                    "%d operations in %s could be the batch %s, whose name was lost: nothing is sent again before they end",
                    len(found.strangers), place.location, self.request.request_id,
                )  # fmt: skip
            wait_s = await self._pace(wait_s)

    # -- waiting -----------------------------------------------------------------------------------------------------

    async def _end(self, permit: Permit) -> Operation:
        """Wait for the end of the operation, and say what it cost."""
        operation = await self._ended(self.request.places[permit.endpoint])
        good = [
            self._units[status.input_uri][0]
            for status in operation.files
            if status.error is None and status.output_uri and status.input_uri in self._units
        ]
        error = operation.error
        permit.report(
            "ok" if good or error is None else error.verdict,
            pages_billed=sum(one.pages for one in good),
            micros_billed=sum(one.cost_micros for one in good),
            code="OK" if error is None else error.code,
        )
        return operation

    async def _ended(self, place: Place) -> Operation:
        wait_s, failures = POLL_S, 0
        while True:
            try:
                async with self._poll(place):
                    operation = await self.client.operation(self._name)
            except ServiceError as error:
                if error.kind == "operation-not-found":
                    return await from_bucket(self.staging, self._name, self._output, list(self._units))
                failures += 1
                if not error.retry or failures >= _POLICY.attempts:
                    raise
            else:
                failures = 0
                if operation.done:
                    return operation
            wait_s = await self._pace(wait_s)

    # -- out ---------------------------------------------------------------------------------------------------------

    async def _results(self, operation: Operation) -> AsyncIterator[tuple[str, Result]]:
        left = dict(self._units)
        expected = {uri: files[0].pages for uri, files in self._units.items()}
        async for uri, result in self.staging.collect(operation, expected):
            for one in left.pop(uri, ()):
                yield one.unit_id, result
        for uri, files in left.items():
            for one in files:
                yield one.unit_id, operation.error or make("no-status", uri=uri)

    # -- permits and pauses ------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _slot(
        self, *, attempt: int, endpoints: tuple[str, ...] = (), reserve: bool = True
    ) -> AsyncIterator[Permit]:
        """Permit for one operation. Left without a word about its end, the operation may be running."""
        request = self.request
        paid = [files[0] for files in self._units.values()] if reserve else []
        entry = self.semaphore.permit(
            kind="batch",
            pages=sum(one.pages for one in paid),
            micros=sum(one.cost_micros for one in paid),
            unit=request.request_id,
            attempt=attempt,
            run=request.run,
            lane=request.priority,
            endpoints=endpoints or tuple(request.places),
        )
        permit: Permit = await self._unless_stopped(entry.__aenter__())
        try:
            yield permit
        finally:
            permit.report("lost", code="OPERATING")
            await entry.__aexit__(None, None, None)

    @asynccontextmanager
    async def _poll(self, place: Place) -> AsyncIterator[None]:
        """Permit for calls that count for the user alone."""
        request = self.request
        endpoint = next(key for key, one in request.places.items() if one == place)
        entry = self.semaphore.permit(
            kind="poll", pages=0, run=request.run, lane=request.priority, endpoints=(endpoint,)
        )
        permit: Permit = await self._unless_stopped(entry.__aenter__())
        try:
            yield
        except ServiceError as error:
            permit.report(
                error.verdict, after_s=error.after_s, limit=error.limit, pages_billed=0, code=error.code
            )
            raise
        finally:
            permit.report("ok", code="OK")
            await entry.__aexit__(None, None, None)

    async def _pace(self, wait_s: float) -> float:
        """Wait for the next poll; returns how long to wait for the one after."""
        await self._pause(wait_s * (1 + 0.25 * random.random()) * self._second)
        return min(wait_s * _SLOWER, POLL_MOST_S)

    async def _pause(self, seconds: float) -> None:
        await self._unless_stopped(asyncio.sleep(seconds))

    async def _unless_stopped(self, waited: Awaitable[Any]) -> Any:
        """Wait for something, but not longer than the run goes on."""
        try:
            return await unless_stopped(self._stop, waited)
        except Stopped:
            raise Adjourned(self._name) from None
