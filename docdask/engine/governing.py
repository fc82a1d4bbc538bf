"""The governor's shell on the scheduler: stamps what happens, asks the governor, carries out what it says.

Rules:

1. All of it runs on the scheduler's loop; storage is used in threads (:mod:`docdask.engine.ledgers`).
2. A grant leaves when its record is durable, not before.
3. Answers of one turn of the loop go to each worker in one message.
4. Nothing raises in a stream handler: that would close a worker's stream, and Dask would take the worker for dead.
"""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from docdask._version import __version__
from docdask.core import events as ev
from docdask.core import instructions as ins
from docdask.core import views, wire
from docdask.core.governor import Governor
from docdask.core.ledger import Record
from docdask.core.recovery import recover
from docdask.core.spec import SECOND_NS, SemaphoreSpec
from docdask.engine.clock import Clock
from docdask.engine.ledgers import Ledger, Ledgers
from docdask.engine.protocol import ASK, HELLO, STREAM, TELL, send_now
from docdask.engine.recording import Recorder
from docdask.engine.usage import Keeper, Saved, UsageFiles
from docdask.errors import StorageError, UsageError, sentence
from docdask.store.ledger import totals

logger = logging.getLogger(__name__)

#: Events that a worker or client may send by a call.
_TOLD = (ev.Register, ev.Configure, ev.Close, ev.OpenRun, ev.CloseRun, ev.Restore)


#: How far back intents of the scheduler's own ledger are kept for semaphores that are yet to be registered.
_RECENT_NS = 3600 * SECOND_NS
_NO_LEDGER = (
    "this scheduler was started without one (--ledger URL), and the run was not opened with one (ledger=URL)"
)


class GovernorShell:
    """One governor on one scheduler.

    Parameters
    ----------
    scheduler
        Dask's.
    clock
        Stamps events.
    usage
        Where what was used lately is kept over restarts; None: nowhere.
    record
        File for an event log; None: none.
    """

    def __init__(
        self, scheduler: Any, clock: Clock, usage: UsageFiles | None = None, record: Path | None = None
    ) -> None:
        self.id = uuid.uuid4().hex
        """Tells this governor from the one before a restart."""
        self.clock = clock
        self.governor = Governor(utc_offset_ns=clock.utc_offset_ns)
        self._scheduler = scheduler
        self._loop = asyncio.get_running_loop()
        self.ledgers = Ledgers(self._loop, durable=self._written, failed=self._failed)
        self._recorder = None if record is None else Recorder(record, clock.utc_offset_ns)
        self._usage = None if usage is None else Keeper(usage, self.id, self._export)
        self._counted: dict[tuple[str, str, int], int] = {}  # semaphore, ledger, epoch: restored up to then
        self._specs: dict[str, set[SemaphoreSpec]] = {}  # every spec that was in force under a name
        self._appended: ins.Append | None = None  # the last one
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._outbox: dict[str, dict[str, Any]] = {}
        self._leaving: set[str] = set()  # permits whose grants wait for their records
        self._ready = asyncio.Event()
        self._broken: dict[str, str] = {}  # why it could not start, for whoever asks
        self._do: dict[type[Any], Callable[[Any], None]] = {
            ins.Grant: self._grant,
            ins.Refuse: self._refuse,
            ins.Revoke: self._revoke,
            ins.WakeAt: self._wake_at,
            ins.Append: self._append,
        }
        scheduler.handlers.update({HELLO: self.hello, TELL: self.tell, ASK: self.ask})
        scheduler.stream_handlers[STREAM] = self.listen

    async def open(self, ledger: str) -> None:
        """Begin: with a ledger of the scheduler's own at that URL, or (empty) without one.

        Raises
        ------
        StorageError
            If it can't be read or written.
        """
        try:
            if ledger:
                opened, _ = await self.ledgers.open(ledger, self._since_utc_ns(_RECENT_NS), own=True)
                self._number(opened)
        except BaseException as error:
            remedy = getattr(error, "remedy", "") or "see the scheduler's log"
            self._broken = {"error": f"the governor could not start: {sentence(error)}", "remedy": remedy}
            raise
        finally:
            self._ready.set()  # nobody is left waiting for it

    async def close(self) -> None:
        """Stop timers, write what is left."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self._usage is not None:
            await self._usage.close()
        await self.ledgers.close()
        if self._recorder is not None:
            await asyncio.to_thread(self._recorder.close)

    # -- events ------------------------------------------------------------------------------------------------------

    def handle(self, event: ev.Event) -> list[ins.Reject]:
        """Give an event to the governor and do what it says; returns what it rejected."""
        rejected = []
        out = self.governor.handle(event)
        if self._recorder is not None:
            self._recorder(event, out)
        for instruction in out:
            if type(instruction) is ins.Reject:
                rejected.append(instruction)
            else:
                self._do[type(instruction)](instruction)
        return rejected

    async def hello(self, name: str, version: str) -> dict[str, Any]:
        """Shake hands. A worker of another version is told so, and stays what it was."""
        await self._ready.wait()
        if self._broken:
            return dict(self._broken)
        if version != __version__:
            return {
                "error": f"docdask {version} at {name} meets docdask {__version__} on the scheduler",
                "remedy": "install the same version everywhere, then restart what was changed",
            }
        self.handle(ev.WorkerJoined(self.clock.now_ns(), name))
        return {"governor": self.id}

    async def tell(self, event: str, former: str = "[]") -> dict[str, str]:
        """Take in an event that is not about permits, as JSON; an empty answer if it was accepted.

        ``former``: with a registration, limits that were in force under its name before these.
        """
        await self._ready.wait()
        try:
            decoded = wire.decode(json.loads(event) | {"at_ns": self.clock.now_ns()})
            if not isinstance(decoded, _TOLD):
                raise UsageError(f"{event[:80]} is no event that can be told", "send permits by the stream")
            rejected = await self._tell(decoded, wire.decode(json.loads(former)))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it is the sender's to know
            kind = "StorageError" if isinstance(error, StorageError) else "UsageError"
            return {"error": sentence(error), "remedy": getattr(error, "remedy", ""), "is": kind}
        return {"error": rejected[0].message, "remedy": rejected[0].remedy} if rejected else {}

    async def _tell(self, event: ev.Event, former: tuple[SemaphoreSpec, ...]) -> list[ins.Reject]:
        if isinstance(event, ev.Register):
            known = self._specs.get(event.semaphore, set())
            if event.spec in known or known.isdisjoint(former):
                return await self._register(event, former)
            return self._follow(event, former)
        if isinstance(event, ev.OpenRun):
            return await self._open_run(event)
        rejected = self.handle(event)
        if isinstance(event, ev.Configure) and not rejected:
            self._specs.setdefault(event.semaphore, set()).add(event.spec)
        elif isinstance(event, ev.CloseRun):
            await self.ledgers.settled(event.semaphore, event.run)
            self.ledgers.leave(event.semaphore, event.run)
        elif isinstance(event, ev.Close):
            self.ledgers.leave(event.semaphore)
            self._specs.pop(event.semaphore, None)
            timer = self._timers.pop(event.semaphore, None)
            if timer is not None:
                timer.cancel()
        return rejected

    def _follow(self, event: ev.Register, former: tuple[SemaphoreSpec, ...]) -> list[ins.Reject]:
        """Somebody registers limits that came after some that are known here: this governor is new, the change is not."""
        rejected = []
        if self.governor.pools[event.semaphore].spec in former:
            rejected = self.handle(ev.Configure(self.clock.now_ns(), event.semaphore, event.spec))
        if not rejected:
            self._specs[event.semaphore] |= {event.spec, *former}
        return rejected

    async def _register(self, event: ev.Register, former: tuple[SemaphoreSpec, ...]) -> list[ins.Reject]:
        """Register; a spec that was in force before the quotas were changed is no other one."""
        name = event.semaphore
        if event.spec in self._specs.get(name, ()):
            return []
        own = self.ledgers.get("")
        recent: tuple[Record, ...] = ()
        if own is not None and name not in self.governor.pools:
            recent = own.read.recent
            if 3 * event.spec.period_ns > _RECENT_NS:
                since = self._since_utc_ns(3 * event.spec.period_ns)
                recent = (await asyncio.to_thread(totals, own.url, since_utc_ns=since)).recent
        saved = []
        if self._usage is not None and name not in self.governor.pools:
            saved = await self._usage.load(name, self._since_utc_ns(0))
        new = name not in self.governor.pools
        rejected = self.handle(event)
        if rejected:
            return rejected
        self._specs.setdefault(name, set()).update({event.spec, *former})
        if new:
            self._use(name, saved)
        if new and own is not None:
            self._restore(name, own, recent)
        return []

    async def _open_run(self, event: ev.OpenRun) -> list[ins.Reject]:
        """Open a run, and its ledger with it: nothing of it is granted before what was spent is known."""
        pool = self.governor.pools.get(event.semaphore)
        ledger, read = self.ledgers.get(""), False
        if event.ledger and pool is not None:
            since = self._since_utc_ns(max(3 * pool.spec.period_ns, _RECENT_NS))
            ledger, read = await self.ledgers.open(event.ledger, since)
            if read:
                self._number(ledger)
            event = replace(event, ledger=ledger.name)
        # What was read before says nothing new about a run that is known, and its calls at risk may have ended since.
        news = read or pool is None or event.run not in pool.runs
        if ledger is not None and news and not any(event.spent):
            event = replace(event, spent=_spent(ledger, event.semaphore, event.run))
        rejected = self.handle(replace(event, at_ns=self.clock.now_ns()))
        if event.ledger and ledger is not None and not rejected:
            ledger.users.add((event.semaphore, event.run))
        return rejected

    def _number(self, ledger: Ledger) -> None:
        """Tell the governor of a ledger that was read, and of what it says was used lately."""
        read, now_ns = ledger.read, self.clock.now_ns()
        self.handle(ev.OpenLedger(now_ns, ledger.name, ledger.epoch, read.fence, read.sequence))
        for name in self.governor.pools:
            self._restore(name, ledger, read.recent)

    def _use(self, semaphore: str, saved: list[Saved]) -> None:
        """Count what other governors on this machine used lately."""
        for state in saved:
            token = f"usage {state.governor}"
            self.handle(ev.Restore(self.clock.now_ns(), semaphore, token, state.meters))
            for ledger, epoch in state.epochs:
                self._counted[semaphore, ledger, epoch] = state.saved_utc_ns

    def _export(self, semaphore: str) -> Saved | None:
        pool = self.governor.pools.get(semaphore)
        if pool is None:
            return None
        return Saved(
            semaphore, self.id, self._since_utc_ns(0), pool.spec.period_ns, self.governor.usage(semaphore),
            self.ledgers.epochs(),
        )  # fmt: skip

    def _restore(self, semaphore: str, ledger: Ledger, recent: tuple[Record, ...]) -> None:
        """Count what others sent by this semaphore lately; what this governor sent is counted already."""
        now_ns = self.clock.now_ns()
        others = [
            record
            for record in recent
            if record.epoch not in ledger.epochs
            and record.at_utc_ns > self._counted.get((semaphore, ledger.url, record.epoch), -1)
        ]
        spec = self.governor.pools[semaphore].spec
        found = recover(others, semaphore, spec, now_utc_ns=now_ns + self.clock.utc_offset_ns)
        token, spent = f"ledger {ledger.name} {ledger.epoch}", _spent(ledger, semaphore, "")
        self.handle(ev.Restore(now_ns, semaphore, token, found.meters, spent))

    def _since_utc_ns(self, ago_ns: int) -> int:
        return self.clock.now_ns() + self.clock.utc_offset_ns - ago_ns

    async def ask(self, semaphore: str, what: str, most: int = 1000) -> Any:
        """Answer a question: ``view``, ``permits`` or ``usage`` of a semaphore, pickled; an error if there is none."""
        await self._ready.wait()
        if semaphore not in self.governor.pools:
            return {"error": f"no semaphore is registered as {semaphore!r}", "remedy": "register it first"}
        if what == "permits":
            return {"value": pickle.dumps(views.permits(self.governor, semaphore, most=most))}
        if what == "usage":
            return {"value": pickle.dumps(self.governor.usage(semaphore))}
        seen = views.view(self.governor, semaphore, now_ns=self.clock.now_ns())
        return {"value": pickle.dumps(seen)}

    def lost(self, name: str) -> None:
        """A worker or client has gone."""
        self.handle(ev.WorkerLost(self.clock.now_ns(), name))
        self._outbox.pop(name, None)

    # -- permits -----------------------------------------------------------------------------------------------------

    def listen(self, worker: str = "", client: str = "", **message: Any) -> None:
        """Take in a message of the stream; never raises."""
        name = worker or client
        try:
            self._listen(name, message)
        except Exception as error:
            logger.exception("docdask: a message of %s could not be understood", name)
            said = sentence(error)
            for want in message.get("wants", ()):
                for waiter in want[-1]:
                    self._put(name, "refusals", (waiter[0], "invalid", f"the governor failed: {said}", ""))

    def _listen(self, name: str, message: dict[str, Any]) -> None:
        now_ns = self.clock.now_ns()
        if message.get("governor") != self.id:
            self._put(name, "strangers", message.get("governor"))
            return
        for semaphore, outcomes in message.get("returns", ()):
            self.handle(ev.Return(now_ns, semaphore, name, tuple(map(ev.Outcome._make, outcomes))))
        for token, note in message.get("notes", ()):
            self._note(name, token, ev.Note(now_ns, note[0], name, *note[1:]))
        for semaphore, ids in message.get("cancels", ()):
            self.handle(ev.Cancel(now_ns, semaphore, name, tuple(ids)))
        for semaphore, lane, run, kind, endpoints, locations, waiters in message.get("wants", ()):
            wanted = tuple(map(ev.Waiter._make, waiters))
            event = ev.Want(
                now_ns, semaphore, name, wanted, lane, run, kind, tuple(endpoints), tuple(locations)
            )
            self.handle(event)
        for semaphore, fence, held in message.get("refresh", ()):
            self.handle(ev.Refresh(now_ns, name, semaphore, fence, tuple(held)))
        for probe in message.get("probes", ()):
            if probe not in self._leaving:  # what is free and on its way to the disk is an answer, too
                self._put(name, "probes", probe)

    def _note(self, name: str, token: str, note: ev.Note) -> None:
        """Put a fact about a unit into its ledger; whoever gave a token hears when it is durable."""
        before = self._appended
        rejected = self.handle(note)
        appended = self._appended
        if not token:
            return
        if rejected or appended is None or appended is before:  # there is no ledger, or no such semaphore
            self._put(name, "noted", (token, rejected[0].message if rejected else ""))
        else:
            done = partial(self._noted, name, token)
            self.ledgers.when_durable(appended.ledger, appended.record.sequence, done)

    def _noted(self, name: str, token: str, failed: str) -> None:
        self._put(name, "noted", (token, failed))

    # -- instructions ------------------------------------------------------------------------------------------------

    def _grant(self, grant: ins.Grant) -> None:
        if grant.sequence:
            self._leaving.add(grant.permit)
            self.ledgers.when_durable(grant.ledger, grant.sequence, partial(self._leave, grant))
        else:
            self._leave(grant, "")

    def _leave(self, grant: ins.Grant, failed: str) -> None:
        self._leaving.discard(grant.permit)
        if failed:
            return  # the governor takes it back
        if self._usage is not None:
            self._usage.used(grant.semaphore)
        grants = self._letter(grant.worker).setdefault("grants", {})
        alike = (grant.semaphore, grant.endpoint, grant.kind, grant.lease_ns)
        if alike not in grants:
            grants[alike] = ([], [])
        permits, fences = grants[alike]
        permits.append(grant.permit)
        fences.append(grant.fence)

    def _refuse(self, refuse: ins.Refuse) -> None:
        self._put(refuse.worker, "refusals", (refuse.permit, refuse.reason, refuse.message, refuse.remedy))

    def _revoke(self, revoke: ins.Revoke) -> None:
        self._put(revoke.worker, "revoked", revoke.permit)

    def _append(self, append: ins.Append) -> None:
        self._appended = append
        if not self.ledgers.append(append.record, append.ledger):
            # A ledger was asked for, and there is none: whoever waits must hear it, not hang.
            self._loop.call_soon(self._failed, append.ledger, _NO_LEDGER)

    def _wake_at(self, wake: ins.WakeAt) -> None:
        timer = self._timers.pop(wake.semaphore, None)
        if timer is not None:
            timer.cancel()
        delay_s = self.clock.until_s(wake.at_ns)
        self._timers[wake.semaphore] = self._loop.call_later(delay_s, self._due, wake)

    def _due(self, wake: ins.WakeAt) -> None:
        if self.clock.now_ns() < wake.at_ns:  # the loop's clock is a little ahead of ours
            self._wake_at(wake)
            return
        self._timers.pop(wake.semaphore, None)
        self.handle(ev.Timer(self.clock.now_ns(), wake.semaphore))

    def _written(self, ledger: str, sequence: int) -> None:
        self.handle(ev.Durable(self.clock.now_ns(), sequence, ledger))

    def _failed(self, ledger: str, message: str) -> None:
        self.handle(ev.LedgerFailed(self.clock.now_ns(), message, ledger))

    # -- the way back ------------------------------------------------------------------------------------------------

    def _letter(self, name: str) -> dict[str, Any]:
        """What goes to ``name`` at the end of this turn; grants that differ in permit and fence alone are one entry."""
        letter = self._outbox.get(name)
        if letter is None:
            if not self._outbox:
                self._loop.call_soon(self._flush)
            letter = self._outbox[name] = {"op": STREAM, "governor": self.id}
        return letter

    def _put(self, name: str, kind: str, item: Any) -> None:
        self._letter(name).setdefault(kind, []).append(item)

    def _flush(self) -> None:
        outbox, self._outbox = self._outbox, {}
        for name, letter in outbox.items():
            if "grants" in letter:
                letter["grants"] = [(*alike, *some) for alike, some in letter["grants"].items()]
            self._send(name, letter)

    def _send(self, name: str, message: dict[str, Any]) -> None:
        comms: Iterable[Any] = (
            self._scheduler.stream_comms.get(name),
            self._scheduler.client_comms.get(name),
        )
        for comm in comms:
            if comm is not None:
                try:
                    send_now(comm, message)
                except OSError:  # Dask sees it too, and tells us by its hooks
                    logger.debug("docdask: %s has gone", name)
                return


def _spent(ledger: Ledger, semaphore: str, run: str) -> tuple[int, int, int, int]:
    purse = ledger.read.runs.get((semaphore, run))
    return (0, 0, 0, 0) if purse is None else purse.spent
