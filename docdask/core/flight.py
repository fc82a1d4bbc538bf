"""How many calls may be in flight at one endpoint.

The limit starts low, doubles while all goes well, then grows by one a round; it grows only while it is what holds calls
back. Refusals for capacity (503) that more calls would explain cut it to seven tenths, as a trial: if they grow rarer, it
settles a tenth below what was too much; if not, they come by chance, and it goes back to what it was
(:mod:`docdask.core.overload` decides). Latency cuts it to eight tenths when most answers take twice as long as the quick
ones of like size (pages, in powers of two), so that neither a run that comes to its long documents nor a few slow answers
are mistaken for an endpoint in trouble. A cut comes once for all calls that were in flight together. Method: additive
increase, multiplicative decrease; undone when it proves unfounded, as in RFC 4015; latency compared as in TCP Vegas;
integers in thousandths.
"""

from __future__ import annotations

from docdask.core.overload import Overload

_MILLI = 1000
#: Parts per thousand left: by a trial, after overload, after latency has doubled.
_TRIAL_PPT = 700
_FULL_PPT = 900
_SLOW_PPT = 800
#: So far above what was too much, the limit grows fast again.
_HISTORY_PPT = 1100
#: An answer is slow if it takes so many times as long as quick ones; most of the last 16 or so must be.
_SLOW_RATIO = 2
_MOST_PPT = 500


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
        "_answers", "_before_milli", "_cut_fence", "_limit_milli", "_normal_ns", "_overload", "_peak", "_peak_before", "_slow_ppt",
        "_too_much_milli", "adaptive", "most", "now", "slow_start",
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
        self._slow_ppt = 0  # slow answers among the latest
        self._overload = Overload()
        self._too_much_milli = 0  # calls in flight that were too many; 0: that is history
        self._before_milli = 0  # calls in flight before the trial under way

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
        if self.now > self._peak:  # noqa: PLR1730 - for each call, and twice as fast as max()
            self._peak = self.now
        self._overload.sent()

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
        slow = latency_ns > 0 and self._slow(pages, latency_ns)
        if fence > self._cut_fence:
            if slow:
                self._overload.forget()
                self._too_much_milli = self._used_milli()
                self._cut(_SLOW_PPT, newest)
                return
            self._answered(fence, newest, refused=False)
        if 2 * _MILLI * max(self._peak, self._peak_before) >= self._limit_milli:
            self._raise(
                self._limit_milli + (_MILLI if self.slow_start else _MILLI * _MILLI // self._limit_milli)
            )
        self._answers += 1
        if self._answers * _MILLI >= self._limit_milli:
            self._answers, self._peak_before, self._peak = 0, self._peak, self.now

    def refused(self, fence: int, newest: int) -> None:
        """Learn from a refusal for capacity."""
        if self.adaptive and fence > self._cut_fence:
            self._answered(fence, newest, refused=True)

    def resize(self, most: int | None) -> None:
        """Take another hard limit."""
        self.most = most
        if most is not None:
            self._limit_milli = min(max(self._limit_milli, min(most, 1) * _MILLI), most * _MILLI)

    def crowd(self) -> int:
        """How many refusals in a row it takes to say that the endpoint is down, not full.

        None in particular if nearly all calls are back; while an eighth of them is out, the endpoint may be at work
        on those, and it takes a whole round.
        """
        used = self._used_milli() // _MILLI
        return used if self.adaptive and 8 * (self.now - 1) >= used else 0

    @property
    def usual_ppm(self) -> int:
        """Rate of refusals for capacity that come by chance."""
        return self._overload.usual_ppm

    def _answered(self, fence: int, newest: int, *, refused: bool) -> None:
        """Tell what watches for overload, and follow what it finds."""
        finding = self._overload.answered(fence, newest, self.now, refused=refused)
        if finding is None:
            return
        if finding == "suspicion" or finding == "worse":  # noqa: PLR1714 - twice as fast
            if finding == "worse":
                # Those that it takes on stay in flight, the others are back at once: what is there now is its room.
                self._peak = self._peak_before = max(self.now, self._limit_milli // (4 * _MILLI))
            self._before_milli = self._used_milli()
            self._cut(_TRIAL_PPT, newest)
        elif finding == "chance":
            self._raise(self._before_milli)
            self._too_much_milli, self.slow_start = 0, True
        else:
            self._raise(self._before_milli * _FULL_PPT // 1000)
            self._too_much_milli = self._before_milli

    def _raise(self, limit_milli: int) -> None:
        limit_milli = max(limit_milli, self._limit_milli)
        self._limit_milli = limit_milli if self.most is None else min(limit_milli, self.most * _MILLI)

    def _cut(self, part_ppt: int, newest: int) -> None:
        self.slow_start = False
        self._cut_fence = newest
        self._limit_milli = max(_MILLI, self._used_milli() * part_ppt // 1000)
        self._slow_ppt = 0

    def _used_milli(self) -> int:
        """The limit, or what was in flight lately if nobody used all of it: a cut from there would change nothing."""
        return min(self._limit_milli, max(self._peak, self._peak_before) * _MILLI)

    def _slow(self, pages: int, latency_ns: int) -> bool:
        size = pages.bit_length()
        normal = self._normal_ns.get(size)
        if normal is None:
            self._normal_ns[size] = latency_ns
            return False
        slow = latency_ns > _SLOW_RATIO * normal
        self._slow_ppt += ((1000 if slow else 0) - self._slow_ppt) // 16
        # Down at once, up slowly: the normal is what the endpoint can do when nothing is in its way.
        self._normal_ns[size] = normal + (latency_ns - normal) // (8 if latency_ns < normal else 256)
        return self._slow_ppt > _MOST_PPT
