"""How far a run is, for people: a bar in a terminal, live HTML in a notebook, nothing in a pipe.

Each is called with statuses (see docs/run-directory.md) and drawn on stderr, so that stdout stays clean.
"""

from __future__ import annotations

import html
import sys
from typing import Any, Protocol


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
    """A rich progress bar of pages, with documents, rate, time left and failures."""

    def __init__(self, console: Any = None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        self.console = console or Console(stderr=True)
        self.bar = Bar(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=self.console,
            transient=False,
        )
        self.task = self.bar.add_task("starting", total=None, counts="", left="")
        self.announced = False
        self.bar.start()

    def __call__(self, status: dict[str, Any]) -> None:
        """Show one."""
        if status.get("dashboard") and not self.announced:
            self.announced = True
            self.console.print(f"dashboard: {status['dashboard']}", highlight=False)
        total = status.get("pages_total")
        self.bar.update(
            self.task,
            description=status["state"],
            total=total,
            completed=status.get("pages", 0),
            counts=counts(status),
            left=f"about {duration(eta)} left" if (eta := status.get("eta_s")) else "",
        )

    def close(self) -> None:
        """Leave the last one standing."""
        self.bar.stop()


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
            print(f"{status['state']}: {counts(status)}".rstrip(": "), file=sys.stderr, flush=True)

    def close(self) -> None:
        """Nothing to close."""


class Notebook:
    """Live HTML below the cell."""

    def __init__(self) -> None:
        from IPython.display import HTML, display

        self._html = HTML
        self.handle = display(HTML(render({"state": "starting"})), display_id=True)

    def __call__(self, status: dict[str, Any]) -> None:
        """Show one."""
        self.handle.update(self._html(render(status)))

    def close(self) -> None:
        """The last one stands."""


def choose(*, quiet: bool = False) -> Progress:
    """What fits where this runs: notebook, terminal, or a pipe."""
    if quiet:
        return Silent()
    if "IPython" in sys.modules:
        from IPython import get_ipython

        shell = get_ipython()
        if shell is not None and shell.__class__.__name__ == "ZMQInteractiveShell":
            return Notebook()
    return Terminal() if sys.stderr.isatty() else Lines()


def counts(status: dict[str, Any]) -> str:
    """``7 of 12 documents, 20 of 54 pages, 33 pages/min, 1 failed``."""
    parts = []
    if status.get("documents_total"):
        parts.append(f"{status.get('documents', 0):,} of {status['documents_total']:,} documents")
    if status.get("pages_total"):
        parts.append(f"{status.get('pages', 0):,} of {status['pages_total']:,} pages")
    if status.get("pages_per_minute"):
        parts.append(f"{status['pages_per_minute']:,.0f} pages/min")
    if status.get("failed"):
        parts.append(f"{status['failed']:,} failed")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """``45 s``, ``3 min 20 s``, ``2 h 05 min``, ``3 d 4 h``; two figures are enough for a person."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def render(status: dict[str, Any]) -> str:
    """HTML of a status: readable on light and dark, no scripts."""
    total = status.get("pages_total") or 0
    share = min(1.0, status.get("pages", 0) / total) if total else 0.0
    left = f" · about {duration(status['eta_s'])} left" if status.get("eta_s") else ""
    link = ""
    if status.get("dashboard"):
        url = html.escape(str(status["dashboard"]), quote=True)
        link = f' · <a href="{url}" target="_blank">dashboard</a>'
    return (
        '<div style="font-family:system-ui,sans-serif;font-size:13px;max-width:640px">'
        f"<div><b>{html.escape(str(status['state']))}</b> {html.escape(counts(status))}{html.escape(left)}{link}</div>"
        '<div style="height:8px;border-radius:4px;background:rgba(128,128,128,.25);margin-top:4px">'
        f'<div style="height:8px;border-radius:4px;width:{100 * share:.1f}%;background:#0072B2"></div></div></div>'
    )
