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

A message is a header (number of parts and their lengths), a pickle, and the large ``bytes`` among its arguments as
they are, so that a file is copied once, from pipe to child.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import queue
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from pkgutil import resolve_name
from typing import IO, Any

from docdask.errors import DocumentError

#: Default limits. A worker with its child stays below 1.5 GB; the slowest page of the corpus takes a tenth of this time.
TIMEOUT_S = 120.0
MEMORY_BYTES = 1100 * 2**20

_COUNT = struct.Struct("<I")
_LENGTH = struct.Struct("<Q")
_POLL_S = 0.1
_MIB = 2**20
#: ``bytes`` from this size on travel beside the pickle.
_LARGE_BYTES = 64 * 1024
#: Exit code of a child that had no memory for what it was sent.
_NO_MEMORY = 77


class SandboxClosed(RuntimeError):  # noqa: N818 - what happened, not a fault of the file
    """The child was ended by :func:`close_all` while it worked: nothing is known about the file."""


class Sandbox:
    """One child process and the pipe to it. Not thread-safe: :func:`call` gives each caller its own."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._interrupted = False

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
        SandboxClosed
            When :func:`close_all` ended the child meanwhile.
        RuntimeError
            When the function raised anything else; the text names the type and message.
        """
        limit = _Limit(time.monotonic() + timeout_s, timeout_s, memory_bytes)
        process = self._start()
        try:
            self._send(process, _encode((target, _wrapped(args), kwargs, memory_bytes)), limit)
            kind, *rest = self._receive(process, limit)
        except BaseException:
            self.close()
            raise
        if self._resident(process) > 0.8 * memory_bytes:
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

    def interrupt(self) -> None:
        """End the child from another thread: the call that is under way raises :class:`SandboxClosed`."""
        process = self._process
        if process is not None:
            self._interrupted = True
            with contextlib.suppress(OSError):
                process.kill()

    def _start(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.close()
        self._interrupted = False
        self._process = _spawner.start()
        assert self._process.stdin is not None
        os.set_blocking(self._process.stdin.fileno(), False)
        return self._process

    def _send(self, process: subprocess.Popen[bytes], parts: list[Any], limit: _Limit) -> None:
        assert process.stdin is not None
        file = process.stdin.fileno()
        # A child that died before it read everything shows as a missing reply, which knows how it died.
        with contextlib.suppress(BrokenPipeError):
            for part in parts:
                left = memoryview(part).cast("B")
                while left:
                    try:
                        left = left[os.write(file, left) :]
                    except BlockingIOError:
                        self._wait(process, file, select.POLLOUT, limit)

    def _receive(self, process: subprocess.Popen[bytes], limit: _Limit) -> Any:
        assert process.stdout is not None
        file = process.stdout.fileno()

        def read(size: int) -> bytes:
            buffer = bytearray(size)
            got = 0
            while got < size:
                self._wait(process, file, select.POLLIN, limit)
                count = os.readv(file, [memoryview(buffer)[got:]])
                if not count:
                    raise self._died(process, limit.memory_bytes)
                got += count
            return bytes(buffer)

        return _decode(read)

    def _wait(self, process: subprocess.Popen[bytes], file: int, event: int, limit: _Limit) -> None:
        """Wait until the pipe is ready, looking at the clock and the child's memory meanwhile."""
        poll = select.poll()  # not select(): a worker may have more than 1,024 files open
        poll.register(file, event)
        while True:
            left = limit.deadline - time.monotonic()
            if left <= 0:
                raise DocumentError(
                    "timeout",
                    f"reading it took longer than the limit of {limit.timeout_s:g} s",
                    "split the document, or raise the limit with --timeout",
                )
            if poll.poll(1000 * min(_POLL_S, left)):
                return
            if self._resident(process) > limit.memory_bytes:
                raise _memory_error(limit.memory_bytes)

    @staticmethod
    def _resident(process: subprocess.Popen[bytes]) -> int:
        import psutil

        try:
            return int(psutil.Process(process.pid).memory_info().rss)
        except psutil.Error:
            return 0

    def _died(self, process: subprocess.Popen[bytes], memory_bytes: int) -> Exception:
        if self._interrupted:
            return SandboxClosed("the sandbox was closed while it worked")
        code = process.wait()
        if -code in (signal.SIGKILL, signal.SIGABRT) or code == _NO_MEMORY:
            # Killed from outside is the kernel's out-of-memory killer; abort is what C++ does when it gets no memory.
            return _memory_error(memory_bytes)
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return DocumentError(
            "crash",
            f"the library that reads it crashed on this file ({how})",
            "open it in another program and save or print it to a new PDF",
        )


class _Limit:
    """When a call must be done, and how large the child may grow."""

    __slots__ = ("deadline", "memory_bytes", "timeout_s")

    def __init__(self, deadline: float, timeout_s: float, memory_bytes: int) -> None:
        self.deadline, self.timeout_s, self.memory_bytes = deadline, timeout_s, memory_bytes


class _Spawner:
    """Starts all children of this process from one thread that never ends.

    Linux sends a child's death signal when the *thread* that started it ends. Started from whichever thread calls
    first, a child that has passed to another caller would be killed in the middle of a call when that first thread
    (of a pool that shrinks, of a notebook cell) goes.
    """

    def __init__(self) -> None:
        self._wanted: queue.SimpleQueue[Future[subprocess.Popen[bytes]]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._guard = threading.Lock()

    def start(self) -> subprocess.Popen[bytes]:
        """Start a child and return it."""
        with self._guard:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="docdask-sandbox", daemon=True)
                self._thread.start()
        wanted: Future[subprocess.Popen[bytes]] = Future()
        self._wanted.put(wanted)
        return wanted.result()

    def _run(self) -> None:
        while True:
            wanted = self._wanted.get()
            try:
                wanted.set_result(_popen())
            except BaseException as error:  # noqa: BLE001 - it is the caller's
                wanted.set_exception(error)


def _popen() -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        # One call a core: a library that starts a thread a core on top of that would only fight itself.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
        # Dask's nanny tells its workers to give freed memory back at once (MALLOC_TRIM_THRESHOLD_). For a child that
        # recognises page after page that meant a third of its time in page faults: it keeps what it had.
        "MALLOC_TRIM_THRESHOLD_": str(256 * _MIB),
        "MALLOC_MMAP_THRESHOLD_": str(32 * _MIB),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    return subprocess.Popen(
        [sys.executable, "-c", f"from docdask.sandbox import _serve; _serve({os.getpid()})"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None if os.environ.get("DOCDASK_DEBUG") else subprocess.DEVNULL,
        env=environment,
        bufsize=0,
    )


def _wrapped(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Mark large ``bytes`` so that they stay out of the pickle; they arrive as ``bytes`` again."""
    return tuple(
        pickle.PickleBuffer(value) if type(value) is bytes and len(value) >= _LARGE_BYTES else value
        for value in values
    )


def _encode(message: Any) -> list[Any]:
    """Parts of a message: header, pickle, and large read-only buffers as they are."""
    buffers: list[memoryview] = []

    def aside(buffer: pickle.PickleBuffer) -> bool:
        view = buffer.raw()
        if not view.readonly or view.nbytes < _LARGE_BYTES:
            return True  # stays in the pickle: a writable array must be writable where it arrives
        buffers.append(view)
        return False

    body = pickle.dumps(message, protocol=5, buffer_callback=aside)
    parts: list[Any] = [body, *buffers]
    lengths = b"".join(_LENGTH.pack(memoryview(part).nbytes) for part in parts)
    return [_COUNT.pack(len(parts)) + lengths, *parts]


def _decode(read: Any) -> Any:
    """Read a message with ``read(size)``."""
    (count,) = _COUNT.unpack(read(_COUNT.size))
    lengths = read(count * _LENGTH.size)
    parts = [read(length) for (length,) in _LENGTH.iter_unpack(lengths)]
    return pickle.loads(parts[0], buffers=parts[1:])  # noqa: S301 - our own parent or child


def _memory_error(memory_bytes: int) -> DocumentError:
    return DocumentError(
        "memory",
        f"reading it needs more than the limit of {memory_bytes / _MIB:.0f} MiB",
        "scan it at a lower resolution, split it, or raise the limit with --memory",
    )


_spawner = _Spawner()
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


def children() -> list[int]:
    """Process ids of the living children of this process."""
    with _guard:
        return [sandbox.pid for sandbox in _all if sandbox.pid is not None]


def close_all() -> None:
    """End all children of this process (a worker that closes does; so does the interpreter's exit).

    Calls that are under way raise :class:`SandboxClosed`.
    """
    with _guard:
        for sandbox in _all:
            if sandbox in _idle:
                sandbox.close()
            else:
                sandbox.interrupt()


def _forget() -> None:
    """After a fork: the children belong to the parent, and its threads are not here."""
    global _spawner, _guard
    _idle.clear()
    _all.clear()
    _spawner, _guard = _Spawner(), threading.Lock()


atexit.register(close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _serve(parent_pid: int) -> None:
    """Body of the child: read a call, answer it, until the input ends."""
    source: IO[bytes] = os.fdopen(os.dup(0), "rb")
    sink: IO[bytes] = os.fdopen(os.dup(1), "wb", buffering=0)
    # What libraries print must not land in the protocol, nor may they read from it.
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's business
    _die_with_parent(parent_pid)

    def read(size: int) -> bytes:
        data = source.read(size)
        if len(data) < size:
            raise EOFError
        return data

    while True:
        try:
            target, args, kwargs, memory_bytes = _decode(read)
        except EOFError:
            return
        except MemoryError:
            os._exit(_NO_MEMORY)
        _limit_memory(memory_bytes)
        parts = _answer(target, args, kwargs)
        del args, kwargs
        for part in parts:
            left = memoryview(part).cast("B")
            while left:
                left = left[sink.write(left) :]
        del parts


def _answer(target: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    """Parts of the reply to one call."""
    try:
        value = resolve_name(target)(*args, **kwargs)
        return _encode(("value", *_wrapped((value,))))
    except DocumentError as error:
        return _encode(("document", error.code, error.message, error.remedy))
    except MemoryError:
        return _encode(("memory",))
    except RecursionError:
        return _encode(
            ("document", "deep-nesting", "its objects are nested too deep to read", "print it to a new PDF")
        )
    except Exception as error:  # noqa: BLE001 - reported to the parent, which raises it
        return _encode(("failure", f"{type(error).__name__}: {error}"))


def _die_with_parent(parent_pid: int) -> None:
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1
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

    # Twice the resident limit: private mappings that are reserved and never touched are no harm. Only the soft limit
    # moves, so that the next call may have another.
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = 2 * memory_bytes if hard == resource.RLIM_INFINITY else min(2 * memory_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
