"""Decides how throughput over time is drawn: pages and documents a minute, counted where calls ended."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from docdask.charts.axes import bins, clock, empty, span, unit_of
from docdask.charts.columns import Floats, codes, numbers, times_s
from docdask.charts.theme import theme

TITLE = "Throughput over time"


def last_of_each(group: np.ndarray[Any, Any], value: Floats) -> Floats:
    """Greatest value of each group, NaN skipped."""
    order = np.lexsort((value, group))
    group, value = group[order], value[order]
    last = np.flatnonzero(np.append(group[1:] != group[:-1], True))
    found: Floats = value[last]
    return found


def throughput(frame: pd.DataFrame, ax: Any) -> Any:
    """Draw pages and documents a minute over the run's time.

    Parameters
    ----------
    frame
        Table ``calls``: ``ended_at`` (UTC), ``started_at`` (UTC), ``pages``, ``document_id``, ``code``. Only calls that
        went well count; a document counts when the last of its calls ended.
    ax
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes.
    """
    colours = theme()
    started, ended = times_s(frame, "started_at"), times_s(frame, "ended_at")
    code, names = codes(frame, "code", "OK")
    good = np.array([name == "OK" for name in names], dtype=bool)
    well = np.isfinite(ended) & (good[code] if len(code) else np.zeros(0, dtype=bool))
    if not well.any():
        return empty(ax, TITLE, "No call has ended well yet")
    pages = np.nan_to_num(numbers(frame, "pages"), nan=1.0)[well]
    documents, _ = codes(frame, "document_id")
    ended, started = ended[well], started[well]
    first = float(np.nanmin(np.append(started, ended.min())))
    done = last_of_each(documents[well], ended)
    edges = bins(first, float(ended.max()), most=int(np.clip(2 * np.sqrt(len(ended)), 8, 60)))
    per_minute = 60.0 / (edges[1] - edges[0])
    unit_s, unit = unit_of(float(edges[-1] - first))
    at = (edges - first) / unit_s
    page_rate = np.histogram(ended, edges, weights=pages)[0] * per_minute
    document_rate = np.histogram(done, edges)[0] * per_minute
    ax.stairs(page_rate, at, fill=True, color=colours.first, alpha=0.22, linewidth=0)
    ax.stairs(page_rate, at, color=colours.first, linewidth=1.6, label=f"pages ({pages.sum():,.0f})")
    ax.stairs(
        document_rate,
        at,
        color=colours.bad,
        linewidth=1.4,
        linestyle=(0, (4, 1.5)),
        label=f"documents ({len(done):,})",
    )
    ax.set_title(TITLE)
    ax.set_ylabel("per minute")
    ax.set_xlabel(f"{unit} since {clock(first)}, in steps of {span(float(edges[1] - edges[0]))}")
    ax.set_xlim(0, at[-1])
    ax.set_ylim(0, max(float(page_rate.max()), float(document_rate.max())) * 1.18)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.4g}" if value < 1e3 else f"{value:,.0f}")
    ax.grid(visible=True, axis="y")
    ax.legend(loc="upper right", ncols=2, bbox_to_anchor=(1.0, 1.13), borderaxespad=0)
    return ax
