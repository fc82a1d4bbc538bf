"""The run directory: made once, opened by anybody, refused when it is not what is asked for."""

from __future__ import annotations

import errno
import json
import os
import pickle
import subprocess
import sys
import uuid

import pyarrow as pa
import pytest

from docdask import errors
from docdask.store import files, lock
from docdask.store.catalog import to_table
from docdask.store.manifest import Manifest
from docdask.store.plan import PLAN
from docdask.store.run import RunDirectory

MADE = Manifest("offline", "1", {"dpi": 200})


@pytest.fixture(params=["local", "memory"])
def url(request, tmp_path):
    return str(tmp_path / "run") if request.param == "local" else f"memory://run-{uuid.uuid4().hex}"


def planned(*documents, partition=0, **columns):
    rows = [{"partition": partition, "document_id": d, "uri": f"/{d}", **columns} for d in documents]
    return pa.Table.from_pylist(rows)


def found(*documents, state="ready", **columns):
    return to_table([{"document_id": d, "state": state, "uri": f"/{d}", **columns} for d in documents])


class TestBeginning:
    def test_what_was_created_is_opened(self, url):
        run = RunDirectory.create(url, MADE)
        again = RunDirectory.open(url, MADE)
        assert again.url == run.url
        assert again.manifest().engine_id == "offline/1"
        assert again.manifest().created_at
        assert again.manifest().docdask_version

    def test_creating_again_with_the_same_options_joins(self, url):
        first = RunDirectory.create(url, MADE).manifest()
        assert RunDirectory.create(url, MADE).manifest() == first

    def test_other_options_are_refused_and_named(self, url):
        RunDirectory.create(url, MADE)
        other = Manifest("offline", "2", {"dpi": 300, "rotate": True}, tokens=True)
        with pytest.raises(errors.RunMismatch) as caught:
            RunDirectory.create(url, other)
        for part in (
            "engine version: '1' there, '2' here",
            "dpi: 200 there, 300 here",
            "rotate: not set there",
            "tokens: False there",
        ):
            assert part in caught.value.message

    def test_only_what_differs_is_named_however_deep_it_is(self):
        ocr = {"type": "OCR_PROCESSOR", "options": {}, "imageless": True}
        made = {"processors": {"ocr": ocr}, "routes": [{"name": "all", "processor": "ocr"}]}
        asked = {
            "processors": {"ocr": {**ocr, "imageless": False}, "invoice": {"type": "INVOICE_PROCESSOR"}},
            "routes": [{"name": "all", "processor": "invoice"}],
        }
        there, here = (Manifest("documentai", "1", options, tokens=False) for options in (made, asked))
        assert there.differences(here) == [
            "processors invoice: not set there, set here",
            "processors ocr imageless: True there, False here",
            "routes 1 processor: 'ocr' there, 'invoice' here",
        ]

    def test_of_another_engine_nothing_else_is_named(self):
        there = Manifest("emulator", "1", {"project": "emulated"}, tokens=False)
        here = Manifest("documentai", "2", {"project": "p"}, tokens=True)
        assert there.differences(here) == ["engine: 'emulator' there, 'documentai' here"]

    def test_where_there_is_nothing_the_remedy_says_how_to_make_one(self, url):
        with pytest.raises(errors.RunNotFound, match="does not exist") as caught:
            RunDirectory.open(url)
        assert "docdask plan" in caught.value.remedy

    def test_a_folder_that_is_no_run_is_told(self, tmp_path):
        with pytest.raises(errors.RunNotFound, match="no run directory"):
            RunDirectory.open(str(tmp_path))

    def test_a_folder_with_other_things_is_not_taken(self, tmp_path):
        (tmp_path / "thesis.docx").write_text("")
        with pytest.raises(errors.RunError, match=r"thesis\.docx"):
            RunDirectory.create(str(tmp_path), MADE)

    def test_a_run_of_another_format_version_is_refused(self, url):
        run = RunDirectory.create(url, MADE)
        run.write_json("docdask.json", {**MADE.to_json(), "format_version": 99, "docdask_version": "9.1"})
        with pytest.raises(errors.RunVersion, match="99") as caught:
            RunDirectory.open(url)
        assert "9.1" in caught.value.remedy

    @pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format_version": 1}'])
    def test_a_damaged_manifest_is_one_sentence(self, tmp_path, content):
        (tmp_path / "docdask.json").write_text(content)
        with pytest.raises(errors.StorageError, match="damaged"):
            RunDirectory.open(str(tmp_path))

    def test_an_unknown_protocol_is_one_sentence(self):
        with pytest.raises(errors.StorageError, match="nosuch"):
            RunDirectory("nosuch://bucket/run")

    @pytest.mark.parametrize(
        ("code", "told"),
        [(errno.EACCES, "denied"), (errno.EROFS, "read-only"), (errno.ENOSPC, "no space left")],
    )
    def test_a_folder_that_can_not_be_written_is_told(self, tmp_path, monkeypatch, code, told):
        def refuse(*_):
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(os, "open", refuse)
        with pytest.raises(errors.StorageError, match=told) as caught:
            RunDirectory.create(str(tmp_path / "run"), MADE)
        assert caught.value.remedy
        assert caught.value.exit_code == 4

    def test_a_file_in_the_way_is_told(self, tmp_path):
        (tmp_path / "run").write_text("")
        with pytest.raises(errors.StorageError, match="not a folder"):
            RunDirectory.create(str(tmp_path / "run"), MADE)

    def test_it_travels_as_its_url(self, url):
        run = RunDirectory.create(url, MADE)
        assert pickle.loads(pickle.dumps(run)).manifest() == run.manifest()

    def test_a_relative_path_means_the_same_elsewhere(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        run = RunDirectory("runs/june")
        monkeypatch.chdir("/")
        assert pickle.loads(pickle.dumps(run)).root == str(tmp_path / "runs/june")


class TestFiles:
    def test_json_comes_back(self, url):
        run = RunDirectory(url)
        run.write_json("status.json", {"state": "läuft"})
        assert run.read_json("status.json") == {"state": "läuft"}
        assert run.read_json("nothing.json") is None

    def test_nothing_temporary_is_listed(self, tmp_path):
        run = RunDirectory(str(tmp_path))
        run.write("a/b", b"1")
        (tmp_path / "a" / ".b.1-2-3.tmp").write_text("torn")
        assert run.names("a") == ["b"]
        assert run.names("missing") == []

    def test_a_failed_write_keeps_the_old_content(self, tmp_path, monkeypatch):
        run = RunDirectory(str(tmp_path))
        run.write("a", b"old")

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(errors.StorageError, match="no space left") as caught:
            run.write("a", b"new")
        assert "free some space" in caught.value.remedy
        monkeypatch.undo()
        assert run.read("a") == b"old"
        assert [path.name for path in tmp_path.iterdir()] == ["a"]

    def test_what_a_remote_driver_raises_is_one_sentence(self):
        class Broken:
            protocol = "s3"

            def pipe_file(self, path, data):
                raise RuntimeError("403 Forbidden")

        with pytest.raises(errors.StorageError, match="403 Forbidden"):
            files.atomic_write(Broken(), "bucket/x", b"")

    def test_a_damaged_parquet_file_is_one_sentence(self, url):
        run = RunDirectory(url)
        run.write("x.parquet", b"PAR1 not really")
        with pytest.raises(errors.StorageError, match="damaged"):
            run.read_parquet("x.parquet")


class TestCatalog:
    def test_the_latest_row_of_each_document_holds(self, url):
        run = RunDirectory(url)
        assert len(run.catalog()) == 0
        run.append_catalog(found("a", "b"))
        run.append_catalog(found("b", state="skipped"))
        run.append_catalog(found("c"))
        assert run.catalog().select(["document_id", "state"]).to_pylist() == [
            {"document_id": "a", "state": "ready"},
            {"document_id": "b", "state": "skipped"},
            {"document_id": "c", "state": "ready"},
        ]

    def test_of_some_documents_the_latest_rows_are_read(self, url):
        run = RunDirectory(url)
        run.append_catalog(found("a", "b"))
        run.append_catalog(found("c", "b", state="skipped"))
        rows = run.catalog(["state"], of={"b", "a", "nobody"}).to_pylist()
        assert rows == [{"document_id": "a", "state": "ready"}, {"document_id": "b", "state": "skipped"}]
        assert len(run.catalog(of=[])) == 0

    def test_only_the_columns_asked_for_are_read(self, url):
        run = RunDirectory(url)
        run.append_catalog(found("a"))
        assert run.catalog(["state"]).column_names == ["document_id", "state"]

    def test_columns_of_the_source_list_keep_one_dtype(self, url):
        run = RunDirectory(url)
        run.append_catalog(found("a", columns=json.dumps({"customer": 1, "note": None, "paid": True})))
        assert run.columns() == {"customer": "int64", "note": "string", "paid": "bool"}
        run.append_catalog(found("b", columns=json.dumps({"customer": 1.5, "branch": "Köln", "paid": "yes"})))
        assert run.columns() == {
            "customer": "float64",
            "note": "string",
            "paid": "string",
            "branch": "string",
        }


class TestPlan:
    def test_generations_add_up(self, url):
        run = RunDirectory(url)
        assert run.plan().schema.equals(PLAN)
        run.append_plan(0, planned("a", "b", ranges=["1-2", "3-3"], unit_ids=["u", "v"]), {"documents": 2})
        run.append_plan(1, planned("c", partition=1), {"documents": 1})
        assert run.plan()["document_id"].to_pylist() == ["a", "b", "c"]
        assert run.plan()["generation"].to_pylist() == [0, 0, 1]
        assert run.plan()["ranges"].to_pylist() == [["1-2", "3-3"], ["1-2", "3-3"], None]
        assert run.generations() == [0, 1]
        assert [run.plan_summary(n) for n in (0, 1, 2)] == [{"documents": 2}, {"documents": 1}, {}]

    def test_a_generation_is_never_changed(self, url):
        run = RunDirectory(url)
        run.append_plan(0, planned("a"), {})
        with pytest.raises(ValueError, match="there already"):
            run.append_plan(0, planned("b"), {})

    def test_a_plan_without_partitions_is_refused(self, url):
        with pytest.raises(ValueError, match="partition"):
            RunDirectory(url).append_plan(0, planned("a").drop_columns(["partition"]), {})

    def test_the_current_plan_forgets_what_no_longer_holds(self, url):
        run = RunDirectory(url)
        run.append_catalog(found("same", "changed", "broken", sha256="1"))
        run.append_plan(0, planned("same", "changed", "broken", sha256="1"), {})
        assert run.plan(current=True)["document_id"].to_pylist() == ["same", "changed", "broken"]
        run.append_catalog(found("changed", sha256="2"))
        run.append_catalog(found("broken", sha256="2", state="quarantined"))
        assert run.plan(current=True)["document_id"].to_pylist() == ["same"]
        run.append_plan(1, planned("changed", partition=1, sha256="2"), {})
        assert run.plan(current=True).select(["document_id", "partition"]).to_pylist() == [
            {"document_id": "same", "partition": 0},
            {"document_id": "changed", "partition": 1},
        ]
        assert len(run.plan()) == 4


class TestLock:
    def test_one_driver_at_a_time(self, url, monkeypatch):
        monkeypatch.setattr(lock, "SETTLE_S", 0)
        run = RunDirectory.create(url, MADE)
        with run.lock() as held:
            held.check()
            with pytest.raises(errors.RunLocked, match=str(os.getpid())) as caught:
                run.lock()
            assert run.url in caught.value.remedy
        with run.lock() as held:
            held.release()
            held.release()

    def test_a_killed_driver_lets_go(self, tmp_path):
        run = RunDirectory.create(str(tmp_path / "run"), MADE)
        program = (
            "import sys, time\n"
            "from docdask.store.run import RunDirectory\n"
            "held = RunDirectory(sys.argv[1]).lock()\n"
            "print('held', flush=True)\n"
            "time.sleep(60)\n"
        )
        with subprocess.Popen([sys.executable, "-c", program, run.url], stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == b"held\n"
            with pytest.raises(errors.RunLocked, match=str(process.pid)):
                run.lock()
            process.kill()
        run.lock().release()


class Clock:
    """A clock that moves when somebody sleeps."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class TestLease:
    """Object stores: the lease, with a clock of its own."""

    @pytest.fixture
    def store(self):
        return RunDirectory(f"memory://lease-{uuid.uuid4().hex}")

    def take(self, store, clock, sleep=None):
        return lock.LeaseLock(
            store.fs, store.path(".lock"), store.url, clock=clock, sleep=sleep or clock.sleep
        )

    def test_an_abandoned_lease_is_taken_over_after_half_a_minute(self, store):
        clock = Clock()
        abandoned = self.take(store, clock)
        clock.now += 29
        with pytest.raises(errors.RunLocked):
            self.take(store, clock)
        clock.now += 2
        with self.take(store, clock) as mine:
            mine.check()
            with pytest.raises(errors.RunLocked):
                abandoned.check()
            abandoned.release()
            mine.check()

    def test_a_renewed_lease_holds(self, store):
        clock = Clock()
        with self.take(store, clock) as held:
            clock.now += 29
            held.renew()
            clock.now += 29
            with pytest.raises(errors.RunLocked):
                self.take(store, clock)

    def test_of_two_that_start_at_once_one_gets_it(self, store):
        clock = Clock()
        inner = []

        def sleep(_):
            clock.now += 31  # the other one finds a lease that looks abandoned, and writes its own
            inner.append(self.take(store, clock))

        with pytest.raises(errors.RunLocked):
            self.take(store, clock, sleep)
        inner[0].check()
        inner[0].release()

    def test_a_lease_that_is_no_json_is_taken_over(self, store):
        store.write(".lock", b"torn")
        self.take(store, Clock()).release()
        assert store.names("") == []
