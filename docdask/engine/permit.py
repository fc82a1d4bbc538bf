"""A permit as its holder sees it: where to call, under which fence, and how to say what became of the call."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

from docdask.core.events import Outcome, Waiter
from docdask.core.retry import Verdict
from docdask.core.spec import Kind
from docdask.engine.checking import text, whole
from docdask.errors import UsageError

if TYPE_CHECKING:
    from docdask.engine.agent import Agent

_VERDICTS: frozenset[str] = frozenset(get_args(Verdict))
_LIMITS = frozenset({"", "requests", "pages", "user", "batch"})
#: Longest wait that is asked for: a service that says more is mistaken.
_LONGEST_S = 7 * 24 * 3600.0


@dataclass(slots=True)
class Waiting:
    """Somebody who waits for a permit."""

    waiter: Waiter
    semaphore: str
    group: tuple[Any, ...]
    """Semaphore, lane, run, kind, endpoints and locations: those who agree in all are asked for together."""
    future: asyncio.Future[Any] = field(init=False)
    at_once: bool = field(default=False, init=False)
    """Whether it is wanted only if it is free."""

    @property
    def id(self) -> str:
        """Of the permit."""
        return self.waiter.permit


class Permit:
    """The right to make one call, now.

    Attributes
    ----------
    endpoint
        Where to call.
    fence
        Number that rises with every grant: a result stored under a lower one does not count.
    kind
        ``online``, ``batch`` or ``poll``.
    pages
        As asked for.
    revoked
        The lease has lapsed; somebody else may have the slot by now.
    """

    __slots__ = (
        "_agent",
        "_returned",
        "_since_ns",
        "endpoint",
        "fence",
        "id",
        "kind",
        "pages",
        "revoked",
        "semaphore",
    )

    def __init__(
        self, agent: Agent, waiting: Waiting, endpoint: str, fence: int, kind: Kind, since_ns: int
    ) -> None:
        self.id, self.pages = waiting.waiter[:2]
        self.semaphore = waiting.semaphore
        self.endpoint = endpoint
        self.fence = fence
        self.kind = kind
        self.revoked = False
        self._agent = agent
        self._returned = False
        self._since_ns = since_ns

    def __repr__(self) -> str:
        return (
            f"<Permit {self.id} for {self.endpoint}, fence {self.fence}{', revoked' if self.revoked else ''}>"
        )

    @property
    def returned(self) -> bool:
        """Whether it was given back."""
        return self._returned

    def report(
        self,
        verdict: Verdict = "ok",
        *,
        after_s: float = 0.0,
        limit: str = "",
        pages_billed: int | None = None,
        micros_billed: int | None = None,
        code: str = "",
    ) -> None:
        """Say what became of the call, as soon as its answer is there, and give the permit back. Once; later calls do nothing.

        Parameters
        ----------
        verdict
            What the answer says about the endpoint; see :data:`docdask.core.retry.Verdict`.
        after_s
            Seconds that the service asked to wait.
        limit
            Quota that a refusal was for: ``requests``, ``pages``, ``user``, ``batch``.
        pages_billed, micros_billed
            What the call cost; None: follows from the verdict.
        code
            Status code, for the ledger.

        Raises
        ------
        UsageError
            If any of this can't be; the permit is held as before.
        """
        if self._returned:
            return
        latency_ns = time.monotonic_ns() - self._since_ns
        _check(verdict, after_s, limit)
        if pages_billed is not None:
            pages_billed = whole("pages_billed", pages_billed)
        if micros_billed is not None:
            micros_billed = whole("micros_billed", micros_billed)
        outcome = Outcome(
            self.id,
            self.fence,
            verdict,
            latency_ns,
            int(min(max(after_s, 0.0), _LONGEST_S) * 1e9),
            limit,
            pages_billed,
            micros_billed,
            text("code", code),
        )
        self._returned = True
        self._agent.give_back(self, outcome)


def _check(verdict: str, after_s: float, limit: str) -> None:
    if verdict not in _VERDICTS:
        raise UsageError(f"{verdict!r} is no verdict", f"use {', '.join(get_args(Verdict))}")
    if math.isnan(after_s):
        raise UsageError(f"after_s is {after_s!r}", "use seconds, from 0 up")
    if limit not in _LIMITS:
        raise UsageError(f"{limit!r} is no limit", "use requests, pages, user or batch, or leave it out")
