"""Records what a governor was told and what it answered, for ``docdask debug replay``.

Rules: encoding and writing are done in a thread, the scheduler's loop only hands values over; a file that is there is
never overwritten, the next governor's log gets a number of its own; a log that can't be written, or falls behind too
far, ends with a warning, and the governor goes on.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools
import logging
import queue
import threading
from pathlib import Path
from typing import TextIO, cast

from docdask.core.events import Event
from docdask.core.instructions import Instruction
from docdask.errors import sentence
from docdask.sim.eventlog import EventLog

logger = logging.getLogger(__name__)

#: Events that may wait to be written.
_MOST_BEHIND = 500_000
#: Seconds without an event after which what was written is handed to the disk.
_FLUSH_S = 1.0


class Recorder:
    """Writes an event log.

    Parameters
    ----------
    path
        File; ``.gz`` is compressed. If it is there: the first free ``NAME-2``, ``NAME-3`` …
    utc_offset_ns
        What the governor was made with.
    """

    def __init__(self, path: Path, utc_offset_ns: int) -> None:
        self._path = path
        self._utc_offset_ns = utc_offset_ns
        self._queue: queue.SimpleQueue[tuple[Event, list[Instruction]] | None] = queue.SimpleQueue()
        self._over = False
        self._thread = threading.Thread(target=self._run, name="docdask-record", daemon=True)
        self._thread.start()

    def __call__(self, event: Event, out: list[Instruction]) -> None:
        """Take one event and what was answered; returns at once."""
        if self._over:
            return
        self._queue.put((event, out))
        if self._queue.qsize() > _MOST_BEHIND:
            self._over = True
            logger.warning("docdask: the event log %s can't keep up, and ends here", self._path)

    def close(self) -> None:
        """Write what is left. Blocks; not for the loop."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            with _create(self._path) as file:
                self._write(file)
        except OSError as error:
            self._over = True
            logger.warning(
                "docdask: the event log %s can't be written, and ends here: %s", self._path, sentence(error)
            )

    def _write(self, file: TextIO) -> None:
        log = EventLog(file, utc_offset_ns=self._utc_offset_ns)
        file.flush()
        dirty = False
        while True:
            try:
                item = self._queue.get(timeout=_FLUSH_S if dirty else None)
            except queue.Empty:
                file.flush()
                dirty = False
                continue
            if item is None:
                return
            log(*item)
            dirty = True


def _create(path: Path) -> TextIO:
    """New file at ``path``, or beside it where there is one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name, dot, ending = path.name.partition(".")
    opener = gzip.open if path.suffix == ".gz" else open
    for number in itertools.count(2):
        with contextlib.suppress(FileExistsError):
            return cast("TextIO", opener(path, "xt", encoding="utf-8"))
        path = path.with_name(f"{name}-{number}{dot}{ending}")
    raise AssertionError
