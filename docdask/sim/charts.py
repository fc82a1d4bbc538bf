"""Charts of a simulation, ``(frame, ax) -> ax`` as in :mod:`docdask.charts`: same style, same rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from docdask.charts.axes import empty, unit_of
from docdask.charts.theme import theme

if TYPE_CHECKING:
    import pandas as pd

    from docdask.charts.columns import Floats

#: Points of a line; a longer run is averaged down to about that many.
_MOST = 600


def calls(frame: pd.DataFrame, ax: Any) -> Any:
    """Draw calls a minute of each endpoint against its quota.

    Parameters
    ----------
    frame
        ``Result.endpoints``: ``minute``, ``endpoint``, ``calls``, ``refused``, ``quota``.
    ax
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes.
    """
    title = "Calls a minute, and the quota"
    if not len(frame) or not frame["calls"].sum():
        return empty(ax, title, "No call was made")
    colours = theme()
    marks = [(colours.first, "-"), (colours.second, "--"), (colours.third, "-."), (colours.doubtful, ":")]
    unit_s, unit = unit_of((float(frame["minute"].max()) + 1) * 60)
    top = 0.0
    for number, (name, rows) in enumerate(frame.groupby("endpoint", sort=True)):
        colour, dash = marks[number % len(marks)]
        x, y = _thinned(rows["minute"].to_numpy(float), rows["calls"].to_numpy(float))
        ax.plot(
            x * 60 / unit_s, y, color=colour, linestyle=dash, label=f"{name} ({int(rows['calls'].sum()):,})"
        )
        top = max(top, float(y.max()))
    quotas = sorted({int(quota) for quota in frame["quota"].dropna()})
    for quota in quotas:
        if quota <= 4 * top:
            ax.axhline(quota, color=colours.muted, linewidth=0.9)
            ax.annotate(
                f"quota {quota:,}", (1, quota), xycoords=("axes fraction", "data"), xytext=(-2, 2),
                textcoords="offset points", ha="right", va="bottom", color=colours.muted, fontsize=8,
            )  # fmt: skip
            top = max(top, quota)
    return _finish(ax, title, "calls a minute", f"{unit} since the start", top)


def waiting(frame: pd.DataFrame, ax: Any) -> Any:
    """Draw the permits waited for, by lane, at the end of each minute.

    Parameters
    ----------
    frame
        ``Result.minutes``: ``minute`` and the columns ``waiting_<lane>``.
    ax
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes.
    """
    title = "Permits waited for, by lane"
    lanes = [name for name in frame.columns if name.startswith("waiting_") and frame[name].any()]
    if not lanes:
        return empty(ax, title, "Nobody waited over the end of a minute")
    colours = theme()
    marks = [(colours.bad, "-"), (colours.first, "--"), (colours.third, "-."), (colours.doubtful, ":")]
    unit_s, unit = unit_of((float(frame["minute"].max()) + 1) * 60)
    top = 0.0
    for number, name in enumerate(lanes):
        colour, dash = marks[number % len(marks)]
        x, y = _thinned(frame["minute"].to_numpy(float), frame[name].to_numpy(float))
        ax.plot((x + 1) * 60 / unit_s, y, color=colour, linestyle=dash, label=name.removeprefix("waiting_"))
        top = max(top, float(y.max()))
    return _finish(ax, title, "waiting", f"{unit} since the start", top)


def progress(frame: pd.DataFrame, ax: Any) -> Any:
    """Draw the documents that are done, over time, with the cost so far at the right.

    Parameters
    ----------
    frame
        ``Result.minutes``: ``minute``, ``seconds``, ``documents``, ``set_aside``, ``cost_usd``.
    ax
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes.
    """
    title = "Documents done"
    if not len(frame):
        return empty(ax, title, "Nothing was done")
    colours = theme()
    ends_s = frame["minute"].to_numpy(float) * 60 + frame["seconds"].to_numpy(float)
    unit_s, unit = unit_of(float(ends_s[-1]))
    done = frame["documents"].cumsum().to_numpy(float)
    x, y = _thinned(ends_s, done)
    ax.plot(x / unit_s, y, color=colours.first, label=f"done ({int(done[-1]):,})")
    aside = frame["set_aside"].cumsum().to_numpy(float)
    if aside[-1]:
        x, y = _thinned(ends_s, aside)
        ax.plot(x / unit_s, y, color=colours.bad, linestyle="--", label=f"set aside ({int(aside[-1]):,})")
    cost = float(frame["cost_usd"].sum())
    top = max(float(done[-1]), float(aside[-1]))
    return _finish(ax, f"{title}, ${cost:,.2f} in all", "documents", f"{unit} since the start", top)


#: Chart and the frame of a :class:`docdask.sim.Result` that it reads.
CHARTS: Mapping[str, tuple[Any, str]] = {
    "calls": (calls, "endpoints"),
    "waiting": (waiting, "minutes"),
    "progress": (progress, "minutes"),
}


def _thinned(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Means of so many neighbours that a line has at most :data:`_MOST` points; the last point stays."""
    import numpy as np

    width = -(-len(x) // _MOST)
    if width <= 1:
        return x, y
    starts = np.arange(0, len(x), width)
    counts = np.diff(np.append(starts, len(x)))
    xs, ys = np.add.reduceat(x, starts) / counts, np.add.reduceat(y, starts) / counts
    return np.append(xs, x[-1]), np.append(ys, y[-1])


def _finish(ax: Any, title: str, what: str, when: str, top: float) -> Any:
    ax.set_title(title)
    ax.set_ylabel(what)
    ax.set_xlabel(when)
    ax.set_xlim(left=0)
    ax.set_ylim(0, max(top, 1.0) * 1.18)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.6g}")
    ax.grid(visible=True, axis="y")
    ax.legend(loc="upper right", ncols=2, bbox_to_anchor=(1.0, 1.13), borderaxespad=0)
    return ax
