"""How long calls and batches to one processor type take, and which limit decides: the short way, without simulating.

Rules: nothing can be faster than the dearest of its limits, and the governor keeps them at an even pace, so the time of
many calls is that of the dearest limit and the last call's answer. Calls that fit into what is free of a minute go at
once. Answers have a long tail, and the longest of those in flight at the end is waited for. Checked against the
simulator, which draws every call (docs/plan.md says how far they are apart).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from docdask.core.capacity import Capacity
from docdask.core.server.latency import SECOND_NS, Latency

#: Calls that a run has open at a time over all its workers, unless a pilot says otherwise.
OPEN_CALLS = 256
#: The tail of the latency model ends there (docdask.core.server.latency).
_LONGEST = 40.0


@dataclass(frozen=True, slots=True)
class Bound:
    """What one limit alone would need."""

    name: str
    """``requests``, ``pages``, ``user``, ``in flight``, ``answers``, ``batch`` or ``work``."""
    seconds: float
    text: str
    """The limit in words, for a sentence that begins with *decided by*."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What goes to one processor type."""

    capacity: Capacity
    calls: Mapping[int, int] = field(default_factory=dict)
    """Pages of an online call → how many there are."""
    operations: tuple[int, ...] = ()
    """Pages of each batch operation, in the order in which they begin."""

    @property
    def requests(self) -> int:
        """Online calls."""
        return sum(self.calls.values())

    @property
    def pages(self) -> int:
        """Of online calls."""
        return sum(pages * count for pages, count in self.calls.items())


def answer_s(pages: float, latency: Latency, longest_of: float | None = None) -> float:
    """Seconds until a call is answered: the mean, or the median of the longest of so many calls."""
    typical = _typical_s(pages, latency)
    # A Pareto tail of index 2 has the mean 2; the longest of n draws exceeds x with probability n / x².
    tail = 2.0 if longest_of is None else min(_LONGEST, math.sqrt(longest_of / math.log(2)))
    return typical * (1.0 - latency.tail + latency.tail * tail)


def _typical_s(pages: float, latency: Latency) -> float:
    return (latency.base_ns + latency.page_ns * pages) / SECOND_NS


def online_bounds(traffic: Traffic, latency: Latency, open_calls: int = OPEN_CALLS) -> list[Bound]:
    """What each limit of the online lane alone would need; the largest decides."""
    room, calls, pages = traffic.capacity, traffic.requests, traffic.pages
    if not calls:
        return []
    waiting_s = sum(count * answer_s(length, latency) for length, count in traffic.calls.items())
    found = [
        Bound("in flight", waiting_s / open_calls, f"calls in flight ({open_calls} at a time)"),
        Bound("answers", _last_s(traffic, latency), f"the service: {_longest(traffic, latency)}"),
    ]
    if calls > room.requests_minute:  # fewer go at once
        text = f"{room.requests_minute:,} requests/min, {room.whose}"
        found.append(Bound("requests", calls * room.request_s, text))
    if room.pages_minute is not None and pages > room.pages_minute:
        text = f"{room.pages_minute:,} pages/min, {room.whose}"
        found.append(Bound("pages", pages * room.page_s, text))
    return found


def online_s(traffic: Traffic, latency: Latency, open_calls: int = OPEN_CALLS) -> float:
    """Seconds until all online calls are answered: the dearest limit lets the last one go, then it is answered."""
    bounds = {bound.name: bound.seconds for bound in online_bounds(traffic, latency, open_calls)}
    answers_s = bounds.pop("answers", 0.0)
    if traffic.requests <= open_calls:
        bounds.pop("in flight", None)
    return max(bounds.values(), default=0.0) + answers_s


def _last_s(traffic: Traffic, latency: Latency) -> float:
    """How long the last answer is waited for, after the last call has gone (the median).

    A call that went t seconds before the last one is still open y seconds after it if it takes t + y. Summed over the
    calls of w seconds at their rate, with a Pareto tail of index 2 and scale a, rate × a² × (1 / y - 1 / (y + w)) are.
    """
    room, calls = traffic.capacity, traffic.requests
    paged = room.pages_minute is not None and traffic.pages > room.pages_minute
    if calls <= room.requests_minute and not paged:
        return max(answer_s(pages, latency, count) for pages, count in traffic.calls.items())
    typical = [(_typical_s(pages, latency), count) for pages, count in traffic.calls.items()]
    mean_s = sum(each * count for each, count in typical) / calls
    squares = sum(each**2 * count for each, count in typical) / calls
    rate = 1.0 / max(room.request_s, traffic.pages / calls * room.page_s)
    span_s, product = calls / rate, rate * latency.tail**2 * squares / math.log(2)
    late_s = (math.sqrt(span_s**2 + 4 * product * span_s) - span_s) / 2
    most = max(answer_s(pages, latency, count) for pages, count in traffic.calls.items())
    return min(mean_s * (1.0 - latency.tail) + max(late_s, mean_s * latency.tail * 2.0), most)


def _longest(traffic: Traffic, latency: Latency) -> str:
    pages = max(traffic.calls)
    # The median, as the time that is expected is: a mean is longer than most calls take.
    seconds = answer_s(pages, latency, 1)
    if seconds < 0.05:
        return "it answers at once, and the quota has room"
    word = "page" if pages == 1 else "pages"
    return f"a call of {pages} {word} takes it about {seconds:.1f} s"


def batch_s(operations: Iterable[int], slots: int, latency: Latency) -> float:
    """Seconds until the last operation ends, by list scheduling: each begins when a slot is free."""
    free = [0.0] * max(1, slots)
    for pages in operations:
        took_ns = latency.batch_base_ns + latency.batch_ns(pages)
        heapq.heapreplace(free, free[0] + took_ns / SECOND_NS)
    return max(free)
