"""Whether refusals for capacity come of too many calls in flight, or whatever their number.

Both exist: a service that is full refuses what is above its room; a flaky one refuses one call in twenty at any load, and
calling it less often only takes longer. Rules: a few refusals say nothing; several, much closer together than usual, raise
suspicion; then fewer calls go out, as a trial. Refusals that grow rarer were overload. If they do not, that rate is the
usual one from now on; it is believed up to two fifths, sinks when refusals cease, and rises only by another trial, so that
load which grows slowly is never taken for chance. A full service refuses at once and serves slowly: so refusals are
compared with the calls that went out, not with the answers that are back. Method: cumulative sum (Page, 1954), then a trial
of as many calls as would meet eight refusals at the suspected rate; integers in parts per million.
"""

from __future__ import annotations

from typing import Literal

_PPM = 1_000_000
#: Refusals are counted as suspicious beyond half as much again as the usual rate, and this.
_BEYOND_PPM = 20_000
#: So many suspicious refusals start a trial.
_SUSPICIOUS = 4
#: Refusals to be expected in a trial if fewer calls change nothing.
_EXPECTED = 8
#: In a trial, refusals that are enough to tell a rate that is never taken for chance.
_PLENTY = 4
_WORST_PPM = 400_000
#: A trial ends when this part of its calls is back: the last ones may hang.
_BACK_PPM = 900_000
#: Answers in which the usual rate follows what happens.
_MEMORY = 512

#: ``suspicion``: send fewer calls, and see; ``chance``: that changed nothing; ``overload``: it did; ``worse``: send fewer still.
Finding = Literal["suspicion", "chance", "overload", "worse"]


class Overload:
    """Watches the calls of one endpoint.

    Tell it the answers of calls that went out after the last finding only: those in flight with what led to it say
    nothing new.
    """

    __slots__ = (
        "_answers", "_believed_ppm", "_cohort", "_last_fence", "_refusals", "_sent", "_sum_ppm", "_suspected_ppm", "usual_ppm",
    )  # fmt: skip

    def __init__(self) -> None:
        self.usual_ppm = 0
        """Rate of refusals that is taken for chance."""
        self._believed_ppm = 0  # as measured by the last trial: the usual rate does not rise above it
        self._suspected_ppm = 0  # rate that led to the trial under way; 0: there is none
        self._sent = self._cohort = self._last_fence = 0  # calls since then, those of the trial, its last
        self._answers = self._refusals = self._sum_ppm = 0

    @property
    def on_trial(self) -> bool:
        """Whether fewer calls are to go out, to see what that changes."""
        return self._suspected_ppm > 0

    def sent(self) -> None:
        """One call goes out."""
        self._sent += 1

    def answered(self, fence: int, newest: int, in_flight: int, *, refused: bool) -> Finding | None:
        """Learn from the answer to one call; what is found if it decides something.

        Parameters
        ----------
        fence, newest
            Of the call, and of the newest call of all.
        in_flight
            Calls that are not back, this one included.
        refused
            Whether it was refused for capacity.
        """
        if not self._suspected_ppm:
            return self._watch(in_flight, refused=refused)
        return self._judge(fence, newest, refused=refused)

    def forget(self) -> None:
        """Break off a trial: something else has changed how many calls go out."""
        self._begin(0)

    def _watch(self, in_flight: int, *, refused: bool) -> Finding | None:
        usual = self.usual_ppm
        if not refused and not self._refusals and not usual:
            return None  # the ordinary case
        got_ppm = _PPM if refused else 0
        normal_ppm = usual + usual // 2 + _BEYOND_PPM
        self._answers += 1
        self._refusals += refused
        self._sum_ppm += got_ppm - normal_ppm
        self.usual_ppm = min(usual + (got_ppm - usual) // _MEMORY, self._believed_ppm)
        if self._sum_ppm <= 0:
            self._begin(0)
        elif self._sum_ppm > _SUSPICIOUS * _PPM + normal_ppm * in_flight:
            self._begin(self._refusals * _PPM // (self._answers + in_flight))
            return "suspicion"
        return None

    def _judge(self, fence: int, newest: int, *, refused: bool) -> Finding | None:
        excess_ppm = max(self._suspected_ppm - self.usual_ppm, _BEYOND_PPM)
        if not self._cohort and self._sent * excess_ppm >= _EXPECTED * _PPM:
            self._cohort, self._last_fence = self._sent, newest
        if self._cohort and fence > self._last_fence:
            return None
        self._answers += 1
        self._refusals += refused
        rate_ppm = self._refusals * _PPM // max(1, self._cohort or self._sent)
        if self._refusals >= _PLENTY and rate_ppm > _WORST_PPM:
            self._begin(rate_ppm)
            return "worse"
        if not self._cohort or (
            self._answers * _PPM < self._cohort * _BACK_PPM and self._sent < 4 * self._cohort
        ):
            return None
        self._begin(0)
        if rate_ppm <= self.usual_ppm + excess_ppm // 4:
            return "overload"
        self.usual_ppm = self._believed_ppm = min(rate_ppm, _WORST_PPM)
        return "chance"

    def _begin(self, suspected_ppm: int) -> None:
        self._suspected_ppm = suspected_ppm
        self._sent = self._cohort = self._last_fence = 0
        self._answers = self._refusals = self._sum_ppm = 0
