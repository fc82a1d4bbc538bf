"""Runs a coroutine on another loop, so that whoever waits for it may stop waiting at any moment."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Coroutine
from typing import Any

from docdask.errors import ClusterError


class Crossing:
    """A coroutine on another loop, which can be cancelled there before it has begun."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine
        self._task: asyncio.Task[Any] | None = None
        self._cancelled = False

    async def run(self) -> Any:
        """Run it there."""
        if self._cancelled:
            self._coroutine.close()
            raise asyncio.CancelledError
        self._task = asyncio.current_task()
        return await self._coroutine

    def cancel(self) -> None:
        """End it; to be called there."""
        self._cancelled = True
        if self._task is not None:
            self._task.cancel()


def cross(
    coroutine: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop
) -> tuple[concurrent.futures.Future[Any], Crossing]:
    """Begin ``coroutine`` on ``loop``; gives its future, and what cancels it there.

    Raises
    ------
    ClusterError
        If the loop has ended, and with it the client.
    """
    crossing = Crossing(coroutine)
    running = crossing.run()
    try:
        return asyncio.run_coroutine_threadsafe(running, loop), crossing
    except RuntimeError as error:
        running.close()
        coroutine.close()
        raise ClusterError("the Dask connection is closed", "connect again, then ask again") from error
