"""How much may be in hand at once: a number of requests and a number of bytes, for the calls of one process.

Rules: first come, first served, so that a large one is not passed by small ones for ever; one that is larger than the
whole room goes when the room is empty.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Room:
    """Admits up to ``requests`` holders with ``size_bytes`` together.

    Parameters
    ----------
    requests, size_bytes
        Most of each.
    """

    def __init__(self, requests: int, size_bytes: int) -> None:
        self._requests, self._bytes = requests, size_bytes
        self.held, self.held_bytes = 0, 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def for_bytes(self, size_bytes: int) -> AsyncIterator[None]:
        """Wait for room for one request of ``size_bytes``, and hold it."""
        await self._enter(size_bytes)
        try:
            yield
        finally:
            self._leave(size_bytes)

    async def _enter(self, size_bytes: int) -> None:
        if not self._waiting and self._fits(size_bytes):
            self._take(size_bytes)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size_bytes, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # admitted in the same moment
                self._leave(size_bytes)
            else:
                self._waiting.remove((size_bytes, turn))
                self._admit()  # whoever stood behind may fit
            raise

    def _leave(self, size_bytes: int) -> None:
        self.held -= 1
        self.held_bytes -= size_bytes
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            size_bytes, turn = self._waiting.popleft()
            if not turn.done():
                self._take(size_bytes)
                turn.set_result(None)

    def _take(self, size_bytes: int) -> None:
        self.held += 1
        self.held_bytes += size_bytes

    def _fits(self, size_bytes: int) -> bool:
        return self.held == 0 or (self.held < self._requests and self.held_bytes + size_bytes <= self._bytes)
