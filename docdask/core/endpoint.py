"""One endpoint at run time: its meters, calls in flight, batch slots and breaker, asked and told together.

Whoever wants a permit here has to satisfy all of them at once. Endpoints that share a quota share the meter object. A
call that is refused for a quota tells the meter it names, or, when the service does not say, the one that is fullest.
"""

from __future__ import annotations

from docdask.core.breaker import Breaker
from docdask.core.events import Outcome
from docdask.core.flight import Flight
from docdask.core.lease import Permit
from docdask.core.meter import NEVER_NS, Meter
from docdask.core.spec import EndpointSpec, Kind, SemaphoreSpec

#: Calls in flight from which silence says something.
_SILENT_CALLS = 3


class Endpoint:
    """Limits of one endpoint.

    Parameters
    ----------
    spec, semaphore
        What it allows, and the settings of its parts.
    requests, pages, batch
        Limits that other endpoints may share; None where there is none.
    """

    __slots__ = (
        "_answered_ns", "_batch_held_ns", "_held_ns", "_page_ns", "_silence_ns", "_widest", "batch", "breaker", "flight", "name", "pages",
        "requests", "spec",
    )  # fmt: skip

    def __init__(
        self,
        spec: EndpointSpec,
        semaphore: SemaphoreSpec,
        requests: Meter | None,
        pages: Meter | None,
        batch: Flight | None,
    ) -> None:
        self.spec = spec
        self.name = spec.name
        self.requests = requests
        self.pages = pages
        self.batch = batch
        self.flight = Flight(spec.in_flight, start=semaphore.in_flight_start, adaptive=semaphore.adaptive)
        self.breaker = Breaker(semaphore.breaker)
        self._held_ns = self._batch_held_ns = -NEVER_NS
        self._silence_ns = semaphore.breaker.silence_ns
        self._answered_ns = 0
        self._page_ns = 0
        self._widest = 1

    def change(self, semaphore: SemaphoreSpec) -> None:
        """Take other settings of its parts; what they have learned stays."""
        self.flight.adaptive = semaphore.adaptive
        self.breaker.change(semaphore.breaker)
        self._silence_ns = semaphore.breaker.silence_ns

    def closed(self, kind: Kind) -> bool:
        """Whether a quota of 0 closes the endpoint for this kind of call."""
        spec = self.spec
        if kind == "online":
            return 0 in (spec.requests, spec.pages, spec.in_flight)
        return kind == "batch" and spec.batch == 0

    def too_large(self, kind: Kind, pages: int) -> bool:
        """Whether no wait would ever be long enough."""
        return kind == "online" and self.pages is not None and pages > self.pages.limit

    def ready_ns(self, kind: Kind, pages: int, now_ns: int, *, burst: bool) -> int:
        """Earliest moment at which a call may go, if nothing else happens; ``NEVER_NS``: not before something does."""
        if kind == "poll":
            return now_ns
        # Asked several times a permit: comparisons are twice as fast as max().
        ready = now_ns
        breaker = self.breaker
        if breaker.state != "closed":
            ready = breaker.ready_ns(now_ns)
        if self._held_ns > ready:  # noqa: PLR1730
            ready = self._held_ns
        if kind == "batch":
            full = self.batch is not None and self.batch.full()
            return NEVER_NS if full else max(ready, self._batch_held_ns)
        if self.flight.full() and (breaker.state == "closed" or self.flight.at_most()):
            return NEVER_NS  # a probe may go beside calls that hang, up to the hard limit
        if self.requests is not None:
            free_ns = self.requests.ready_ns(1, now_ns, burst=burst)
            if free_ns > ready:  # noqa: PLR1730
                ready = free_ns
        if self.pages is not None:
            free_ns = self.pages.ready_ns(pages, now_ns, burst=burst)
            if free_ns > ready:  # noqa: PLR1730
                ready = free_ns
        return ready

    def may_burst(self, pages: int, now_ns: int) -> bool:
        """Whether a call ahead of the pace is safe by every meter."""
        if self.requests is not None and self.requests.burst_free(now_ns) < 1:
            return False
        return self.pages is None or self.pages.burst_free(now_ns) >= pages

    def load_ppm(self, now_ns: int) -> int:
        """How full it is by its fullest limit, as of the last :meth:`ready_ns`; work goes where this is least.

        A probe that is due goes first.
        """
        if self.breaker.state != "closed":
            return -1
        load = 0
        for meter in (self.requests, self.pages):
            if meter is not None and meter.limit:
                share_ppm = 1_000_000 if meter.share.cut_ns is None else meter.share.ppm(now_ns)
                load = max(load, meter.used * 1_000_000_000_000 // (meter.limit * share_ppm))
        limit = self.flight.limit
        return max(load, self.flight.now * 1_000_000 // limit) if limit else load

    def granted(self, kind: Kind, pages: int, now_ns: int) -> None:
        """A call goes out."""
        if kind == "poll":
            return
        if self.breaker.state != "closed":
            self.breaker.granted()
        if kind == "batch":
            if self.batch is not None:
                self.batch.take()
            return
        if self.flight.now == 0:
            self._answered_ns = now_ns
        self.flight.take()
        if self.requests is not None:
            self.requests.charge(1, now_ns)
        if self.pages is not None:
            self.pages.charge(pages, now_ns)
        self._widest = max(pages, self._widest - self._widest // 32)

    def ended(self, kind: Kind) -> None:
        """A call is over, whatever came of it."""
        if kind == "online":
            self.flight.free()
        elif kind == "batch" and self.batch is not None:
            self.batch.free()

    def unmoved(self, outcome: Outcome) -> bool:
        """Whether the answer, not told to :meth:`learn` yet, can make the endpoint ready for nobody earlier.

        So with an ordinary answer while calls in flight are not what is waited for.
        """
        return (
            outcome.verdict == "ok"
            and outcome.pages_billed is None
            and outcome.micros_billed is None
            and self.breaker.state == "closed"
            and not self.flight.full()
        )

    def learn(self, permit: Permit, outcome: Outcome, newest: int, now_ns: int) -> None:
        """Take in what an answer says about the endpoint; the call is still counted as in flight."""
        verdict, kind = outcome.verdict, permit.flow.kind
        if kind == "poll":
            return
        granted_ns = permit.granted_ns
        if verdict == "unused" or verdict == "raised":  # noqa: PLR1714 - twice as fast
            self.breaker.unused(granted_ns)
            return
        if verdict == "lost" or verdict == "transient" or verdict == "capacity":  # noqa: PLR1714 - twice as fast
            if verdict != "capacity":
                self.breaker.failure(granted_ns, now_ns)
                return
            flight = self.flight
            flight.refused(permit.fence, newest)
            self.breaker.failure(granted_ns, now_ns, usual_ppm=flight.usual_ppm, crowd=flight.crowd())
            if outcome.after_ns:
                self._held_ns = max(self._held_ns, now_ns + outcome.after_ns)
            return
        self._answered_ns = now_ns
        if self.breaker.success(granted_ns):
            self.flight.slow_start = self.flight.adaptive
        if verdict == "quota":
            self._refused(permit, outcome, now_ns)
        elif kind == "online":
            if verdict == "ok":
                self._timed(permit.pages, outcome.latency_ns)
                self.flight.success(permit.pages, outcome.latency_ns, permit.fence, newest)
            if self.requests is not None:
                self.requests.accepted(granted_ns)
            if self.pages is not None:
                self.pages.accepted(granted_ns)

    def silent_ns(self) -> int:
        """When silence will have lasted too long; ``NEVER_NS`` while it says nothing."""
        if self.flight.now < _SILENT_CALLS or not self._page_ns or self.breaker.state != "closed":
            return NEVER_NS
        return self._answered_ns + max(self._silence_ns, 3 * self._page_ns * self._widest)

    def _timed(self, pages: int, latency_ns: int) -> None:
        self._page_ns = max(latency_ns // max(pages, 1), self._page_ns - self._page_ns // 64)

    def _refused(self, permit: Permit, outcome: Outcome, now_ns: int) -> None:
        if permit.flow.kind == "batch":
            # Somebody else's operations hold slots. Ours are asked for again when one of ours ends, or after a while.
            wait_ns = max(outcome.after_ns, 10 * self._silence_ns)
            self._batch_held_ns = max(self._batch_held_ns, now_ns + wait_ns)
            return
        meter, amount = self._blamed(permit, outcome.limit)
        if meter is not None:
            meter.refused(amount, permit.granted_ns, now_ns, after_ns=outcome.after_ns, burst=permit.burst)
        elif outcome.limit != "user":
            self._held_ns = max(self._held_ns, now_ns + max(outcome.after_ns, self._silence_ns))

    def _blamed(self, permit: Permit, limit: str) -> tuple[Meter | None, int]:
        """The meter that a refusal was for, and what was asked of it."""
        requests, pages = self.requests, self.pages
        if limit == "user":
            return None, 0
        if pages is not None and (limit == "pages" or requests is None):
            return pages, permit.pages
        if requests is None or pages is None or limit == "requests":
            return requests, 1
        if pages.used * requests.limit > requests.used * pages.limit:
            return pages, permit.pages
        return requests, 1
