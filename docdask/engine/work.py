"""What a branch's tasks do on a worker: read, recognise (or call), store, tabulate.

Rules:

1. Whatever is done is stored before the task ends, so that a task that runs again finds it and does not do it again.
2. One bad document never ends a task: it gets a reason and the next one is done.
3. Between two units a task looks, at most once a second, whose the run is. It ends when it is asked to stop, and when
   its driver died and another one works on the run: what two did would be done twice.
4. A unit that took its worker down before is told by a mark left behind, and set aside instead of tried for ever.
5. Passwords and credentials are hidden from whatever prints a task's arguments, which Dask does when a task fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import inspect
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from docdask import sandbox
from docdask.errors import DocumentError, StorageError, sentence
from docdask.intake import prepare
from docdask.intake.content_type import sniff
from docdask.intake.limits import Limits
from docdask.intake.reading import read as read_source
from docdask.model import Facts, PageRange
from docdask.sandbox import SandboxClosed
from docdask.service import base
from docdask.store.run import RunDirectory

#: A document larger than this is read by the task that needs it, not handed from task to task.
MAX_HANDED_BYTES = 64 * 2**20
#: Attempts at a unit before it is set aside.
ATTEMPTS = 3
#: Times that a unit may take its worker down before it is set aside.
DEATHS = 2

#: File in the run directory that says whose the run is: the session of its driver, or :data:`STOP`.
SESSION = "session"
#: Written there by whoever wants the run to stop after the units at hand.
STOP = "stop"

#: Problems of the source, not of the document: such a unit is done again by the next run.
PASSING = frozenset({"vanished", "permission", "unreadable", "changed"})
#: Problems of the limits: such a unit is done again once a limit was raised.
LIMITED = frozenset({"timeout", "memory"})

_PROGRESS_S = 1.0


@dataclass(frozen=True, slots=True)
class Job:
    """What every task of a run is told: a few strings and numbers."""

    session: str
    """Hexadecimal digits that tell the tasks of one driver from those of any other, also of the same run."""
    url: str
    """The run directory."""
    engine: str
    options: dict[str, Any]
    tokens: bool = False
    passwords: tuple[str, ...] = field(default=(), repr=False)
    timeout_s: float = sandbox.TIMEOUT_S
    memory_bytes: int = sandbox.MEMORY_BYTES
    storage_options: dict[str, Any] = field(default_factory=dict, repr=False)
    again: frozenset[str] = PASSING
    """Codes of failures that are stored and yet tried again."""
    engine_folder: str = ""
    """Where the driver found the engine's module; a worker that was started elsewhere looks there too."""

    @property
    def limits(self) -> dict[str, Any]:
        """Of a call into a PDF or image library."""
        return {"timeout_s": self.timeout_s, "memory_bytes": self.memory_bytes}


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of a partition, as its task gets it."""

    unit_id: str
    document_id: str
    uri: str
    sha256: str
    mime_type: str
    action: str | None
    size_bytes: int
    first_page: int
    pages: int
    ranged: bool
    """A part of a long document; else all of it."""

    @property
    def page_range(self) -> PageRange | None:
        """Pages to recognise; None for the whole document."""
        return PageRange(self.first_page, self.first_page + self.pages - 1) if self.ranged else None


class Plain(list[Any]):
    """A list that Dask hands over as it is: it looks into plain lists, element by element, for tasks to run first."""


class Hidden(tuple[Any, ...]):
    """A tuple that does not show what is in it: passwords, credentials."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} hidden>"


@dataclass(slots=True)
class Tally:
    """What a task did: a few numbers, all that goes through the scheduler."""

    documents: int = 0
    pages: int = 0
    units: int = 0
    again: int = 0
    """Units found stored and not done again."""
    failed: int = 0
    seconds: float = 0.0
    stopped: bool = False

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.documents + other.documents,
            self.pages + other.pages,
            self.units + other.units,
            self.again + other.again,
            self.failed + other.failed,
            self.seconds + other.seconds,
            self.stopped or other.stopped,
        )


#: Told now and then how far a task is: ``partition``, ``task``, ``pages``, ``units``.
Tell = Callable[[Job, dict[str, Any]], None]


def log_event(job: Job, told: dict[str, Any]) -> None:
    """Tell the driver, from a worker, through the scheduler's log of events."""
    from distributed import get_worker

    with contextlib.suppress(ValueError):
        get_worker().log_event(topic(job.session), told)


def topic(session: str) -> str:
    """Dask topic of a session's progress."""
    return f"docdask-{session}"


def read(job: Job, units: Sequence[Unit]) -> dict[str, Any]:
    """Bytes by document id; None for a document too large to hand on, an error for one that can't be read."""
    found: dict[str, Any] = {}
    for unit in units:
        if unit.document_id in found:
            continue
        if unit.size_bytes > MAX_HANDED_BYTES:
            found[unit.document_id] = None
            continue
        try:
            found[unit.document_id] = _fetch(job, unit)
        except DocumentError as error:
            found[unit.document_id] = error
    return found


def recognise(
    job: Job,
    partition: int,
    units: Sequence[Unit],
    contents: dict[str, Any],
    *,
    careful: bool = False,
    tell: Tell = log_event,
) -> Tally:
    """Recognise units one after another and store each result.

    Parameters
    ----------
    job, partition, units
        What to do.
    contents
        What :func:`read` returned.
    careful
        A worker died doing this before: leave a mark before each unit, so that the one that did it is found.
    tell
        Told at most once a second how far it is.
    """
    queued_ns = time.time_ns()
    run = _run(job.url)
    engine = _engine(job.engine, json.dumps(job.options, sort_keys=True), job.engine_folder)
    stored = _stored(job, run, partition, units)
    tally, report = Tally(), _Reporter(job, partition, units, tell)
    for unit in units:
        if unit.unit_id in stored:
            tally.again += 1
            continue
        if stopping(run, job.session):
            tally.stopped = True
            break
        content = contents.get(unit.document_id)
        with _marked(run, partition, unit, _deaths(run, partition, unit, careful=careful)) as deaths:
            facts, document = _attempts(job, engine, unit, content, queued_ns, deaths or 0)
            _put(run, partition, facts, document, tally)
        report(tally)
    report(tally, last=True)
    return tally


def call(
    job: Job, partition: int, units: Sequence[Unit], *, careful: bool = False, tell: Tell = log_event
) -> Tally:
    """Like :func:`recognise`, for an engine that waits: all units at once, as coroutines on a loop of their own.

    When workers died more than once, those units that were begun and never ended are done one at a time: else the one
    that did it would take all that were open beside it down with it.
    """
    queued_ns = time.time_ns()
    run = _run(job.url)
    engine = _engine(job.engine, json.dumps(job.options, sort_keys=True), job.engine_folder)
    stored = _stored(job, run, partition, units)
    tally, report = Tally(), _Reporter(job, partition, units, tell)

    async def one(unit: Unit) -> None:
        deaths = _deaths(run, partition, unit, careful=careful)
        async with alone if deaths else contextlib.nullcontext(), gate:
            if stopping(run, job.session):
                tally.stopped = True
                return
            with _marked(run, partition, unit, deaths):
                facts, document = await _attempts_async(job, engine, unit, queued_ns, deaths or 0)
                _put(run, partition, facts, document, tally)
        report(tally)

    todo = [unit for unit in units if unit.unit_id not in stored]
    tally.again = len(units) - len(todo)
    gate, alone = _gate(base.engine_id(engine), engine.in_flight), asyncio.Lock()

    async def everything() -> None:
        results = await asyncio.gather(*(one(unit) for unit in todo), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    asyncio.run_coroutine_threadsafe(everything(), _loop()).result()
    report(tally, last=True)
    return tally


def store(job: Job, partition: int, unit_ids: Sequence[str], tallies: Sequence[Tally]) -> Tally:
    """Put the branch's loose results into one container, once they are all there."""
    tally = sum(tallies, Tally())
    if not tally.stopped:
        _run(job.url).results().seal(partition, list(unit_ids))
    return tally


def tabulate(job: Job, partition: int, rows: Sequence[dict[str, Any]], tally: Tally) -> Tally:
    """Rows of this branch's documents, from what is stored."""
    from docdask.tables import build

    if tally.stopped:
        return tally
    run = _run(job.url)
    with run.results().mapping(partition) as results:
        tables = build.build(list(rows), results, partition, tokens=job.tokens)
    build.write(run, partition, tables)
    tally.documents = tables["documents"].num_rows
    return tally


def serial(
    job: Job,
    partition: int,
    groups: Sequence[Sequence[Unit]],
    rows: Sequence[dict[str, Any]],
    *,
    waits: bool,
    tell: Tell = log_event,
) -> Tally:
    """The whole branch in this process (``--cluster none``)."""
    units = [unit for group in groups for unit in group]
    if waits:
        tallies = [call(job, partition, units, tell=tell)]
    else:
        contents = read(job, units)
        tallies = [recognise(job, partition, group, contents, tell=tell) for group in groups]
    tally = store(job, partition, [unit.unit_id for unit in units], tallies)
    return tabulate(job, partition, rows, tally)


# -- one unit ----------------------------------------------------------------------------------------------------------


def _stored(job: Job, run: RunDirectory, partition: int, units: Sequence[Unit]) -> set[str]:
    """Ids of those units whose result is there and sound; of the task's own only, as a long document has many tasks."""
    with run.results().mapping(partition) as results:
        loaded = ((unit.unit_id, results.get(unit.unit_id)) for unit in units)
        return {unit_id for unit_id, found in loaded if found and found[0].code not in job.again}


def _fetch(job: Job, unit: Unit) -> bytes:
    content = read_source(unit.uri, job.storage_options or None)
    if hashlib.sha256(content).hexdigest() != unit.sha256:
        raise DocumentError(
            "changed",
            "the file changed after it was planned",
            "run the same command again: it will be scanned anew",
        )
    return content


def _prepared(job: Job, unit: Unit, content: Any) -> base.Request:
    if isinstance(content, DocumentError):
        raise content
    if content is None:
        content = _fetch(job, unit)
    mime_type = unit.mime_type
    if unit.action:
        content = prepare(content, unit.action, job.passwords, limits=Limits(**job.limits))
        if mime_type.startswith("image/"):  # what was repaired is written anew, losslessly
            mime_type = sniff(content)
    return base.Request(unit.unit_id, unit.uri, content, mime_type, unit.page_range, limits=job.limits)


def _attempts(
    job: Job, engine: base.Engine, unit: Unit, content: Any, queued_ns: int, deaths: int
) -> tuple[Facts, bytes | None]:
    record = _Record(engine, unit, queued_ns)
    if deaths >= DEATHS:
        return record.failure(_killer(deaths), 0), None
    for attempt in range(1, ATTEMPTS + 1):
        record.start()
        try:
            request = _prepared(job, unit, content)
            noted = getattr(engine, "recognise_with_notes", None)
            document, notes = noted(request) if noted else (engine.recognise(request), {})
            return record.success(document, notes, len(request.content), attempt), document
        except DocumentError as error:
            return record.failure(error, attempt), None
        except (StorageError, SandboxClosed):
            raise  # nothing is known about the file
        except Exception as error:  # noqa: BLE001 - counted, tried again, then told
            last: Exception = error
    return record.failure(_gave_up(last), ATTEMPTS), None


async def _attempts_async(
    job: Job, engine: base.Engine, unit: Unit, queued_ns: int, deaths: int
) -> tuple[Facts, bytes | None]:
    record = _Record(engine, unit, queued_ns)
    if deaths >= DEATHS:
        return record.failure(_killer(deaths), 0), None
    for attempt in range(1, ATTEMPTS + 1):
        try:
            # Small files are in the page cache or one round trip away; a thread each would cost more than it saves
            # on a local disk, and a remote source is waited for off the loop.
            request = (
                await asyncio.to_thread(_prepared, job, unit, None)
                if _slow(unit)
                else _prepared(job, unit, None)
            )
            record.start()
            document, notes = await _answer(engine, request)
            return record.success(document, notes, len(request.content), attempt), document
        except DocumentError as error:
            return record.failure(error, attempt), None
        except (StorageError, SandboxClosed):
            raise  # nothing is known about the file
        except Exception as error:  # noqa: BLE001 - counted, tried again, then told
            last: Exception = error
    return record.failure(_gave_up(last), ATTEMPTS), None


async def _answer(engine: Any, request: base.Request) -> tuple[bytes, dict[str, Any]]:
    noted = getattr(engine, "recognise_with_notes", None)
    answer = noted(request) if noted else engine.recognise(request)
    found = await answer if inspect.isawaitable(answer) else answer
    return found if noted else (found, {})


def _slow(unit: Unit) -> bool:
    return bool(unit.action) or unit.size_bytes > 2**20 or not (unit.uri.startswith(("/", "file://")))


def _gave_up(error: Exception) -> DocumentError:
    return DocumentError(
        "engine-failed",
        f"the engine failed on it {ATTEMPTS} times: {sentence(error)}",
        "look at the document; if it is sound, report the message with the engine's version",
    )


def _killer(deaths: int) -> DocumentError:
    return DocumentError(
        "killed-worker",
        f"its worker died {deaths} times while it was being recognised, most likely of memory",
        "split the document or scan it at a lower resolution",
    )


class _Record:
    """Times one unit and writes its facts."""

    def __init__(self, engine: base.Engine, unit: Unit, queued_ns: int) -> None:
        self.engine, self.unit, self.queued_ns = engine, unit, queued_ns
        self.start()

    def start(self) -> None:
        self.started_ns, self.clock = time.time_ns(), time.perf_counter()

    def success(self, document: bytes, notes: dict[str, Any], request_bytes: int, attempt: int) -> Facts:
        return self._facts("OK", attempt, request_bytes, len(document), notes=notes)

    def failure(self, error: DocumentError, attempt: int) -> Facts:
        return self._facts(
            error.code, attempt, self.unit.size_bytes, 0, reason=error.message, remedy=error.remedy
        )

    def _facts(self, code: str, attempt: int, request_bytes: int, response_bytes: int, **more: Any) -> Facts:
        return Facts(
            unit_id=self.unit.unit_id,
            document_id=self.unit.document_id,
            first_page=self.unit.first_page,
            pages=self.unit.pages,
            engine=base.engine_id(self.engine),
            processor=getattr(self.engine, "processor", self.engine.name),
            processor_version=getattr(self.engine, "processor_version", self.engine.version),
            worker=_worker_name(),
            attempt=attempt,
            queued_at_ns=self.queued_ns,
            started_at_ns=self.started_ns,
            ended_at_ns=time.time_ns(),
            seconds=time.perf_counter() - self.clock,
            request_bytes=request_bytes,
            response_bytes=response_bytes,
            code=code,
            **more,
        )


def _put(run: RunDirectory, partition: int, facts: Facts, document: bytes | None, tally: Tally) -> None:
    run.results().put(partition, facts, document)
    tally.units += 1
    tally.seconds += facts.seconds
    if document is None:
        tally.failed += 1
    else:
        tally.pages += facts.pages


# -- this process ------------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=16)
def _run(url: str) -> RunDirectory:
    return RunDirectory.open(url)


@functools.lru_cache(maxsize=8)
def _engine(name: str, options: str, folder: str) -> base.Engine:
    if folder and folder not in sys.path:
        sys.path.append(folder)  # last: it must not hide anything
    return base.load(name, json.loads(options))


_background: asyncio.AbstractEventLoop | None = None
_guard = threading.Lock()


def _loop() -> asyncio.AbstractEventLoop:
    """Loop for calls, in a thread of its own: nothing that waits may sit on the worker's own loop."""
    global _background  # noqa: PLW0603 - one loop a process
    with _guard:
        if _background is None:
            _background = asyncio.new_event_loop()
            threading.Thread(target=_background.run_forever, daemon=True, name="docdask-calls").start()
    return _background


@functools.lru_cache(maxsize=8)
def _gate(engine: str, width: int) -> asyncio.Semaphore:
    """Semaphore over all of this process's calls to one engine."""
    del engine  # part of the key: two engines don't wait for each other
    return asyncio.Semaphore(width)


_last_look: dict[str, tuple[float, bool]] = {}


def stopping(run: RunDirectory, session: str) -> bool:
    """Whether the run was asked to stop or has another driver by now; looks at most once a second."""
    now = time.monotonic()
    looked, answer = _last_look.get(session, (-10.0, False))
    if now - looked >= 1.0:
        answer = whose(run) not in ("", session)
        _last_look[session] = (now, answer)
    return answer


def whose(run: RunDirectory) -> str:
    """Session that the run belongs to, or :data:`STOP`; empty before the first."""
    try:
        return run.read(SESSION).decode(errors="replace")
    except FileNotFoundError:
        return ""


def _mark(partition: int, unit: Unit) -> str:
    return f"marks/{partition:05d}-{unit.unit_id}.json"


def _deaths(run: RunDirectory, partition: int, unit: Unit, *, careful: bool) -> int | None:
    """Times this unit was begun and never ended; None while no worker has died in this branch: nobody counts then."""
    return int((run.read_json(_mark(partition, unit)) or {}).get("times", 0)) if careful else None


@contextlib.contextmanager
def _marked(run: RunDirectory, partition: int, unit: Unit, deaths: int | None) -> Iterator[int | None]:
    """Leave a mark for as long as the unit is worked on, when ``deaths`` are counted.

    Only a process that dies leaves it there; an error, or a worker that is asked to go, is not the unit's doing.
    """
    if deaths is None:
        yield None
        return
    run.write_json(_mark(partition, unit), {"times": deaths + 1})
    try:
        yield deaths
    except BaseException:
        run.write_json(_mark(partition, unit), {"times": deaths})
        raise
    with contextlib.suppress(FileNotFoundError):
        run.fs.rm(run.path(_mark(partition, unit)))


def _worker_name() -> str:
    from distributed import get_worker

    try:
        name = get_worker().name
    except ValueError:
        return "driver"
    return f"worker-{name}" if isinstance(name, int) else str(name)


class _Reporter:
    """Tells how far the task is, at most once a second."""

    def __init__(self, job: Job, partition: int, units: Sequence[Unit], tell: Tell) -> None:
        self.job, self.partition, self.tell, self.last = job, partition, tell, time.monotonic()
        # The tasks of a branch have no unit in common, and a task that is tried again has the same ones.
        self.task = units[0].unit_id if units else ""

    def __call__(self, tally: Tally, *, last: bool = False) -> None:
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
