"""Amounts in words: sizes of files, prices of calls, and estimates with the interval that they lie in."""

from __future__ import annotations

from collections.abc import Callable, Mapping


def interval(
    estimate: Mapping[str, float], unit: str = "", *, said: Callable[[float], str] = "{:,.0f}".format
) -> str:
    """``1,200 pages (1,100 to 1,300 with 95 % confidence)``.

    Parameters
    ----------
    estimate
        ``total``, ``low``, ``high``.
    unit
        What there are so many of; empty where ``said`` tells.
    said
        Words of one of the three.
    """
    total, low, high = (said(estimate[name]) for name in ("total", "low", "high"))
    return f"{' '.join(filter(None, (total, unit)))} ({low} to {high} with 95 % confidence)"


def size(size_bytes: float) -> str:
    """``37.4 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"


def call_dollars(micros: int) -> str:
    """``$1.85``; below a cent, as a single call costs, to a hundredth of one: ``$0.0075``."""
    return f"${micros / 1e6:,.2f}" if micros >= 10_000 or not micros else f"${micros / 1e6:,.4f}"
