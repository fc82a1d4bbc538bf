"""How fast this machine is: measured once by the engine, kept for a week in the state folder."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from docdask.core.planner import Speed
from docdask.service import base
from docdask.settings import Settings

_KEPT_S = 7 * 24 * 3600
#: Overhead a document beside its engine (read, hash, store, tabulate), from benchmarks/overhead.py, with room.
_DOCUMENT_S = 0.01


def speed(engine: base.Engine, settings: Settings) -> tuple[Speed, str]:
    """Speed of ``engine`` on one worker, and in a phrase where the numbers come from.

    An engine tells by an optional method ``calibrate() -> {"ocr_page_s": …, "text_page_s": …}``, seconds a page on an
    otherwise idle core (and ``start_s``, what the first page takes longer); without one its pages count as instant, and the plan says so.
    """
    measure = getattr(engine, "calibrate", None)
    if measure is None:
        return Speed(_DOCUMENT_S, 0.0, 0.0, engine.in_flight), "the engine does not tell its speed"
    name = base.engine_id(engine).replace("/", "-")
    path = settings.state_folder / f"calibration-{name}-{os.cpu_count()}.json"
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        fresh = time.time() - path.stat().st_mtime < _KEPT_S
        numbers: dict[str, Any] = kept if fresh and {"ocr_page_s", "text_page_s"} <= kept.keys() else {}
    except (OSError, ValueError):
        numbers = {}
    source = "calibrated before on this machine"
    if not numbers:
        numbers = dict(measure())
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps(numbers), encoding="utf-8")
        temporary.replace(path)
        source = "calibrated now on this machine"
    return (
        Speed(
            _DOCUMENT_S,
            numbers["text_page_s"],
            numbers["ocr_page_s"],
            engine.in_flight,
            numbers.get("start_s", 0.0),
        ),
        source,
    )
