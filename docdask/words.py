"""Numbers as a person reads them: how many there are of something, and how long it takes."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """``4.5 s``, ``45 s``, ``3 min 20 s``, ``2 h 05 min``, ``3 d 4 h``; two figures are enough for a person."""
    if seconds < 9.95 and seconds != round(seconds):
        return f"{max(seconds, 0.1):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def counted(number: float, noun: str) -> str:
    """``1 page``, ``2 pages``."""
    return f"{number:,.0f} {noun}{'' if number == 1 else 's'}"
