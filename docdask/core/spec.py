"""What a semaphore promises to hold: its endpoints, quotas, lanes and the settings of its parts.

A :class:`SemaphoreSpec` is checked when it is made, so that an impossible one never reaches the governor. ``None``
means *no limit of that kind*; 0 means *closed*: whoever wants a permit there is refused with that reason. All times
are integer nanoseconds, all money is in micro-dollars, all shares in parts per million.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from docdask.errors import UsageError

#: What a permit is for. ``online``: one call; ``batch``: one operation, held until the operation ends; ``poll``: a
#: small call that counts for the user alone (GetOperation and the like).
Kind = Literal["online", "batch", "poll"]
KINDS: tuple[Kind, ...] = ("online", "batch", "poll")

#: What endpoints may draw on together.
QUOTAS: tuple[Literal["requests", "pages", "batch"], ...] = ("requests", "pages", "batch")

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
FULL_PPM = 1_000_000

#: Weights of the lanes: of 21 calls under full load, 16 are interactive, 4 normal, 1 bulk.
LANES = (("interactive", 16), ("normal", 4), ("bulk", 1))


def _whole(name: str, value: object) -> None:
    if not isinstance(value, int):
        raise UsageError(f"{name} is {value!r}", "use a whole number; None where there is no limit")


def _not_negative(name: str, value: int | None) -> None:
    if value is None:
        return
    _whole(name, value)
    if value < 0:
        raise UsageError(
            f"{name} is {value}", "use 0 to close it, a positive number to limit it, None for no limit"
        )


def _positive(name: str, value: int) -> None:
    _whole(name, value)
    if value <= 0:
        raise UsageError(f"{name} is {value}", "use a positive number")


def _unique(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise UsageError(f"{what} {name!r} is named twice", f"give each {what} its own name")
        seen.add(name)


@dataclass(frozen=True, slots=True)
class BudgetSpec:
    """Most that may be spent; None for no limit."""

    pages: int | None = None
    micros: int | None = None
    """Micro-dollars."""

    def __post_init__(self) -> None:
        _not_negative("budget.pages", self.pages)
        _not_negative("budget.micros", self.micros)


@dataclass(frozen=True, slots=True)
class BreakerSpec:
    """When an endpoint counts as failed, and how long it is left alone."""

    failures: int = 5
    """Failures in a row that open the breaker."""
    window: int = 20
    """Outcomes looked back at; half of them failed opens it too."""
    open_ns: int = 5 * SECOND_NS
    """First pause before a probe; doubles with each failed probe."""
    open_most_ns: int = MINUTE_NS
    probes: int = 2
    """Probes that must succeed before the breaker closes."""
    silence_ns: int = 3 * SECOND_NS
    """Least silence, with calls in flight, that counts as failed (also: three times the longest recent call)."""

    def __post_init__(self) -> None:
        for name in ("failures", "window", "open_ns", "open_most_ns", "probes", "silence_ns"):
            _positive(f"breaker.{name}", getattr(self, name))


#: No limit on what may be spent.
UNLIMITED = BudgetSpec()
#: The breaker's settings unless told otherwise.
BREAKER = BreakerSpec()


@dataclass(frozen=True, slots=True)
class EndpointSpec:
    """One place to call: location × processor type × version, and what it allows.

    Endpoints that draw on one quota (two versions of one processor type share requests/min) name the same group.
    """

    name: str
    location: str = ""
    """Where the data goes, for the residency rule."""
    requests: int | None = None
    """Requests a period."""
    pages: int | None = None
    """Pages a period."""
    in_flight: int | None = None
    """Most calls in flight."""
    batch: int | None = None
    """Most batch operations at a time."""
    requests_group: str = ""
    pages_group: str = ""
    batch_group: str = ""
    last_resort: bool = False
    """Used only while every other endpoint that the waiter allows has failed."""

    def __post_init__(self) -> None:
        if not self.name:
            raise UsageError(
                "an endpoint has an empty name", "give each endpoint a name, e.g. 'us/OCR_PROCESSOR'"
            )
        for field in ("requests", "pages", "in_flight", "batch"):
            _not_negative(f"endpoint {self.name!r}: {field}", getattr(self, field))

    def group(self, limit: Literal["requests", "pages", "batch"]) -> str:
        """Name of the quota that the endpoint draws on for ``limit``."""
        return getattr(self, f"{limit}_group") or self.name


@dataclass(frozen=True, slots=True)
class SemaphoreSpec:
    """Everything about one semaphore, the same for all who use its name."""

    endpoints: tuple[EndpointSpec, ...]
    period_ns: int = MINUTE_NS
    """What "a minute" is; tests run one in a second."""
    user_requests: int | None = None
    """Calls of any kind a period, over all endpoints; polling and retries counted."""
    quota_share_ppm: int = FULL_PPM
    """Part of each quota that is used at most; the rest is left to other programs of the project."""
    guard_ns: int | None = None
    """Least guard for jitter, added to each window; None for 1/200 of the period (0.3 s a minute)."""
    guard_most_ns: int | None = None
    """Most that measurement may raise the guard to; None for 1/100 of the period, at least 50 ms."""
    burst: bool = True
    """Whether a run that fits into what is free of the period may go at once."""
    adaptive: bool = True
    """Whether calls in flight shrink and grow with what the endpoint can take."""
    in_flight_start: int = 128
    lease_ns: int = 30 * SECOND_NS
    lanes: tuple[tuple[str, int], ...] = LANES
    """Name and weight of each lane."""
    breaker: BreakerSpec = BREAKER
    budget: BudgetSpec = UNLIMITED
    """Of the whole project; a run has its own on top."""
    ledger: bool = False
    """Whether intents and outcomes are recorded, and a grant waits until its intent is durable."""
    shared: bool = False
    """Whether several may use the name with endpoints of their own: the semaphore then has those of all; see :meth:`joined`."""

    def __post_init__(self) -> None:
        if not self.endpoints:
            raise UsageError("a semaphore needs at least one endpoint", "pass endpoints=[EndpointSpec(...)]")
        _positive("period_ns", self.period_ns)
        _positive("lease_ns", self.lease_ns)
        _positive("in_flight_start", self.in_flight_start)
        _not_negative("user_requests", self.user_requests)
        _not_negative("guard_ns", self.guard_ns)
        _not_negative("guard_most_ns", self.guard_most_ns)
        if not 0 < self.quota_share_ppm <= FULL_PPM:
            raise UsageError(
                f"quota_share of {self.quota_share_ppm} ppm is outside 1 to 1,000,000",
                "use 1.0 for the whole quota",
            )
        _unique("endpoint", (endpoint.name for endpoint in self.endpoints))
        _unique("lane", (name for name, _ in self.lanes))
        if not self.lanes:
            raise UsageError("a semaphore needs at least one lane", "leave lanes at its default")
        for name, weight in self.lanes:
            _positive(f"weight of lane {name!r}", weight)
        _agreeing(self.endpoints)

    @property
    def least_guard_ns(self) -> int:
        """Guard in force before anything is measured."""
        return self.period_ns // 200 if self.guard_ns is None else self.guard_ns

    @property
    def most_guard_ns(self) -> int:
        """Guard that measurement can't exceed."""
        most = max(self.period_ns // 100, 50_000_000) if self.guard_most_ns is None else self.guard_most_ns
        return max(most, self.least_guard_ns)

    def joined(self, newer: SemaphoreSpec) -> SemaphoreSpec:
        """Limits for both: all endpoints, and what ``newer`` says where both say something.

        Endpoints that draw on one quota state what ``newer`` states of it.

        Raises
        ------
        UsageError
            If the endpoints can't be together.
        """
        by_name = {one.name: one for one in self.endpoints} | {one.name: one for one in newer.endpoints}
        stated = {
            (limit, one.group(limit)): getattr(one, limit) for limit in QUOTAS for one in newer.endpoints
        }
        endpoints = tuple(
            replace(
                one, **{limit: stated.get((limit, one.group(limit)), getattr(one, limit)) for limit in QUOTAS}
            )
            for one in by_name.values()
        )
        return replace(newer, endpoints=endpoints)

    def differences(self, other: SemaphoreSpec) -> list[str]:
        """Fields in which two specs differ, as ``name: mine, theirs``."""
        return [
            f"{name}: {getattr(self, name)!r}, not {getattr(other, name)!r}"
            for name in self.__dataclass_fields__
            if getattr(self, name) != getattr(other, name)
        ]


def _agreeing(endpoints: tuple[EndpointSpec, ...]) -> None:
    """Endpoints that share a quota must state the same one."""
    for limit in QUOTAS:
        stated: dict[str, EndpointSpec] = {}
        for endpoint in endpoints:
            first = stated.setdefault(endpoint.group(limit), endpoint)
            mine, theirs = getattr(endpoint, limit), getattr(first, limit)
            if mine != theirs:
                raise UsageError(
                    f"endpoints {first.name!r} and {endpoint.name!r} share one {limit} quota but state {theirs} and {mine}",
                    "state the same number, or give them groups of their own",
                )
