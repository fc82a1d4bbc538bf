"""Every way in which a service may count its minute, alone and beside a foreign client, in virtual time on the same core."""

from __future__ import annotations

import random
from typing import Any

from benchmarks._common import table
from docdask.core.server import Call, Latency
from docdask.sim import Load, Scenario, repeated
from docdask.sim.world import World

KINDS = ("fixed", "sliding", "sliding-count", "bucket", "bucket/4")
_SECOND_NS = 10**9
#: Minutes until what the foreign client leaves should be found, and minutes in all.
_CONVERGED, _MINUTES = 8, 25


class Shared(World):
    """A simulated run beside another program that takes an (almost) even part of the same quota."""

    def __init__(self, scenario: Scenario, part: float) -> None:
        super().__init__(scenario)
        self.taken: list[int] = []
        self._call = Call("100000000000", "us", scenario.processor, user="somebody else")
        self._chance = random.Random(f"{scenario.seed}/foreign").uniform
        self._every_ns = 60 * _SECOND_NS / (scenario.requests * part) if part else 0
        if part:
            self._at(0, self._foreign, None)

    def _foreign(self, _: Any) -> None:
        if self.service.process(self._call, self.now_ns).ok:
            self.taken.append(self.now_ns)
        self._at(self.now_ns + int(self._chance(0.8, 1.2) * self._every_ns), self._foreign, None)


def run(window: str, quota: int, part: float, seed: int) -> tuple[float, float]:
    """Share of what is left of the quota that was used, and the part of the calls that was refused."""
    minutes = _MINUTES if part else 6
    scenario = Scenario(
        (Load(repeated(quota * (minutes if part else 5), 1)),), requests=quota, user_requests=10**9, window=window,
        latency=Latency(base_ns=400_000_000), travel_s=(0.005, 0.3), horizon_s=minutes * 60, seed=seed,
    )  # fmt: skip
    world = Shared(scenario, part)
    rows = world.run().endpoints
    first = _CONVERGED if part else 0
    rows = rows[(rows["minute"] >= first) & (rows["minute"] < (minutes if part else 5))]
    used = int((rows["calls"] - rows["refused"]).sum())
    taken = sum(at >= first * 60 * _SECOND_NS for at in world.taken)
    return used / (quota * len(rows) - taken), int(rows["refused"].sum()) / int(rows["calls"].sum())


def windows(seeds: int = 3) -> str:
    """Table of all combinations; the worst of so many seeds."""
    rows = [
        ("window", "quota", "share of the quota", "refused", "with a third taken: of the rest", "refused")
    ]
    for window in KINDS:
        for quota in (120, 6000):
            alone = [run(window, quota, 0.0, seed) for seed in range(seeds)]
            shared = [run(window, quota, 1 / 3, seed) for seed in range(seeds if quota == 120 else 1)]
            rows.append(
                (
                    window, f"{quota:,}", f"{min(a for a, _ in alone):.1%}", f"{max(r for _, r in alone):.2%}",
                    f"{min(a for a, _ in shared):.1%}", f"{max(r for _, r in shared):.2%}",
                )
            )  # fmt: skip
    return table(rows)
