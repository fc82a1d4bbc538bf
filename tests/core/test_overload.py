"""Refusals for capacity: those that come by chance change next to nothing, those of a full service are made few.

In virtual time: a service that refuses at once, at random or while so many calls are at work, and takes 2 s for the others
with a long tail; a quota of 6,000 a minute; refused calls are tried again after a while.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import MINUTE, SECOND, Job, Site, World

from docdask.core.overload import Overload
from docdask.core.retry import RetryPolicy
from docdask.core.spec import EndpointSpec, SemaphoreSpec

QUOTA = 6000
#: Mean of the time that a served call takes: 2 s of which three tenths are a Pareto tail of mean 2.
MEAN_S = 2 * 1.3


class Crowded(World):
    """Refuses what is above its ``room``, and a share of all calls by chance."""

    room = 10**9
    chance = 0.0

    def __init__(self, seed: int):
        spec = SemaphoreSpec((EndpointSpec("e", requests=QUOTA),))
        super().__init__(
            spec, {"e": Site()}, seed=seed, start_ns=10 * MINUTE, jitter_ns=(SECOND // 200, SECOND // 20)
        )
        self.inside = self.refused = 0

    def _arrive(self, grant, job, travelled_ns):
        if self.inside >= self.room or self.rng.random() < self.chance:
            self.refused += 1
            self.at(self.now_ns + SECOND // 200, lambda: self._answer(grant, job, "capacity", SECOND // 200))
            return
        self.inside += 1
        latency_ns = int(2 * SECOND * (0.7 + 0.3 * min(40, (1 - self.rng.random()) ** -0.5)))
        self.at(self.now_ns + latency_ns, lambda: self._served(grant, job, latency_ns))

    def _served(self, grant, job, latency_ns):
        self.inside -= 1
        self._answer(grant, job, "ok", latency_ns)

    def want(self, jobs, **options):
        for job in jobs:
            if job.attempt > 1:
                wait_ns = RetryPolicy(attempts=99).wait_ns("capacity", job.attempt - 1, self.rng.random)
                self.at(self.now_ns + wait_ns, lambda job=job: World.want(self, [job]))
        super().want([job for job in jobs if job.attempt == 1], **options)

    @property
    def endpoint(self):
        return self.governor.pools["s"].limits.endpoints["e"]


def work(
    seed: int, *, room: int = 10**9, chance: float = 0.0, minutes: int = 2
) -> tuple[float, float, Crowded]:
    """Calls served a second after the first minute, and the part of all calls that was refused meanwhile."""
    world = Crowded(seed)
    world.room, world.chance = room, chance
    start_ns = world.now_ns
    world.want([Job("normal", "r", 1) for _ in range(QUOTA * minutes)])
    world.run(start_ns + MINUTE)
    sent, refused, done = len(world.grants), world.refused, len(world.done)
    world.run(start_ns + minutes * MINUTE)
    seconds = (minutes - 1) * 60
    return (len(world.done) - done) / seconds, (world.refused - refused) / (len(world.grants) - sent), world


@pytest.mark.parametrize("chance", [0.01, 0.05, 0.2])
def test_refusals_by_chance_cost_what_they_refuse_and_no_more(chance):
    served, refused, world = work(2, chance=chance)
    assert served >= 0.95 * (1 - chance) * QUOTA / 60
    assert refused <= 1.2 * chance + 0.005
    assert world.endpoint.breaker.state == "closed"


@pytest.mark.parametrize("room", [20, 100])
def test_a_full_service_is_kept_busy_and_hardly_ever_called_in_vain(room):
    served, refused, world = work(1, room=room)
    assert served >= 0.8 * room / MEAN_S
    assert refused <= 0.06
    assert 0.6 * room <= world.endpoint.flight.limit <= 1.2 * room


def test_a_full_service_that_is_flaky_as_well_is_told_apart():
    served, refused, world = work(1, room=100, chance=0.05)
    assert served >= 0.8 * 100 / MEAN_S
    assert refused <= 0.1
    assert world.endpoint.flight.limit <= 130


def test_load_that_grows_by_one_is_never_taken_for_chance():
    """Refusals that become a little more frequent with each round are noticed, however slowly they do."""
    overload, fence, level, room = Overload(), 0, 100, 100
    noticed = []
    for _ in range(200):
        found = None
        for number in range(level):
            overload.sent()
            fence += 1
            found = overload.answered(fence, fence, level - number, refused=number >= room) or found
        if found:
            noticed.append((found, level))
            level = {"suspicion": 70, "worse": 70, "overload": 90}[found]
        elif not overload.on_trial:
            level += 1
    assert ("overload", 70) in noticed
    assert max(level for _, level in noticed) <= 110


def test_what_was_usual_is_forgotten_when_refusals_cease():
    overload, fence = Overload(), 0
    for number in range(3000):
        overload.sent()
        fence += 1
        overload.answered(fence, fence, 1, refused=number % 10 == 0)
    assert 50_000 <= overload.usual_ppm <= 150_000
    for _ in range(5000):
        overload.sent()
        fence += 1
        overload.answered(fence, fence, 1, refused=False)
    assert overload.usual_ppm <= 1000


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 50)), max_size=300))
def test_the_usual_rate_stays_a_rate_and_a_trial_is_always_followed_by_what_it_showed(answers):
    overload, found = Overload(), []
    for fence, (refused, in_flight) in enumerate(answers):
        overload.sent()
        finding = overload.answered(fence, fence, in_flight, refused=refused)
        assert 0 <= overload.usual_ppm <= 400_000
        if finding:
            found.append(finding)
    for before, after in zip(["chance", *found], found, strict=False):
        assert (after == "suspicion") == (before in ("chance", "overload"))
