"""Small things that every chart needs: durations for people, bins of round width, an axes that says it has no data."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from docdask.charts.columns import Floats
from docdask.charts.fonts import families, printable
from docdask.charts.theme import theme

#: Widths of a bin that a reader can name, in seconds.
ROUND_S = (
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    14400,
    43200,
    86400,
    604800,
)

_MIME = {
    "application/pdf": "PDF", "image/tiff": "TIFF", "image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF",
    "image/bmp": "BMP", "image/webp": "WebP",
}  # fmt: skip


def span(seconds: float) -> str:
    """Duration for a person: ``0.35 s``, ``12.4 s``, ``3 min 05 s``, ``2 h 10 min``, ``4 d 3 h``."""
    if not np.isfinite(seconds):
        return "unknown"
    if seconds < 0.0995:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    if minutes < 60 * 48:
        return f"{minutes // 60:,} h {minutes % 60:02d} min"
    hours = round(seconds / 3600)
    return f"{hours // 24:,} d {hours % 24} h"


def clock(stamp_s: float, *, to_the_second: bool = False) -> str:
    """``2026-05-31 14:03 UTC`` from seconds since the epoch; to the second ``2026-05-31 14:03:20 UTC``."""
    form = "%Y-%m-%d %H:%M:%S UTC" if to_the_second else "%Y-%m-%d %H:%M UTC"
    return datetime.fromtimestamp(stamp_s, UTC).strftime(form)


def short_type(mime_type: str) -> str:
    """``PDF`` for ``application/pdf``; unknown types keep their own name."""
    return _MIME.get(mime_type, mime_type.removeprefix("image/").removeprefix("application/"))


def bins(start_s: float, end_s: float, most: int = 60) -> Floats:
    """Edges of at most ``most`` bins of one round width that cover start to end, from ``start_s``."""
    length = max(end_s - start_s, 1e-3)
    width = next((w for w in ROUND_S if length / w <= most), ROUND_S[-1])
    while length / width > most:
        width *= 2
    edges: Floats = start_s + width * np.arange(int(np.ceil(length / width)) + 1, dtype=np.float64)
    return edges


def unit_of(length_s: float) -> tuple[float, str]:
    """Unit for a time axis of that length: seconds in it, and its name."""
    if length_s < 180:
        return 1.0, "seconds"
    if length_s < 3 * 3600:
        return 60.0, "minutes"
    if length_s < 3 * 86400:
        return 3600.0, "hours"
    return 86400.0, "days"


def wrapped(label: str, width: int, most_lines: int = 2) -> str:
    """Label in lines of at most ``width`` characters; what does not fit ends in an ellipsis."""
    text = " ".join(printable(label).split())
    lines = textwrap.wrap(text, width, break_long_words=True, max_lines=most_lines, placeholder=" …")
    return "\n".join(lines) or "—"


def know(labels: Sequence[str]) -> list[str]:
    """Family names that can draw these labels: matplotlib's fallback list for them."""
    return list(families(labels))


def empty(ax: Any, title: str, message: str) -> Any:
    """An axes without data says so, instead of showing scales that measure nothing."""
    ax.set_title(title)
    ax.set_axis_off()
    ax.text(0.5, 0.5, message, transform=ax.transAxes, ha="center", va="center", color=theme().muted)
    return ax
