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
    _open: dict[int, tuple[int, float]] = field(default_factory=dict)
    """Branches that are submitted and have not ended: partition → (pages, expected seconds)."""
    _live_pages: dict[tuple[int, str], int] = field(default_factory=dict)
    """Pages done by tasks of open branches, by (partition, task)."""

    def open(self, partition: int, pages: int, expected_s: float) -> None:
        """A branch is submitted."""
        self._open[partition] = (pages, expected_s)

    def heard(self, partition: int, task: str, pages: int) -> None:
        """A task of a branch says how many pages it has done; what arrives after the branch's end is too late."""
        if partition in self._open:
            self._live_pages[partition, task] = pages

    def ended(self, partition: int, documents: int) -> None:
        """A branch has ended; no documents: it was stopped before its end."""
        pages, expected_s = self._open.pop(partition)
        for key in [key for key in self._live_pages if key[0] == partition]:
            del self._live_pages[key]
        if documents:
            self.documents += documents
            self.pages += pages
            self.work_done_s += expected_s

    def forget_open(self) -> None:
        """The cluster is gone: what was open will be submitted again."""
        self._open.clear()
        self._live_pages.clear()

    def now(self) -> tuple[int, float]:
        """Pages and expected seconds of work that are done, what open branches did included."""
        live: dict[int, int] = {}
        # A copy: tasks are heard in another thread.
        for (partition, _), pages in list(self._live_pages.items()):
            live[partition] = live.get(partition, 0) + pages
        pages_now, work_s = self.pages, self.work_done_s
        for partition, pages in live.items():
            of_branch, expected_s = self._open.get(partition, (0, 0.0))
            pages_now += min(pages, of_branch)
            work_s += expected_s * min(1.0, pages / of_branch) if of_branch else 0.0
        return min(self.pages_total, pages_now), work_s


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
        self._work_before_s = 0.0
        self._most_pages = 0
        self._seen: deque[tuple[float, int]] = deque(maxlen=240)

    def begin(self) -> None:
        """The first branch is about to be submitted: the clock of the run starts."""
        if self._began is None:  # not so when the cluster was started again
            self._began = time.monotonic()
            self._work_before_s = self.progress.work_done_s
            self.facts["started_at"] = _now()
        self._seen.clear()
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
        pages, _ = p.now()
        # Pages of a branch that is made again after a worker died are not counted backwards.
        pages = self._most_pages = max(pages, self._most_pages) if self.state == "running" else pages
        self._seen.append((now, pages))
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
                "pages": pages,
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
        (start, pages), (end, now) = self._seen[0], self._seen[-1]
        return 60 * max(0, now - pages) / (end - start) if end > start else None

    def _eta(self) -> float | None:
        """Seconds left, from the share of the expected work that this session has done; None before that is 2 %."""
        p = self.progress
        if self.state != "running" or self._began is None:
            return None
        left_s, done_s = p.work_total_s - p.now()[1], p.now()[1] - self._work_before_s
        if left_s <= 0:
            return 0.0
        spent = time.monotonic() - self._began
        return spent * left_s / done_s if done_s > 0.02 * (left_s + done_s) else None


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
