"""An emulator as a child process of ours: started on free loopback ports, stopped with us, whatever ends us.

Rules: it ends when its standard input does, so that a parent that was killed leaves neither a process nor a temporary
folder; it has a session of its own, as Ctrl-C is for its parent to hear, which then lets calls in flight end; everything
that a configuration names exists in it, under the same names, types and versions; its quotas are the configured ones.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import IO, Any, Self

from docdask.configuration import EMULATOR_OPTIONS
from docdask.configuration.options import as_texts
from docdask.core.costing import used_units
from docdask.core.limits import PROCESSOR_LIMITS
from docdask.core.prices import price_of
from docdask.core.routes import Configuration
from docdask.errors import EngineError, UsageError

#: How long an emulator may take to listen, and to answer a control call.
_START_S = 60.0
_ANSWER_S = 30.0
#: How long calls in flight get when it is stopped.
GRACE_S = 5.0
#: What ``ocr=full`` means: pages are really read.
_FULL = "offline"
#: Options of the command that are given several times for several values.
_REPEATED = ("quota", "bucket", "switch", "deny")


class EmulatorProcess:
    """A running emulator in a process of its own.

    Used as a context manager, or with :meth:`start` and :meth:`stop`.

    Parameters
    ----------
    configuration
        What must be in it: processors, staging bucket, limits; None for the pre-made processors alone.
    options
        As :func:`docdask.configuration.load_configuration` takes them; those that are not the emulator's are passed over.

    Attributes
    ----------
    grpc_address
        ``host:port`` of the gRPC side: what ``DOCUMENTAI_EMULATOR_HOST`` is set to.
    http_url
        URL of REST, Cloud Storage and the control calls.
    pid
        Of the process.
    """

    def __init__(
        self, configuration: Configuration | None = None, options: Mapping[str, Any] | None = None
    ) -> None:
        self.arguments = [*_option_arguments(options or {}), *_configured(configuration)]
        self.grpc_address = ""
        self.http_url = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id, None while it does not run."""
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def environment(self) -> dict[str, str]:
        """Variables that lead clients of any process of this machine to it."""
        return {
            "DOCUMENTAI_EMULATOR_HOST": self.grpc_address,
            "DOCUMENTAI_EMULATOR_URL": self.http_url,
            "STORAGE_EMULATOR_HOST": self.http_url,
            # Otherwise gcsfs asks a gRPC service for each bucket's type, always over TLS, for a minute.
            "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
        }

    def start(self) -> Self:
        """Start it and wait until it listens.

        Raises
        ------
        UsageError
            If it does not take its options.
        EngineError
            If it does not start.
        """
        if self.running:
            return self
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop
        self._process = subprocess.Popen(
            [sys.executable, "-m", "docdask.cli", "emulator", "--attached", *self.arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            start_new_session=True,
            bufsize=0,
        )
        try:
            addresses = json.loads(self._first_line())
        except BaseException:
            self.stop(0.0)
            raise
        self.grpc_address, self.http_url = addresses["grpc"], addresses["http"]
        return self

    def stats(self) -> dict[str, Any]:
        """Sums of its books, as ``pages_billed``, ``cost_usd``, ``calls_ok``.

        Raises
        ------
        EngineError
            If it does not answer.
        """
        found: dict[str, Any] = self._control("/emulator/stats")
        return found

    def calls(self, **where: str) -> Iterator[dict[str, Any]]:
        """Every row of the books whose fields have these values, in order."""
        token: str | None = ""
        while token is not None:
            page = self._control(f"/emulator/calls?{urllib.parse.urlencode({**where, 'page_token': token})}")
            yield from page["calls"]
            token = page["next_page_token"]

    def stop(self, grace_s: float = GRACE_S) -> None:
        """Let calls in flight end for so long, then end it. More than once is fine.

        Parameters
        ----------
        grace_s
            Seconds; its own limit is the option ``grace``.
        """
        process, self._process = self._process, None
        if process is not None:
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    with contextlib.suppress(OSError):
                        pipe.close()
            try:
                process.wait(grace_s + 1.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._said is not None:
            self._said.close()
            self._said = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _first_line(self) -> bytes:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        file, line, deadline = process.stdout.fileno(), b"", time.monotonic() + _START_S
        poll = select.poll()
        poll.register(file, select.POLLIN)
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0:
                raise EngineError(
                    f"the emulator did not start within {_START_S:g} s",
                    "try `docdask emulator` in a terminal",
                )
            if poll.poll(1000 * left):
                some = os.read(file, 4096)
                if not some:
                    raise self._refusal(process.wait())
                line += some
        return line

    def _refusal(self, code: int) -> EngineError | UsageError:
        """What it said before it ended; its own sentence and remedy where it had them."""
        assert self._said is not None
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").strip().splitlines()
        message = next((line[7:] for line in lines if line.lower().startswith("error: ")), "")
        remedy = next((line.strip()[2:] for line in lines if line.strip().startswith("→ ")), "")
        if code == UsageError.exit_code and message:
            return UsageError(f"the emulator: {message}", remedy or "see docdask emulator --help")
        said = message or (lines[-1] if lines else "it said nothing")
        return EngineError(
            f"the emulator ended with code {code}: {said}", remedy or "try `docdask emulator` in a terminal"
        )

    def _control(self, path: str) -> Any:
        if not self.running:
            raise EngineError("the emulator does not run", "start it")
        request = urllib.request.Request(self.http_url + path)  # noqa: S310 - our own http URL
        try:
            with urllib.request.urlopen(request, timeout=_ANSWER_S) as reply:  # noqa: S310
                return json.load(reply)
        except (OSError, ValueError) as error:
            raise EngineError(
                f"the emulator at {self.http_url} does not answer: {error}", "start it again"
            ) from error


def _option_arguments(options: Mapping[str, Any]) -> list[str]:
    """Arguments of the command from options by name."""
    found = []
    for name, value in options.items():
        if name not in EMULATOR_OPTIONS:
            continue
        for text in as_texts(value) if name in _REPEATED else [str(value)]:
            found += [f"--{name}", _FULL if (name, text) == ("ocr", "full") else text]
    return found if "grace" in options else [*found, "--grace", f"{GRACE_S:g}"]


def _configured(configuration: Configuration | None) -> list[str]:
    """Arguments that bring what is configured into being."""
    if configuration is None:
        return []
    found = []
    for processor in configuration.processors.values():
        if processor.processor_type not in PROCESSOR_LIMITS:
            raise UsageError(
                f"the emulator has no processors of type {processor.processor_type}",
                f"rehearse with one of {', '.join(PROCESSOR_LIMITS)}",
            )
        used = used_units(configuration, price_of(processor.processor_type))
        if used:
            found += ["--used", f"{processor.processor_type}={used}"]
        for place in processor.places:
            version = f"@{place.version}" if place.version else ""
            found += ["--processor", f"{place.processor}={processor.processor_type}{version}"]
    bucket = configuration.staging.removeprefix("gs://").partition("/")[0]
    if bucket:
        found += ["--bucket", bucket]
    for name, value in configuration.limits.items():
        found += ["--quota", f"{name}={value}"]
    return found
