"""The limits of a semaphore at run time: endpoints, the meters they share, the user's meter, and the guard of all.

The guard is what jitter may shift a call by after its grant. It starts at its least, and follows the longest delay
measured lately between a grant and its answer, less the call itself; it decays slowly and never exceeds its most.
"""

from __future__ import annotations

from docdask.core.endpoint import Endpoint
from docdask.core.flight import Flight
from docdask.core.meter import Meter, MeterState
from docdask.core.spec import FULL_PPM, EndpointSpec, SemaphoreSpec


class Limits:
    """Endpoints by name, and the meters behind them."""

    __slots__ = ("_batch", "_delay_ns", "_last_resorts", "by_pages", "endpoints", "meters", "spec", "user")

    def __init__(self, spec: SemaphoreSpec) -> None:
        self.spec = spec
        self.meters: dict[str, Meter] = {}
        """By ``requests/group``, ``pages/group`` and ``user``."""
        self.endpoints: dict[str, Endpoint] = {}
        self.user: Meter | None = None
        self.by_pages = False
        """Whether a call weighs by its pages when lanes share."""
        self._batch: dict[str, Flight] = {}
        self._delay_ns = 0
        self._last_resorts = False
        self.change(spec)

    def change(self, spec: SemaphoreSpec) -> None:
        """Take other quotas; meters, calls in flight and breakers that stay keep what they know."""
        self.spec = spec
        self.by_pages = any(endpoint.pages is not None for endpoint in spec.endpoints)
        self._last_resorts = any(endpoint.last_resort for endpoint in spec.endpoints)
        self.user = self._meter("user", spec.user_requests)
        kept: dict[str, Endpoint] = {}
        for endpoint in spec.endpoints:
            requests = self._meter(f"requests/{endpoint.group('requests')}", endpoint.requests)
            pages = self._meter(f"pages/{endpoint.group('pages')}", endpoint.pages)
            batch = self._slots(endpoint)
            known = self.endpoints.get(endpoint.name)
            if known is None:
                kept[endpoint.name] = Endpoint(endpoint, spec, requests, pages, batch)
                continue
            known.spec, known.requests, known.pages, known.batch = endpoint, requests, pages, batch
            known.flight.resize(endpoint.in_flight)
            kept[endpoint.name] = known
        self.endpoints = kept

    def candidates(self, allowed: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
        """Allowed endpoints without the last resorts, unless none of the others is well."""
        if not self._last_resorts:
            return allowed
        first = tuple(e for e in allowed if not e.spec.last_resort)
        return first if any(e.breaker.state == "closed" for e in first) else allowed

    def heard(self, delay_ns: int, latency_ns: int) -> None:
        """Learn from the delay of an answer beyond the call itself; unknown when the call was not timed."""
        if latency_ns <= 0:
            return
        least, most = self.spec.least_guard_ns, self.spec.most_guard_ns
        if delay_ns > self._delay_ns:
            self._delay_ns = delay_ns
        elif self._delay_ns > least:
            self._delay_ns -= self._delay_ns // 1024
        else:
            return
        guard_ns = min(max(least, self._delay_ns), most)
        for meter in self.meters.values():
            meter.guard_ns = guard_ns

    @property
    def guard_ns(self) -> int:
        """Guard in force."""
        for meter in self.meters.values():
            return meter.guard_ns
        return self.spec.least_guard_ns

    def export(self, now_ns: int, utc_offset_ns: int) -> dict[str, MeterState]:
        """What each meter knows, for the next run."""
        return {name: meter.export(now_ns, utc_offset_ns) for name, meter in self.meters.items()}

    def restore(self, states: dict[str, MeterState], now_ns: int, utc_offset_ns: int) -> None:
        """Add what an earlier run used; meters that no longer exist are left out."""
        for name, state in states.items():
            meter = self.meters.get(name)
            if meter is not None:
                meter.restore(state, now_ns, utc_offset_ns)

    def _meter(self, name: str, quota: int | None) -> Meter | None:
        if quota is None:
            self.meters.pop(name, None)
            return None
        spec = self.spec
        limit = max(1, quota * spec.quota_share_ppm // FULL_PPM) if quota else 0
        meter = self.meters.get(name)
        if meter is None or meter.period_ns != spec.period_ns:
            guard_ns = self.guard_ns if meter is not None else spec.least_guard_ns
            meter = self.meters[name] = Meter(limit, spec.period_ns, guard_ns, bursts=spec.burst)
        elif meter.limit != limit:
            meter.resize(limit)
        return meter

    def _slots(self, endpoint: EndpointSpec) -> Flight | None:
        group = endpoint.group("batch")
        if endpoint.batch is None:
            self._batch.pop(group, None)
            return None
        slots = self._batch.setdefault(group, Flight(endpoint.batch, adaptive=False))
        slots.resize(endpoint.batch)
        return slots


def make_limits(spec: SemaphoreSpec) -> Limits:
    """Limits as the spec states them, nothing used."""
    return Limits(spec)
