"""Group commit: records reach the ledger in a thread of their own, as many at a time as have come in meanwhile.

Rules: the scheduler's loop never waits for storage; records are written in the order in which they were given; what
could not be written is kept and tried again, so that no sequence number is ever left out; a ledger that nobody writes
to holds neither a thread nor an open file.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Protocol

from docdask.core.ledger import Record
from docdask.errors import sentence

#: Seconds between attempts while the storage refuses.
RETRY_S = 1.0
#: Seconds without a record after which the thread ends; the next record starts another.
REST_S = 10.0


class Writer(Protocol):
    """What writes a group, whole or not at all."""

    def append(self, records: list[Record]) -> None:
        """Write; durable when it returns."""

    def close(self) -> None:
        """Give back what is held; what is appended afterwards takes it again."""


class Committer:
    """Writes one ledger.

    Parameters
    ----------
    writer
        Where records go.
    loop
        Where the callbacks run.
    durable
        Called with the last sequence number on the disk.
    failed
        Called with the reason each time a group could not be written.
    """

    def __init__(
        self,
        writer: Writer,
        loop: asyncio.AbstractEventLoop,
        durable: Callable[[int], None],
        failed: Callable[[str], None],
    ) -> None:
        self._writer = writer
        self._loop = loop
        self._durable = durable
        self._failed = failed
        self._pending: list[Record] = []
        self._wake = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None

    def add(self, record: Record) -> None:
        """Take a record; returns at once."""
        with self._wake:
            self._pending.append(record)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="docdask-ledger", daemon=True)
                self._thread.start()
            else:
                self._wake.notify()

    def close(self, timeout_s: float = 10.0) -> None:
        """Write what is left, once, and end the thread. Blocks; not for the loop. It may be used again."""
        with self._wake:
            thread, self._closing = self._thread, True
            self._wake.notify()
        if thread is not None:
            thread.join(timeout_s)
        self._closing = False

    def left(self) -> list[Record]:
        """Take what could not be written, after :meth:`close`."""
        with self._wake:
            pending, self._pending = self._pending, []
        return pending

    def _run(self) -> None:
        group: list[Record] = []
        while True:
            with self._wake:
                if not group:
                    self._wake.wait_for(lambda: bool(self._pending) or self._closing, REST_S)
                group += self._pending
                self._pending = []
                closing = self._closing
            if group and self._write(group):
                group = []
            elif group and not closing:
                with self._wake:
                    self._wake.wait_for(lambda: self._closing, RETRY_S)
            elif self._ended(group):
                return

    def _ended(self, left: list[Record]) -> bool:
        """Give back what is held and end, unless something came meanwhile; ``left`` could not be written."""
        with contextlib.suppress(OSError):
            self._writer.close()
        with self._wake:
            if self._pending and not left:
                return False
            self._pending = left + self._pending
            self._thread = None
            return True

    def _write(self, group: list[Record]) -> bool:
        try:
            self._writer.append(group)
        except Exception as error:  # noqa: BLE001 - whatever a storage driver raises: told, and tried again
            self._tell(self._failed, sentence(error))
            return False
        self._tell(self._durable, group[-1].sequence)
        return True

    def _tell(self, callback: Callable[..., None], value: int | str) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody is left to be told
            self._loop.call_soon_threadsafe(callback, value)
