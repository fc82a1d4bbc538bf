"""The report of a run: one content, printed as PDF and as its HTML twin.

Rules: ``chapters`` says what is told, ``pdf`` and ``html`` only how it looks; numbers come from the tables, what is
estimated says so; nothing of a document's pages is shown unless thumbnails are asked for.
"""

from __future__ import annotations

from docdask.reporting.baseline import Baseline
from docdask.reporting.data import ReportData
from docdask.reporting.writing import build

__all__ = ["Baseline", "ReportData", "build"]
