"""When the next call may go, so that no reading of "a minute" ever counts more than the quota.

How a service counts its minute is seldom documented. Three rules together are safe under a fixed minute, a sliding
one, a sliding count and a bucket, and use all of the quota:

1. *Window.* Never more than the limit in any period plus a guard for jitter (a call arrives some time after its grant).
2. *Pace.* Calls are (period + guard) / limit apart, and as far as a limit smaller by one call would have it (by 0.96 %
   if that is less): strict gateways round against the caller, and a whole number of calls a period keeps in step with
   those that count by periods. A call that goes late, because whoever was to let it go was busy, moves those after it
   by no more than what exceeds half of the guard.
3. *Burst.* The pace is waived when all that waits fits into what is free of the period. What left the window during
   the last period still counts in part, because gateways that weigh the previous minute count it too. Waiting for
   the window therefore earns no burst, only idleness does. A refused burst ends bursting.

Refusals hold the meter for a moment: for the pace and the guard, and one call longer while others use the quota, so
that a full window is left below its edge; twice as long each time in a row; at least as long as the service asks. A
single one may be chance. A second within a period cuts the :class:`~docdask.core.share.Share`, and so does each after
it until the share is whole again.

The meter holds no clock: every method takes ``now_ns``. A log entry is merged with its neighbour when they are closer
than 1/8192 of the period, at the later time, which errs on the safe side and bounds the memory. Method: sliding-window
log with the generic cell rate algorithm (ITU-T I.371) on top.
"""

from __future__ import annotations

from collections import deque
from typing import TypedDict

from docdask.core.share import Share
from docdask.core.spec import FULL_PPM

#: Later than any time: not at a moment that could be named.
NEVER_NS = 1 << 62

_FINE = 8192
_COARSE = 64
_SLACK_PPM = 9_600


class MeterState(TypedDict):
    """What a meter knows, as JSON: outlives the run, so that the next one does not spend the same minute again."""

    used: list[list[int]]
    """Pairs ``[utc_ns, amount]``, oldest first, at most two periods back."""
    share_ppm: int
    bursts: bool


class Meter:
    """A quota of ``limit`` requests or pages a period.

    Parameters
    ----------
    limit
        Most in any period; 0 admits nothing.
    period_ns
        Length of the period.
    guard_ns
        Guard for jitter.
    bursts
        Whether bursts are allowed at all.
    """

    __slots__ = (
        "_charged", "_due_ns", "_held_ns", "_log", "_next_ns", "_older", "_older_sum", "_pause_ns", "_refused", "_refused_ns",
        "_unit", "_unit_of", "bursts", "guard_ns", "limit", "period_ns", "share", "used",
    )  # fmt: skip

    def __init__(self, limit: int, period_ns: int, guard_ns: int, *, bursts: bool = True) -> None:
        self.limit = limit
        self.period_ns = period_ns
        self.guard_ns = guard_ns
        self.bursts = bursts
        self.share = Share(period_ns)
        self.used = 0
        """Amount in the log as of the last call of :meth:`expire`."""
        self._log: deque[list[int]] = deque()  # [first_ns, last_ns, amount], what left less than a window ago
        self._older: deque[list[int]] = deque()  # the same, coarser, up to one period older
        self._older_sum = 0
        self._refused: deque[tuple[int, int]] = deque()
        self._next_ns = -NEVER_NS  # the pace's next moment
        self._due_ns = NEVER_NS  # when somebody who waits was to go
        self._unit = 0  # spacing of an amount of 1 at full share, in millionths of a nanosecond
        self._unit_of = (-1, -1)
        self._charged = (0, 0)  # amount and time of the last charge
        self._held_ns = -NEVER_NS
        self._refused_ns = -NEVER_NS
        self._pause_ns = 0

    # -- asking ------------------------------------------------------------------------------------------------------

    def expire(self, now_ns: int) -> int:
        """Forget what has left the window, and return what is still in it."""
        log = self._log
        horizon = now_ns - self.period_ns - self.guard_ns
        while log and log[0][1] <= horizon:
            entry = log.popleft()
            self.used -= entry[2]
            self._age(entry)
        return self.used

    def ready_ns(self, amount: int, now_ns: int, *, burst: bool = False) -> int:
        """Earliest moment at which ``amount`` is admitted, if nothing else happens: ``now_ns`` means now.

        ``NEVER_NS`` if ``amount`` is above the limit. ``burst`` waives the pace, not the window.
        """
        if amount > self.limit:
            return NEVER_NS
        ready, log, window_ns = now_ns, self._log, self.period_ns + self.guard_ns
        if log and log[0][1] <= now_ns - window_ns:
            self.expire(now_ns)
        excess = self.used + amount - self.limit
        if excess > 0:
            for entry in log:
                excess -= entry[2]
                if excess <= 0:
                    ready = entry[1] + window_ns
                    break
        if self._held_ns > ready:  # noqa: PLR1730 - asked several times a permit, and twice as fast as max()
            ready = self._held_ns
        if not burst and self._next_ns > ready:
            ready = self._next_ns
        if ready > now_ns:
            self._due_ns = ready
        return ready

    def paced(self, now_ns: int) -> bool:
        """Whether only the pace's next moment is being waited for."""
        return self._next_ns > now_ns

    def burst_free(self, now_ns: int) -> int:
        """Amount that could go at once, by the strictest reading of what the service counts."""
        if not self.bursts or self._held_ns > now_ns:
            return 0
        share = self.limit * self.share.ppm(now_ns) // FULL_PPM
        free = share - self.expire(now_ns)
        if free <= 0 or not self._older:
            return max(free, 0)
        return max(0, free - self._weight(now_ns))

    # -- telling -----------------------------------------------------------------------------------------------------

    def charge(self, amount: int, now_ns: int) -> None:
        """Count ``amount`` as sent at ``now_ns``."""
        if not amount:
            return
        self.used += amount
        log = self._log
        if log and now_ns - log[-1][0] < self.period_ns // _FINE:
            log[-1][1] = now_ns
            log[-1][2] += amount
        else:
            log.append([now_ns, now_ns, amount])
        since_ns = now_ns
        if self._due_ns < now_ns:
            since_ns = max(self._due_ns, now_ns - self.guard_ns // 2)
        self._charged = (amount, since_ns)
        self._next_ns = since_ns + self.spacing_ns(amount, now_ns)
        self._due_ns = self._next_ns if self._next_ns <= now_ns else NEVER_NS  # more than one may be late

    def spacing_ns(self, amount: int, now_ns: int) -> int:
        """How long the pace waits after ``amount``."""
        if not self.limit:
            return NEVER_NS
        if self._unit_of != (self.limit, self.guard_ns):
            self._unit_of = (self.limit, self.guard_ns)
            slack_ppm = min(self.limit * _SLACK_PPM, FULL_PPM)
            self._unit = max(
                -(-(self.period_ns + self.guard_ns) * FULL_PPM // self.limit),
                -(-self.period_ns * FULL_PPM * FULL_PPM // (self.limit * FULL_PPM - slack_ppm)),
            )
        share_ppm = FULL_PPM if self.share.cut_ns is None else self.share.ppm(now_ns)
        return -(-amount * self._unit // share_ppm)

    def accepted(self, granted_ns: int) -> None:
        """Tell the meter that the service took a call which was granted at ``granted_ns``."""
        if self._pause_ns and granted_ns >= self._refused_ns:
            self._pause_ns = 0

    def refused(
        self, amount: int, granted_ns: int, now_ns: int, *, after_ns: int = 0, burst: bool = False
    ) -> None:
        """Tell the meter that the service refused a call for its quota.

        Parameters
        ----------
        amount
            What was asked.
        granted_ns
            When it was granted; a refusal of a call from before the last cut tells nothing new.
        now_ns
            Now.
        after_ns
            What the service asked to wait (``RetryInfo``).
        burst
            Whether the call went ahead of the pace.
        """
        admitted = self._admitted(now_ns)
        self._refused.append((now_ns, amount))
        news = granted_ns >= self._refused_ns
        if news:
            skipped = 1 if self.share.cut_ns is None else 2
            least = skipped * self.spacing_ns(amount, now_ns) + self.guard_ns
            self._pause_ns = min(max(least, 2 * self._pause_ns), max(least, self.period_ns // 4))
            self._refused_ns = now_ns
            self._held_ns = max(self._held_ns, now_ns + self._pause_ns)
        self._held_ns = max(self._held_ns, now_ns + after_ns)
        if burst:
            self.bursts = False
        elif news and self.limit and (self.share.cut_ns is not None or len(self._refused) > 1):
            self.share.cut(now_ns, max(0, admitted - amount) * FULL_PPM // self.limit)

    def resize(self, limit: int) -> None:
        """Take another limit; what was used stays used."""
        self.limit = limit
        amount, charged_ns = self._charged
        if amount:
            self._next_ns = charged_ns + self.spacing_ns(amount, charged_ns)

    # -- outliving the run -------------------------------------------------------------------------------------------

    def export(self, now_ns: int, utc_offset_ns: int) -> MeterState:
        """What the meter knows, in wall-clock time (``utc = now + offset``)."""
        self.expire(now_ns)
        entries = [*self._older, *self._log]
        return {
            "used": [[last + utc_offset_ns, amount] for _, last, amount in entries],
            "share_ppm": self.share.ppm(now_ns),
            "bursts": self.bursts,
        }

    def restore(self, state: MeterState, now_ns: int, utc_offset_ns: int) -> None:
        """Add what an earlier run used and learned. Times in the future (a clock that was set back) count as now."""
        mine = list(self._log)
        entries = sorted([*([min(utc - utc_offset_ns, now_ns)] * 2 + [n] for utc, n in state["used"]), *mine])
        self._log = deque(entries)
        self.used = sum(entry[2] for entry in entries)
        self.share.restore(now_ns, min(state["share_ppm"], self.share.ppm(now_ns)))
        self.bursts = self.bursts and state["bursts"]
        last = max((entry[1] for entry in entries), default=None)
        if last is not None and self.limit:
            self._charged = max((1, last), self._charged, key=lambda charged: charged[1])
            self._next_ns = max(self._next_ns, last + self.spacing_ns(1, now_ns))
        self.expire(now_ns)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _age(self, entry: list[int]) -> None:
        older = self._older
        if older and entry[0] - older[-1][0] < self.period_ns // _COARSE:
            older[-1][1] = entry[1]
            older[-1][2] += entry[2]
        else:
            older.append(entry)
        self._older_sum += entry[2]
        horizon = entry[1] - 2 * self.period_ns - self.guard_ns
        while older and older[0][1] <= horizon:
            self._older_sum -= older.popleft()[2]

    def _weight(self, now_ns: int) -> int:
        """What a gateway that weighs the previous minute may still count of it, rounded up."""
        older, period = self._older, self.period_ns
        horizon = now_ns - 2 * period - self.guard_ns
        while older and older[0][1] <= horizon:
            self._older_sum -= older.popleft()[2]
        return -(-sum(amount * (last - horizon) for _, last, amount in older) // period)

    def _admitted(self, now_ns: int) -> int:
        refused = self._refused
        while refused and refused[0][0] <= now_ns - self.period_ns:
            refused.popleft()
        return max(0, self.expire(now_ns) - sum(amount for _, amount in refused))
