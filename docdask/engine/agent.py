"""The governor's agent: one in each worker process or client, through which all its semaphores speak.

Rules:

1. It lives on the event loop of its worker or client; what comes from threads is brought there.
2. All that was wanted, returned and cancelled in one turn of the loop goes out in one message.
3. Nobody speaks before the handshake; when the scheduler at the other end is another one, hands are shaken again and
   whoever waits asks again under the same id.
4. While anything waits or is held it gives a sign of life every fifth of a lease.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import pickle
import time
import uuid
import weakref
from collections import deque
from dataclasses import dataclass
from typing import Any

from docdask._version import __version__
from docdask.core import events as ev
from docdask.core import wire
from docdask.core.spec import Kind, SemaphoreSpec
from docdask.engine.permit import Permit, Waiting
from docdask.engine.protocol import ASK, HELLO, MISSING_MESSAGE, MISSING_REMEDY, STREAM, TELL, send_now
from docdask.errors import ClusterError, PermitRefused, StorageError, UsageError

logger = logging.getLogger(__name__)

#: Waiters in one message; more go in the next turn, so that the scheduler's loop is never held for long.
_MOST_WAITERS = 2000
#: Seconds between signs of life when no lease is known yet, and at most between looks at a client's connection.
_TICK_S = 1.0
#: Beats without a governor until whoever waits is told so.
_PATIENCE_BEATS = 30
#: Seconds until a scheduler that says nothing counts as gone.
_ECHO_S = 30.0


@dataclass(slots=True, eq=False)
class Noting:
    """A fact about a unit on its way into the ledger."""

    token: str
    """Empty if nobody waits for it to be durable."""
    fact: tuple[Any, ...]
    done: asyncio.Future[str] | None = None


class Agent:
    """Speaks for one worker or client.

    Parameters
    ----------
    node
        Dask's worker or client.
    """

    def __init__(self, node: Any) -> None:
        self._node = weakref.ref(node)
        self.is_worker = hasattr(node, "batched_stream")
        self.name: str = node.address if self.is_worker else node.id
        self.loop: asyncio.AbstractEventLoop = node.loop.asyncio_loop
        self._prefix = uuid.uuid4().hex[:8]
        self._count = itertools.count()
        self.era = 0
        """Rises when what was agreed with the governor may hold no more: it is another one, or limits have changed."""
        self._governor = ""
        self._comm: Any = None
        self._joining = asyncio.Lock()
        self._specs: dict[str, SemaphoreSpec] = {}
        self._former: dict[str, tuple[SemaphoreSpec, ...]] = {}
        self._shared: dict[str, set[SemaphoreSpec]] = {}
        self._runs: dict[tuple[str, str], ev.OpenRun] = {}
        self._waiting: dict[str, Waiting] = {}
        self._held: dict[str, Permit] = {}
        self._fences: dict[str, int] = {}
        self._wants: deque[str] = deque()
        self._returns: dict[str, list[ev.Outcome]] = {}
        self._cancels: dict[str, list[str]] = {}
        self._notes: list[Noting] = []
        self._noting: dict[str, Noting] = {}
        self._probes: list[str] = []
        self._echoes: dict[str, asyncio.Future[None]] = {}
        self._flushing = False
        self._lease_ns = 0
        self._beat: asyncio.Task[None] | None = None
        handlers = node.stream_handlers if self.is_worker else node._stream_handlers  # noqa: SLF001 - no public way
        handlers[STREAM] = self._hear

    @property
    def node(self) -> Any:
        """The worker or client.

        Raises
        ------
        ClusterError
            If it is gone or closed.
        """
        node = self._node()
        if node is None or node.status in _CLOSED:
            raise ClusterError(
                f"the Dask connection of {self.name} is closed", "connect again, then ask again"
            )
        return node

    # -- handshake ---------------------------------------------------------------------------------------------------

    async def join(self) -> None:
        """Shake hands with the governor, unless that is done.

        Raises
        ------
        ClusterError
            If there is no governor, or one of another version.
        """
        if self._reached():
            return
        async with self._joining:
            comm = self._stream()
            if self._comm is comm:
                return
            self._comm = None  # nothing goes out before the governor has been told what it is about
            if not self.is_worker and not self._governor:
                await self._install()
            answer = await self._call(HELLO, name=self.name, version=__version__)
            if not isinstance(answer, dict):
                address = self.node.scheduler.addr if self.is_worker else self.node.scheduler.address
                raise ClusterError(MISSING_MESSAGE.format(address=address), MISSING_REMEDY)
            if "error" in answer:
                raise ClusterError(answer["error"], answer["remedy"])
            await self._introduce()
            self._governor, self._comm = answer["governor"], comm
            self.era += 1
            self._wants.clear()
            self._wants.extend(self._waiting)
            self._probes = [*self._echoes, *(one.id for one in self._waiting.values() if one.at_once)]
            self._notes = [*self._noting.values(), *(note for note in self._notes if not note.token)]
            self._soon()

    async def _introduce(self) -> None:
        """Tell a governor what is in use here; what it rejects ends for those who use it, and for nobody else."""
        for name, spec in list(self._specs.items()):
            try:
                await self.tell(ev.Register(0, name, spec), self._former.get(name, ()), joined=True)
                for other in self._shared.get(name, set()) - {spec}:
                    await self.tell(ev.Register(0, name, other), joined=True)
            except UsageError as error:
                self._forget(name)
                self._fail(error, name)
        for (name, run), opened in list(self._runs.items()):
            try:
                await self.tell(opened, joined=True)
            except (UsageError, StorageError) as error:
                # Without its ledger and its budget nobody may spend anything for it.
                await self.tell(ev.CloseRun(0, name, run), joined=True)
                self._fail(error, name, run)

    async def _install(self) -> None:
        """A client that is the first to want a governor brings it; one that saw it vanish does not."""
        from docdask.engine.plugin import GovernorPlugin

        try:
            await self.node.register_plugin(GovernorPlugin())
        except Exception as error:
            raise ClusterError(
                f"the scheduler could not start the docdask governor: {error}",
                "install docdask on the scheduler too",
            ) from error

    async def _call(self, handler: str, **arguments: Any) -> Any:
        """Call the scheduler; None if it does not know the handler."""
        try:
            return await getattr(self.node.scheduler, handler)(**arguments)
        except (OSError, TypeError, AttributeError, UnboundLocalError) as error:
            raise ClusterError(
                f"the scheduler did not answer {self.name}: {error}", "see whether it runs, then ask again"
            ) from error

    def agrees(self, era: int) -> bool:
        """Whether what was registered in that era still is: asked before each permit, hence quick."""
        return era == self.era and self._reached()

    def _reached(self) -> bool:
        """Whether hands are shaken with whoever is at the other end now."""
        node, comm = self._node(), self._comm
        if comm is None or node is None or node.status in _CLOSED:
            return False
        return comm is (node.batched_stream if self.is_worker else node.scheduler_comm)

    def _stream(self) -> Any:
        node = self.node
        stream = node.batched_stream if self.is_worker else node.scheduler_comm
        if stream is None:
            raise ClusterError(f"{self.name} has no connection to its scheduler", "wait until it is back")
        return stream

    # -- calls -------------------------------------------------------------------------------------------------------

    async def register(self, name: str, spec: SemaphoreSpec, former: tuple[SemaphoreSpec, ...] = ()) -> None:
        """Use a semaphore by this name; ``former`` limits were in force before these.

        Raises
        ------
        UsageError
            If it is registered with other limits.
        ClusterError
            See :meth:`join`.
        """
        await self.join()
        known = self._specs.get(name)
        if known is spec or known == spec or spec in self._shared.get(name, ()):
            return
        if spec in self._former.get(name, ()):
            return  # a copy from before the limits were changed must not bring them back
        await self.tell(ev.Register(0, name, spec), former)
        self._specs[name], self._former[name] = spec, former
        self._lease_ns = min(self._lease_ns or spec.lease_ns, spec.lease_ns)
        if spec.shared:
            self._shared.setdefault(name, set()).add(spec)

    async def tell(
        self, event: ev.Event, former: tuple[SemaphoreSpec, ...] = (), *, joined: bool = False
    ) -> None:
        """Send an event that is not about permits.

        Raises
        ------
        UsageError
            If the governor rejects it.
        StorageError
            If the run's ledger can't be read or written.
        """
        if not joined:
            await self.join()
        answer = await self._call(
            TELL, event=json.dumps(wire.encode(event)), former=json.dumps(wire.encode(former))
        )
        if not isinstance(answer, dict):
            raise ClusterError(MISSING_MESSAGE.format(address=self.name), MISSING_REMEDY)
        if answer:
            kind = StorageError if answer.get("is") == "StorageError" else UsageError
            raise kind(answer["error"], answer["remedy"])
        self._remember(event)

    def _remember(self, event: ev.Event) -> None:
        """Keep what the next governor must be told before anybody waits there."""
        if isinstance(event, ev.Configure):
            name = event.semaphore
            before = self._specs.get(name, event.spec)
            self._former[name] = tuple({*self._former.get(name, ()), before} - {event.spec})
            self._specs[name] = event.spec
            self.era += 1
        elif isinstance(event, ev.OpenRun):
            self._runs[event.semaphore, event.run] = event
            self._soon()  # from now on it looks whether the governor is still the same
        elif isinstance(event, ev.CloseRun):
            self._runs.pop((event.semaphore, event.run), None)
        elif isinstance(event, ev.Close):
            self._forget(event.semaphore)

    def _forget(self, semaphore: str) -> None:
        """Nothing of a semaphore is in use here any more; whoever uses it next registers it anew."""
        for known in (self._specs, self._former, self._shared):
            known.pop(semaphore, None)
        self._runs = {key: run for key, run in self._runs.items() if key[0] != semaphore}
        self.era += 1

    async def ask(self, semaphore: str, what: str, *, most: int = 1000) -> Any:
        """Ask for a view of a semaphore.

        Raises
        ------
        UsageError
            If there is none by that name.
        """
        await self.join()
        await self.settled()
        answer = await self._call(ASK, semaphore=semaphore, what=what, most=most)
        if "error" in answer:
            raise UsageError(answer["error"], answer["remedy"])
        return pickle.loads(answer["value"])  # noqa: S301 - from our own scheduler, which may run anything here anyway

    async def settled(self) -> None:
        """Wait until the governor has taken in what was said so far: calls overtake the stream, and so does leaving.

        Raises
        ------
        ClusterError
            If the scheduler does not answer.
        """
        id_ = self.next_id()
        echo = self._echoes[id_] = self.loop.create_future()
        self._probes.append(id_)
        self._soon()
        try:
            await asyncio.wait_for(echo, _ECHO_S)
        except TimeoutError as error:
            raise ClusterError(
                f"the scheduler did not answer {self.name} within {_ECHO_S} s",
                "see whether it runs, then ask again",
            ) from error
        finally:
            del self._echoes[id_]

    # -- permits -----------------------------------------------------------------------------------------------------

    def next_id(self) -> str:
        """Id of a permit, unique on the cluster."""
        return f"{self._prefix}-{next(self._count)}"

    async def acquire(self, waiting: Waiting, timeout_s: float | None) -> Permit | None:
        """Wait for a permit of a semaphore that is registered; None when the time is over.

        Raises
        ------
        PermitRefused
            If it will never be granted.
        """
        waiting.future = self.loop.create_future()
        self._waiting[waiting.id] = waiting
        self._wants.append(waiting.id)
        waiting.at_once = timeout_s is not None and timeout_s <= 0
        if waiting.at_once:
            self._probes.append(waiting.id)
        self._soon()
        timer = None
        if timeout_s is not None and timeout_s > 0:
            timer = self.loop.call_later(timeout_s, self._give_up, waiting)
        try:
            granted: Permit | None = await waiting.future
            return granted
        except asyncio.CancelledError:
            self._withdraw(waiting)
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _give_up(self, waiting: Waiting) -> None:
        if not waiting.future.done():
            self._withdraw(waiting)
            waiting.future.set_result(None)

    def _withdraw(self, waiting: Waiting) -> None:
        """Say that a permit is not wanted any more, also when it was granted while the waiter was cancelled."""
        self._waiting.pop(waiting.id, None)
        self._held.pop(waiting.id, None)
        self._cancels.setdefault(waiting.semaphore, []).append(waiting.id)
        self._soon()

    def give_back(self, permit: Permit, outcome: ev.Outcome) -> None:
        """Return a permit; from any thread, at once."""
        if asyncio._get_running_loop() is self.loop:  # noqa: SLF001 - documented; the other one raises where there is none
            self._give_back(permit, outcome)
        else:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and its leases with it
                self.loop.call_soon_threadsafe(self._give_back, permit, outcome)

    def _give_back(self, permit: Permit, outcome: ev.Outcome) -> None:
        self._held.pop(permit.id, None)
        self._returns.setdefault(permit.semaphore, []).append(outcome)
        self._soon()

    async def note(self, fact: tuple[Any, ...], *, durable: bool) -> None:
        """Put a fact about a unit (the fields of an :class:`~docdask.core.events.Note` without time and worker) into its ledger.

        Raises
        ------
        StorageError
            With ``durable``: if the ledger can't be written.
        """
        await self.join()
        note = Noting(self.next_id() if durable else "", fact)
        self._notes.append(note)
        if not durable:
            self._soon()
            return
        note.done = self.loop.create_future()
        self._noting[note.token] = note
        self._soon()
        try:
            failed = await note.done
        finally:
            del self._noting[note.token]
        if failed:
            raise StorageError(
                f"{fact[4]} of unit {fact[2]} is not in the ledger: {failed}", "free space or fix the storage"
            )

    # -- out ---------------------------------------------------------------------------------------------------------

    def _soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            self.loop.call_soon(self._flush)
        if self._beat is None and self._busy():
            self._beat = self.loop.create_task(self._beats())

    def _flush(self) -> None:
        self._flushing = False
        if self._comm is None:
            return
        message: dict[str, Any] = {"op": STREAM, "governor": self._governor}
        if self._returns:
            message["returns"], self._returns = list(self._returns.items()), {}
        if self._notes:
            message["notes"], self._notes = [(note.token, note.fact) for note in self._notes], []
        if self._cancels:
            message["cancels"], self._cancels = list(self._cancels.items()), {}
        if self._wants:
            message["wants"] = self._take_wants()
        if self._probes and not self._wants:
            message["probes"], self._probes = self._probes, []
        if len(message) > 2:
            self._send(message)
        if self._wants:
            self._flushing = True
            self.loop.call_later(0.005, self._flush)

    def _take_wants(self) -> list[tuple[Any, ...]]:
        """Waiters not yet asked for, those of one kind together."""
        groups: dict[tuple[Any, ...], list[ev.Waiter]] = {}
        for _ in range(min(len(self._wants), _MOST_WAITERS)):
            waiting = self._waiting.get(self._wants.popleft())
            if waiting is not None:
                groups.setdefault(waiting.group, []).append(waiting.waiter)
        return [(*group, waiters) for group, waiters in groups.items()]

    def _send(self, message: dict[str, Any]) -> None:
        try:
            stream = self._stream()
            if stream is self._comm:
                send_now(stream, message)
                return
        except (ClusterError, OSError) as error:
            logger.debug("docdask: %s could not be told: %s", self.name, error)
        # Another scheduler, or none at the moment: the next beat shakes hands again and asks for all that waits.

    async def _beats(self) -> None:
        """Signs of life, and a look at who is at the other end."""
        in_vain = 0
        try:
            while self._busy():
                await asyncio.sleep(
                    min(self._lease_ns / 5e9 or _TICK_S, _TICK_S if not self.is_worker else 60.0)
                )
                try:
                    if self._comm is not self._stream():
                        await self.join()
                except ClusterError as error:
                    # A scheduler that starts again may need a moment until its governor is there.
                    in_vain += 1
                    if self.closed or in_vain > _PATIENCE_BEATS:
                        self._fail(error)
                        return
                    continue
                in_vain = 0
                if self._speaking():
                    self._send({"op": STREAM, "governor": self._governor, "refresh": self._signs()})
        finally:
            self._beat = None

    def _busy(self) -> bool:
        """Whether a governor that is replaced must be told something without being asked."""
        return self._speaking() or bool(self._runs)

    def _speaking(self) -> bool:
        return bool(self._waiting or self._held or self._noting)

    def _signs(self) -> list[tuple[str, int, list[str]]]:
        held: dict[str, list[str]] = {w.semaphore: [] for w in self._waiting.values()}
        for permit in self._held.values():
            held.setdefault(permit.semaphore, []).append(permit.id)
        return [(name, self._fences.get(name, -1), ids) for name, ids in held.items()] or [("", -1, [])]

    @property
    def closed(self) -> bool:
        """Whether the worker or client is gone, or closed."""
        node = self._node()
        return node is None or node.status in _CLOSED

    def _fail(self, error: Exception, semaphore: str = "", run: str | None = None) -> None:
        """Nobody is left hanging: not of a run, of a semaphore, or at all."""

        def concerned(of: str, for_run: str) -> bool:
            return semaphore in {"", of} and run in {None, for_run}

        for note in self._noting.values():
            if concerned(*note.fact[:2]) and note.done is not None and not note.done.done():
                note.done.set_exception(error)
        for one in list(self._waiting.values()):
            if concerned(one.semaphore, one.group[2]):
                del self._waiting[one.id]
                if not one.future.done():
                    one.future.set_exception(error)

    # -- in ----------------------------------------------------------------------------------------------------------

    def _hear(self, **message: Any) -> None:
        """Take in an answer; never raises, that would close the stream."""
        try:
            if message.get("governor") == self._governor:
                self._heard(message)
        except Exception:
            logger.exception("docdask: an answer of the governor could not be understood")

    def _heard(self, message: dict[str, Any]) -> None:
        if "strangers" in message:  # it was meant for the governor before: shake hands with this one
            self._comm = None
        for group in message.get("grants", ()):
            self._granted(*group)
        for id_, reason, text, remedy in message.get("refusals", ()):
            self._refused(id_, reason, text, remedy)
        for token, failed in message.get("noted", ()):
            note = self._noting.get(token)
            if note is not None and note.done is not None and not note.done.done():
                note.done.set_result(failed)
        for id_ in message.get("revoked", ()):
            revoked = self._held.pop(id_, None)
            if revoked is not None:
                revoked.revoked = True
            else:
                self._refused(id_, "lapsed", "the grant of a permit was lost on its way", "ask again")
        for id_ in message.get("probes", ()):
            waiting, echo = self._waiting.get(id_), self._echoes.get(id_)
            if waiting is not None:
                self._give_up(waiting)
            elif echo is not None and not echo.done():
                echo.set_result(None)

    def _refused(self, id_: str, reason: str, text: str, remedy: str) -> None:
        waiting = self._waiting.pop(id_, None)
        if waiting is None:
            return
        if reason == "unknown-semaphore":
            self._forget(waiting.semaphore)  # somebody has closed it
        if not waiting.future.done():
            waiting.future.set_exception(PermitRefused(reason, text, remedy))

    def _granted(
        self, semaphore: str, endpoint: str, kind: Kind, lease_ns: int, ids: list[str], fences: list[int]
    ) -> None:
        """Wake those who got a permit: of one semaphore and kind, at one endpoint."""
        self._fences[semaphore] = max(self._fences.get(semaphore, -1), *fences)
        self._lease_ns = min(lease_ns, self._lease_ns or lease_ns)
        now_ns = time.monotonic_ns()
        for id_, fence in zip(ids, fences, strict=True):
            waiting = self._waiting.pop(id_, None)
            if waiting is None or waiting.future.done():
                continue
            permit = self._held[id_] = Permit(self, waiting, endpoint, fence, kind, now_ns)
            waiting.future.set_result(permit)


def _closed_states() -> frozenset[Any]:
    from distributed.core import Status

    return frozenset({Status.closed, Status.closing, "closed", "closing"})


_CLOSED = _closed_states()
