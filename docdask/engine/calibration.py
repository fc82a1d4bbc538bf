"""How fast this machine is: measured once by the engine, kept for a week in the state folder."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from docdask.core.planner import Speed
from docdask.core.routes import Configuration
from docdask.core.server.latency import GOOGLE, SECOND_NS, Latency
from docdask.service import base
from docdask.service.emulator.config import parse_latency
from docdask.settings import Settings
from docdask.store import paidrun
from docdask.store.run import RunDirectory

_KEPT_S = 7 * 24 * 3600
#: Overhead a document beside its engine (read, hash, store, tabulate), from benchmarks/overhead.py, with room.
_DOCUMENT_S = 0.01
#: Calls that tell how long the service takes.
_CALLS = 20


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
        # Where no route stays here, an engine tells nothing but zeros: that must not stand for one with other routes.
        whole = kept.keys() >= {"ocr_page_s", "text_page_s"} and any(
            (kept["ocr_page_s"], kept["text_page_s"])
        )
        fresh = time.time() - path.stat().st_mtime < _KEPT_S
        numbers: dict[str, Any] = kept if fresh and whole else {}
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


def latency(run: RunDirectory, configuration: Configuration | None) -> tuple[Latency, str]:
    """How long the service takes to answer, in real seconds, and in a phrase where the numbers come from.

    What this run has called already, a pilot for example, is measured: base and seconds a page by least squares over its
    requests. Less than :data:`_CALLS` of them tell nothing; then it is what users report of Google, or what the run's own
    emulator was told.

    Parameters
    ----------
    run
        Run whose stored calls are looked at.
    configuration
        Of Document AI; None: nothing is called. Its ``period_s`` scales what is assumed, not what was measured.
    """
    if configuration is None:
        return GOOGLE, "nothing is called"
    told = _own_emulator(run, configuration)
    assumed = (told or GOOGLE).stretched(configuration.period_s / 60)
    each = f"{assumed.base_ns / SECOND_NS:g} s and {assumed.page_ns / SECOND_NS:g} s a page"
    if told is not None:
        return (
            assumed,
            f"{each}, as the run's emulator was told"
            if told.base_ns
            else "at once: the run's emulator has no latency",
        )
    each += " assumed"
    if not run.generations():
        return assumed, f"{each}; a pilot measures it: docdask run … --sample 20"
    types = {processor.processor_type for processor in configuration.processors.values()}
    measured = _answers(run, types)
    if len(measured) < _CALLS:
        return assumed, f"{each}; {len(measured)} calls were measured, {_CALLS} would tell"
    base_s, page_s = fit(measured)
    return (
        replace(assumed, base_ns=round(base_s * SECOND_NS), page_ns=round(page_s * SECOND_NS), tail=0.0),
        f"measured on {len(measured):,} calls of this run: {base_s:.2f} s and {page_s:.2f} s a page",
    )


def _own_emulator(run: RunDirectory, configuration: Configuration) -> Latency | None:
    """Latency of the emulator that the run starts itself; None if it starts none."""
    if not configuration.emulated or run.manifest().engine != "emulator":
        return None
    return parse_latency(str(paidrun.emulator_options(run).get("latency", "none")))


def _answers(run: RunDirectory, types: set[str]) -> list[tuple[int, float]]:
    """Pages and seconds of each paid request that was answered."""
    from docdask.tables.result import Result

    columns = ["processor", "unit_id", "started_at", "worker", "pages", "seconds", "lane", "packed"]
    filters = [("code", "==", "OK"), ("attempt", ">=", 1), ("lane", "==", "online")]
    frame = Result(run.url).frame("calls", columns, filters=filters)
    frame = frame[frame["processor"].isin(types)]
    if frame.empty:
        return []
    # Units of a pack began together and each has its share of the call's seconds.
    request = frame["started_at"].astype("int64").astype(str).where(frame["packed"] > 1, frame["unit_id"])
    calls = frame.groupby(["processor", "worker", request], observed=True)
    together = calls.agg(pages=("pages", "sum"), seconds=("seconds", "sum"))
    return [(int(pages), float(seconds)) for pages, seconds in together.itertuples(index=False)]


def fit(measured: Sequence[tuple[int, float]]) -> tuple[float, float]:
    """Base and seconds a page, neither below 0, that fit pages and seconds of calls best (least squares).

    Calls that are all of one length can't tell the two apart: half of the time is then the base.
    """
    count = len(measured)
    pages = sum(length for length, _ in measured) / count
    seconds = math.fsum(took for _, took in measured) / count
    spread = math.fsum((length - pages) ** 2 for length, _ in measured)
    if not spread:
        return seconds / 2, seconds / 2 / pages
    page_s = math.fsum((length - pages) * (took - seconds) for length, took in measured) / spread
    page_s = min(max(0.0, page_s), seconds / pages)
    return seconds - page_s * pages, page_s
