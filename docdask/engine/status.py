"""How far a run is: one small JSON file in the run directory, written by its driver, read by anybody.

Rules: the driver writes it at most once a second (every five on object stores) and at each change of state; a reader on
the same machine looks whether the driver is still there, so that a killed run is told as ``interrupted``.
"""

from __future__ import annotations

import datetime
import os
import socket
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

import psutil

from docdask.store.run import RunDirectory

STATUS = "status.json"
State = Literal["planned", "starting", "running", "stopping", "stopped", "finished", "failed", "interrupted"]

#: States in which nobody works on the run.
ENDED = frozenset({"planned", "stopped", "finished", "failed", "interrupted"})


@dataclass(slots=True)
class Progress:
    """What the driver counts. Documents and pages of duplicates and of files that were set aside do not count."""

    documents_total: int = 0
    pages_total: int = 0
    documents: int = 0
    pages: int = 0
    units_failed: int = 0
    units_again: int = 0
    call_seconds: float = 0.0
    work_total_s: float = 0.0
    work_done_s: float = 0.0
    live_pages: dict[tuple[int, int], int] = field(default_factory=dict)
    """Pages done by tasks of branches that have not ended, by (partition, task)."""

    @property
    def pages_now(self) -> int:
        """Pages done, those of open branches included."""
        return min(self.pages_total, self.pages + sum(self.live_pages.values()))


class StatusWriter:
    """Keeps ``status.json`` true while a driver works."""

    def __init__(self, run: RunDirectory, facts: dict[str, Any]) -> None:
        self.run, self.progress = run, Progress()
        before = run.read_json(STATUS) or {}
        self.sessions: list[dict[str, Any]] = [s for s in before.get("sessions", []) if s.get("seconds")]
        self.facts = {
            **facts,
            "driver": {
                "pid": os.getpid(),
                "host": socket.gethostname(),
                "started": psutil.Process().create_time(),
            },
            "started_at": _now(),
        }
        self.state: State = "starting"
        self._every_s = 1.0 if run.local else 5.0
        self._written = 0.0
        self._began: float | None = None
        self._seen: deque[tuple[float, int, float]] = deque(maxlen=240)

    def begin(self) -> None:
        """The first branch is about to be submitted: the clock of the run starts."""
        self._began = time.monotonic()
        self.facts["started_at"] = _now()
        self.set("running")

    def set(self, state: State, **facts: Any) -> None:
        """Write now, with a new state."""
        self.state = state
        self.facts.update(facts)
        self.write()

    def tick(self) -> None:
        """Write if it is time."""
        if time.monotonic() - self._written >= self._every_s:
            self.write()

    def write(self) -> None:
        """Write the file."""
        now = self._written = time.monotonic()
        p = self.progress
        self._seen.append((now, p.pages_now, p.work_done_s))
        session = []
        if self._began is not None:
            session = [
                {"started_at": self.facts["started_at"], "seconds": now - self._began, "pages": p.pages}
            ]
        self.run.write_json(
            STATUS,
            {
                "state": self.state,
                "run": self.run.url,
                **self.facts,
                "updated_at": _now(),
                "documents": p.documents,
                "documents_total": p.documents_total,
                "pages": p.pages_now,
                "pages_total": p.pages_total,
                "failed": p.units_failed,
                "pages_per_minute": self._rate(),
                "eta_s": self._eta(),
                "sessions": [*self.sessions, *session],
            },
        )

    def _rate(self) -> float | None:
        if len(self._seen) < 2 or self.state not in ("running", "stopping"):
            return None
        (start, pages, _), (end, now, _) = self._seen[0], self._seen[-1]
        return 60 * (now - pages) / (end - start) if end > start else None

    def _eta(self) -> float | None:
        p = self.progress
        if self.state != "running" or self._began is None or not p.pages_total:
            return None
        share = p.pages_now / p.pages_total
        spent = time.monotonic() - self._began
        if share >= 1:
            return 0.0
        return spent * (1 - share) / share if share > 0.02 else None


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def read(run: RunDirectory) -> dict[str, Any]:
    """Status of a run as it is now.

    Returns
    -------
    dict
        At least ``state`` and ``run``; see docs/run-directory.md.
    """
    found: dict[str, Any] = run.read_json(STATUS) or {"state": "planned", "run": run.url}
    if found["state"] not in ENDED and not _alive(found.get("driver", {})):
        found["state"] = "interrupted"
    return found


def _alive(driver: dict[str, Any]) -> bool:
    """Whether the driver is there; on another machine it is taken for alive."""
    if not driver:
        return False
    if driver["host"] != socket.gethostname():
        return True
    try:
        process = psutil.Process(driver["pid"])
        return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - driver["started"]) < 2
    except psutil.Error:
        return False
