"""What a worker's process keeps between tasks: run directories, engines, the loop for calls; and whose a run is.

Rules: made when first needed and kept; nothing that waits may sit on the worker's own loop.
"""

from __future__ import annotations

import asyncio
import functools
import json
import sys
import threading
import time

from docdask.service import base
from docdask.store.run import RunDirectory

#: File in the run directory that says whose the run is: the session of its driver, or :data:`STOP`.
SESSION = "session"
#: Written there by whoever wants the run to stop after the units at hand.
STOP = "stop"


@functools.lru_cache(maxsize=16)
def run_of(url: str) -> RunDirectory:
    """Run directory, opened once."""
    return RunDirectory.open(url)


@functools.lru_cache(maxsize=8)
def engine_of(name: str, options: str, folder: str) -> base.Engine:
    """Engine with its options as JSON, made once."""
    if folder and folder not in sys.path:
        sys.path.append(folder)  # last: it must not hide anything
    return base.load(name, json.loads(options))


_background: asyncio.AbstractEventLoop | None = None
_guard = threading.Lock()


def calls_loop() -> asyncio.AbstractEventLoop:
    """Loop for calls, in a thread of its own: nothing that waits may sit on the worker's own loop."""
    global _background  # noqa: PLW0603 - one loop a process
    with _guard:
        if _background is None:
            _background = asyncio.new_event_loop()
            threading.Thread(target=_background.run_forever, daemon=True, name="docdask-calls").start()
    return _background


@functools.lru_cache(maxsize=8)
def gate(engine: str, width: int) -> asyncio.Semaphore:
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


def worker_name() -> str:
    """Name of this Dask worker, as tables have it; ``driver`` where there is none."""
    from distributed import get_worker

    try:
        name = get_worker().name
    except ValueError:
        return "driver"
    return f"worker-{name}" if isinstance(name, int) else str(name)
