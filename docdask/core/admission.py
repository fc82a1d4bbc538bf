"""Who may queue at all: a waiter that can never be granted is refused at once, with the value and the remedy.

Also whether all that waits fits into what is free of the period, which is when a burst is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from docdask.core.endpoint import Endpoint
from docdask.core.events import Waiter, Want
from docdask.core.instructions import Reason
from docdask.core.lane import Flow
from docdask.core.lease import Permit
from docdask.core.meter import NEVER_NS, Meter
from docdask.core.spec import KINDS

if TYPE_CHECKING:
    from docdask.core.pool import Pool


class Refusal(NamedTuple):
    """Why not, and what to do."""

    reason: Reason
    message: str
    remedy: str

    @classmethod
    def budget(cls, pool: Pool, permit: Permit | Waiter, run: str) -> Refusal:
        """The refusal of what the project's budget can't pay, or that of the run."""
        known = pool.runs.get(run)
        short = pool.budget.room(permit.pages, permit.micros) == "never" or known is None
        whose, budget = ("project", pool.budget) if short or known is None else (f"run {run!r}", known.budget)
        left = [] if budget.pages.left is None else [f"{budget.pages.left} pages"]
        left += [] if budget.micros.left is None else [f"${budget.micros.left / 1e6:.4f}"]
        return cls(
            "budget",
            f"a call of {permit.pages} pages and ${permit.micros / 1e6:.4f} would exceed the budget of the {whose}, of "
            f"which {' and '.join(left)} are left",
            "raise the budget and resume",
        )


def admit_flow(pool: Pool, event: Want) -> Flow | Refusal:
    """The flow that the waiters of an event join, or why there is none for them."""
    key = (event.lane, event.run, event.kind, event.endpoints, event.locations)
    flow = pool.lanes.flow(key)
    if flow is not None:
        return flow
    lane = pool.lanes.lanes.get(event.lane)
    if lane is None:
        known = ", ".join(pool.lanes.lanes)
        return Refusal(
            "unknown-lane", f"semaphore {pool.name!r} has no lane {event.lane!r}", f"lanes: {known}"
        )
    if event.kind not in KINDS:
        return Refusal("invalid", f"no kind of permit is called {event.kind!r}", f"kinds: {', '.join(KINDS)}")
    run = pool.runs.get(event.run)
    if run is not None and run.closed:
        return Refusal("closed", f"run {event.run!r} has ended", "start the run again to go on")
    refused = _nowhere(pool, event.endpoints, event.locations)
    if refused is not None:
        return refused
    return Flow(key, lane, event.run, event.kind, allowed(pool, event.endpoints, event.locations))


def readmit_flow(pool: Pool, flow: Flow) -> Refusal | None:
    """Let a flow go where it may under quotas that have changed; why nowhere, if so."""
    _, _, _, names, locations = flow.key
    flow.endpoints = allowed(pool, names, locations)
    return _nowhere(pool, names, locations) if not flow.endpoints else None


def allowed(pool: Pool, names: tuple[str, ...], locations: tuple[str, ...]) -> tuple[Endpoint, ...]:
    """Endpoints of these names and in these locations that there are; no names or locations for all."""
    endpoints = pool.limits.endpoints
    found = [endpoints[name] for name in dict.fromkeys(names or endpoints) if name in endpoints]
    return tuple(e for e in found if not locations or e.spec.location in locations)


def _nowhere(pool: Pool, names: tuple[str, ...], locations: tuple[str, ...]) -> Refusal | None:
    endpoints = pool.limits.endpoints
    unknown = [name for name in names if name not in endpoints]
    if unknown:
        return Refusal(
            "unknown-endpoint",
            f"semaphore {pool.name!r} has no endpoint {unknown[0]!r}",
            f"endpoints: {', '.join(endpoints)}",
        )
    if not allowed(pool, names, locations):
        return Refusal(
            "residency",
            f"no endpoint is in {' or '.join(locations)}, where the data may go",
            "name a processor in an allowed location, or allow another location",
        )
    return None


def admit_waiter(pool: Pool, flow: Flow, waiter: Waiter) -> Refusal | None:
    """Why the waiter can never be granted in this flow; None if it can."""
    pages, micros = waiter.pages, waiter.micros
    if pages < 0 or micros < 0:
        return Refusal(
            "invalid", f"a call of {pages} pages and {micros} micro-dollars", "use numbers from 0 up"
        )
    book = pool.book(flow.run)
    if book is not None and book.broken is not None:
        return Refusal(
            "ledger", book.broken, "free space or fix the storage; the run goes on from where it is"
        )
    kind = flow.kind
    user = pool.limits.user
    open_ = [endpoint for endpoint in flow.endpoints if not endpoint.closed(kind)]
    if not open_ or (user is not None and not user.limit):
        return Refusal(
            "closed",
            f"a quota of 0 closes {', '.join(e.name for e in flow.endpoints) or 'every endpoint'} to {kind} calls",
            "set a quota above 0",
        )
    if all(endpoint.too_large(kind, pages) for endpoint in open_):
        most = max(endpoint.pages.limit for endpoint in open_ if endpoint.pages is not None)
        return Refusal(
            "too-large",
            f"a call of {pages} pages exceeds the quota of {most} pages a period",
            "split the document, or raise the quota",
        )
    run = pool.runs.get(flow.run)
    if pool.budget.room(pages, micros) == "never" or (
        run is not None and run.budget.room(pages, micros) == "never"
    ):
        return Refusal.budget(pool, waiter, flow.run)
    return None


def burst_fits(pool: Pool, now_ns: int) -> bool:
    """Whether all that waits or is announced fits into what is free of the period."""
    lanes = pool.lanes
    expected = [run for run in pool.runs.values() if run.calls and run.lives(now_ns, pool.spec.period_ns)]
    calls = lanes.waiting + sum(run.calls for run in expected)
    pages = lanes.pages + sum(run.pages for run in expected)
    user = pool.limits.user
    if user is not None and user.burst_free(now_ns) < calls:
        return False
    if not _fits(pool.limits.endpoints.values(), calls, pages, now_ns):
        return False
    flows = lanes.flows()
    return len(flows) == 1 or all(
        _fits(flow.endpoints, len(flow.waiting), flow.pages, now_ns) for flow in flows
    )


def _fits(endpoints: Iterable[Endpoint], calls: int, pages: int, now_ns: int) -> bool:
    seen: set[int] = set()
    free_calls = free_pages = 0
    for endpoint in endpoints:
        if endpoint.breaker.state == "open":
            continue
        free_calls += _free(endpoint.requests, seen, now_ns)
        free_pages += _free(endpoint.pages, seen, now_ns)
    return calls <= free_calls and pages <= free_pages


def _free(meter: Meter | None, seen: set[int], now_ns: int) -> int:
    """What may go at once by this meter, counted once however many endpoints share it."""
    if meter is None:
        return NEVER_NS
    if id(meter) in seen:
        return 0
    seen.add(id(meter))
    return meter.burst_free(now_ns)
