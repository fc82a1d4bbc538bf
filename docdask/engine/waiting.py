"""How the coroutines of a task wait: for all of each other, or for something but not longer than the run goes on.

Rule: nobody is told of an end before what it concerns has ended; a coroutine that is given up is cancelled and waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

T = TypeVar("T")


class Stopped(Exception):  # noqa: N818 - no error: the run was asked to stop
    """The run is to stop, and this request was not sent."""


async def unless_stopped(stop: asyncio.Event, waited: Awaitable[T]) -> T:
    """Wait for something, but not longer than the run goes on.

    Raises
    ------
    Stopped
        If ``stop`` was set first.
    """
    waiting, stopped = asyncio.ensure_future(waited), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({waiting, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        if not waiting.done():
            waiting.cancel()
    if not waiting.done():
        await asyncio.wait({waiting})
    if waiting.cancelled():
        raise Stopped
    return waiting.result()


async def all_of(awaitables: Iterable[Awaitable[None]]) -> None:
    """Wait for all; raise the first error after the last has ended."""
    for result in await asyncio.gather(*awaitables, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
