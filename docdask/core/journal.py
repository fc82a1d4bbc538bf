"""Numbers that only rise: fences of grants, sequence numbers of records; and the records themselves."""

from __future__ import annotations

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
    "lost": "lost",
    "unused": "withdrawn",
}


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

    __slots__ = ("broken", "epoch", "fence", "now_ns", "sequence", "utc_offset_ns")

    def __init__(self, *, epoch: int = 1, fence: int = 0, sequence: int = 0, utc_offset_ns: int = 0) -> None:
        self.epoch = epoch
        self.fence = fence
        self.sequence = sequence
        self.utc_offset_ns = utc_offset_ns
        self.now_ns = 0
        self.broken: str | None = None
        """Why records can't be written, while they can't."""

    def next_fence(self) -> int:
        """A fence above all others."""
        self.fence += 1
        return self.fence

    def record(
        self, kind: RecordKind, semaphore: str, permit: Permit, pages: int, micros: int, code: str
    ) -> Record:
        """The next record, about ``permit``."""
        self.sequence += 1
        endpoint = permit.endpoint
        return Record(
            self.sequence, self.epoch, kind, permit.unit, permit.attempt, permit.fence, permit.flow.run, semaphore,
            "" if endpoint is None else endpoint.name, permit.worker, pages, micros, code, self.now_ns + self.utc_offset_ns,
        )  # fmt: skip

    @staticmethod
    def kind_of(verdict: Verdict) -> RecordKind:
        """Kind of record that a verdict ends a call with."""
        return _KINDS[verdict]
