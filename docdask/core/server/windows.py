"""How a quota of so much a minute is metered; nobody documents which of these the service uses.

Rules: integer nanoseconds from the caller, no clock; time that runs backwards is taken as standing still; memory is
bounded by the limit, whatever is attempted. ``admit`` says whether ``weight`` more fit now and counts them if so; with
``count_refused`` a refused attempt spends quota too (the hostile reading). Kinds: *fixed* (the count starts anew every
minute), *sliding* (no 60 s hold more than the limit), *sliding-count* (this minute's count plus the overlapping share
of the previous one, as many gateways do it), *bucket* of any size (refilled evenly).
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from docdask.errors import UsageError

MINUTE_NS = 60 * 10**9


class Window(Protocol):
    """One meter of one quota."""

    limit: int

    def admit(self, weight: int, at_ns: int, *, count_refused: bool = False) -> bool:
        """Whether ``weight`` fits at ``at_ns``; counted if it does."""
        ...

    def used(self, at_ns: int) -> float:
        """Share of the limit in use, as far as this kind can say."""
        ...


class FixedWindow:
    """The count starts anew at every multiple of the period (plus a phase)."""

    __slots__ = ("_count", "_end", "_period", "_phase", "limit")

    def __init__(self, limit: int, period_ns: int = MINUTE_NS, phase_ns: int = 0) -> None:
        self.limit = limit
        self._period = period_ns
        self._phase = phase_ns % period_ns
        self._end = -1
        self._count = 0

    def admit(self, weight: int, at_ns: int, *, count_refused: bool = False) -> bool:
        """Count ``weight`` in the window that ``at_ns`` falls in."""
        if at_ns >= self._end:
            self._end = ((at_ns - self._phase) // self._period + 1) * self._period + self._phase
            self._count = 0
        fits = self._count + weight <= self.limit
        if fits or count_refused:
            self._count += weight
        return fits

    def used(self, at_ns: int) -> float:
        """Share of this window's limit."""
        return 0.0 if at_ns >= self._end else min(1.0, self._count / max(1, self.limit))


#: Above this limit a sliding window counts in grains of a 6,000th of its period, so that its memory stays bounded.
_EXACT_LIMIT = 10_000
_GRAINS = 6_000


class SlidingWindow:
    """No stretch of one period holds more than the limit.

    Each admission is remembered by its time; with a limit over 10,000, those of one grain (10 ms of a minute) by the
    latest of them, which errs on the strict side.
    """

    __slots__ = ("_entries", "_grain", "_period", "_sum", "limit")

    def __init__(self, limit: int, period_ns: int = MINUTE_NS) -> None:
        self.limit = limit
        self._period = period_ns
        self._entries: deque[tuple[int, int]] = deque()
        self._grain = period_ns // _GRAINS if limit > _EXACT_LIMIT else 0
        self._sum = 0

    def admit(self, weight: int, at_ns: int, *, count_refused: bool = False) -> bool:
        """Count ``weight`` if the last period has room."""
        entries = self._entries
        if entries and at_ns < entries[-1][0]:
            at_ns = entries[-1][0]
        self._expire(at_ns)
        fits = self._sum + weight <= self.limit
        if fits or (count_refused and weight <= self.limit):
            self._sum += weight
            if self._grain and entries and entries[-1][0] // self._grain == at_ns // self._grain:
                weight += entries.pop()[1]
            entries.append((at_ns, weight))
            # Refused attempts only push the moment of recovery; what lies beyond the limit need not be remembered.
            while entries and self._sum - entries[0][1] >= self.limit:
                self._sum -= entries.popleft()[1]
        return fits

    def used(self, at_ns: int) -> float:
        """Share of the last period's limit."""
        self._expire(at_ns)
        return min(1.0, self._sum / max(1, self.limit))

    def _expire(self, at_ns: int) -> None:
        entries, oldest = self._entries, at_ns - self._period
        while entries and entries[0][0] <= oldest:
            self._sum -= entries.popleft()[1]


class SlidingCount:
    """Count of the running period plus the share of the previous one that the last period still overlaps."""

    __slots__ = ("_count", "_period", "_previous", "_start", "limit")

    def __init__(self, limit: int, period_ns: int = MINUTE_NS) -> None:
        self.limit = limit
        self._period = period_ns
        self._start = 0
        self._count = 0
        self._previous = 0

    def admit(self, weight: int, at_ns: int, *, count_refused: bool = False) -> bool:
        """Count ``weight`` if the weighted count has room."""
        self._turn(at_ns)
        fits = self._weighted(at_ns) + weight * self._period <= self.limit * self._period
        if fits or count_refused:
            self._count += weight
        return fits

    def used(self, at_ns: int) -> float:
        """Weighted count as a share of the limit."""
        self._turn(at_ns)
        return min(1.0, self._weighted(at_ns) / (max(1, self.limit) * self._period))

    def _weighted(self, at_ns: int) -> int:
        elapsed = max(0, at_ns - self._start)
        return self._previous * (self._period - elapsed) + self._count * self._period

    def _turn(self, at_ns: int) -> None:
        behind = (at_ns - self._start) // self._period
        if behind >= 1:
            self._previous = min(self._count, self.limit) if behind == 1 else 0
            self._count = 0
            self._start += behind * self._period


class Bucket:
    """A bucket of ``capacity``, full at first, refilled by the limit a period, evenly."""

    __slots__ = ("_at", "_full", "_level", "_period", "capacity", "limit")

    def __init__(self, limit: int, period_ns: int = MINUTE_NS, capacity: int | None = None) -> None:
        self.limit = limit
        self.capacity = limit if capacity is None else capacity
        self._period = period_ns
        # Level in units × period, so that refilling by limit a period is exact in integers.
        self._full = self.capacity * period_ns
        self._level = self._full
        self._at = 0

    def admit(self, weight: int, at_ns: int, *, count_refused: bool = False) -> bool:
        """Take ``weight`` out if it is there; a refused attempt that counts empties the bucket."""
        self._refill(at_ns)
        need = weight * self._period
        if need <= self._level:
            self._level -= need
            return True
        if count_refused:
            self._level = 0
        return False

    def used(self, at_ns: int) -> float:
        """Share of the bucket that is empty."""
        self._refill(at_ns)
        return 1.0 - self._level / max(1, self._full)

    def _refill(self, at_ns: int) -> None:
        if at_ns > self._at:
            self._level = min(self._full, self._level + (at_ns - self._at) * self.limit)
            self._at = at_ns


def make_window(kind: str, limit: int, period_ns: int = MINUTE_NS) -> Window:
    """Make a window from its name: ``fixed``, ``sliding``, ``sliding-count``, ``bucket``, ``bucket/4``, ``bucket:30``.

    ``bucket/4`` has a fourth of the limit as its capacity, ``bucket:30`` has 30.

    Raises
    ------
    UsageError
        If there is no such kind.
    """
    name, slash, divisor = kind.partition("/")
    name, colon, size = name.partition(":")
    if name == "fixed" and not slash + colon:
        return FixedWindow(limit, period_ns)
    if name == "sliding" and not slash + colon:
        return SlidingWindow(limit, period_ns)
    if name == "sliding-count" and not slash + colon:
        return SlidingCount(limit, period_ns)
    if name == "bucket":
        if not slash and not colon:
            return Bucket(limit, period_ns)
        if slash and not colon and divisor.isdigit() and int(divisor) > 0:
            return Bucket(limit, period_ns, max(1, limit // int(divisor)))
        if colon and not slash and size.isdigit() and int(size) > 0:
            return Bucket(limit, period_ns, int(size))
    raise UsageError(
        f"no window kind {kind!r}", "use fixed, sliding, sliding-count, bucket, bucket/4 or bucket:30"
    )
