"""Charts of a run: one function a chart, ``(frame, ax) -> ax``, drawn on whatever axes the caller has.

Rules: a function aggregates first and draws little, so a million rows cost what twelve do; it never touches pyplot's
global state, draws something honest for no rows at all, labels its units, and draws the same picture from the same rows.
Colours are those of Okabe and Ito, which the colour-blind can tell apart.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docdask.charts._confidence import confidence
    from docdask.charts._latency import latency
    from docdask.charts._outcomes import outcomes
    from docdask.charts._quota_use import quota_use
    from docdask.charts._speedup import speedup
    from docdask.charts._throughput import throughput
    from docdask.charts._timeline import timeline
    from docdask.charts.gallery import CHARTS, all, save  # noqa: A004 - charts.all() reads as what it does
    from docdask.charts.theme import style

__all__ = [
    "CHARTS",
    "all",
    "confidence",
    "latency",
    "outcomes",
    "quota_use",
    "save",
    "speedup",
    "style",
    "throughput",
    "timeline",
]

_HOME = {"CHARTS": "gallery", "all": "gallery", "save": "gallery", "style": "theme"}


def __getattr__(name: str) -> Any:
    """Import a chart when it is first asked for: matplotlib costs a quarter of a second."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME.get(name, '_' + name)}"), name)
