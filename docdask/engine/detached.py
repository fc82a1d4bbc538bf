"""The driver as a process of its own, so that closing a terminal or a notebook does not end a run.

``python -m docdask.engine.detached`` reads one JSON object from its input (the passwords are in it: they are neither in
the arguments nor in the run directory) and drives the run. How it goes is told by ``status.json``; an error also by one
JSON object on its output, for it may be that the status can't be written.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import asdict
from typing import Any

from docdask.errors import DocdaskError, to_json
from docdask.leaving import leave_after
from docdask.settings import Settings
from docdask.store.run import RunDirectory

#: A second command may look what is new in the sources while our driver starts.
_PATIENCE_S = 60.0


def start(
    run: RunDirectory,
    settings: Settings,
    *,
    cluster: str,
    passwords: tuple[str, ...] = (),
    storage_options: dict[str, Any] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a driver for ``run`` in a session of its own; what it prints goes to ``driver.log`` in the state folder."""
    log = settings.state_folder / "driver.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "docdask.engine.detached"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            start_new_session=True,
            env=environment(),
        )
    assert process.stdin is not None
    order = {
        "url": run.url,
        "settings": asdict(settings),
        "cluster": cluster,
        "passwords": passwords,
        "storage_options": storage_options,
    }
    try:
        process.stdin.write(json.dumps(order).encode())
        process.stdin.close()
    except BaseException:  # Ctrl-C: nobody would know of it
        process.terminate()
        raise
    return process


def environment() -> dict[str, str]:
    """Environment of a driver: our import path, and memory that goes back to the system when it is freed.

    Arrow's own pool and glibc's arenas keep what they had; a driver reads a large plan in small batches for hours.
    """
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "MALLOC_ARENA_MAX": "1",
    }


def main() -> int:
    """Entry of the process; returns its exit code."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # Our output is for our last words; what libraries print goes to the log.
    words = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    order = json.load(sys.stdin)
    import pyarrow as pa

    from docdask.engine.drive import drive

    # Small batches, hours long: threads would cost memory and gain nothing.
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)

    try:
        drive(
            RunDirectory.open(order["url"]),
            Settings(**order["settings"]),
            cluster=order["cluster"],
            passwords=tuple(order["passwords"]),
            storage_options=order["storage_options"],
            stop=stop,
            patience_s=_PATIENCE_S,
        )
    except DocdaskError as error:
        print(f"{order['url']}: {error}", flush=True)
        with contextlib.suppress(OSError), words:  # whoever started us may be gone
            json.dump(to_json(error), words)
        return error.exit_code
    return 0


if __name__ == "__main__":
    leave_after(main)
