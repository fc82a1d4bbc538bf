"""Numbers that only rise: fences of grants, sequence numbers of records; and the records themselves.

Fences are one series a governor. Records are numbered by *book*, one for each ledger, so that a reader of one run's
ledger notices a record that is missing there, however many runs the governor serves.
"""

from __future__ import annotations

from collections import deque

from docdask.core.events import Note, Outcome
from docdask.core.lease import Permit
from docdask.core.ledger import Record, RecordKind
from docdask.core.retry import Verdict

_KINDS: dict[Verdict, RecordKind] = {
    "ok": "answered",
    "too-large": "answered",
    "quota": "refused",
    "capacity": "refused",
    "transient": "refused",
    "permanent": "failed",
    "raised": "failed",
    "lost": "lost",
    "unused": "withdrawn",
}


class Book:
    """Numbers of one ledger, and what of it is not on the disk yet.

    Parameters
    ----------
    name
        Of the ledger, empty for the governor's own.
    epoch
        Which governor of this ledger writes; rises with each one.
    sequence
        Last record in use.
    """

    __slots__ = ("_unreleased", "broken", "epoch", "name", "sequence")

    def __init__(self, name: str, epoch: int, sequence: int) -> None:
        self.name = name
        self.epoch = epoch
        self.sequence = sequence
        self.broken: str | None = None
        """Why records can't be written, while they can't."""
        self._unreleased: deque[tuple[int, int]] = deque()

    def intent(self, now_ns: int) -> int:
        """Count the intent just numbered among those that are not on the disk; returns its number."""
        self._unreleased.append((self.sequence, now_ns))
        return self.sequence

    def durable(self, sequence: int) -> None:
        """Note that grants up to this record have left."""
        self.broken = None
        while self._unreleased and self._unreleased[0][0] <= sequence:
            self._unreleased.popleft()

    def holds(self, sequence: int) -> bool:
        """Whether the grant of this intent has not left yet."""
        return bool(self._unreleased) and sequence >= self._unreleased[0][0]

    def behind(self, now_ns: int, most_ns: int) -> bool:
        """Whether an intent has been on its way to the disk for longer than ``most_ns``."""
        return bool(self._unreleased) and now_ns - self._unreleased[0][1] > most_ns

    def fail(self, reason: str) -> set[int]:
        """Note that records can't be written; returns the intents whose grants have not left."""
        self.broken = reason
        held = {sequence for sequence, _ in self._unreleased}
        self._unreleased.clear()
        return held


class Journal:
    """Counter of a governor.

    Parameters
    ----------
    epoch
        Which governor this is; rises with each restart.
    fence, sequence
        Last ones in use, from the ledger.
    utc_offset_ns
        Wall clock minus the clock of events.
    """

    __slots__ = ("books", "fence", "now_ns", "utc_offset_ns")

    def __init__(self, *, epoch: int = 1, fence: int = 0, sequence: int = 0, utc_offset_ns: int = 0) -> None:
        self.fence = fence
        self.utc_offset_ns = utc_offset_ns
        self.now_ns = 0
        self.books = {"": Book("", epoch, sequence)}
        """By name of the ledger; the governor's own has none."""

    def open(self, name: str, epoch: int, fence: int, sequence: int) -> None:
        """Go on above the numbers of a ledger; one that is known is gone on with under the new ones."""
        self.fence = max(self.fence, fence)
        book = self.books.get(name)
        if book is None:
            self.books[name] = Book(name, epoch, sequence)
        elif epoch > book.epoch:
            book.epoch, book.sequence = epoch, max(sequence, book.sequence)
            book.durable(book.sequence)

    def next_fence(self) -> int:
        """A fence above all others."""
        self.fence += 1
        return self.fence

    def record(
        self, book: Book, kind: RecordKind, semaphore: str, permit: Permit, pages: int, micros: int, code: str
    ) -> Record:
        """The next record of ``book``, about ``permit``."""
        book.sequence += 1
        endpoint = permit.endpoint
        return Record(
            book.sequence, book.epoch, kind, permit.unit, permit.attempt, permit.fence, permit.flow.run, semaphore,
            "" if endpoint is None else endpoint.name, permit.worker, pages, micros, code, self.now_ns + self.utc_offset_ns,
        )  # fmt: skip

    def note(self, book: Book, event: Note) -> Record:
        """The next record of ``book``, about what a worker says of a unit."""
        book.sequence += 1
        return Record(
            book.sequence, book.epoch, event.kind, event.unit, event.attempt, event.fence, event.run, event.semaphore,
            "", event.worker, event.pages, event.micros, event.code, self.now_ns + self.utc_offset_ns,
        )  # fmt: skip

    @staticmethod
    def kind_of(verdict: Verdict) -> RecordKind:
        """Kind of record that a verdict ends a call with."""
        return _KINDS[verdict]


def billed(permit: Permit, outcome: Outcome) -> tuple[int, int]:
    """Pages and micro-dollars that an answer stands for; what it does not say follows from its verdict."""
    paid: tuple[Verdict, ...] = ("ok", "too-large", "raised")
    pages = outcome.pages_billed
    if pages is None:
        pages = permit.pages if outcome.verdict in paid else 0
    micros = outcome.micros_billed
    if micros is None:
        micros = (
            -(-permit.micros * pages // permit.pages)
            if permit.pages
            else (permit.micros if outcome.verdict in paid else 0)
        )
    return pages, micros
