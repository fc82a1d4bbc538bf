"""Requests to a paid service, a row each, read off the run's ledger: also those that were refused, lost or made twice.

Rules: a request is what a permit was granted for; its end is the last word of the ledger on it. Polls of batch operations,
which cost nothing, are left out. The quota beside it is the one that an online request counts against.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from docdask.core.ledger import Record
from docdask.core.limits import region_kind
from docdask.core.routes import Configuration
from docdask.core.spending import ENDS
from docdask.store import paidrun
from docdask.store.ledger import records
from docdask.tables import money

if TYPE_CHECKING:
    import pandas as pd

    from docdask.store.run import RunDirectory

#: Columns and their dtypes; docs/tables.md says what they mean.
COLUMNS = {
    "request_id": "string", "attempt": "Int64", "endpoint": "string", "lane": "string", "worker": "string", "pages": "Int64",
    "cost_usd": "float64", "outcome": "string", "code": "string", "sent_at": "datetime64[ns, UTC]",
    "ended_at": "datetime64[ns, UTC]", "quota_group": "string", "quota": "Int64", "period_s": "float64",
}  # fmt: skip


#: Last words after which nothing is at risk any more.
_KNOWN = ENDS | {"adopted"}


@dataclass(slots=True)
class _Request:
    """One that was sent."""

    intent: Record
    end: Record | None = None
    operation: bool = False
    pages: int = 0
    micros: int = 0
    """Billed; while the end is not known, what may be."""

    def ended(self, record: Record) -> None:
        """The ledger has a word on its end."""
        self.end = record
        if record.kind in ENDS:
            self.pages, self.micros = record.pages, record.micros

    def adopt(self, record: Record, earlier: Iterable[_Request]) -> None:
        """It goes on with the operation that earlier requests of its unit began: its end will be theirs."""
        self.operation = True
        for other in earlier:
            if other is not self and not other.known:
                self.pages, self.micros = self.pages + other.pages, self.micros + other.micros
                other.end, other.operation, other.pages, other.micros = record, True, 0, 0

    @property
    def known(self) -> bool:
        """Whether its end is."""
        return self.end is not None and self.end.kind in _KNOWN

    def row(self, quotas: dict[str, tuple[str, int]], period_s: float) -> tuple[Any, ...]:
        """Values of :data:`COLUMNS`."""
        sent, end = self.intent, self.end
        group, quota = (None, None) if self.operation else quotas.get(sent.endpoint, (None, None))
        return (
            sent.unit, sent.attempt, sent.endpoint, "batch" if self.operation else "online", sent.worker, self.pages,
            self.micros / money.MICRO_USD, "open" if end is None else end.kind, "" if end is None else end.code,
            sent.at_utc_ns, None if end is None else end.at_utc_ns, group, quota, period_s,
        )  # fmt: skip


def requests(run: RunDirectory) -> pd.DataFrame:
    """All requests of a run, in the order in which they were sent; empty for a run that is not paid.

    Parameters
    ----------
    run
        The run directory.

    Returns
    -------
    pandas.DataFrame
        Columns :data:`COLUMNS`.

    Raises
    ------
    StorageError
        If the ledger can't be read.
    """
    import pandas as pd

    configuration = paidrun.configuration(run)
    rows: list[tuple[Any, ...]] = []
    if configuration is not None:
        quotas = _quotas(configuration)
        rows = [request.row(quotas, configuration.period_s) for request in _requests(records(run.url))]
    columns = zip(*rows, strict=True) if rows else ([] for _ in COLUMNS)
    made = {}
    for (name, dtype), values in zip(COLUMNS.items(), columns, strict=True):
        series = pd.Series(list(values), dtype="Int64" if dtype.startswith("datetime") else dtype)
        made[name] = pd.to_datetime(series, unit="ns", utc=True) if dtype.startswith("datetime") else series
    return pd.DataFrame(made).astype(COLUMNS)


def _requests(found: Iterable[Record]) -> Iterator[_Request]:
    sent: dict[str, dict[int, _Request]] = {}  # by unit and fence
    order: list[_Request] = []
    for record in found:
        own = sent.setdefault(record.unit, {})
        if record.kind == "intent":
            request = own[record.fence] = _Request(record, pages=record.pages, micros=record.micros)
            order.append(request)
        elif known := own.get(record.fence):
            if record.kind in ENDS or record.kind == "lost":
                known.ended(record)
            elif record.kind == "operation":
                known.operation = True
            elif record.kind == "adopted":
                known.adopt(record, (other for fence, other in own.items() if fence < record.fence))
    return (request for request in order if request.intent.pages or request.pages)


def _quotas(configuration: Configuration) -> dict[str, tuple[str, int]]:
    """Endpoint → what is counted together with it, and requests a minute of that."""
    book = configuration.book
    found = {}
    for alias, processor in configuration.processors.items():
        for place in processor.places:
            region, kind = region_kind(place.location), processor.processor_type
            quota = book.quota("online_requests", region, kind)
            found[f"{place.location}/{alias}"] = (f"{region} {kind}", quota)
    return found
