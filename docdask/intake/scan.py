"""What a scan does: which files to read at all, and one batch of them.

Rules: a file whose URI, size and version are as in the catalog is not read again, with two exceptions: it was locked
and there are passwords to try, or the storage failed last time. A batch is what one Dask task does; it needs nothing
but its arguments and never raises for what is in a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from docdask.intake.inspection import inspect
from docdask.intake.limits import Limits
from docdask.intake.reading import StorageOptions
from docdask.model import Source

#: Problems of the storage, not of the file: worth another look each time.
_PASSING = frozenset({"vanished", "permission", "unreadable"})
#: Problems of the limits: worth another look when a limit was raised; ``rescan`` names them.
LIMITED = frozenset({"timeout", "memory", "oversize-file", "oversize-image"})


def scan_batch(
    sources: Sequence[Source],
    passwords: Sequence[str] = (),
    limits: Limits | None = None,
    storage_options: StorageOptions = None,
) -> list[dict[str, Any]]:
    """Catalog rows for a batch of files, in their order.

    Parameters
    ----------
    sources
        Files to inspect, one after another in one child process.
    passwords, limits, storage_options
        As in :func:`docdask.intake.inspection.inspect`.
    """
    return [
        inspect(source, passwords=passwords, limits=limits, storage_options=storage_options)
        for source in sources
    ]


def to_inspect(
    sources: Iterable[Source],
    catalog: Mapping[str, Mapping[str, Any]],
    *,
    has_passwords: bool = False,
    rescan: frozenset[str] = frozenset(),
) -> list[Source]:
    """Those of ``sources`` that must be read, given the catalog.

    Parameters
    ----------
    sources
        What was found.
    catalog
        ``document_id`` → its latest row; ``size_bytes``, ``version``, ``state`` and ``problem`` are looked at.
    has_passwords
        Locked files are tried again.
    rescan
        Further problems whose documents are tried again, such as :data:`LIMITED` after a limit was raised.
    """
    again = _PASSING | rescan | ({"encrypted"} if has_passwords else frozenset())
    return [source for source in sources if _changed(source, catalog.get(source.document_id), again)]


def _changed(source: Source, row: Mapping[str, Any] | None, again: frozenset[str]) -> bool:
    if row is None or not source.version or row["version"] != source.version:
        return True  # a storage that tells no version leaves no choice but to read
    if source.size_bytes and row["size_bytes"] != source.size_bytes:
        return True
    return row["state"] == "quarantined" and row["problem"] in again
