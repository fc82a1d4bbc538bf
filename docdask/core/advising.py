"""What would make a plan faster: the same documents worked out under other conditions, by the same means.

Rules: only what the user can change is tried, one thing at a time and wherever it applies: packing, imageless calls,
batches, a second region, a larger quota. What is in the plan already and pays is told as such. What saves less than a
tenth is not told.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from docdask.core.capacity import Capacity
from docdask.core.limits import RegionKind
from docdask.core.planner import MAX_OPERATION_PAGES
from docdask.core.requesting import Sender
from docdask.core.routes import Configuration
from docdask.core.server.latency import Latency
from docdask.core.spreading import calls_of
from docdask.core.traffic import OPEN_CALLS, Traffic, batch_s, online_s

#: What must be saved of the time to be worth a line.
_WORTH = 0.9
#: Quota that others were granted when they asked, requests a minute.
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
    """What one processor gets by the online lane, alone or beside others of its type."""

    sender: Sender
    traffic: Traffic
    """All that goes to its type."""
    documents: Mapping[int, int]
    """Pages → documents of so many pages that this processor gets online."""
    calls: Mapping[int, int]
    """Pages → calls that they are planned as."""

    def instead(self, calls: Mapping[int, int]) -> Traffic:
        """The traffic of the type, with these calls in place of this processor's own."""
        others = Counter(self.traffic.calls)
        others.subtract(self.calls)
        return replace(self.traffic, calls=Counter(calls) + others)


@dataclass(frozen=True, slots=True)
class Situation:
    """A plan as far as its time goes."""

    cases: Sequence[Case]
    """One for each processor type that is called online."""
    configuration: Configuration
    latency: Latency
    operations: tuple[int, ...] = ()
    """Pages of each batch operation that is planned already."""
    others_s: float = 0.0
    """What the work on this machine takes, whatever is changed here."""
    open_calls: int = OPEN_CALLS

    def seconds(self, traffics: Sequence[Traffic], operations: Sequence[int] | None = None) -> float:
        """Time of the run with this traffic instead, lanes side by side."""
        online = (online_s(traffic, self.latency, self.open_calls) for traffic in traffics)
        slots = max((case.traffic.capacity.operations for case in self.cases), default=1)
        batch = batch_s(self.operations if operations is None else operations, slots, self.latency)
        return max(self.others_s, batch, *online)

    @property
    def now_s(self) -> float:
        """Time as planned."""
        return self.seconds([case.traffic for case in self.cases])


def advise(situation: Situation) -> list[Advice]:
    """What would make the run faster, the best first; then what the plan does already."""
    if not situation.cases:
        return []
    tried = [*_packing(situation), *_imageless(situation), *_batches(situation), *_capacities(situation)]
    worth = [advice for advice in tried if advice.seconds < _WORTH * advice.instead_s]
    return sorted(worth, key=lambda advice: (advice.done, advice.seconds))


def _packing(situation: Situation) -> Iterator[Advice]:
    """Without the packs that are planned; and with packs where they are possible and were not asked for."""
    now_s = situation.now_s
    single = [case.instead(calls_of(case.documents, case.sender, packed=False)) for case in situation.cases]
    packing = [case.sender.processor.alias for case in situation.cases if case.sender.processor.packs]
    if packing:
        single_s = situation.seconds(single)
        yield Advice("pack", "packing", now_s, single_s, done=True)
        # A long request takes longer than short ones side by side, where the quota lets all of them go at once.
        yield Advice("pack", f"pack = false for {', '.join(packing)}", single_s, now_s)
    names = [case.sender.processor.alias for case in situation.cases if _could_pack(case)]
    if names:
        packed = [
            case.instead(calls_of(case.documents, case.sender, packed=True))
            if _could_pack(case)
            else case.traffic
            for case in situation.cases
        ]
        yield Advice("pack", f"pack = true for {', '.join(names)}", situation.seconds(packed), now_s)


def _could_pack(case: Case) -> bool:
    return case.sender.limits.per_page and not case.sender.processor.packs


def _imageless(situation: Situation) -> Iterator[Advice]:
    plain = [case for case in situation.cases if not case.sender.processor.imageless]
    if not plain:
        return
    changed = []
    for case in situation.cases:
        sender = replace(case.sender, processor=replace(case.sender.processor, imageless=True))
        calls = calls_of(case.documents, sender, packed=sender.processor.packs)
        changed.append(case.instead(calls) if case in plain else case.traffic)
    names = ", ".join(case.sender.processor.alias for case in plain)
    yield Advice("imageless", f"imageless = true for {names}", situation.seconds(changed), situation.now_s)


def _batches(situation: Situation) -> Iterator[Advice]:
    """All of it by batch."""
    slots = max(case.traffic.capacity.operations for case in situation.cases)
    operations = list(situation.operations)
    for case in situation.cases:
        files, pages = sum(case.documents.values()), _pages(case.documents)
        if not slots or not files:
            return
        most = max(1, case.sender.book.limit("batch_files"))
        count = max(-(-pages // MAX_OPERATION_PAGES), -(-files // most), min(slots, files))
        operations += [-(-pages // count)] * count
    staged = bool(situation.configuration.staging)
    name = "batches alone" if staged else 'a bucket (staging = "gs://…") and batches alone'
    operations.sort(reverse=True)
    yield Advice("batch", name, situation.seconds([], operations), situation.now_s)


def _pages(documents: Mapping[int, int]) -> int:
    return sum(pages * count for pages, count in documents.items())


def _capacities(situation: Situation) -> Iterator[Advice]:
    """A second region for everything, and a larger quota for everything."""
    configuration, now_s = situation.configuration, situation.now_s
    traffics = [case.traffic for case in situation.cases]
    second = _second({region for traffic in traffics for region in traffic.capacity.regions}, configuration)
    if second:
        wider = [
            replace(traffic, capacity=_with(traffic.capacity, second, configuration)) for traffic in traffics
        ]
        what = f"a second region ({second}, if documents may go there)"
        yield Advice("region", what, situation.seconds(wider), now_s)
    share = configuration.quota_share
    larger = [
        replace(
            traffic,
            capacity=replace(
                traffic.capacity,
                requests_minute=max(
                    traffic.capacity.requests_minute,
                    math.floor(_ASKED * share) * len(traffic.capacity.regions),
                ),
            ),
        )
        for traffic in traffics
    ]
    yield Advice("quota", f"a quota of {_ASKED} requests/min", situation.seconds(larger), now_s)


def _with(room: Capacity, region: RegionKind, configuration: Configuration) -> Capacity:
    """The same type with processors in one more region."""
    book, share = configuration.book, configuration.quota_share
    requests = math.floor(book.quota("online_requests", region, room.processor_type) * share)
    pages = math.floor(book.quota("online_pages", region, room.processor_type) * share)
    return replace(
        room,
        requests_minute=room.requests_minute + requests,
        pages_minute=None if room.pages_minute is None else room.pages_minute + pages,
    )


def _second(regions: set[RegionKind], configuration: Configuration) -> RegionKind | None:
    """A multi-region that is not used yet and that the rule of residency does not exclude."""
    allowed = configuration.residency
    multi: tuple[RegionKind, ...] = ("us", "eu")
    return next((r for r in multi if r not in regions and (not allowed or r in allowed)), None)
