"""What the governor knows, as frozen values for people: the dashboard, metrics and ``get_value`` read these."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from docdask.core.budget import Budget
from docdask.core.governor import Governor
from docdask.core.meter import Meter
from docdask.core.pool import Pool


@dataclass(frozen=True, slots=True)
class MeterView:
    """One quota."""

    name: str
    """``requests/group``, ``pages/group`` or ``user``."""
    limit: int
    used: int
    """In the last period and guard."""
    share_ppm: int
    """Part of the limit that others leave."""
    bursts: bool
    guard_ns: int


@dataclass(frozen=True, slots=True)
class EndpointView:
    """One endpoint."""

    name: str
    location: str
    breaker: str
    in_flight: int
    in_flight_limit: int | None
    batch: int
    """Batch operations in flight (of the group that it shares)."""
    batch_limit: int | None
    requests: str
    """Name of its meter of requests; empty if they are not metered."""
    pages: str


@dataclass(frozen=True, slots=True)
class BudgetView:
    """Pages and micro-dollars: spent, reserved, at risk, and the most; of a run or (``run == ""``) the project."""

    run: str
    pages_spent: int
    pages_reserved: int
    pages_at_risk: int
    pages_most: int | None
    micros_spent: int
    micros_reserved: int
    micros_at_risk: int
    micros_most: int | None
    calls_announced: int
    """Calls that the run has announced and not yet wanted permits for."""
    pages_announced: int
    """Pages of those calls, as far as the run knew."""
    calls_waiting: int
    """Calls that wait for a permit."""
    pages_waiting: int


@dataclass(frozen=True, slots=True)
class PermitView:
    """One permit that waits or is held."""

    permit: str
    worker: str
    run: str
    lane: str
    pages: int
    since_ns: int
    """When it was asked for."""
    endpoint: str
    """Empty while it waits."""
    fence: int
    granted_ns: int


@dataclass(frozen=True, slots=True)
class SemaphoreView:
    """One semaphore at one moment."""

    name: str
    at_ns: int
    period_ns: int
    """What "a minute" is for its quotas."""
    endpoints: tuple[EndpointView, ...]
    meters: tuple[MeterView, ...]
    budgets: tuple[BudgetView, ...]
    """The project's first, then those of runs."""
    runs: int
    """Runs that are known, shown in ``budgets`` or not."""
    waiting: dict[str, int]
    """Waiters by lane."""
    held: int
    granted: int
    """Permits granted so far."""
    returned: dict[str, int]
    """Permits returned so far, by verdict."""


def busiest(governor: Governor, most: int) -> list[str]:
    """Names of at most ``most`` semaphores: those for which most is waited first, then those that granted most."""
    pools = heapq.nsmallest(
        most, governor.pools.values(), key=lambda p: (-p.lanes.waiting, -p.granted, p.name)
    )
    return [pool.name for pool in pools]


def view(
    governor: Governor, semaphore: str, *, now_ns: int | None = None, most_runs: int | None = None
) -> SemaphoreView:
    """One semaphore as it is now. Costs the same however many wait.

    Parameters
    ----------
    governor, semaphore
        Whose.
    now_ns
        The shell's clock, so that a minute passes while nothing happens; None: when something happened last.
    most_runs
        Runs to show, the busiest; None for all.

    Raises
    ------
    KeyError
        If there is none by that name.
    """
    pool = governor.pools[semaphore]
    now_ns = governor.now_ns if now_ns is None else max(now_ns, governor.now_ns)
    names = {id(meter): name for name, meter in pool.limits.meters.items()}
    endpoints = pool.limits.endpoints.values()
    drawn_on = {"user", *(names.get(id(m), "") for e in endpoints for m in (e.requests, e.pages))}
    return SemaphoreView(
        name=semaphore,
        at_ns=now_ns,
        period_ns=pool.spec.period_ns,
        endpoints=tuple(
            EndpointView(
                name=endpoint.name,
                location=endpoint.spec.location,
                breaker=endpoint.breaker.state,
                in_flight=endpoint.flight.now,
                in_flight_limit=endpoint.flight.limit,
                batch=0 if endpoint.batch is None else endpoint.batch.now,
                batch_limit=None if endpoint.batch is None else endpoint.batch.limit,
                requests=names.get(id(endpoint.requests), ""),
                pages=names.get(id(endpoint.pages), ""),
            )
            for endpoint in endpoints
        ),
        meters=tuple(
            _meter(name, meter, now_ns) for name, meter in pool.limits.meters.items() if name in drawn_on
        ),
        budgets=_budgets(pool, most_runs, now_ns),
        runs=len(pool.runs),
        waiting={lane.name: lane.waiting for lane in pool.lanes.lanes.values()},
        held=sum(len(worker.permits) for worker in pool.workers) - pool.lanes.waiting,
        granted=pool.granted,
        returned=dict(pool.returned),
    )


def permits(governor: Governor, semaphore: str, *, most: int = 1000) -> list[PermitView]:
    """Who holds what and who waits since when: holders first, at most ``most``, oldest first a worker.

    Raises
    ------
    KeyError
        If there is no semaphore by that name.
    """
    pool = governor.pools[semaphore]
    found = [permit for worker in pool.workers for permit in worker.permits.values()]
    found.sort(key=lambda permit: (permit.state == "waiting", permit.since_ns))
    return [
        PermitView(
            permit=permit.id,
            worker=permit.worker,
            run=permit.flow.run,
            lane=permit.flow.lane.name,
            pages=permit.pages,
            since_ns=permit.since_ns,
            endpoint="" if permit.endpoint is None else permit.endpoint.name,
            fence=permit.fence,
            granted_ns=permit.granted_ns,
        )
        for permit in found[:most]
    ]


def _budgets(pool: Pool, most: int | None, now_ns: int) -> tuple[BudgetView, ...]:
    waiting: dict[str, tuple[int, int]] = {}
    for flow in pool.lanes.flows():
        calls, pages = waiting.get(flow.run, (0, 0))
        waiting[flow.run] = (calls + len(flow.waiting), pages + flow.pages)
    runs = list(pool.runs.items())
    if most is not None and len(runs) > most:
        # Those who wait, then those who still mean to; among the others the latest.
        order = heapq.nlargest(
            most,
            range(len(runs)),
            key=lambda i: (waiting.get(runs[i][0], (0, 0))[0], runs[i][1].calls, not runs[i][1].closed, i),
        )
        runs = [runs[i] for i in sorted(order)]
    period_ns = pool.spec.period_ns
    expected = {
        n: (run.calls, run.pages)
        for n, run in pool.runs.items()
        if run.calls and run.lives(now_ns, period_ns)
    }
    announced = (sum(calls for calls, _ in expected.values()), sum(pages for _, pages in expected.values()))
    project = _budget("", pool.budget, announced, (pool.lanes.waiting, pool.lanes.pages))
    return (
        project,
        *(_budget(n, run.budget, expected.get(n, (0, 0)), waiting.get(n, (0, 0))) for n, run in runs),
    )


def _budget(run: str, budget: Budget, announced: tuple[int, int], waiting: tuple[int, int]) -> BudgetView:
    pages, micros = budget.pages, budget.micros
    return BudgetView(
        run, pages.spent, pages.reserved, pages.at_risk, pages.most, micros.spent, micros.reserved, micros.at_risk, micros.most,
        *announced, *waiting,
    )  # fmt: skip


def _meter(name: str, meter: Meter, now_ns: int) -> MeterView:
    return MeterView(
        name=name,
        limit=meter.limit,
        used=meter.expire(now_ns),
        share_ppm=meter.share.ppm(now_ns),
        bursts=meter.bursts,
        guard_ns=meter.guard_ns,
    )
