"""Which faults are in force when, if several incidents overlap: shares add up, regions that are down are joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from docdask.core.server import NO_FAULTS, Faults
from docdask.errors import UsageError
from docdask.sim.scenario import Incident, nanoseconds

_SHARES = (
    "quota",
    "unavailable",
    "internal",
    "deadline",
    "lost",
    "duplicate",
    "slow",
    "half_written",
    "stuck",
)


class Schedule:
    """Incidents in the order of their moments.

    Raises
    ------
    UsageError
        If shares of calls exceed 1 at some moment.
    """

    def __init__(self, incidents: Sequence[Incident]) -> None:
        self._incidents = [
            (nanoseconds(i.at_s), nanoseconds(i.until_s) if i.until_s != float("inf") else None, i)
            for i in incidents
        ]
        moments = {at for at, _, _ in self._incidents} | {
            until for _, until, _ in self._incidents if until is not None
        }
        self.moments_ns = sorted(moments)
        """When something begins or ends."""
        for moment_ns in self.moments_ns:
            self.at(moment_ns)

    def at(self, now_ns: int) -> tuple[Faults, int]:
        """Faults in force from ``now_ns`` on, and the workers that die at that very moment."""
        faults = NO_FAULTS
        for at_ns, until_ns, incident in self._incidents:
            if at_ns <= now_ns and (until_ns is None or now_ns < until_ns):
                faults = together(faults, incident.faults)
        return faults, sum(i.workers_lost for at_ns, _, i in self._incidents if at_ns == now_ns)


def together(one: Faults, other: Faults) -> Faults:
    """Both at once.

    Raises
    ------
    UsageError
        If the shares of calls add up to more than 1.
    """
    values: dict[str, float] = {name: getattr(one, name) + getattr(other, name) for name in _SHARES}
    slower = other if other.slow else one
    faults = replace(
        one,
        **values,
        slow_factor=slower.slow_factor,
        slow_ns=slower.slow_ns,
        regions_down=tuple(dict.fromkeys(one.regions_down + other.regions_down)),
    )
    if faults.any_call > 1:
        raise UsageError(
            f"incidents that overlap fail {faults.any_call:.0%} of the calls",
            "keep the sum of their shares at 1 or below",
        )
    return faults
