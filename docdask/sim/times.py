"""Times of a simulated day as people write them: ``12:00`` by the run's own clock, or ``90min`` after its start."""

from __future__ import annotations

import re

from docdask.errors import UsageError

_UNITS_S = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_LENGTH = re.compile(r"\+?(\d+(?:\.\d+)?) ?(s|min|h|d)")


def clock_s(text: str) -> float:
    """Seconds after midnight of ``HH:MM`` or ``HH:MM:SS``."""
    match = _CLOCK.fullmatch(text.strip())
    if match:
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        if hours < 24 and minutes < 60 and seconds < 60:
            return hours * 3600.0 + minutes * 60 + seconds
    raise UsageError(f"{text!r} is no time of day", "write HH:MM, as in 12:00")


def length_s(text: str) -> float:
    """Seconds of ``45s``, ``90min``, ``3h`` or ``2d``."""
    match = _LENGTH.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is no length of time", "write 45s, 90min, 3h or 2d")
    return float(match[1]) * _UNITS_S[match[2]]


def moment_s(text: str, start_s: float) -> float:
    """Seconds after the start: of a length, or of the next time of day after ``start_s`` (seconds after midnight)."""
    if ":" in text:
        return (clock_s(text) - start_s) % 86400.0
    return length_s(text)


def stretch_s(text: str, start_s: float) -> tuple[float, float]:
    """From and until: ``12:00``, ``12:00-14:30``, ``3h-4h`` or ``12:00+90min``; without an end it lasts for ever."""
    first, mark, rest = text.strip().lstrip("+").partition("+")
    if mark:
        from_s = moment_s(first, start_s)
        return from_s, from_s + length_s(rest)
    first, mark, rest = first.partition("-")
    from_s = moment_s(first, start_s)
    if not mark:
        return from_s, float("inf")
    until_s = moment_s(rest, start_s)
    return from_s, until_s + 86400.0 if ":" in rest and until_s <= from_s else until_s
