"""Everything that can be set about the model of the service, in one frozen value.

Switches cover what is not known publicly; each default is the most hostile reading, so that a client that is right here
is right under every other reading.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from docdask.core.limits import DEFAULT_BOOK, LimitBook
from docdask.core.server.faults import NO_FAULTS, Faults
from docdask.core.server.latency import NONE, Latency


@dataclass(frozen=True, slots=True)
class Switches:
    """Open questions about the service and the answer taken."""

    quota_details: Literal["none", "error-info", "full"] = "none"
    """Details of a 429: none, ``ErrorInfo``, or ``ErrorInfo`` with ``QuotaFailure``."""
    retry_info: bool = False
    """Whether a 429 carries ``RetryInfo``."""
    batch_excess: Literal["refuse", "wait"] = "refuse"
    """More batches than slots: RESOURCE_EXHAUSTED at once, or a silent WAITING."""
    partial_failure: Literal["failed", "succeeded"] = "failed"
    """State of an operation of which some documents failed and some did not."""
    page_limit_domain: str = "documentai.googleapis.com"
    """Domain of the ``ErrorInfo`` PAGE_LIMIT_EXCEEDED."""
    refused_count: bool = True
    """Whether an attempt that was over quota spends quota itself."""
    invalid_count: bool = True
    """Whether a call that is refused for what is in it (400) has spent quota."""
    gcs_document_limited: bool = True
    """Whether the online file limit holds for ``gcs_document`` too."""
    single_regions_shared: bool = True
    """Whether the quota of single regions is one for all of them together, or one each."""
    max_pages_per_shard: int = 30
    """A larger ``pages_per_shard`` is silently taken as this."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Settings of :class:`docdask.core.server.Service`."""

    limits: LimitBook = DEFAULT_BOOK
    window: str = "sliding"
    """Kind of every quota window, as :func:`docdask.core.server.windows.make_window` takes it."""
    user_window: str = ""
    """Kind of the per-user window; empty for the same."""
    latency: Latency = NONE
    faults: Faults = NO_FAULTS
    switches: Switches = field(default_factory=Switches)
    deployment: str = ""
    """When set, only this location is served; others are refused as by a server of another deployment."""
    used_units: Mapping[str, int] = field(default_factory=dict)
    """Processor type → units billed already this month: they decide tiers and free pages of the books."""
    denied: frozenset[str] = frozenset()
    """Permissions that nobody has, e.g. ``documentai.processors.processOnline``."""
