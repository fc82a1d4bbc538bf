"""What semaphores that were closed have used of the minute: whoever takes the name again finds it spent.

Rules: kept for as long as it counts, two periods and a guard; bounded, the oldest goes first.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from docdask.core.meter import MeterState

if TYPE_CHECKING:
    from docdask.core.pool import Pool

#: Semaphores remembered.
_MOST = 64


class _Used(NamedTuple):
    until_ns: int
    meters: dict[str, MeterState]
    tokens: set[str]


class Closed:
    """Use of semaphores that were closed lately, by name."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Used] = OrderedDict()

    def keep(self, pool: Pool, now_ns: int, utc_offset_ns: int) -> None:
        """Remember what ``pool``, which ends, has used."""
        self._forget(now_ns)
        until_ns = now_ns + 2 * (pool.spec.period_ns + pool.spec.most_guard_ns)
        self._kept[pool.name] = _Used(until_ns, pool.limits.export(now_ns, utc_offset_ns), pool.tokens)
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)

    def reopen(self, pool: Pool, now_ns: int, utc_offset_ns: int) -> None:
        """Count what was used under the name of ``pool``, which begins."""
        self._forget(now_ns)
        used = self._kept.pop(pool.name, None)
        if used is not None:
            pool.limits.restore(used.meters, now_ns, utc_offset_ns)
            pool.tokens |= used.tokens

    def _forget(self, now_ns: int) -> None:
        for name in [name for name, used in self._kept.items() if used.until_ns < now_ns]:
            del self._kept[name]
