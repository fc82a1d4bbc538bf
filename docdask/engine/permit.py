"""A permit as its holder sees it: where to call, under which fence, and how to say what became of the call."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from docdask.core.events import Outcome, Waiter
from docdask.core.retry import Verdict
from docdask.core.spec import Kind

if TYPE_CHECKING:
    from docdask.engine.agent import Agent


@dataclass(slots=True)
class Waiting:
    """Somebody who waits for a permit."""

    waiter: Waiter
    semaphore: str
    group: tuple[Any, ...]
    """Semaphore, lane, run, kind, endpoints and locations: those who agree in all are asked for together."""
    future: asyncio.Future[Any] = field(init=False)

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

    def __init__(self, agent: Agent, waiting: Waiting, endpoint: str, fence: int, kind: Kind) -> None:
        self.id = waiting.id
        self.semaphore = waiting.semaphore
        self.pages = waiting.waiter.pages
        self.endpoint = endpoint
        self.fence = fence
        self.kind = kind
        self.revoked = False
        self._agent = agent
        self._returned = False
        self._since_ns = time.monotonic_ns()

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
        """
        if self._returned:
            return
        self._returned = True
        latency_ns = time.monotonic_ns() - self._since_ns
        outcome = Outcome(
            self.id,
            self.fence,
            verdict,
            latency_ns,
            int(after_s * 1e9),
            limit,
            pages_billed,
            micros_billed,
            code,
        )
        self._agent.give_back(self, outcome)
