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


@dataclass(slots=True)
class _Request:
    """One that was sent."""

    intent: Record
    end: Record | None = None
    operation: bool = False

    @property
    def paid_or_may_be(self) -> bool:
        return self.intent.pages > 0 or (self.end is not None and self.end.pages > 0)

    def row(self, quotas: dict[str, tuple[str, int]], period_s: float) -> tuple[Any, ...]:
        """Values of :data:`COLUMNS`."""
        sent, end = self.intent, self.end
        known = end is not None and end.kind in ENDS
        counted = (
            end if known and end is not None else sent
        )  # of a call without a known end, what it may cost
        group, quota = (None, None) if self.operation else quotas.get(sent.endpoint, (None, None))
        return (
            sent.unit, sent.attempt, sent.endpoint, "batch" if self.operation else "online", sent.worker, counted.pages,
            counted.micros / money.MICRO_USD, "open" if end is None else end.kind, "" if end is None else end.code,
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

    configuration = money.configuration(run)
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
    sent: dict[tuple[str, int], _Request] = {}
    for record in found:
        key = (record.unit, record.fence)
        if record.kind == "intent":
            sent[key] = _Request(record)
        elif request := sent.get(key):
            if record.kind in ENDS or record.kind == "lost":
                request.end = record
            elif record.kind in {"operation", "adopted"}:
                request.operation = True
    return (request for request in sent.values() if request.paid_or_may_be)


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
