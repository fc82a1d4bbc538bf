"""Decides what Document AI would answer to a call, and when.

Rules: no clock, no I/O, no randomness of its own: every method takes ``at_ns`` (integer nanoseconds of whatever clock
the caller keeps, never running backwards) and chance comes from the ``rng`` given. Three shells drive it: the emulator
over gRPC and REST, the simulator of a run, and tests. A call passes, in this order: the server's deployment, the user's
quota, the processor, the permission, the request quota, what is in it, the page quota, faults, and the region's
servers. Memory is bounded by the quotas and by ``operations_kept``, not by the calls made.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from docdask.core.limits import LOCATIONS, ProcessorLimits, region_kind
from docdask.core.prices import price_of
from docdask.core.server.books import Books
from docdask.core.server.calls import BatchDocument, Call, Verdict
from docdask.core.server.checks import check_batch_document, check_call
from docdask.core.server.faults import Faults
from docdask.core.server.latency import Region
from docdask.core.server.operations import GIVE_UP_NS, Operation
from docdask.core.server.processors import Processor, Registry, project_number
from docdask.core.server.quotas import Quotas
from docdask.core.server.settings import ServerSettings
from docdask.core.server.status import ErrorInfo, Status, invalid
from docdask.core.server.windows import MINUTE_NS, Window

_DAY_NS = 24 * 60 * MINUTE_NS


@dataclass(slots=True)
class _Route:
    """All that a call to one processor version needs, looked up once."""

    processor: Processor
    version: str
    limits: ProcessorLimits
    requests: Window
    pages: Window | None
    region: Region


class Service:
    """The model of the service.

    Parameters
    ----------
    settings
        Limits, windows, latency, faults and switches.
    rng
        Returns a number in [0, 1), as ``random.Random(seed).random`` does.
    operations_kept
        Finished operations that are remembered, beside those of the last 30 days.
    """

    def __init__(
        self, settings: ServerSettings, rng: Callable[[], float], *, operations_kept: int = 100_000
    ) -> None:
        self.settings = settings
        self._rng = rng
        self._operations_kept = operations_kept
        self.registry = Registry()
        self.reset()

    def reset(self) -> None:
        """Forget all calls: quotas are full, books empty, no operation known. Processors stay."""
        self.books = Books(units=dict(self.settings.used_units))
        self.quotas = Quotas(self.settings)
        self.operations: dict[str, Operation] = {}
        self._running: dict[tuple[str, ...], int] = {}
        self._waiting: dict[tuple[str, ...], deque[Operation]] = {}
        self._regions: dict[str, Region] = {}
        self._routes: dict[tuple[str, str, str, str], _Route] = {}
        self.faults = self.settings.faults
        self._sequence = 0

    @property
    def faults(self) -> Faults:
        """Fault profile in force."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._faults = faults
        self._faulty = faults.any_call > 0

    # ------------------------------------------------------------------ calls

    def process(self, call: Call, at_ns: int) -> Verdict:
        """Decide an online call that arrives at ``at_ns``."""
        verdict = self._process(call, at_ns)
        self.books.answered("ProcessDocument", verdict.status.code if verdict.status else "OK")
        return verdict

    def failed(self, processor_type: str, verdict: Verdict, code: str) -> None:
        """Take back a call that was let in and then failed at the work itself: failed requests are not billed."""
        books = self.books
        if not books.codes.get("OK"):  # the books were emptied since
            return
        books.pages_billed -= verdict.pages * verdict.copies
        books.cost_nano_usd -= verdict.cost_nano_usd
        units = price_of(processor_type).units(verdict.pages) * verdict.copies
        books.units[processor_type] = books.units.get(processor_type, 0) - units
        books.calls_ok -= 1
        books.codes["OK"] -= 1
        books.methods["ProcessDocument"] -= 1
        books.replies_lost -= verdict.reply_lost
        books.answered("ProcessDocument", code)
        verdict.pages = verdict.cost_nano_usd = 0

    def remember(self, call: Call, method: str, at_ns: int) -> None:
        """Count an earlier call against the quotas again: a restarted shell must not hand out a minute twice."""
        count = self.settings.switches.refused_count
        self.quotas.user(call.user).admit(1, at_ns, count_refused=count)
        route = self._route(call.project, call.location, call.processor, call.version, "")
        if method == "ProcessDocument" and isinstance(route, _Route):
            route.requests.admit(1, at_ns, count_refused=count)
            if route.pages is not None:
                route.pages.admit(call.pages, at_ns, count_refused=count)

    def processor_of(self, call: Call) -> Processor | None:
        """Return the processor that a call goes to, None if there is none."""
        return self.registry.get(call.project, call.location, call.processor)

    def other(self, method: str, project: str, location: str, user: str, at_ns: int) -> Verdict:
        """Decide whether a call of any other method gets in; what it then finds is the caller's to say.

        The caller reports the outcome with :meth:`answered`, unless it was refused here.
        """
        status = self._enter(project, location, user, at_ns)
        if status is not None:
            self.books.answered(method, status.code)
        return Verdict(status, at_ns)

    def answered(self, method: str, code: str) -> None:
        """Count the outcome of a call that :meth:`other` let in."""
        self.books.answered(method, code)

    def changed(self) -> None:
        """Forget what was looked up: the registry has changed."""
        self._routes.clear()

    def _enter(self, project: str, location: str, user: str, at_ns: int) -> Status | None:
        """Apply what holds for every method: deployment, region down, the user's quota."""
        settings = self.settings
        if settings.deployment and location != settings.deployment:
            return invalid(
                f"Invalid location: '{location}' must match the server deployment '{settings.deployment}'"
            )
        if location not in LOCATIONS:
            return invalid(f"Invalid location: '{location}' must match the server deployment 'us'")
        if location in self._faults.regions_down:
            return Status("UNAVAILABLE", "The service is currently unavailable.")
        if not self.quotas.user(user).admit(1, at_ns, count_refused=settings.switches.refused_count):
            return self.quotas.refusal("user_requests", project, location)
        return None

    def _process(self, call: Call, at_ns: int) -> Verdict:
        settings = self.settings
        status = self._enter(call.project, call.location, call.user, at_ns)
        if status is not None:
            return Verdict(status, at_ns)
        key = (call.project, call.location, call.processor, call.version)
        route = self._routes.get(key) or self._route(*key, "documentai.processors.processOnline")
        if isinstance(route, Status):
            return Verdict(route, at_ns)
        switches = settings.switches
        refusal = None
        if not switches.invalid_count:
            refusal = check_call(call, route.limits, settings.limits, switches)
        if refusal is None and not route.requests.admit(1, at_ns, count_refused=switches.refused_count):
            refusal = self._spent("online_requests", route)
        elif switches.invalid_count:
            refusal = check_call(call, route.limits, settings.limits, switches)
        pages = call.selected()
        if (
            refusal is None
            and route.pages is not None
            and not route.pages.admit(pages, at_ns, count_refused=switches.refused_count)
        ):
            refusal = self._spent("online_pages", route)
        if refusal is not None:
            return Verdict(refusal, at_ns)
        return self._serve(call, route, pages, at_ns)

    def _serve(self, call: Call, route: _Route, pages: int, at_ns: int) -> Verdict:
        """Draw a fault and the time it takes, and bill it."""
        faults = self._faults
        fault = faults.draw(self._rng()) if self._faulty else ""
        if fault == "quota":
            return Verdict(self._spent("online_requests", route), at_ns, fault=fault)
        duration_ns = self.settings.latency.call_ns(pages, self._rng)
        if fault == "unavailable":
            return Verdict(Status("UNAVAILABLE", "The service is currently unavailable."), at_ns, fault=fault)
        if fault == "slow":
            duration_ns = int(duration_ns * faults.slow_factor) + faults.slow_ns
        finish_ns = route.region.finish_ns(at_ns, duration_ns)
        if fault == "internal":
            return Verdict(Status("INTERNAL", "Internal error encountered."), finish_ns, fault=fault)
        if fault == "deadline":
            return Verdict(Status("DEADLINE_EXCEEDED", "Deadline exceeded."), finish_ns, fault=fault)
        processor_type = route.processor.type
        cost = self.books.bill(processor_type, pages, premium=call.premium)
        copies = 1
        if fault == "duplicate":
            copies = 2
            route.requests.admit(1, at_ns, count_refused=self.settings.switches.refused_count)
            cost += self.books.bill(processor_type, pages, premium=call.premium)
            self.books.duplicates += 1
            self.books.answered("ProcessDocument", "OK")
        elif fault == "lost":
            self.books.replies_lost += 1
        return Verdict(None, finish_ns, pages, cost, fault, copies)

    def _spent(self, name: str, route: _Route) -> Status:
        processor = route.processor
        return self.quotas.refusal(name, processor.project, processor.location, processor.type)

    def _route(
        self, project: str, location: str, processor_id: str, version: str, permission: str
    ) -> _Route | Status:
        """Find the processor and all that is counted for it; kept until the registry changes."""
        number = project_number(project)
        processor = self.registry.get(number, location, processor_id)
        resource = f"projects/{project}/locations/{location}/processors/{processor_id}"
        if permission in self.settings.denied:
            return self.permission_denied(permission, resource)
        if processor is None:
            return Status("NOT_FOUND", f"Processor {resource} is not found.")
        if not processor.enabled:
            return Status("FAILED_PRECONDITION", f"Processor {resource} is disabled.")
        known = processor.version(version)
        if known is None:
            return Status(
                "NOT_FOUND", f"Processor version {resource}/processorVersions/{version} is not found."
            )
        limits = self.settings.limits.processor(processor.type)
        pages = None
        if limits.generative:
            pages = self.quotas.online("online_pages", number, location, processor.type, known)
        region = self._regions.setdefault(location, Region(self.settings.latency.capacity))
        requests = self.quotas.online("online_requests", number, location, processor.type)
        route = _Route(processor, known, limits, requests, pages, region)
        if len(self._routes) > 10_000:
            self._routes.clear()
        self._routes[project, location, processor_id, version] = route
        return route

    def permission_denied(self, permission: str, resource: str) -> Status:
        """PERMISSION_DENIED in Google's words."""
        full = f"//documentai.googleapis.com/{resource}"
        return Status(
            "PERMISSION_DENIED",
            f"Permission '{permission}' denied on resource '{full}' (or it may not exist).",
            (
                ErrorInfo(
                    "IAM_PERMISSION_DENIED",
                    "documentai.googleapis.com",
                    {"permission": permission, "resource": resource},
                ),
            ),
        )

    # ------------------------------------------------------------------ batches

    def submit(self, call: Call, files: int, at_ns: int) -> tuple[Verdict, Operation | None]:
        """Decide a batch call of ``files`` documents; an operation that is WAITING or RUNNING if it gets in."""
        verdict, operation = self._submit(call, files, at_ns)
        self.books.answered("BatchProcessDocuments", verdict.status.code if verdict.status else "OK")
        return verdict, operation

    def _submit(self, call: Call, files: int, at_ns: int) -> tuple[Verdict, Operation | None]:
        status = self._enter(call.project, call.location, call.user, at_ns)
        if status is not None:
            return Verdict(status, at_ns), None
        key = (call.project, call.location, call.processor, call.version)
        route = self._route(*key, "documentai.processors.processBatch")
        if isinstance(route, Status):
            return Verdict(route, at_ns), None
        limit = self.settings.limits.limit("batch_files")
        if files > limit:
            text = f"Number of documents ({files}) exceeds the limit: {limit}."
            return Verdict(invalid(text), at_ns), None
        fault = self._faults.draw(self._rng()) if self._faulty else ""
        if fault in ("unavailable", "internal"):
            status = Status("INTERNAL", "Internal error encountered.")
            if fault == "unavailable":
                status = Status("UNAVAILABLE", "The service is currently unavailable.")
            return Verdict(status, at_ns, fault=fault), None
        processor = route.processor
        slots = self._slots(processor)
        room = self._running.get(slots, 0) < self._slot_limit(processor)
        if not room and self.settings.switches.batch_excess == "refuse":
            return Verdict(self._spent("batch_operations", route), at_ns), None
        operation = self._create(processor, call.user, at_ns)
        operation.premium = call.premium
        if fault == "lost":
            self.books.replies_lost += 1
        if room:
            self._start(operation, slots, at_ns)
        else:
            self._waiting.setdefault(slots, deque()).append(operation)
        return Verdict(None, at_ns, fault=fault if fault == "lost" else ""), operation

    def _create(self, processor: Processor, user: str, at_ns: int) -> Operation:
        self._sequence += 1
        seed = f"{processor.name}/{at_ns}/{self._sequence}"
        number = int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=8).digest(), "big")
        operation_id = str(10**18 + number % (9 * 10**18))
        operation = Operation(
            operation_id, processor.project, processor.location, processor.id, processor.type, user, at_ns,
            updated_ns=at_ns, stuck=bool(self._faults.stuck) and self._rng() < self._faults.stuck,
        )  # fmt: skip
        self.operations[operation_id] = operation
        self.books.operations += 1
        self._forget(at_ns)
        return operation

    def _forget(self, at_ns: int) -> None:
        """Drop the oldest operations that have ended, when there are too many or they are too old."""
        kept_ns = self.settings.limits.limit("operation_days") * _DAY_NS
        while self.operations:
            oldest = next(iter(self.operations.values()))
            old = at_ns - oldest.updated_ns > kept_ns or len(self.operations) > self._operations_kept
            if not (old and oldest.done):
                return
            del self.operations[oldest.id]

    def _slots(self, processor: Processor) -> tuple[str, ...]:
        if region_kind(processor.location) == "single":
            return (processor.project, processor.location, processor.id)
        return (processor.project, processor.location)

    def _slot_limit(self, processor: Processor) -> int:
        region = region_kind(processor.location)
        return self.settings.limits.quota("batch_operations", region, processor.type)

    def _start(self, operation: Operation, slots: tuple[str, ...], at_ns: int) -> None:
        self._running[slots] = self._running.get(slots, 0) + 1
        operation.turn("RUNNING", at_ns)

    def schedule(self, operation: Operation, documents: Sequence[BatchDocument], at_ns: int) -> None:
        """Look at the documents of a batch: each is judged, and the operation knows when it will have ended."""
        settings = self.settings
        limits = settings.limits.processor(operation.processor_type)
        pages = 0
        for document in documents:
            if document.status is None:
                document.status = check_batch_document(document, limits, settings.limits, settings.switches)
            if document.status is None:
                pages += document.selected()
                document.half_written = (
                    bool(self._faults.half_written) and self._rng() < self._faults.half_written
                )
        operation.documents = list(documents)
        latency = settings.latency
        work_ns = GIVE_UP_NS if operation.stuck else latency.batch_base_ns + latency.batch_ns(pages)
        operation.finish_ns = max(1, at_ns + work_ns)

    def finish(self, operation: Operation, at_ns: int) -> list[Operation]:
        """End an operation whose time has come, bill it, and give its slot to the next that waits.

        Returns
        -------
        list of Operation
            Operations that were WAITING and run now; the caller schedules them.
        """
        if operation.done:
            return []
        if operation.stuck:
            operation.cancelled(at_ns, "The operation was cancelled: it did not end within 24 hours.")
        else:
            for document in operation.documents:
                if document.status is None:
                    kind, pages = operation.processor_type, document.selected()
                    self.books.bill(kind, pages, premium=operation.premium)
                    operation.pages_billed += document.selected()
            operation.conclude(at_ns, partial_failure=self.settings.switches.partial_failure)
        return self._release(operation, at_ns)

    def cancel(self, operation: Operation, at_ns: int) -> list[Operation]:
        """Cancel an operation; nothing happens to one that has ended. Returns what :meth:`finish` does."""
        if operation.done:
            return []
        was_waiting = operation.state == "WAITING"
        operation.cancelled(at_ns)
        if was_waiting:
            for queue in self._waiting.values():
                if operation in queue:
                    queue.remove(operation)
            return []
        return self._release(operation, at_ns)

    def adopt(self, operation: Operation) -> None:
        """Take in an operation that a restarted shell has read back; a running one takes its slot."""
        self.operations[operation.id] = operation
        if operation.done:
            return
        slots = self._slots_of(operation)
        if operation.state == "WAITING":
            self._waiting.setdefault(slots, deque()).append(operation)
        else:
            self._running[slots] = self._running.get(slots, 0) + 1

    def _slots_of(self, operation: Operation) -> tuple[str, ...]:
        if region_kind(operation.location) == "single":
            return (operation.project, operation.location, operation.processor)
        return (operation.project, operation.location)

    def _release(self, operation: Operation, at_ns: int) -> list[Operation]:
        slots = self._slots_of(operation)
        self._running[slots] -= 1
        queue = self._waiting.get(slots)
        if not queue:
            return []
        following = queue.popleft()
        self._start(following, slots, at_ns)
        return [following]
