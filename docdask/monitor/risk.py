"""What is at risk in a run, by name: calls whose end nobody knows, with their price and the documents that were in them.

Rule: the dearest come first; a terminal is told of the first twenty, JSON of all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from docdask.monitor.columns import WIDTH
from docdask.store.run import RunDirectory
from docdask.store.spending import FollowedLedger
from docdask.tables.money import MICRO_USD, dollars
from docdask.words import counted

#: Calls that a terminal is told of.
_MOST = 20


@dataclass(frozen=True)
class OpenCall:
    """A call whose end nobody knows."""

    request_id: str
    fence: int
    pages: int
    cost_usd: float
    documents: tuple[str, ...]
    """Names of what was in it, as far as the run directory tells."""


def open_calls(url: str) -> list[OpenCall]:
    """Calls of a run whose end nobody knows, the dearest first.

    Raises
    ------
    StorageError
        If the storage refuses.
    """
    found = [row for row in FollowedLedger(url).open_calls().items() if row[1] != (0, 0)]
    if not found:
        return []
    run = RunDirectory(url)
    units = {request: _units(run, request) for request in {request for (request, _), _ in found}}
    names = _names(run, {unit for several in units.values() for unit in several})
    calls = [
        OpenCall(
            request, fence, pages, micros / MICRO_USD, _unique(names.get(unit) for unit in units[request])
        )
        for (request, fence), (pages, micros) in found
    ]
    return sorted(calls, key=lambda call: (-call.cost_usd, -call.pages, call.request_id, call.fence))


def text(calls: list[OpenCall]) -> str:
    """The same for a terminal of 80 columns; empty if there are none."""
    if not calls:
        return ""
    lines = ["at risk, and the documents that were in it:"]
    for call in calls[:_MOST]:
        said = ", ".join(call.documents[:2]) + (
            f" and {counted(len(call.documents) - 2, 'more document')}" if len(call.documents) > 2 else ""
        )
        head = f"  {call.pages:>6,} {dollars(call.cost_usd):>10}  {call.request_id}"
        room = len(head) + 2 + len(said) <= WIDTH
        lines += [f"{head}  {said}".rstrip()] if room else [head, " " * 21 + said]
    if len(calls) > _MOST:
        lines.append(f"  and {counted(len(calls) - _MOST, 'more call')}: --json has all")
    lines.append("the story of one: docdask debug ledger RUN ID")
    return "\n".join(lines)


def to_json(calls: list[OpenCall]) -> list[dict[str, Any]]:
    """The same as JSON values."""
    return [asdict(call) for call in calls]


def _units(run: RunDirectory, request: str) -> tuple[str, ...]:
    """Units that were in a request: those of a batch operation or a pack, else the request is one itself."""
    batch = run.read_json(f"operations/{request}.json")
    if batch:
        return tuple(batch["units"])
    for partition in run.names("packing"):
        pack = run.read_json(f"packing/{partition}/{request}.json")
        if pack:
            return tuple(entry["unit_id"] for entry in pack["entries"])
    return (request,)


def _names(run: RunDirectory, units: set[str]) -> dict[str, str]:
    """Unit → name of its document."""
    found: dict[str, str] = {}
    for generation in run.generations():
        for batch in run.plan_batches(generation, ["name", "unit_ids"]):
            for row in batch.to_pylist():
                found.update({unit: row["name"] for unit in row["unit_ids"] or () if unit in units})
    return found


def _unique(names: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))
