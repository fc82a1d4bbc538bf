"""The emulator as a process of its own, as its command starts it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from docdask.testing import EmulatorHandle

START = "from docdask.service.emulator.command import emulator_command; emulator_command()"


class Process:
    """A running command; ``addresses`` is what it printed."""

    def __init__(self, *arguments: str, folder: Path) -> None:
        environment = {**os.environ, "TMPDIR": str(folder)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, "--ocr", "fast", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.process.stderr.read())
        self.addresses = json.loads(line)
        self.handle = EmulatorHandle.__new__(EmulatorHandle)
        self.handle.grpc_address, self.handle.http_url = self.addresses["grpc"], self.addresses["http"]
        self.handle._channels = []

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait; the exit code."""
        self.handle.close()
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(30)
        self.process.stdout.close()
        self.errors = self.process.stderr.read()
        self.process.stderr.close()
        return code


@contextlib.contextmanager
def emulator_process(*arguments: str, folder: Path):
    running = Process(*arguments, folder=folder)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.end(signal.SIGKILL)


def run_command(*arguments: str, folder: Path) -> subprocess.CompletedProcess:
    """The command, run to its end."""
    environment = {**os.environ, "TMPDIR": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", START, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=60,
    )
