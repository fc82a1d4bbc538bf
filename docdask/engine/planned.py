"""What is planned, read back: branches with their units and requests, and which partition has lost documents since.

Rules: a document belongs to the newest generation that names it, as long as its file has not changed since; branches
are made one at a time, so that a million documents cost the memory of one partition.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from docdask.engine.branch import Branch
from docdask.engine.job import Unit
from docdask.store.plan import still_holds
from docdask.store.run import RunDirectory

if TYPE_CHECKING:
    import pyarrow as pa


def branches(
    run: RunDirectory,
    skip: Container[int] = (),
    *,
    lanes: Collection[str] | None = None,
    stale: Mapping[int, Container[str]] | None = None,
) -> Iterator[Branch]:
    """Branches of the current plan in order, one at a time in memory.

    Parameters
    ----------
    run
        The run directory.
    skip
        Partitions to leave out.
    lanes
        Lanes whose branches are wanted, ``""`` for those of a run without routes; None for all.
    stale
        What :func:`superseded` says, for who asks several times; None to ask it here.
    """
    stale = superseded(run) if stale is None else stale
    for generation in run.generations():
        rows: list[dict[str, Any]] = []
        batches = (_in_lanes(batch, lanes) for batch in run.plan_batches(generation))
        for row in (row for batch in batches for row in batch.to_pylist()):
            if rows and rows[0]["partition"] != row["partition"]:
                yield branch(rows)
                rows = []
            if row["partition"] not in skip and row["document_id"] not in stale.get(row["partition"], ()):
                rows.append(row)
        if rows:
            yield branch(rows)


def _in_lanes(batch: pa.RecordBatch, lanes: Collection[str] | None) -> pa.RecordBatch:
    """Rows of these lanes; a partition has one lane."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if lanes is None:
        return batch
    return batch.filter(pc.is_in(pc.fill_null(batch["lane"], ""), pa.array(sorted(lanes), pa.string())))


def planned(run: RunDirectory) -> dict[int, tuple[int, int, float]]:
    """Partition → (documents, pages, expected seconds) of the current plan."""
    stale = superseded(run)
    found: dict[int, tuple[int, int, float]] = {}
    for generation in run.generations():
        for batch in run.plan_batches(generation, ["partition", "document_id", "pages", "expected_seconds"]):
            for number, document, pages, seconds in zip(*batch.to_pydict().values(), strict=True):
                if document not in stale.get(number, ()):
                    documents, sum_, sum_s = found.get(number, (0, 0, 0.0))
                    found[number] = (documents + 1, sum_ + (pages or 1), sum_s + (seconds or 0.0))
    return found


def superseded(run: RunDirectory) -> dict[int, set[str]]:
    """Partition → documents that it no longer has, because they were planned anew or their files changed since."""
    import pyarrow as pa
    import pyarrow.compute as pc

    catalog = run.catalog(["document_id", "state", "sha256"])
    generations = run.generations()
    newest: dict[str, int] = {}
    found: dict[int, set[str]] = {}
    for generation in reversed(generations):
        columns = ["partition", "document_id", "sha256"]
        # All of a generation at once: each look into the catalog makes an index of the whole of it.
        rows = pa.Table.from_batches(run.plan_batches(generation, columns))
        gone = rows.filter(pc.invert(still_holds(rows, catalog)))
        for number, document in _pairs(gone):
            found.setdefault(number, set()).add(document)
        for number, document in _pairs(rows) if len(generations) > 1 else ():
            if newest.setdefault(document, number) != number:
                found.setdefault(number, set()).add(document)
    return found


def _pairs(rows: Any) -> Iterator[tuple[int, str]]:
    return zip(rows["partition"].to_pylist(), rows["document_id"].to_pylist(), strict=True)


def branch(rows: list[dict[str, Any]]) -> Branch:
    """The branch of one partition from its plan rows."""
    by_row = [tuple(_units(row)) for row in rows]
    lane, processor = rows[0].get("lane") or "", rows[0].get("processor") or ""
    pieces: list[tuple[Unit, ...]] = []
    requests: tuple[tuple[Unit, ...], ...] = ()
    if processor:
        requests = _requests(rows, by_row, lane)
        pieces.append(tuple(unit for units in by_row for unit in units))
    else:
        pieces.extend((unit,) for units in by_row if len(units) > 1 for unit in units)
        whole = tuple(unit for units in by_row if len(units) == 1 for unit in units)
        if whole:
            pieces.append(whole)
    return Branch(
        partition=rows[0]["partition"],
        group=rows[0]["group"],
        rows=tuple(rows),
        pieces=tuple(pieces),
        pages=sum(row["pages"] or 1 for row in rows),
        expected_s=sum(row["expected_seconds"] or 0.0 for row in rows),
        requests=requests,
        route=rows[0].get("route") or "",
        lane=lane,
        processor=processor,
    )


def _requests(
    rows: list[dict[str, Any]], by_row: list[tuple[Unit, ...]], lane: str
) -> tuple[tuple[Unit, ...], ...]:
    """Units by call: all of a batch operation, those of a pack, else each alone."""
    if lane == "batch":
        return (tuple(unit for units in by_row for unit in units),)
    calls: list[list[Unit]] = []
    packs: dict[int, list[Unit]] = {}
    for row, units in zip(rows, by_row, strict=True):
        pack = row["pack"]
        if pack is None:
            calls.extend([unit] for unit in units)
            continue
        if pack not in packs:
            packs[pack] = []
            calls.append(packs[pack])
        packs[pack].extend(units)
    return tuple(tuple(call) for call in calls)


def _units(row: Mapping[str, Any]) -> Iterator[Unit]:
    spans = [tuple(int(n) for n in text.split("-")) for text in row["ranges"] or ()]
    pages = row["pages"] or 1
    lengths = [last - first + 1 for first, last in spans] or [pages]
    costs = row.get("unit_micros") or [row.get("cost_micros") or 0] * len(lengths)
    for place, (identity, length) in enumerate(zip(row["unit_ids"], lengths, strict=True)):
        yield Unit(
            identity, row["document_id"], row["uri"], row["sha256"], row["mime_type"], row["action"],
            row["size_bytes"] or 0, spans[place][0] if spans else 1, length, ranged=bool(spans),
            document_pages=pages, cost_micros=costs[place],
        )  # fmt: skip
