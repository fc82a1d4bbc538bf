"""What a plan will take and cost, which limit decides, and what would make it faster or cheaper.

Rules:

1. Online calls of up to :data:`SIMULATED` are simulated one by one with the run's own governor; more of them take the
   time that their dearest limit needs (:mod:`docdask.core.traffic`), which the simulator confirms to a few percent.
2. The lanes work side by side: the run takes as long as the slowest of them, and that one's limit is named.
3. Advice is worked out by the same means as the plan, never guessed; what saves less than a tenth is not worth a line.
4. A minute is the configuration's ``period_s``: all times shrink with it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow.compute as pc

from docdask import words
from docdask.core import planner
from docdask.core.advising import Advice, Case, Situation, advise
from docdask.core.capacity import PACE
from docdask.core.costing import NANO_PER_MICRO, Tariff, Till, alternative_nano_usd, tariff, usd
from docdask.core.planner import Partition, Speed
from docdask.core.requesting import CHECKED_PACKS, Sender
from docdask.core.routes import Configuration, Processor, Route
from docdask.core.server.latency import Latency
from docdask.core.traffic import OPEN_CALLS, Bound, Traffic, batch_s, online_bounds, online_s
from docdask.engine.parcelling import Documents, Parcels
from docdask.engine.routing import Numbers
from docdask.store.run import RunDirectory

#: Most online calls that are simulated one by one; that takes a second or two.
SIMULATED = 20_000


@dataclass(frozen=True)
class Outlook:
    """A plan, looked at for what it will take."""

    parcels: Parcels
    docs: Documents
    configuration: Configuration | None
    speed: Speed
    workers: int
    latency: Latency
    open_calls: int = OPEN_CALLS
    packs_before: int = 0
    """Packs of earlier generations of the plan."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """Route → share of its documents that a pilot has read badly offline."""

    # -- time ----------------------------------------------------------------------------------------------------------

    def work(self) -> dict[str, Any]:
        """Expected work and time, and what decides it."""
        slowest = max(self._all_bounds, key=lambda bound: bound.seconds)
        return {
            "expected_work_s": math.fsum(part.expected_s for part in self._offline) + self._tabulating_s,
            "expected_s": slowest.seconds,
            "decides": slowest.text,
        }

    @cached_property
    def _all_bounds(self) -> list[Bound]:
        """What each lane takes; they work side by side."""
        offline = self._offline
        span_s = planner.makespan_s(offline, self.workers) + (self.speed.start_s if offline else 0.0)
        found = [Bound("work", span_s, _decides(offline, self.workers, span_s))]
        if self.configuration is not None and self._paid:
            tabulating = f"tabulating on {words.counted(self.workers, 'worker')}"
            found.append(Bound("work", self._tabulating_s / self.workers, tabulating))
            found += [bound for bounds in self._bounds.values() for bound in bounds]
        return found

    @property
    def _expected_s(self) -> float:
        return max(bound.seconds for bound in self._all_bounds)

    @property
    def _tabulating_s(self) -> float:
        """Work on this machine for what is read elsewhere."""
        return self._paid * self.speed.document_s

    @cached_property
    def _bounds(self) -> dict[str, list[Bound]]:
        """Processor type → how long its lanes take, and what decides that; under ``user`` and ``batch`` what they share."""
        found: dict[str, list[Bound]] = {}
        for kind, traffic in self.traffic.items():
            if traffic.calls:
                dearest = max(self._online_bounds(traffic), key=lambda bound: bound.seconds)
                found[kind] = [Bound(dearest.name, self._online_s(traffic), dearest.text)]
        found["batch"] = list(self._batches())
        found["user"] = list(self._user())
        return found

    def _online_bounds(self, traffic: Traffic) -> list[Bound]:
        return online_bounds(traffic, self.latency, self.open_calls)

    def _online_s(self, traffic: Traffic) -> float:
        if sum(other.requests for other in self.traffic.values()) > SIMULATED:
            return online_s(traffic, self.latency, self.open_calls)
        assert self.configuration is not None
        processors = [
            sender.processor
            for sender in self._senders
            if sender.processor.processor_type == traffic.capacity.processor_type
        ]
        return simulated_s(traffic, self.configuration, processors, self.latency, self.open_calls)

    def _batches(self) -> Iterator[Bound]:
        """Operations of all types share the slots of their locations."""
        operations = [pages for traffic in self.traffic.values() for pages in traffic.operations]
        slots = max((t.capacity.operations for t in self.traffic.values() if t.operations), default=0)
        if operations:
            seconds = batch_s(sorted(operations, reverse=True), slots, self.latency)
            text = f"{words.counted(slots, 'batch operation')} at a time"
            if len(operations) <= slots:
                text = f"its longest batch operation ({max(operations):,} pages)"
            yield Bound("batch", seconds, text)

    def _user(self) -> Iterator[Bound]:
        assert self.configuration is not None
        calls = sum(traffic.requests for traffic in self.traffic.values())
        quota = self.configuration.book.quota("user_requests", "us")
        most = max(1, math.floor(quota * self.configuration.quota_share))
        if calls > most:
            seconds = calls * self.configuration.period_s / (most * PACE)
            yield Bound("user", seconds, f"{most:,} requests/min, what one user may send")

    # -- money ---------------------------------------------------------------------------------------------------------

    def money(self, costs: Numbers, till: Till, latency_note: str) -> dict[str, Any]:
        """Requests, cost and advice; the till has charged the documents and charges the checks of packs here."""
        configuration = self.configuration
        assert configuration is not None
        by_route, by_lane = self._by_course(costs)
        checks, escalation = self._checks(till), self._escalation(till)
        return {
            "billing": configuration.billing,
            "emulated": configuration.emulated,
            "quotas_assumed": configuration.assumed,
            "requests": {lane: row["requests"] for lane, row in by_lane.items() if row["requests"]},
            "lanes": by_lane,
            "paid_pages": sum(row["pages"] for lane, row in by_lane.items() if lane != "offline"),
            "cost_usd": usd(int(costs.sum()) + checks["micros"]),
            "cost_by_route": by_route,
            "checks": checks,
            "escalation": escalation,
            "reserve": {name: checks[name] + escalation[name] for name in ("pages", "micros")},
            "worker_hours": self.work()["expected_work_s"] / 3600,
            "latency_note": latency_note,
            "advice": [_told(advice) for advice in self.advice()] if self._paid else [],
            "alternatives": self.alternatives(int(costs.sum())),
        }

    def _by_course(self, costs: Numbers) -> tuple[dict[str, Any], dict[str, Any]]:
        """Documents, pages, requests and dollars by route, and by lane."""
        by_route: dict[str, Any] = {}
        by_lane: dict[str, Any] = {}
        start = 0
        for part in self.parcels.partitions:
            course = self.parcels.courses[part.way]
            stop = start + len(part.documents)
            own = {
                "documents": len(part.documents),
                "pages": int(self.docs.pages[np.asarray(part.documents)].sum()),
                "requests": part.requests,
                "micros": int(costs[start:stop].sum()),
            }
            start = stop
            for row in (
                by_route.setdefault(course.way.name or "", Counter()),
                by_lane.setdefault(course.lane, Counter()),
            ):
                row.update(own)
        return _in_dollars(by_route), _in_dollars(by_lane)

    def _checks(self, till: Till) -> dict[str, Any]:
        """The first packs of a run on a real endpoint are also sent singly: what that costs."""
        found = {"requests": 0, "pages": 0, "micros": 0}
        assert self.configuration is not None
        left = 0 if self.configuration.emulated else max(0, CHECKED_PACKS - self.packs_before)
        for part in self.parcels.partitions:
            if not left:
                break
            price = self.parcels.courses[part.way].way.tariff
            if price is None or not len(part.packs):
                continue
            packs, members = np.asarray(part.packs), np.asarray(part.documents)
            for number in range(min(left, int(packs.max()) + 1)):
                pages = self.docs.pages[members[packs == number]].tolist()
                found["requests"] += len(pages)
                found["pages"] += sum(pages)
                found["micros"] += sum(till.charge(price, price.units([count]), count) for count in pages)
                left -= 1
        return {**found, "usd": usd(found["micros"])}

    def _escalation(self, till: Till) -> dict[str, Any]:
        """What it would cost if the offline engine read every document badly that may be escalated.

        With a pilot also what is to be expected: the share that it read badly, of what all of them would cost.
        """
        configuration = self.configuration
        assert configuration is not None
        found = {"documents": 0, "requests": 0, "pages": 0}
        units: Counter[Tariff] = Counter()
        pages_of: Counter[Tariff] = Counter()
        expected_pages, known = 0.0, True
        for route, shapes in self._escalating():
            share = self.shares.get(route.name)
            known &= share is not None
            expected_pages += (share or 0.0) * sum(pages * count for (_, pages), count in shapes.items())
            processor = configuration.processors[route.processor]
            sender = Sender(processor, configuration.book, bool(configuration.staging))
            price = tariff(processor, configuration.price_list)
            for (mime_type, pages), count in shapes.items():
                if sender.unreadable(mime_type) is not None:
                    continue
                lengths = [len(span) for span in sender.ranges(mime_type, pages, "online")] or [pages]
                units[price] += price.units(lengths) * count
                pages_of[price] += pages * count
                found["documents"] += count
                found["requests"] += len(lengths) * count
                found["pages"] += pages * count
        nano = sum(price.nano_usd(till.used(price.price), units[price], pages_of[price]) for price in units)
        micros = -(-nano // NANO_PER_MICRO)
        told = {**found, "micros": micros, "usd": usd(micros)}
        if known and found["pages"]:
            share = min(1.0, expected_pages / found["pages"])
            told |= {"expected_share": share, "expected_usd": share * told["usd"]}
        return told

    def _escalating(self) -> Iterator[tuple[Route, Counter[tuple[str, int]]]]:
        """Routes whose offline documents may go on to a processor, with how many there are of each type and length."""
        found: dict[Route, Counter[tuple[str, int]]] = {}
        for part in self._offline:
            route = self.parcels.courses[part.way].way.route
            if route is not None and route.escalate_below and route.processor:
                members = np.asarray(part.documents)
                columns = (self.docs.types[members].tolist(), self.docs.pages[members].tolist())
                shapes = found.setdefault(route, Counter())
                names = self.docs.type_names
                shapes.update((names[type_], pages) for type_, pages in zip(*columns, strict=True))
        yield from found.items()

    # -- what else there is --------------------------------------------------------------------------------------------

    def advice(self) -> list[Advice]:
        """What would make the run faster."""
        assert self.configuration is not None
        cases = []
        for kind, traffic in self.traffic.items():
            senders = [sender for sender in self._senders if sender.processor.processor_type == kind]
            lengths = {sender.processor.alias: self._lengths(sender.processor.alias) for sender in senders}
            if traffic.calls and senders:
                sender = max(senders, key=lambda s: lengths[s.processor.alias].total())
                alias = sender.processor.alias
                cases.append(Case(sender, traffic, lengths[alias], self._calls[alias]))
        operations = [pages for traffic in self.traffic.values() for pages in traffic.operations]
        others_s = max(planner.makespan_s(self._offline, self.workers), self._tabulating_s / self.workers)
        ordered = tuple(sorted(operations, reverse=True))
        situation = Situation(cases, self.configuration, self.latency, ordered, others_s, self.open_calls)
        found = advise(situation)
        # What is tried is worked out the short way; it is told in proportion to what was simulated.
        exact = self._expected_s / situation.now_s if situation.now_s else 1.0
        return [replace(one, seconds=one.seconds * exact, instead_s=one.instead_s * exact) for one in found]

    def alternatives(self, micros: int) -> list[dict[str, Any]]:
        """What the same documents would cost as routed, with each configured processor for all, and offline."""
        configuration = self.configuration
        assert configuration is not None
        found: list[dict[str, Any]] = [
            {"name": "as routed", "cost_usd": usd(micros), "documents": len(self.docs)}
        ]
        shapes = Counter(zip(self.docs.types.tolist(), self.docs.pages.tolist(), strict=True))
        for alias, processor in configuration.processors.items():
            sender = Sender(processor, configuration.book, bool(configuration.staging))
            cuts: Counter[tuple[int, ...]] = Counter()
            for (type_, pages), count in shapes.items():
                mime_type = self.docs.type_names[type_]
                if sender.unreadable(mime_type) is None:
                    spans = sender.ranges(mime_type, pages, "online")
                    cuts[tuple(len(span) for span in spans) or (pages,)] += count
            nano = alternative_nano_usd(configuration, tariff(processor, configuration.price_list), cuts)
            found.append(
                {
                    "name": f"all as {alias}",
                    "cost_usd": usd(nano // NANO_PER_MICRO),
                    "documents": cuts.total(),
                }
            )
        return found

    # -- parts ---------------------------------------------------------------------------------------------------------

    @property
    def _offline(self) -> list[Partition]:
        lanes = self.parcels.courses
        return [part for part in self.parcels.partitions if lanes[part.way].lane == "offline"]

    @property
    def _paid(self) -> int:
        """Documents that are paid for."""
        lanes = self.parcels.courses
        return sum(
            len(part.documents) for part in self.parcels.partitions if lanes[part.way].lane != "offline"
        )

    @cached_property
    def _senders(self) -> list[Sender]:
        found = {}
        for part in self.parcels.partitions:
            sender = self.parcels.courses[part.way].way.sender
            if sender is not None:
                found[sender.processor.alias] = sender
        return list(found.values())

    def _lengths(self, alias: str) -> Counter[int]:
        """Pages → documents of so many pages, of the online lane to one processor."""
        found: Counter[int] = Counter()
        for part in self.parcels.partitions:
            course = self.parcels.courses[part.way]
            if course.lane == "online" and course.way.processor == alias:
                found.update(self.docs.pages[np.asarray(part.documents)].tolist())
        return found

    @cached_property
    def traffic(self) -> dict[str, Traffic]:
        """Processor type → what goes there."""
        calls: dict[str, Counter[int]] = {kind: Counter() for kind in self.parcels.capacities}
        operations: dict[str, list[int]] = {kind: [] for kind in self.parcels.capacities}
        for sender in self._senders:
            calls[sender.processor.processor_type] += self._calls[sender.processor.alias]
        for part in self.parcels.partitions:
            course = self.parcels.courses[part.way]
            if course.lane == "batch" and course.way.sender is not None:
                pages = int(self.docs.pages[np.asarray(part.documents)].sum())
                operations[course.way.sender.processor.processor_type].append(pages)
        return {
            kind: Traffic(room, calls[kind], tuple(operations[kind]))
            for kind, room in self.parcels.capacities.items()
        }

    @cached_property
    def _calls(self) -> dict[str, Counter[int]]:
        """Alias → pages of an online call → how many."""
        found: dict[str, Counter[int]] = {sender.processor.alias: Counter() for sender in self._senders}
        lengths = [tuple(len(span) for span in cut) for cut in self.parcels.ranges]
        for part in self.parcels.partitions:
            course = self.parcels.courses[part.way]
            if course.lane != "online" or course.way.processor is None:
                continue
            calls, members = found[course.way.processor], np.asarray(part.documents)
            pages, cuts = self.docs.pages[members], self.parcels.cut[members]
            packs = np.asarray(part.packs) if len(part.packs) else np.full(len(members), -1)
            for cut in cuts[cuts > 0].tolist():
                calls.update(lengths[cut])
            calls.update(pages[(cuts == 0) & (packs < 0)].tolist())
            if (packs >= 0).any():
                calls.update(np.bincount(packs[packs >= 0], pages[packs >= 0]).astype(int).tolist())
        return found


def simulated_s(
    traffic: Traffic,
    configuration: Configuration,
    processors: Sequence[Processor],
    latency: Latency,
    open_calls: int,
) -> float:
    """Seconds of the online calls by the simulator: the run's own governor against the model of the service."""
    from docdask.sim import Load, Scenario, simulate

    scale, room = configuration.period_s / 60.0, traffic.capacity
    # Quotas, pages and answers are all that matters here: a type of which there is no model is simulated as another.
    model = "OCR_PROCESSOR" if room.pages_minute is None else "CUSTOM_EXTRACTION_PROCESSOR"
    book, longest = configuration.book, max(traffic.calls)
    limits = {f"{name}.{model}": longest for name in ("online_pages", "imageless_pages")}
    limits["user_requests"] = book.quota("user_requests", "us")
    for region in room.regions:
        for name in ("online_requests", "online_pages"):
            limits[f"{name}.{region}.{model}"] = book.quota(name, region, room.processor_type)
    workers = 4
    pages = [length for length in sorted(traffic.calls, reverse=True) for _ in range(traffic.calls[length])]
    result = simulate(
        Scenario(
            (Load(pages),),
            regions=tuple(sorted({place.location for row in processors for place in row.places})),
            quota_share=configuration.quota_share,
            limits=limits,
            processor_type=model,
            workers=workers,
            calls_per_worker=max(1, open_calls // workers),
            latency=latency.stretched(1 / scale),
        )
    )
    return result.seconds * scale


def planned_packs(run: RunDirectory) -> int:
    """Packs of the generations that are planned already."""
    found: set[tuple[int, int]] = set()
    for generation in run.generations():
        for batch in run.plan_batches(generation):
            if "pack" in batch.schema.names:
                shared = batch.filter(pc.is_valid(batch["pack"]))
                found.update(zip(shared["partition"].to_pylist(), shared["pack"].to_pylist(), strict=True))
            if len(found) >= CHECKED_PACKS:
                return len(found)
    return len(found)


def planned_units(run: RunDirectory, configuration: Configuration) -> Iterator[tuple[Tariff, int]]:
    """Tariff and billed units of each row that earlier generations of the plan have priced."""
    prices = configuration.price_list
    tariffs = {alias: tariff(processor, prices) for alias, processor in configuration.processors.items()}
    for generation in run.generations():
        for batch in run.plan_batches(generation):
            if "processor" not in batch.schema.names:
                break
            columns = (batch[name].to_pylist() for name in ("processor", "pages", "ranges"))
            for alias, pages, ranges in zip(*columns, strict=True):
                if alias in tariffs:
                    spans = [tuple(map(int, text.split("-"))) for text in ranges or ()]
                    lengths = [last - first + 1 for first, last in spans] or [pages]
                    yield tariffs[alias], tariffs[alias].units(lengths)


def _in_dollars(rows: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    return {
        name: {
            **{key: value for key, value in row.items() if key != "micros"},
            "cost_usd": usd(row["micros"]),
        }
        for name, row in rows.items()
    }


def _told(advice: Advice) -> dict[str, Any]:
    """Advice as JSON, with its sentence."""
    took, instead = words.duration(advice.seconds), words.duration(advice.instead_s)
    return {
        "change": advice.name,
        "text": f"{advice.what}: {took} instead of {instead}",
        "expected_s": advice.seconds,
        "instead_s": advice.instead_s,
        "in_plan": advice.done,
    }


def _decides(parts: Sequence[Partition], workers: int, span_s: float) -> str:
    """What would have to be more for the run to be shorter, in a phrase."""
    longest_s = max((part.expected_s / part.pieces for part in parts), default=0.0)
    if not parts:
        return "nothing: there is nothing to do"
    if longest_s > 0.9 * span_s:
        return "its longest document: more workers would not help"
    twice_s = max(longest_s, span_s / 2)
    if twice_s < 1:
        return "the start: there is less than a second of work for each worker"
    return (
        f"the number of workers ({workers}): twice as many would take about {words.duration(round(twice_s))}"
    )
