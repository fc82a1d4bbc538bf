"""A cache of bytes, bounded by their size, in which concurrent callers of one key share one computation."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any


class BytesCache:
    """Least recently used values go first.

    Parameters
    ----------
    capacity_bytes
        Sum of the sizes of all values that are kept.
    size
        Size of a value in bytes.
    """

    def __init__(self, capacity_bytes: int, size: Callable[[Any], int] = len) -> None:
        self.capacity_bytes = capacity_bytes
        self._size = size
        self.held_bytes = 0
        self._values: OrderedDict[Hashable, Any] = OrderedDict()
        self._pending: dict[Hashable, asyncio.Future[Any]] = {}

    def peek(self, key: Hashable) -> Any:
        """Return the value, None if it is not there."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    async def get(self, key: Hashable, make: Callable[[], Awaitable[Any]]) -> Any:
        """Return the value of ``key``, made by ``make`` if it is not there; one maker at a time."""
        value = self.peek(key)
        if value is not None:
            return value
        pending = self._pending.get(key)
        if pending is None:
            # A task of its own: a caller that is cancelled must not take the others' answer along.
            pending = asyncio.ensure_future(self._make(key, make))
            self._pending[key] = pending
        return await asyncio.shield(pending)

    async def _make(self, key: Hashable, make: Callable[[], Awaitable[Any]]) -> Any:
        try:
            value = await make()
            self._put(key, value)
            return value
        finally:
            self._pending.pop(key, None)

    def _put(self, key: Hashable, value: Any) -> None:
        size = self._size(value)
        if size > self.capacity_bytes // 4:
            return
        self._values[key] = value
        self.held_bytes += size
        while self.held_bytes > self.capacity_bytes:
            _, old = self._values.popitem(last=False)
            self.held_bytes -= self._size(old)

    def clear(self) -> None:
        """Forget all values."""
        self._values.clear()
        self.held_bytes = 0

    async def drain(self) -> None:
        """Wait for what is being made, so that no task is left behind."""
        if self._pending:
            await asyncio.gather(*self._pending.values(), return_exceptions=True)
