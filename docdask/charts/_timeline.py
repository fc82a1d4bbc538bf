"""Decides how 'who did what when' is drawn: a bar a call and a row a worker, or how many calls were in flight, as shades.

Few calls are drawn one by one; where calls of one worker overlap, its row is divided into lanes. With many calls or
workers each row shows the mean number of calls in flight instead, computed exactly from sorted starts and ends.
"""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from docdask.charts.axes import bins, clock, empty, know, span, unit_of, wrapped
from docdask.charts.columns import Floats, codes, times_s
from docdask.charts.theme import Theme, theme

TITLE = "Who did what, when"
MOST_BARS = 600
MOST_BAR_ROWS = 24
#: Rows of shades; more workers than this are sorted by name and shared evenly between rows.
MOST_ROWS = 48


def lanes(start: Floats, end: Floats) -> npt.NDArray[np.intp]:
    """Lane of each call, so that no two in one lane overlap; as few lanes as possible (starts ascending)."""
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    lane = np.zeros(len(start), dtype=np.intp)
    for i, (begins, ends) in enumerate(zip(start, end, strict=True)):
        while busy and busy[0][0] <= begins:
            heapq.heappush(free, heapq.heappop(busy)[1])
        lane[i] = heapq.heappop(free) if free else len(busy)
        heapq.heappush(busy, (ends, int(lane[i])))
    return lane


def in_flight(start: Floats, end: Floats, edges: Floats) -> Floats:
    """Mean number of intervals open within each bin.

    The time spent in intervals up to ``t`` is ``sum(t - start, start <= t) - sum(t - end, end <= t)``; its difference
    over a bin, divided by the bin's width, is the mean.
    """

    def spent(times: Floats) -> Floats:
        ordered = np.sort(times)
        before = np.searchsorted(ordered, edges, side="right")
        total = np.concatenate(([0.0], np.cumsum(ordered)))
        passed: Floats = edges * before - total[before]
        return passed

    mean: Floats = np.diff(spent(start) - spent(end)) / np.diff(edges)
    return np.maximum(mean, 0.0)


def _bars(
    ax: Any, rows: list[str], worker: npt.NDArray[np.intp], start: Floats, end: Floats, kind: list[str]
) -> None:
    colours = theme()
    palette = {"pdf": colours.first, "image": colours.second, "failed": colours.bad}
    kinds = np.array(kind, dtype=object)
    for row in range(len(rows)):
        mine = np.flatnonzero(worker == row)
        mine = mine[np.argsort(start[mine], kind="stable")]
        lane = lanes(start[mine], end[mine])
        height = 0.78 / (int(lane.max()) + 1 if len(lane) else 1)
        for name in sorted(set(kinds[mine])):
            chosen = kinds[mine] == name
            for number in np.unique(lane[chosen]):
                these = mine[chosen & (lane == number)]
                pieces = np.column_stack((start[these], end[these] - start[these]))
                ax.broken_barh(
                    pieces, (row - 0.39 + number * height, height * 0.94), facecolors=palette.get(name, colours.third),
                    edgecolors="none", linewidth=0,
                )  # fmt: skip
    for name in sorted(set(kind)):
        ax.barh(
            [0], [0], color=palette.get(name, colours.third), label={"failed": "failed calls"}.get(name, name)
        )
    ax.legend(loc="upper right", ncols=4, bbox_to_anchor=(1.0, 1.13), borderaxespad=0)


def _shades(
    ax: Any, rows: int, worker: npt.NDArray[np.intp], start: Floats, end: Floats, colours: Theme
) -> None:
    edges = bins(0.0, float(end.max()), most=240)
    order = np.argsort(worker, kind="stable")
    cuts = np.searchsorted(worker[order], np.arange(rows + 1))
    grid = np.array([
        in_flight(start[order[cuts[r] : cuts[r + 1]]], end[order[cuts[r] : cuts[r + 1]]], edges) for r in range(rows)
    ])  # fmt: skip
    mesh = ax.imshow(
        grid, cmap=colours.scale, vmin=0, aspect="auto", interpolation="nearest",
        extent=(0.0, float(edges[-1]), rows - 0.5, -0.5),
    )  # fmt: skip
    bar = ax.figure.colorbar(mesh, ax=ax, fraction=0.03, pad=0.02)
    bar.outline.set_visible(False)
    bar.set_label("calls in flight, mean")


def _rows(worker: npt.NDArray[np.intp], names: list[str]) -> tuple[npt.NDArray[np.intp], list[str]]:
    """Merge workers so that at most MOST_ROWS rows remain."""
    if len(names) <= MOST_ROWS:
        return worker, names
    share = np.arange(len(names)) * MOST_ROWS // len(names)
    parts = [np.flatnonzero(share == row) for row in range(MOST_ROWS)]
    return share[worker], [f"{names[part[0]]} … ({len(part)})" for part in parts]


def timeline(frame: pd.DataFrame, ax: Any) -> Any:
    """Draw which worker was busy when.

    Parameters
    ----------
    frame
        Table ``calls``: ``worker``, ``started_at`` and ``ended_at`` (UTC), ``group``, ``code``.
    ax
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes; its figure gains a colour bar where shades are drawn.
    """
    started, ended = times_s(frame, "started_at"), times_s(frame, "ended_at")
    known = np.isfinite(started) & np.isfinite(ended)
    if not known.any():
        return empty(ax, TITLE, "No call has ended yet")
    shown = frame[known]
    first = float(started[known].min())
    start, end = started[known] - first, np.maximum(ended[known], started[known]) - first
    unit_s, unit = unit_of(float(end.max()))
    start, end = start / unit_s, np.maximum(end / unit_s, 1e-9)
    worker, names = codes(shown, "worker")
    if len(shown) <= MOST_BARS and len(names) <= MOST_BAR_ROWS:
        group, groups = codes(shown, "group", "other")
        code, outcomes = codes(shown, "code", "OK")
        kind = [groups[g] if outcomes[c] == "OK" else "failed" for g, c in zip(group, code, strict=True)]
        _bars(ax, names, worker, start, end, kind)
    else:
        worker, names = _rows(worker, names)
        _shades(ax, len(names), worker, start, end, theme())
    step = max(1, len(names) // 24)
    labels = [wrapped(name, 26, 1) for name in names]
    ax.set_yticks(range(0, len(names), step), labels[::step], family=know(labels))
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlim(0, float(end.max()))
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(f"{unit} since {clock(first)} · {len(shown):,} calls in {span(float(end.max()) * unit_s)}")
    ax.set_title(TITLE)
    return ax
