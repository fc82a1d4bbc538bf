"""What a governor that starts again takes from the ledger of the one before.

Its numbers go on above the last ones, each run's spending counts, and every intent of the last two periods counts as
sent: a call may have gone out with the last breath of the old governor. What a ledger does not tell (a batch operation from
a single call) is taken as what is stricter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from docdask.core.ledger import Record, fold
from docdask.core.meter import MeterState
from docdask.core.spec import FULL_PPM, EndpointSpec, SemaphoreSpec


@dataclass(frozen=True, slots=True)
class Recovery:
    """Where to go on."""

    epoch: int
    """Of the new governor."""
    fence: int
    sequence: int
    spent: dict[str, tuple[int, int, int, int]]
    """By run, for :class:`docdask.core.events.OpenRun`: pages and micro-dollars spent, pages and micro-dollars at risk."""
    meters: dict[str, MeterState]
    """For :class:`docdask.core.events.Restore`."""


def recover(
    records: Iterable[Record], semaphore: str, spec: SemaphoreSpec, *, now_utc_ns: int, since_utc_ns: int = 0
) -> Recovery:
    """Read the ledger for a new governor.

    Parameters
    ----------
    records
        All that could be read.
    semaphore, spec
        Whose calls count.
    now_utc_ns
        Wall clock.
    since_utc_ns
        When a saved :meth:`docdask.core.governor.Governor.usage` was taken, if that is restored too; what was sent before
        is in there.
    """
    kept = sorted(set(records), key=lambda record: record.sequence)
    ledger = fold(kept)
    horizon = max(since_utc_ns, now_utc_ns - 3 * spec.period_ns)
    endpoints = {endpoint.name: endpoint for endpoint in spec.endpoints}
    used: dict[str, list[list[int]]] = {}
    for record in kept:
        if record.kind != "intent" or record.semaphore != semaphore or record.at_utc_ns < horizon:
            continue
        for meter, amount in _charges(record, endpoints.get(record.endpoint), spec):
            used.setdefault(meter, []).append([record.at_utc_ns, amount])
    return Recovery(
        epoch=ledger.epoch + 1,
        fence=ledger.fence,
        sequence=ledger.sequence,
        spent=_spent(kept, semaphore),
        meters={
            name: {"used": sorted(log), "share_ppm": FULL_PPM, "bursts": True} for name, log in used.items()
        },
    )


def _charges(record: Record, endpoint: EndpointSpec | None, spec: SemaphoreSpec) -> list[tuple[str, int]]:
    charges = [("user", 1)] if spec.user_requests is not None else []
    if endpoint is not None and record.pages > 0:
        if endpoint.requests is not None:
            charges.append((f"requests/{endpoint.group('requests')}", 1))
        if endpoint.pages is not None:
            charges.append((f"pages/{endpoint.group('pages')}", record.pages))
    return charges


def _spent(records: list[Record], semaphore: str) -> dict[str, tuple[int, int, int, int]]:
    """Money by run: fold each run's records on their own."""
    runs: dict[str, list[Record]] = {}
    for record in records:
        if record.semaphore == semaphore:
            runs.setdefault(record.run, []).append(record)
    spent = {}
    for run, mine in runs.items():
        ledger = fold(mine)
        spent[run] = (ledger.pages_billed, ledger.micros_billed, *ledger.at_risk)
    return spent
