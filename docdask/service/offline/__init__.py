"""The offline engine: text layer or OCR, reading order, tables, form fields and entities, on this machine alone."""

from __future__ import annotations

from docdask.service.offline.calibration import calibrate
from docdask.service.offline.engine import OfflineEngine

__all__ = ["OfflineEngine", "calibrate"]
