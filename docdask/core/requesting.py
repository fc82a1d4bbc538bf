"""Which requests a document becomes: its lane, its ranges, or why it can't be sent; known before money is spent.

Rules:

1. A type that the processor does not read, an image beyond its pixels and a file beyond its bytes are refused here, with
   what to do; the service would refuse them too.
2. A file too large for an online call goes by batch where there is a bucket; a PDF that is cut anyway may be larger by as
   much as its pieces are smaller.
3. Where both lanes would do, the plan decides. All goes online while that ends soon, because a batch may take hours and
   tells nothing until it ends. Otherwise documents go to the batch lane until all lanes end at the same time: first
   those that take most requests a page, because they are dear online and cost a batch no more than others. Of two
   machines, each document goes to the one that has the comparative advantage.
"""

from __future__ import annotations

import itertools
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from docdask.core.limits import IMAGE_TYPES, LimitBook, ProcessorLimits
from docdask.core.pages import ranges, whole_pages
from docdask.core.routes import Lane, Processor
from docdask.errors import DocumentError
from docdask.model import PageRange

PDF = "application/pdf"
#: Pages of one document differ in size: a piece may be that much larger than its share of the file.
_UNEVEN = 1.25
#: A run that the online lane ends within so many seconds has no use for batches.
ONLINE_ENOUGH_S = 600.0
#: Packs of a run on a real endpoint that are also sent singly, to see whether packing changes results.
CHECKED_PACKS = 3


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a document is set aside before anything is paid."""

    problem: str
    """Short code, docs/plan.md."""
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends documents to one processor: knows what fits."""

    processor: Processor
    book: LimitBook
    staged: bool
    """Whether there is a bucket for batches, and a quota."""
    online: bool = True
    """Whether the quota of online requests lets anything through."""

    @property
    def limits(self) -> ProcessorLimits:
        """Of its type."""
        return self.processor.limits(self.book)

    def unreadable(self, mime_type: str) -> Refusal | None:
        """Why it does not take files of this type; None if it does."""
        limits = self.limits
        if mime_type in limits.mime_types:
            return None
        return Refusal(
            "unsupported-type",
            f"{limits.title} (processor {self.processor.alias}) does not take {mime_type}",
            f"convert it to one of {', '.join(sorted(limits.mime_types))}, or route it elsewhere",
        )

    def overdrawn(self, mime_type: str, max_pixels: int, longest_side: int) -> Refusal | None:
        """Why an image has too many pixels; None if it has not. PDFs have none."""
        most, side = self.book.limit("image_pixels"), self.book.limit("image_side")
        if mime_type not in IMAGE_TYPES or (max_pixels <= most and longest_side <= side):
            return None
        return Refusal(
            "oversize-image",
            f"it has {max_pixels / 1e6:,.1f} million pixels, {longest_side:,} on its longest side; Document AI takes "
            f"{most / 1e6:,.0f} million and {side:,}",
            "scan it at a lower resolution, make a PDF of it, or let the offline engine read it",
        )

    def whole(self, lane: str) -> int:
        """Most pages of a document that one request takes whole."""
        return whole_pages(self.limits, lane=lane, imageless=self.processor.imageless)

    def ranges(self, mime_type: str, pages: int, lane: str) -> tuple[PageRange, ...]:
        """Ranges of a document in that lane; empty where one request takes it whole."""
        cuttable = mime_type == PDF
        return ranges(pages, self.limits, lane=lane, imageless=self.processor.imageless, cuttable=cuttable)

    def room(self, mime_type: str, pages: int) -> tuple[int, int]:
        """Largest file of such a document that goes online, and by batch; 0 where none does."""
        online, batch = (
            self.book.limit("online_bytes") * self.online,
            self.book.limit("batch_bytes") * self.staged,
        )
        try:
            self.ranges(mime_type, pages, "batch")
        except DocumentError:
            batch = 0
        return self._cut(mime_type, pages, online, "online"), self._cut(mime_type, pages, batch, "batch")

    def _cut(self, mime_type: str, pages: int, size_bytes: int, lane: str) -> int:
        whole = self.whole(lane)
        if mime_type != PDF or pages <= whole:
            return size_bytes
        return int(size_bytes * pages / whole / _UNEVEN)

    def misfit(self, mime_type: str, pages: int, size_bytes: int, wish: Lane) -> Refusal | None:
        """Why a document of this size fits no lane that its route allows; None if it fits one."""
        online, batch = self.room(mime_type, pages)
        lanes = {"auto": (online, batch), "online": (online,), "batch": (batch,)}.get(wish, (online, batch))
        if size_bytes <= max(lanes):
            return None
        title = self.limits.title
        if not self.online and not batch:
            return Refusal(
                "no-quota",
                f"the quota of online requests to {title} is 0",
                "ask for a larger one, or use a processor in another location",
            )
        if wish == "batch" and not self.staged:
            return Refusal(
                "no-quota",
                f"its route uses the batch lane, and {title} has no bucket for it, or a quota of 0 operations",
                "name a bucket (staging), ask for a quota, or use the lane online",
            )
        if wish == "batch" and not batch:
            return Refusal(
                "too-many-pages",
                f"it has {pages} pages, a batch of {title} takes {self.whole('batch')}, and it can't be cut",
                "let its route use the lane online, or make a PDF of it",
            )
        most = max(lanes)
        remedy = "split it into smaller files"
        if size_bytes <= batch:
            remedy = "let its route use the lane batch, which takes it"
        elif not self.staged and size_bytes <= self.book.limit("batch_bytes"):
            remedy = 'batches take it: name a bucket for them, staging = "gs://bucket/prefix"'
        return Refusal(
            "oversize-file",
            f"it has {size_bytes / 1e6:,.1f} MB, {title} takes {most / 1e6:,.1f} MB of such a document",
            remedy,
        )


@dataclass(frozen=True, slots=True)
class Queue:
    """What one processor type has to do online, and which of its documents may go by batch instead."""

    online_first_s: float
    """Seconds of the quota of those that stay online in any case."""
    online_s: Sequence[float]
    """Seconds of the online quota that each of the others needs, in descending order of ``online_s / batch_s``."""
    batch_s: Sequence[float]
    """Seconds of the batch lane that each needs."""


def to_batch(queues: Sequence[Queue], batch_first_s: float = 0.0) -> list[int]:
    """How many documents of each queue go to the batch lane, which they share.

    The time in which all lanes end together is found by halving: for each time, every queue sends by batch what its quota
    does not let through until then; the shorter the time, the longer the batch lane.

    Parameters
    ----------
    queues
        One for each processor type, for each has a quota of its own.
    batch_first_s
        What goes by batch in any case.

    Returns
    -------
    list of int
        The first so many of each queue.
    """
    sums = [
        (
            array("d", itertools.accumulate(queue.online_s, initial=0.0)),
            array("d", itertools.accumulate(queue.batch_s, initial=0.0)),
        )
        for queue in queues
    ]

    def moved(end_s: float) -> list[int]:
        # The first n leave; what is left, total - online[n], must fit into the time.
        return [
            min(bisect_left(online, queue.online_first_s + online[-1] - end_s), len(online) - 1)
            for queue, (online, _) in zip(queues, sums, strict=True)
        ]

    def batch_s(counts: Sequence[int]) -> float:
        return batch_first_s + sum(batch[count] for count, (_, batch) in zip(counts, sums, strict=True))

    low = ONLINE_ENOUGH_S
    high = max(low, *(queue.online_first_s + online[-1] for queue, (online, _) in zip(queues, sums, strict=True))) if queues else low  # fmt: skip
    if batch_s(moved(low)) <= low:
        return moved(low)
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if batch_s(moved(middle)) > middle else (low, middle)
    return moved(high)
