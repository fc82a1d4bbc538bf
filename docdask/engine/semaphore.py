"""QuotaSemaphore: used like ``distributed.Semaphore``, limited by what a service allows a minute.

Rules: one name is one semaphore on the whole cluster, and its limits are those of whoever registered it first; it works
in tasks (threads and coroutines) and in a client's process; it can be pickled, and a copy that was pickled before the
quotas were changed goes on working.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import uuid
from collections import OrderedDict
from collections.abc import Coroutine, Sequence
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from docdask.core import events as ev
from docdask.core.spec import SECOND_NS, UNLIMITED, BreakerSpec, BudgetSpec, EndpointSpec, Kind, SemaphoreSpec
from docdask.core.views import PermitView, SemaphoreView
from docdask.engine.agent import Agent
from docdask.engine.binding import agent_of
from docdask.engine.checking import text, whole
from docdask.engine.crossing import Crossing, cross
from docdask.engine.permit import Permit, Waiting
from docdask.engine.wish import Wish, nanoseconds
from docdask.errors import UsageError

# Permits that this thread or coroutine holds by ``with semaphore``, newest last.
_ENTERED: ContextVar[tuple[Permit, ...]] = ContextVar("docdask_entered", default=())


class QuotaSemaphore:
    """Limits calls of a whole Dask cluster to what a service allows.

    Parameters
    ----------
    requests
        Calls a period; None for no limit.
    name
        One name is one semaphore on the cluster; a new one is made up if missing.
    pages
        Pages a period.
    in_flight
        Calls at a time. In this form it stays what it is; with endpoints it shrinks and grows with what they can take.
    period
        Length of "a minute": seconds, or as Dask reads durations (``"60s"``).
    endpoints
        Several endpoints, each with limits of its own, instead of the three limits above.
    spec
        Everything, instead of all of the above.
    client
        Client whose process this is; found if missing.

    Examples
    --------
    >>> weather = QuotaSemaphore(60, "weather")          # doctest: +SKIP
    >>> with weather:                                    # doctest: +SKIP
    ...     reply = requests.get("https://…")
    """

    def __init__(
        self,
        requests: int | None = None,
        name: str | None = None,
        *,
        pages: int | None = None,
        in_flight: int | None = None,
        period: float | str = 60,
        endpoints: Sequence[EndpointSpec] = (),
        spec: SemaphoreSpec | None = None,
        client: Any = None,
    ) -> None:
        self.name = text("name", name or f"quota-{uuid.uuid4().hex}")
        period_ns = nanoseconds("period", period)
        if spec is not None and (endpoints or period != 60 or (requests, pages, in_flight) != (None,) * 3):
            raise UsageError(
                f"semaphore {self.name!r} has a spec and other limits beside it", "put them into the spec"
            )
        if endpoints and (requests, pages, in_flight) != (None,) * 3:
            raise UsageError(
                f"semaphore {self.name!r} has endpoints and limits beside them",
                "give each endpoint its limits",
            )
        if spec is None and endpoints:
            spec = SemaphoreSpec(tuple(endpoints), period_ns=period_ns)
        elif spec is None:
            one = EndpointSpec(self.name, requests=requests, pages=pages, in_flight=in_flight)
            spec = SemaphoreSpec((one,), period_ns=period_ns, adaptive=False, breaker=_PATIENT)
        self.spec = spec
        self._former: tuple[
            SemaphoreSpec, ...
        ] = ()  # in force before; the next governor must know them again
        self._client = client
        self._agent: Agent | None = None
        self._era = -1  # of the agent, when the semaphore was registered there
        self._held: OrderedDict[Permit, None] = OrderedDict()  # by acquire, oldest first
        self._inside: OrderedDict[Permit, None] = OrderedDict()  # by ``with``

    def __repr__(self) -> str:
        return f"<QuotaSemaphore {self.name!r}, {len(self.spec.endpoints)} endpoint(s)>"

    def __getstate__(self) -> tuple[str, SemaphoreSpec, tuple[SemaphoreSpec, ...]]:
        return self.name, self.spec, self._former

    def __setstate__(self, state: tuple[str, SemaphoreSpec, tuple[SemaphoreSpec, ...]]) -> None:
        self.name, self.spec, self._former = state
        self._client = self._agent = None
        self._era = -1
        self._held, self._inside = OrderedDict(), OrderedDict()

    # -- acquire and release -----------------------------------------------------------------------------------------

    def acquire(
        self,
        timeout: float | str | None = None,
        *,
        pages: int = 1,
        lane: str = "normal",
        run: str = "",
        kind: Kind = "online",
        endpoints: Sequence[str] = (),
        locations: Sequence[str] = (),
        micros: int = 0,
        unit: str = "",
        attempt: int = 1,
    ) -> Any:
        """Wait for a permit and hold it.

        Parameters
        ----------
        timeout
            Longest wait: seconds or a duration (``"200ms"``); None: as long as it takes; 0: only if one is free.
        pages, micros
            What the call weighs: pages, micro-dollars at most.
        lane
            ``interactive``, ``normal`` or ``bulk``.
        run, unit, attempt
            Whose budget it is, and what stands in the ledger.
        kind
            ``online``, ``batch`` (held until the operation ends) or ``poll``.
        endpoints, locations
            Where the call may go; empty for everywhere.

        Returns
        -------
        Permit or None
            The permit, which is true; None when the time was over. On the loop of the worker or client: an awaitable of it.

        Raises
        ------
        PermitRefused
            If it can never be granted, with the reason.
        UsageError
            If what is asked for can't be, or the name is in use with other limits.
        ClusterError
            If the scheduler has no governor, or one of another docdask.
        """
        wish = Wish(timeout, pages, micros, unit, attempt, lane, run, kind, endpoints, locations)
        return self._sync(self._acquire, wish)

    def permit(self, **wish: Any) -> Entry:
        """Context manager, ``with`` or ``async with``, around one call; takes what :meth:`acquire` takes but the timeout."""
        return Entry(self, wish)

    def release(self, permit: Permit | None = None) -> Any:
        """Give back ``permit``, or the one that was acquired first.

        Raises
        ------
        RuntimeError
            If none is held.
        """
        if permit is None:
            if not self._held:
                msg = "Released too often"
                raise RuntimeError(msg)
            permit, _ = self._held.popitem(last=False)
        else:
            self._forget(permit)
        permit.report()
        return self._sync(_true)

    def __enter__(self) -> Permit:
        return self._entered(self._sync(self._take, _PLAIN, asynchronous=False))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        entered = _ENTERED.get()
        mine = next((permit for permit in reversed(entered) if permit in self._inside), None)
        if mine is None:  # it was entered in another context, as exit stacks in threads do it
            mine = next(reversed(self._inside), None)
        if mine is None:
            msg = "Left without having been entered"
            raise RuntimeError(msg)
        _ENTERED.set(tuple(permit for permit in entered if permit is not mine))
        del self._inside[mine]
        self._leave(mine, failed=kind is not None)

    async def __aenter__(self) -> Permit:
        return self._entered(await self.bridge(self._take(_PLAIN)))

    def _entered(self, permit: Permit) -> Permit:
        self._inside[permit] = None
        _ENTERED.set((*_ENTERED.get(), permit))
        return permit

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def _leave(self, permit: Permit, *, failed: bool) -> None:
        """End of a ``with``. An exception says nothing about the endpoint, but the call may have been paid for."""
        if failed:
            permit.report("raised", code="exception")
        else:
            permit.report()

    def _forget(self, permit: Permit) -> None:
        self._held.pop(permit, None)

    async def _acquire(self, wish: Wish) -> Permit | None:
        permit: Permit | None = await self._take(wish)
        if permit is not None:
            self._held[permit] = None
        return permit

    async def _take(self, wish: Wish) -> Any:
        """A permit, which is the caller's to give back; None when the time is over."""
        agent = self.agent
        if not agent.agrees(self._era):
            await agent.register(self.name, self.spec, self._former)
            self._era = agent.era
        waiter = ev.Waiter(agent.next_id(), *wish.weight)
        return await agent.acquire(Waiting(waiter, self.name, (self.name, *wish.group)), wish.timeout_s)

    # -- the semaphore as a whole ------------------------------------------------------------------------------------

    def register(self) -> Any:
        """Tell the scheduler of the semaphore, before the first permit is wanted.

        Raises
        ------
        UsageError
            If the name is in use with other limits.
        """
        return self._sync(self._register)

    def __await__(self) -> Any:
        return self.bridge(self._register()).__await__()

    async def _register(self) -> QuotaSemaphore:
        await self.agent.register(self.name, self.spec, self._former)
        return self

    def get_value(self) -> Any:
        """Permits held now, on the whole cluster."""
        return self._sync(self._get_value)

    async def _get_value(self) -> int:
        seen: SemaphoreView = await self._ask("view")
        return seen.held

    def view(self) -> Any:
        """Quotas in use, calls in flight, breakers, waiters by lane: :class:`docdask.core.views.SemaphoreView`."""
        return self._sync(self._ask, "view")

    def permits(self, most: int = 1000) -> Any:
        """Who holds what and who waits since when: :class:`docdask.core.views.PermitView` each, holders first."""
        return self._sync(self._ask, "permits", most)

    async def _ask(self, what: str, most: int = 1000) -> Any:
        await self._register()
        answer: SemaphoreView | list[PermitView] = await self.agent.ask(self.name, what, most=most)
        return answer

    def configure(self, spec: SemaphoreSpec | None = None, **limits: int | None) -> Any:
        """Change quotas while it runs; whoever waits is served under the new ones.

        Parameters
        ----------
        spec
            New limits; lanes and period must be the same.
        **limits
            ``requests``, ``pages``, ``in_flight`` or ``batch`` of a semaphore with one endpoint.

        Raises
        ------
        UsageError
            If they can't be changed to that.
        """
        if spec is None:
            if len(self.spec.endpoints) != 1:
                raise UsageError(
                    f"semaphore {self.name!r} has {len(self.spec.endpoints)} endpoints",
                    "pass a SemaphoreSpec",
                )
            try:
                spec = replace(self.spec, endpoints=(replace(self.spec.endpoints[0], **limits),))  # type: ignore[arg-type]
            except TypeError as error:
                raise UsageError(
                    f"{', '.join(limits)} can't be changed", "change requests, pages, in_flight or batch"
                ) from error
        return self._sync(self._configure, spec)

    async def _configure(self, spec: SemaphoreSpec) -> None:
        with contextlib.suppress(UsageError):  # other limits are in force: they are what is to be changed
            await self._register()
        await self.agent.tell(ev.Configure(0, self.name, spec))
        if spec != self.spec:
            self._former = tuple({*self._former, self.spec} - {spec})
            self.spec = spec

    def open_run(
        self,
        run: str,
        *,
        calls: int = 0,
        pages: int = 0,
        budget: BudgetSpec = UNLIMITED,
        ledger: str = "",
    ) -> Any:
        """Announce a run, before its first permit.

        Parameters
        ----------
        run
            Name, as in ``acquire(run=…)``.
        calls, pages
            What it means to call in all, as far as known: decides whether it may go at once.
        budget
            Never exceeded by a page; what the ledger says was spent before counts.
        ledger
            Run directory (path or fsspec URL) whose ledger is the run's own: it is read before anything is granted, and
            each intent is in it before its grant leaves. Empty: the scheduler's ledger, if the semaphore's spec asks for one.

        Raises
        ------
        UsageError
            If the run is open with another ledger, or a number or text can't be.
        StorageError
            If the ledger can't be read or written.
        """
        text("run", run)
        calls, pages = whole("calls", calls), whole("pages", pages)
        if text("ledger", ledger) and "://" not in ledger:
            ledger = str(Path(ledger).resolve())  # the scheduler's working directory is another one
        return self._sync(self._tell, ev.OpenRun(0, self.name, run, calls, pages, budget, ledger=ledger))

    def close_run(self, run: str) -> Any:
        """End a run; whoever waits for it is refused."""
        return self._sync(self._tell, ev.CloseRun(0, self.name, run))

    def note(
        self,
        run: str,
        unit: str,
        fence: int,
        kind: Literal["stored", "operation", "adopted"],
        *,
        code: str = "",
        attempt: int = 1,
        pages: int = 0,
        micros: int = 0,
    ) -> Any:
        """Put a fact about a unit into the ledger of its run, after what was reported of permits before.

        An operation is noted when this returns: it is in the ledger before anybody waits for it. That a result is stored
        is noted without waiting, since the result itself says so too.

        Parameters
        ----------
        run, unit, attempt
            As in ``acquire``.
        fence
            Of the permit under which it happened.
        kind
            ``stored``: its result is in the run directory, which is final; ``operation``: the service has begun a batch
            operation of the name ``code``; ``adopted``: such an operation is waited for by this process from now on.
        pages, micros
            With ``adopted``: what the operation was submitted for. It is at risk since, and is the permit's own from now on.

        Raises
        ------
        StorageError
            If an operation can't be written into the ledger.
        """
        for name, value in (("run", run), ("unit", unit), ("code", code)):
            text(name, value)
        attempt, pages, micros = whole("attempt", attempt), whole("pages", pages), whole("micros", micros)
        if kind not in {"stored", "operation", "adopted"}:
            raise UsageError(f"{kind!r} is nothing to note", "note 'stored', 'operation' or 'adopted'")
        return self._sync(
            self._note, (self.name, run, unit, fence, kind, attempt, code, pages, micros), kind != "stored"
        )

    async def _note(self, fact: tuple[Any, ...], durable: bool) -> None:
        await self._register()
        await self.agent.note(fact, durable=durable)

    def close(self) -> Any:
        """End the semaphore on the whole cluster; whoever waits is refused."""
        return self._sync(self._close)

    async def _close(self) -> None:
        await self.agent.tell(ev.Close(0, self.name))

    async def _tell(self, event: ev.Event) -> None:
        await self._register()
        await self.agent.tell(event)

    # -- where it runs -----------------------------------------------------------------------------------------------

    @property
    def agent(self) -> Agent:
        """Speaks to the governor for this process.

        Raises
        ------
        ClusterError
            If this is neither a task nor a process with a client.
        """
        if self._agent is None or self._agent.closed:
            self._agent, self._era = agent_of(self._client), -1  # there may be another client by now
        return self._agent

    def _sync(self, function: Any, *arguments: Any, asynchronous: bool | None = None) -> Any:
        """Run on the agent's loop and wait, or, there already, give the coroutine back."""
        loop = self.agent.loop
        if asynchronous is not False and _running_loop() is loop:
            return function(*arguments)
        if _running_loop() is loop:
            raise UsageError(
                f"'with' on semaphore {self.name!r} would stop the loop that it waits for", "use 'async with'"
            )
        future, crossing = cross(function(*arguments), loop)
        try:
            return future.result()
        except BaseException:  # Ctrl-C, too
            self._give_up(future, crossing, loop)
            raise

    def _give_up(
        self, future: concurrent.futures.Future[Any], crossing: Crossing, loop: asyncio.AbstractEventLoop
    ) -> None:
        """Whoever stops waiting holds nothing, also when its permit is on the way from the other loop at that moment."""
        future.add_done_callback(self._unused)
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(crossing.cancel)

    async def bridge(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Await from any loop what runs on the agent's. Whoever stops waiting holds nothing."""
        loop = self.agent.loop
        if _running_loop() is loop:
            return await coroutine
        future, crossing = cross(coroutine, loop)
        try:
            # Shielded: a permit that is on its way here when its waiter is cancelled must not be dropped unseen.
            return await asyncio.shield(asyncio.wrap_future(future))
        except asyncio.CancelledError:
            self._give_up(future, crossing, loop)
            raise

    def _unused(self, future: concurrent.futures.Future[Any]) -> None:
        """Give back what nobody waits for any more."""
        if future.cancelled() or future.exception() is not None:
            return
        permit = future.result()
        if isinstance(permit, Permit):
            self._forget(permit)
            permit.report("unused")


class Entry:
    """``with semaphore.permit(pages=3) as permit``: waits, holds, gives back."""

    def __init__(self, semaphore: QuotaSemaphore, wish: dict[str, Any]) -> None:
        unknown = set(wish) - _WISHES
        if unknown:
            raise UsageError(
                f"permit() takes no {', '.join(sorted(unknown))}", f"it takes {', '.join(sorted(_WISHES))}"
            )
        self._semaphore = semaphore
        self._wish = Wish(**wish)
        self._permit: Permit | None = None

    def __enter__(self) -> Permit:
        semaphore = self._semaphore
        permit: Permit = semaphore._sync(semaphore._take, self._wish, asynchronous=False)  # noqa: SLF001 - same module
        self._permit = permit
        return permit

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        assert self._permit is not None
        self._semaphore._leave(self._permit, failed=kind is not None)  # noqa: SLF001 - same module

    async def __aenter__(self) -> Permit:
        semaphore = self._semaphore
        permit: Permit = await semaphore.bridge(semaphore._take(self._wish))  # noqa: SLF001 - same module
        self._permit = permit
        return permit

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.__exit__(kind)


# What stands inside a plain ``with`` may be anything: how long it takes says nothing about an endpoint.
_PATIENT = BreakerSpec(silence_ns=24 * 3600 * SECOND_NS)
_PLAIN = Wish()
_WISHES = {"pages", "micros", "unit", "attempt", "lane", "run", "kind", "endpoints", "locations"}


async def _true() -> bool:
    return True


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
