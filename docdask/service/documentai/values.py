"""What calls to Document AI come back as: plain frozen values that pickle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from docdask.service.errors import ServiceError

#: States of a batch operation, as Google names them.
OperationState = Literal[
    "STATE_UNSPECIFIED", "WAITING", "RUNNING", "SUCCEEDED", "CANCELLING", "CANCELLED", "FAILED"
]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one online call brought."""

    document: bytes
    """Serialised raw protobuf ``Document``, as it came."""
    request_bytes: int
    seconds: float
    """From sending the request to having the whole answer, on a monotonic clock."""


@dataclass(frozen=True, slots=True)
class FileStatus:
    """What became of one file of a batch."""

    input_uri: str
    """``gs://`` URI as it was submitted; a file that was submitted twice has two of these."""
    output_uri: str
    """Folder of its shards, without a trailing slash; empty if it failed."""
    error: ServiceError | None
    """Why it failed; None if it did not."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A batch operation as it stands."""

    name: str
    state: OperationState
    done: bool
    files: tuple[FileStatus, ...]
    """One a file, in the order of submission; empty until the operation has ended."""
    error: ServiceError | None
    """Why the operation as a whole failed. Files of it may have succeeded all the same."""
    created_s: float
    """When it was submitted, in seconds since the epoch, on Google's clock; 0 if it does not say."""

    @property
    def location(self) -> str:
        """Location it runs in."""
        return self.name.split("/")[3]


@dataclass(frozen=True, slots=True)
class ProcessorFacts:
    """What the service says about a processor."""

    name: str
    processor_type: str
    enabled: bool
    state: str
    """``ENABLED``, ``DISABLED``, ``ENABLING`` …"""
    default_version: str
    """Id of the version that calls without one go to."""
    version: str
    """Id of the version that was asked about: the pinned one, else the default."""
    ends_s: float = 0.0
    """When that version is switched off, seconds since the epoch; 0: not announced."""
    replacement: str = ""
    """Id of the version that Google names instead."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at before money is spent."""

    subject: str
    """What was looked at: a processor's alias and location, or the credentials."""
    status: Literal["ok", "warning", "failed"]
    message: str
    remedy: str = ""
    error: ServiceError | None = None
    """With ``failed``."""

    @property
    def ok(self) -> bool:
        """Whether a run may begin."""
        return self.status != "failed"
