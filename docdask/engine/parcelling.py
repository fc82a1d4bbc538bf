"""From ways to branches: which lane each document takes, which documents share a request, and which branch makes it.

Rules: ranges, packs and operations keep every limit of the service; a branch holds documents of one route, lane and
worker group; packs are formed before branches, so that no branch boundary makes a pack smaller. Everything is worked
out over columns, and once for all documents of the same type and length.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from docdask.core import capacity, planner
from docdask.core.capacity import Capacity
from docdask.core.limits import IMAGE_TYPES
from docdask.core.packing import Packable, family_of, joined_bytes, packs
from docdask.core.planner import Item, Partition, Speed
from docdask.core.requesting import PDF, Queue, to_batch
from docdask.core.routes import Configuration
from docdask.core.server.latency import SECOND_NS, Latency
from docdask.core.spreading import calls_of, pages_of_pack
from docdask.engine.routing import Numbers, Way, coded, counts
from docdask.model import PageRange

#: Documents that are packed at a time: packs of so many lose nothing, and a million would take half a gigabyte.
_AT_A_TIME = 20_000
#: Fewest pages of a batch operation that are worth the minute it takes to begin.
_OPERATION_PAGES = 500


@dataclass(frozen=True, slots=True)
class Course:
    """A way with its lane decided."""

    way: Way
    lane: str
    """``online``, ``batch`` or ``offline``."""


@dataclass(slots=True)
class Documents:
    """Columns of the documents that are planned, by their position."""

    rows: Numbers
    """Row of the catalog."""
    way: Numbers
    pages: Numbers
    text_pages: Numbers
    size_bytes: Numbers
    max_pixels: Numbers
    types: Numbers
    type_names: list[str]
    groups: Numbers
    group_names: list[str]
    weight: Numbers | None = None
    """How many documents each stands for, in a sample; None: itself."""

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(slots=True)
class Parcels:
    """What is planned: branches in order, and of each document what its requests are."""

    courses: list[Course]
    partitions: list[Partition]
    """Numbered; :attr:`Partition.way` is an index into :attr:`courses`."""
    ranges: list[tuple[PageRange, ...]]
    """Distinct ways of cutting; the first is not to cut."""
    cut: Numbers
    """Of each document: index into :attr:`ranges`."""
    capacities: Mapping[str, Capacity] = field(default_factory=dict)
    """By processor type."""


def documents(catalog: pa.Table, way: Numbers, rows: Numbers) -> Documents:
    """Columns of the documents in these rows of the catalog."""
    pages, text_pages = counts(catalog)
    types, type_names = coded(catalog["mime_type"])
    groups, group_names = coded(catalog["group"])
    sizes = np.asarray(catalog["size_bytes"].fill_null(0))
    pixels = np.asarray(catalog["max_pixels"].fill_null(0))
    return Documents(
        rows, way[rows], pages[rows], text_pages[rows], sizes[rows], pixels[rows], types[rows], type_names,
        groups[rows], group_names,
    )  # fmt: skip


def parcel(
    docs: Documents,
    ways: Sequence[Way],
    configuration: Configuration | None,
    speed: Speed,
    workers: int,
    *,
    latency: Latency,
    first_number: int = 0,
) -> Parcels:
    """Divide documents among requests and branches.

    Parameters
    ----------
    docs, ways
        What is planned.
    configuration
        None: nothing is paid.
    speed, workers
        Of the offline engine, to size its branches.
    latency
        Of the service, to divide documents between the lanes.
    first_number
        Number of the first partition.
    """
    work = _Work(docs, ways, speed, workers, latency)
    if configuration is not None:
        work.capacities = _capacities(ways, docs, configuration)
        work.decide()
    lanes: list[list[Partition]] = []
    for number, course in enumerate(work.courses):
        members = np.flatnonzero(work.course == number)
        if len(members):
            parts = {"offline": work.offline, "online": work.online, "batch": work.batch}[course.lane]
            lanes.append(parts(number, members))
    # Operations take minutes whatever is in them: they begin before all others, the longest first.
    batches = [part for lane in lanes for part in lane if work.courses[part.way].lane == "batch"]
    others = [lane for lane in lanes if lane and work.courses[lane[0].way].lane != "batch"]
    first = planner.numbered([batches], first=first_number) if batches else []
    rest = planner.numbered(others, first=first_number + len(first))
    return Parcels(work.courses, [*first, *rest], work.ranges, work.cut, work.capacities)


@dataclass(frozen=True, slots=True)
class Needs:
    """What each document of a sample needs, if all were like the sample; by position."""

    lane: list[str]
    requests: Numbers
    """Online requests; parts of one where documents share it. 0 in the other lanes."""
    lane_s: Numbers
    """Seconds of its lane's capacity."""
    courses: list[Course]
    course: Numbers
    capacities: Mapping[str, Capacity]
    ranges: list[tuple[PageRange, ...]]
    cut: Numbers


def needs(
    docs: Documents, ways: Sequence[Way], configuration: Configuration, speed: Speed, *, latency: Latency
) -> Needs:
    """Lanes and requests of a sample whose documents stand for :attr:`Documents.weight` each."""
    work = _Work(docs, ways, speed, 1, latency)
    work.capacities = _capacities(ways, docs, configuration)
    work.decide()
    requests, lane_s = np.zeros(len(docs)), np.zeros(len(docs))
    for number, course in enumerate(work.courses):
        members = np.flatnonzero(work.course == number)
        if not len(members) or course.way.sender is None or course.lane == "offline":
            continue
        online_s, batch_s = work.needs(members, course.way)
        weight = np.ones(len(members)) if docs.weight is None else docs.weight[members]
        lane_s[members] = (online_s if course.lane == "online" else batch_s) / weight
        work.cut_up(members, course.way, course.lane)
        if course.lane == "online":
            requests[members] = work.requests(members, course.way, work.pages_of_pack(number))
    lanes = [work.courses[number].lane for number in work.course.tolist()]
    return Needs(lanes, requests, lane_s, work.courses, work.course, work.capacities, work.ranges, work.cut)


def _capacities(ways: Iterable[Way], docs: Documents, configuration: Configuration) -> dict[str, Capacity]:
    used = set(np.unique(docs.way).tolist())
    senders = [way.sender for index, way in enumerate(ways) if index in used and way.sender is not None]
    kinds = {sender.processor.processor_type for sender in senders}
    return {
        kind: capacity.capacity(
            {s.processor.alias: s.processor for s in senders if s.processor.processor_type == kind}.values(),
            configuration,
        )
        for kind in sorted(kinds)
    }


class _Work:
    """Lanes, ranges and branches in the making."""

    def __init__(
        self, docs: Documents, ways: Sequence[Way], speed: Speed, workers: int, latency: Latency
    ) -> None:
        self.docs, self.ways, self.speed, self.workers, self.latency = docs, ways, speed, workers, latency
        self.capacities: dict[str, Capacity] = {}
        self.courses = [Course(way, lane) for way in ways for lane in ("offline", "online", "batch")]
        self.course = (docs.way * 3).astype(np.int16)
        self.ranges: list[tuple[PageRange, ...]] = [()]
        self._known: dict[tuple[PageRange, ...], int] = {(): 0}
        self.cut = np.zeros(len(docs), np.int32)

    # -- lanes ---------------------------------------------------------------------------------------------------------

    def decide(self) -> None:
        """Decide the lane of each paid document; those that may take either are divided, over all processors at once."""
        queues: dict[str, list[tuple[Numbers, Numbers, Numbers]]] = {}
        online_first: dict[str, float] = defaultdict(float)
        batch_first_s = 0.0
        for index, way in enumerate(self.ways):
            members = np.flatnonzero(self.docs.way == index)
            if way.sender is None or not len(members):
                continue
            kind = way.sender.processor.processor_type
            online, batch = self._possible(members, way)
            self.course[members] = index * 3 + np.where(online, 1, 2)
            online_each, batch_each = self.needs(members, way)
            either = online & batch
            online_first[kind] += float(online_each[online & ~either].sum())
            batch_first_s += float(batch_each[~online].sum())
            queues.setdefault(kind, []).append((members[either], online_each[either], batch_each[either]))
        self._divide(queues, online_first, batch_first_s)

    def requests(self, members: Numbers, way: Way, pages_most: int | None = None) -> Numbers:
        """Online requests of each document: several of a long one, a part of one where documents share it.

        ``pages_most`` is what a shared request has; None: as much as one takes.
        """
        assert way.sender is not None
        sender, pages = way.sender, self.docs.pages[members]
        whole = sender.whole("online")
        most = pages_most or whole
        found: Numbers = np.ceil(pages / whole)
        if sender.processor.packs:
            heavy = self._joined(members) / max(1, sender.book.limit("online_bytes"))
            found = np.where(pages <= most, np.minimum(1, np.maximum(pages / most, heavy)), found)
        return found

    def pages_of_pack(self, course: int) -> int:
        """Most pages of a request that documents of this course share."""
        sender = self.courses[course].way.sender
        assert sender is not None
        kind = sender.processor.processor_type
        others: Counter[int] = Counter()
        for number, other in enumerate(self.courses):
            beside = other.way.sender
            if (
                number != course
                and other.lane == "online"
                and beside
                and beside.processor.processor_type == kind
            ):
                others += calls_of(self._lengths(number), beside, packed=beside.processor.packs)
        return pages_of_pack(self._lengths(course), sender, self.capacities[kind], self.latency, others)

    def _lengths(self, course: int) -> dict[int, int]:
        """Pages → documents of so many pages on this course."""
        members = np.flatnonzero(self.course == course)
        if not len(members):
            return {}
        weights = None if self.docs.weight is None else self.docs.weight[members]
        counts = np.bincount(self.docs.pages[members], weights)
        return {int(pages): math.ceil(counts[pages]) for pages in np.flatnonzero(counts)}

    def _divide(
        self,
        queues: Mapping[str, list[tuple[Numbers, Numbers, Numbers]]],
        online_first: Mapping[str, float],
        batch_first_s: float,
    ) -> None:
        """Send as many by batch as makes all lanes end at the same time."""
        orders, made = [], []
        for kind, parts in queues.items():
            members, online_s, batch_s = (np.concatenate(column) for column in zip(*parts, strict=True))
            order = np.argsort(-online_s / batch_s, kind="stable")
            orders.append(members[order])
            made.append(Queue(online_first[kind], _plain(online_s[order]), _plain(batch_s[order])))
        for members, count in zip(orders, to_batch(made, batch_first_s), strict=True):
            self.course[members[:count]] = self.docs.way[members[:count]] * 3 + 2

    def _possible(self, members: Numbers, way: Way) -> tuple[Numbers, Numbers]:
        """Which documents may go online, and which by batch; each may do at least one."""
        assert way.sender is not None
        docs = self.docs
        online, batch = np.zeros(len(members), bool), np.zeros(len(members), bool)
        for (type_, pages), rows in _alike(docs.types[members], docs.pages[members]):
            most_online, most_batch = way.sender.room(docs.type_names[type_], pages)
            sizes = docs.size_bytes[members[rows]]
            online[rows], batch[rows] = sizes <= most_online, sizes <= most_batch
        if way.lane == "online":
            batch[:] = False
        elif way.lane == "batch":
            online[:] = False
        return online, batch

    def needs(self, members: Numbers, way: Way) -> tuple[Numbers, Numbers]:
        """Seconds of either lane's capacity that each document needs."""
        assert way.sender is not None
        docs, sender = self.docs, way.sender
        room = self.capacities[sender.processor.processor_type]
        pages = docs.pages[members]
        online_s = np.maximum(self.requests(members, way) * room.request_s, pages * room.page_s)
        base_s, page_s = batch_seconds(self.latency)
        operation_pages = planner.MAX_OPERATION_PAGES
        files = sender.book.limit("batch_files")
        share = np.maximum(pages / operation_pages, 1 / max(1, files))
        # An emulator may take no time at all; who compares lanes divides by it.
        batch_each = np.maximum((pages * page_s + base_s * share) / max(1, room.operations), 1e-9)
        if docs.weight is not None:
            return online_s * docs.weight[members], batch_each * docs.weight[members]
        return online_s, batch_each

    def _joined(self, members: Numbers) -> Numbers:
        """Bytes that each document adds to a pack at most."""
        docs = self.docs
        columns = (
            docs.types[members],
            docs.size_bytes[members],
            docs.pages[members],
            docs.max_pixels[members],
        )
        return np.array(
            [
                joined_bytes(docs.type_names[type_], size, pages, pixels)
                for type_, size, pages, pixels in zip(*(column.tolist() for column in columns), strict=True)
            ],
            np.int64,
        )

    # -- branches ------------------------------------------------------------------------------------------------------

    def offline(self, course: int, members: Numbers) -> list[Partition]:
        """Branches of what the engine reads."""
        docs, speed = self.docs, self.speed
        text, pages = docs.text_pages[members], docs.pages[members]
        waiting = text * speed.text_page_s + (pages - text) * speed.ocr_page_s
        seconds = speed.document_s + waiting / speed.in_flight
        pieces = np.ones(len(members), np.int32)
        if speed.in_flight == 1:
            for (count, texts), rows in _alike(pages, text):
                cut = planner.page_ranges(Item(count, texts))
                if cut:
                    pieces[rows] = len(cut)
                    self.cut[members[rows]] = self._cutting(cut)
        parts = planner.partition(
            {name: _plain(rows) for name, rows in self._by_group(course, members)},
            _plain(seconds), _plain(docs.size_bytes[members]), _plain(pieces),
            workers=self.workers, waits=speed.in_flight > 1, way=course,
        )  # fmt: skip
        return [_moved(part, members) for part in parts]

    def online(self, course: int, members: Numbers) -> list[Partition]:
        """Branches of calls, packs among them."""
        way = self.courses[course].way
        assert way.sender is not None
        docs, sender = self.docs, way.sender
        room = self.capacities[sender.processor.processor_type]
        self.cut_up(members, way, "online")
        pages_most = self.pages_of_pack(course)
        found: list[Partition] = []
        for group, rows in self._by_group(course, members):
            own = members[rows]
            entries, starts = self._entries(own, way, pages_most)
            first = entries[starts[:-1]]
            alone = np.diff(starts) == 1
            requests = np.where(alone, np.maximum(self._pieces()[self.cut[first]], 1), 1)
            pages = np.add.reduceat(docs.pages[entries], starts[:-1])
            seconds = np.maximum(requests * room.request_s, pages * room.page_s)
            total_s = float(seconds.sum())
            share_s = min(planner.TARGET_S, total_s / (planner.PER_WORKER * self.workers))
            sizes = np.add.reduceat(docs.size_bytes[entries], starts[:-1])
            stretches = planner.stretches(
                [
                    (_plain(seconds), share_s * planner.OVER),
                    (_plain(requests), planner.MAX_REQUESTS),
                    (_plain(np.diff(starts)), planner.MAX_DOCUMENTS),
                    (_plain(sizes), planner.MAX_BYTES),
                ]
            )
            for start, stop in stretches:
                spans = np.diff(starts[start : stop + 1])
                numbers = np.where(spans > 1, np.cumsum(spans > 1) - 1, -1)
                found.append(
                    Partition(
                        0, group, _plain(entries[starts[start] : starts[stop]]), float(seconds[start:stop].sum()),
                        way=course, requests=int(requests[start:stop].sum()), packs=_plain(np.repeat(numbers, spans)),
                    )
                )  # fmt: skip
        return found

    def batch(self, course: int, members: Numbers) -> list[Partition]:
        """One branch an operation."""
        way = self.courses[course].way
        assert way.sender is not None
        docs, sender = self.docs, way.sender
        slots = max(1, self.capacities[sender.processor.processor_type].operations)
        self.cut_up(members, way, "batch")
        base_s, page_s = batch_seconds(self.latency)
        pages = docs.pages[members]
        most = min(planner.MAX_OPERATION_PAGES, max(_OPERATION_PAGES, -(-int(pages.sum()) // slots)))
        found: list[Partition] = []
        for group, rows in self._by_group(course, members):
            own = members[rows]
            files = np.maximum(self._pieces()[self.cut[own]], 1)
            stretches = planner.stretches(
                [(_plain(files), sender.book.limit("batch_files")), (_plain(docs.pages[own]), most)]
            )
            for start, stop in stretches:
                seconds = (base_s + page_s * int(docs.pages[own[start:stop]].sum())) / slots
                found.append(Partition(0, group, _plain(own[start:stop]), seconds, way=course, requests=1))
        return found

    def _by_group(self, course: int, members: Numbers) -> Iterable[tuple[str, Numbers]]:
        """Positions in ``members`` of the documents of each worker group."""
        group = self.courses[course].way.group
        if group:
            yield group, np.arange(len(members))
            return
        codes = self.docs.groups[members]
        _, first = np.unique(codes, return_index=True)
        for code in codes[np.sort(first)].tolist():
            yield self.docs.group_names[code] if code >= 0 else "pdf", np.flatnonzero(codes == code)

    def cut_up(self, members: Numbers, way: Way, lane: str) -> None:
        assert way.sender is not None
        docs = self.docs
        for (type_, pages), rows in _alike(docs.types[members], docs.pages[members]):
            cut = way.sender.ranges(docs.type_names[type_], pages, lane)
            if cut:
                self.cut[members[rows]] = self._cutting(cut)

    def _cutting(self, cut: tuple[PageRange, ...]) -> int:
        number = self._known.setdefault(cut, len(self.ranges))
        if number == len(self.ranges):
            self.ranges.append(cut)
        return number

    def _pieces(self) -> Numbers:
        return np.array([len(cut) for cut in self.ranges], np.int32)

    def _entries(self, members: Numbers, way: Way, most: int) -> tuple[Numbers, Numbers]:
        """Documents in the order of their requests, and where each entry (a pack, or one document) starts.

        Packs have ``most`` pages.
        """
        assert way.sender is not None
        sender, docs = way.sender, self.docs
        if not sender.processor.packs:
            return members, np.arange(len(members) + 1)
        bytes_most = sender.book.limit("online_bytes")
        order: list[Numbers] = []
        lengths: list[int] = []
        for start in range(0, len(members), _AT_A_TIME):
            part = members[start : start + _AT_A_TIME]
            columns = (part, docs.types[part], docs.pages[part], docs.text_pages[part], self._joined(part))
            items, alone = [], []
            for index, type_, pages, text_pages, joined in zip(
                *(column.tolist() for column in columns), strict=True
            ):
                name = docs.type_names[type_]
                if (name == PDF or name in IMAGE_TYPES) and pages < most and joined <= bytes_most:
                    items.append(Packable(index, pages, joined, family_of(name, pages, text_pages)))
                else:
                    alone.append((index,))
            entries = sorted([*packs(items, pages_most=most, bytes_most=bytes_most), *alone])
            order += [np.array(entry) for entry in entries]
            lengths += [len(entry) for entry in entries]
        return np.concatenate(order), np.concatenate([[0], np.cumsum(lengths)])


def batch_seconds(latency: Latency) -> tuple[float, float]:
    """Seconds that an operation takes to begin, and that each of its pages adds."""
    page_s = latency.batch_page_ns / SECOND_NS / max(1, latency.batch_workers)
    return latency.batch_base_ns / SECOND_NS, page_s


def _alike(first: Numbers, second: Numbers) -> Iterable[tuple[tuple[int, int], Numbers]]:
    """Rows by pair of values, so that what follows from the pair is worked out once."""
    if not len(first):
        return
    joined = first.astype(np.int64) << 32 | second.astype(np.int64)
    order = np.argsort(joined, kind="stable")
    values, starts = np.unique(joined[order], return_index=True)
    for value, rows in zip(values.tolist(), np.split(order, starts[1:]), strict=True):
        yield (value >> 32, value & 0xFFFFFFFF), rows


def _moved(part: Partition, members: Numbers) -> Partition:
    """A partition whose documents are positions among ``members``, as positions among all."""
    return replace(part, documents=_plain(members[np.asarray(part.documents)]))


def _plain(column: Numbers) -> array[Any]:
    """The same numbers for the core, which knows no numpy: eight bytes each, not an object each."""
    if column.dtype.kind == "f":
        return array("d", column.astype(np.float64).tobytes())
    return array("q", column.astype(np.int64).tobytes())
