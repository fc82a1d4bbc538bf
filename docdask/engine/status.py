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
from docdask.store.spending import FollowedLedger
from docdask.tables import money

STATUS = "status.json"
State = Literal["planned", "starting", "running", "stopping", "stopped", "finished", "failed", "interrupted"]

#: States in which nobody works on the run.
ENDED = frozenset({"planned", "stopped", "finished", "failed", "interrupted"})
#: Seconds between two times that what was read of the ledger is kept for others.
KEEP_S = 30.0


@dataclass(frozen=True, slots=True)
class Amount:
    """Of work: what a branch has, or what is done of all."""

    pages: int
    expected_s: float
    documents: int


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
    _open: dict[int, Amount] = field(default_factory=dict)
    """Branches that are submitted and have not ended, by partition."""
    _live: dict[tuple[int, str], tuple[int, int]] = field(default_factory=dict)
    """Pages and units done by tasks of open branches, by (partition, task)."""

    def open(self, partition: int, branch: Amount) -> None:
        """A branch is submitted."""
        self._open[partition] = branch

    def heard(self, partition: int, task: str, done: tuple[int, int]) -> None:
        """A task says how many pages and units it has done; what arrives after its branch has ended is too late."""
        if partition in self._open:
            self._live[partition, task] = done

    def ended(self, partition: int, *, stopped: bool) -> None:
        """A branch has ended; ``stopped``: before it was done."""
        branch = self._open.pop(partition)
        for key in [key for key in self._live if key[0] == partition]:
            del self._live[key]
        if not stopped:
            self.documents += branch.documents
            self.pages += branch.pages
            self.work_done_s += branch.expected_s

    def forget_open(self) -> None:
        """The cluster is gone: what was open will be submitted again."""
        self._open.clear()
        self._live.clear()

    def now(self) -> Amount:
        """What is done, the part of open branches included."""
        pages, work_s, documents = self.pages, self.work_done_s, self.documents
        for partition, (live_pages, live_units) in self._sums().items():
            branch = self._open.get(partition)
            if branch is None:
                continue
            pages += min(live_pages, branch.pages)
            work_s += branch.expected_s * min(1.0, live_pages / max(branch.pages, 1))
            # The units of a branch with one document are its page ranges: it is done when all of them are.
            documents += min(live_units, branch.documents) if branch.documents > 1 else 0
        return Amount(min(self.pages_total, pages), work_s, min(self.documents_total, documents))

    def _sums(self) -> dict[int, tuple[int, int]]:
        sums: dict[int, tuple[int, int]] = {}
        for (partition, _), (pages, units) in list(self._live.items()):  # a copy: another thread hears
            before = sums.get(partition, (0, 0))
            sums[partition] = (before[0] + pages, before[1] + units)
        return sums


class Till:
    """What the run has spent so far; looks into its ledger no more often than ``every_s``."""

    def __init__(self, run: RunDirectory, every_s: float) -> None:
        self._run, self._every_s = run, every_s
        self._ledger = FollowedLedger(run.url)
        self._told: dict[str, Any] = {}
        self._looked = self._kept = float("-inf")

    def told(self, *, last: bool) -> dict[str, Any]:
        """As :func:`docdask.tables.money.summarise`; empty for a run that is not paid. The ``last`` word is always new."""
        now = time.monotonic()
        if last or now - self._looked >= self._every_s:
            self._looked = now
            told = money.summarise(self._run, self._ledger)
            self._told = told if told["billing"] else {}
            if self._told and (last or now - self._kept >= KEEP_S):
                self._kept = now
                self._ledger.keep()
        return self._told


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
        self._till = Till(run, 1.0 if run.local else 30.0)
        self._written = 0.0
        self._began: float | None = None
        self._work_before_s = 0.0
        self._most = (0, 0)
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
        done = p.now()
        pages, documents = done.pages, done.documents
        if (
            self.state == "running"
        ):  # a branch that is made again after a worker died does not count backwards
            pages, documents = self._most = max(pages, self._most[0]), max(documents, self._most[1])
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
                "documents": documents,
                "documents_total": p.documents_total,
                "pages": pages,
                "pages_total": p.pages_total,
                "failed": p.units_failed,
                **({"money": told} if (told := self._till.told(last=self.state in ENDED)) else {}),
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
        """Seconds left: what the plan expects, corrected by how much longer this session took for what it has done.

        At the start, when engines load their models, the plan's word counts more than what was measured.
        """
        p = self.progress
        if self.state != "running" or self._began is None:
            return None
        workers = self.facts.get("workers") or 1
        left_s = (p.work_total_s - p.now().expected_s) / workers
        done_s = (p.now().expected_s - self._work_before_s) / workers
        if left_s <= 0:
            return 0.0
        weight_s = min(30.0, 0.3 * (left_s + done_s))
        return left_s * (time.monotonic() - self._began + weight_s) / (done_s + weight_s)


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
