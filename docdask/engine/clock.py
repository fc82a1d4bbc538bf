"""The governor's clock: integer nanoseconds that never run backwards, and how far away a moment is.

The shell is given one. Wall clock is read once, when the clock is made: what is recorded for people is that moment plus what
this clock has counted, so that a wall clock which is set back or forth moves no quota.
"""

from __future__ import annotations

import time


class Clock:
    """Monotonic time of this process."""

    __slots__ = ("utc_offset_ns",)

    def __init__(self) -> None:
        self.utc_offset_ns = time.time_ns() - self.now_ns()
        """Wall clock minus this clock."""

    def now_ns(self) -> int:
        """The time."""
        return time.monotonic_ns()

    def until_s(self, at_ns: int) -> float:
        """Seconds until ``at_ns``, 0 if it is over."""
        return max(0.0, (at_ns - self.now_ns()) / 1e9)
