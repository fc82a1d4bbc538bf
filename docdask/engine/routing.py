"""Which way each document of a catalog goes, over whole columns, and which are set aside before anything is paid.

Rules: the answer is that of :meth:`docdask.core.routes.Configuration.route`, for a million documents in seconds; a bad
value in the source list, a type or a size that the processor refuses set that document aside and never end a plan.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from docdask.core.capacity import capacity
from docdask.core.costing import Tariff, tariff
from docdask.core.limits import IMAGE_TYPES
from docdask.core.requesting import Refusal, Sender
from docdask.core.routes import Configuration, Facts, Lane, Route
from docdask.errors import UsageError
from docdask.service import base

#: Columns of the catalog that decide; ``widths`` and ``heights`` are read for images only.
DECIDING = ["document_id", "uri", "sha256", "action", "mime_type", "group", "size_bytes", "pages", "text_pages", "kind",
            "state", "columns", "max_pixels"]  # fmt: skip

Numbers = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Way:
    """Where documents go that one route takes: the offline engine, or a processor with what it allows and charges."""

    route: Route | None
    """None: the run has no routes."""
    lane: Lane
    """``offline``, or what the route wishes."""
    sender: Sender | None = None
    """None: nothing is paid."""
    tariff: Tariff | None = None

    @property
    def name(self) -> str | None:
        """Name of the route."""
        return self.route.name if self.route else None

    @property
    def processor(self) -> str | None:
        """Alias of the processor; None where nothing is paid."""
        return self.sender.processor.alias if self.sender else None

    @property
    def group(self) -> str:
        """Worker group that the route asks for; empty: each document's own."""
        return self.route.group if self.route else ""


@dataclass(slots=True)
class Routed:
    """A catalog and the way of each of its documents."""

    ways: list[Way]
    way: Numbers
    """Index into :attr:`ways` by row of the catalog; -1 where the document is set aside."""
    refused: dict[int, Refusal] = field(default_factory=dict)
    """Row → why, of documents that the scan found to be ready."""


def assign(catalog: pa.Table, engine: base.Engine, configuration: Configuration | None) -> Routed:
    """Find the way of each document.

    Parameters
    ----------
    catalog
        Columns :data:`DECIDING`, a document a row.
    engine
        Reads what is not paid for.
    configuration
        Routes; None: the engine reads everything.
    """
    ready = np.asarray(pc.equal(catalog["state"], "ready").fill_null(False))
    if configuration is None:
        routed = Routed([Way(None, "offline")], np.where(ready, 0, -1).astype(np.int16))
    else:
        routed = _follow(catalog, configuration, ready)
    refuse(routed, catalog, engine)
    return routed


def refuse(routed: Routed, catalog: pa.Table, engine: base.Engine) -> None:
    """Set aside what the way of a document can't take: its type, its pixels, its size."""
    types, names = coded(catalog["mime_type"])
    for index, way in enumerate(routed.ways):
        rows = np.flatnonzero(routed.way == index)
        if way.sender is None:
            _refuse_types(routed, rows, types, names, lambda mime: _unread(engine, mime))
            continue
        _refuse_types(routed, rows, types, names, way.sender.unreadable)
        _refuse_images(routed, rows[routed.way[rows] >= 0], catalog, types, names, way.sender)
        _refuse_sizes(routed, rows[routed.way[rows] >= 0], catalog, types, names, way)


def coded(column: pa.ChunkedArray) -> tuple[Numbers, list[Any]]:
    """Number of each value in the list of distinct ones, which is the second; null has the number -1."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return np.asarray(encoded.indices.fill_null(-1)).astype(np.int32), encoded.dictionary.to_pylist()


def counts(catalog: pa.Table) -> tuple[Numbers, Numbers]:
    """Pages of each document, at least 1, and those of them whose text layer will do."""
    pages = np.maximum(np.asarray(catalog["pages"].fill_null(1)), 1)
    return pages, np.minimum(np.asarray(catalog["text_pages"].fill_null(0)), pages)


def _follow(catalog: pa.Table, configuration: Configuration, ready: Numbers) -> Routed:
    """The first route that matches, or what the source list says."""
    first = _first_match(catalog, configuration, ready)
    ways: dict[Route, int] = {}
    found = np.full(len(catalog), -1, np.int16)
    made: list[Way] = []

    def number(route: Route) -> int:
        if route not in ways:
            ways[route] = len(made)
            made.append(_way(route, configuration))
        return ways[route]

    for index, route in enumerate(configuration.routes):
        if (rows := first == index).any():
            found[rows] = number(route)
    routed = Routed(made, found)
    pages, text_pages = counts(catalog)
    known: dict[tuple[str, str, int], Route | UsageError] = {}
    for row, (processor, lane) in _listed(catalog, ready):
        key = (processor, lane, int(first[row]))
        if key not in known:
            facts = Facts(
                catalog["uri"][row].as_py(), catalog["mime_type"][row].as_py() or "", int(pages[row]),
                int(text_pages[row]), catalog["kind"][row].as_py() or "", processor, lane,
            )  # fmt: skip
            try:
                known[key] = configuration.route(facts)
            except UsageError as error:
                known[key] = error
        answer = known[key]
        if isinstance(answer, Route):
            found[row] = number(answer)
        else:
            reason = f"its source list says: {answer.message}"
            _set_aside(routed, row, Refusal("bad-route", reason, answer.remedy))
    for row in np.flatnonzero(ready & (found < 0)).tolist():
        if row not in routed.refused:
            routed.refused[row] = Refusal(
                "bad-route", "no route takes it", "end the routes with one that takes everything"
            )
    return routed


def _way(route: Route, configuration: Configuration) -> Way:
    if route.engine == "offline" or route.lane == "offline":
        return Way(route, "offline")
    return paid(route, configuration)


def paid(route: Route, configuration: Configuration, *, lane: Lane = "auto") -> Way:
    """The way to the processor of a route; ``lane`` for a route that itself is offline."""
    processor = configuration.processors[route.processor]
    wish = lane if route.lane == "offline" or route.engine == "offline" else route.lane
    room = capacity([processor], configuration)
    sender = Sender(
        processor,
        configuration.book,
        staged=bool(configuration.staging and room.operations),
        online=bool(room.requests_minute and room.pages_minute != 0),
    )
    return Way(route, wish, sender, tariff(processor, configuration.price_list))


def _first_match(catalog: pa.Table, configuration: Configuration, ready: Numbers) -> Numbers:
    """Index of the first route that matches each ready row; -1 where none does."""
    pages, text_pages = counts(catalog)
    types, type_names = coded(catalog["mime_type"])
    kinds, kind_names = coded(catalog["kind"])
    found = np.full(len(catalog), -1, np.int16)
    for index, route in enumerate(configuration.routes):
        open_ = ready & (found < 0) & (pages >= route.min_pages)
        if route.max_pages:
            open_ &= pages <= route.max_pages
        if route.kind:
            open_ &= _named(kinds, kind_names, route.kind.__eq__)
        if route.type:
            open_ &= _named(types, type_names, re.compile(fnmatch.translate(route.type)).match)
        if route.text_layer is not None:
            open_ &= (text_pages >= pages) == route.text_layer
        if route.path:
            matches, rows = re.compile(fnmatch.translate(route.path)).match, np.flatnonzero(open_)
            for start in range(0, len(rows), 1 << 16):
                part = rows[start : start + (1 << 16)]
                uris = catalog["uri"].take(pa.array(part)).to_pylist()
                open_[part] = [matches(uri) is not None for uri in uris]
        found[open_] = index
    return found


def _named(codes: Numbers, names: Iterable[str], wanted: Callable[[str], object]) -> Numbers:
    """Rows whose value is wanted; null counts as the empty text."""
    good = np.array([*(bool(wanted(name)) for name in names), bool(wanted(""))])
    return good[codes]  # -1 is the last one


def _listed(catalog: pa.Table, ready: Numbers) -> Iterable[tuple[int, tuple[str, str]]]:
    """Rows whose source list names a processor or a lane."""
    texts = catalog["columns"]
    if texts.null_count == len(texts):
        return
    named = pc.match_substring_regex(texts, '"(processor|lane)": ').fill_null(False)
    rows = np.flatnonzero(np.asarray(named) & ready)
    for start in range(0, len(rows), 1 << 14):
        part = rows[start : start + (1 << 14)]
        for row, text in zip(part.tolist(), texts.take(pa.array(part)).to_pylist(), strict=True):
            listed = json.loads(text)
            processor, lane = _text(listed.get("processor")), _text(listed.get("lane"))
            if processor or lane:
                yield row, (processor, lane)


def _text(value: object) -> str:
    return "" if value is None or value != value else str(value).strip()  # noqa: PLR0124 - NaN: an empty cell


def _unread(engine: base.Engine, mime_type: str) -> Refusal | None:
    if mime_type in engine.mime_types:
        return None
    return Refusal(
        "unsupported-type",
        f"the engine {engine.name} does not take {mime_type}",
        f"convert it to one of {', '.join(sorted(engine.mime_types))}",
    )


def _set_aside(routed: Routed, row: int, refusal: Refusal) -> None:
    routed.way[row] = -1
    routed.refused[row] = refusal


def _refuse_types(
    routed: Routed, rows: Numbers, types: Numbers, names: list[str], why: Callable[[str], Refusal | None]
) -> None:
    """Set aside the rows whose type is not taken."""
    for code in np.unique(types[rows]).tolist():
        refusal = why(names[code] if code >= 0 else "")
        if refusal is not None:
            for row in rows[types[rows] == code].tolist():
                _set_aside(routed, row, refusal)


def _refuse_images(
    routed: Routed, rows: Numbers, catalog: pa.Table, types: Numbers, names: list[str], sender: Sender
) -> None:
    images = [code for code, name in enumerate(names) if name in IMAGE_TYPES]
    rows = rows[np.isin(types[rows], images)]
    if not len(rows):
        return
    pixels = np.asarray(catalog["max_pixels"].fill_null(0))[rows]
    # A side beyond the limit needs no million pixels: a strip of 12,000 × 100 is refused as well.
    sides = _sides(catalog, rows)
    suspect = (pixels > sender.book.limit("image_pixels")) | (sides > sender.book.limit("image_side"))
    for row, count, side in zip(rows[suspect].tolist(), pixels[suspect].tolist(), sides[suspect].tolist(), strict=True):  # fmt: skip
        refusal = sender.overdrawn(names[types[row]], count, int(side))
        if refusal is not None:
            _set_aside(routed, row, refusal)


def _sides(catalog: pa.Table, rows: Numbers) -> Numbers:
    """Longest side of each image's frames in pixels; 0 where it is not known."""
    longest = np.zeros(len(rows))
    for name in {"widths", "heights"} & set(catalog.column_names):
        lists = catalog[name].take(pa.array(rows)).combine_chunks()
        parents = np.asarray(pc.list_parent_indices(lists))
        np.maximum.at(longest, parents, np.asarray(pc.list_flatten(lists).fill_null(0)))
    return longest


def _refuse_sizes(
    routed: Routed, rows: Numbers, catalog: pa.Table, types: Numbers, names: list[str], way: Way
) -> None:
    assert way.sender is not None
    sizes = np.asarray(catalog["size_bytes"].fill_null(0))[rows]
    least = min(way.sender.book.limit("online_bytes"), way.sender.book.limit("batch_bytes"))
    pages, _ = counts(catalog)
    # Long documents may fit no lane whatever their size; the others are looked at when they are large.
    long = (pages[rows] > way.sender.whole("batch")) & (way.lane == "batch")
    closed = not way.sender.online or (way.lane == "batch" and not way.sender.staged)
    suspect = (sizes > least) | long | closed
    for row, size in zip(rows[suspect].tolist(), sizes[suspect].tolist(), strict=True):
        refusal = way.sender.misfit(names[types[row]], int(pages[row]), size, way.lane)
        if refusal is not None:
            _set_aside(routed, row, refusal)


def by_document(catalog: pa.Table, routed: Routed) -> Mapping[str, Refusal]:
    """Document id → why it is set aside."""
    rows = sorted(routed.refused)
    ids = catalog["document_id"].take(pa.array(rows, pa.int64())).to_pylist()
    return {identity: routed.refused[row] for identity, row in zip(ids, rows, strict=True)}
