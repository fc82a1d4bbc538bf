"""The ledger on storage: segments a governor, on disks and on stores without append, torn ones and full disks."""

from __future__ import annotations

import errno
import os
import shutil

import pytest

from docdask.core.ledger import Record, fold
from docdask.errors import StorageError
from docdask.store.ledger import LocalWriter, canonical, next_epoch, open_writer, read_ledger, records, totals


def record(sequence: int, kind: str = "intent", *, epoch: int = 1, unit: str = "u1") -> Record:
    return Record(sequence, epoch, kind, unit, 1, 1, "june", "s", "us", "w", 3, 0, "", 10**18 + sequence)


@pytest.fixture(params=["disk", "store"])
def url(request, tmp_path):
    if request.param == "disk":
        return str(tmp_path / "run")
    return f"memory://{tmp_path}/run"


def test_what_was_appended_is_read_back_over_several_governors(url):
    first = open_writer(url, 1)
    first.append([record(1), record(2, "answered")])
    first.append([record(3, unit="u2")])
    first.close()
    second = open_writer(url, 2)
    second.append([record(4, "answered", epoch=2, unit="u2")])
    second.close()
    reading = read_ledger(url)
    assert reading.whole
    assert [r.sequence for r in reading.records] == [1, 2, 3, 4]
    assert fold(reading.records).pages_billed == 6


def test_a_run_without_a_ledger_reads_as_empty(url):
    assert read_ledger(url).records == ()
    assert next_epoch(url, 0) == 1


def test_two_governors_of_one_number_find_out(url):
    open_writer(url, 1).append([record(1)])
    with pytest.raises(StorageError, match="another governor writes"):
        open_writer(url, 1)


def test_the_next_number_is_above_a_segment_that_holds_no_whole_record(tmp_path):
    writer = open_writer(str(tmp_path), 7)
    writer.close()
    assert next_epoch(str(tmp_path), 3) == 8


def test_a_torn_tail_loses_the_torn_record_alone(tmp_path):
    writer = open_writer(str(tmp_path), 1)
    writer.append([record(1), record(2)])
    writer.close()
    path = tmp_path / "ledger" / "epoch-00001.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    reading = read_ledger(str(tmp_path))
    assert [r.sequence for r in reading.records] == [1]
    assert reading.torn == ("epoch-00001.jsonl",)


def test_a_full_disk_is_told_and_leaves_nothing_that_looks_like_a_record(tmp_path, monkeypatch):
    writer = LocalWriter(str(tmp_path / "ledger"), 1)
    writer.append([record(1)])
    real = os.pwrite

    def half(file, data, offset):
        if len(data) > 20:
            return real(file, data[:20], offset)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", half)
    with pytest.raises(StorageError, match="no space left"):
        writer.append([record(2), record(3)])
    monkeypatch.setattr(os, "pwrite", real)
    writer.append([record(2)])
    writer.close()
    reading = read_ledger(str(tmp_path))
    assert [r.sequence for r in reading.records] == [1, 2]
    assert reading.whole
    assert not reading.torn


def test_one_run_directory_has_one_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = str(tmp_path / "run")
    assert canonical("run") == canonical(f"{here}/") == canonical(f"file://{here}") == here
    assert canonical("memory://bucket/run/") == canonical("memory://bucket/run")


@pytest.mark.parametrize("place", ["{}", "memory://{}"])
def test_totals_of_several_governors_are_those_of_all_records(tmp_path, place):
    url = place.format(tmp_path)
    for epoch in (1, 2):
        writer = open_writer(url, epoch)
        for first in (1, 3):
            numbers = [first + 4 * (epoch - 1), first + 1 + 4 * (epoch - 1)]
            writer.append([record(n, epoch=epoch) for n in numbers])
        writer.close()
    found = totals(url)
    assert (found.records, found.sequence, found.epoch) == (8, 8, 2)
    assert tuple(records(url)) == read_ledger(url).records
    assert found.faults.whole


def test_a_writer_that_was_closed_goes_on_where_it_was(tmp_path):
    writer = LocalWriter(str(tmp_path / "ledger"), 1)
    for number in (1, 2):
        writer.append([record(number)])
        writer.close()
    assert [r.sequence for r in records(str(tmp_path))] == [1, 2]
    shutil.rmtree(tmp_path / "ledger")
    with pytest.raises(StorageError, match="epoch-00001"):
        writer.append([record(3)])
