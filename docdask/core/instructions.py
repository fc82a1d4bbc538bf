"""What the governor wants done; a shell carries it out in the order given."""

from __future__ import annotations

from typing import Literal, NamedTuple

from docdask.core.ledger import Record
from docdask.core.spec import Kind

#: Why a permit was refused. ``too-large``: above a limit, no wait would help · ``budget``: it would exceed the budget ·
#: ``closed``: a quota is 0, or the semaphore or the run has ended · ``unknown-lane``, ``unknown-endpoint`` ·
#: ``residency``: no endpoint in the allowed locations · ``lapsed``: the worker was silent too long · ``ledger``: records
#: can't be written · ``invalid``: the numbers can't be right · ``unknown-semaphore``
Reason = Literal[
    "too-large", "budget", "closed", "unknown-lane", "unknown-endpoint", "residency", "lapsed", "ledger", "invalid",
    "unknown-semaphore",
]  # fmt: skip


class Grant(NamedTuple):
    """Give the permit to its worker: one call may go, now, to this endpoint."""

    semaphore: str
    worker: str
    permit: str
    endpoint: str
    fence: int
    lease_ns: int
    sequence: int
    """Ledger record that must be durable before the grant leaves; 0 for none."""
    kind: Kind
    ledger: str = ""
    """Ledger that the record is in; empty for the governor's own."""


class Refuse(NamedTuple):
    """Tell the worker that it will not get the permit."""

    semaphore: str
    worker: str
    permit: str
    reason: Reason
    message: str
    remedy: str


class Revoke(NamedTuple):
    """Tell the worker that its lease has lapsed: what it still stores under this fence does not count."""

    semaphore: str
    worker: str
    permit: str
    fence: int


class WakeAt(NamedTuple):
    """Send a ``Timer`` for the semaphore at ``at_ns``; replaces an earlier request."""

    semaphore: str
    at_ns: int


class Append(NamedTuple):
    """Write the record."""

    record: Record
    ledger: str = ""
    """Where; empty for the governor's own ledger."""


class Reject(NamedTuple):
    """Tell whoever sent the event that it can't be; nothing was changed."""

    event: str
    message: str
    remedy: str


Instruction = Grant | Refuse | Revoke | WakeAt | Append | Reject
