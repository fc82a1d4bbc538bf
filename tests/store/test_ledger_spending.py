"""A ledger that goes on being written is added up as it grows, and never read twice."""

from __future__ import annotations

import builtins
import json
import os
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from docdask.core.segments import encode_record
from docdask.core.spending import Spent
from docdask.errors import StorageError
from docdask.store.ledger import open_writer, totals
from docdask.store.spending import KEPT, FollowedLedger
from tests.core.test_ledger import ledgers, record


@pytest.fixture(params=["disk", "store"])
def url(request, tmp_path):
    return str(tmp_path / "run") if request.param == "disk" else f"memory://{uuid.uuid4().hex}/run"


def whole(url):
    found = totals(url)
    return Spent(found.pages_billed, found.micros_billed, found.pages_at_risk, found.micros_at_risk)


def test_without_a_ledger_nothing_was_spent(url):
    followed = FollowedLedger(url)
    assert followed.sizes() == {}
    assert followed.spent() == Spent()


def test_what_is_added_is_read_on(url):
    followed = FollowedLedger(url)
    first = open_writer(url, 1)
    first.append([record(1, "intent"), record(2, "intent", "v", 2, pages=10, micros=15_000)])
    assert followed.spent() == Spent(0, 0, 13, 19_500)
    first.append([record(3, "answered"), record(4, "lost", "v", 2)])
    assert followed.spent() == Spent(3, 4500, 10, 15_000)
    first.close()
    second = open_writer(url, 2)
    second.append([record(5, "answered", "v", 2, pages=9, micros=13_500, epoch=2)])
    assert followed.spent() == Spent(12, 18_000, 0, 0) == whole(url)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ledgers(), st.lists(st.integers(1, 12), min_size=4, max_size=4))
def test_at_any_moment_it_says_what_a_reader_from_the_beginning_says(url, records, sizes):
    url = f"{url}-{uuid.uuid4().hex}"
    followed = FollowedLedger(url)
    for epoch, size in enumerate(sizes, 1):
        group, records = records[:size], records[size:]
        writer = open_writer(url, epoch)
        writer.append([r._replace(epoch=epoch) for r in group])
        assert followed.spent() == whole(url)
        followed.keep()
        assert FollowedLedger(url).spent() == whole(url)
        writer.close()


def test_a_ledger_that_did_not_grow_is_not_opened(tmp_path, monkeypatch):
    writer = open_writer(str(tmp_path), 1)
    writer.append([record(1, "intent"), record(2, "answered")])
    followed = FollowedLedger(str(tmp_path))
    assert followed.spent().pages == 3
    monkeypatch.setattr(builtins, "open", None)
    assert followed.spent().pages == 3


def test_a_line_that_is_being_written_waits_for_its_end(tmp_path):
    path = tmp_path / "ledger" / "epoch-00001.jsonl"
    path.parent.mkdir()
    data = encode_record(record(1, "intent")) + encode_record(record(2, "answered"))
    followed = FollowedLedger(str(tmp_path))
    for cut in range(0, len(data) + 1, 7):
        path.write_bytes(data[:cut])
        assert followed.spent() == whole(str(tmp_path))
    path.write_bytes(data)
    assert followed.spent() == Spent(3, 4500, 0, 0)


def test_a_segment_that_was_cut_or_damaged_is_read_anew(tmp_path):
    path = tmp_path / "ledger" / "epoch-00001.jsonl"
    path.parent.mkdir()
    first, second, third = (
        encode_record(row)
        for row in (record(1, "intent"), record(2, "answered"), record(3, "intent", fence=2))
    )
    path.write_bytes(first + second)
    followed = FollowedLedger(str(tmp_path))
    assert followed.spent() == Spent(3, 4500, 0, 0)
    path.write_bytes(first)
    assert followed.spent() == Spent(0, 0, 3, 4500)
    path.write_bytes(first + b"damaged\n" + third)
    assert followed.spent() == whole(str(tmp_path)) == Spent(0, 0, 6, 9000)


def test_of_two_governors_that_wrote_at_once_the_later_counts(tmp_path):
    folder = tmp_path / "ledger"
    folder.mkdir()
    (folder / "epoch-00001.jsonl").write_bytes(
        encode_record(record(1, "intent")) + encode_record(record(2, "answered"))
    )
    followed = FollowedLedger(str(tmp_path))
    assert followed.spent().pages == 3
    (folder / "epoch-00002.jsonl").write_bytes(encode_record(record(2, "failed", pages=0, micros=0, epoch=2)))
    assert followed.spent() == whole(str(tmp_path)) == Spent()


def test_what_failed_half_read_is_read_again(tmp_path, monkeypatch):
    writer = open_writer(str(tmp_path), 1)
    writer.append([record(1, "intent")])
    followed = FollowedLedger(str(tmp_path))
    followed.spent()
    writer.append([record(2, "answered")])

    def broken(*_args, **_more):
        raise OSError(5, os.strerror(5))

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "open", broken)
        with pytest.raises(StorageError):
            followed.spent()
    assert followed.spent() == Spent(3, 4500, 0, 0)


def reads(monkeypatch):
    """Bytes that are read of segments from now on."""
    seen = []
    original = FollowedLedger._segments

    def counted(self, names, sizes):
        for name, blocks in original(self, names, sizes):
            held = list(blocks)
            seen.append(sum(map(len, held)))
            yield name, held

    monkeypatch.setattr(FollowedLedger, "_segments", counted)
    return seen


def test_another_process_goes_on_where_the_driver_was(url, monkeypatch):
    writer = open_writer(url, 1)
    writer.append([record(1, "intent"), record(2, "intent", "v", 2)])
    writer.append([record(3, "answered")])
    driver = FollowedLedger(url)
    driver.spent()
    driver.keep()
    writer.append([record(4, "answered", "v", 2)])
    seen = reads(monkeypatch)
    assert FollowedLedger(url).spent() == Spent(6, 9000, 0, 0) == whole(url)
    assert sum(seen) == len(encode_record(record(4, "answered", "v", 2)))


@pytest.mark.parametrize(
    "kept",
    [
        b"",
        b"[]",
        b'{"read": {}}',
        b'{"read": {"epoch-00001": ["epoch-00001.jsonl", 9999]}, "version": 1, "sequence": 2, "pages": 70, "micros": 1, "open": []}',
        b'{"read": {"epoch-00009": ["epoch-00009.jsonl", 1]}, "version": 1, "sequence": 2, "pages": 70, "micros": 1, "open": []}',
        b'{"read": {"epoch-00001": ["epoch-00001.jsonl", 30]}, "version": 1, "sequence": 0, "pages": 70, "micros": 1, "open": []}',
        b'{"read": {"epoch-00001": "x"}, "version": 1, "sequence": 2, "pages": 70, "micros": 1, "open": []}',
    ],
)
def test_what_was_kept_of_another_ledger_counts_for_nothing(tmp_path, kept):
    writer = open_writer(str(tmp_path), 1)
    writer.append([record(1, "intent"), record(2, "answered")])
    (tmp_path / KEPT).write_bytes(kept)
    assert FollowedLedger(str(tmp_path)).spent() == Spent(3, 4500, 0, 0)


def test_what_was_kept_under_other_rules_counts_for_nothing(tmp_path):
    writer = open_writer(str(tmp_path), 1)
    writer.append([record(1, "intent"), record(2, "answered")])
    driver = FollowedLedger(str(tmp_path))
    driver.spent()
    driver.keep()
    kept = json.loads((tmp_path / KEPT).read_text())
    for version, pages in ((kept["version"], 70), (kept["version"] + 1, 3)):
        (tmp_path / KEPT).write_text(json.dumps({**kept, "pages": 70, "version": version}))
        assert FollowedLedger(str(tmp_path)).spent().pages == pages
