"""Decides which chart is drawn from which table, at what size, and writes them as vector files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from docdask.charts._confidence import confidence
from docdask.charts._latency import latency
from docdask.charts._outcomes import outcomes
from docdask.charts._quota_use import quota_use
from docdask.charts._speedup import speedup
from docdask.charts._throughput import throughput
from docdask.charts._timeline import timeline
from docdask.charts.theme import style

Draw = Callable[[pd.DataFrame, Any], Any]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: its function, the table it reads, its size and what it tells."""

    draw: Draw
    table: str
    width_in: float
    height_in: float
    tells: str
    """One sentence that says how to read it; the report prints it below."""
    paid: bool = False
    """Only runs through a paid service have something to draw."""


CHARTS: Mapping[str, Chart] = {
    "throughput": Chart(
        throughput, "calls", 7.0, 2.7,
        "Pages and documents finished in each step of time. Flat is good: a dip is a moment when workers waited."),
    "timeline": Chart(
        timeline, "calls", 7.0, 3.1,
        "A row is a worker, a bar a call; with many calls, the shade tells how many were in flight."),
    "speedup": Chart(
        speedup, "calls", 7.0, 2.2,
        "The time of all calls added up, against the time from the first start to the last end. The bound is what no "
        "schedule with as many calls in flight could beat."),
    "latency": Chart(
        latency, "calls", 7.0, 3.2,
        "Duration of a call by type of document. A wide bar is a type whose documents differ much in size."),
    "confidence": Chart(
        confidence, "pages", 7.0, 2.6,
        "The engine's own confidence, averaged over the characters of a page. It is no error rate, but low pages are "
        "where to look first."),
    "outcomes": Chart(
        outcomes, "documents", 7.0, 3.2,
        "What was stored, and what was set aside or left out and why."),
    "quota_use": Chart(
        quota_use, "requests", 7.0, 2.9,
        "At each moment the requests of the minute before it, in percent of what the project may send in a minute, those that "
        "were refused included. Near the line the quota decided how long the run took; above it calls are refused.",
        paid=True),
}  # fmt: skip


def names(*, paid: bool) -> list[str]:
    """Charts that have something to tell of a run that is ``paid`` for, or is not."""
    return [name for name, chart in CHARTS.items() if paid or not chart.paid]


def draw(name: str, frame: pd.DataFrame) -> Any:
    """One chart on a figure of its own, in the style that is in force."""
    from matplotlib.figure import Figure

    chart = CHARTS[name]
    figure = Figure(figsize=(chart.width_in, chart.height_in), layout="constrained")
    ax = chart.draw(frame, figure.subplots())
    figure.set_figheight(max(chart.height_in, _room_for_labels_in(ax)))
    return figure


def _room_for_labels_in(ax: Any) -> float:
    """Height in inches at which the words along a categorical axis do not run into each other."""
    from matplotlib.ticker import FixedLocator

    if not isinstance(ax.yaxis.get_major_locator(), FixedLocator):
        return 0.0
    labels = ax.get_yticklabels()
    lines = sum(label.get_text().count("\n") + 1 for label in labels)
    line_in: float = max((label.get_size() for label in labels), default=0.0) / 72
    return float(1.0 + line_in * (1.4 * lines + 0.9 * len(labels)))


def all(  # noqa: A001 - charts.all() reads as what it does
    frames: Mapping[str, pd.DataFrame], *, dark: bool = False
) -> dict[str, Any]:
    """Draw every chart.

    Parameters
    ----------
    frames
        Tables by name: ``documents``, ``pages``, ``calls``; a missing one is drawn as empty.
    dark
        For a dark background.

    Returns
    -------
    dict of str to matplotlib.figure.Figure
        By name, in the order of the report. No figure is known to pyplot.
    """
    with style(dark=dark):
        return {name: draw(name, frames.get(chart.table, pd.DataFrame())) for name, chart in CHARTS.items()}


def save(figures: Mapping[str, Any], folder: Path, *, form: Literal["svg", "pdf"] = "svg") -> list[Path]:
    """Write each figure to ``folder/NAME.FORM`` as vectors; the same figures give the same bytes.

    Raises
    ------
    OSError
        The folder can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    stamp: dict[str, None] = {"Date": None} if form == "svg" else {"CreationDate": None}
    with style():
        for name, figure in figures.items():
            path = folder / f"{name}.{form}"
            figure.savefig(path, format=form, metadata=stamp)
            written.append(path)
    return written
