"""What the service answers when it refuses: a canonical code, its text, and details, all as plain values.

The shells turn them into gRPC statuses and REST bodies. Texts are Google's own where a public copy exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: Canonical codes with their numbers and the HTTP status that Google maps each to.
CODES: Mapping[str, tuple[int, int]] = {
    "OK": (0, 200),
    "CANCELLED": (1, 499),
    "UNKNOWN": (2, 500),
    "INVALID_ARGUMENT": (3, 400),
    "DEADLINE_EXCEEDED": (4, 504),
    "NOT_FOUND": (5, 404),
    "ALREADY_EXISTS": (6, 409),
    "PERMISSION_DENIED": (7, 403),
    "RESOURCE_EXHAUSTED": (8, 429),
    "FAILED_PRECONDITION": (9, 400),
    "ABORTED": (10, 409),
    "OUT_OF_RANGE": (11, 400),
    "UNIMPLEMENTED": (12, 501),
    "INTERNAL": (13, 500),
    "UNAVAILABLE": (14, 503),
    "DATA_LOSS": (15, 500),
    "UNAUTHENTICATED": (16, 401),
}


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """``google.rpc.ErrorInfo``."""

    reason: str
    domain: str
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class QuotaFailure:
    """``google.rpc.QuotaFailure`` with one violation."""

    subject: str
    description: str


@dataclass(frozen=True, slots=True)
class BadRequest:
    """``google.rpc.BadRequest``: ``(field, description)`` pairs."""

    violations: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RetryInfo:
    """``google.rpc.RetryInfo``."""

    delay_ns: int


Detail = ErrorInfo | QuotaFailure | BadRequest | RetryInfo


@dataclass(frozen=True, slots=True)
class Status:
    """A refusal."""

    code: str
    message: str
    details: tuple[Detail, ...] = ()

    @property
    def number(self) -> int:
        """Number of the canonical code."""
        return CODES[self.code][0]

    @property
    def http(self) -> int:
        """HTTP status of the canonical code."""
        return CODES[self.code][1]


def invalid(message: str, *violations: tuple[str, str]) -> Status:
    """``INVALID_ARGUMENT``, with field violations if there are any."""
    return Status("INVALID_ARGUMENT", message, (BadRequest(violations),) if violations else ())


#: Text of most refusals that carry field violations.
INVALID = "Request contains an invalid argument."
