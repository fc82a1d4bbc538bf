"""What calls have cost and may have cost, added up record by record; kept is only what has no known end.

The same rules as :func:`docdask.core.ledger.fold`, for somebody who looks every second and wants money alone. Records
must come in the order of their sequence numbers, each once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from docdask.core.ledger import Record

#: Kinds of records after which the end of a call is known.
ENDS = frozenset({"answered", "refused", "failed", "withdrawn"})


@dataclass(frozen=True, slots=True)
class Spent:
    """Pages and micro-dollars."""

    pages: int = 0
    """Billed, those of calls that were made twice included."""
    micros: int = 0
    pages_at_risk: int = 0
    """Of calls without a known end; while a run goes on also those in flight."""
    micros_at_risk: int = 0


class Spending:
    """Adds records up."""

    def __init__(self) -> None:
        self.sequence = 0
        """Of the last record."""
        self._pages = self._micros = 0
        self._open: dict[tuple[str, int], tuple[int, int]] = {}

    def add(self, record: Record) -> None:
        """Take in one record."""
        self.sequence = record.sequence
        if record.kind == "intent":
            self._open[record.unit, record.fence] = (record.pages, record.micros)
        elif record.kind in ENDS and self._open.pop((record.unit, record.fence), None) is not None:
            self._pages += record.pages
            self._micros += record.micros

    def add_all(self, records: Iterable[Record]) -> None:
        """Take in records."""
        for record in records:
            self.add(record)

    def spent(self) -> Spent:
        """What all that was taken in comes to."""
        return Spent(
            self._pages,
            self._micros,
            sum(pages for pages, _ in self._open.values()),
            sum(micros for _, micros in self._open.values()),
        )
