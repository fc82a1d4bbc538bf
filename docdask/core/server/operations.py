"""A batch as a long-running operation: its states, and when each holds.

::

    WAITING ──► RUNNING ──► SUCCEEDED | FAILED
       │           │
       └───────────┴──► CANCELLING ──► CANCELLED

Rules: states follow from times, so a caller that comes back later finds what it would have seen; a stuck operation
stays RUNNING until the service gives up after 24 hours; what was done before a cancel is billed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from docdask.core.server.calls import BatchDocument
from docdask.core.server.status import Status
from docdask.core.server.windows import MINUTE_NS

State = Literal["WAITING", "RUNNING", "SUCCEEDED", "CANCELLING", "CANCELLED", "FAILED"]
#: Which state may follow which; also what the documentation's diagram is drawn from.
TRANSITIONS: dict[State, tuple[State, ...]] = {
    "WAITING": ("RUNNING", "CANCELLING"),
    "RUNNING": ("SUCCEEDED", "FAILED", "CANCELLING"),
    "CANCELLING": ("CANCELLED",),
    "SUCCEEDED": (),
    "FAILED": (),
    "CANCELLED": (),
}
#: The service cancels what has not ended by then.
GIVE_UP_NS = 24 * 60 * MINUTE_NS
FAILED_ALL = "Failed to process all documents."


@dataclass(slots=True)
class Operation:
    """One batch."""

    id: str
    project: str
    """Number."""
    location: str
    processor: str
    processor_type: str
    user: str
    created_ns: int
    state: State = "WAITING"
    updated_ns: int = 0
    finish_ns: int = 0
    """When the work will have ended; known once it is scheduled, never 0 then."""
    documents: list[BatchDocument] = field(default_factory=list)
    stuck: bool = False
    message: str = ""
    error: Status | None = None
    pages_billed: int = 0
    premium: bool = False
    """Whether a premium feature of OCR is on (billed on top)."""

    @property
    def name(self) -> str:
        """Full resource name."""
        return f"projects/{self.project}/locations/{self.location}/operations/{self.id}"

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return not TRANSITIONS[self.state]

    def turn(self, state: State, at_ns: int) -> None:
        """Go over to ``state``; the table says what is allowed."""
        if state not in TRANSITIONS[self.state]:
            msg = f"operation {self.id} can't go from {self.state} to {state}"
            raise ValueError(msg)
        self.state = state
        self.updated_ns = at_ns

    def conclude(self, at_ns: int, *, partial_failure: str) -> None:
        """End in the state that the documents' statuses call for."""
        failed = [document.status for document in self.documents if document.status is not None]
        good = len(self.documents) - len(failed)
        if failed and not good:
            self.error = Status("INVALID_ARGUMENT", f"{FAILED_ALL} 3: {FAILED_ALL}")
        elif failed and partial_failure == "failed":
            self.error = Status("INVALID_ARGUMENT", f"Failed to process {len(failed)} document(s).")
        self.message = self.error.message if self.error else f"Processed {good} document(s) successfully"
        self.turn("FAILED" if self.error else "SUCCEEDED", at_ns)

    def cancelled(self, at_ns: int, why: str = "Operation was cancelled.") -> None:
        """End as cancelled."""
        if self.state != "CANCELLING":
            self.turn("CANCELLING", at_ns)
        self.turn("CANCELLED", at_ns)
        self.error = Status("CANCELLED", why)
        self.message = why
