"""Inspects one file: reads it, lets a child process look at it, and makes its catalog row.

Rules: never raises for what is in a file or where it lies; whatever happens to the child costs that child only; every
row has a state, and every state but a plain ``ready`` a reason.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from docdask.errors import DocumentError
from docdask.intake import child, content_type, reading
from docdask.intake.limits import Limits
from docdask.model import Source
from docdask.store.catalog import columns_json


def inspect(
    source: Source,
    *,
    passwords: Sequence[str] = (),
    limits: Limits | None = None,
    storage_options: reading.StorageOptions = None,
) -> dict[str, Any]:
    """One row of the catalog for one file.

    Parameters
    ----------
    source
        As :func:`docdask.intake.finding.find` gives it.
    passwords
        Tried in this order on encrypted PDFs.
    limits
        Time, memory, sizes.
    storage_options
        Passed to the file system (fsspec).

    Returns
    -------
    dict
        All columns of :data:`docdask.store.catalog.CATALOG`.
    """
    limits = limits or Limits()
    started = time.monotonic()
    row = _blank(source)
    try:
        if source.size_bytes > limits.file_bytes:
            raise reading.oversize(source.size_bytes, limits.file_bytes)
        data = reading.read(source.uri, storage_options, limit_bytes=limits.file_bytes)
        row["size_bytes"] = len(data)
        row["sha256"] = hashlib.sha256(data).hexdigest()
        row["mime_type"] = content_type.sniff(data[:65536])
        row["group"] = group(row["mime_type"])
        row.update(_examined(data, row["name"], passwords, limits))
    except DocumentError as error:
        row.update(state="quarantined", problem=error.code, reason=error.message, remedy=error.remedy or None)
    row["seconds"] = time.monotonic() - started
    return row


def group(mime_type: str | None) -> str | None:
    """Worker group for files of this type: ``pdf``, ``image``, or None where no engine takes it."""
    if mime_type == content_type.PDF:
        return "pdf"
    return "image" if mime_type in content_type.IMAGES else None


def name_of(uri: str) -> str:
    """Last part of a URI as a person reads it."""
    head = uri.split("::", 1)[0] if reading.is_url(uri) else uri
    name = head.rstrip("/").rpartition("/")[2]
    return unquote(name) if head.startswith("file://") else name


def _examined(data: bytes, name: str, passwords: Sequence[str], limits: Limits) -> dict[str, Any]:
    try:
        return _in_child(data, name, passwords, limits, rebuild=False)
    except DocumentError as error:
        if error.code != "crash" or content_type.sniff(data[:65536]) != content_type.PDF:
            raise
        # What crashed on the file as it is may well read what qpdf makes of it.
        return _in_child(data, name, passwords, limits, rebuild=True)


def _in_child(
    data: bytes, name: str, passwords: Sequence[str], limits: Limits, *, rebuild: bool
) -> dict[str, Any]:
    columns: dict[str, Any] = child.call(
        "docdask.intake.examine:examine",
        data,
        name,
        tuple(passwords),
        limits,
        rebuild=rebuild,
        within=limits,
    )
    return columns


def _blank(source: Source) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(
        ("sha256", "mime_type", "pages", "widths", "heights", "unit", "text_pages", "max_pixels", "kind",
         "kind_confidence", "group", "problem", "reason", "remedy", "action")
    )  # fmt: skip
    row.update(
        document_id=source.document_id,
        uri=source.uri,
        name=name_of(source.uri),
        size_bytes=source.size_bytes,
        version=source.version,
        encrypted=False,
        state="ready",
        columns=columns_json(source.columns),
        inspected_at=datetime.now(UTC),
    )
    return row
