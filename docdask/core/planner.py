"""Which documents one branch of the graph handles, and how long it all will take.

Rules:

1. A partition holds documents of one worker group and 10-30 s of expected work, but there are at least four partitions
   a worker, so that the last ones to end leave no core idle for long.
2. A long document is a partition of its own, cut into page ranges that are recognised at the same time. Where it is cut
   depends on the document alone, never on the machine: the same document gives the same units everywhere.
3. Longest partitions first (LPT list scheduling: Graham 1969, at most 4/3 of the best possible schedule).

Driven by ``docdask plan``; it knows no file, no engine and no clock.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from docdask.model import PageRange

#: Work of one range of a long document, in recognised pages. A page with a usable text layer costs a fraction of that.
RANGE_WEIGHT = 6.0
TEXT_PAGE_WEIGHT = 1 / 40

#: Expected work of a partition in seconds, when there is enough of it.
TARGET_S = 20.0
#: Partitions a worker that there should be at least.
PER_WORKER = 4
#: A branch holds its documents' bytes and rows in memory.
MAX_DOCUMENTS = 500
MAX_BYTES = 128 * 2**20


@dataclass(frozen=True, slots=True)
class Item:
    """What the planner knows of one document."""

    document_id: str
    group: str
    """Worker group: ``pdf`` or ``image``."""
    pages: int
    text_pages: int
    """Pages whose text layer will be taken as it is."""
    size_bytes: int

    @property
    def weight(self) -> float:
        """Work in recognised pages."""
        return (self.pages - self.text_pages) + self.text_pages * TEXT_PAGE_WEIGHT


@dataclass(frozen=True, slots=True)
class Speed:
    """How long things take on one worker, in seconds; measured by a calibration."""

    document_s: float
    """Overhead a document: read, store, tabulate."""
    text_page_s: float
    ocr_page_s: float
    in_flight: int = 1
    """Calls one worker has open at a time; above 1, waiting is shared."""
    start_s: float = 0.0
    """Once a worker: what its first page takes longer than the others, such as the loading of models."""

    def seconds(self, item: Item) -> float:
        """Worker time for one document."""
        wait = item.text_pages * self.text_page_s + (item.pages - item.text_pages) * self.ocr_page_s
        return self.document_s + wait / self.in_flight


@dataclass(frozen=True, slots=True)
class Partition:
    """One branch of the graph."""

    number: int
    group: str
    documents: tuple[int, ...]
    """Indices into the items that were planned."""
    ranges: tuple[PageRange, ...]
    """Of its only document, when that is long; else empty: each document is one unit."""
    expected_s: float
    """Worker time, summed over its units."""


def page_ranges(item: Item) -> tuple[PageRange, ...]:
    """Ranges a long document is cut into; empty when it is short.

    Ranges differ by one page at most and none is heavier than :data:`RANGE_WEIGHT`.
    """
    count = min(math.ceil(item.weight / RANGE_WEIGHT), item.pages)
    if count <= 1:
        return ()
    bounds = [round(i * item.pages / count) for i in range(count + 1)]
    return tuple(PageRange(first + 1, last) for first, last in itertools.pairwise(bounds))


def partition(
    items: Sequence[Item],
    speed: Speed,
    *,
    workers: int,
    first_number: int = 0,
    target_s: float = TARGET_S,
) -> list[Partition]:
    """Divide documents among branches.

    Parameters
    ----------
    items
        Documents to be done, in any order; the order within a partition follows it.
    speed
        Of one worker.
    workers
        Workers that will do it, ``>= 1``.
    first_number
        Number of the first partition; a run that gets more inputs goes on counting.
    target_s
        Expected work of a partition when there is plenty.

    Returns
    -------
    list of Partition
        Each document in exactly one; longest first.

    Raises
    ------
    ValueError
        If ``workers`` is below 1.
    """
    if workers < 1:
        msg = f"{workers} workers can't do any work; ask for at least 1"
        raise ValueError(msg)
    costs = [speed.seconds(item) for item in items]
    # A call worker that waits is not busy: the partitions of a waiting engine share its width, not its time.
    total_s = sum(costs)
    share_s = min(target_s, total_s / (PER_WORKER * workers)) if items else target_s
    share_count = min(MAX_DOCUMENTS, max(1, math.ceil(len(items) / (PER_WORKER * workers))))
    found: list[tuple[str, tuple[int, ...], tuple[PageRange, ...], float]] = []
    open_bins: dict[str, tuple[list[int], float, int]] = {}
    for index, item in enumerate(items):
        ranges = page_ranges(item) if speed.in_flight == 1 else ()
        if ranges:
            found.append((item.group, (index,), ranges, costs[index]))
            continue
        members, cost_s, size = open_bins.get(item.group, ([], 0.0, 0))
        full = cost_s + costs[index] > share_s * 1.05 or len(members) >= share_count * (
            1 if speed.in_flight > 1 else 4
        )
        if members and (full or len(members) >= MAX_DOCUMENTS or size + item.size_bytes > MAX_BYTES):
            found.append((item.group, tuple(members), (), cost_s))
            members, cost_s, size = [], 0.0, 0
        members.append(index)
        open_bins[item.group] = (members, cost_s + costs[index], size + item.size_bytes)
    found.extend(
        (group, tuple(members), (), cost_s) for group, (members, cost_s, _) in open_bins.items() if members
    )
    found.sort(key=lambda entry: (-entry[3], entry[1]))
    return [Partition(first_number + number, *entry) for number, entry in enumerate(found)]


def makespan_s(partitions: Iterable[Partition], workers: int) -> float:
    """Wall-clock seconds for these partitions on this many workers, by list scheduling.

    The ranges of a long document are scheduled on their own, as they are run.
    """
    free = [0.0] * max(1, workers)
    for part in partitions:
        pieces = len(part.ranges) or 1
        for _ in range(pieces):
            heapq.heapreplace(free, free[0] + part.expected_s / pieces)
    return max(free)
