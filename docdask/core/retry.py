"""What an answer means, and whether and when to try again.

Rules: a full message buffer on our side has the same status code as a spent quota and is told apart; what the document
is to blame for is never tried again; what the service asks to wait (``RetryInfo``) is waited at least. The wait doubles
with each attempt and is drawn evenly between half of it and all of it, so that workers that failed together do not come
back together. Each attempt takes a permit of its own. Randomness is an argument.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from docdask.core.spec import SECOND_NS

#: What an answer says about the endpoint. ``ok``; ``quota``: a quota is spent; ``capacity``: it can't take more now;
#: ``transient``: it failed; ``lost``: no answer, so nobody knows whether it was billed; ``permanent``: the request
#: itself can't be done; ``too-large``: the answer did not fit our own limit; ``raised``: the caller failed, which says nothing
#: about the endpoint, and the call may have been made; ``unused``: no call was made.
Verdict = Literal[
    "ok", "quota", "capacity", "transient", "lost", "permanent", "too-large", "raised", "unused"
]

_VERDICTS: dict[str, Verdict] = {
    "OK": "ok",
    "RESOURCE_EXHAUSTED": "quota",
    "UNAVAILABLE": "capacity",
    "ABORTED": "transient",
    "INTERNAL": "transient",
    "UNKNOWN": "lost",
    "DEADLINE_EXCEEDED": "lost",
    "DATA_LOSS": "lost",
    "CANCELLED": "lost",
    "INVALID_ARGUMENT": "permanent",
    "NOT_FOUND": "permanent",
    "ALREADY_EXISTS": "permanent",
    "PERMISSION_DENIED": "permanent",
    "FAILED_PRECONDITION": "permanent",
    "OUT_OF_RANGE": "permanent",
    "UNIMPLEMENTED": "permanent",
    "UNAUTHENTICATED": "permanent",
}

#: Verdicts after which the same request may succeed.
RETRYABLE: frozenset[Verdict] = frozenset({"quota", "capacity", "transient", "lost"})


def verdict(code: str, message: str = "", *, reason: str = "") -> Verdict:
    """What a status means.

    Parameters
    ----------
    code
        Canonical name of the status, ``RESOURCE_EXHAUSTED`` …
    message
        Looked at only for ``RESOURCE_EXHAUSTED``, whose two meanings have no other difference.
    reason
        ``ErrorInfo.reason``, where the service sent one.
    """
    if code == "RESOURCE_EXHAUSTED" and not reason and "message larger than max" in message:
        return "too-large"
    return _VERDICTS.get(code, "transient")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long to try again."""

    attempts: int = 8
    """Attempts that count, the first included."""
    first_ns: int = SECOND_NS
    most_ns: int = 60 * SECOND_NS

    def wait_ns(
        self, answer: Verdict, attempt: int, rng: Callable[[], float], *, after_ns: int = 0
    ) -> int | None:
        """How long to wait before the next attempt asks for its permit; None: give up.

        Parameters
        ----------
        answer
            What the attempt came to.
        attempt
            Which attempt it was, from 1.
        rng
            Gives a number in [0, 1).
        after_ns
            What the service asked to wait.
        """
        if answer not in RETRYABLE or attempt >= self.attempts:
            return None
        if answer == "quota":
            # The governor holds the endpoint as long as it must; waiting here as well would leave quota unused.
            return after_ns
        longest = min(self.first_ns << min(attempt - 1, 40), self.most_ns)
        return max(after_ns, longest // 2 + int(rng() * (longest // 2)))
