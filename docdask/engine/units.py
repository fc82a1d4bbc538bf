"""One unit: read, recognised, tried again, and told with its facts.

Rules:

1. One bad document never ends a task: it gets a reason.
2. What is wrong with the storage or with this process says nothing about the document, and ends the task.
3. A unit that took its worker down too often is set aside instead of tried for ever (:mod:`docdask.engine.marks`).
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import time
from collections.abc import Iterator, Sequence
from typing import Any

from docdask.engine.facts import Record, maker_of
from docdask.engine.job import Job, Tally, Tell, Unit
from docdask.engine.marks import DEATHS, killed_worker
from docdask.errors import DocumentError, StorageError, sentence
from docdask.intake import prepare
from docdask.intake.content_type import sniff
from docdask.intake.limits import Limits
from docdask.intake.reading import read as read_source
from docdask.model import Facts
from docdask.sandbox import SandboxClosed
from docdask.service import base
from docdask.store.run import RunDirectory

#: Attempts at a unit before it is set aside.
ATTEMPTS = 3

_PROGRESS_S = 1.0


def stored(job: Job, run: RunDirectory, partition: int, units: Sequence[Unit]) -> set[str]:
    """Ids of those units whose result is there and sound; of the task's own only, as a long document has many tasks."""
    with run.results().mapping(partition) as results:
        loaded = ((unit.unit_id, results.get(unit.unit_id)) for unit in units)
        return {unit_id for unit_id, found in loaded if found and _settled(job, *found)}


def _settled(job: Job, facts: Facts, document: bytes | None) -> bool:
    """Whether nothing is to be done again: there is a Document, or a failure for good."""
    return document is not None or (facts.permanent and facts.code not in job.again)


def fetch(job: Job, unit: Unit) -> bytes:
    """Bytes of a unit's file.

    Raises
    ------
    DocumentError
        If it can't be read, or is not the file that was planned.
    """
    content = read_source(unit.uri, job.storage_options or None)
    if hashlib.sha256(content).hexdigest() != unit.sha256:
        raise DocumentError(
            "changed",
            "the file changed after it was planned",
            "run the same command again: it will be scanned anew",
        )
    return content


def prepared(job: Job, unit: Unit, content: Any) -> base.Request:
    """Request for a unit, its file decrypted and repaired; ``content`` as :func:`docdask.engine.work.read` gave it, or None."""
    if isinstance(content, DocumentError):
        raise content
    if content is None:
        content = fetch(job, unit)
    mime_type = unit.mime_type
    if unit.action:
        content = prepare(content, unit.action, job.passwords, limits=Limits(**job.limits))
        if mime_type.startswith("image/"):  # what was repaired is written anew, losslessly
            mime_type = sniff(content)
    return base.Request(unit.unit_id, unit.uri, content, mime_type, unit.page_range, limits=job.limits)


class Tries:
    """Attempts at one unit, and what an error in one of them means: the same for threads and coroutines.

    ``for attempt in tries: with tries: …return…`` leaves when an attempt ends well. Afterwards :attr:`facts` tells why
    none did.

    Parameters
    ----------
    record
        Writes the facts.
    deaths
        Times that the unit took its worker down.
    """

    def __init__(self, record: Record, deaths: int) -> None:
        self._record, self._attempt, self._last = record, 0, Exception()
        self._facts = record.failure(killed_worker(deaths), 0) if deaths >= DEATHS else None

    def __iter__(self) -> Iterator[int]:
        while self._facts is None and self._attempt < ATTEMPTS:
            self._attempt += 1
            self._record.start()
            yield self._attempt

    def __enter__(self) -> None:
        """One attempt."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if isinstance(error, DocumentError):
            self._facts = self._record.failure(error, self._attempt)
        elif isinstance(error, (StorageError, SandboxClosed)) or not isinstance(error, Exception):
            return False  # nothing is known about the file
        else:
            self._last = error
        return True

    @property
    def facts(self) -> Facts:
        """Why the unit could not be done."""
        return self._facts or self._record.failure(_gave_up(self._last), ATTEMPTS)


def recognise(
    job: Job, engine: base.Engine, unit: Unit, content: Any, queued_ns: int, deaths: int
) -> tuple[Facts, bytes | None]:
    """Facts and Document of a unit by an engine that computes; no Document if it can't be done."""
    record = Record(maker_of(engine), unit, queued_ns)
    tries = Tries(record, deaths)
    noted = getattr(engine, "recognise_with_notes", None)
    for attempt in tries:
        with tries:
            request = prepared(job, unit, content)
            document, notes = noted(request) if noted else (engine.recognise(request), {})
            return record.success(document, len(request.content), attempt, notes=notes), document
    return tries.facts, None


async def call(
    job: Job, engine: base.Engine, unit: Unit, queued_ns: int, deaths: int
) -> tuple[Facts, bytes | None]:
    """The same by an engine that waits."""
    record = Record(maker_of(engine), unit, queued_ns)
    tries = Tries(record, deaths)
    for attempt in tries:
        with tries:
            request = await prepared_async(job, unit)
            record.start()
            document, notes = await _answer(engine, request)
            return record.success(document, len(request.content), attempt, notes=notes), document
    return tries.facts, None


async def prepared_async(job: Job, unit: Unit) -> base.Request:
    """:func:`prepared`, beside the loop where it takes long.

    Small files are in the page cache or one round trip away; a thread each would cost more than it saves on a local
    disk, and a remote source is waited for off the loop.
    """
    return await asyncio.to_thread(prepared, job, unit, None) if slow(unit) else prepared(job, unit, None)


async def _answer(engine: Any, request: base.Request) -> tuple[bytes, dict[str, Any]]:
    noted = getattr(engine, "recognise_with_notes", None)
    answer = noted(request) if noted else engine.recognise(request)
    found = await answer if inspect.isawaitable(answer) else answer
    return found if noted else (found, {})


def slow(unit: Unit) -> bool:
    """Whether reading and preparing a unit takes longer than a loop can wait."""
    return bool(unit.action) or unit.size_bytes > 2**20 or not (unit.uri.startswith(("/", "file://")))


def _gave_up(error: Exception) -> DocumentError:
    return DocumentError(
        "engine-failed",
        f"the engine failed on it {ATTEMPTS} times: {sentence(error)}",
        "look at the document; if it is sound, report the message with the engine's version",
    )


def put(run: RunDirectory, partition: int, facts: Facts, document: bytes | None, tally: Tally) -> None:
    """Store what became of a unit, and count it."""
    run.results().put(partition, facts, document)
    tally.units += 1
    tally.seconds += facts.seconds
    if document is None:
        tally.failed += 1
    else:
        tally.pages += facts.pages


class Reporter:
    """Tells how far the task is, at most once a second."""

    def __init__(self, job: Job, partition: int, units: Sequence[Unit], tell: Tell) -> None:
        self.job, self.partition, self.tell, self.last = job, partition, tell, time.monotonic()
        # The tasks of a branch have no unit in common, and a task that is tried again has the same ones.
        self.task = units[0].unit_id if units else ""

    def __call__(self, tally: Tally, *, last: bool = False) -> None:
        """Tell, if it is time or the ``last`` word."""
        now = time.monotonic()
        if not last and now - self.last < _PROGRESS_S:
            return
        self.last = now
        self.tell(
            self.job,
            {
                "partition": self.partition,
                "task": self.task,
                "pages": tally.pages,
                "units": tally.units,
            },
        )
