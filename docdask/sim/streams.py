"""Documents on their way: calls to be made, who makes them, and what is left of each document.

Rules: every document is done, failed, refused or pending, never two of these and never none; a document of several
calls ends with the last of them and is done only if all of them are.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Literal

from docdask.core.server import Verdict
from docdask.sim.scenario import Load, nanoseconds
from docdask.sim.tally import Site
from docdask.sim.workload import calls_of

End = Literal["done", "failed", "refused"]


class Job:
    """One call to be made, through all its attempts."""

    __slots__ = (
        "arrived_ns", "attempt", "caller", "counted", "document", "fence", "pages", "permit", "site", "stream", "verdict",
        "wanted_ns",
    )  # fmt: skip

    def __init__(self, stream: Stream, document: int, pages: int, attempt: int = 1, counted: int = 1) -> None:
        self.stream = stream
        self.document = document
        self.pages = pages
        self.attempt = attempt
        self.counted = counted
        """Attempts that speak against the document: refusals for quota or capacity do not."""
        self.permit = ""
        self.fence = 0
        self.wanted_ns = 0
        self.arrived_ns = 0
        self.caller: Caller | None = None
        self.site: Site | None = None
        self.verdict: Verdict | None = None

    def again(self) -> Job:
        """The same call for another worker: this one's was lost."""
        return Job(self.stream, self.document, self.pages, self.attempt + 1, self.counted + 1)


class Caller:
    """One load on one worker: so many permits wanted or held at a time."""

    __slots__ = ("alive", "busy", "stream", "waiting", "width", "worker")

    def __init__(self, worker: str, stream: Stream, width: int) -> None:
        self.worker = worker
        self.stream = stream
        self.width = width
        self.busy = 0
        """Calls that it has taken on and that have not ended."""
        self.waiting = 0
        """Of these, the ones that wait for a permit."""
        self.alive = True

    def room(self) -> int:
        """How many calls to take on now.

        None until a fourth of the width is free, as long as others of its own are waiting: asking in batches is cheaper,
        and while permits are waited for, nothing is gained by more waiters.
        """
        room = self.width - self.busy
        return 0 if not self.alive or (self.waiting and 4 * room < self.width) else room


class Stream:
    """State of one load."""

    __slots__ = (
        "_back", "_begun", "_left", "_rest", "arrived", "callers", "calls", "done", "ended_ns", "failed", "load", "most", "pages",
        "refused", "turn",
    )  # fmt: skip

    def __init__(self, load: Load, most: int) -> None:
        self.load = load
        self.most = most
        self.callers: list[Caller] = []
        self.turn = 0
        """Caller that gets the next document that arrives."""
        self.arrived = 0 if load.every_s else len(load.pages)
        """Documents that are there."""
        counts = Counter(load.pages)
        self.calls = sum(-(-pages // most) * count for pages, count in counts.items())
        self.pages = sum(pages * count for pages, count in counts.items())
        self.done = self.failed = self.refused = 0
        self.ended_ns = nanoseconds(load.start_s)
        """When its last document ended."""
        self._back: deque[Job] = deque()
        self._begun = 0  # documents of which calls have been taken
        self._rest: deque[int] = deque()  # calls of the last of these that have not
        self._left: dict[int, tuple[int, End]] = {}

    @property
    def documents(self) -> int:
        """All of them."""
        return len(self.load.pages)

    @property
    def pending(self) -> int:
        """Documents that have not ended."""
        return self.documents - self.done - self.failed - self.refused

    def take(self, most: int) -> list[Job]:
        """Up to ``most`` calls that nobody has taken on; those that came back first."""
        taken: list[Job] = []
        back = self._back
        while back and len(taken) < most:
            taken.append(back.popleft())
        pages = self.load.pages
        while len(taken) < most:
            if self._rest:
                taken.append(Job(self, self._begun - 1, self._rest.popleft()))
            elif self._begun < self.arrived:
                count = pages[self._begun]
                if count > self.most:
                    self._rest.extend(calls_of(count, self.most))
                else:
                    taken.append(Job(self, self._begun, count))
                self._begun += 1
            else:
                break
        return taken

    def arrive(self) -> bool:
        """One more document is there; whether any are still to come."""
        self.arrived += 1
        return self.arrived < self.documents

    def give_back(self, job: Job) -> None:
        """A call's worker is gone; another one is to make it."""
        self._back.append(job)

    def end(self, job: Job, how: End, now_ns: int) -> End | None:
        """Note the end of a call; how its document ended if it did with this one."""
        pages = self.load.pages[job.document]
        if pages > self.most:
            left, worst = self._left.get(job.document) or (-(-pages // self.most), "done")
            worst = worst if how == "done" else how
            if left > 1:
                self._left[job.document] = (left - 1, worst)
                return None
            self._left.pop(job.document, None)
            how = worst
        if how == "done":
            self.done += 1
        elif how == "failed":
            self.failed += 1
        else:
            self.refused += 1
        self.ended_ns = now_ns
        return how
