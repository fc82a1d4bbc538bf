"""What a caller asks and what the service decides, as plain values.

A shell (gRPC, REST, simulator) describes a call by what matters for the decision; contents never come here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from docdask.core.server.status import Status

#: What can be wrong with a file whatever its size.
Problem = Literal["", "corrupt-pdf", "corrupt-image", "encrypted", "unsupported"]


@dataclass(slots=True)
class Call:
    """One online call (``ProcessDocument``), described."""

    project: str
    location: str
    processor: str
    """Id, the last part of the processor's name."""
    pages: int = 1
    """Pages of the file, not of the selection."""
    user: str = ""
    version: str = ""
    """Processor version id that was asked for; empty for the default."""
    selection: Sequence[int] | None = None
    """Pages asked for, 1-based, ascending; None for all."""
    size_bytes: int = 0
    mime_type: str = "application/pdf"
    imageless: bool = False
    width: int = 0
    """Of the largest image, pixels; 0 for PDFs."""
    height: int = 0
    problem: Problem = ""
    source: Literal["raw_document", "inline_document", "gcs_document"] = "raw_document"
    ocr_config: bool = False
    """Whether ``process_options.ocr_config`` was sent."""
    layout_config: bool = False
    premium: bool = False
    """Whether a premium feature of OCR is on (billed on top)."""

    def selected(self) -> int:
        """How many pages are to be processed."""
        return self.pages if self.selection is None else len(self.selection)


@dataclass(slots=True)
class Verdict:
    """What becomes of a call."""

    status: Status | None
    """The refusal, None when the call is served."""
    finish_ns: int
    """When the answer is ready, on the caller's clock."""
    pages: int = 0
    """Pages billed (for each copy)."""
    cost_nano_usd: int = 0
    """For all copies."""
    fault: str = ""
    """Name of the fault that struck, see :class:`docdask.core.server.faults.Faults`."""
    copies: int = 1
    """2 when the network delivered the request twice."""

    @property
    def ok(self) -> bool:
        """Whether the service counts the call as done (the caller may still not get the reply)."""
        return self.status is None

    @property
    def reply_lost(self) -> bool:
        """Whether the connection is cut instead of a reply."""
        return self.fault == "lost"


@dataclass(slots=True)
class BatchDocument:
    """One document of a batch, described once it has been looked at; what is wrong ends up in ``status``."""

    pages: int
    size_bytes: int = 0
    mime_type: str = "application/pdf"
    width: int = 0
    height: int = 0
    problem: Problem = ""
    selection: Sequence[int] | None = None
    status: Status | None = None
    """Why it failed; None as long as nothing is wrong."""
    half_written: bool = False
    """Fault: the last shard is cut in the middle."""

    def selected(self) -> int:
        """How many pages are to be processed."""
        return self.pages if self.selection is None else len(self.selection)
