"""The ledgers of one scheduler: its own, if it was given one, and one for each run that brings one.

Rules:

1. A ledger is read before a governor writes to it, in a thread; its numbers go on above what was read, under an epoch of
   its own.
2. It is read anew when it is opened and nobody uses it, or another governor has written to it: a run may have gone on elsewhere.
3. Records that come while it is read are kept, and written with numbers that follow what was read.
4. A grant is held until its record is durable; what fails fails for those who write to that ledger alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import Callable

from docdask.core.ledger import Record
from docdask.core.segments import Faults
from docdask.core.totals import Summing, Totals
from docdask.engine.committer import Committer, Writer
from docdask.store.ledger import canonical, next_epoch, open_writer, summed

#: Seconds that the end of a run waits for its last records.
_CLOSE_S = 10.0

#: Called with an empty text when a record is durable, or with the reason why it can't be written.
Done = Callable[[str], None]


class Ledger:
    """One that is open.

    Parameters
    ----------
    name
        Canonical URL of its run directory; empty for the scheduler's own.
    url
        The same, also of the scheduler's own.
    epoch
        Of this governor.
    epochs
        All that this governor wrote under.
    read
        What was in it when it was opened.
    """

    committer: Committer

    def __init__(self, name: str, url: str, epoch: int, epochs: frozenset[int], read: Totals) -> None:
        self.name = name
        self.url = url
        self.epoch = epoch
        self.epochs = epochs
        self.read = read
        self.users: set[tuple[str, str]] = set()
        """Semaphores and runs that write to it."""
        self.durable = read.sequence
        self.last = read.sequence
        """Newest record that was given to be written."""
        self.waiting: list[Record] | None = None
        """Records that came while it is read; None while it is not."""
        self.held: list[tuple[int, int, Done]] = []
        """Heap of what waits for its record to be durable."""


class Ledgers:
    """Opens, writes, holds.

    Parameters
    ----------
    loop
        Of the scheduler.
    durable
        Called with a ledger's name and the last sequence number on the disk.
    failed
        Called with a ledger's name and the reason why it can't be written.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        durable: Callable[[str, int], None],
        failed: Callable[[str, str], None],
    ) -> None:
        self._loop = loop
        self._durable = durable
        self._failed = failed
        self._ledgers: dict[str, Ledger] = {}
        self._opening: dict[str, asyncio.Lock] = {}
        self._own = ""
        self._count = itertools.count()

    async def open(self, url: str, since_utc_ns: int, *, own: bool = False) -> tuple[Ledger, bool]:
        """Open a ledger, or join those who use it.

        Parameters
        ----------
        url
            Run directory.
        since_utc_ns
            Intents from this moment on are wanted as ``read.recent``.
        own
            It is the scheduler's.

        Returns
        -------
        Ledger, bool
            The ledger, and whether it was read just now: the governor must be told of its numbers
            (:meth:`numbers`) before anything else happens.

        Raises
        ------
        StorageError
            If it can't be read or written.
        """
        place = await asyncio.to_thread(canonical, url)
        if own:
            self._own = place
        name = "" if place == self._own else place
        async with self._opening.setdefault(name, asyncio.Lock()):
            known = self._ledgers.get(name)
            if known is not None and (known.users or not name):
                newest = await asyncio.to_thread(next_epoch, place, 0) - 1
                if newest <= known.epoch:
                    return known, False
            return await self._read(name, place, since_utc_ns, known), True

    async def _read(self, name: str, url: str, since_utc_ns: int, known: Ledger | None) -> Ledger:
        if known is not None:
            known.waiting = []
            await asyncio.to_thread(known.committer.close)
        try:
            summing, faults, epoch, writer = await asyncio.to_thread(_open, url, since_utc_ns)
        except BaseException:
            if known is not None:
                waiting, known.waiting = known.waiting or [], None
                for record in waiting:
                    known.committer.add(record)
            raise
        came = [] if known is None else [*known.committer.left(), *(known.waiting or [])]
        read = summing.totals()
        late = [record._replace(sequence=read.sequence + n, epoch=epoch) for n, record in enumerate(came, 1)]
        summing.add(late)
        epochs = frozenset({epoch}) | (known.epochs if known else frozenset())
        ledger = Ledger(name, url, epoch, epochs, summing.totals(faults))
        ledger.durable = read.sequence
        ledger.committer = self._committer(ledger, writer)
        for record in late:
            ledger.committer.add(record)
            ledger.last = record.sequence
        if known is not None:
            ledger.users = known.users
            numbers = {old.sequence: new.sequence for old, new in zip(came, late, strict=True)}
            for sequence, count, done in known.held:  # others are on the disk: they are let go from there
                if sequence in numbers:
                    heapq.heappush(ledger.held, (numbers[sequence], count, done))
        self._ledgers[name] = ledger
        return ledger

    def _committer(self, ledger: Ledger, writer: Writer) -> Committer:
        def written(sequence: int) -> None:
            ledger.durable = max(ledger.durable, sequence)
            while ledger.held and ledger.held[0][0] <= ledger.durable:
                heapq.heappop(ledger.held)[2]("")
            self._durable(ledger.name, sequence)

        def failed(message: str) -> None:
            held, ledger.held = ledger.held, []
            for _, _, done in held:
                done(message)
            self._failed(ledger.name, message)

        return Committer(writer, self._loop, written, failed)

    def get(self, name: str) -> Ledger | None:
        """A ledger that was opened."""
        return self._ledgers.get(name)

    def epochs(self) -> tuple[tuple[str, int], ...]:
        """URLs of all ledgers, and every epoch that this governor wrote under."""
        return tuple((ledger.url, epoch) for ledger in self._ledgers.values() for epoch in ledger.epochs)

    def leave(self, semaphore: str, run: str | None = None) -> None:
        """A run has ended, or all runs of a semaphore have."""
        for ledger in self._ledgers.values():
            ledger.users = {
                user for user in ledger.users if user[0] != semaphore or (run is not None and user[1] != run)
            }

    async def settled(self, semaphore: str, run: str) -> None:
        """Wait a little until all that a run has said is on the disk: whoever closes it reads its ledger next."""
        for ledger in [one for one in self._ledgers.values() if (semaphore, run) in one.users]:
            written: asyncio.Future[str] = self._loop.create_future()

            def done(reason: str, written: asyncio.Future[str] = written) -> None:
                if not written.done():
                    written.set_result(reason)

            self.when_durable(ledger.name, ledger.last, done)
            with contextlib.suppress(TimeoutError):  # a slow storage is told by whoever waits for a grant
                await asyncio.wait_for(written, _CLOSE_S)

    def append(self, record: Record, name: str) -> bool:
        """Write a record; False if there is no such ledger."""
        ledger = self._ledgers.get(name)
        if ledger is None:
            return False
        ledger.last = max(ledger.last, record.sequence)
        if ledger.waiting is not None:
            ledger.waiting.append(record)
        else:
            ledger.committer.add(record)
        return True

    def when_durable(self, name: str, sequence: int, done: Done) -> None:
        """Call ``done`` when a record of the ledger is on the disk (at once, if it is), or can't be written."""
        ledger = self._ledgers.get(name)
        if ledger is None:
            done("there is none")
        elif sequence <= ledger.durable:
            done("")
        else:
            heapq.heappush(ledger.held, (sequence, next(self._count), done))

    async def close(self) -> None:
        """Write what is left."""
        closing = (asyncio.to_thread(ledger.committer.close) for ledger in self._ledgers.values())
        await asyncio.gather(*closing)


def _open(url: str, since_utc_ns: int) -> tuple[Summing, Faults, int, Writer]:
    """Read a ledger, and open a new segment. In a thread: it waits for storage."""
    summing, faults = summed(url, since_utc_ns)
    epoch = next_epoch(url, summing.epoch)
    return summing, faults, epoch, open_writer(url, epoch)
