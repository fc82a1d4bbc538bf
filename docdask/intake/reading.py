"""Reads the bytes behind a URI, and says plainly why when it can't.

Rules: a URI is an absolute local path or an fsspec URL; a local name that is no UTF-8 travels as ``file://`` URL with
percent signs, so that it fits into Parquet and JSON. Whatever a file system raises leaves here as
:class:`~docdask.errors.DocumentError`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

from docdask.errors import DocumentError, sentence
from docdask.intake import problems

StorageOptions = Mapping[str, Any] | None


def read(uri: str, storage_options: StorageOptions = None, *, limit_bytes: int | None = None) -> bytes:
    """All bytes of the file at ``uri``.

    Parameters
    ----------
    uri
        Absolute local path or fsspec URL, as :func:`docdask.intake.finding.find` gives it.
    storage_options
        Passed to the file system (fsspec).
    limit_bytes
        Refuse larger files.

    Raises
    ------
    DocumentError
        Code ``vanished``, ``permission``, ``oversize-file`` or ``unreadable``.
    """
    try:
        with _open(uri, storage_options) as file:
            data = bytes(file.read() if limit_bytes is None else file.read(limit_bytes + 1))
    except FileNotFoundError as cause:
        raise problems.error("vanished", f"there is no file at {uri}") from cause
    except PermissionError as cause:
        raise problems.error("permission", f"reading {uri} is not allowed") from cause
    except DocumentError:
        raise
    except Exception as cause:
        # File systems raise whatever their client library does: ClientError, HttpError, BadZipFile, OSError …
        raise problems.error("unreadable", f"{uri} can't be read: {sentence(cause)}") from cause
    if limit_bytes is not None and len(data) > limit_bytes:
        raise oversize(len(data), limit_bytes)
    return data


def oversize(size_bytes: int, limit_bytes: int) -> DocumentError:
    """Make the error for a file over the limit."""
    return problems.error(
        "oversize-file",
        f"the file has {size_bytes / 2**20:,.0f} MiB or more, the limit is {limit_bytes / 2**20:,.0f} MiB",
    )


def _open(uri: str, storage_options: StorageOptions) -> Any:
    path = local_path(uri)
    if path is not None:
        return open(path, "rb")  # noqa: PTH123 - names that are no UTF-8; the caller closes it
    import fsspec

    return fsspec.open(uri, "rb", **(storage_options or {}))


def is_url(text: str) -> bool:
    """Whether ``text`` is a URL (``scheme://…``, or a chain of them) rather than a local path."""
    head = text.split("::", 1)[0]
    scheme, separator, _ = head.partition("://")
    if separator and scheme and scheme.replace("+", "").replace("-", "").isalnum():
        return True
    return "::" in text and head.isalnum()


def local_path(uri: str) -> str | None:
    """Path of a local file (surrogate-escaped where its name is no UTF-8), or None for other file systems."""
    if not is_url(uri):
        return uri
    if not uri.startswith("file://") or "::" in uri:
        return None
    literal = uri.removeprefix("file://")
    return literal if os.path.lexists(literal) else os.fsdecode(unquote_to_bytes(literal))


def local_uri(path: str) -> str:
    r"""URI of a local path: the absolute path itself, or a ``file://`` URL where it is no UTF-8.

    >>> local_uri("/data/a%20b.pdf")
    '/data/a%20b.pdf'
    >>> local_uri(os.fsdecode(b"/data/caf\xe9.pdf"))
    'file:///data/caf%E9.pdf'
    """
    path = os.path.abspath(path)  # noqa: PTH100 - pathlib is ten times slower, and this runs for 200,000 names
    try:
        path.encode()
    except UnicodeEncodeError:
        return "file://" + quote_from_bytes(os.fsencode(path))
    return path
