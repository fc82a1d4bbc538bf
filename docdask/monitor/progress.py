"""How far a run is, for people: a bar in a terminal, live HTML in a notebook, nothing in a pipe.

Each is called with statuses (see docs/run-directory.md) and drawn on stderr, so that stdout stays clean.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, Protocol

from docdask.engine import telling
from docdask.engine.telling import counts, left, spent


class Progress(Protocol):
    """Shows statuses as they come."""

    def __call__(self, status: dict[str, Any]) -> None:
        """Show one."""
        ...

    def close(self) -> None:
        """Leave the last one standing."""
        ...


class Silent:
    """Shows nothing."""

    def __call__(self, status: dict[str, Any]) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Nothing to close."""


class Terminal:
    """A bar of pages with the time it takes; below it documents, rate, time left, failures, and money; fits 60 columns."""

    def __init__(self, console: Any = None) -> None:
        from rich.console import Console

        self.console = console or Console(stderr=True)
        self.bar = _bar(self.console)
        self.task = self.bar.add_task("starting", total=None, words="")
        self.announced = False
        self.bar.start()

    def __call__(self, status: dict[str, Any]) -> None:
        """Show one."""
        if status.get("dashboard") and not self.announced:
            self.announced = True
            self.console.print(f"Dask dashboard: {status['dashboard']}", highlight=False, soft_wrap=True)
        # At the end the caller says what became of the documents.
        ended = status["state"] == "finished"
        said = [] if ended else [", ".join(filter(None, (counts(status), left(status)))), spent(status)]
        words = "\n".join(line for line in said if line)
        total = status.get("pages_total")
        done = {"total": total, "completed": status.get("pages", 0)} if total else {}
        self.bar.update(self.task, description=status["state"], words=words, **done)

    def close(self) -> None:
        """Leave the last one standing."""
        self.bar.stop()


def _bar(console: Any) -> Any:
    """Rich bar of one task with lines of words below it."""
    from rich.console import RenderableType
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar
    from rich.text import Text

    class WithWords(Bar):
        def get_renderables(self) -> Iterator[RenderableType]:
            yield self.make_tasks_table(self.tasks)
            yield from (Text(t.fields["words"], style="dim") for t in self.tasks if t.fields["words"])

    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    return WithWords(*columns, console=console, expand=True)


class Lines:
    """One line every ten seconds, for logs."""

    def __init__(self) -> None:
        self.last = ("", 0.0)

    def __call__(self, status: dict[str, Any]) -> None:
        """Show one, if it is time."""
        import time

        now = time.monotonic()
        if status["state"] != self.last[0] or now - self.last[1] >= 10:
            self.last = (status["state"], now)
            words = ", ".join(part for part in (counts(status), left(status), spent(status)) if part)
            print(f"{status['state']}: {words}".rstrip(": "), file=sys.stderr, flush=True)

    def close(self) -> None:
        """Nothing to close."""


class Notebook:
    """Live HTML below the cell."""

    def __init__(self) -> None:
        self.shown = telling.Live({"state": "starting"})

    def __call__(self, status: dict[str, Any]) -> None:
        """Show one."""
        self.shown(status)

    def close(self) -> None:
        """The last one stands."""


def choose(*, quiet: bool = False) -> Progress:
    """What fits where this runs: notebook, terminal, or a pipe."""
    if quiet:
        return Silent()
    if telling.in_notebook():
        return Notebook()
    return Terminal() if sys.stderr.isatty() else Lines()
