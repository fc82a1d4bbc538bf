"""What is simulated: documents, quotas, regions, workers, and what goes wrong when; one frozen value, checked when made.

Times are seconds after the start of the run; inside they are integer nanoseconds. Quotas that are not stated are those
of a new project (:mod:`docdask.core.limits`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from docdask.core.limits import DEFAULT_BOOK, LOCATIONS, LimitBook, region_kind
from docdask.core.pages import whole_pages
from docdask.core.retry import RetryPolicy
from docdask.core.server import GOOGLE, PREMADE, Faults, Latency, ServerSettings, Switches, make_window
from docdask.core.spec import FULL_PPM, LANES, SECOND_NS, UNLIMITED, BudgetSpec, EndpointSpec, SemaphoreSpec
from docdask.errors import UsageError

#: A worker that is alive says so, in reality every few seconds. Simulated workers die only when an incident says so, so
#: a longer lease changes nothing but the number of signs of life.
LEASE_NS = 3600 * SECOND_NS


def nanoseconds(seconds: float) -> int:
    """Seconds as integer nanoseconds."""
    return round(seconds * SECOND_NS)


def _finite(name: str, value: float) -> None:
    if not math.isfinite(value) or value < 0:
        raise UsageError(f"{name} is {value}", "give a number of seconds, 0 or more")


@dataclass(frozen=True, slots=True)
class Load:
    """Documents of one run: all there from its start, or arriving one after another."""

    pages: Sequence[int]
    """Pages of each document, each at least 1."""
    lane: str = "normal"
    name: str = "run"
    start_s: float = 0.0
    every_s: float = 0.0
    """Time between two documents; 0: all are there at ``start_s``."""
    budget: BudgetSpec = UNLIMITED
    """Most that this run may spend."""

    def __post_init__(self) -> None:
        _finite("start_s", self.start_s)
        _finite("every_s", self.every_s)
        if len(self.pages) and min(self.pages) < 1:
            raise UsageError(f"a document of {min(self.pages)} pages can't be sent", "give 1 page or more")


@dataclass(frozen=True, slots=True)
class Incident:
    """Something goes wrong at ``at_s`` and is mended at ``until_s``."""

    at_s: float
    faults: Faults = field(default_factory=Faults)
    """Shares of calls that fail, regions that are down; incidents at the same time add up."""
    until_s: float = math.inf
    workers_lost: int = 0
    """Workers that die at ``at_s``; their calls in flight are paid for and lost. They do not come back."""

    def __post_init__(self) -> None:
        _finite("at_s", self.at_s)
        if not self.until_s > self.at_s:
            raise UsageError(
                f"an incident from {self.at_s:g} s until {self.until_s:g} s has no time in it",
                "let it end after it begins",
            )
        if self.workers_lost < 0:
            raise UsageError(f"workers_lost is {self.workers_lost}", "give 0 or more")
        unknown = [region for region in self.faults.regions_down if region not in LOCATIONS]
        if unknown:
            raise UsageError(f"no location {unknown[0]!r}", f"locations: {', '.join(LOCATIONS)}")


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that decides the result."""

    loads: tuple[Load, ...]
    regions: tuple[str, ...] = ("us",)
    requests: int | None = None
    """Online requests a minute of each region's quota; None for the default."""
    pages: int | None = None
    """Pages a minute of each region's quota, for types that are metered so; None for the default."""
    user_requests: int | None = None
    """Calls a minute of one user over all regions; None for the default."""
    quota_share: float = 1.0
    """Part of each quota that the run may use."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """Overrides of :class:`docdask.core.limits.LimitBook`; what is stated above wins."""
    imageless: bool = False
    """Whether calls use the imageless mode, which takes more pages."""
    processor_type: str = "OCR_PROCESSOR"
    pages_per_call: int | None = None
    """Most pages of one call; None for the processor type's limit."""
    workers: int = 8
    calls_per_worker: int = 64
    """Permits that one worker wants or holds for one run at a time."""
    in_flight: int | None = None
    """Most calls in flight to one region; None: the governor finds it."""
    window: str = "sliding"
    """How the service meters a minute, see :func:`docdask.core.server.make_window`."""
    latency: Latency = GOOGLE
    travel_s: tuple[float, float] = (0.005, 0.05)
    """Least and most time from a permit's grant to its call's arrival, drawn evenly."""
    incidents: tuple[Incident, ...] = ()
    switches: Switches = field(default_factory=Switches)
    lanes: tuple[tuple[str, int], ...] = LANES
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    horizon_s: float = 30 * 86_400.0
    """The simulation ends then, whatever is left."""
    seed: int = 0

    def __post_init__(self) -> None:
        _check_places(self)
        _check_numbers(self)

    @property
    def book(self) -> LimitBook:
        """Limits and quotas in force."""
        stated = {
            "online_requests": self.requests,
            "online_pages": self.pages,
            "user_requests": self.user_requests,
        }
        book = DEFAULT_BOOK.override(self.limits)
        return book.override({name: value for name, value in stated.items() if value is not None})

    @property
    def most_pages(self) -> int:
        """Most pages of one call."""
        limits = self.book.processor(self.processor_type)
        return self.pages_per_call or whole_pages(limits, lane="online", imageless=self.imageless)

    def spec(self) -> SemaphoreSpec:
        """What the governor is told."""
        book, kind = self.book, self.processor_type
        metered = book.processor(kind).generative
        endpoints = []
        for region in self.regions:
            place = region_kind(region)
            shared = place == "single" and self.switches.single_regions_shared
            group = f"single/{kind}" if shared else ""
            endpoints.append(
                EndpointSpec(
                    endpoint_of(region, kind),
                    location=region,
                    requests=book.quota("online_requests", place, kind),
                    pages=book.quota("online_pages", place, kind) if metered else None,
                    in_flight=self.in_flight,
                    requests_group=group,
                    pages_group=group,
                )
            )
        return SemaphoreSpec(
            tuple(endpoints),
            user_requests=book.quota("user_requests", "us"),
            quota_share_ppm=round(self.quota_share * FULL_PPM),
            lease_ns=LEASE_NS,
            lanes=self.lanes,
        )

    def server(self) -> ServerSettings:
        """What the model of the service is told."""
        return ServerSettings(
            limits=self.book, window=self.window, latency=self.latency, switches=self.switches
        )

    @property
    def processor(self) -> str:
        """Id of the pre-made processor of this type."""
        return next(id_ for id_, kind in PREMADE.items() if kind == self.processor_type)


def endpoint_of(region: str, processor_type: str) -> str:
    """Name of the endpoint, as the governor and all frames have it."""
    return f"{region}/{processor_type}"


def _check_places(scenario: Scenario) -> None:
    if not scenario.regions:
        raise UsageError("a scenario without regions has nowhere to call", "give regions=('us',)")
    for region in scenario.regions:
        if region not in LOCATIONS:
            raise UsageError(f"no location {region!r}", f"locations: {', '.join(LOCATIONS)}")
    if scenario.processor_type not in PREMADE.values():
        raise UsageError(
            f"no model of processor type {scenario.processor_type!r}", f"types: {', '.join(PREMADE.values())}"
        )
    lanes = [name for name, _ in scenario.lanes]
    for load in scenario.loads:
        if load.lane not in lanes:
            raise UsageError(f"no lane {load.lane!r}", f"lanes: {', '.join(lanes)}")
    names = [load.name for load in scenario.loads]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two loads are named {name!r}", "give each load its own name")


def _check_numbers(scenario: Scenario) -> None:
    for name in ("workers", "calls_per_worker"):
        if getattr(scenario, name) < 1:
            raise UsageError(f"{name} is {getattr(scenario, name)}", "give 1 or more")
    if not 0 < scenario.quota_share <= 1:
        raise UsageError(f"quota_share is {scenario.quota_share}", "give a share above 0, at most 1")
    low, high = scenario.travel_s
    if not 0 <= low <= high < math.inf:
        raise UsageError(f"travel_s is {scenario.travel_s}", "give the least and the most, in seconds")
    if not 0 < scenario.horizon_s < math.inf:
        raise UsageError(f"horizon_s is {scenario.horizon_s}", "give a number of seconds above 0")
    limits = scenario.book.processor(scenario.processor_type)
    limit = whole_pages(limits, lane="online", imageless=scenario.imageless)
    if scenario.pages_per_call is not None and not 1 <= scenario.pages_per_call <= limit:
        raise UsageError(
            f"pages_per_call is {scenario.pages_per_call}",
            f"{scenario.processor_type} takes 1 to {limit} pages a call",
        )
    make_window(scenario.window, 1)  # says what is wrong with the name
    scenario.spec()  # and with a quota below 0
