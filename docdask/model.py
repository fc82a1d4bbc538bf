"""The frozen values that pass between packages, and the ids they are known by.

Words: a *document* is one input file; a *unit* is what is recognised (and, with a paid engine, billed) once: content
hash × page range × engine version × options; a *partition* is the documents that one branch of the graph handles.
A quantity's name ends in its unit. Page numbers are 1-based and ranges inclusive, as Document AI writes them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

#: What became of a document. ``pending``: not decided yet. Always: stored + quarantined + skipped + pending = inputs.
Outcome = Literal["stored", "quarantined", "skipped", "pending"]

#: Worker group that a document belongs to, by what its recognition costs (Dask resource of the same name).
Group = Literal["pdf", "image"]

#: Kinds of documents that intake guesses from content.
KINDS = (
    "invoice", "receipt", "form", "letter", "contract", "table", "report", "article", "slide", "id", "photo", "blank", "other",
)  # fmt: skip


def document_id(uri: str) -> str:
    """Id of the document at ``uri``: 16 hexadecimal digits, the same in every run."""
    return hashlib.blake2b(uri.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was found, not yet opened."""

    uri: str
    """fsspec URL or absolute local path."""
    size_bytes: int
    version: str
    """Changes when the file changes: mtime in nanoseconds, ETag, generation, whatever the file system offers."""
    columns: dict[str, Any] = field(default_factory=dict)
    """Extra columns of the CSV/Parquet list that named it, carried into the tables."""

    @property
    def document_id(self) -> str:
        """Id of the document, from its URL."""
        return document_id(self.uri)


@dataclass(frozen=True, slots=True)
class PageRange:
    """Pages ``first`` to ``last``, 1-based, both included."""

    first: int
    last: int

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.last:
            msg = f"page range {self.first}-{self.last} is empty or starts below 1"
            raise ValueError(msg)

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


def unit_id(sha256: str, pages: PageRange | None, engine: str, options: dict[str, Any]) -> str:
    """Id of what is recognised once: content × page range × engine with version × options.

    Parameters
    ----------
    sha256
        Of the document's bytes, hexadecimal.
    pages
        Range, or None for the whole document.
    engine
        ``name/version`` as in :attr:`docdask.service.base.Engine.id`.
    options
        Engine options that change results; JSON values only.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    text = json.dumps(
        [sha256, str(pages) if pages else None, engine, options], sort_keys=True, separators=(",", ":")
    )
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts of one recognition, stored beside its result; they become a row of the table ``calls``.

    Times are wall-clock nanoseconds since the epoch (for people and charts); ``seconds`` is measured on a monotonic
    clock.
    """

    unit_id: str
    document_id: str
    first_page: int
    pages: int
    engine: str
    """``name/version``."""
    processor: str
    processor_version: str
    worker: str
    """Dask worker name, or ``driver`` for ``--cluster none``."""
    attempt: int
    queued_at_ns: int
    started_at_ns: int
    ended_at_ns: int
    seconds: float
    request_bytes: int
    response_bytes: int
    code: str
    """``OK``, or the code of the error."""
    cost_usd: float = 0.0
    reason: str = ""
    """Why the document can't be done, as a person understands it; empty when it could."""
    remedy: str = ""
    permanent: bool = True
    """With an error: trying again would not help (the document is quarantined)."""
    notes: dict[str, Any] = field(default_factory=dict)
    """Whatever the engine wants to tell, JSON values."""


def pack_id(unit_ids: Sequence[str]) -> str:
    """Id of a request that several units share: ``p`` and 31 hexadecimal digits, decided by which they are and in what order."""
    return "p" + hashlib.blake2b("\n".join(unit_ids).encode(), digest_size=16).hexdigest()[1:]
