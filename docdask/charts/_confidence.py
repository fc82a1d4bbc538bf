"""Decides how pages and their confidence are drawn: pages by mean confidence, stacked by where their text came from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from docdask.charts.axes import empty
from docdask.charts.columns import codes, numbers
from docdask.charts.theme import theme

TITLE = "Pages by confidence"


def confidence(frame: pd.DataFrame, ax: Any) -> Any:
    """Draw how many pages have which mean confidence.

    Parameters
    ----------
    frame
        Table ``pages``: ``mean_confidence`` (0-1), ``source`` (``text-layer``, ``ocr`` or null).
    ax
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes.
    """
    colours = theme()
    values = numbers(frame, "mean_confidence")
    known = np.isfinite(values)
    silent = int(len(values) - known.sum())
    if not known.any():
        return empty(
            ax,
            TITLE,
            f"No confidence is given for {silent:,} pages" if silent else "No page has been stored yet",
        )
    source, names = codes(frame, "source", "source not told")
    values, source = np.clip(values[known], 0.0, 1.0), source[known]
    low = min(0.9, np.floor(float(values.min()) * 10) / 10)
    edges = np.linspace(low, 1.0, 21 if low >= 0.5 else round((1 - low) * 40) + 1)
    palette = {"ocr": colours.first, "text-layer": colours.second, "source not told": colours.quiet}
    base = np.zeros(len(edges) - 1)
    for number, name in enumerate(names):
        counts = np.histogram(values[source == number], edges)[0]
        if counts.any():
            label = f"{name.replace('-', ' ').replace('ocr', 'OCR')} ({counts.sum():,})"
            ax.stairs(
                base + counts, edges * 100, baseline=base, fill=True, color=palette.get(name, colours.third),
                linewidth=0, label=label, hatch=None if name == "ocr" else "////" if name == "text-layer" else None,
                edgecolor="white" if name == "text-layer" else None,
            )  # fmt: skip
            base = base + counts
    middle = float(np.median(values)) * 100
    ax.axvline(middle, color=colours.ink, linewidth=1, linestyle=(0, (2, 2)))
    ax.annotate(
        f"median {middle:.1f} %", (middle, 1.0), (-5, -3), xycoords=("data", "axes fraction"), va="top", ha="right",
        textcoords="offset points", color=colours.ink, fontsize=8.5,
    )  # fmt: skip
    ax.set_xlim(low * 100, 100)
    ax.set_ylim(0, float(base.max()) * 1.15)
    ax.set_ylabel("pages")
    ax.set_xlabel(
        "mean confidence of a page, %" + (f" · {silent:,} pages without one left out" if silent else "")
    )
    ax.yaxis.get_major_locator().set_params(integer=True)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.grid(visible=True, axis="y")
    ax.legend(loc="upper right", ncols=3, bbox_to_anchor=(1.0, 1.13), borderaxespad=0)
    ax.set_title(TITLE)
    return ax
