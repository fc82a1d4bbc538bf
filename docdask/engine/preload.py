"""Preload for schedulers: ``dask scheduler --preload docdask.engine.preload``, so that a restart brings the governor back.

The run directory of the ledger is given after it (``--ledger URL``) or in ``DOCDASK_LEDGER``. On a
worker it does nothing: workers shake hands when they first ask for a permit.
"""

from __future__ import annotations

from typing import Any

import click


@click.command()
@click.option(
    "--ledger", default="", envvar="DOCDASK_LEDGER", help="Run directory whose ledger is read and written."
)
async def dask_setup(server: Any, ledger: str) -> None:
    """Put the governor on the scheduler."""
    from distributed import Scheduler

    from docdask.engine.plugin import GovernorPlugin

    if isinstance(server, Scheduler):
        plugin = GovernorPlugin(ledger)
        await server.register_scheduler_plugin(plugin, name=plugin.name, idempotent=True)
