"""What the configured places let through: requests and pages a second, batch operations at a time.

Rules: requests are counted by kind of region and processor type (all single regions share one quota, by the hostile
reading of an undocumented point), whichever alias they go to; pages only for generative types; batch operations by
location, in a single region by processor. Of each rate the configured share is used. A minute is the configuration's
``period_s``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from docdask.core.limits import LimitBook, RegionKind, region_kind
from docdask.core.routes import Configuration, Processor

#: Part of a quota that the governor's even pace gets out of it (docdask.core.meter: guard and slack).
PACE = 0.99


@dataclass(frozen=True, slots=True)
class Capacity:
    """Of one processor type over its places."""

    processor_type: str
    title: str
    regions: tuple[RegionKind, ...]
    """Kinds of regions whose quotas it draws on, each once."""
    requests_minute: int
    """Online requests of one period over all places, the configured share of the quotas."""
    pages_minute: int | None
    """Online pages of one period; None where they are not metered."""
    operations: int
    """Batch operations at a time."""
    period_s: float = 60.0
    share: float = 1.0
    """Part of each quota that is used."""

    @property
    def whose(self) -> str:
        """Whose quota it is, after the number: *108 requests/min, 90 % of the quota of Document OCR (us)*."""
        part = "the quota" if self.share == 1 else f"{self.share * 100:g} % of the quota"
        return f"{part} of {self.title} ({', '.join(self.regions)})"

    @property
    def request_s(self) -> float:
        """Seconds of the quota that one request takes; infinite where it is closed."""
        return self.period_s / (self.requests_minute * PACE) if self.requests_minute else math.inf

    @property
    def page_s(self) -> float:
        """Seconds of the quota that one page takes; 0 where pages are not metered."""
        if self.pages_minute is None:
            return 0.0
        return self.period_s / (self.pages_minute * PACE) if self.pages_minute else math.inf

    def call_s(self, pages: int) -> float:
        """Seconds of the quota that a call of so many pages takes."""
        return max(self.request_s, pages * self.page_s)


def capacity(processors: Iterable[Processor], configuration: Configuration) -> Capacity:
    """Capacity of processors of one type.

    Parameters
    ----------
    processors
        All of them that are used, at least one.
    configuration
        Quotas, share, period.
    """
    listed = tuple(processors)
    kind = listed[0].processor_type
    book, share = configuration.book, configuration.quota_share
    places = {(place.location, place.processor) for processor in listed for place in processor.places}
    regions = tuple(dict.fromkeys(region_kind(location) for location, _ in sorted(places)))
    limits = book.processor(kind)
    return Capacity(
        kind,
        limits.title,
        regions,
        _shared(book, "online_requests", regions, kind, share),
        _shared(book, "online_pages", regions, kind, share) if limits.generative else None,
        _operations(book, kind, places),
        configuration.period_s,
        share,
    )


def _shared(
    book: LimitBook, quota: str, regions: Iterable[RegionKind], processor_type: str, share: float
) -> int:
    """The configured share of each region's quota, at least 1 of one that is not closed; as the governor has it."""
    limits = (book.quota(quota, region, processor_type) for region in regions)
    return sum(max(1, math.floor(limit * share)) for limit in limits if limit)


def _operations(book: LimitBook, processor_type: str, places: set[tuple[str, str]]) -> int:
    """Slots: of us and eu once, of single regions once for each processor."""
    slots = {place if region_kind(place[0]) == "single" else (place[0], "") for place in places}
    return sum(book.quota("batch_operations", region_kind(location), processor_type) for location, _ in slots)
