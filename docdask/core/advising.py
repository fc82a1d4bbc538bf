"""What would make a plan faster: the same documents worked out under other conditions, by the same means.

Rules: only what the user can change is tried, one thing at a time: packing, imageless calls, batches, a second region, a
larger quota. What is in the plan already and pays is told as such. What saves less than a tenth is not told.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from docdask.core.limits import RegionKind
from docdask.core.planner import MAX_OPERATION_PAGES
from docdask.core.requesting import PDF, Sender
from docdask.core.routes import Configuration
from docdask.core.server.latency import Latency
from docdask.core.traffic import OPEN_CALLS, Traffic, batch_s, online_s

#: What must be saved of the time to be worth a line.
_WORTH = 0.9
#: Quota that Google grants without much ado, requests a minute.
_ASKED = 600


@dataclass(frozen=True, slots=True)
class Advice:
    """One change and what it does to the time of the run."""

    name: str
    """``pack``, ``imageless``, ``batch``, ``region`` or ``quota``."""
    what: str
    """In words, to be followed by *: 14 min instead of 3 h 20 min*."""
    seconds: float
    instead_s: float
    done: bool = False
    """The plan does it already: ``seconds`` is what it takes, ``instead_s`` what it would take without."""


@dataclass(frozen=True, slots=True)
class Case:
    """What one processor gets by the online lane."""

    sender: Sender
    traffic: Traffic
    """All that goes to its type."""
    documents: Mapping[int, int]
    """Pages → documents of so many pages."""
    others_s: float = 0.0
    """What the rest of the run takes, whatever is changed here."""
    open_calls: int = OPEN_CALLS

    def seconds(self, traffic: Traffic, latency: Latency) -> float:
        """Time of the whole run with this traffic instead."""
        return max(self.others_s, online_s(traffic, latency, self.open_calls))


def calls_of(documents: Mapping[int, int], sender: Sender, *, packed: bool) -> Counter[int]:
    """Calls that documents become: pages of a call → how many.

    Parameters
    ----------
    documents
        Pages → documents of so many pages.
    sender
        Says what one call takes.
    packed
        Whether small documents share calls; their number is then the least possible.
    """
    whole = sender.whole("online")
    found: Counter[int] = Counter()
    small = 0
    for pages, count in documents.items():
        if packed and pages < whole:
            small += pages * count
            continue
        for span in sender.ranges(PDF, pages, "online"):
            found[len(span)] += count
        if pages <= whole:
            found[pages] += count
    if small:
        found[whole] += small // whole
        found[small % whole] += 1
    return Counter({pages: count for pages, count in found.items() if pages and count})


def advise(case: Case, configuration: Configuration, latency: Latency) -> list[Advice]:
    """What would make the run faster, the best first; then what the plan does already."""
    now_s = case.seconds(case.traffic, latency)
    tried = [
        *_packing(case, latency, now_s),
        *_batches(case, configuration, latency, now_s),
        *_capacities(case, configuration, latency, now_s),
    ]
    better = [advice for advice in tried if not advice.done and advice.seconds < _WORTH * advice.instead_s]
    kept = [advice for advice in tried if advice.done and advice.seconds < _WORTH * advice.instead_s]
    return sorted(better, key=lambda advice: advice.seconds) + kept


def _packing(case: Case, latency: Latency, now_s: float) -> Iterator[Advice]:
    sender, traffic = case.sender, case.traffic
    processor = sender.processor
    if not sender.limits.per_page:
        return
    own = calls_of(case.documents, sender, packed=processor.packs)
    rest = Counter(traffic.calls)
    rest.subtract(own)  # what other processors of this type send
    rest = Counter({pages: count for pages, count in rest.items() if count > 0})
    other = replace(traffic, calls=rest + calls_of(case.documents, sender, packed=not processor.packs))
    other_s = case.seconds(other, latency)
    if processor.packs:
        yield Advice("pack", "packing", now_s, other_s, done=True)
    else:
        yield Advice("pack", f"pack = true for {processor.alias}", other_s, now_s)
    if not processor.imageless and processor.packs:
        longer = replace(sender, processor=replace(processor, imageless=True))
        fewer = replace(traffic, calls=rest + calls_of(case.documents, longer, packed=True))
        yield Advice(
            "imageless", f"imageless = true for {processor.alias}", case.seconds(fewer, latency), now_s
        )


def _batches(case: Case, configuration: Configuration, latency: Latency, now_s: float) -> Iterator[Advice]:
    slots = case.traffic.capacity.operations
    if not slots or not case.documents:
        return
    pages = sum(length * count for length, count in case.documents.items())
    files_most = max(1, case.sender.book.limit("batch_files"))
    files = sum(case.documents.values())
    count = max(-(-pages // MAX_OPERATION_PAGES), -(-files // files_most), min(slots, files))
    operations = [*case.traffic.operations, *[-(-pages // count)] * count]
    seconds = max(case.others_s, batch_s(operations, slots, latency))
    name = "batch alone" if configuration.staging else 'a bucket (staging = "gs://…") and batch alone'
    yield Advice("batch", name, seconds, now_s)


def _capacities(case: Case, configuration: Configuration, latency: Latency, now_s: float) -> Iterator[Advice]:
    room, book = case.traffic.capacity, configuration.book
    kind = room.processor_type
    second = _second(room.regions, configuration)
    if second:
        added = math.floor(book.quota("online_requests", second, kind) * configuration.quota_share)
        more_pages = None
        if room.pages_minute is not None:
            more_pages = room.pages_minute + math.floor(
                book.quota("online_pages", second, kind) * configuration.quota_share
            )
        wider = replace(room, requests_minute=room.requests_minute + added, pages_minute=more_pages)
        changed = replace(case.traffic, capacity=wider)
        yield Advice(
            "region",
            f"a second region ({second}, if documents may go there)",
            case.seconds(changed, latency),
            now_s,
        )
    asked = math.floor(_ASKED * configuration.quota_share) * len(room.regions)
    if asked > room.requests_minute:
        changed = replace(case.traffic, capacity=replace(room, requests_minute=asked))
        yield Advice("quota", f"a quota of {_ASKED} requests/min", case.seconds(changed, latency), now_s)


def _second(regions: tuple[RegionKind, ...], configuration: Configuration) -> RegionKind | None:
    """A multi-region that is not used yet and that the rule of residency does not exclude."""
    allowed = configuration.residency
    multi: tuple[RegionKind, ...] = ("us", "eu")
    for region in multi:
        if region not in regions and (not allowed or region in allowed):
            return region
    return None
