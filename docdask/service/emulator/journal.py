"""Append-only JSON lines on disk: what is written is there after ``kill -9``.

Rules: one record a line, one ``write`` a record, no buffer of ours; a line that was cut (the machine died) is dropped
when it is read back. Durability is that of the page cache: it outlives the process, not a power cut.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Journal:
    """One file of records."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self.size_bytes = os.fstat(self._file).st_size
        if self.size_bytes and os.pread(self._file, 1, self.size_bytes - 1) != b"\n":
            self.write_raw(b"\n")

    def append(self, record: dict[str, Any]) -> None:
        """Write one record."""
        self.write_raw(json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")

    def write_raw(self, line: bytes) -> None:
        """Write one line that is encoded already."""
        self.size_bytes += os.write(self._file, line)

    def records(self, offset: int = 0) -> Iterator[dict[str, Any]]:
        """All records from byte ``offset`` on; broken lines are passed over."""
        for _, record in self.records_at(offset):
            yield record

    def records_at(self, offset: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
        """Records with the byte offset of the line after each."""
        with self.path.open("rb") as file:
            file.seek(offset)
            for line in file:
                offset += len(line)
                try:
                    record = json.loads(line)
                except ValueError:
                    continue
                if isinstance(record, dict):
                    yield offset, record

    def rewrite(self, records: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> None:
        """Replace all records, atomically."""
        fresh = self.path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.writelines(json.dumps(record, separators=(",", ":")).encode() + b"\n" for record in records)
        os.close(self._file)
        fresh.replace(self.path)
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self.size_bytes = os.fstat(self._file).st_size

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
