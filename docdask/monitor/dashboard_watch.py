"""What the dashboard knows: one look at the governor, and the last minutes of those looks.

Rules:

1. The governor is read while somebody looks, and once for all who look in the same half second.
2. Everything is bounded: so many semaphores, endpoints, runs, lines and points; what is left out is counted.
3. A rate is what was added over the last half minute that was looked at, so it is unknown at the first look.

Drawn by :mod:`docdask.monitor.dashboard_html` and ``dashboard_plots``.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from docdask.core import views
from docdask.core.governor import Governor
from docdask.core.views import BudgetView, EndpointView, MeterView, SemaphoreView
from docdask.engine.clock import Clock

SECOND_NS = 1_000_000_000
#: Looks closer together than this are one.
SAME_LOOK_NS = 2 * SECOND_NS // 5
#: Points of the history: one a second, ten minutes.
POINT_NS = SECOND_NS
MOST_POINTS = 600
#: Time over which rates are taken, and least time that makes one.
RATE_NS = 30 * SECOND_NS
LEAST_RATE_NS = 3 * SECOND_NS // 2
MOST_SEMAPHORES = 8
MOST_ENDPOINTS = 12
MOST_RUNS = 10
#: Endpoints that are drawn over time.
MOST_LINES = 5


class Gauge(NamedTuple):
    """Something of which only so much may be used."""

    used: int
    limit: int | None
    share_ppm: int = 1_000_000
    """Part of the limit that others leave."""
    shared: int = 1
    """Endpoints that draw on it."""

    @property
    def percent(self) -> float | None:
        """Used part of the limit; None without a limit."""
        return 100 * self.used / self.limit if self.limit else None


class EndpointRow(NamedTuple):
    """One endpoint."""

    semaphore: str
    name: str
    location: str
    breaker: str
    requests: Gauge | None
    pages: Gauge | None
    in_flight: Gauge
    batch: Gauge | None

    @property
    def key(self) -> tuple[str, str]:
        """Tells it from all others."""
        return self.semaphore, self.name

    @property
    def quota_percent(self) -> float | None:
        """How full its fullest quota is; None if it has none."""
        shares = [g.percent for g in (self.requests, self.pages) if g is not None and g.percent is not None]
        return max(shares, default=None)


class RunRow(NamedTuple):
    """What a run, or (``run == ""``) everything of a semaphore, has spent, may spend, and has left to do."""

    semaphore: str
    budget: BudgetView
    pages_per_minute: float | None
    eta_s: float | None
    """Until what is announced, waits or is in flight is done at this rate; None if unknown."""

    @property
    def calls_left(self) -> int:
        """Calls that are announced or wait."""
        return self.budget.calls_announced + self.budget.calls_waiting


class Point(NamedTuple):
    """One moment of the history."""

    at_ns: int
    quota_percent: dict[tuple[str, str], float | None]
    in_flight: dict[tuple[str, str], int]
    waiting: dict[str, int]
    granted: dict[str, int]
    pages: dict[tuple[str, str], int]
    """Pages spent so far, by semaphore and run."""
    pages_per_minute: float | None


@dataclass(frozen=True, slots=True)
class Reading:
    """One look."""

    at_ns: int
    utc_ms: float
    semaphores: tuple[SemaphoreView, ...] = ()
    more_semaphores: int = 0
    endpoints: tuple[EndpointRow, ...] = ()
    more_endpoints: int = 0
    users: tuple[tuple[str, Gauge], ...] = ()
    """Semaphore and calls of its user, where those are limited."""
    runs: tuple[RunRow, ...] = ()
    more_runs: int = 0
    waiting: dict[str, int] | None = None
    calls_per_minute: float | None = None
    pages_per_minute: float | None = None
    lines: tuple[tuple[str, str], ...] = ()
    """Endpoints that are drawn over time, each at its place."""

    @property
    def totals(self) -> tuple[RunRow, ...]:
        """The row of each semaphore as a whole."""
        return tuple(row for row in self.runs if not row.budget.run)


class Watch:
    """Looks at a governor, and remembers.

    Parameters
    ----------
    governor
        Gives the governor, or None while there is none.
    clock
        The governor's, or one that counts as it does.
    """

    def __init__(self, governor: Callable[[], Governor | None], clock: Clock) -> None:
        self._governor = governor
        self._clock = clock
        self._last: Reading | None = None
        self._lines: list[tuple[str, str]] = []
        self.points: deque[Point] = deque(maxlen=MOST_POINTS)
        self.taken = 0
        """Points taken so far, those forgotten included."""

    def look(self) -> Reading:
        """The governor as it is now; the same reading for all who look at the same time."""
        now_ns = self._clock.now_ns()
        if self._last is not None and 0 <= now_ns - self._last.at_ns < SAME_LOOK_NS:
            return self._last
        reading = self._read(now_ns)
        due = not self.points or now_ns - self.points[-1].at_ns >= POINT_NS
        if due and reading.semaphores:
            self.points.append(_point(reading))
            self.taken += 1
        self._last = reading
        return reading

    def utc_ms(self, at_ns: int) -> float:
        """Wall clock for a chart's axis."""
        return (at_ns + self._clock.utc_offset_ns) / 1e6

    def _read(self, now_ns: int) -> Reading:
        governor = self._governor()
        utc_ms = self.utc_ms(now_ns)
        if governor is None or not governor.pools:
            return Reading(now_ns, utc_ms)
        names = views.busiest(governor, MOST_SEMAPHORES)
        seen = tuple(views.view(governor, n, now_ns=now_ns, most_runs=MOST_RUNS) for n in sorted(names))
        endpoints = [row for view in seen for row in _endpoints(view)]
        shown = _busiest_endpoints(endpoints)
        self._lines = _lines(self._lines, shown)
        since = self._recent(now_ns)
        rows = [_run(view.name, budget, since, now_ns) for view in seen for budget in view.budgets]
        kept = _busiest_runs(rows)
        calls = [_rate(((p.at_ns, p.granted.get(v.name)) for p in since), now_ns, v.granted) for v in seen]
        return Reading(
            now_ns,
            utc_ms,
            semaphores=seen,
            more_semaphores=len(governor.pools) - len(seen),
            endpoints=shown,
            more_endpoints=len(endpoints) - len(shown),
            users=tuple((v.name, _gauge(m)) for v in seen for m in v.meters if m.name == "user"),
            runs=kept,
            more_runs=sum(view.runs for view in seen) - sum(1 for row in kept if row.budget.run),
            waiting=_summed(view.waiting for view in seen),
            calls_per_minute=_known_sum(calls),
            pages_per_minute=_known_sum([row.pages_per_minute for row in rows if not row.budget.run]),
            lines=tuple(self._lines),
        )

    def _recent(self, now_ns: int) -> list[Point]:
        """Points over which a rate is taken, oldest first."""
        found = list(itertools.takewhile(lambda p: now_ns - p.at_ns <= RATE_NS, reversed(self.points)))
        return found[::-1]


def of_scheduler(scheduler: Any, extension: str) -> Watch:
    """Watch over the governor that is, or will be, the extension of that name."""

    def governor() -> Governor | None:
        shell = scheduler.extensions.get(extension)
        return None if shell is None else shell.governor

    return Watch(governor, Clock())


def _rate(before: Iterable[tuple[int, int | None]], now_ns: int, value: int) -> float | None:
    """What was added a minute, since the oldest of the times at which it is known."""
    for at_ns, then in before:
        if then is not None:
            unknown = now_ns - at_ns < LEAST_RATE_NS or value < then
            return None if unknown else (value - then) * 60 * SECOND_NS / (now_ns - at_ns)
    return None


def _known_sum(rates: Sequence[float | None]) -> float | None:
    known = [rate for rate in rates if rate is not None]
    return sum(known) if known else None


def _run(semaphore: str, budget: BudgetView, since: Sequence[Point], now_ns: int) -> RunRow:
    key = (semaphore, budget.run)
    rate = _rate(((point.at_ns, point.pages.get(key)) for point in since), now_ns, budget.pages_spent)
    # Whoever announced calls and not their pages means one page each at least.
    announced = max(budget.pages_announced, budget.calls_announced)
    left = announced + budget.pages_waiting + budget.pages_reserved
    return RunRow(semaphore, budget, rate, left * 60 / rate if left and rate else None)


def _point(reading: Reading) -> Point:
    return Point(
        reading.at_ns,
        {row.key: row.quota_percent for row in reading.endpoints},
        {row.key: row.in_flight.used for row in reading.endpoints},
        dict(reading.waiting or {}),
        {view.name: view.granted for view in reading.semaphores},
        {(row.semaphore, row.budget.run): row.budget.pages_spent for row in reading.runs},
        reading.pages_per_minute,
    )


def _gauge(meter: MeterView, shared: int = 1) -> Gauge:
    return Gauge(meter.used, meter.limit, meter.share_ppm, shared)


def _endpoints(view: SemaphoreView) -> list[EndpointRow]:
    meters = {meter.name: meter for meter in view.meters}
    drawn = [name for e in view.endpoints for name in (e.requests, e.pages) if name]

    def gauge(name: str) -> Gauge | None:
        return _gauge(meters[name], drawn.count(name)) if name in meters else None

    def row(endpoint: EndpointView) -> EndpointRow:
        batch = Gauge(endpoint.batch, endpoint.batch_limit) if endpoint.batch_limit is not None else None
        return EndpointRow(
            view.name, endpoint.name, endpoint.location, endpoint.breaker, gauge(endpoint.requests),
            gauge(endpoint.pages), Gauge(endpoint.in_flight, endpoint.in_flight_limit), batch,
        )  # fmt: skip

    return [row(endpoint) for endpoint in view.endpoints]


def _busy(row: EndpointRow) -> tuple[bool, int, float]:
    """Those in trouble come first, then those at work."""
    return row.breaker != "closed", row.in_flight.used, row.quota_percent or 0.0


def _busiest_endpoints(rows: Sequence[EndpointRow]) -> tuple[EndpointRow, ...]:
    """At most :data:`MOST_ENDPOINTS`, in their own order."""
    if len(rows) <= MOST_ENDPOINTS:
        return tuple(rows)
    best = sorted(range(len(rows)), key=lambda i: _busy(rows[i]), reverse=True)[:MOST_ENDPOINTS]
    return tuple(rows[i] for i in sorted(best))


def _busiest_runs(rows: Sequence[RunRow]) -> tuple[RunRow, ...]:
    """Semaphores as a whole, and at most :data:`MOST_RUNS` runs, in their own order."""
    runs = [i for i, row in enumerate(rows) if row.budget.run]
    best = sorted(runs, key=lambda i: (rows[i].calls_left, rows[i].budget.pages_reserved, i), reverse=True)
    kept = set(best[:MOST_RUNS])
    return tuple(row for i, row in enumerate(rows) if not row.budget.run or i in kept)


def _lines(drawn: Sequence[tuple[str, str]], rows: Sequence[EndpointRow]) -> list[tuple[str, str]]:
    """Endpoints to draw: those that are drawn keep their place while they exist, unless others work and they don't."""
    by_key = {row.key: row for row in rows}
    lines = [key for key in drawn if key in by_key]
    order = sorted(rows, key=lambda row: (_busy(row)[1:], row.key), reverse=True)
    wanting = [row for row in order if row.key not in lines]
    while wanting and len(lines) < MOST_LINES:
        lines.append(wanting.pop(0).key)
    for row in wanting:
        idle = next((i for i, key in enumerate(lines) if not any(_busy(by_key[key])[1:])), None)
        if idle is None or not any(_busy(row)[1:]):
            break
        lines[idle] = row.key
    return lines


def _summed(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for count in counts:
        for name, number in count.items():
            total[name] = total.get(name, 0) + number
    return total
