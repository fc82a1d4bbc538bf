"""Group commit: order, retries, and what a ledger that nobody writes to costs."""

from __future__ import annotations

import asyncio

from docdask.core.ledger import Record
from docdask.engine import committer
from docdask.engine.committer import Committer
from docdask.errors import StorageError
from docdask.store.ledger import LocalWriter, read_ledger


def record(sequence):
    return Record(sequence, 1, "intent", "u", 1, sequence, "june", "s", "us", "w", 1, 0, "", 0)


class Books:
    """A committer, and what it said."""

    def __init__(self, writer) -> None:
        self.durable = asyncio.Queue()
        self.failed = asyncio.Queue()
        self.committer = Committer(
            writer, asyncio.get_running_loop(), self.durable.put_nowait, self.failed.put_nowait
        )


class Stubborn(LocalWriter):
    """Fails as often as it was told to."""

    failures = 0

    def append(self, records):
        if self.failures:
            self.failures -= 1
            raise StorageError("the disk is full", "free space")
        super().append(records)


def test_a_ledger_at_rest_holds_neither_thread_nor_file_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(committer, "REST_S", 0.01)

    async def body():
        writer = LocalWriter(str(tmp_path / "ledger"), 1)
        books = Books(writer)
        for sequence in (1, 2, 3):
            books.committer.add(record(sequence))
            assert await books.durable.get() == sequence
            thread = books.committer._thread
            if thread is not None:
                await asyncio.to_thread(thread.join)
            assert books.committer._thread is None
            assert writer._file is None

    asyncio.run(asyncio.wait_for(body(), 30))
    reading = read_ledger(str(tmp_path))
    assert (len(reading.records), reading.whole) == (3, True)


def test_what_could_not_be_written_comes_before_what_follows(tmp_path, monkeypatch):
    monkeypatch.setattr(committer, "RETRY_S", 0.01)

    async def body():
        writer = Stubborn(str(tmp_path / "ledger"), 1)
        writer.failures = 2
        books = Books(writer)
        books.committer.add(record(1))
        assert (await books.failed.get()).startswith("the disk is full")
        books.committer.add(record(2))
        while await books.durable.get() < 2:
            pass
        await asyncio.to_thread(books.committer.close)

    asyncio.run(asyncio.wait_for(body(), 30))
    assert [r.sequence for r in read_ledger(str(tmp_path)).records] == [1, 2]


def test_what_is_left_when_it_ends_can_be_taken(tmp_path):
    async def body():
        writer = Stubborn(str(tmp_path / "ledger"), 1)
        writer.failures = 10
        books = Books(writer)
        for sequence in (1, 2):
            books.committer.add(record(sequence))
        await books.failed.get()
        await asyncio.to_thread(books.committer.close)
        assert [r.sequence for r in books.committer.left()] == [1, 2]
        assert books.committer.left() == []

    asyncio.run(asyncio.wait_for(body(), 30))
