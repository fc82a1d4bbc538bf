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
#: Minutes until what the foreign client leaves should be found, and minutes in all, by quota.
_CONVERGED = 8
_MINUTES = {120: 25, 6000: 12}
#: Whole minutes of a run that is alone, after the one in which it begins.
_ALONE = 5


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
    """Share of what is left of the quota that was used, and the part of the calls that was refused.

    The run begins somewhere in a minute of the service, as the seed has it. Alone, its first calls count for what was
    refused; beside a foreign client nothing counts until the share should have been found.
    """
    minutes = _MINUTES[quota] if part else 1 + _ALONE
    phase_s = random.Random(f"{seed}/phase").uniform(0, 60)
    scenario = Scenario(
        (Load(repeated(quota * minutes, 1), start_s=phase_s),), requests=quota, user_requests=10**9, window=window,
        latency=Latency(base_ns=400_000_000), travel_s=(0.005, 0.3), horizon_s=minutes * 60, seed=seed,
    )  # fmt: skip
    world = Shared(scenario, part)
    rows = world.run().endpoints
    rows = rows[rows["minute"] < minutes]
    first = _CONVERGED if part else 1
    settled = rows[rows["minute"] >= first]
    used = int((settled["calls"] - settled["refused"]).sum())
    taken = sum(at >= first * 60 * _SECOND_NS for at in world.taken)
    told = settled if part else rows
    return used / (quota * len(settled) - taken), int(told["refused"].sum()) / int(told["calls"].sum())


def row(window: str, quota: int, seeds: int) -> tuple[str, ...]:
    """One line of the table."""
    alone = [run(window, quota, 0.0, seed) for seed in range(seeds)]
    shared = [run(window, quota, 1 / 3, seed) for seed in range(seeds)]
    return (
        window, f"{quota:,}", f"{min(a for a, _ in alone):.1%}", f"{max(r for _, r in alone):.2%}",
        f"{min(a for a, _ in shared):.1%}", f"{max(r for _, r in shared):.2%}",
    )  # fmt: skip


def windows(seeds: int = 10) -> str:
    """Table of all combinations; the worst of so many seeds."""
    head = ("window", "quota", "share of the quota", "refused", "with a third taken: of the rest", "refused")
    return table([head, *(row(window, quota, seeds) for window in KINDS for quota in _MINUTES)])
