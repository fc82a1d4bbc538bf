"""From the catalog to a generation of the plan: which documents are new, which are done once for several, in what branch.

Rules:

1. A document that is planned stays where it is; more inputs make a further generation. A document whose bytes changed, or
   that is escalated, is planned anew and belongs to its newest generation.
2. Of several documents with the same bytes and the same way one is done: one that is planned already, else the first by
   URI.
3. Planning recognises nothing and asks nothing, and no document can end it: one that can't be sent is set aside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from docdask.core.costing import Till
from docdask.core.planner import Speed
from docdask.core.routes import Configuration
from docdask.engine import calibration, escalating, forecasting, parcelling, planrows, routing
from docdask.engine.planned import branch, branches, planned, superseded
from docdask.engine.routing import DECIDING, Numbers, Routed, Way
from docdask.service import base
from docdask.store.run import PLAN_ROWS, RunDirectory

__all__ = ["append", "branch", "branches", "copies", "escalate", "planned", "set_aside", "superseded"]

#: Reasons of one problem that a plan tells; more of them differ in numbers, as a rule.
_REASONS = 3
_NEEDED = [*dict.fromkeys([*DECIDING, *planrows.COPIED])]


@dataclass(frozen=True, slots=True)
class _Planner:
    """What plans one generation."""

    run: RunDirectory
    engine: base.Engine
    speed: Speed
    workers: int
    configuration: Configuration | None

    @classmethod
    def of(
        cls,
        run: RunDirectory,
        engine: base.Engine,
        speed: Speed,
        workers: int,
        configuration: Configuration | None,
    ) -> _Planner:
        """A planner for what this engine reads itself, whose width it is then, and for what is sent."""
        return cls(run, engine, replace(speed, in_flight=engine.in_flight), workers, configuration)

    def add(self, catalog: pa.Table, ways: list[Way], way: Numbers, rows: Numbers, facts: Mapping[str, Any]) -> dict[str, Any]:  # fmt: skip
        """Plan these rows of the catalog, as a generation if there are any; what is known of it."""
        run, generation = self.run, len(self.run.generations())
        docs = parcelling.documents(catalog, way, rows)
        latency, latency_note = calibration.latency(run, self.configuration)
        parcels = parcelling.parcel(
            docs, ways, self.configuration, self.speed, self.workers,
            latency=latency, first_number=_next_partition(run),
        )  # fmt: skip
        till = _till(run, self.configuration)
        costs = planrows.charge(parcels, docs, till) if till else np.zeros(len(docs), np.int64)
        outlook = forecasting.Outlook(
            parcels,
            docs,
            self.configuration,
            self.speed,
            self.workers,
            latency,
            packs_before=forecasting.planned_packs(run) if self.configuration else 0,
            shares=escalating.shares(run, self.configuration) if self.configuration else {},
        )
        summary = {
            **facts,
            "generation": generation,
            "new": len(docs),
            "new_pages": int(docs.pages.sum()),
            "new_text_pages": int(docs.text_pages.sum()),
            "partitions": len(parcels.partitions),
            "workers": self.workers,
            **outlook.work(),
            **(outlook.money(costs, till, latency_note) if till else {}),
        }
        if "escalated" in facts and till:
            # What is planned now was kept in reserve by the generation that planned it offline.
            summary["reserve"] = {"pages": -int(docs.pages.sum()), "micros": -int(costs.sum())}
        if len(docs):
            options = getattr(self.engine, "options", run.manifest().engine_options)
            identities = planrows.identities(parcels.courses, self.engine, options)
            tables = planrows.tables(parcels, docs, catalog, costs, identities, rows=PLAN_ROWS)
            run.append_plan(generation, tables, summary)
        return summary


def append(
    run: RunDirectory,
    engine: base.Engine,
    speed: Speed,
    workers: int,
    *,
    only: frozenset[str] | None = None,
    facts: Mapping[str, Any] | None = None,
    configuration: Configuration | None = None,
) -> dict[str, Any]:
    """Plan what the catalog has and the plan lacks.

    Parameters
    ----------
    run, engine
        The run, and the engine that reads what is not paid for.
    speed, workers
        To size the branches.
    only
        Document ids to plan (a pilot); None for all.
    facts
        Added to the summary.
    configuration
        Routes, limits and prices of Document AI; None: the engine reads everything.

    Returns
    -------
    dict
        Summary of everything planned in this run so far; ``new`` says whether this call added a generation. docs/plan.md
        lists its keys.
    """
    catalog = _compact(run, _NEEDED, configuration)
    routed = routing.assign(catalog, engine, configuration)
    before = _planned(run)
    chosen = routed.way >= 0
    if only is not None:
        chosen &= np.asarray(pc.is_in(catalog["document_id"], _strings(only)))
    twins = duplicates(_twins(catalog, routed, chosen), before)
    rows = _new(catalog, chosen, twins, before)
    known = {
        "run": run.url,
        **_summary(catalog, routed, chosen),
        "duplicates": len(twins),
        **(facts or {}),
    }
    planner = _Planner.of(run, engine, speed, workers, configuration)
    return planner.add(catalog, routed.ways, routed.way, rows, known)


def escalate(
    run: RunDirectory, engine: base.Engine, configuration: Configuration, speed: Speed, workers: int
) -> int:
    """Plan anew, with the processor of their route, documents that the offline engine has read badly.

    Those are documents whose ``mean_confidence`` in the table of documents is below ``escalate_below`` of their route and
    whose newest plan is still offline. The older row is superseded by the new one.

    Parameters
    ----------
    run, engine, configuration, speed, workers
        As for :func:`append`.

    Returns
    -------
    int
        Documents that were planned anew; 0 adds no generation.
    """
    thresholds = escalating.routes(configuration)
    badly_read = escalating.badly_read(run, configuration)
    if not badly_read:
        return 0
    catalog = _compact(run, _NEEDED, configuration)
    rows = np.flatnonzero(np.asarray(pc.is_in(catalog["document_id"], _strings(badly_read))))
    names = [badly_read[identity] for identity in catalog["document_id"].take(pa.array(rows)).to_pylist()]
    ways = {name: routing.paid(route, configuration) for name, route in thresholds.items()}
    listed = list(ways)
    way = np.full(len(catalog), -1, np.int16)
    way[rows] = [listed.index(name) for name in names]
    routed = Routed([ways[name] for name in listed], way)
    routing.refuse(routed, catalog, engine)
    rows = np.flatnonzero(routed.way >= 0)
    if len(rows):
        planner = _Planner.of(run, engine, speed, workers, configuration)
        planner.add(catalog, routed.ways, routed.way, rows, {"run": run.url, "escalated": len(rows)})
    return len(rows)


def copies(
    run: RunDirectory, engine: base.Engine, configuration: Configuration | None = None
) -> list[dict[str, Any]]:
    """Catalog rows of the documents that another one with the same bytes stands for, with ``duplicate_of``."""
    # Most runs have no twins at all, and most documents none: find out before anything is read or made for nothing.
    hashes = run.catalog(["sha256"])["sha256"]
    if pc.count_distinct(hashes, mode="only_valid").as_py() == len(hashes) - hashes.null_count:
        return []
    catalog = _compact(run, DECIDING, configuration)
    routed = routing.assign(catalog, engine, configuration)
    twins = _twins(catalog, routed, routed.way >= 0)
    identities = _strings(row["document_id"] for row in twins)
    before: dict[str, None] = {}
    for generation in run.generations():
        for batch in run.plan_batches(generation, ["document_id"]):
            found = batch.filter(pc.is_in(batch["document_id"], identities))
            before.update(dict.fromkeys(found["document_id"].to_pylist()))
    same = {d: o for d, o in duplicates(twins, before).items() if d not in before}
    copied = run.catalog(_NEEDED, of=same)
    return [{**row, "duplicate_of": same[row["document_id"]]} for row in copied.to_pylist()]


def duplicates(rows: Iterable[Mapping[str, Any]], planned: Mapping[str, Any]) -> dict[str, str]:
    """``document_id -> duplicate_of`` among ready documents; planned ones come first, then by URI."""
    first: dict[str, str] = {}
    found: dict[str, str] = {}
    for row in sorted(rows, key=lambda row: (row["document_id"] not in planned, row["uri"])):
        # The same bytes read after another treatment, or by another processor, are another document.
        key = f"{row['sha256']}/{row['action']}/{row.get('way') or ''}"
        if first.setdefault(key, row["document_id"]) != row["document_id"]:
            found[row["document_id"]] = first[key]
    return found


def set_aside(
    run: RunDirectory, engine: base.Engine, configuration: Configuration | None = None
) -> list[dict[str, Any]]:
    """Catalog rows of the documents that are never recognised, with state, problem, reason and remedy filled."""
    if configuration is None:
        # As a rule there are few: look before reading all of it.
        small = run.catalog(["state", "mime_type"])
        taken = pc.is_in(small["mime_type"], _strings(engine.mime_types))
        if pc.all(pc.and_(pc.equal(small["state"], "ready"), taken), min_count=0).as_py():
            return []
    # Who drives a run of a million documents asks this too: not a column more than decides.
    columns = [name for name in DECIDING if name not in {"sha256", "action", "group"}]
    catalog = _compact(run, columns, configuration)
    routed = routing.assign(catalog, engine, configuration)
    aside = np.flatnonzero(routed.way < 0)
    if not len(aside):
        return []
    refused = routing.by_document(catalog, routed)
    ids = catalog["document_id"].take(pa.array(aside)).to_pylist()
    found = run.catalog([*_NEEDED, "inspected_at"], of=ids)
    return [_aside(row, refused) for row in found.to_pylist()]


def _aside(row: dict[str, Any], refused: Mapping[str, Any]) -> dict[str, Any]:
    refusal = refused.get(row["document_id"])
    if refusal is None:
        return row
    return {
        **row,
        "state": "skipped",
        "problem": refusal.problem,
        "reason": refusal.reason,
        "remedy": refusal.remedy,
    }


# -- parts -------------------------------------------------------------------------------------------------------------


def _strings(values: Iterable[str]) -> Any:
    """Arrow array of strings."""
    return pa.array(sorted(values), pa.string())


def _compact(run: RunDirectory, columns: list[str], configuration: Configuration | None) -> pa.Table:
    """The catalog with each column in one chunk, which makes taking rows many times faster.

    Sizes of pages are read only where images may be sent: of a million PDFs they would be most of the catalog.
    """
    table = run.catalog(columns)
    images = pc.any(pc.starts_with(table["mime_type"], "image/"), min_count=0).as_py()
    if images and configuration is not None:
        sizes = run.catalog(["unit", "widths", "heights"])
        for name in ("unit", "widths", "heights"):
            table = table.append_column(name, sizes[name])
    for place, name in enumerate(table.column_names):
        # One after another: all at once would have the catalog in memory twice.
        table = table.set_column(place, name, table[name].combine_chunks())
    return table


def _twins(catalog: pa.Table, routed: Routed, chosen: Numbers) -> list[dict[str, Any]]:
    """Rows whose bytes another row has as well, with the processor that each goes to."""
    hashes = catalog["sha256"].filter(pa.array(chosen)) if not chosen.all() else catalog["sha256"]
    if pc.count_distinct(hashes, mode="only_valid").as_py() == len(hashes) - hashes.null_count:
        return []
    counts = pc.value_counts(hashes.combine_chunks())
    several = counts.filter(pc.greater(counts.field("counts"), 1)).field("values").drop_null()
    rows = np.flatnonzero(np.asarray(pc.is_in(catalog["sha256"], several)) & chosen)
    found: list[dict[str, Any]] = (
        catalog.select(["document_id", "uri", "sha256", "action"]).take(pa.array(rows)).to_pylist()
    )
    for row, way in zip(found, routed.way[rows].tolist(), strict=True):
        row["way"] = routed.ways[way].processor
    return found


def _new(
    catalog: pa.Table,
    chosen: Numbers,
    twins: Mapping[str, str],
    before: Mapping[str, tuple[str, str | None]],
) -> Numbers:
    """Rows that are to be planned: no copies of another, and not planned with these bytes already."""
    if twins:
        chosen = chosen & ~np.asarray(pc.is_in(catalog["document_id"], _strings(twins)))
    rows: Numbers = np.flatnonzero(chosen)
    if not before:
        return rows
    columns = catalog.select(["document_id", "sha256", "action"]).take(pa.array(rows)).to_pydict()
    new = [before.get(document) != (*what,) for document, *what in zip(*columns.values(), strict=True)]
    left: Numbers = rows[np.array(new, bool)]
    return left


def _planned(run: RunDirectory) -> dict[str, tuple[str, str | None]]:
    if not run.generations():
        return {}
    table = run.plan(current=True).select(["document_id", "sha256", "action"]).to_pydict()
    return {d: (s, a) for d, s, a in zip(table["document_id"], table["sha256"], table["action"], strict=True)}


def _next_partition(run: RunDirectory) -> int:
    numbers = [
        pc.max(batch["partition"]).as_py()
        for generation in run.generations()
        for batch in run.plan_batches(generation, ["partition"])
    ]
    return max(numbers, default=-1) + 1


def _till(run: RunDirectory, configuration: Configuration | None) -> Till | None:
    """A till that knows what earlier generations of this plan have used of the month."""
    if configuration is None:
        return None
    till = Till(configuration)
    for tariff, units in forecasting.planned_units(run, configuration):
        till.pass_over(tariff, units)
    return till


def _told(aside: Mapping[tuple[str, str], Counter[str]]) -> list[dict[str, Any]]:
    """Rows of what is set aside: one a reason, or one a problem where each document has its own numbers in it."""
    rows = [
        {"outcome": outcome, "problem": problem, "documents": n, "reason": reason}
        for (outcome, problem), reasons in aside.items()
        for reason, n in (
            reasons.items()
            if len(reasons) <= _REASONS
            else [(f"{next(iter(reasons))} (others likewise)", reasons.total())]
        )
    ]
    return sorted(rows, key=lambda row: -row["documents"])


def _summary(catalog: pa.Table, routed: Routed, chosen: Numbers) -> dict[str, Any]:
    states: Counter[str] = Counter()
    aside: dict[tuple[str, str], Counter[str]] = {}
    rows = np.flatnonzero(routed.way < 0)
    columns = catalog.select(["state", "problem", "reason"]).take(pa.array(rows)).to_pylist()
    for row, found in zip(rows.tolist(), columns, strict=True):
        refusal = routed.refused.get(row)
        state = "skipped" if refusal else found["state"]
        problem = refusal.problem if refusal else found["problem"] or "unknown"
        states[state] += 1
        reason = refusal.reason if refusal else found["reason"] or problem
        reasons = aside.setdefault((state, problem), Counter())
        reasons[reason if reason in reasons or len(reasons) <= _REASONS else ""] += 1
    pages, text_pages = routing.counts(catalog)
    return {
        "inputs": len(catalog),
        "ready": int((routed.way >= 0).sum()),
        "quarantined": states["quarantined"],
        "skipped": states["skipped"],
        "aside": _told(aside),
        "pages": int(pages[chosen].sum()),
        "text_pages": int(text_pages[chosen].sum()),
        "size_bytes": pc.sum(catalog["size_bytes"]).as_py() or 0,
    }
