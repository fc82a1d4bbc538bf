"""Which branch is submitted next: enough for every core, and enough calls for every quota, neither at the other's cost.

Rules: branches that compute and branches that call are two queues, each in the order of the plan, and each is fed while
less of it is open than it can use; a run without calls has one queue. Each is read lazily, a branch at a time, and of the
plan it reads its own lanes only.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator

from docdask.engine.branch import Branch

#: Queues of a run that calls, and the lanes of each.
_LANES = {"compute": ("offline",), "online": ("online", ""), "batch": ("batch",)}
#: Branches of a lane that may be open at once: each holds a thread of the call worker, which has 64 of them.
_MOST = {"online": 40, "batch": 16}


class Supply:
    """Branches of a run, handed out as they can be used.

    Parameters
    ----------
    branches
        Makes an iterator over the branches of some lanes that are left; of all lanes for None.
    stop
        Ends the supply when it is set.
    branches_most
        Branches that compute and are open at once.
    requests_most
        Calls that are open at once before no more branches that call are opened; 0: nothing calls.
    """

    def __init__(
        self,
        branches: Callable[[Collection[str] | None], Iterator[Branch]],
        stop: threading.Event,
        *,
        branches_most: int,
        requests_most: int,
    ) -> None:
        self._stop, self._branches_most, self._requests_most = stop, branches_most, requests_most
        self._queues = (
            {kind: branches(lanes) for kind, lanes in _LANES.items()}
            if requests_most
            else {"compute": branches(None)}
        )
        self._next = {kind: next(queue, None) for kind, queue in self._queues.items()}
        self._open = dict.fromkeys(self._queues, 0)
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

    def _kind(self, branch: Branch) -> str:
        if not self._requests_most:
            return "compute"
        return next(kind for kind, lanes in _LANES.items() if branch.lane in lanes)

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
