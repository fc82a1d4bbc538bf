"""Whose turn it is: weighted shares among lanes, turns among runs, first come first served within a run.

Under full load each lane gets its weight's share, and what a lane does not want goes to the others. A lane that was
empty, or could not go, starts level with the one served last: it neither collects credit meanwhile nor waits behind those
that were busy. So one urgent document in front of 100,000 waits for a permit, not for the queue, and no lane starves. Within
a lane, *flows* (one a run, kind and set of allowed endpoints) take turns. Every operation is O(1) in the number of
waiters. Method: start-time fair queueing (Goyal, Vin & Chen, 1996) over lanes, round robin over flows.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING

from docdask.core.lease import Permit
from docdask.core.spec import Kind

if TYPE_CHECKING:
    from docdask.core.endpoint import Endpoint

#: Lane, run, kind, and names and locations of endpoints that are allowed: those who agree in all are alike.
FlowKey = tuple[str, str, Kind, tuple[str, ...], tuple[str, ...]]

#: Virtual time of one unit of service at weight 1; divisible by every weight up to 16.
_SCALE = 720_720


class Flow:
    """Waiters that are alike in all but their pages."""

    __slots__ = ("endpoints", "key", "kind", "lane", "pages", "run", "waiting")

    def __init__(
        self, key: FlowKey, lane: Lane, run: str, kind: Kind, endpoints: tuple[Endpoint, ...]
    ) -> None:
        self.key = key
        self.lane = lane
        self.run = run
        self.kind = kind
        self.endpoints = endpoints
        self.waiting: OrderedDict[Permit, None] = OrderedDict()
        self.pages = 0

    def head(self) -> Permit:
        """Who is first."""
        return next(iter(self.waiting))


class Lane:
    """Flows of one weight."""

    __slots__ = ("flows", "name", "parked", "time", "waiting", "weight")

    def __init__(self, name: str, weight: int) -> None:
        self.name = name
        self.weight = weight
        self.time = 0
        self.flows: deque[Flow] = deque()
        self.parked: list[Flow] = []
        self.waiting = 0


class Lanes:
    """All waiters of a semaphore.

    Parameters
    ----------
    weights
        Name and weight of each lane.
    """

    __slots__ = ("_flows", "_kinds", "_time", "lanes", "pages", "waiting")

    def __init__(self, weights: tuple[tuple[str, int], ...]) -> None:
        self.lanes = {name: Lane(name, weight) for name, weight in weights}
        self._flows: dict[FlowKey, Flow] = {}
        self._kinds: dict[Kind, int] = {}
        self._time = 0
        self.waiting = 0
        self.pages = 0

    def flow(self, key: FlowKey) -> Flow | None:
        """The flow with that key, if anybody waits in it."""
        return self._flows.get(key)

    def flows(self) -> list[Flow]:
        """All flows in which somebody waits."""
        return list(self._flows.values())

    def add(self, permit: Permit) -> None:
        """Put a waiter at the end of its flow; one that has been refused before, at its head."""
        flow = permit.flow
        if not flow.waiting:
            self._flows[flow.key] = flow
            self._kinds[flow.kind] = self._kinds.get(flow.kind, 0) + 1
            lane = flow.lane
            if not lane.waiting:
                lane.time = max(lane.time, self._time)
            lane.flows.append(flow)
        flow.waiting[permit] = None
        if permit.attempt > 1:
            flow.waiting.move_to_end(permit, last=False)
        flow.pages += permit.pages
        flow.lane.waiting += 1
        self.waiting += 1
        self.pages += permit.pages

    def remove(self, permit: Permit) -> None:
        """Take a waiter out, wherever it stands."""
        flow = permit.flow
        del flow.waiting[permit]
        self._count_out(flow, permit)
        if not flow.waiting:
            self._drop(flow)
            (flow.lane.flows if flow in flow.lane.flows else flow.lane.parked).remove(flow)

    def next(self) -> Flow | None:
        """The flow whose turn it is among those that are not parked."""
        best: Lane | None = None
        for lane in self.lanes.values():
            if lane.flows and (best is None or lane.time < best.time):
                best = lane
        return best.flows[0] if best is not None else None

    def serve(self, flow: Flow, cost: int) -> Permit:
        """Take the first waiter of the flow whose turn it is, and charge its lane with ``cost``."""
        permit, _ = flow.waiting.popitem(last=False)
        self._count_out(flow, permit)
        lane = flow.lane
        self._time = lane.time
        lane.time += cost * _SCALE // lane.weight
        if not flow.waiting:
            lane.flows.popleft()
            self._drop(flow)
        elif len(lane.flows) > 1:
            lane.flows.rotate(-1)
        return permit

    def park(self, flow: Flow) -> None:
        """Pass over a flow until :meth:`unpark`; it keeps its place."""
        flow.lane.flows.popleft()
        flow.lane.parked.append(flow)

    def unpark(self) -> None:
        """Let all flows take part again; a lane that could not go while others were served starts level with them."""
        for lane in self.lanes.values():
            if lane.parked:
                lane.flows.extendleft(reversed(lane.parked))
                lane.parked.clear()
                lane.time = max(lane.time, self._time)

    @property
    def kinds(self) -> int:
        """How many kinds of permits are waited for."""
        return len(self._kinds)

    def _drop(self, flow: Flow) -> None:
        del self._flows[flow.key]
        self._kinds[flow.kind] -= 1
        if not self._kinds[flow.kind]:
            del self._kinds[flow.kind]

    def _count_out(self, flow: Flow, permit: Permit) -> None:
        flow.pages -= permit.pages
        flow.lane.waiting -= 1
        self.waiting -= 1
        self.pages -= permit.pages
