"""From the catalog to a generation of the plan: which documents are new, which are done once for several, in what branch.

Rules:

1. A document that is planned stays where it is; more inputs make a further generation. A document whose bytes changed is
   planned anew and belongs to its newest generation.
2. Of several documents with the same bytes one is done: one that is planned already, else the first by URI.
3. Planning recognises nothing and asks nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from docdask.core import planner
from docdask.core.planner import Item, Speed
from docdask.engine import telling
from docdask.engine.graph import Branch
from docdask.engine.work import Unit
from docdask.model import PageRange, unit_id
from docdask.service import base
from docdask.store.plan import PLAN, still_holds
from docdask.store.run import PLAN_ROWS, RunDirectory

if TYPE_CHECKING:
    import pyarrow as pa

_COPIED = ("document_id", "uri", "name", "sha256", "mime_type", "group", "action", "size_bytes", "kind", "kind_confidence",
           "problem", "reason", "remedy", "columns")  # fmt: skip
_NEEDED = [*_COPIED, "pages", "text_pages", "state"]


def append(
    run: RunDirectory,
    engine: base.Engine,
    speed: Speed,
    workers: int,
    *,
    only: frozenset[str] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Plan what the catalog has and the plan lacks.

    Parameters
    ----------
    run, engine
        The run and the engine it uses.
    speed, workers
        To size the branches.
    only
        Document ids to plan (a pilot); None for all.
    facts
        Added to the summary.

    Returns
    -------
    dict
        Summary of everything planned in this run so far; ``new`` says whether this call added a generation.
    """
    import pyarrow.compute as pc

    catalog = run.catalog(_NEEDED)
    before = _planned(run)
    ready = _ready(catalog, engine)
    if only is not None:
        ready = ready.filter(pc.is_in(ready["document_id"], pa_strings(only)))
    copies = duplicates(_twins(ready).to_pylist(), before)
    options = getattr(
        engine, "options", run.manifest().engine_options
    )  # an engine may tell which of them matter
    new = _without(ready, copies, before)
    items = [
        Item(document, group, pages, text_pages, size_bytes or 0)
        for document, group, pages, text_pages, size_bytes in zip(
            *(new[name].to_pylist() for name in ("document_id", "group")),
            *(counts.to_pylist() for counts in _page_counts(new)),
            new["size_bytes"].to_pylist(),
            strict=True,
        )
    ]
    generations = run.generations()
    first = _next_partition(run)
    parts = planner.partition(items, speed, workers=workers, first_number=first)
    span_s = planner.makespan_s(parts, workers) + (speed.start_s if parts else 0.0)
    summary = {
        "run": run.url,
        **_summary(run, catalog, engine, only),
        "duplicates": len(copies),
        "generation": len(generations),
        "new": len(new),
        "new_pages": sum(item.pages for item in items),
        "new_text_pages": sum(item.text_pages for item in items),
        "partitions": len(parts),
        "workers": workers,
        "expected_work_s": sum(part.expected_s for part in parts),
        "expected_s": span_s,
        "decides": _decides(parts, workers, span_s),
        **(facts or {}),
    }
    if len(new):
        run.append_plan(len(generations), _table(parts, new, engine, options), summary)
    return summary


def copies(run: RunDirectory, engine: base.Engine) -> list[dict[str, Any]]:
    """Catalog rows of the documents that another one with the same bytes stands for, with ``duplicate_of``."""
    import pyarrow.compute as pc

    # Most runs have no twins at all, and most documents none: find out before anything is read or made for nothing.
    hashes = run.catalog(["sha256"])["sha256"]
    if pc.count_distinct(hashes, mode="only_valid").as_py() == len(hashes) - hashes.null_count:
        return []
    twins = _twins(run.catalog(["document_id", "uri", "sha256", "action", "state", "mime_type"]))
    if not len(twins):
        return []
    before: dict[str, None] = {}
    for generation in run.generations():
        for batch in run.plan_batches(generation, ["document_id"]):
            planned = pc.is_in(batch["document_id"], twins["document_id"].combine_chunks())
            before.update(dict.fromkeys(batch.filter(planned)["document_id"].to_pylist()))
    found = {
        d: o for d, o in duplicates(_ready(twins, engine).to_pylist(), before).items() if d not in before
    }
    rows = run.catalog(_NEEDED)
    copied = rows.filter(pc.is_in(rows["document_id"], pa_strings(found)))
    return [{**row, "duplicate_of": found[row["document_id"]]} for row in copied.to_pylist()]


def _twins(catalog: pa.Table) -> pa.Table:
    """Rows whose bytes another row has as well."""
    import pyarrow.compute as pc

    counts = catalog.group_by("sha256").aggregate([([], "count_all")])
    several = counts.filter(pc.greater(counts["count_all"], 1))["sha256"].drop_null()
    return catalog.filter(pc.is_in(catalog["sha256"], several.combine_chunks()))


def duplicates(rows: Iterable[Mapping[str, Any]], planned: Mapping[str, Any]) -> dict[str, str]:
    """``document_id -> duplicate_of`` among ready documents; planned ones come first, then by URI."""
    first: dict[str, str] = {}
    found: dict[str, str] = {}
    for row in sorted(rows, key=lambda row: (row["document_id"] not in planned, row["uri"])):
        # The same bytes read after another treatment are another document to the engine.
        key = f"{row['sha256']}/{row['action']}"
        if first.setdefault(key, row["document_id"]) != row["document_id"]:
            found[row["document_id"]] = first[key]
    return found


def branches(run: RunDirectory, skip: Container[int] = ()) -> Iterator[Branch]:
    """Branches of the current plan in order, without the partitions in ``skip``; one at a time in memory."""
    stale = superseded(run)
    for generation in run.generations():
        rows: list[dict[str, Any]] = []
        for row in (row for batch in run.plan_batches(generation) for row in batch.to_pylist()):
            if rows and rows[0]["partition"] != row["partition"]:
                yield branch(rows)
                rows = []
            if row["partition"] not in skip and row["document_id"] not in stale.get(row["partition"], ()):
                rows.append(row)
        if rows:
            yield branch(rows)


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
    """Partition → documents that it no longer has, because their files changed since it was planned."""
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


def _pairs(rows: pa.Table) -> Iterator[tuple[int, str]]:
    return zip(rows["partition"].to_pylist(), rows["document_id"].to_pylist(), strict=True)


def branch(rows: list[dict[str, Any]]) -> Branch:
    """The branch of one partition from its plan rows."""
    pieces: list[tuple[Unit, ...]] = []
    whole: list[Unit] = []
    for row in rows:
        units = tuple(_units(row))
        if len(units) > 1:
            pieces.extend((unit,) for unit in units)
        else:
            whole.extend(units)
    if whole:
        pieces.append(tuple(whole))
    return Branch(
        partition=rows[0]["partition"],
        group=rows[0]["group"],
        rows=tuple(rows),
        pieces=tuple(pieces),
        pages=sum(row["pages"] or 1 for row in rows),
        expected_s=sum(row["expected_seconds"] or 0.0 for row in rows),
    )


def _units(row: Mapping[str, Any]) -> Iterator[Unit]:
    ranges = row["ranges"] or [None]
    for text, identity in zip(ranges, row["unit_ids"], strict=True):
        first, last = (int(n) for n in text.split("-")) if text else (1, row["pages"] or 1)
        yield Unit(
            identity, row["document_id"], row["uri"], row["sha256"], row["mime_type"], row["action"],
            row["size_bytes"] or 0, first, last - first + 1, ranged=text is not None,
        )  # fmt: skip


def _decides(parts: list[planner.Partition], workers: int, span_s: float) -> str:
    """What would have to be more for the run to be shorter, in a phrase."""
    longest_s = max((part.expected_s / (len(part.ranges) or 1) for part in parts), default=0.0)
    if not parts:
        return "nothing: there is nothing to do"
    if longest_s > 0.9 * span_s:
        return "its longest document: more workers would not help"
    twice_s = max(longest_s, span_s / 2)
    if twice_s < 1:
        return "the start: there is less than a second of work for each worker"
    return f"the number of workers ({workers}): twice as many would take about {telling.duration(round(twice_s))}"


def _planned(run: RunDirectory) -> dict[str, tuple[str, str | None]]:
    table = run.plan(current=True).select(["document_id", "sha256", "action"]).to_pydict()
    return {d: (s, a) for d, s, a in zip(table["document_id"], table["sha256"], table["action"], strict=True)}


def _next_partition(run: RunDirectory) -> int:
    import pyarrow.compute as pc

    numbers = [
        pc.max(batch["partition"]).as_py()
        for generation in run.generations()
        for batch in run.plan_batches(generation, ["partition"])
    ]
    return max(numbers, default=-1) + 1


def _ready(catalog: pa.Table, engine: base.Engine) -> pa.Table:
    import pyarrow.compute as pc

    taken = pc.is_in(catalog["mime_type"], pa_strings(engine.mime_types))
    return catalog.filter(pc.and_(pc.equal(catalog["state"], "ready"), taken))


def _without(
    ready: pa.Table, copies: Mapping[str, str], before: Mapping[str, tuple[str, str | None]]
) -> pa.Table:
    """Documents that are to be planned: no copies of another, and not planned with these bytes already."""
    import pyarrow as pa
    import pyarrow.compute as pc

    own = ready.filter(pc.invert(pc.is_in(ready["document_id"], pa_strings(copies)))) if copies else ready
    if not before:
        return own
    columns = (own[name].to_pylist() for name in ("document_id", "sha256", "action"))
    new = [before.get(document) != (*what,) for document, *what in zip(*columns, strict=True)]
    return own.filter(pa.array(new, pa.bool_()))


def _page_counts(rows: pa.Table) -> tuple[Any, Any]:
    """Pages of each document, at least 1, and those of them whose text layer will do."""
    import pyarrow.compute as pc

    pages = pc.max_element_wise(pc.fill_null(rows["pages"], 1), 1)
    return pages, pc.min_element_wise(pc.fill_null(rows["text_pages"], 0), pages)


def set_aside(run: RunDirectory, engine: base.Engine) -> list[dict[str, Any]]:
    """Catalog rows of the documents that are never recognised, with state, problem, reason and remedy filled."""
    import pyarrow.compute as pc

    def aside(catalog: pa.Table) -> pa.Table:
        taken = pc.is_in(catalog["mime_type"], pa_strings(engine.mime_types))
        return catalog.filter(pc.invert(pc.and_(pc.equal(catalog["state"], "ready"), taken)))

    if not len(
        aside(run.catalog(["state", "mime_type"]))
    ):  # as a rule there are few: look before reading all of it
        return []
    found = []
    for row in aside(run.catalog([*_NEEDED, "inspected_at"])).to_pylist():
        if row["state"] != "ready":
            found.append(row)
            continue
        refused = {
            "state": "skipped",
            "problem": "unsupported-type",
            "reason": f"the engine {engine.name} does not take {row['mime_type']}",
            "remedy": f"convert it to one of {', '.join(sorted(engine.mime_types))}",
        }
        found.append({**row, **refused})
    return found


def pa_strings(values: Iterable[str]) -> Any:
    """Arrow array of strings."""
    import pyarrow as pa

    return pa.array(sorted(values), pa.string())


def _summary(
    run: RunDirectory, catalog: pa.Table, engine: base.Engine, only: frozenset[str] | None
) -> dict[str, Any]:
    import pyarrow.compute as pc

    states: Counter[str] = Counter()
    aside: Counter[tuple[str, str]] = Counter()
    reasons: dict[tuple[str, str], str] = {}
    for row in set_aside(run, engine):
        key = (row["state"], row["problem"] or "unknown")
        states[row["state"]] += 1
        aside[key] += 1
        reasons.setdefault(key, row["reason"] or key[1])
    ready = _ready(catalog, engine)
    states["ready"] = len(ready)
    if only is not None:
        ready = ready.filter(pc.is_in(ready["document_id"], pa_strings(only)))
    pages, text_pages = (pc.sum(counts).as_py() or 0 for counts in _page_counts(ready))
    return {
        "inputs": len(catalog),
        "ready": states["ready"],
        "quarantined": states["quarantined"],
        "skipped": states["skipped"],
        "aside": [
            {"outcome": key[0], "problem": key[1], "documents": n, "reason": reasons[key]}
            for key, n in aside.most_common()
        ],
        "pages": pages,
        "text_pages": text_pages,
        "size_bytes": pc.sum(catalog["size_bytes"]).as_py() or 0,
    }


def _table(
    parts: list[planner.Partition], new: pa.Table, engine: base.Engine, options: dict[str, Any]
) -> pa.Table:
    """Rows of the plan, made some thousand at a time: a million of them as Python objects would take gigabytes."""
    import pyarrow as pa

    placed = [(index, part) for part in parts for index in part.documents]
    new, tables = new.combine_chunks(), []  # taking rows from one chunk is many times faster
    for start in range(0, len(placed), PLAN_ROWS):
        chunk = placed[start : start + PLAN_ROWS]
        rows = new.take(pa.array([index for index, _ in chunk])).to_pylist()
        made = [_row(row, part, engine, options) for row, (_, part) in zip(rows, chunk, strict=True)]
        tables.append(pa.Table.from_pylist(made, schema=PLAN))
    return pa.concat_tables(tables)


def _row(
    row: dict[str, Any], part: planner.Partition, engine: base.Engine, options: dict[str, Any]
) -> dict[str, Any]:
    ranges: tuple[PageRange | None, ...] = part.ranges or (None,)
    name, more = base.engine_id(engine), {**options, "action": row["action"]}
    return {
        **{key: row[key] for key in _COPIED},
        "partition": part.number,
        "pages": row["pages"] or 1,
        "ranges": [str(r) for r in part.ranges],
        "unit_ids": [unit_id(row["sha256"], r, name, more) for r in ranges],
        "expected_seconds": part.expected_s / len(part.documents),
        "generation": 0,
    }
