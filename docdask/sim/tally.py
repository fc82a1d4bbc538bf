"""Counts a minute at a time while the simulation runs, so that a run of a million documents leaves some thousand rows."""

from __future__ import annotations

from typing import NamedTuple

from docdask.core.endpoint import Endpoint
from docdask.core.server import Call


class EndpointMinute(NamedTuple):
    """One endpoint in one minute."""

    minute: int
    """From 0; the last one may be shorter."""
    endpoint: str
    location: str
    calls: int
    """That arrived."""
    ok: int
    """Answered well."""
    refused: int
    """Answered that a quota is spent."""
    failed: int
    """Answered with anything else: no capacity, an error."""
    lost: int
    """Not answered: the connection was cut or the worker died."""
    pages: int
    """Of the calls that were answered well."""
    in_flight: int
    """Permits held when the minute ended."""
    in_flight_limit: int | None
    """What the governor allowed then."""
    quota: int | None
    """Requests a minute; endpoints of one group share it."""
    used: float | None
    """Calls that were not refused, over the quota of that stretch of time."""
    breaker: str


class Minute(NamedTuple):
    """All endpoints together in one minute, and who waited when it ended."""

    minute: int
    documents: int
    """That ended well."""
    set_aside: int
    """That failed or were refused."""
    cost_nano_usd: int
    pending: int
    """Documents that had not ended."""
    waiting: tuple[int, ...]
    """Permits waited for, a number a lane."""
    seconds: float
    """Length; 60 but for the last."""


class Site:
    """Counters of one endpoint: of this minute, and the calls that its server is asked."""

    __slots__ = (
        "calls", "calls_by_pages", "endpoint", "failed", "imageless", "location", "lost", "ok", "pages", "processor", "project",
        "refused", "user",
    )  # fmt: skip

    def __init__(
        self, endpoint: Endpoint, processor: str, project: str, user: str, *, imageless: bool = False
    ) -> None:
        self.endpoint = endpoint
        self.imageless = imageless
        self.location = endpoint.spec.location
        self.calls_by_pages: dict[int, Call] = {}
        self.project, self.processor, self.user = project, processor, user
        self.calls = self.ok = self.refused = self.failed = self.lost = self.pages = 0

    def call(self, pages: int) -> Call:
        """What the server is asked for so many pages; the same object each time, since nothing changes it."""
        call = self.calls_by_pages.get(pages)
        if call is None:
            call = Call(
                self.project,
                self.location,
                self.processor,
                pages=pages,
                user=self.user,
                imageless=self.imageless,
            )
            self.calls_by_pages[pages] = call
        return call

    def busy(self) -> bool:
        """Whether anything was counted in this minute."""
        return bool(self.calls or self.ok or self.refused or self.failed or self.lost)

    def close(self, minute: int, seconds: float) -> EndpointMinute:
        """Row of the minute that ends; counting starts anew."""
        endpoint, quota = self.endpoint, self.endpoint.spec.requests
        room = quota * seconds / 60 if quota else 0
        row = EndpointMinute(
            minute, endpoint.name, self.location, self.calls, self.ok, self.refused, self.failed, self.lost, self.pages,
            endpoint.flight.now, endpoint.flight.limit, quota, (self.calls - self.refused) / room if room else None,
            endpoint.breaker.state,
        )  # fmt: skip
        self.calls = self.ok = self.refused = self.failed = self.lost = self.pages = 0
        return row
