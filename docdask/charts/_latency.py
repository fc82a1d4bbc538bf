"""Decides how latency is drawn: one row a type of document, its middle half as a bar, its middle 90 % as a line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from docdask.charts.axes import empty, know, short_type, span, wrapped
from docdask.charts.columns import Floats, codes, numbers
from docdask.charts.theme import theme

TITLE = "How long a call takes, by type"
#: Rows drawn; rarer types share the last.
MOST_TYPES = 8
#: Up to so many calls of a type are drawn as points as well.
MOST_POINTS = 60


def _groups(frame: pd.DataFrame) -> list[tuple[str, Floats]]:
    """Durations in seconds by type, the most frequent type first."""
    seconds = numbers(frame, "seconds")
    code, names = codes(frame, "mime_type")
    known = np.isfinite(seconds)
    seconds, code = seconds[known], code[known]
    order = np.argsort(code, kind="stable")
    edges = np.searchsorted(code[order], np.arange(len(names) + 1))
    found = [
        (short_type(name), seconds[order[edges[i] : edges[i + 1]]])
        for i, name in enumerate(names)
        if edges[i + 1] > edges[i]
    ]
    found.sort(key=lambda pair: (-len(pair[1]), pair[0]))
    if len(found) > MOST_TYPES:
        rest = found[MOST_TYPES - 1 :]
        other = (f"{len(rest)} other types", np.concatenate([values for _, values in rest]))
        found = [*found[: MOST_TYPES - 1], other]
    return found


def _row(ax: Any, y: int, values: Floats) -> None:
    colours = theme()
    low, first, middle, third, high = np.quantile(values, (0.05, 0.25, 0.5, 0.75, 0.95))
    ax.plot([low, high], [y, y], color=colours.first, linewidth=1.4, solid_capstyle="butt")
    ax.barh(y, third - first, left=first, height=0.42, color=colours.first, alpha=0.35, linewidth=0)
    if len(values) <= MOST_POINTS:
        turn = (
            np.arange(len(values)) * 0.618034
        ) % 1.0 - 0.5  # golden-ratio jitter: spread, and the same every time
        ax.plot(
            values, y + 0.34 * turn, ".", color=colours.first, markersize=3.5, alpha=0.75, markeredgewidth=0
        )
    ax.plot([middle], [y], "D", color=colours.bad, markersize=5, markeredgewidth=0)


def latency(frame: pd.DataFrame, ax: Any) -> Any:
    """Draw the distribution of call durations by type of document.

    Parameters
    ----------
    frame
        Table ``calls``: ``seconds``, ``mime_type``.
    ax
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes.
    """
    from matplotlib.ticker import LogLocator, NullLocator

    groups = _groups(frame)
    if not groups:
        return empty(ax, TITLE, "No call has been timed yet")
    everything = np.concatenate([values for _, values in groups])
    positive = everything[everything > 0]
    wide = len(positive) and positive.max() > 30 * np.quantile(positive, 0.05)
    labels = []
    for y, (name, values) in enumerate(groups):
        _row(ax, y, np.maximum(values, positive.min()) if wide else values)
        summary = (
            f"{len(values):,} call{'s' if len(values) != 1 else ''} · median {span(float(np.median(values)))}"
        )
        labels.append(f"{wrapped(name, 24)}\n{summary}")
    ax.set_yticks(range(len(groups)), labels, family=know(labels), linespacing=1.35)
    ax.set_ylim(len(groups) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    if wide:
        ax.set_xscale("log")
        ax.set_xlim(float(positive.min()) / 1.25, float(positive.max()) * 1.25)  # room for whole markers
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.xaxis.set_minor_locator(NullLocator())
    else:
        ax.set_xlim(0, float(everything.max()) * 1.05 or 1.0)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.4g}")
    ax.set_xlabel(
        "seconds a call"
        + (" (logarithmic)" if wide else "")
        + " · ◆ median · bar: middle half · line: 5–95 %"
    )
    ax.grid(visible=True, axis="x")
    ax.set_title(TITLE)
    return ax
