"""How far a run is, in words and as HTML: one status in, what a person reads out.

Rules: no number that jumps (what is left is rounded to what is known), no plural of one, nothing about what is not known.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from html import escape
from typing import Any

from docdask.tables import card, money
from docdask.words import counted, duration

_COLOURS = {
    "finished": card.GREEN,
    "failed": card.RED,
    "interrupted": card.RED,
    "stopped": card.ORANGE,
    "stopping": card.ORANGE,
}


def counts(status: dict[str, Any]) -> str:
    """``7 of 12 documents, 20 of 54 pages, 33 pages/min, 1 failed``."""
    parts = []
    if status.get("documents_total"):
        parts.append(f"{status.get('documents', 0):,} of {counted(status['documents_total'], 'document')}")
    if status.get("pages_total"):
        parts.append(f"{status.get('pages', 0):,} of {counted(status['pages_total'], 'page')}")
    if (status.get("pages_per_minute") or 0) >= 0.5:
        parts.append(f"{status['pages_per_minute']:,.0f} pages/min")
    if status.get("failed"):
        parts.append(f"{status['failed']:,} failed")
    return ", ".join(parts)


def left(status: dict[str, Any]) -> str:
    """``about 40 s left``; empty where that is not known or nothing is left."""
    eta_s = status.get("eta_s")
    if not eta_s or status.get("state") != "running":
        return ""
    if eta_s < 5:
        return "a few seconds left"
    step_s = 5 if eta_s < 60 else 10 if eta_s < 180 else 60
    rounded_s = step_s * round(eta_s / step_s)
    return (
        f"about {rounded_s // 60} min left"
        if 180 <= rounded_s < 3600
        else f"about {duration(rounded_s)} left"
    )


def spent(status: dict[str, Any]) -> str:
    """``567 pages paid, $0.85 (EMULATED: nothing billed)``, as the driver knew it; empty for a run that is not paid."""
    return money.paid(status.get("money", {}))


def html(status: dict[str, Any]) -> str:
    """HTML of a status: readable on light and dark, no scripts."""
    state = str(status["state"])
    total = status.get("pages_total") or 0
    pages = min(status.get("pages", 0), total)
    figures = []
    if status.get("documents_total"):
        figures.append((f"{status.get('documents', 0):,} of {status['documents_total']:,}", "documents"))
    if total:
        figures.append((f"{pages:,} of {total:,}", "pages"))
    if (status.get("pages_per_minute") or 0) >= 0.5:
        figures.append((f"{status['pages_per_minute']:,.0f}", "pages/min"))
    if remaining := left(status):
        figures.append((remaining.removesuffix(" left"), "left"))
    if status.get("failed"):
        figures.append((f"{status['failed']:,}", "failed"))
    if status.get("money"):
        figures.append((money.dollars(status["money"]["cost_usd"]), "paid"))
    colour = _COLOURS.get(state, card.BLUE)
    parts = [
        card.numbers(figures) if figures else "",
        card.bar([(pages / total if total else 0.0, colour, state)]),
        *card.notes(money.lines({**status.get("money", {}), "state": state, "run": status.get("run", "")})),
    ]
    error = status.get("error")
    if error:
        parts.append(
            f'<div style="margin-top:6px"><b>{escape(str(error.get("message")))}</b><br>→ {escape(str(error.get("remedy")))}</div>'
        )
    return card.frame("run", str(status.get("run", "")), _dashboard(status), *parts)


def _dashboard(status: dict[str, Any]) -> str:
    if not status.get("dashboard") or status["state"] not in ("running", "stopping"):
        return ""
    return f'<a href="{escape(str(status["dashboard"]), quote=True)}" target="_blank">Dask dashboard</a>'


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    shell = get_ipython()
    return shell is not None and shell.__class__.__name__ == "ZMQInteractiveShell"


class Live:
    """A status below a notebook's cell that is drawn again as it changes."""

    def __init__(self, status: dict[str, Any]) -> None:
        from IPython.display import HTML, display

        self._html, self._last = HTML, html(status)
        self._display = display(HTML(self._last), display_id=True)

    def __call__(self, status: dict[str, Any]) -> None:
        """Draw it again, if it says something else."""
        now = html(status)
        if now != self._last:
            self._last = now
            self._display.update(self._html(now))

    def follow(self, ask: Callable[[], dict[str, Any]], running: Callable[[], bool]) -> threading.Thread:
        """Keep it true in a thread until the run has ended, so that the notebook can go on."""

        def body() -> None:
            pause = threading.Event()
            while running():
                self(ask())
                pause.wait(1.0)
            self(ask())

        thread = threading.Thread(target=body, name="docdask-follow", daemon=True)
        thread.start()
        return thread
