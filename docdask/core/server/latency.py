"""How long the service takes: seconds a page with a long tail, and a region that can only do so much at once.

Rules: durations are integer nanoseconds; chance comes from the caller's ``rng``; a region is ``capacity`` servers, and
a call that finds all busy waits for the first to be free. Defaults of ``GOOGLE`` are fitted to what users reported: 15
pages in 10-19 s, 30 pages over 60 s at worst, batches in 2-10 minutes.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, replace

from docdask.core.server.windows import MINUTE_NS

SECOND_NS = 10**9


@dataclass(frozen=True, slots=True)
class Latency:
    """Parameters of the model; all zero means answers as fast as they can be computed."""

    base_ns: int = 0
    """Of a call, whatever its pages."""
    page_ns: int = 0
    """Of a page, typically."""
    tail: float = 0.0
    """Share of a call's duration that is drawn from a Pareto tail with index 2, 0-1."""
    capacity: int = 0
    """Calls that a region works on at once; 0 for no limit."""
    batch_base_ns: int = 0
    """From submission of a batch to its start."""
    batch_page_ns: int = 0
    """Of a page in a batch, per parallel worker."""
    batch_workers: int = 50
    """Pages of one batch that are worked on at once."""

    def call_ns(self, pages: int, rng: Callable[[], float]) -> int:
        """Duration of an online call once it is served."""
        if not self.base_ns and not self.page_ns:
            return 0
        typical = self.base_ns + self.page_ns * pages
        if not self.tail:
            return typical
        # Mean 2 over a Pareto of index 2, so the mean of the whole is (1 + tail) × typical; the cap keeps a draw of
        # 1 - 1e-16 from lasting a year.
        factor = 1.0 - self.tail + self.tail * min(40.0, (1.0 - rng()) ** -0.5)
        return int(typical * factor)

    def stretched(self, factor: float) -> Latency:
        """The same service, slower by ``factor``."""
        times = ("base_ns", "page_ns", "batch_base_ns", "batch_page_ns")
        return replace(self, **{name: round(getattr(self, name) * factor) for name in times})

    def batch_ns(self, pages: int) -> int:
        """Duration of a batch's work after its start."""
        return self.batch_page_ns * -(-pages // max(1, self.batch_workers))


NONE = Latency()
GOOGLE = Latency(
    base_ns=1 * SECOND_NS,
    page_ns=750_000_000,
    tail=0.3,
    capacity=600,
    batch_base_ns=MINUTE_NS,
    batch_page_ns=2 * SECOND_NS,
)
NAMED = {"none": NONE, "google": GOOGLE}


class Region:
    """The servers of one region, and when a call that arrives now would end."""

    __slots__ = ("_busy", "_capacity")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._busy: list[int] = []

    def finish_ns(self, at_ns: int, duration_ns: int) -> int:
        """End of a call of ``duration_ns`` that arrives at ``at_ns``."""
        if not self._capacity:
            return at_ns + duration_ns
        busy = self._busy
        if len(busy) < self._capacity:
            end = at_ns + duration_ns
            heapq.heappush(busy, end)
            return end
        end = max(at_ns, busy[0]) + duration_ns
        heapq.heapreplace(busy, end)
        return end

    def waiting_ns(self, at_ns: int) -> int:
        """How long a call that arrives now would wait to be served."""
        return max(0, self._busy[0] - at_ns) if self._capacity and len(self._busy) >= self._capacity else 0
