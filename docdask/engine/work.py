"""What a branch's tasks do on a worker: read, recognise (or call), store, tabulate.

Rules:

1. Whatever is done is stored before the task ends, so that a task that runs again finds it and does not do it again.
2. One bad document never ends a task: it gets a reason and the next one is done.
3. Between two units a task looks, at most once a second, whose the run is. It ends when it is asked to stop, and when
   its driver died and another one works on the run: what two did would be done twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Sequence
from typing import Any

from docdask.engine import marks
from docdask.engine import units as one
from docdask.engine.branch import PAID, Branch
from docdask.engine.job import Job, Tally, Tell, Unit, log_event
from docdask.engine.process import calls_loop, engine_of, gate, run_of, stopping
from docdask.engine.waiting import all_of
from docdask.errors import DocumentError
from docdask.model import Facts
from docdask.service import base

#: A document larger than this is read by the task that needs it, not handed from task to task.
MAX_HANDED_BYTES = 64 * 2**20


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
            found[unit.document_id] = one.fetch(job, unit)
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
    task = _Task(job, partition, units, careful=careful, tell=tell)
    for unit in task.todo:
        if task.stopped():
            break
        deaths = task.deaths_of(unit)
        with task.marked(unit, deaths):
            content = contents.get(unit.document_id)
            task.put(*one.recognise(job, task.engine, unit, content, task.queued_ns, deaths))
        task.report(task.tally)
    task.report(task.tally, last=True)
    return task.tally


def call(
    job: Job, partition: int, units: Sequence[Unit], *, careful: bool = False, tell: Tell = log_event
) -> Tally:
    """Like :func:`recognise`, for an engine that waits: all units at once, as coroutines on a loop of their own.

    When workers died more than once, those units that were begun and never ended are done one at a time: else the one
    that did it would take all that were open beside it down with it.
    """
    task = _Task(job, partition, units, careful=careful, tell=tell)
    free, alone = gate(base.engine_id(task.engine), task.engine.in_flight), asyncio.Lock()

    async def do(unit: Unit) -> None:
        deaths = task.deaths_of(unit)
        async with alone if deaths else contextlib.nullcontext(), free:
            if task.stopped():
                return
            with task.marked(unit, deaths):
                task.put(*await one.call(job, task.engine, unit, task.queued_ns, deaths))
        task.report(task.tally)

    asyncio.run_coroutine_threadsafe(all_of(do(unit) for unit in task.todo), calls_loop()).result()
    task.report(task.tally, last=True)
    return task.tally


class _Task:
    """One task's units: those that are left to do, and what it has done so far."""

    def __init__(self, job: Job, partition: int, units: Sequence[Unit], *, careful: bool, tell: Tell) -> None:
        self.queued_ns = time.time_ns()
        self.job, self.partition, self.careful = job, partition, careful
        self.run = run_of(job.url)
        self.engine = engine_of(job.engine, json.dumps(job.options, sort_keys=True), job.engine_folder)
        stored = one.stored(job, self.run, partition, units)
        self.todo = [unit for unit in units if unit.unit_id not in stored]
        self.tally = Tally(again=len(units) - len(self.todo))
        self.report = one.Reporter(job, partition, units, tell)

    def stopped(self) -> bool:
        """Whether no further unit is to be begun; the tally says so then."""
        self.tally.stopped |= stopping(self.run, self.job.session)
        return self.tally.stopped

    def deaths_of(self, unit: Unit) -> int:
        """Workers that this unit took down, as far as anybody counts."""
        return marks.deaths_of(self.run, self.partition, unit) if self.careful else 0

    def marked(self, unit: Unit, deaths: int) -> contextlib.AbstractContextManager[None]:
        """Mark a unit while it is worked on, if anybody counts."""
        if not self.careful:
            return contextlib.nullcontext()
        return marks.marked(self.run, self.partition, unit, deaths)

    def put(self, facts: Facts, document: bytes | None) -> None:
        """Store what became of a unit, and count it."""
        one.put(self.run, self.partition, facts, document, self.tally)


def store(job: Job, partition: int, unit_ids: Sequence[str], tallies: Sequence[Tally]) -> Tally:
    """Put the branch's loose results into one container, once they are all there."""
    tally = sum(tallies, Tally())
    if not tally.stopped:
        run_of(job.url).results().seal(partition, list(unit_ids))
    return tally


def tabulate(job: Job, partition: int, rows: Sequence[dict[str, Any]], tally: Tally) -> Tally:
    """Rows of this branch's documents, from what is stored."""
    from docdask.tables import build

    if tally.stopped:
        return tally
    run = run_of(job.url)
    with run.results().mapping(partition) as results:
        tables = build.build(list(rows), results, partition, tokens=job.tokens)
    build.write(run, partition, tables)
    tally.documents = tables["documents"].num_rows
    return tally


def serial(job: Job, branch: Branch, *, waits: bool, tell: Tell = log_event) -> Tally:
    """The whole branch in this process (``--cluster none``)."""
    job, part = job.for_lane(branch.lane), branch.partition
    units = [unit for piece in branch.pieces for unit in piece]
    if branch.lane in PAID:
        from docdask.engine import batch, paid

        calling = batch.operate if branch.lane == "batch" else paid.call
        tallies = [calling(job, part, branch.requests, branch.processor, tell=tell)]
    elif waits and branch.lane != "offline":
        tallies = [call(job, part, units, tell=tell)]
    else:
        contents = read(job, units)
        tallies = [recognise(job, part, piece, contents, tell=tell) for piece in branch.pieces]
    tally = store(job, part, branch.unit_ids, tallies)
    return tabulate(job, part, branch.rows, tally)
