"""What a simulation came to: numbers, and frames that pandas users can go on with.

Rules: a result is frozen and holds plain values; frames are made when first asked for. In every result
``documents == done + failed + refused + pending`` and ``calls == ok + refused_calls + failed_calls + lost_calls +
unanswered``.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from docdask.core.prices import NANO_USD
from docdask.core.spec import FULL_PPM, SECOND_NS, SemaphoreSpec
from docdask.sim.tally import EndpointMinute, Minute

if TYPE_CHECKING:
    import pandas as pd

    from docdask.sim.scenario import Scenario
    from docdask.sim.world import World


class LaneRow(NamedTuple):
    """Permits of one lane, and how long they were waited for."""

    lane: str
    permits: int
    wait_median_s: float
    wait_p99_s: float
    wait_most_s: float


class LoadRow(NamedTuple):
    """Documents of one load."""

    load: str
    lane: str
    documents: int
    done: int
    failed: int
    refused: int
    pending: int
    ended_s: float
    """When its last document ended, seconds after the start."""


@dataclass(frozen=True)
class Result:
    """What a scenario came to."""

    scenario: Scenario
    seconds: float
    """From the start to the end of the last document, or to the horizon."""
    documents: int
    done: int
    failed: int
    """Given up after the attempts that the retry policy allows."""
    refused: int
    """Refused by the governor: budget spent, quota 0, too large."""
    pending: int
    """Not ended at the horizon, or when the last worker had died."""
    calls: int
    """That reached the service."""
    ok: int
    refused_calls: int
    """Refused because a quota is spent."""
    failed_calls: int
    """Answered that there is no capacity, or an error."""
    lost_calls: int
    """Not answered to a worker that was there to hear it."""
    unanswered: int
    """In flight when the simulation ended."""
    pages: int
    """Of calls that were answered well."""
    pages_billed: int
    """By the service's own books: more than ``pages`` where replies were lost or calls delivered twice."""
    cost_usd: float
    """By the service's own books; an estimate, not a bill."""
    quota_used: float | None
    """Calls not refused, over what the quotas would have let in from start to end; above 1 where a burst fits."""
    pace_s: float | None
    """What the quotas alone need for the calls that were made, at an even pace."""
    events: int
    """That the governor decided on."""
    refusals: Mapping[str, int]
    """Calls that the governor refused, by reason."""
    minute_rows: tuple[Minute, ...]
    endpoint_rows: tuple[EndpointMinute, ...]
    lane_rows: tuple[LaneRow, ...]
    load_rows: tuple[LoadRow, ...]

    @cached_property
    def minutes(self) -> pd.DataFrame:
        """One row a minute: all endpoints together; see docs/simulate.md."""
        import pandas as pd

        lanes = [f"waiting_{row.lane}" for row in self.lane_rows]
        names = ["minute", "documents", "set_aside", "cost_usd", "pending", "waiting", *lanes, "seconds"]
        rows = [
            (
                row.minute, row.documents, row.set_aside, row.cost_nano_usd / NANO_USD, row.pending, sum(row.waiting),
                *row.waiting, row.seconds,
            )
            for row in self.minute_rows
        ]  # fmt: skip
        frame = pd.DataFrame(rows, columns=names).astype(
            {name: "float64" if name in {"cost_usd", "seconds"} else "int64" for name in names}
        )
        sums = ["calls", "ok", "refused", "failed", "lost", "pages", "in_flight"]
        by_minute = self.endpoints.groupby("minute", sort=True)[sums].sum().reset_index()
        return frame.merge(by_minute, on="minute", how="left")

    @cached_property
    def endpoints(self) -> pd.DataFrame:
        """One row a minute and endpoint, columns of :class:`docdask.sim.tally.EndpointMinute`."""
        import pandas as pd

        frame = pd.DataFrame(self.endpoint_rows, columns=list(EndpointMinute._fields))
        counts = dict.fromkeys(
            ("minute", "calls", "ok", "refused", "failed", "lost", "pages", "in_flight"), "int64"
        )
        return frame.astype({**counts, "quota": "Int64", "in_flight_limit": "Int64", "used": "float64"})

    @cached_property
    def lanes(self) -> pd.DataFrame:
        """One row a lane, columns of :class:`LaneRow`."""
        import pandas as pd

        return pd.DataFrame(self.lane_rows, columns=list(LaneRow._fields))

    @cached_property
    def loads(self) -> pd.DataFrame:
        """One row a load, columns of :class:`LoadRow`."""
        import pandas as pd

        return pd.DataFrame(self.load_rows, columns=list(LoadRow._fields))

    @cached_property
    def totals(self) -> pd.DataFrame:
        """One row: the numbers of :meth:`to_json`."""
        import pandas as pd

        return pd.DataFrame([{k: v for k, v in self.to_json().items() if not isinstance(v, dict)}])

    def to_json(self) -> dict[str, Any]:
        """The numbers, as JSON values."""
        names = (
            "seconds", "documents", "done", "failed", "refused", "pending", "calls", "ok", "refused_calls", "failed_calls",
            "lost_calls", "unanswered", "pages", "pages_billed", "cost_usd", "quota_used", "pace_s", "events",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names} | {"refusals": dict(self.refusals)}

    def __str__(self) -> str:
        """The same for people."""
        from docdask.charts.axes import span

        aside = ((self.failed, "failed"), (self.refused, "refused"), (self.pending, "pending"))
        documents = f"{self.done:,} of {self.documents:,} documents in {span(self.seconds)}"
        documents += "".join(f", {count:,} {word}" for count, word in aside if count)
        calls = f"{self.calls:,} calls: {self.ok:,} well, {self.refused_calls:,} over quota"
        calls += f", {self.failed_calls:,} failed, {self.lost_calls:,} lost"
        money = f"{self.pages_billed:,} pages billed, ${self.cost_usd:,.2f}"
        if self.pages_billed > self.pages:
            money += f" ({self.pages_billed - self.pages:,} pages of it for nothing)"
        lines = [documents, calls, money]
        if self.quota_used is not None and self.pace_s is not None:
            lines.append(
                f"{self.quota_used:.1%} of the quota used; the quota alone needs {span(self.pace_s)}"
            )
        lines += [
            f"lane {row.lane}: permit after {span(row.wait_median_s)} at the median, {span(row.wait_p99_s)} at p99"
            for row in self.lane_rows
            if row.permits
        ]
        lines += [
            f"refused by the governor: {count:,} calls, {reason}" for reason, count in self.refusals.items()
        ]
        return "\n".join(lines)


def summarise(world: World) -> Result:
    """Result of a world that has ended."""
    streams, scenario, books = world.streams, world.scenario, world.service.books
    sums = {
        name: sum(getattr(row, name) for row in world.by_endpoint)
        for name in ("calls", "ok", "refused", "failed", "lost", "pages")
    }
    seconds = world.now_ns / SECOND_NS
    per_minute = _per_minute(scenario.spec())
    admitted = sums["calls"] - sums["refused"]
    room = per_minute * seconds / 60 if per_minute else 0
    return Result(
        scenario=scenario,
        seconds=seconds,
        documents=sum(stream.documents for stream in streams),
        done=sum(stream.done for stream in streams),
        failed=sum(stream.failed for stream in streams),
        refused=sum(stream.refused for stream in streams),
        pending=sum(stream.pending for stream in streams),
        calls=sums["calls"],
        ok=sums["ok"],
        refused_calls=sums["refused"],
        failed_calls=sums["failed"],
        lost_calls=sums["lost"],
        unanswered=sums["calls"] - sums["ok"] - sums["refused"] - sums["failed"] - sums["lost"],
        pages=sums["pages"],
        pages_billed=books.pages_billed,
        cost_usd=books.cost_nano_usd / NANO_USD,
        quota_used=admitted / room if room else None,
        pace_s=admitted * 60 / per_minute if per_minute else None,
        events=world.events,
        refusals=dict(world.refusals),
        minute_rows=tuple(world.minutes),
        endpoint_rows=tuple(world.by_endpoint),
        lane_rows=tuple(_lane(name, waits) for name, waits in world.waits_ns.items()),
        load_rows=tuple(
            LoadRow(
                stream.load.name, stream.load.lane, stream.documents, stream.done, stream.failed, stream.refused,
                stream.pending, stream.ended_ns / SECOND_NS,
            )
            for stream in streams
        ),
    )  # fmt: skip


def _per_minute(spec: SemaphoreSpec) -> float:
    """Calls a minute that all quotas together let in; 0 where there is none to hold to."""
    groups: dict[str, int] = {}
    for endpoint in spec.endpoints:
        if endpoint.requests is not None:
            groups[endpoint.group("requests")] = endpoint.requests
    most = sum(groups.values())
    if spec.user_requests is not None:
        most = min(most, spec.user_requests)
    return most * spec.quota_share_ppm / FULL_PPM


def _lane(name: str, waits_ns: array[int]) -> LaneRow:
    if not waits_ns:
        return LaneRow(name, 0, math.nan, math.nan, math.nan)
    waits = sorted(waits_ns)
    last = len(waits) - 1
    at = (waits[last // 2], waits[-(-last * 99 // 100)], waits[last])
    return LaneRow(name, len(waits), *(wait / SECOND_NS for wait in at))
