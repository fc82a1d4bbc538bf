"""The emulator's own books on disk: one line a call, in the order they were answered, paged by byte offset.

Independent of whoever is being judged. Rows: ``n``, ``time``, ``at_ns``, ``method``, ``processor``, ``location``, ``user``,
``pages``, ``bytes``, ``content_hash``, ``code``, ``billed_pages``, and where they apply ``fault``, ``selection``, ``message``,
``operation``, ``uri``, ``labels``. A billed document of a batch has a row of its own (method ``BatchDocument``), written when
its operation ends; it is no call.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docdask.service.emulator.clock import rfc3339
from docdask.service.emulator.journal import Journal

#: Method of rows that are billed documents, not calls.
BATCH_DOCUMENT = "BatchDocument"
_SCANNED = 50_000


class Ledger:
    """All rows, in a file."""

    def __init__(self, folder: Path) -> None:
        self._journal = Journal(folder / "calls.jsonl")
        self.rows = sum(1 for _ in self._journal.records())
        self.errors: deque[dict[str, Any]] = deque(maxlen=20)

    def write(self, at_ns: int, row: dict[str, Any]) -> None:
        """Append a row; it survives a kill from then on."""
        self.rows += 1
        record = {"n": self.rows, "time": rfc3339(at_ns), "at_ns": at_ns, **row}
        self._journal.write_raw(json.dumps(record, separators=(",", ":")).encode() + b"\n")
        if row["code"] != "OK":
            self.errors.append(record)

    def page(self, token: int, size: int, where: dict[str, str]) -> tuple[list[dict[str, Any]], int | None]:
        """Rows from a page token on, and the next token; None when there are no more.

        ``where`` keeps rows whose fields have these values as text. A page may be short, even empty, and still have a
        next one: no more than 50,000 rows are looked at in one go.
        """
        found: list[dict[str, Any]] = []
        rows = self._journal.records_at(min(max(0, token), self._journal.size_bytes))
        for seen, (offset, record) in enumerate(rows, 1):
            if all(str(record.get(name, "")) == value for name, value in where.items()):
                found.append(record)
            if len(found) >= size or seen >= _SCANNED:
                return found, offset if offset < self._journal.size_bytes else None
        return found, None

    def all(self) -> Iterator[dict[str, Any]]:
        """Every row."""
        return self._journal.records()

    def clear(self) -> None:
        """Forget all rows."""
        self._journal.rewrite([])
        self.rows = 0
        self.errors.clear()

    def close(self) -> None:
        """Close the file."""
        self._journal.close()
