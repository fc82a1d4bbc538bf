"""Which part of a quota is really ours, when other programs draw on the same one.

The share starts at all of it. A quota refusal tells what the others leave: what was admitted of ours in the last
period. The share is cut to just below that, creeps back to it, stays near it, then grows ever faster, so that a
share which has become free is taken back within minutes. Growth is a cubic in the time since the cut, as in CUBIC
(RFC 9438); integers only, parts per million and thousandths of a period.
"""

from __future__ import annotations

from docdask.core.spec import FULL_PPM

#: A cut goes to this part of what was admitted.
CUT_PPM = 985_000
#: A cut never goes below this part of the share before it: one refusal is weak evidence.
DEEPEST_PPM = 850_000
#: The share never falls below this.
LEAST_PPM = 10_000
#: Growth, ppm per period cubed: 1 % beyond the old share one period after reaching it, 27 % after three.
GROWTH_PPM = 10_000


class Share:
    """Part of a quota in use, in ppm, as a function of time.

    Parameters
    ----------
    period_ns
        Length of the quota's period.
    """

    __slots__ = ("_base_ppm", "_peak_ppm", "_period_ns", "_turn_milli", "cut_ns")

    def __init__(self, period_ns: int) -> None:
        self._period_ns = period_ns
        self.cut_ns: int | None = None
        """When it was cut last; None while the share is whole."""
        self._base_ppm = self._peak_ppm = FULL_PPM
        self._turn_milli = 0

    def ppm(self, now_ns: int) -> int:
        """Share at ``now_ns``, 10,000 to 1,000,000 ppm."""
        if self.cut_ns is None:
            return FULL_PPM
        since_milli = (now_ns - self.cut_ns) * 1000 // self._period_ns
        beyond = since_milli - self._turn_milli
        ppm = max(self._base_ppm, self._peak_ppm + GROWTH_PPM * beyond**3 // 10**9)
        if ppm < FULL_PPM:
            return ppm
        self.cut_ns = None
        return FULL_PPM

    def cut(self, now_ns: int, admitted_ppm: int) -> None:
        """Fall back to just below what was admitted in the last period."""
        before = self.ppm(now_ns)
        peak = min(before, max(admitted_ppm, before * DEEPEST_PPM // FULL_PPM))
        self._set(now_ns, max(LEAST_PPM, peak * CUT_PPM // FULL_PPM), max(LEAST_PPM, peak))

    def restore(self, now_ns: int, ppm: int) -> None:
        """Start at a share that was learned earlier."""
        if ppm < FULL_PPM:
            self._set(now_ns, max(LEAST_PPM, ppm), max(LEAST_PPM, ppm))

    def _set(self, now_ns: int, base_ppm: int, peak_ppm: int) -> None:
        self.cut_ns = now_ns
        self._base_ppm, self._peak_ppm = base_ppm, peak_ppm
        self._turn_milli = _cube_root((peak_ppm - base_ppm) * 10**9 // GROWTH_PPM)


def _cube_root(value: int) -> int:
    """Largest integer whose cube is not above ``value``."""
    low, high = 0, 1
    while high**3 <= value:
        high *= 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**3 <= value else (low, middle)
    return low
