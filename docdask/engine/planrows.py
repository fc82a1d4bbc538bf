"""Rows of a plan from what was decided, some thousand at a time: as Python objects a million of them would take gigabytes.

Rules: rows stand in the order of their partitions, and within one in the order of its requests; a unit's id depends on
the document, the range, and what reads it with which options, never on when or where it was planned.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa

from docdask.core.costing import Tariff, Till, shared
from docdask.core.planner import Partition
from docdask.core.routes import Processor
from docdask.engine.parcelling import Course, Documents, Parcels
from docdask.engine.routing import Numbers
from docdask.model import PageRange
from docdask.service import base
from docdask.store.plan import PLAN

#: Columns that the plan copies from the catalog.
COPIED = ["document_id", "uri", "name", "sha256", "mime_type", "action", "size_bytes", "kind", "kind_confidence",
          "problem", "reason", "remedy", "columns"]  # fmt: skip


def order(parcels: Parcels) -> Numbers:
    """Positions of the documents in the order of the plan."""
    parts = [np.asarray(part.documents, np.int64) for part in parcels.partitions]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def charge(parcels: Parcels, docs: Documents, till: Till) -> Numbers:
    """Micro-dollars of each document in the order of the plan; the till goes on from where it was."""
    placed = order(parcels)
    lengths = [len(part.documents) for part in parcels.partitions]
    courses = np.repeat([part.way for part in parcels.partitions], lengths).astype(np.int64)
    tariffs: list[Tariff | None] = [
        course.way.tariff if course.lane != "offline" else None for course in parcels.courses
    ]
    if not any(tariffs[number] for number in np.unique(courses).tolist()):
        return np.zeros(len(placed), np.int64)
    units = billed_units(parcels, docs, placed, courses)
    micros = till.charge_all(tariffs, courses.tolist(), units.tolist(), docs.pages[placed].tolist())
    return np.frombuffer(micros, np.int64) if len(micros) else np.zeros(0, np.int64)


def billed_units(parcels: Parcels, docs: Documents, placed: Numbers, courses: Numbers) -> Numbers:
    """Units that each document is billed as: rounded per request."""
    keys = (courses << 50) | (parcels.cut[placed].astype(np.int64) << 24) | docs.pages[placed]
    values, where = np.unique(keys, return_inverse=True)
    found = []
    for value in values.tolist():
        course, cut, pages = parcels.courses[value >> 50], (value >> 24) & 0x3FFFFFF, value & 0xFFFFFF
        tariff = course.way.tariff if course.lane != "offline" else None
        spans = parcels.ranges[cut]
        found.append(tariff.units([len(span) for span in spans] or [pages]) if tariff else 0)
    return np.array(found, np.int64)[where]


def tables(
    parcels: Parcels,
    docs: Documents,
    catalog: pa.Table,
    costs: Numbers,
    identities: Sequence[Callable[[str | None, str | None, Sequence[PageRange]], list[str]]],
    *,
    rows: int,
) -> Iterator[pa.Table]:
    """Rows of the plan, ``rows`` at a time.

    Parameters
    ----------
    parcels, docs
        What was decided.
    catalog
        Columns :data:`COPIED`, by :attr:`Documents.rows`.
    costs
        Micro-dollars of each document, in the order of the plan.
    identities
        Of each course: ids of a document's units from its hash, action and ranges.
    rows
        Of each table.
    """
    placed, parts = order(parcels), parcels.partitions
    lengths = np.array([len(part.documents) for part in parts], np.int64)
    which = np.repeat(np.arange(len(parts)), lengths)
    packs = _packs(parts)
    each_s = np.array([part.expected_s / len(part.documents) for part in parts])
    texts = [[str(span) for span in cut] for cut in parcels.ranges]
    for start in range(0, len(placed), rows):
        own, part = placed[start : start + rows], which[start : start + rows]
        copied = catalog.select(COPIED).take(pa.array(docs.rows[own]))
        courses = [parts[number].way for number in part.tolist()]
        cuts = parcels.cut[own].tolist()
        units = [
            identities[course](sha256, action, parcels.ranges[cut])
            for course, cut, sha256, action in zip(
                courses, cuts, copied["sha256"].to_pylist(), copied["action"].to_pylist(), strict=True
            )
        ]
        numbers = packs[start : start + rows]
        made = {
            "partition": pa.array([parts[number].number for number in part.tolist()], pa.int32()),
            "group": pa.array([parts[number].group for number in part.tolist()], pa.string()),
            "pages": pa.array(docs.pages[own].astype(np.int32)),
            "ranges": pa.array([texts[cut] for cut in cuts], pa.list_(pa.string())),
            "unit_ids": pa.array(units, pa.list_(pa.string())),
            "expected_seconds": pa.array(each_s[part]),
            "generation": pa.array(np.zeros(len(own), np.int32)),
            "pack": pa.array(numbers, pa.int32(), mask=numbers < 0),
            **_routed(parcels.courses, courses, costs[start : start + rows]),
            "unit_micros": pa.array(
                _by_unit(parcels, courses, cuts, costs[start : start + rows].tolist()), pa.list_(pa.int64())
            ),
        }
        columns = [copied[field.name] if field.name in COPIED else made[field.name] for field in PLAN]
        yield pa.table(columns, schema=PLAN)


def _packs(parts: Sequence[Partition]) -> Numbers:
    """Number of the pack of each document within its partition; -1 where it goes alone."""
    found = [
        np.asarray(part.packs, np.int32) if len(part.packs) else np.full(len(part.documents), -1, np.int32)
        for part in parts
    ]
    return np.concatenate(found) if found else np.zeros(0, np.int32)


def _by_unit(
    parcels: Parcels, courses: Sequence[int], cuts: Sequence[int], costs: Sequence[int]
) -> list[list[int] | None]:
    """Micro-dollars of each unit of a document that is paid for in several."""
    found: list[list[int] | None] = []
    for course, cut, micros in zip(courses, cuts, costs, strict=True):
        price = parcels.courses[course].way.tariff
        if not cut or price is None:
            found.append(None)
            continue
        found.append(shared(micros, [price.units([len(span)]) for span in parcels.ranges[cut]]))
    return found


def _routed(courses: Sequence[Course], which: Sequence[int], costs: Numbers) -> dict[str, pa.Array]:
    """Route, lane, processor and cost; null in a run without routes."""
    plain = np.array([courses[number].way.route is None for number in which], bool)
    return {
        "route": pa.array([courses[number].way.name for number in which], pa.string()),
        "lane": pa.array(
            [courses[number].lane if courses[number].way.route else None for number in which], pa.string()
        ),
        "processor": pa.array(
            [
                courses[number].way.processor if courses[number].lane != "offline" else None
                for number in which
            ],
            pa.string(),
        ),
        "cost_micros": pa.array(costs, pa.int64(), mask=plain),
    }


def result_options(processor: Processor) -> dict[str, Any]:
    """What of a processor's configuration changes its results, beside type and version."""
    return {
        "options": dict(processor.options),
        "field_mask": processor.field_mask,
        "imageless": processor.imageless,
    }


def identify(
    engine: str, options: Mapping[str, Any]
) -> Callable[[str | None, str | None, Sequence[PageRange]], list[str]]:
    """Function that makes the ids of a document's units, as :func:`docdask.model.unit_id` does, many times as fast."""
    tails: dict[str | None, str] = {}
    heads: dict[Sequence[PageRange], list[str]] = {}

    def ids(sha256: str | None, action: str | None, cut: Sequence[PageRange]) -> list[str]:
        tail = tails.get(action)
        if tail is None:
            # Only the hash and the range differ from document to document; the rest of the text is written once.
            text = json.dumps([engine, {**options, "action": action}], sort_keys=True, separators=(",", ":"))
            tail = tails[action] = text[1:]
        spans = heads.get(cut)
        if spans is None:
            spans = heads[cut] = [f'"{span}"' for span in cut] or ["null"]
        head = f'"{sha256}"' if sha256 else "null"
        return [blake2b(f"[{head},{span},{tail}".encode(), digest_size=16).hexdigest() for span in spans]

    return ids


def identities(
    courses: Sequence[Course], engine: base.Engine, options: Mapping[str, Any]
) -> list[Callable[[str | None, str | None, Sequence[PageRange]], list[str]]]:
    """Makers of unit ids, one a course."""
    name = base.engine_id(engine)
    found = []
    for course in courses:
        sender = course.way.sender
        if sender is None or course.lane == "offline":
            found.append(identify(name, options))
        else:
            found.append(identify(sender.processor.engine_id, result_options(sender.processor)))
    return found
