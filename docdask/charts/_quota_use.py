"""Decides how the use of quotas is drawn: at each moment the requests of the minute before it, in percent of the quota."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from docdask.charts.axes import bins, clock, empty, span, unit_of
from docdask.charts.columns import Floats, codes, numbers, texts, times_s
from docdask.charts.theme import theme

TITLE = "How much of each quota was used"
#: Quotas drawn; the others share the last line, which shows the fullest of them.
MOST_QUOTAS = 4
_STYLES: tuple[Any, ...] = ("solid", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))


def in_window(sent: Floats, at: Floats, period_s: float) -> Floats:
    """How many of ``sent`` (ascending) lie in the ``period_s`` before each of ``at``, itself included."""
    until = np.searchsorted(sent, at, side="right")
    found: Floats = (until - np.searchsorted(sent, at - period_s, side="right")).astype(np.float64)
    return found


def fullest(sent: Floats, edges: Floats, period_s: float) -> Floats:
    """Most requests in any window of ``period_s`` that ends in each bin; requests in ascending order."""
    peak = in_window(sent, edges[:-1], period_s)
    counts = in_window(sent, sent, period_s)
    place = np.clip(np.searchsorted(edges, sent, side="right") - 1, 0, len(peak) - 1)
    np.maximum.at(peak, place, counts)
    return peak


def _quotas(frame: pd.DataFrame) -> list[tuple[str, Floats, float]]:
    """Name, times in ascending order, and requests allowed a period; the most used quota first."""
    sent, quota = times_s(frame, "sent_at"), numbers(frame, "quota")
    group, names = codes(frame, "quota_group", "")
    online = texts(frame, "lane", "") != "batch"
    # What was withdrawn was never sent.
    counts = online & (texts(frame, "outcome", "") != "withdrawn") & np.isfinite(sent) & (quota > 0)
    found = []
    for number, name in enumerate(names):
        chosen = counts & (group == number)
        if name and chosen.any():
            found.append((name, np.sort(sent[chosen]), float(quota[chosen][-1])))
    return sorted(found, key=lambda row: (-len(row[1]) / row[2], row[0]))


def quota_use(frame: pd.DataFrame, ax: Any) -> Any:
    """Draw how much of each quota of requests was in use over the run's time.

    Parameters
    ----------
    frame
        Requests (:func:`docdask.tables.requests.requests`): ``sent_at`` (UTC), ``quota_group``, ``quota`` (requests a period),
        ``period_s``, ``lane``, ``outcome``. Batch operations, which have a quota of their own, are left out.
    ax
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes.
    """
    quotas = _quotas(frame)
    if not quotas:
        return empty(ax, TITLE, "No online request was made")
    colours = theme()
    period_s = float(np.nanmax(numbers(frame, "period_s"))) if "period_s" in frame else 60.0
    first = min(float(sent[0]) for _, sent, _ in quotas)
    last = max(float(sent[-1]) for _, sent, _ in quotas)
    edges = bins(first, last + min(period_s, max(last - first, 1.0)) * 0.1, most=200)
    unit_s, unit = unit_of(float(edges[-1] - first))
    at = (edges - first) / unit_s
    lines = [(name, 100 * fullest(sent, edges, period_s) / quota, quota) for name, sent, quota in quotas]
    if len(lines) > MOST_QUOTAS:
        rest = lines[MOST_QUOTAS - 1 :]
        share = np.max([share for _, share, _ in rest], axis=0)
        lines = [*lines[: MOST_QUOTAS - 1], (f"fullest of {len(rest)} others", share, 0.0)]
    for (name, share, quota), colour, style in zip(
        lines, (colours.first, colours.third, colours.second, colours.quiet), _STYLES, strict=False
    ):
        label = f"{name} ({quota:,.0f}/{_period(period_s)})" if quota else name
        ax.stairs(share, at, baseline=None, color=colour, linewidth=1.6, linestyle=style, label=label)
    top = max(100.0, *(float(share.max()) for _, share, _ in lines))
    ax.axhline(100, color=colours.bad, linewidth=1.1, linestyle=(0, (6, 2)))
    ax.annotate("the quota", (1, 100), xycoords=("axes fraction", "data"), xytext=(-3, 3), textcoords="offset points",
                ha="right", va="bottom", color=colours.bad, fontsize=8.5)  # fmt: skip
    ax.set_title(TITLE)
    ax.set_ylabel(f"% of the quota\nin the last {_period(period_s)}")
    ax.set_xlabel(f"{unit} since {clock(first)}")
    ax.set_xlim(0, at[-1])
    ax.set_ylim(0, top * 1.15)
    ax.grid(visible=True, axis="y")
    ax.legend(loc="upper left", ncols=2, bbox_to_anchor=(0, -0.3), borderaxespad=0)
    return ax


def _period(period_s: float) -> str:
    return "min" if period_s == 60 else span(period_s)
