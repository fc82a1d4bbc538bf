"""The report of a run: one content, printed as PDF and as its HTML twin.

Rules: ``chapters`` says what is told, ``pdf`` and ``html`` only how it looks; numbers come from the tables, what is
estimated says so; nothing of a document's pages is shown unless thumbnails are asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docdask.reporting.baseline import Baseline
    from docdask.reporting.data import ReportData
    from docdask.reporting.writing import build

__all__ = ["Baseline", "ReportData", "build"]

_HOME = {"Baseline": "baseline", "ReportData": "data", "build": "writing"}


def __getattr__(name: str) -> Any:
    """Import a part when it is first asked for: a run is opened far more often than it is reported."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
