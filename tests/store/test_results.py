"""Stored results: what was put is found, what is damaged is not, and sealing never loses anything."""

from __future__ import annotations

import dataclasses
import os
import pickle
import shutil
import struct
import subprocess
import sys
import uuid
import zipfile
import zlib
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from docdask.errors import StorageError
from docdask.model import Facts
from docdask.store import codec, files
from docdask.store.results import Results

UNITS = [f"{n:032x}" for n in range(8)]


def facts(unit_id=UNITS[0], **changes):
    made = Facts(
        unit_id=unit_id, document_id="d" * 16, first_page=1, pages=2, engine="offline/1", processor="offline",
        processor_version="1", worker="w-0", attempt=1, queued_at_ns=1, started_at_ns=2, ended_at_ns=3, seconds=0.5,
        request_bytes=10, response_bytes=20, code="OK", notes={"sources": {"1": "ocr"}},
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


@pytest.fixture(params=["local", "memory"])
def results(request, tmp_path):
    url = str(tmp_path / "run") if request.param == "local" else f"memory://results-{uuid.uuid4().hex}"
    return Results(url)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
any_facts = st.builds(
    facts,
    unit_id=st.sampled_from(UNITS),
    reason=texts,
    seconds=st.floats(0, 1e6),
    ended_at_ns=st.integers(0, 2**62),
    notes=st.dictionaries(texts, st.one_of(st.none(), st.booleans(), st.integers(), texts), max_size=3),
)


class TestCodec:
    @given(any_facts, st.one_of(st.none(), st.binary(max_size=2000)))
    def test_what_is_encoded_is_decoded(self, given_facts, document):
        data = codec.encode(given_facts, document)
        assert codec.decode(data) == (given_facts, document)
        assert codec.decode_facts(data[: codec.head_bytes(data)], len(data)) == given_facts

    @given(st.data())
    def test_no_damage_is_taken_for_a_result(self, data):
        """Cut it anywhere, or change any byte: the same result or none, never another."""
        whole = (facts(reason="why"), b"a protobuf " * 20)
        stored = codec.encode(*whole)
        cut = data.draw(st.integers(0, len(stored) - 1))
        assert codec.decode(stored[:cut]) is None
        assert codec.decode(stored + b"more") is None
        at, flip = data.draw(st.integers(0, len(stored) - 1)), data.draw(st.integers(1, 255))
        changed = bytearray(stored)
        changed[at] ^= flip
        assert codec.decode(bytes(changed)) in (None, whole)

    @given(st.binary(max_size=200))
    def test_any_bytes_are_no_result_and_no_error(self, data):
        assert codec.decode(data) is None

    def test_a_zstd_reader_that_knows_nothing_of_docdask_gets_the_protobuf(self):
        stored = codec.encode(facts(), b"protobuf" * 100)
        with zstandard.ZstdDecompressor().stream_reader(stored, read_across_frames=True) as reader:
            assert reader.read() == b"protobuf" * 100

    def test_a_unit_that_failed_for_good_is_its_facts_alone(self):
        stored = codec.encode(facts(code="corrupt"), None)
        assert codec.head_bytes(stored) == len(stored)

    def test_facts_of_a_newer_docdask_are_read(self):
        stored = codec.encode(facts(), None)
        text = stored[8:-9].replace(b'"attempt":1', b'"attempt":1,"novelty":7')
        head = b"%s\n%08x" % (text, zlib.crc32(text))
        assert codec.decode(struct.pack("<II", 0x184D2A50, len(head)) + head) == (facts(), None)


class TestPutAndLoad:
    def test_what_was_put_is_loaded(self, results):
        results.put(3, facts(), b"document")
        assert results.load(3, UNITS[0]) == (facts(), b"document")
        assert results.finished(3) == results.finished(3, verify=False) == {UNITS[0]: facts()}
        assert results.partitions() == [3]

    def test_what_was_not_put_is_absent(self, results):
        assert results.load(0, UNITS[0]) is None
        assert results.finished(0) == {}
        assert results.partitions() == []
        assert results.seal(0) == 0

    def test_putting_again_replaces(self, results):
        results.put(0, facts(attempt=1), b"old")
        results.put(0, facts(attempt=2), b"new")
        assert results.load(0, UNITS[0]) == (facts(attempt=2), b"new")

    def test_facts_longer_than_a_head_are_found(self, results):
        chatty = facts(notes={"log": "x" * (3 * codec.HEAD_BYTES)})
        results.put(0, chatty, b"document")
        assert results.finished(0) == results.finished(0, verify=False) == {UNITS[0]: chatty}
        results.seal(0)
        assert results.finished(0) == results.finished(0, verify=False) == {UNITS[0]: chatty}

    def test_they_travel_to_another_process(self, results):
        again = pickle.loads(pickle.dumps(results))
        results.put(0, facts(), b"document")
        assert again.load(0, UNITS[0]) == (facts(), b"document")

    def test_an_unwritable_place_is_told_with_a_remedy(self, tmp_path):
        (tmp_path / "run").write_text("a file where a folder is wanted")
        with pytest.raises(StorageError, match="not a folder") as caught:
            Results(str(tmp_path / "run")).put(0, facts(), b"")
        assert caught.value.remedy

    def test_a_full_disk_leaves_nothing_behind(self, tmp_path, monkeypatch):
        results = Results(str(tmp_path))
        results.put(0, facts(), b"old")

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(StorageError, match="no space left"):
            results.put(0, facts(), b"new")
        monkeypatch.undo()
        assert [p.name for p in (tmp_path / "results/part-00000").iterdir()] == [f"{UNITS[0]}.pb.zst"]
        assert results.load(0, UNITS[0]) == (facts(), b"old")


class TestSeal:
    def test_one_container_and_no_loose_file_is_left(self, tmp_path):
        results = Results(str(tmp_path))
        for unit in UNITS:
            results.put(12, facts(unit), unit.encode())
        assert results.seal(12, UNITS) == len(UNITS)
        assert [p.name for p in (tmp_path / "results").iterdir()] == ["part-00012.zip"]
        assert {unit: results.load(12, unit)[1] for unit in UNITS} == {unit: unit.encode() for unit in UNITS}
        assert results.finished(12) == {unit: facts(unit) for unit in UNITS}

    def test_any_zip_tool_opens_it(self, tmp_path):
        results = Results(str(tmp_path))
        results.put(0, facts(), b"document")
        results.seal(0)
        with zipfile.ZipFile(tmp_path / "results/part-00000.zip") as container:
            assert container.testzip() is None
            assert codec.decode(container.read(f"{UNITS[0]}.pb.zst")) == (facts(), b"document")

    def test_only_the_units_named_are_moved(self, results):
        for unit in UNITS[:2]:
            results.put(0, facts(unit), b"document")
        assert results.seal(0, UNITS[:1]) == 1
        assert set(results.finished(0)) == set(UNITS[:2])
        assert results.seal(0) == 1

    def test_sealing_twice_is_harmless(self, results):
        results.put(0, facts(), b"document")
        assert [results.seal(0), results.seal(0)] == [1, 0]
        assert results.load(0, UNITS[0]) == (facts(), b"document")

    def test_sealing_again_adds_to_what_is_there(self, results):
        results.put(0, facts(UNITS[0]), b"first")
        results.seal(0)
        results.put(0, facts(UNITS[1]), b"second")
        results.put(0, facts(UNITS[0], attempt=2), b"better")
        results.seal(0)
        with results.mapping(0) as found:
            assert {unit: loaded[1] for unit, loaded in found.items()} == {
                UNITS[0]: b"better",
                UNITS[1]: b"second",
            }
            assert len(found) == 2

    def test_a_crash_between_container_and_removal_loses_nothing(self, tmp_path, monkeypatch):
        results = Results(str(tmp_path))
        results.put(0, facts(), b"document")

        def crash(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(files, "remove", crash)
        with pytest.raises(KeyboardInterrupt):
            results.seal(0)
        monkeypatch.undo()
        assert results.load(0, UNITS[0]) == (facts(), b"document")
        assert results.finished(0) == {UNITS[0]: facts()}
        assert results.seal(0) == 1
        assert results.load(0, UNITS[0]) == (facts(), b"document")
        assert [p.name for p in (tmp_path / "results").iterdir()] == ["part-00000.zip"]

    def test_a_crash_while_the_container_is_written_loses_nothing(self, tmp_path, monkeypatch):
        results = Results(str(tmp_path))
        results.put(0, facts(UNITS[0]), b"first")
        results.seal(0)
        results.put(0, facts(UNITS[1]), b"second")

        def crash(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(zipfile.ZipFile, "writestr", crash)
        with pytest.raises(StorageError):
            results.seal(0)
        monkeypatch.undo()
        assert set(results.finished(0)) == set(UNITS[:2])
        assert not list((tmp_path / "results").glob(".*"))

    def test_a_reader_keeps_its_container_while_it_is_replaced(self, results):
        results.put(0, facts(UNITS[0]), b"first")
        results.seal(0)
        with results.mapping(0) as found:
            results.put(0, facts(UNITS[1]), b"second")
            results.seal(0)
            assert found[UNITS[0]] == (facts(UNITS[0]), b"first")


class TestDamage:
    """Whatever is not whole counts as absent, and putting it again mends it."""

    def damage(self, path, keep):
        path.write_bytes(path.read_bytes()[:keep])

    @pytest.mark.parametrize("keep", [0, 5, 100, -1])
    def test_a_loose_result_that_is_cut_short(self, tmp_path, keep):
        results = Results(str(tmp_path))
        results.put(0, facts(), b"document")
        self.damage(tmp_path / f"results/part-00000/{UNITS[0]}.pb.zst", keep)
        assert results.load(0, UNITS[0]) is None
        assert results.finished(0) == results.finished(0, verify=False) == {}
        results.put(0, facts(), b"document")
        assert results.load(0, UNITS[0]) == (facts(), b"document")

    def test_a_flipped_byte_in_the_document_shows_when_verified(self, tmp_path):
        results = Results(str(tmp_path))
        results.put(0, facts(), b"document" * 50)
        path = tmp_path / f"results/part-00000/{UNITS[0]}.pb.zst"
        data = bytearray(path.read_bytes())
        data[-10] ^= 1
        path.write_bytes(data)
        assert set(results.finished(0, verify=False)) == {UNITS[0]}
        assert results.finished(0) == {}

    def test_a_damaged_entry_leaves_the_others_readable_and_is_mended_by_sealing(self, tmp_path):
        results = Results(str(tmp_path))
        for unit in UNITS[:3]:
            results.put(0, facts(unit), unit.encode() * 10)
        results.seal(0)
        path = tmp_path / "results/part-00000.zip"
        with zipfile.ZipFile(path) as container:
            info = container.getinfo(f"{UNITS[1]}.pb.zst")
        data = bytearray(path.read_bytes())
        data[info.header_offset + 100] ^= 255
        path.write_bytes(data)
        assert set(results.finished(0)) == {UNITS[0], UNITS[2]}
        results.put(0, facts(UNITS[1]), b"again")
        results.seal(0)
        assert results.load(0, UNITS[1]) == (facts(UNITS[1]), b"again")
        assert set(results.finished(0)) == set(UNITS[:3])

    def test_a_container_that_is_cut_short_is_no_container(self, tmp_path):
        results = Results(str(tmp_path))
        results.put(0, facts(), b"document")
        results.seal(0)
        self.damage(tmp_path / "results/part-00000.zip", 50)
        assert results.finished(0) == {}
        results.put(0, facts(), b"document")
        results.seal(0)
        assert results.load(0, UNITS[0]) == (facts(), b"document")

    def test_a_damaged_loose_result_does_not_hide_the_sealed_one(self, tmp_path):
        results = Results(str(tmp_path))
        results.put(0, facts(), b"document")
        results.seal(0)
        folder = tmp_path / "results/part-00000"
        folder.mkdir()
        (folder / f"{UNITS[0]}.pb.zst").write_bytes(b"torn")
        assert results.load(0, UNITS[0]) == (facts(), b"document")
        assert results.finished(0) == {UNITS[0]: facts()}
        results.seal(0)
        assert results.load(0, UNITS[0]) == (facts(), b"document")

    def test_temporary_files_are_no_results(self, tmp_path):
        results = Results(str(tmp_path))
        results.put(0, facts(), b"document")
        folder = tmp_path / "results/part-00000"
        shutil.copy(folder / f"{UNITS[0]}.pb.zst", folder / f".{UNITS[1]}.pb.zst.0-1-2.tmp")
        assert set(results.finished(0)) == {UNITS[0]}


def test_a_writer_killed_in_the_middle_leaves_old_or_new(tmp_path):
    """A process that only overwrites one result is killed four times; what is there is always whole."""
    program = (
        "import sys\n"
        "from docdask.store.results import Results\n"
        "from tests.store.test_results import facts\n"
        "results = Results(sys.argv[1])\n"
        "n = 0\n"
        "while True:\n"
        "    n += 1\n"
        "    results.put(0, facts(attempt=n), b'%d ' % n * 20000)\n"
        "    if n == 1: print('ready', flush=True)\n"
    )
    results = Results(str(tmp_path))
    command = [sys.executable, "-c", program, str(tmp_path)]
    for _ in range(4):
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
            assert process.stdout.readline() == b"ready\n"
            process.kill()
        stored, document = results.load(0, UNITS[0])
        assert document == b"%d " % stored.attempt * 20000
