"""What the governor knows, as frozen values for people: the dashboard, metrics and ``get_value`` read these."""

from __future__ import annotations

from dataclasses import dataclass

from docdask.core.governor import Governor
from docdask.core.meter import Meter


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
    endpoints: tuple[EndpointView, ...]
    meters: tuple[MeterView, ...]
    budgets: tuple[BudgetView, ...]
    waiting: dict[str, int]
    """Waiters by lane."""
    held: int
    granted: int
    """Permits granted so far."""
    returned: dict[str, int]
    """Permits returned so far, by verdict."""


def view(governor: Governor, semaphore: str) -> SemaphoreView:
    """One semaphore as it is now.

    Raises
    ------
    KeyError
        If there is none by that name.
    """
    pool = governor.pools[semaphore]
    now_ns = governor.now_ns
    names = {id(meter): name for name, meter in pool.limits.meters.items()}
    budgets = [("", pool.budget, 0), *((name, run.budget, run.calls) for name, run in pool.runs.items())]
    return SemaphoreView(
        name=semaphore,
        at_ns=now_ns,
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
            for endpoint in pool.limits.endpoints.values()
        ),
        meters=tuple(_meter(name, meter, now_ns) for name, meter in pool.limits.meters.items()),
        budgets=tuple(
            BudgetView(
                run, b.pages.spent, b.pages.reserved, b.pages.at_risk, b.pages.most,
                b.micros.spent, b.micros.reserved, b.micros.at_risk, b.micros.most, calls,
            )
            for run, b, calls in budgets
        ),
        waiting={lane.name: lane.waiting for lane in pool.lanes.lanes.values()},
        held=sum(1 for worker in pool.workers for permit in worker.permits.values() if permit.state == "granted"),
        granted=pool.granted,
        returned=dict(pool.returned),
    )  # fmt: skip


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


def _meter(name: str, meter: Meter, now_ns: int) -> MeterView:
    return MeterView(
        name=name,
        limit=meter.limit,
        used=meter.expire(now_ns),
        share_ppm=meter.share.ppm(now_ns),
        bursts=meter.bursts,
        guard_ns=meter.guard_ns,
    )
