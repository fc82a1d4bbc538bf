"""Reads a list of documents: a CSV or Parquet file with a column of names and whatever else belongs to them.

Rules: the column is ``uri``, ``url`` or ``path``, else the first; names are relative to the list's own folder; the
other columns are carried into the tables, values of a CSV as text (a customer number keeps its zeros). A CSV or
Parquet file that names no existing file is no list but a document like any other, unless the user wrote ``@file``.
A file of another type after ``@`` is plain text with one name a line.
"""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass, field
from typing import Any

from docdask.errors import DocumentError, SourceError
from docdask.intake import reading

_NAMES = ("uri", "url", "path")
_LOOKED_AT = 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a list."""

    uri: str
    columns: dict[str, Any] = field(default_factory=dict)


def looks_like(source: str) -> bool:
    """Whether a source may be a list, by its name."""
    return source.split("::", 1)[0].lower().endswith((".csv", ".parquet"))


def read(source: str, options: reading.StorageOptions, *, certain: bool = False) -> list[Entry] | None:
    """Entries of the list at ``source``, or None where it turns out to be a document.

    Parameters
    ----------
    source
        Path or URL of the list.
    options
        Passed to the file system (fsspec).
    certain
        The user said that it is a list (``@file``).

    Raises
    ------
    SourceError
        If it can't be read, or ``certain`` and it is no list of existing files.
    """
    try:
        data = reading.read(source if reading.is_url(source) else os.path.abspath(source), options)  # noqa: PTH100
    except DocumentError as cause:
        raise SourceError(f"the list {source!r} can't be read: {cause.message}", cause.remedy) from cause
    rows = _rows(data, source)
    entries = _entries(rows, source) if rows else []
    if any(_exists(entry.uri, options) for entry in entries[:_LOOKED_AT]):
        return entries
    if certain or (rows and any(name.strip().lower() in _NAMES for name in rows[0])):
        raise SourceError(
            f"none of the first files that the list {source!r} names exists"
            + (f", such as {entries[0].uri!r}" if entries else ""),
            "name files in a column 'uri', 'url' or 'path', relative to the list's folder",
        )
    return None


def _rows(data: bytes, source: str) -> list[dict[str, Any]]:
    name = source.lower()
    if name.endswith(".parquet"):
        return _parquet_rows(data, source)
    text = _decode(data)
    if name.endswith((".csv", ".tsv")):
        return _csv_rows(text)
    return [{"uri": line.strip()} for line in text.splitlines() if line.strip()]


def _parquet_rows(data: bytes, source: str) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(data)).to_pylist()
    except (pa.ArrowException, OSError) as cause:
        raise SourceError(f"the list {source!r} is no Parquet file: {cause}", "write it again") from cause
    return rows


def _csv_rows(text: str) -> list[dict[str, Any]]:
    head = text[:65536]
    first = head.partition("\n")[0]
    separator = max(",;\t|", key=first.count)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        return [{k: v for k, v in row.items() if k is not None} for row in reader]
    except csv.Error:
        return []


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _entries(rows: list[dict[str, Any]], source: str) -> list[Entry]:
    names = list(rows[0])
    column = next((name for wanted in _NAMES for name in names if name.strip().lower() == wanted), names[0])
    entries = []
    for row in rows:
        value = row.get(column)
        if value is None or not str(value).strip():
            continue
        extra = {name: item for name, item in row.items() if name != column}
        entries.append(Entry(_resolve(str(value), source), extra))
    return entries


def _resolve(name: str, source: str) -> str:
    """URI of a name in a list: itself where absolute, else relative to the list's folder."""
    if reading.is_url(name) or os.path.isabs(name):  # noqa: PTH117
        return name
    if not reading.is_url(source):
        return reading.local_uri(os.path.join(os.path.dirname(os.path.abspath(source)), name))  # noqa: PTH100, PTH118, PTH120
    return source.rpartition("/")[0] + "/" + name


def _exists(uri: str, options: reading.StorageOptions) -> bool:
    path = reading.local_path(uri)
    if path is not None:
        try:
            return os.path.isfile(path)  # noqa: PTH113
        except ValueError:  # a NUL byte
            return False
    import fsspec

    try:
        filesystem, inner = fsspec.core.url_to_fs(uri, **(options or {}))
        return bool(filesystem.isfile(inner))
    except Exception:  # noqa: BLE001 - whatever a file system raises, it is no file that we can read
        return False
