"""One driver at a time: who may change a run directory now.

Rules: on a local file system the kernel keeps the lock (``flock``) and lets go of it when the process ends, however it
ends. An object store has no such thing, so there is a lease: an object that says who holds it and when it was last
renewed. It is renewed every 10 s and counts as abandoned after 30 s; times are the hosts' own clocks.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any, Self

from docdask.errors import RunLocked
from docdask.store import files

RENEW_S = 10.0
STALE_S = 30.0
#: Between writing a lease and reading it back: two drivers that start at once both see who wrote last.
SETTLE_S = 0.5


class Lock:
    """A held lock; a context manager that releases it."""

    def check(self) -> None:
        """Raise :class:`~docdask.errors.RunLocked` if somebody else has taken it over."""
        raise NotImplementedError

    def release(self) -> None:
        """Let go; again is harmless."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.release()


class FileLock(Lock):
    """Lock of a local run directory.

    Raises
    ------
    RunLocked
        If another process holds it.
    """

    def __init__(self, path: str, where: str) -> None:
        import fcntl

        self._file: int | None = None
        with files.storage_errors(path, local=True):
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _parse(os.pread(file, 4096, 0))
            os.close(file)
            raise _locked(where, holder) from error
        os.ftruncate(file, 0)
        os.pwrite(file, json.dumps(_me()).encode(), 0)
        self._file = file

    def check(self) -> None:
        """Nothing to check: the kernel keeps it."""

    def release(self) -> None:
        """Let go; again is harmless. The file stays: removing it would race with the next holder."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


class LeaseLock(Lock):
    """Lock of a run directory on an object store.

    Parameters
    ----------
    fs, path
        Where the lease is.
    where
        The run's URL, for messages.
    clock
        Seconds since the epoch.
    sleep
        Waits that many seconds.

    Raises
    ------
    RunLocked
        If another driver holds it.
    """

    def __init__(
        self,
        fs: Any,
        path: str,
        where: str,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._fs, self._path, self._where, self._clock = fs, path, where, clock
        self._token = uuid.uuid4().hex
        self._released = threading.Event()
        holder = self._holder()
        if holder and clock() - float(holder.get("renewed_at", 0)) < STALE_S:
            raise _locked(where, holder)
        self.renew()
        sleep(SETTLE_S)
        self.check()
        self._thread = threading.Thread(target=self._renew_forever, name="docdask-lease", daemon=True)
        self._thread.start()

    def renew(self) -> None:
        """Say that the holder is alive."""
        lease = {**_me(), "token": self._token, "renewed_at": self._clock()}
        files.atomic_write(self._fs, self._path, json.dumps(lease).encode())

    def check(self) -> None:
        """Raise :class:`~docdask.errors.RunLocked` if somebody else has taken it over."""
        holder = self._holder()
        if holder.get("token") != self._token:
            raise _locked(self._where, holder)

    def release(self) -> None:
        """Let go; again is harmless."""
        if self._released.is_set():
            return
        self._released.set()
        self._thread.join()
        if self._holder().get("token") == self._token:
            files.remove(self._fs, [self._path])

    def _holder(self) -> dict[str, Any]:
        try:
            return _parse(files.read(self._fs, self._path))
        except FileNotFoundError:
            return {}

    def _renew_forever(self) -> None:
        while not self._released.wait(RENEW_S):
            # A storage that fails for a moment costs a beat; check() tells the driver when the lease is lost.
            with contextlib.suppress(Exception):
                if self._holder().get("token") != self._token:
                    return
                self.renew()


def _me() -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": os.getpid()}


def _parse(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _locked(where: str, holder: dict[str, Any]) -> RunLocked:
    who = (
        f"process {holder['pid']} on {holder['host']}"
        if {"pid", "host"} <= holder.keys()
        else "another process"
    )
    return RunLocked(
        f"{where} is in use by {who}",
        f"wait for it, follow it with: docdask status {where}, or end it first; a lock whose holder is gone frees itself",
    )
