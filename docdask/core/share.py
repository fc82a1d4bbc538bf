"""Which part of a quota is really ours, when other programs draw on the same one.

The share starts at all of it. Each quota refusal lowers it by a hundredth, and by a fourth of what it lies above what
was admitted of ours in the last period, so that it is found in a dozen refusals and held with one every few minutes.
Between refusals it creeps up, by less than a step a period. After a while without any it is probed ever faster, so
that a share which has become free is taken back within minutes; what the probe gained is forgotten when it is refused,
unless it had been admitted. Integers only, parts per million and thousandths of a period.
"""

from __future__ import annotations

from docdask.core.spec import FULL_PPM

#: A refusal lowers the share by this part of itself at least ...
STEP_PPM = 10_000
#: ... and by one part in so many of what it is above what was admitted.
PULL = 4
#: The share never falls below this.
LEAST_PPM = 10_000
#: Growth a period after a refusal, of the share. With the step it makes one refusal every two or three periods.
CREEP_PPM = 4_500
#: Time after a refusal from which more is probed for, in thousandths of a period.
QUIET_MILLI = 2_500
#: Growth by probing, ppm per period cubed: 8 % after one period, 27 % after one and a half.
PROBE_PPM = 80_000


class Share:
    """Part of a quota in use, in ppm, as a function of time.

    Parameters
    ----------
    period_ns
        Length of the quota's period.
    """

    __slots__ = ("_base_ppm", "_period_ns", "cut_ns")

    def __init__(self, period_ns: int) -> None:
        self._period_ns = period_ns
        self.cut_ns: int | None = None
        """When it was cut last; None while the share is whole."""
        self._base_ppm = FULL_PPM

    def ppm(self, now_ns: int) -> int:
        """Share at ``now_ns``, 10,000 to 1,000,000 ppm."""
        if self.cut_ns is None:
            return FULL_PPM
        ppm = self._held_ppm(now_ns)
        probing_milli = (now_ns - self.cut_ns) * 1000 // self._period_ns - QUIET_MILLI
        if probing_milli > 0:
            ppm += PROBE_PPM * probing_milli**3 // 10**9
        if ppm < FULL_PPM:
            return ppm
        self.cut_ns = None
        self._base_ppm = FULL_PPM
        return FULL_PPM

    def cut(self, now_ns: int, admitted_ppm: int) -> None:
        """Fall below what was refused.

        Parameters
        ----------
        now_ns
            Now.
        admitted_ppm
            What was admitted in the last period, as a part of the quota.
        """
        before = self.ppm(now_ns)
        held = max(self._held_ppm(now_ns), min(admitted_ppm, before))
        step = max(held * STEP_PPM // FULL_PPM, (held - admitted_ppm) // PULL)
        self._set(now_ns, held - step)

    def restore(self, now_ns: int, ppm: int) -> None:
        """Start at a share that was learned earlier."""
        if ppm < FULL_PPM:
            self._set(now_ns, ppm)

    def _held_ppm(self, now_ns: int) -> int:
        """The share without what is only being probed for."""
        if self.cut_ns is None:
            return FULL_PPM
        creep_ppm = CREEP_PPM * (now_ns - self.cut_ns) // self._period_ns
        return self._base_ppm + self._base_ppm * creep_ppm // FULL_PPM

    def _set(self, now_ns: int, ppm: int) -> None:
        self.cut_ns = now_ns
        self._base_ppm = max(LEAST_PPM, ppm)
