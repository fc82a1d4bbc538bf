"""What goes wrong, how often: fault profiles by name.

Rules: a profile is data; shares are 0-1 of calls that were otherwise fine; one draw a call decides, so shares of one
profile add up. Regions that are down answer 503 until the profile is taken back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from docdask.errors import UsageError


@dataclass(frozen=True, slots=True)
class Faults:
    """Shares of calls that meet a fault."""

    quota: float = 0.0
    """Refused with 429 although the quota has room (others of the project are at work)."""
    unavailable: float = 0.0
    """503 UNAVAILABLE, not billed."""
    internal: float = 0.0
    """500 INTERNAL, not billed."""
    deadline: float = 0.0
    """504 DEADLINE_EXCEEDED when the call would have ended, not billed."""
    lost: float = 0.0
    """Work done and billed, connection cut before the reply."""
    duplicate: float = 0.0
    """The network delivers the request twice: both are served and billed, one reply arrives."""
    slow: float = 0.0
    """Takes ``slow_factor`` times as long."""
    slow_factor: float = 20.0
    slow_ns: int = 0
    """Added to a slow call, so that one is slow without a latency model too."""
    half_written: float = 0.0
    """Of a batch's documents: the last shard is cut in the middle."""
    stuck: float = 0.0
    """Of operations: never leave RUNNING, until the service gives up after 24 hours."""
    regions_down: tuple[str, ...] = ()
    """Locations that answer 503."""

    @property
    def any_call(self) -> float:
        """Share of online calls with a fault."""
        return (
            self.quota
            + self.unavailable
            + self.internal
            + self.deadline
            + self.lost
            + self.duplicate
            + self.slow
        )

    def draw(self, u: float) -> str:
        """Name of the fault that the draw ``u`` (0-1) means, or an empty string."""
        for name in ("quota", "unavailable", "internal", "deadline", "lost", "duplicate", "slow"):
            u -= getattr(self, name)
            if u < 0:
                return name
        return ""


NO_FAULTS = Faults()

PROFILES: Mapping[str, Faults] = {
    "none": NO_FAULTS,
    "quota-storm": Faults(quota=0.3),
    "flaky": Faults(unavailable=0.05, internal=0.02),
    "slow-tail": Faults(slow=0.03, slow_factor=30.0, slow_ns=5 * 10**9),
    "lost-reply": Faults(lost=0.05),
    "duplicate": Faults(duplicate=0.05),
    "region-down": Faults(regions_down=("us",)),
    "half-written-shards": Faults(half_written=0.3),
    "stuck-operation": Faults(stuck=0.3),
    "hostile": Faults(
        quota=0.05, unavailable=0.03, internal=0.02, deadline=0.01, lost=0.02, duplicate=0.02, slow=0.02,
        slow_ns=2 * 10**9, half_written=0.1, stuck=0.05,
    ),
}  # fmt: skip


def make_faults(profile: str = "none", changes: Mapping[str, Any] | None = None) -> Faults:
    """Return the profile ``profile`` with some fields changed.

    Raises
    ------
    UsageError
        If the profile or a field does not exist, a share is not 0-1, or the shares of calls exceed 1.
    """
    if profile not in PROFILES:
        raise UsageError(f"no fault profile {profile!r}", f"profiles: {', '.join(PROFILES)}")
    known = {field.name for field in fields(Faults)}
    values = dict(changes or {})
    for name, value in values.items():
        if name not in known:
            raise UsageError(f"no fault {name!r}", f"faults: {', '.join(sorted(known))}")
        if name == "regions_down":
            if isinstance(value, str) or not all(isinstance(item, str) for item in value):
                raise UsageError(f"regions_down can't be {value!r}", "give a list of locations")
            values[name] = tuple(value)
        elif isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
            raise UsageError(f"{name} can't be {value!r}", "give a number of 0 or more")
        elif name not in ("slow_factor", "slow_ns") and value > 1:
            raise UsageError(f"{name} can't be {value!r}", "give a share between 0 and 1")
    faults = replace(PROFILES[profile], **values)
    if faults.any_call > 1:
        raise UsageError(f"the shares of calls add up to {faults.any_call:g}", "keep their sum at 1 or below")
    return faults
