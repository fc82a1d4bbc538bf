"""What a run's tasks are told and what they tell: jobs, units, tallies.

Rules: a few strings and numbers each, for all of it goes through the scheduler; passwords and credentials are hidden
from whatever prints a task's arguments, which Dask does when a task fails.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from docdask import sandbox
from docdask.core.routes import Configuration
from docdask.model import PageRange

#: Problems of the source, not of the document: such a unit is done again by the next run.
PASSING = frozenset({"vanished", "permission", "unreadable", "changed"})
#: Problems of the limits: such a unit is done again once a limit was raised.
LIMITED = frozenset({"timeout", "memory"})


@dataclass(frozen=True, slots=True)
class Job:
    """What every task of a run is told: a few strings and numbers."""

    session: str
    """Hexadecimal digits that tell the tasks of one driver from those of any other, also of the same run."""
    url: str
    """The run directory."""
    engine: str
    options: dict[str, Any]
    tokens: bool = False
    passwords: tuple[str, ...] = field(default=(), repr=False)
    timeout_s: float = sandbox.TIMEOUT_S
    memory_bytes: int = sandbox.MEMORY_BYTES
    storage_options: dict[str, Any] = field(default_factory=dict, repr=False)
    again: frozenset[str] = PASSING
    """Codes of failures that are stored and yet tried again."""
    configuration: Configuration | None = None
    """Of Document AI, for a run that uses it."""
    emulator_host: str = ""
    """``host:port`` of an emulator's gRPC side; empty: Google."""
    storage_host: str = ""
    """URL of an emulator's Cloud Storage; empty: Google's."""
    priority: str = "normal"
    """Lane of the governor: ``interactive``, ``normal`` or ``bulk``."""
    checks: frozenset[str] = frozenset()
    """Ids of the packs that are also sent singly, to see whether packing changes results."""
    engine_folder: str = ""
    """Where the driver found the engine's module; a worker that was started elsewhere looks there too."""

    def for_lane(self, lane: str) -> Job:
        """The job of a branch in ``lane``: what a paid run reads offline is read by the offline engine."""
        return replace(self, engine="offline", options={}) if lane == "offline" else self

    @property
    def limits(self) -> dict[str, Any]:
        """Of a call into a PDF or image library."""
        return {"timeout_s": self.timeout_s, "memory_bytes": self.memory_bytes}


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of a partition, as its task gets it."""

    unit_id: str
    document_id: str
    uri: str
    sha256: str
    mime_type: str
    action: str | None
    size_bytes: int
    first_page: int
    pages: int
    ranged: bool
    """A part of a long document; else all of it."""
    document_pages: int = 0
    """Of the whole document; 0: the unit's own."""
    cost_micros: int = 0
    """Micro-dollars planned for it."""

    @property
    def page_range(self) -> PageRange | None:
        """Pages to recognise; None for the whole document."""
        return PageRange(self.first_page, self.first_page + self.pages - 1) if self.ranged else None


class Plain(list[Any]):
    """A list that Dask hands over as it is: it looks into plain lists, element by element, for tasks to run first."""


class Hidden(tuple[Any, ...]):
    """A tuple that does not show what is in it: passwords, credentials."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} hidden>"


@dataclass(slots=True)
class Tally:
    """What a task did: a few numbers, all that goes through the scheduler."""

    documents: int = 0
    pages: int = 0
    units: int = 0
    again: int = 0
    """Units found stored and not done again."""
    failed: int = 0
    seconds: float = 0.0
    stopped: bool = False
    error: dict[str, Any] | None = None
    """What must end the run, as :func:`docdask.errors.to_json` writes it; the work at hand was ended first."""

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.documents + other.documents,
            self.pages + other.pages,
            self.units + other.units,
            self.again + other.again,
            self.failed + other.failed,
            self.seconds + other.seconds,
            self.stopped or other.stopped,
            self.error or other.error,
        )


#: Told now and then how far a task is: ``partition``, ``task``, ``pages``, ``units``.
Tell = Callable[[Job, dict[str, Any]], None]


def log_event(job: Job, told: dict[str, Any]) -> None:
    """Tell the driver, from a worker, through the scheduler's log of events."""
    from distributed import get_worker

    with contextlib.suppress(ValueError):
        get_worker().log_event(topic(job.session), told)


def topic(session: str) -> str:
    """Dask topic of a session's progress."""
    return f"docdask-{session}"
