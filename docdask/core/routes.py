"""What is configured for Document AI: processors, where they are, and which document goes to which.

Rules: values only, checked when they are made, and the same after a trip through JSON; the first route that matches a
document wins; what matches no route goes to the last resort, the *default route*, which takes everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from fnmatch import fnmatchcase
from typing import Any, Literal

from docdask.core.limits import DEFAULT_BOOK, LOCATIONS, LimitBook, ProcessorLimits
from docdask.core.prices import Price, price_list
from docdask.errors import UsageError

#: How a document is sent. ``auto``: the plan decides between ``online`` and ``batch``.
Lane = Literal["auto", "online", "batch", "offline"]
LANES: tuple[Lane, ...] = ("auto", "online", "batch", "offline")


@dataclass(frozen=True, slots=True)
class Place:
    """One processor resource in one location."""

    location: str
    """``us``, ``eu`` or a single region."""
    processor: str
    """``projects/P/locations/L/processors/ID``."""
    version: str = ""
    """Id of the processor version that is called; empty while it was not looked up."""

    def __post_init__(self) -> None:
        parts = self.processor.split("/")
        if len(parts) != 6 or parts[::2] != ["projects", "locations", "processors"] or not all(parts):
            raise UsageError(
                f"{self.processor!r} is no processor",
                "write projects/PROJECT/locations/LOCATION/processors/ID",
            )
        if parts[3] != self.location:
            raise UsageError(
                f"processor {self.processor} is not in {self.location!r}", f"its location is {parts[3]!r}"
            )

    @property
    def target(self) -> str:
        """Resource name to call: of the pinned version, else of the processor."""
        return f"{self.processor}/processorVersions/{self.version}" if self.version else self.processor

    @property
    def project(self) -> str:
        """Project id or number."""
        return self.processor.split("/")[1]


@dataclass(frozen=True, slots=True)
class Processor:
    """A processor as the user calls it: one type and version, in one or several places."""

    alias: str
    processor_type: str
    places: tuple[Place, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    """``ProcessOptions`` in Google's JSON names; they change results."""
    pack: bool | None = None
    """Join small documents into one request, as many as fit. None: for OCR only, as far as it costs no time. Refused where results are
    not per page."""
    imageless: bool = True
    """30 pages a call instead of 15, and no page images in the answer."""
    field_mask: str = ""
    """Of the answer; empty: everything but page images."""

    def __post_init__(self) -> None:
        if not self.places:
            raise UsageError(f"processor {self.alias!r} is nowhere", "name at least one place for it")
        if len({place.location for place in self.places}) != len(self.places):
            raise UsageError(
                f"processor {self.alias!r} is named twice in one location", "give each location one processor"
            )
        if len({place.version for place in self.places}) != 1:
            versions = ", ".join(f"{place.location}: {place.version or 'none'}" for place in self.places)
            raise UsageError(
                f"processor {self.alias!r} has several versions ({versions})",
                "pin the same version everywhere: results must not depend on where a call went",
            )
        if self.pack and not DEFAULT_BOOK.processor(self.processor_type).per_page:
            raise UsageError(
                f"processor {self.alias!r} ({self.processor_type}) can't pack: its results belong to whole documents",
                "leave pack away; only OCR and form parser have results that are per page",
            )
        if self.pack and not self._unpackable:
            raise UsageError(
                f"processor {self.alias!r} can't pack with the field mask {self.field_mask!r}: "
                "nothing would tell whose the text of a common answer is",
                "add text and pages.layout to the mask, or leave pack away",
            )

    @property
    def version(self) -> str:
        """Pinned version, the same in all places."""
        return self.places[0].version

    @property
    def packs(self) -> bool:
        """Whether small documents share requests."""
        if self.pack is None:
            return self.processor_type == "OCR_PROCESSOR" and self._unpackable
        return self.pack

    @property
    def _unpackable(self) -> bool:
        """Whether a common answer would hold what it is taken apart by."""
        paths = {path.strip() for path in self.field_mask.split(",")} - {""}
        anchors = {"pages", "pages.layout", "pages.layout.text_anchor", "pages.layout.textAnchor"}
        return not paths or "*" in paths or ("text" in paths and bool(anchors & paths))

    @property
    def engine_id(self) -> str:
        """``documentai.TYPE/version``, as units and tables name it."""
        return f"documentai.{self.processor_type}/{self.version}"

    @property
    def premium(self) -> bool:
        """Whether add-ons are on that are billed per page on top."""
        features = (self.options.get("ocrConfig") or {}).get("premiumFeatures") or {}
        return any(features.values())

    def limits(self, book: LimitBook) -> ProcessorLimits:
        """Page limits of its type."""
        return book.processor(self.processor_type)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a route may look at."""

    uri: str
    mime_type: str
    pages: int
    text_pages: int
    kind: str
    processor: str = ""
    """From the column ``processor`` of the source list."""
    lane: str = ""
    """From its column ``lane``."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where documents that match go. A field that is not given matches everything."""

    name: str
    engine: Literal["documentai", "offline"] = "documentai"
    processor: str = ""
    """Alias. With ``offline`` and ``escalate_below``: where documents go that the offline engine reads badly."""
    lane: Lane = "auto"
    group: str = ""
    """Worker group; empty: the document's own."""
    kind: str = ""
    path: str = ""
    """Glob over the whole URI."""
    type: str = ""
    """MIME type, or a glob such as ``image/*``."""
    min_pages: int = 0
    max_pages: int = 0
    """0: no limit."""
    text_layer: bool | None = None
    """Whether every page has a usable text layer."""
    escalate_below: float = 0.0
    """Mean confidence of the offline engine below which the document goes to ``processor`` as well; 0: never."""

    def matches(self, facts: Facts) -> bool:
        """Whether a document goes this way."""
        return (
            (not self.kind or self.kind == facts.kind)
            and (not self.path or fnmatchcase(facts.uri, self.path))
            and (not self.type or fnmatchcase(facts.mime_type, self.type))
            and facts.pages >= self.min_pages
            and (not self.max_pages or facts.pages <= self.max_pages)
            and (self.text_layer is None or self.text_layer == (facts.text_pages >= facts.pages > 0))
        )


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything about Document AI that a run needs to know, but for credentials."""

    project: str
    location: str
    """Default location; every processor names its own."""
    processors: Mapping[str, Processor]
    routes: tuple[Route, ...]
    """In order; the last one takes everything."""
    staging: str = ""
    """``gs://bucket/prefix`` for batch inputs and outputs; empty: no batch lane."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """Overrides of :class:`docdask.core.limits.LimitBook`: quotas as read from the project, or as you know them."""
    assumed: bool = True
    """The quotas are those of a new project, not read from this one."""
    quota_share: float = 0.9
    """Part of each quota that is used; the rest is left to other programs of the project."""
    used_pages: Mapping[str, int] = field(default_factory=dict)
    """Processor type → pages billed already this month."""
    free_pages: int | None = None
    """Free OCR pages of the month that are left; None: all that ``used_pages`` leaves."""
    prices: Mapping[str, float] = field(default_factory=dict)
    """Prices that you agreed on, see :func:`docdask.core.prices.price_list`."""
    residency: tuple[str, ...] = ()
    """Locations that data may go to; empty: all in which processors are configured."""
    period_s: float = 60.0
    """What a minute is; an emulator may run faster."""
    emulated: bool = False
    """Calls go to an emulator: nothing is billed."""

    def __post_init__(self) -> None:
        if not self.routes:
            raise UsageError("no route is configured", "name at least one processor")
        for route in self.routes:
            self._check(route)
        for processor in self.processors.values():
            for place in processor.places:
                if place.location not in LOCATIONS:
                    raise UsageError(
                        f"processor {processor.alias!r} is in {place.location!r}, where Document AI is not",
                        f"use one of {', '.join(LOCATIONS)}",
                    )
        if not 0 < self.quota_share <= 1:
            raise UsageError(
                f"quota_share = {self.quota_share} is outside 0 to 1", "use 1.0 for the whole quota"
            )
        _ = self.book  # an override that names nothing is an error now, not at the first call
        _ = self.price_list

    def _check(self, route: Route) -> None:
        needs = route.engine == "documentai" or route.escalate_below > 0
        if needs and route.processor not in self.processors:
            raise UsageError(
                f"route {route.name!r} leads to processor {route.processor!r}, which is not configured",
                f"configured: {', '.join(self.processors) or 'none'}",
            )
        if route.lane not in LANES:
            raise UsageError(
                f"route {route.name!r} has lane {route.lane!r}", f"use one of {', '.join(LANES)}"
            )
        if route.lane == "batch" and not self.staging:
            raise UsageError(
                f"route {route.name!r} uses the batch lane, and there is no bucket for it",
                'name one: staging = "gs://bucket/prefix"',
            )
        if not 0 <= route.escalate_below <= 1:
            raise UsageError(
                f"route {route.name!r}: escalate_below = {route.escalate_below} is no confidence",
                "use 0 to 1",
            )

    @property
    def book(self) -> LimitBook:
        """Limits and quotas that hold for this project."""
        return DEFAULT_BOOK.override(self.limits)

    @property
    def price_list(self) -> Mapping[str, Price]:
        """Prices that hold for this project."""
        return price_list(self.prices)

    def route(self, facts: Facts) -> Route:
        """Way of a document: what its source list says, else the first route that matches.

        Raises
        ------
        UsageError
            If the list names a processor or lane that is not configured, or no route matches.
        """
        if "offline" in (facts.processor, facts.lane):
            return Route("offline", engine="offline", lane="offline")
        if facts.processor or facts.lane:
            return self._listed(facts)
        for route in self.routes:
            if route.matches(facts):
                return route
        raise _no_route(facts)

    def _listed(self, facts: Facts) -> Route:
        """Way of a document whose source list names a processor or a lane; the rest is as its route says."""
        matching = next((route for route in self.routes if route.matches(facts)), None)
        named = facts.processor or (matching.name if matching else "")
        name = f"{named}-{facts.lane}" if facts.lane else named
        lane: Any = facts.lane or "auto"
        if facts.processor:
            group = matching.group if matching else ""
            route = Route(name, processor=facts.processor, lane=lane, group=group)
        elif matching is None:
            raise _no_route(facts)
        elif matching.engine == "offline" and not matching.processor:
            raise UsageError(
                f"lane {lane!r} leads nowhere: route {matching.name!r} is offline and names no processor",
                "name a processor beside the lane",
            )
        else:
            route = replace(matching, name=name, lane=lane)
        self._check(route)
        return route

    def to_json(self) -> dict[str, Any]:
        """JSON object of everything."""
        found = asdict(self)
        found["routes"] = [_without_defaults(route) for route in self.routes]
        return found

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Configuration:
        """Configuration from what :meth:`to_json` made."""
        known = {f.name for f in fields(cls)}
        own = {key: item for key, item in value.items() if key in known}
        own["processors"] = {
            alias: Processor(**{**row, "places": tuple(Place(**place) for place in row["places"])})
            for alias, row in value["processors"].items()
        }
        own["routes"] = tuple(Route(**row) for row in value["routes"])
        own["residency"] = tuple(value.get("residency", ()))
        return cls(**own)

    def results(self) -> dict[str, Any]:
        """What of it changes results, as JSON: the options by which a run is told from another."""
        return {
            "emulated": self.emulated,
            "project": self.project,
            "processors": {
                alias: {
                    "type": processor.processor_type,
                    "version": processor.version,
                    "options": dict(processor.options),
                    "field_mask": processor.field_mask,
                    "imageless": processor.imageless,
                }
                for alias, processor in self.processors.items()
            },
            "routes": [_without_defaults(route) for route in self.routes],
        }

    @property
    def billing(self) -> str:
        """Whether money is spent, in one phrase."""
        if self.emulated:
            return "EMULATED: nothing billed"
        places = sorted({place.location for row in self.processors.values() for place in row.places})
        return f"Google project {self.project}, location {', '.join(places)}: real money"


def _no_route(facts: Facts) -> UsageError:
    return UsageError(
        f"no route takes {facts.uri} ({facts.mime_type}, {facts.pages} pages, kind {facts.kind})",
        "end the routes with one that takes everything",
    )


def _without_defaults(route: Route) -> dict[str, Any]:
    plain = Route(route.name)
    return {
        f.name: getattr(route, f.name)
        for f in fields(route)
        if f.name == "name" or getattr(route, f.name) != getattr(plain, f.name)
    }
