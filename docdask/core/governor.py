"""The governor: decides for all workers and all runs who may call what, and when.

``Governor.handle(event) -> list[Instruction]`` is the whole contract. It holds no clock, does no I/O and draws no random
numbers: the same events give the same instructions, in production, in the simulator and in a replay. Rules: time comes
with the events and never runs backwards (an earlier time counts as the latest one seen); any event may arrive twice;
whoever wants a permit is granted, refused with a reason, or waits, and is woken by a timer that was asked for. Each
semaphore is a :class:`~docdask.core.pool.Pool`; fences and ledger records are numbered across all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from docdask.core import events as ev
from docdask.core.admission import Refusal
from docdask.core.adopting import adopt
from docdask.core.closed import Closed
from docdask.core.instructions import Append, Instruction, Refuse, Reject
from docdask.core.journal import Journal
from docdask.core.meter import MeterState
from docdask.core.pool import Pool
from docdask.core.spec import SemaphoreSpec


class Governor:
    """Decides; a shell carries out.

    Parameters
    ----------
    epoch
        Which governor of this run directory it is, from 1; rises with each restart.
    fence, sequence
        Last ones in use, from ``fold(records)``; new ones are above.
    utc_offset_ns
        Wall clock minus the clock of events, taken once.
    """

    def __init__(self, *, epoch: int = 1, fence: int = 0, sequence: int = 0, utc_offset_ns: int = 0) -> None:
        self._journal = Journal(epoch=epoch, fence=fence, sequence=sequence, utc_offset_ns=utc_offset_ns)
        self._pools: dict[str, Pool] = {}
        self._closed = Closed()
        self._handlers: dict[type[ev.Event], Callable[[Any, list[Instruction]], None]] = {
            ev.Register: self._register,
            ev.Configure: self._configure,
            ev.Close: self._close,
            ev.OpenLedger: self._open_ledger,
            ev.OpenRun: self._open_run,
            ev.CloseRun: self._close_run,
            ev.Want: self._want,
            ev.Cancel: self._cancel,
            ev.Return: self._return,
            ev.Refresh: self._refresh,
            ev.WorkerJoined: self._worker_joined,
            ev.WorkerLost: self._worker_lost,
            ev.Timer: self._timer,
            ev.Durable: self._durable,
            ev.LedgerFailed: self._ledger_failed,
            ev.Note: self._note,
            ev.Restore: self._restore,
        }

    @property
    def now_ns(self) -> int:
        """Latest time seen."""
        return self._journal.now_ns

    @property
    def pools(self) -> dict[str, Pool]:
        """State by semaphore; to be read (see :mod:`docdask.core.views`), not changed."""
        return self._pools

    def handle(self, event: ev.Event) -> list[Instruction]:
        """Take in one event and return what is to be done, in order.

        Raises
        ------
        TypeError
            If ``event`` is none of :data:`docdask.core.events.EVENTS`.
        """
        handler = self._handlers.get(type(event))
        if handler is None:
            msg = f"{type(event).__name__} is no event of the governor"
            raise TypeError(msg)
        if event.at_ns > self._journal.now_ns:  # noqa: PLR1730 - for each event, and twice as fast as max()
            self._journal.now_ns = event.at_ns
        out: list[Instruction] = []
        handler(event, out)
        return out

    def usage(self, semaphore: str) -> dict[str, MeterState]:
        """What the project used lately, as JSON values in wall-clock time; see :class:`docdask.core.events.Restore`.

        Raises
        ------
        KeyError
            If there is no such semaphore.
        """
        return self._pools[semaphore].limits.export(self.now_ns, self._journal.utc_offset_ns)

    # -- semaphores --------------------------------------------------------------------------------------------------

    def _register(self, event: ev.Register, out: list[Instruction]) -> None:
        pool = self._pools.get(event.semaphore)
        if pool is None:
            pool = self._pools[event.semaphore] = Pool(event.semaphore, event.spec, self._journal)
            self._closed.reopen(pool, self.now_ns, self._journal.utc_offset_ns)
        elif pool.spec.shared and event.spec.shared:
            known = {endpoint.name for endpoint in pool.spec.endpoints}
            if not known.issuperset(endpoint.name for endpoint in event.spec.endpoints):
                # What is in force stays: limits change when somebody says so, not when somebody comes.
                self._change("Register", pool, event.spec, event.spec.joined(pool.spec), out)
        elif pool.spec != event.spec:
            different = "; ".join(pool.spec.differences(event.spec))
            out.append(
                Reject(
                    "Register",
                    f"semaphore {event.semaphore!r} is registered with {different}",
                    "use the same limits everywhere, another name, or change the limits of this one",
                )
            )

    def _configure(self, event: ev.Configure, out: list[Instruction]) -> None:
        pool = self._pool("Configure", event.semaphore, out)
        if pool is not None:
            shared = pool.spec.shared and event.spec.shared
            spec = pool.spec.joined(event.spec) if shared else event.spec
            self._change("Configure", pool, event.spec, spec, out)

    def _change(
        self, what: str, pool: Pool, asked: SemaphoreSpec, spec: SemaphoreSpec, out: list[Instruction]
    ) -> None:
        if pool.spec.lanes != asked.lanes or pool.spec.period_ns != asked.period_ns:
            out.append(
                Reject(
                    what,
                    f"lanes and period of semaphore {pool.name!r} can't change while it is used",
                    "close it and register it again",
                )
            )
            return
        pool.configure(spec, self.now_ns, out)
        pool.settle(self.now_ns, out)

    def _close(self, event: ev.Close, out: list[Instruction]) -> None:
        pool = self._pools.pop(event.semaphore, None)
        if pool is not None:
            refusal = Refusal("closed", f"semaphore {event.semaphore!r} was closed", "register it again")
            pool.refuse_all(refusal, self.now_ns, out)
            self._closed.keep(pool, self.now_ns, self._journal.utc_offset_ns)

    def _open_run(self, event: ev.OpenRun, out: list[Instruction]) -> None:
        pool = self._pool("OpenRun", event.semaphore, out)
        if pool is None:
            return
        book = self._journal.books.get(event.ledger)
        run = pool.runs.get(event.run)
        wrong = None
        if book is None:
            wrong = f"ledger {event.ledger!r} is not open"
        elif run is not None and not run.closed and run.ledger != event.ledger:
            wrong = f"run {event.run!r} is open with ledger {run.ledger!r}, not {event.ledger!r}"
        if wrong is not None:
            out.append(Reject("OpenRun", wrong, "close the run first, then open it with its ledger"))
            return
        pool.open_run(event)
        pool.settle(self.now_ns, out)

    def _open_ledger(self, event: ev.OpenLedger, _out: list[Instruction]) -> None:
        self._journal.open(event.ledger, event.epoch, event.fence, event.sequence)

    def _close_run(self, event: ev.CloseRun, out: list[Instruction]) -> None:
        pool = self._pools.get(event.semaphore)
        if pool is not None:
            pool.close_run(event.run, self.now_ns, out)
            pool.settle(self.now_ns, out)

    # -- permits -----------------------------------------------------------------------------------------------------

    def _want(self, event: ev.Want, out: list[Instruction]) -> None:
        pool = self._pools.get(event.semaphore)
        if pool is None:
            refusal = Refusal(
                "unknown-semaphore", f"no semaphore is registered as {event.semaphore!r}", "register it first"
            )
            out += [
                Refuse(event.semaphore, event.worker, waiter.permit, *refusal) for waiter in event.waiters
            ]
            return
        pool.want(event, self.now_ns, out)
        pool.settle(self.now_ns, out)

    def _cancel(self, event: ev.Cancel, out: list[Instruction]) -> None:
        pool = self._pools.get(event.semaphore)
        if pool is not None:
            pool.cancel(event, self.now_ns, out)
            pool.settle(self.now_ns, out)

    def _return(self, event: ev.Return, out: list[Instruction]) -> None:
        pool = self._pools.get(event.semaphore)
        if pool is not None:
            news = pool.returns(event, self.now_ns, out)
            pool.settle(self.now_ns, out, news=news)

    def _timer(self, event: ev.Timer, out: list[Instruction]) -> None:
        pool = self._pools.get(event.semaphore)
        if pool is not None:
            pool.settle(self.now_ns, out)

    # -- workers -----------------------------------------------------------------------------------------------------

    def _refresh(self, event: ev.Refresh, out: list[Instruction]) -> None:
        one = self._pools.get(event.semaphore)
        pools = self._pools.values() if not event.semaphore else () if one is None else (one,)
        for pool in pools:
            pool.refresh(event, self.now_ns, out)
            pool.settle(self.now_ns, out)

    def _worker_joined(self, event: ev.WorkerJoined, _out: list[Instruction]) -> None:
        for pool in self._pools.values():
            pool.workers.joined(event.worker, self.now_ns)

    def _worker_lost(self, event: ev.WorkerLost, out: list[Instruction]) -> None:
        for pool in self._pools.values():
            pool.worker_lost(event.worker, self.now_ns, out)
            pool.settle(self.now_ns, out)

    # -- ledger ------------------------------------------------------------------------------------------------------

    def _durable(self, event: ev.Durable, out: list[Instruction]) -> None:
        book = self._journal.books.get(event.ledger)
        if book is None:
            return
        book.durable(event.sequence)
        for pool in self._pools.values():
            if pool.writes(book):
                pool.settle(self.now_ns, out)

    def _ledger_failed(self, event: ev.LedgerFailed, out: list[Instruction]) -> None:
        book = self._journal.books.get(event.ledger)
        if book is None:
            return
        reason = f"the ledger can't be written: {event.message}"
        held = book.fail(reason)
        refusal = Refusal("ledger", reason, "free space or fix the storage, then resume the run")
        for pool in self._pools.values():
            if pool.writes(book):
                pool.ledger_failed(book, held, refusal, self.now_ns, out)
                pool.settle(self.now_ns, out)

    def _note(self, event: ev.Note, out: list[Instruction]) -> None:
        pool = self._pool("Note", event.semaphore, out)
        if pool is None:
            return
        if event.kind == "adopted":
            adopt(pool, event)
        book = pool.book(event.run)
        if book is not None:
            out.append(Append(self._journal.note(book, event), book.name))

    def _restore(self, event: ev.Restore, out: list[Instruction]) -> None:
        pool = self._pool("Restore", event.semaphore, out)
        if pool is None or event.token in pool.tokens:
            return
        pool.tokens.add(event.token)
        pool.budget.add(*event.spent)
        pool.limits.restore(event.meters, self.now_ns, self._journal.utc_offset_ns)
        pool.settle(self.now_ns, out)

    def _pool(self, event: str, name: str, out: list[Instruction]) -> Pool | None:
        pool = self._pools.get(name)
        if pool is None:
            out.append(Reject(event, f"no semaphore is registered as {name!r}", "register it first"))
        return pool
