"""What stands behind both transports: the model, the clock, the books, the objects, and the state on disk.

Rules: the model decides, this carries out; every answered call has a row in the books before its reply leaves; a state
folder brings everything back after ``kill -9``: processors, operations (unfinished ones start again), objects, books,
and the quota of the last minutes.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from google.cloud.documentai_v1.types import ProcessOptions

from docdask.core.prices import price_of
from docdask.core.server import Call, Processor, Service
from docdask.core.server.faults import make_faults
from docdask.core.server.windows import MINUTE_NS
from docdask.service.emulator.answers import Answers
from docdask.service.emulator.clock import Clock
from docdask.service.emulator.config import EmulatorConfig
from docdask.service.emulator.journal import Journal
from docdask.service.emulator.ledger import BATCH_DOCUMENT, Ledger
from docdask.service.emulator.objects import ObjectStore
from docdask.service.emulator.recognition import Recogniser


class Backend:
    """One emulated service."""

    def __init__(self, config: EmulatorConfig) -> None:
        self.config = config
        self._temporary = (
            tempfile.TemporaryDirectory(prefix="docdask-emulator-") if config.state is None else None
        )
        self.folder = Path(self._temporary.name) if self._temporary else Path(config.state or ".")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ledger = Ledger(self.folder)
        self.state = Journal(self.folder / "state.jsonl")
        self.objects = ObjectStore(config.state / "storage" if config.state else None)
        self.service = Service(config.server, random.Random(config.seed).random)
        self.recogniser = Recogniser(config.ocr, config.threads, config.cache_bytes // 2)
        self.answers = Answers(self.recogniser, ProcessOptions.pb(), config.cache_bytes // 2)
        self.in_flight = 0
        self.restored: list[dict[str, Any]] = []
        """Operations that were read back, newest record of each; :class:`Batches` takes them over."""
        self.clock = Clock(config.speed, self._restore())
        for name, kind, version in config.processors:
            _, project, _, location, _, processor_id = name.split("/")
            self.service.registry.declare(project, location, processor_id, kind, version)
        for bucket in config.buckets:
            if bucket not in {name for name, _, _ in self.objects.buckets()}:
                self.objects.create_bucket(bucket, {}, self.clock.now_ns())
        self.on_reset: list[Callable[[], None]] = []

    def _restore(self) -> int | None:
        """Read the state back; the emulated time at which the last life ended, None if there was none."""
        operations: dict[str, dict[str, Any]] = {}
        for record in self.state.records():
            if record.get("do") == "processor":
                key = (record["project"], record["location"], record["id"])
                fields = record["processor"]
                if fields:
                    fields["versions"] = tuple(tuple(version) for version in fields["versions"])
                self.service.registry.mark(key, Processor(**fields) if fields else None)
            elif record.get("do") == "operation":
                operations[record["id"]] = record
        self.restored = list(operations.values())
        last_ns = self._restore_books()
        if last_ns is None:
            return None
        started = Clock(self.config.speed).now_ns()
        return max(last_ns, started) if self.config.speed == 1.0 else last_ns

    def _restore_books(self) -> int | None:
        books, rows = self.service.books, []
        for row in self.ledger.all():
            billed, kind = row.get("billed_pages", 0), row.get("processor_type", "")
            if billed:
                books.cost_nano_usd += row.get("cost_nano_usd", 0)
                books.pages_billed += billed
                books.units[kind] = books.units.get(kind, 0) + price_of(kind).units(billed)
            if row["method"] != BATCH_DOCUMENT:
                books.answered(row["method"], row["code"])
                books.replies_lost += row.get("fault") == "lost"
                books.duplicates += bool(row.get("copy"))
                rows.append(row)
                rows = rows[-20_000:]
        last_ns = max((row["at_ns"] for row in rows), default=None)
        for row in sorted(rows, key=lambda row: row["at_ns"]):
            if last_ns is not None and row["at_ns"] > last_ns - 2 * MINUTE_NS and row.get("project"):
                call = Call(
                    row["project"],
                    row["location"],
                    row["processor"],
                    row.get("pages", 1),
                    row["user"],
                    row.get("version", ""),
                )
                self.service.remember(call, row["method"], row["at_ns"])
        return last_ns

    def save_processor(self, processor: Processor, *, deleted: bool = False) -> None:
        """Write a changed processor to the state."""
        fields = {name: getattr(processor, name) for name in processor.__slots__}
        record = {
            "do": "processor", "project": processor.project, "location": processor.location, "id": processor.id,
            "processor": None if deleted else fields,
        }  # fmt: skip
        self.state.append(record)
        self.service.changed()

    def write_row(self, at_ns: int, method: str, call: Call, code: str, **more: Any) -> None:
        """Write one row of the books; what is empty is left out where a row may lack it."""
        row = {
            "method": method, "project": call.project, "location": call.location, "processor": call.processor,
            "user": call.user, "pages": call.selected(), "bytes": call.size_bytes, "content_hash": "", "code": code,
            "billed_pages": 0,
        }  # fmt: skip
        if call.version:
            row["version"] = call.version
        row.update((name, value) for name, value in more.items() if value or name in row)
        self.ledger.write(at_ns, row)

    def reset(self, *, storage: bool = False, processors: bool = False) -> None:
        """Forget all calls, operations and cached answers; objects and processors only when asked to."""
        for forget in self.on_reset:
            forget()
        self.service.reset()
        self.ledger.clear()
        self.answers.clear()
        self.recogniser.clear()
        if processors:
            self.service.registry.clear()
            self.service.changed()
        if storage:
            self.objects.clear()
        kept = [
            record for record in self.state.records() if record.get("do") == "processor" and not processors
        ]
        self.state.rewrite(kept)

    def set_faults(self, profile: str, changes: dict[str, Any]) -> None:
        """Put a fault profile in force.

        Raises
        ------
        UsageError
            If there is no such profile or fault.
        """
        self.service.faults = make_faults(profile, changes)

    def stats(self) -> dict[str, Any]:
        """Sums of the books, and quotas in use."""
        books, now_ns = self.service.books, self.clock.now_ns()
        states: dict[str, int] = {}
        for operation in self.service.operations.values():
            states[operation.state] = states.get(operation.state, 0) + 1
        return {
            "calls": books.calls_ok + books.calls_refused,
            "calls_ok": books.calls_ok,
            "calls_refused": books.calls_refused,
            "replies_lost": books.replies_lost,
            "duplicates": books.duplicates,
            "pages_billed": books.pages_billed,
            "cost_usd": books.cost_nano_usd / 1e9,
            "in_flight": self.in_flight,
            "codes": dict(books.codes),
            "methods": dict(books.methods),
            "operations": states,
            "quotas": self.service.quotas.in_use(now_ns),
            "at_ns": now_ns,
            "rows": self.ledger.rows,
        }

    def limits(self) -> dict[str, Any]:
        """Quotas by region, what was changed of the book, and how fast a minute passes."""
        book = self.config.server.limits
        return {
            "quotas": {
                name: {region: book.quota(name, region) for region in ("us", "eu", "single")}
                for name in book.quotas
            },
            "overrides": dict(book.overrides),
            "speed": self.config.speed,
        }

    async def close(self) -> None:
        """Let go of files, threads and children."""
        await self.answers.drain()
        await self.recogniser.close()
        self.state.close()
        self.ledger.close()
        self.objects.close()
        if self._temporary is not None:
            self._temporary.cleanup()
