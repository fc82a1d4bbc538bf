"""The emulator's clock: real time, run faster by a factor, counted in nanoseconds since the epoch.

With ``--speed 60`` a minute's quota passes in a second. The model and the books see this clock only; it never runs
backwards, and a restarted emulator goes on from where the last one's books end.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime


class Clock:
    """Scaled time.

    Parameters
    ----------
    speed
        Emulated seconds in a real one.
    at_ns
        Where to start; None for now.
    """

    def __init__(self, speed: float = 1.0, at_ns: int | None = None) -> None:
        self.speed = speed
        self._start_ns = time.time_ns() if at_ns is None else at_ns
        self._mark_ns = time.monotonic_ns()

    def now_ns(self) -> int:
        """Emulated time."""
        elapsed = time.monotonic_ns() - self._mark_ns
        return self._start_ns + (elapsed if self.speed == 1.0 else int(elapsed * self.speed))

    async def sleep_until(self, at_ns: int) -> None:
        """Wait until the emulated time is ``at_ns``; nothing if it has passed."""
        left_ns = at_ns - self.now_ns()
        if left_ns > 0:
            await asyncio.sleep(left_ns / self.speed / 1e9)


def rfc3339(at_ns: int) -> str:
    """``2026-11-23T20:00:00.123456Z``."""
    seconds, rest = divmod(at_ns, 10**9)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
