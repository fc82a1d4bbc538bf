"""Which branch is submitted next: enough for every core, and enough calls for every quota, neither at the other's cost.

Rules: branches that compute and branches that call are two queues, each in the order of the plan, and each is fed while
less of it is open than it can use; a run without calls has one queue. Both are read lazily, a branch at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from docdask.engine.branch import Branch

#: Branches of a lane that may be open at once: each holds a thread of the call worker, which has 64 of them.
_MOST = {"online": 40, "batch": 16}


class Supply:
    """Branches of a run, handed out as they can be used.

    Parameters
    ----------
    branches
        Makes an iterator over all branches that are left.
    stop
        Ends the supply when it is set.
    branches_most
        Branches that compute and are open at once.
    requests_most
        Calls that are open at once before no more branches that call are opened; 0: nothing calls.
    """

    def __init__(
        self,
        branches: Callable[[], Iterator[Branch]],
        stop: threading.Event,
        *,
        branches_most: int,
        requests_most: int,
    ) -> None:
        self._stop, self._branches_most, self._requests_most = stop, branches_most, requests_most
        kinds = ("compute", "online", "batch") if requests_most else ("compute",)
        self._queues = {kind: self._queue(branches, kind) for kind in kinds}
        self._next = {kind: next(queue, None) for kind, queue in self._queues.items()}
        self._open = dict.fromkeys(kinds, 0)
        self._requests = 0

    def __iter__(self) -> Iterator[Branch]:
        return self

    def __next__(self) -> Branch:
        kind = next((kind for kind in self._queues if self._hungry(kind)), None)
        if kind is None:  # asked before its time: whatever there is
            kind = next((kind for kind in self._queues if self._next[kind] is not None), "compute")
        branch = self._next[kind]
        if branch is None or self._stop.is_set():
            raise StopIteration
        self._next[kind] = next(self._queues[kind], None)
        self._count(branch, 1)
        return branch

    def width(self) -> int:
        """Branches that may be open: one more while a queue is hungry, or nothing is left to hand out."""
        hungry = any(map(self._hungry, self._queues)) or not any(self._next.values()) or self._stop.is_set()
        return sum(self._open.values()) + hungry

    def ended(self, branch: Branch) -> None:
        """Say that a branch is no longer open."""
        self._count(branch, -1)

    def _queue(self, branches: Callable[[], Iterator[Branch]], kind: str) -> Iterator[Branch]:
        return (branch for branch in branches() if self._kind(branch) == kind)

    def _kind(self, branch: Branch) -> str:
        if not self._requests_most or branch.lane == "offline":
            return "compute"
        return "batch" if branch.lane == "batch" else "online"

    def _hungry(self, kind: str) -> bool:
        branch = self._next[kind]
        if branch is None:
            return False
        if kind == "compute":
            return self._open[kind] < self._branches_most
        if branch.lane and self._open[kind] >= _MOST[kind]:
            return False
        return kind == "batch" or self._requests < self._requests_most

    def _count(self, branch: Branch, sign: int) -> None:
        kind = self._kind(branch)
        self._open[kind] += sign
        if kind == "online":
            self._requests += sign * (len(branch.requests) or len(branch.unit_ids))
