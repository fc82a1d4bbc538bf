"""Decides colours, type and line widths, for paper and for a dark notebook.

The palette is that of M. Okabe and K. Ito, "Color Universal Design" (2002, revised 2008), as B. Wong recommends in
"Points of view: Color blindness", Nature Methods 8, 441 (2011). Two of its eight are told apart by lightness as well,
and no chart tells anything by colour alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of one background, each as ``#rrggbb``."""

    ink: str
    """Text."""
    muted: str
    """Axis labels, notes."""
    grid: str
    """Rules behind the data."""
    first: str
    """The series that matters most."""
    second: str
    third: str
    bad: str
    """What failed or was set aside."""
    doubtful: str
    """What was left out on purpose, or is not known."""
    quiet: str
    """A value shown for comparison only."""
    scale: str
    """Name of the sequential colour map: even steps in lightness, safe for the colour-blind."""


LIGHT = Theme(
    ink="#1b2733", muted="#5a6875", grid="#d9dfe5", first="#0072b2", second="#e69f00", third="#009e73",
    bad="#d55e00", doubtful="#cc79a7", quiet="#aab4be", scale="cividis_r",
)  # fmt: skip
DARK = Theme(
    ink="#e8edf2", muted="#a3b1bf", grid="#3a4652", first="#56b4e9", second="#f0b429", third="#2cc295",
    bad="#f0743a", doubtful="#e29ac4", quiet="#66737f", scale="cividis",
)  # fmt: skip

_current: ContextVar[Theme] = ContextVar("docdask_chart_theme", default=LIGHT)


def theme() -> Theme:
    """Return the theme that :func:`style` set here, the light one if none."""
    return _current.get()


def _settings(colours: Theme) -> dict[str, Any]:
    from docdask.charts.fonts import families

    return {
        "font.family": list(families()),
        "font.size": 9.0,
        "text.color": colours.ink,
        "text.parse_math": False,  # a dollar in a file name is a dollar
        "axes.unicode_minus": True,
        "axes.edgecolor": colours.grid,
        "axes.facecolor": "none",
        "axes.labelcolor": colours.muted,
        "axes.labelsize": 8.5,
        "axes.titlecolor": colours.ink,
        "axes.titlelocation": "left",
        "axes.titlepad": 9.0,
        "axes.titlesize": 10.5,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.axisbelow": True,
        "figure.facecolor": "none",
        "savefig.facecolor": "none",
        "grid.color": colours.grid,
        "grid.linewidth": 0.6,
        "legend.frameon": False,
        "legend.fontsize": 8.5,
        "legend.labelcolor": colours.ink,
        "lines.linewidth": 1.6,
        "xtick.color": colours.grid,
        "xtick.labelcolor": colours.muted,
        "xtick.labelsize": 8.5,
        "ytick.color": colours.grid,
        "ytick.labelcolor": colours.ink,
        "ytick.labelsize": 8.5,
        "pdf.fonttype": 42,  # TrueType outlines: text in a saved PDF can be searched and edited
        "svg.fonttype": "path",
        "svg.hashsalt": "docdask",  # the same rows give the same bytes
    }


@contextmanager
def style(*, dark: bool = False) -> Iterator[Theme]:
    """Draw with docdask's colours and type inside the ``with`` block.

    Parameters
    ----------
    dark
        Light ink on nothing, for a dark notebook; otherwise dark ink on nothing, for paper. Both are transparent.

    Yields
    ------
    Theme
        The colours in force.
    """
    import matplotlib as mpl

    colours = DARK if dark else LIGHT
    token = _current.set(colours)
    try:
        with mpl.rc_context(_settings(colours)):
            yield colours
    finally:
        _current.reset(token)
