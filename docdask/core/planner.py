"""Which documents one branch of the graph handles, and how long it all will take.

Rules:

1. A partition holds documents of one worker group and 10-30 s of expected work, but there are at least four partitions
   a worker, so that the last ones to end leave no core idle for long.
2. A long document is a partition of its own, cut into page ranges that are recognised at the same time. Where it is cut
   depends on the document alone, never on the machine: the same document gives the same units everywhere.
3. Longest partitions first (LPT list scheduling: Graham 1969, at most 4/3 of the best possible schedule). Partitions
   that wait for different things (a processor's quota, a core) are dealt out side by side, so that none of them is idle.

Driven by ``docdask plan``; it knows no file, no engine and no clock. Documents come as columns: a million of them as
objects would take a gigabyte.
"""

from __future__ import annotations

import heapq
import itertools
import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from docdask.model import PageRange

#: Work of one range of a long document, in recognised pages. A page with a usable text layer costs a fraction of that.
RANGE_WEIGHT = 6.0
TEXT_PAGE_WEIGHT = 1 / 40

#: Expected work of a partition in seconds, when there is enough of it; more than that by a twentieth is still one.
TARGET_S = 20.0
OVER = 1.05
#: Partitions a worker that there should be at least.
PER_WORKER = 4
#: A branch holds its documents' bytes and rows in memory.
MAX_DOCUMENTS = 500
MAX_BYTES = 128 * 2**20
#: Calls of one branch: more of them would make a worker's death dear.
MAX_REQUESTS = 200
#: Pages of one batch operation: one branch tabulates what comes out of it.
MAX_OPERATION_PAGES = 10_000


@dataclass(frozen=True, slots=True)
class Item:
    """What the planner knows of one document."""

    pages: int
    text_pages: int
    """Pages whose text layer will be taken as it is."""

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
    documents: Sequence[int]
    """Indices into the documents that were planned."""
    expected_s: float
    """Worker time, summed over its units; where calls are paid, the time that their quota needs."""
    pieces: int = 1
    """Tasks that work on it at the same time: ranges of a long document."""
    way: int = 0
    """Which of the run's ways its documents go: processor and lane."""
    requests: int = 0
    """Calls to be made; 0 where nothing is called."""
    packs: Sequence[int] = ()
    """Number of the shared request of each document, -1 where it goes alone; empty: none of them shares one."""


def page_ranges(item: Item) -> tuple[PageRange, ...]:
    """Ranges a long document is cut into; empty when it is short.

    Ranges differ by one page at most and none is heavier than :data:`RANGE_WEIGHT`.
    """
    count = min(math.ceil(item.weight / RANGE_WEIGHT), item.pages)
    if count <= 1:
        return ()
    bounds = [round(i * item.pages / count) for i in range(count + 1)]
    return tuple(PageRange(first + 1, last) for first, last in itertools.pairwise(bounds))


def stretches(limits: Sequence[tuple[Iterable[float], float]]) -> Iterator[tuple[int, int]]:
    """Cut a row of things into stretches that keep every limit, each as long as they allow.

    Parameters
    ----------
    limits
        Pairs of what each thing weighs and the most that a stretch may weigh; all of the same length, at least one.

    Yields
    ------
    tuple of int
        First index and the one after the last. A single thing over a limit is a stretch of its own.
    """
    sums = [(array("d", itertools.accumulate(weights, initial=0.0)), most) for weights, most in limits]
    start, end = 0, len(sums[0][0]) - 1
    while start < end:
        stop = min(bisect_right(total, total[start] + most, lo=start) - 1 for total, most in sums)
        stop = max(stop, start + 1)
        yield start, stop
        start = stop


def partition(
    groups: Mapping[str, Sequence[int]],
    seconds: Sequence[float],
    size_bytes: Sequence[int],
    pieces: Sequence[int],
    *,
    workers: int,
    waits: bool = False,
    target_s: float = TARGET_S,
    way: int = 0,
) -> list[Partition]:
    """Divide documents among branches.

    Parameters
    ----------
    groups
        Worker group → indices of its documents, in the order in which a branch shall have them.
    seconds, size_bytes, pieces
        Of each document by index: worker time, size, and ranges it is cut into (1: it is short).
    workers
        Workers that will do it, ``>= 1``.
    waits
        The engine waits for something else: its branches share its width, not its time.
    target_s
        Expected work of a partition when there is plenty.
    way
        Of all of them.

    Returns
    -------
    list of Partition
        Each document in exactly one; longest first, numbered from 0.

    Raises
    ------
    ValueError
        If ``workers`` is below 1.
    """
    if workers < 1:
        msg = f"{workers} workers can't do any work; ask for at least 1"
        raise ValueError(msg)
    count = sum(len(members) for members in groups.values())
    total_s = math.fsum(seconds[index] for members in groups.values() for index in members)
    share_s = min(target_s, total_s / (PER_WORKER * workers)) if count else target_s
    share_count = math.ceil(count / (PER_WORKER * workers)) * (1 if waits else 4)
    most = max(1, min(MAX_DOCUMENTS, share_count))
    found: list[Partition] = []
    for group, members in groups.items():
        long = [index for index in members if pieces[index] > 1]
        found += [Partition(0, group, (index,), seconds[index], pieces[index], way) for index in long]
        short = [index for index in members if pieces[index] <= 1] if long else members
        limits: list[tuple[Iterable[float], float]] = [
            ((seconds[index] for index in short), share_s * OVER),
            ((size_bytes[index] for index in short), MAX_BYTES),
            (itertools.repeat(1, len(short)), most),
        ]
        for start, stop in stretches(limits):
            own = short[start:stop]
            found.append(Partition(0, group, own, math.fsum(seconds[index] for index in own), 1, way))
    return numbered([found])


def numbered(lanes: Iterable[Sequence[Partition]], *, first: int = 0) -> list[Partition]:
    """Partitions in the order in which they are begun, numbered from ``first``.

    Each lane is sorted, longest first; then they are dealt out side by side, each as fast as it has partitions, so
    that all of them are at work from the beginning to the end.
    """
    placed: list[tuple[float, int, Partition]] = []
    for lane, parts in enumerate(lanes):
        ordered = sorted(parts, key=lambda part: (-part.expected_s, part.documents[0]))
        placed += [((place + 0.5) / len(ordered), lane, part) for place, part in enumerate(ordered)]
    placed.sort(key=lambda entry: entry[:2])
    return [replace(part, number=first + number) for number, (_, _, part) in enumerate(placed)]


def makespan_s(partitions: Iterable[Partition], workers: int) -> float:
    """Wall-clock seconds for these partitions on this many workers, by list scheduling.

    The ranges of a long document are scheduled on their own, as they are run.
    """
    free = [0.0] * max(1, workers)
    for part in partitions:
        for _ in range(part.pieces):
            heapq.heapreplace(free, free[0] + part.expected_s / part.pieces)
    return max(free)
