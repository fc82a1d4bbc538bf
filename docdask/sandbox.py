"""Calls functions in child processes with limits on time and memory, so that no file can take a worker down.

Rules:

1. A child serves one call at a time, over its standard input and output, and is kept for the next call.
2. A call that passes its time or memory limit, or ends the child by a crash in a C library, costs that child only: it
   is killed, the caller gets a :class:`~docdask.errors.DocumentError` that says which limit, and the next call gets a
   new child.
3. A child ends with its parent, whatever ended the parent (end of file on its input; on Linux also a death signal).
4. A plain subprocess, not ``multiprocessing``: a Dask worker under a nanny is daemonic and may not have children of
   that kind, and a fork of a process with threads is not safe.

Memory is limited twice: ``RLIMIT_DATA`` in the child (Linux: counts private writable mappings, which ``RLIMIT_AS``
would mix with mapped model files), and the parent looks at the resident size while it waits.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from pkgutil import resolve_name
from typing import IO, Any

import psutil

from docdask.errors import DocumentError

#: Default limits. A worker with its child stays below 1.5 GB; the slowest page of the corpus takes a tenth of this time.
TIMEOUT_S = 120.0
MEMORY_BYTES = 1100 * 2**20

_LENGTH = struct.Struct("<Q")
_POLL_S = 0.1
_MIB = 2**20


class Sandbox:
    """One child process and the pipe to it. Not thread-safe: :func:`call` gives each caller its own."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the child, None before the first call and after a kill."""
        return self._process.pid if self._process else None

    def call(
        self,
        target: str,
        *args: Any,
        timeout_s: float = TIMEOUT_S,
        memory_bytes: int = MEMORY_BYTES,
        **kwargs: Any,
    ) -> Any:
        """Call ``module:function`` in the child and return what it returns.

        Parameters
        ----------
        target
            ``package.module:function``; imported in the child.
        *args, **kwargs
            Anything that pickles.
        timeout_s
            Wall-clock limit in seconds, the child's start and imports included.
        memory_bytes
            Limit of the child's resident and private memory.

        Raises
        ------
        DocumentError
            Code ``timeout``, ``memory`` or ``crash`` when a limit was passed or the child died; or whatever
            :class:`DocumentError` the function raised.
        RuntimeError
            When the function raised anything else; the text names the type and message.
        """
        deadline = time.monotonic() + timeout_s
        process = self._start(memory_bytes)
        try:
            self._send(process, (target, args, kwargs, memory_bytes))
            reply = self._receive(process, deadline, timeout_s, memory_bytes)
        except BaseException:
            self.close()
            raise
        kind, *rest = reply
        if self._resident() > 0.8 * memory_bytes:
            self.close()
        if kind == "value":
            return rest[0]
        if kind == "document":
            raise DocumentError(*rest)
        if kind == "memory":
            self.close()
            raise _memory_error(memory_bytes)
        raise RuntimeError(rest[0])

    def close(self) -> None:
        """End the child now. The next call starts another."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if pipe:
                    pipe.close()

    def _start(self, memory_bytes: int) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.close()
        environment = {
            **os.environ,
            # One call a core: a library that starts a thread a core on top of that would only fight itself.
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "MALLOC_ARENA_MAX": "2",
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "docdask.sandbox", str(os.getpid()), str(memory_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("DOCDASK_DEBUG") else subprocess.DEVNULL,
            env=environment,
        )
        return self._process

    @staticmethod
    def _send(process: subprocess.Popen[bytes], message: Any) -> None:
        assert process.stdin is not None
        data = pickle.dumps(message, protocol=5)
        # A child that died before it read everything shows as a missing reply, which knows how it died.
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(_LENGTH.pack(len(data)))
            process.stdin.write(data)
            process.stdin.flush()

    def _receive(
        self, process: subprocess.Popen[bytes], deadline: float, timeout_s: float, memory_bytes: int
    ) -> Any:
        assert process.stdout is not None
        file = process.stdout.fileno()
        buffer = bytearray()
        need = _LENGTH.size
        length: int | None = None
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise DocumentError(
                    "timeout",
                    f"reading it took longer than the limit of {timeout_s:g} s",
                    "split the document, or raise the limit with --timeout",
                )
            ready, _, _ = select.select([file], [], [], min(_POLL_S, left))
            if not ready:
                if self._resident() > memory_bytes:
                    raise _memory_error(memory_bytes)
                continue
            chunk = os.read(file, min(need - len(buffer), 1 << 20))
            if not chunk:
                raise self._died(process, memory_bytes)
            buffer += chunk
            if len(buffer) < need:
                continue
            if length is None:
                length = need = _LENGTH.unpack(bytes(buffer))[0]
                buffer.clear()
                continue
            return pickle.loads(bytes(buffer))  # noqa: S301 - our own child

    def _resident(self) -> int:
        if self._process is None:
            return 0
        try:
            return int(psutil.Process(self._process.pid).memory_info().rss)
        except psutil.Error:
            return 0

    @staticmethod
    def _died(process: subprocess.Popen[bytes], memory_bytes: int) -> DocumentError:
        code = process.wait()
        if -code in (signal.SIGKILL, signal.SIGABRT):
            # Killed from outside is the kernel's out-of-memory killer; abort is what C++ does when it gets no memory.
            return _memory_error(memory_bytes)
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return DocumentError(
            "crash",
            f"the library that reads it crashed on this file ({how})",
            "open it in another program and save or print it to a new PDF",
        )


def _memory_error(memory_bytes: int) -> DocumentError:
    return DocumentError(
        "memory",
        f"reading it needs more than the limit of {memory_bytes / _MIB:.0f} MiB",
        "scan it at a lower resolution, split it, or raise the limit with --memory",
    )


_idle: list[Sandbox] = []
_all: list[Sandbox] = []
_guard = threading.Lock()


def call(
    target: str, *args: Any, timeout_s: float = TIMEOUT_S, memory_bytes: int = MEMORY_BYTES, **kwargs: Any
) -> Any:
    """Call ``module:function`` in an idle child of this process, starting one when all are busy.

    There are as many children as callers at once (a worker with one thread has one). See :meth:`Sandbox.call`.
    """
    with _guard:
        if _idle:
            sandbox = _idle.pop()
        else:
            sandbox = Sandbox()
            _all.append(sandbox)
    try:
        return sandbox.call(target, *args, timeout_s=timeout_s, memory_bytes=memory_bytes, **kwargs)
    finally:
        with _guard:
            _idle.append(sandbox)


def close_all() -> None:
    """End all idle children of this process (a worker that closes does; so does the interpreter's exit)."""
    with _guard:
        sandboxes = list(_all)
    for sandbox in sandboxes:
        sandbox.close()


atexit.register(close_all)


def _serve(parent_pid: int, memory_bytes: int) -> None:
    """Body of the child: read a call, answer it, until the input ends."""
    source: IO[bytes] = os.fdopen(os.dup(0), "rb")
    sink: IO[bytes] = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not land in the protocol
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's business
    _die_with_parent(parent_pid)
    _limit_memory(memory_bytes)
    while True:
        head = source.read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            return
        body = source.read(_LENGTH.unpack(head)[0])
        try:
            target, args, kwargs, _ = pickle.loads(body)  # noqa: S301 - our own parent
            del body
            data = pickle.dumps(("value", resolve_name(target)(*args, **kwargs)), protocol=5)
        except DocumentError as error:
            data = pickle.dumps(("document", error.code, error.message, error.remedy))
        except MemoryError:
            data = pickle.dumps(("memory",))
        except RecursionError:
            data = pickle.dumps(
                (
                    "document",
                    "deep-nesting",
                    "its objects are nested too deep to read",
                    "print it to a new PDF",
                )
            )
        except Exception as error:  # noqa: BLE001 - reported to the parent, which raises it
            data = pickle.dumps(("failure", f"{type(error).__name__}: {error}"))
        sink.write(_LENGTH.pack(len(data)))
        sink.write(data)
        sink.flush()
        del data


def _die_with_parent(parent_pid: int) -> None:
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1
        # Fires when the *thread* that started the child ends, so it is only for a parent that is gone altogether:
        # worker threads live as long as the worker does.
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(1)

    def watch() -> None:
        while True:
            time.sleep(2)
            if os.getppid() != parent_pid:
                os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _limit_memory(memory_bytes: int) -> None:
    if sys.platform != "linux":
        return
    import resource

    # Twice the resident limit: private mappings that are reserved and never touched are no harm.
    limit = 2 * memory_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    _serve(int(sys.argv[1]), int(sys.argv[2]))
