"""A plan for all from a look at some: a stratified, seeded sample and the interval it gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from docdask.core import sampling
from docdask.core.capacity import Capacity
from docdask.core.costing import MICRO_USD, NANO_PER_MICRO, Tariff, used_units
from docdask.core.planner import Speed
from docdask.core.routes import Configuration
from docdask.core.sampling import Stratum
from docdask.core.traffic import answer_s
from docdask.engine import calibration, parcelling, routing
from docdask.engine.parcelling import Documents, Needs
from docdask.engine.routing import DECIDING, Numbers, Routed
from docdask.model import Source
from docdask.service import base
from docdask.store.run import RunDirectory

Estimates = dict[str, dict[str, float]]


def stratum(source: Source) -> str:
    """Files of one type by name and of one order of magnitude by size are alike enough to stand for each other."""
    return f"{PurePosixPath(source.uri).suffix.lower()}/{source.size_bytes.bit_length() // 2}"


def pick(found: Sequence[Source], sample: int, seed: int) -> list[Source]:
    """Sample of ``found``; a larger one of the same seed has the smaller one in it."""
    by_id = {source.document_id: source for source in found}
    drawn = sampling.draw({identity: stratum(source) for identity, source in by_id.items()}, sample, seed)
    return [by_id[identity] for identity in drawn]


def outlook(
    run: RunDirectory,
    engine: base.Engine,
    speed: Speed,
    workers: int,
    found: Sequence[Source],
    picked: Sequence[Source],
    configuration: Configuration | None = None,
) -> dict[str, Any]:
    """Totals over all that was found, each with its 95 % interval, and what is said beside them.

    Parameters
    ----------
    run, engine, speed, workers, configuration
        As for :func:`docdask.engine.planning.append`.
    found, picked
        All sources, and those of them that were looked at.

    Returns
    -------
    dict
        ``estimate``: ``ready``, ``aside`` (documents), ``pages``, ``expected_s`` (wall-clock seconds on ``workers``); each
        with ``total``, ``low``, ``high``, ``sampled``, ``population``. With a configuration also ``cost_usd``,
        ``requests`` (online), ``batch_documents``, ``paid_pages``, and beside the estimate ``billing``, ``decides`` and
        others as in a plan's summary.
    """
    sample = _Sample(
        run, engine, replace(speed, in_flight=engine.in_flight), workers, found, picked, configuration
    )
    estimates = sample.estimates()
    if configuration is None:
        return {"estimate": estimates}
    _, note = calibration.latency(run, configuration)
    return {
        "estimate": estimates,
        "billing": configuration.billing,
        "emulated": configuration.emulated,
        "quotas_assumed": configuration.assumed,
        "decides": sample.decides,
        "latency_note": note,
    }


@dataclass(slots=True)
class _Sample:
    """Documents that were looked at, and how many each stands for."""

    run: RunDirectory
    engine: base.Engine
    speed: Speed
    workers: int
    found: Sequence[Source]
    picked: Sequence[Source]
    configuration: Configuration | None
    decides: str = ""

    def estimates(self) -> Estimates:
        populations = Counter(stratum(source) for source in self.found)
        strata = {source.document_id: stratum(source) for source in self.picked}
        images = ["unit", "widths", "heights"] if self.configuration else []
        catalog = self.run.catalog([*DECIDING, *images])
        routed = routing.assign(catalog, self.engine, self.configuration)
        keys = [strata.get(identity, "") for identity in catalog["document_id"].to_pylist()]
        seen = np.flatnonzero(np.array([bool(key) for key in keys], bool))
        names = [keys[row] for row in seen.tolist()]
        drawn = Counter(names)
        weight = np.array([populations[name] / drawn[name] for name in names])
        values, fixed_s = self._values(catalog, routed, seen, weight)

        def total(numbers: Numbers) -> dict[str, float]:
            by_key: dict[str, list[float]] = {}
            for name, number in zip(names, numbers.tolist(), strict=True):
                by_key.setdefault(name, []).append(float(number))
            return asdict(
                sampling.estimate(Stratum(populations[key], tuple(some)) for key, some in by_key.items())
            )

        lanes = values.pop("lanes")
        estimates = {name: total(numbers) for name, numbers in values.items()}
        slowest = max(
            ((text, total(numbers)) for text, numbers in lanes.items()), key=lambda pair: pair[1]["total"]
        )
        self.decides = slowest[0]
        if fixed_s > slowest[1]["total"]:
            self.decides = f"the service: a call takes it about {fixed_s:.1f} s"
        added = {name: slowest[1][name] + fixed_s for name in ("total", "low", "high")}
        return {**estimates, "expected_s": {**slowest[1], **added}}

    def _values(
        self, catalog: Any, routed: Routed, seen: Numbers, weight: Numbers
    ) -> tuple[dict[str, Any], float]:
        """Of each document that was looked at: what is estimated; under ``lanes`` seconds by what decides them."""
        docs = parcelling.documents(catalog, routed.way, seen)
        ready = docs.way >= 0
        offline = ready.copy()
        speed = self.speed
        text, pages = docs.text_pages, docs.pages
        waits = (text * speed.text_page_s + (pages - text) * speed.ocr_page_s) / speed.in_flight
        found: dict[str, Any] = {"ready": ready, "aside": ~ready, "pages": pages * ready}
        lanes: dict[str, Numbers] = {}
        fixed_s = 0.0
        if self.configuration is not None:
            paid = self._paid(docs, routed, weight, np.flatnonzero(ready), lanes)
            offline &= paid.pop("offline")
            fixed_s = paid.pop("fixed_s")
            found.update(paid)
        worked = speed.document_s * ready + waits * offline
        lanes[f"the number of workers ({self.workers})"] = worked / self.workers
        return {**found, "lanes": lanes}, fixed_s

    def _paid(
        self, docs: Documents, routed: Routed, weight: Numbers, rows: Numbers, lanes: dict[str, Numbers]
    ) -> dict[str, Any]:
        """What is paid for of each document, and the seconds of each paid lane."""
        configuration = self.configuration
        assert configuration is not None
        latency, _ = calibration.latency(self.run, configuration)
        ready = _taken(docs, rows, weight)
        need = parcelling.needs(ready, routed.ways, configuration, self.speed, latency=latency)
        count = len(docs)

        def spread(values: Iterable[Any]) -> Numbers:
            column = np.zeros(count)
            column[rows] = np.asarray(list(values), float)
            return column

        lane = np.array(need.lane, dtype=object)  # also where there are none
        kinds = [_kind(need, number) for number in need.course.tolist()]
        for kind, room in need.capacities.items():
            mine = np.array([name == kind for name in kinds], bool)
            online = mine & (lane == "online")
            if _waits(need, ready, online, room):
                lanes[f"{room.requests_minute:,} requests/min, {room.whose}"] = spread(need.lane_s * online)
            slots = f"{room.operations} batch operations at a time"
            lanes[slots] = lanes.get(slots, np.zeros(count)) + spread(need.lane_s * mine * (lane == "batch"))
        return {
            "paid_pages": spread(ready.pages * (lane != "offline")),
            "requests": spread(need.requests),
            "batch_documents": spread(lane == "batch"),
            "cost_usd": spread(_costs(ready, need, configuration)),
            "offline": spread(lane == "offline").astype(bool),
            # The last call of all is answered some time after it has gone.
            "fixed_s": answer_s(float(ready.pages.mean()), latency) if need.capacities else 0.0,
        }


def _waits(need: Needs, docs: Documents, online: Numbers, room: Capacity) -> bool:
    """Whether these calls are more than what goes at once."""
    assert docs.weight is not None
    calls = float((need.requests * docs.weight)[online].sum())
    pages = float((docs.pages * docs.weight)[online].sum())
    return calls > room.requests_minute or (room.pages_minute is not None and pages > room.pages_minute)


def _taken(docs: Documents, rows: Numbers, weight: Numbers) -> Documents:
    columns = ("rows", "way", "pages", "text_pages", "size_bytes", "max_pixels", "types", "groups")
    return replace(docs, **{name: getattr(docs, name)[rows] for name in columns}, weight=weight[rows])


def _kind(need: Needs, number: int) -> str:
    sender = need.courses[number].way.sender
    return sender.processor.processor_type if sender else ""


def _costs(docs: Documents, need: Needs, configuration: Configuration) -> Numbers:
    """Dollars of each document, at the price that all of its type together have on average over the tiers."""
    assert docs.weight is not None
    tariffs: list[Tariff | None] = []
    units = np.zeros(len(docs))
    for place, number in enumerate(need.course.tolist()):
        course = need.courses[number]
        price = course.way.tariff if course.lane != "offline" else None
        tariffs.append(price)
        if price is not None:
            spans = need.ranges[int(need.cut[place])]
            units[place] = price.units([len(span) for span in spans] or [int(docs.pages[place])])
    totals: dict[str, float] = {}
    for price, billed in zip(tariffs, (units * docs.weight).tolist(), strict=True):
        if price is not None:
            totals[price.processor_type] = totals.get(price.processor_type, 0.0) + billed
    found = np.zeros(len(docs))
    for place, price in enumerate(tariffs):
        if price is not None and units[place]:
            whole = round(totals[price.processor_type])
            each = price.nano_usd(used_units(configuration, price.price), whole, 0) / max(1, whole)
            nano = units[place] * each + price.add_on_nano * int(docs.pages[place])
            found[place] = nano / NANO_PER_MICRO / MICRO_USD
    return found
