"""What calls have cost and may have cost, added up record by record; kept is only what has no known end.

The same rules as :func:`docdask.core.ledger.fold`, for somebody who looks every second and wants money alone. Records
must come in the order of their sequence numbers, each once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from docdask.core.ledger import Record

#: Kinds of records after which the end of a call is known.
ENDS = frozenset({"answered", "refused", "failed", "withdrawn"})
#: Of the rules here: what was kept under others counts for nothing.
VERSION = 1


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
        elif record.kind == "adopted":
            self._adopted(record)

    def _adopted(self, record: Record) -> None:
        """What earlier calls left open was for the same operation: its end will be theirs."""
        calls = [key for key in self._open if key[0] == record.unit and key[1] <= record.fence]
        earlier = [self._open.pop(key) for key in calls]
        if earlier:
            self._open[record.unit, record.fence] = (
                sum(pages for pages, _ in earlier),
                sum(micros for _, micros in earlier),
            )

    def add_all(self, records: Iterable[Record]) -> None:
        """Take in records."""
        for record in records:
            self.add(record)

    @property
    def open(self) -> dict[tuple[str, int], tuple[int, int]]:
        """Calls without a known end: unit and fence → pages and micro-dollars."""
        return dict(self._open)

    def to_json(self) -> dict[str, Any]:
        """JSON object of everything, from which :meth:`from_json` goes on."""
        return {
            "version": VERSION,
            "sequence": self.sequence,
            "pages": self._pages,
            "micros": self._micros,
            "open": [[*key, *amount] for key, amount in self._open.items()],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """What :meth:`to_json` wrote; ``KeyError``, ``TypeError`` or ``ValueError`` if it is something else."""
        if value["version"] != VERSION:
            raise ValueError(value["version"])
        made = cls()
        made.sequence, made._pages, made._micros = (
            int(value[name]) for name in ("sequence", "pages", "micros")
        )
        made._open = {(str(u), int(f)): (int(pages), int(micros)) for u, f, pages, micros in value["open"]}
        return made

    def spent(self) -> Spent:
        """What all that was taken in comes to."""
        return Spent(
            self._pages,
            self._micros,
            sum(pages for pages, _ in self._open.values()),
            sum(micros for _, micros in self._open.values()),
        )
