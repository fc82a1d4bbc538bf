"""Engines for tests: they write down whom they were called for, take their time, or take their worker down."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from docdask.service.base import Request
from docdask.service.dummy import NothingEngine


class Slow(NothingEngine):
    """Appends the unit's id to ``log``, takes ``seconds`` a unit, and waits while ``<log>.hold`` exists."""

    def __init__(self, log: str, seconds: float = 0.2) -> None:
        super().__init__(name="slow")
        self.log, self.hold, self.seconds = Path(log), Path(f"{log}.hold"), seconds

    def recognise(self, request: Request) -> bytes:
        with self.log.open("a") as file:
            file.write(f"{request.unit_id}\n")
        time.sleep(self.seconds)  # stands for work: what is tested is what happens meanwhile
        while self.hold.exists():
            time.sleep(0.02)
        return super().recognise(request)


class Deadly(NothingEngine):
    """Kills its worker at a document of that name: every time, or once if a mark can be left at ``once``."""

    def __init__(self, name: str, once: str = "") -> None:
        super().__init__(name="deadly")
        self.victim, self.once = name, once

    def recognise(self, request: Request) -> bytes:
        if request.uri.endswith(self.victim):
            if not self.once:
                os.kill(os.getpid(), signal.SIGKILL)
            elif not Path(self.once).exists():
                Path(self.once).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return super().recognise(request)
