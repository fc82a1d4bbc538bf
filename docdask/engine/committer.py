"""Group commit: records reach the ledger in a thread of their own, as many at a time as have come in meanwhile.

Rules: the scheduler's loop never waits for storage; records are written in the order in which they were given; what
could not be written is kept and tried again, so that no sequence number is ever left out.
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


class Writer(Protocol):
    """What writes a group, whole or not at all."""

    def append(self, records: list[Record]) -> None:
        """Write; durable when it returns."""

    def close(self) -> None:
        """Give back what is held."""


class Committer:
    """Thread that writes.

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
        self._thread = threading.Thread(target=self._run, name="docdask-ledger", daemon=True)
        self._thread.start()

    def add(self, record: Record) -> None:
        """Take a record; returns at once."""
        with self._wake:
            self._pending.append(record)
            self._wake.notify()

    def close(self, timeout_s: float = 10.0) -> None:
        """Write what is left, once, and end the thread. Blocks; not for the loop."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        group: list[Record] = []
        while True:
            with self._wake:
                if not group:
                    self._wake.wait_for(lambda: bool(self._pending) or self._closing)
                group += self._pending
                self._pending = []
                closing = self._closing
            if group:
                try:
                    self._writer.append(group)
                except Exception as error:  # noqa: BLE001 - whatever a storage driver raises: told, and tried again
                    self._tell(self._failed, sentence(error))
                    if not closing:
                        with self._wake:
                            self._wake.wait_for(lambda: self._closing, RETRY_S)
                        continue
                else:
                    self._tell(self._durable, group[-1].sequence)
                    group = []
            if closing:
                self._writer.close()
                return

    def _tell(self, callback: Callable[..., None], value: int | str) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody is left to be told
            self._loop.call_soon_threadsafe(callback, value)
