"""Preload for schedulers: ``dask scheduler --preload docdask.engine.preload``, so that a restart brings the governor back.

The run directory of the ledger is given after it (``--ledger URL``) or in ``DOCDASK_LEDGER``. What was used in the last
minute is kept in the state folder of the user who runs the scheduler (``DOCDASK_STATE``). On a worker it does nothing:
workers shake hands when they first ask for a permit. ``--record FILE`` or ``DOCDASK_RECORD`` records what the governor is
told and answers.
"""

from __future__ import annotations

import logging
from typing import Any

import click

from docdask.errors import StorageError

logger = logging.getLogger(__name__)


@click.command()
@click.option(
    "--ledger", default="", envvar="DOCDASK_LEDGER", help="Run directory whose ledger is read and written."
)
@click.option(
    "--record", default="", envvar="DOCDASK_RECORD", help="File for an event log, for docdask debug replay."
)
async def dask_setup(server: Any, ledger: str, record: str) -> None:
    """Put the governor on the scheduler."""
    from distributed import Scheduler

    from docdask.engine.plugin import GovernorPlugin

    if isinstance(server, Scheduler):
        plugin = GovernorPlugin(ledger, state=_state(), record=record)
        await server.register_scheduler_plugin(plugin, name=plugin.name, idempotent=True)


def _state() -> str:
    """The state folder; empty where none can be made, as in a container that is read-only."""
    from docdask.settings import load

    try:
        return str(load().state_folder)
    except StorageError as error:
        logger.warning("docdask: what was used lately can't be kept: %s", error)
        return ""
