"""Decides how outcomes are drawn: a bar a reason for what was set aside, and a bar for what was stored where it fits.

With a thousand stored and one set aside, one scale would hide what matters: then the stored ones are told in the title
only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from docdask.charts.axes import empty, know, wrapped
from docdask.charts.columns import codes
from docdask.charts.theme import Theme, theme

TITLE = "Outcome by reason"
MOST_REASONS = 10


def _counts(frame: pd.DataFrame) -> list[tuple[str, str, int]]:
    """Outcome, reason and number of documents, the most frequent first; stored is one entry without a reason."""
    outcome, outcomes = codes(frame, "outcome")
    reason, reasons = codes(frame, "reason", "no reason given")
    stored = np.array([name == "stored" for name in outcomes], dtype=bool)[outcome]
    pairs = outcome.astype(np.int64) * (len(reasons) + 1) + np.where(stored, len(reasons), reason)
    found, number = np.unique(pairs, return_counts=True)
    texts = [*reasons, ""]
    rows = [
        (outcomes[int(p) // (len(reasons) + 1)], texts[int(p) % (len(reasons) + 1)], int(n))
        for p, n in zip(found, number, strict=True)
    ]
    return sorted(rows, key=lambda row: (row[0] != "stored", -row[2], row[0], row[1]))


def _shorten(rows: list[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
    if len(rows) <= MOST_REASONS:
        return rows
    rest = rows[MOST_REASONS - 1 :]
    return [*rows[: MOST_REASONS - 1], ("other", f"{len(rest)} other reasons", sum(n for *_, n in rest))]


def _colour(outcome: str, colours: Theme) -> str:
    known = {"stored": colours.third, "quarantined": colours.bad, "skipped": colours.doubtful}
    return known.get(outcome, colours.quiet)


def outcomes(frame: pd.DataFrame, ax: Any) -> Any:
    """Draw how many documents were stored, and how many were not, by reason.

    Parameters
    ----------
    frame
        Table ``documents``: ``outcome``, ``reason``.
    ax
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes.
    """
    colours = theme()
    if not len(frame):
        return empty(ax, TITLE, "No document has been decided yet")
    rows = _counts(frame)
    stored = sum(n for outcome, _, n in rows if outcome == "stored")
    aside = [row for row in rows if row[0] != "stored"]
    if aside and stored > 25 * max(n for *_, n in aside):
        rows = aside
    rows = _shorten(rows)
    most = max(n for *_, n in rows)
    labels = [outcome if not reason else f"{outcome}: {reason}" for outcome, reason, _ in rows]
    labels = [wrapped(label.removeprefix("other: "), 46) for label in labels]
    for y, (outcome, _, number) in enumerate(rows):
        ax.barh(y, number, height=0.62, color=_colour(outcome, colours), linewidth=0)
        ax.annotate(
            f"{number:,}", (number, y), (5, 0), textcoords="offset points", va="center", color=colours.ink
        )
    ax.set_yticks(range(len(rows)), labels, family=know(labels), linespacing=1.2)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlim(0, most * 1.12)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.set_xlabel("documents")
    ax.grid(visible=True, axis="x")
    ax.set_title(f"{TITLE}: {stored:,} of {len(frame):,} stored")
    return ax
