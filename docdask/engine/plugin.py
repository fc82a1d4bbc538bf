"""Puts the governor on a Dask scheduler, once, however often and from wherever it is asked for.

``client.register_plugin(GovernorPlugin())`` does it on a running cluster; ``dask scheduler --preload
docdask.engine.preload`` on one that shall have it again after a restart.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from distributed.diagnostics.plugin import SchedulerPlugin

from docdask.engine.clock import Clock
from docdask.engine.companions import invite
from docdask.engine.governing import GovernorShell
from docdask.engine.protocol import PLUGIN
from docdask.engine.usage import UsageFiles


class GovernorPlugin(SchedulerPlugin):  # type: ignore[misc]
    """Scheduler plugin that holds the governor.

    Parameters
    ----------
    ledger
        Run directory (folder or fsspec URL) whose ledger is read and written; empty for none. Semaphores whose spec
        asks for a ledger, and runs that bring none, need one.
    state
        State folder of the machine that the scheduler is on: what was used in the last minute is kept there for the next
        governor; empty for nowhere.
    record
        File there, for an event log that ``docdask debug replay`` reads; empty for none.

    Raises
    ------
    StorageError
        From ``start``, if the ledger can't be read or written.
    """

    name = PLUGIN
    idempotent = True

    def __init__(self, ledger: str = "", *, state: str = "", record: str = "") -> None:
        self.ledger = ledger
        self.state = state
        self.record = record

    async def start(self, scheduler: Any) -> None:
        """Start the governor, unless this scheduler has one: two clients may ask at the same moment."""
        self._scheduler = scheduler
        if PLUGIN in scheduler.extensions:
            return
        usage = UsageFiles(Path(self.state)) if self.state else None
        record = Path(self.record) if self.record else None
        shell = scheduler.extensions[PLUGIN] = GovernorShell(scheduler, Clock(), usage, record)
        invite(scheduler)
        try:
            await shell.open(self.ledger)
        except BaseException:
            del scheduler.extensions[PLUGIN]  # the next one who asks may try again
            raise

    async def close(self) -> None:
        """Write what is left of the ledger."""
        await _shell(self._scheduler).close()

    def remove_worker(self, scheduler: Any, worker: str, **_: Any) -> None:
        """Free what the worker held, forget what it waited for."""
        _shell(scheduler).lost(worker)

    def remove_client(self, scheduler: Any, client: str) -> None:
        """The same for a client that called by itself."""
        _shell(scheduler).lost(client)


def _shell(scheduler: Any) -> GovernorShell:
    shell: GovernorShell = scheduler.extensions[PLUGIN]
    return shell
