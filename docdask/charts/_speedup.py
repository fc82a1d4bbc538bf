"""Decides how the speed-up is drawn: the time the calls took one after another, the time the run took, and the bound.

The first is the sum of the measured durations: an estimate of a run without docdask, since calls that share a processor
take longer than they would alone. The bound is what no schedule can beat with the calls in flight at the peak:
``max(longest call, sum / peak)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from docdask.charts.axes import empty, span
from docdask.charts.columns import numbers, times_s
from docdask.charts.theme import theme

TITLE = "Against one after another"


@dataclass(frozen=True, slots=True)
class Speedup:
    """Figures behind the chart."""

    sum_s: float
    """Sum of all calls' durations."""
    wall_s: float
    """First start to last end."""
    bound_s: float
    """No schedule with as many in flight can be shorter."""
    peak: int
    """Most calls in flight at once."""

    @property
    def ratio(self) -> float:
        """How many times as fast as one after another; 0 where nothing was measured."""
        return self.sum_s / self.wall_s if self.wall_s > 0 else 0.0


def measure(frame: pd.DataFrame) -> Speedup | None:
    """Figures from a ``calls`` frame, None without a timed call."""
    seconds, start, end = numbers(frame, "seconds"), times_s(frame, "started_at"), times_s(frame, "ended_at")
    known = np.isfinite(seconds) & np.isfinite(start) & np.isfinite(end)
    if not known.any():
        return None
    seconds, start, end = seconds[known], start[known], end[known]
    stamps = np.concatenate((end, start))
    change = np.concatenate((np.full(len(end), -1), np.ones(len(start))))
    order = np.lexsort((change, stamps))  # at one moment, what ends makes room for what starts
    peak = max(1, int(np.cumsum(change[order]).max()))
    total = float(seconds.sum())
    wall = float(end.max() - start.min())
    return Speedup(total, wall, max(float(seconds.max()), total / peak), peak)


def speedup(frame: pd.DataFrame, ax: Any) -> Any:
    """Draw the run's time beside the time of the same calls one after another.

    Parameters
    ----------
    frame
        Table ``calls``: ``seconds``, ``started_at``, ``ended_at`` (UTC).
    ax
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes.
    """
    colours = theme()
    figures = measure(frame)
    if figures is None or figures.wall_s <= 0:
        return empty(ax, TITLE, "No call has been timed yet")
    rows = [
        ("one after another\n(sum of all calls)", figures.sum_s, colours.quiet, span(figures.sum_s)),
        ("this run\n(first start to last end)", figures.wall_s, colours.first,
         f"{span(figures.wall_s)} · {figures.ratio:.3g} × as fast"),
        (f"bound\n({figures.peak:,} in flight, never idle)", figures.bound_s, colours.third,
         f"{span(figures.bound_s)} · {figures.sum_s / figures.bound_s:.3g} × as fast" if figures.bound_s else "0 s"),
    ]  # fmt: skip
    most = max(value for _, value, _, _ in rows)
    for y, (_, value, colour, text) in enumerate(rows):
        ax.barh(y, value, height=0.56, color=colour, linewidth=0)
        inside = value > 0.6 * most
        ax.annotate(
            text, (value, y), (-6 if inside else 6, 0), textcoords="offset points", va="center",
            ha="right" if inside else "left", color=_on(colour) if inside else colours.ink, fontsize=9,
        )  # fmt: skip
    ax.set_yticks(range(len(rows)), [label for label, *_ in rows], linespacing=1.3)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlim(0, most * 1.02)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("seconds")
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.6g}")
    ax.grid(visible=True, axis="x")
    ax.set_title(TITLE)
    return ax


def _on(colour: str) -> str:
    """Black or white, whichever reads better on a bar of that colour (WCAG relative luminance)."""
    from matplotlib.colors import to_rgb

    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    luminance = float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
    return "#000000" if luminance > 0.18 else "#ffffff"
