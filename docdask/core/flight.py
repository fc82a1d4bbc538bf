"""How many calls may be in flight at one endpoint.

The limit starts low, doubles while all goes well, then grows by one a round; a refusal for capacity (503) shrinks it to
seven tenths, latency that has doubled to eight tenths, once for all calls that were in flight together. It grows only
while it is what holds calls back. Latency is compared among calls of like size (pages, in powers of two), so
that a run that comes to its long documents is not mistaken for an endpoint in trouble. Method: additive increase,
multiplicative decrease, with a latency gradient as in TCP Vegas; integers in thousandths.
"""

from __future__ import annotations

_MILLI = 1000
_BUSY_PPT = 700
_SLOW_PPT = 800
_SLOW_RATIO_MILLI = 2000


class Flight:
    """Calls in flight, and the limit they are held to.

    Parameters
    ----------
    most
        Hard limit, or None.
    start
        First limit; ``most`` when that is less.
    adaptive
        Whether the limit moves; otherwise it is ``most``.
    """

    __slots__ = (
        "_answers", "_cut_fence", "_limit_milli", "_normal_ns", "_peak", "_peak_before", "_ratio_milli", "adaptive", "most", "now",
        "slow_start",
    )  # fmt: skip

    def __init__(self, most: int | None, *, start: int = 32, adaptive: bool = True) -> None:
        self.most = most
        self.adaptive = adaptive
        self.now = 0
        """Calls in flight."""
        self.slow_start = adaptive
        first = start if most is None else min(start, most)
        self._limit_milli = first * _MILLI
        self._cut_fence = -1
        self._peak = self._peak_before = 0  # most in flight, in about one round each
        self._answers = 0
        self._normal_ns: dict[int, int] = {}
        self._ratio_milli = _MILLI

    @property
    def limit(self) -> int | None:
        """Most calls in flight at the moment; None for any number."""
        return self._limit_milli // _MILLI if self.adaptive else self.most

    def full(self) -> bool:
        """Whether one more call would be too many."""
        if self.adaptive:
            return self.now * _MILLI + _MILLI > self._limit_milli
        return self.at_most()

    def at_most(self) -> bool:
        """Whether one more call would be above the hard limit."""
        return self.most is not None and self.now >= self.most

    def take(self) -> None:
        """One call goes out."""
        self.now += 1
        self._peak = max(self._peak, self.now)

    def free(self) -> None:
        """One call is over, however it ended."""
        self.now -= 1

    def success(self, pages: int, latency_ns: int, fence: int, newest: int) -> None:
        """Learn from an answer.

        Parameters
        ----------
        pages
            Pages of the call.
        latency_ns
            From sending to answer.
        fence
            Of the call.
        newest
            Newest fence of all: a cut is not repeated for calls that were in flight with it.
        """
        if not self.adaptive:
            return
        if latency_ns > 0 and self._slow(pages, latency_ns) and fence > self._cut_fence:
            self._cut(_SLOW_PPT, newest)
            return
        if 2 * _MILLI * max(self._peak, self._peak_before) >= self._limit_milli:
            grown = _MILLI if self.slow_start else _MILLI * _MILLI // self._limit_milli
            self._limit_milli += grown
            if self.most is not None:
                self._limit_milli = min(self._limit_milli, self.most * _MILLI)
        self._answers += 1
        if self._answers * _MILLI >= self._limit_milli:
            self._answers, self._peak_before, self._peak = 0, self._peak, self.now

    def refused(self, fence: int, newest: int) -> None:
        """Learn from a refusal for capacity."""
        if self.adaptive and fence > self._cut_fence:
            self._cut(_BUSY_PPT, newest)

    def resize(self, most: int | None) -> None:
        """Take another hard limit."""
        self.most = most
        if most is not None:
            self._limit_milli = min(max(self._limit_milli, min(most, 1) * _MILLI), most * _MILLI)

    def _cut(self, part_ppt: int, newest: int) -> None:
        self.slow_start = False
        self._cut_fence = newest
        # Cut from what was in flight, not from a limit that nobody used.
        used = min(self._limit_milli, max(self._peak, self._peak_before) * _MILLI)
        self._limit_milli = max(_MILLI, used * part_ppt // 1000)
        self._ratio_milli = _MILLI

    def _slow(self, pages: int, latency_ns: int) -> bool:
        size = pages.bit_length()
        normal = self._normal_ns.get(size)
        if normal is None:
            self._normal_ns[size] = latency_ns
            return False
        ratio = min(latency_ns * _MILLI // normal, 10 * _MILLI) if normal else _MILLI
        self._ratio_milli += (ratio - self._ratio_milli) // 16
        # Down at once, up slowly: the normal is what the endpoint can do when nothing is in its way.
        self._normal_ns[size] = normal + (latency_ns - normal) // (8 if latency_ns < normal else 256)
        return self._ratio_milli > _SLOW_RATIO_MILLI
