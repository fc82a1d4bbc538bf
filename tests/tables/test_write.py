"""Tables on disk: right at any moment, for any reader, after any retry."""

from __future__ import annotations

import json
import threading

import duckdb
import pandas as pd
import pytest
from run_making import SmallRun, facts, failed, message, planned

from docdask.tables import build, schema, write


@pytest.fixture
def small(tmp_path):
    return SmallRun(str(tmp_path / "run"))


def documents(run, *columns):
    """Rows of ``documents`` as DuckDB sees them by a plain glob."""
    glob = run.path("tables", "documents", "*.parquet")
    names = ", ".join(columns or ("document_id", "outcome"))
    return sorted(duckdb.sql(f"select {names} from '{glob}'").fetchall())


def test_plain_readers_see_every_table(small):
    small.planned(planned("a", ["u"]), planned("b", ["v"], partition=1))
    small.recognised(0, facts("u", "a"), message("one"))
    small.recognised(1, failed("v", "b"), None)
    small.tabulate(0, tokens=True)
    small.tabulate(1, tokens=True)
    assert documents(small.run) == [("a", "stored"), ("b", "quarantined")]
    for table in schema.STORED:
        folder = small.run.path("tables", table.name)
        frame = pd.read_parquet(folder)
        assert list(frame.columns) == table.schema.names
        assert duckdb.sql(f"select count(*) from '{folder}/*.parquet'").fetchall() == [(len(frame),)]


def test_a_retry_replaces_and_never_adds(small):
    small.planned(planned("a", ["u"]))
    small.recognised(0, failed("u", "a"), None)
    small.tabulate(0)
    small.recognised(0, facts("u", "a", attempt=2), message("one", "two"))
    small.tabulate(0)
    small.tabulate(0)
    assert documents(small.run) == [("a", "stored")]
    assert len(pd.read_parquet(small.run.path("tables", "pages"))) == 2
    assert pd.read_parquet(small.run.path("tables", "calls"))["attempt"].tolist() == [2]


def test_readers_are_right_while_a_partition_is_rewritten(small):
    """Pages of a document are never seen doubled, torn or missing, by pandas or DuckDB, during 40 rewrites."""
    small.planned(planned("a", ["u"]), planned("b", ["v"], partition=1))
    small.recognised(0, facts("u", "a"), message(*["many words " * 50] * 20))
    small.recognised(1, facts("v", "b"), message("one"))
    small.tabulate(0)
    small.tabulate(1)
    stop = threading.Event()
    rewrites = []

    def rewrite():
        while not stop.is_set():
            small.tabulate(0)
            rewrites.append(1)

    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        glob = small.run.path("tables", "pages", "*.parquet")
        for _ in range(20):
            assert len(pd.read_parquet(small.run.path("tables", "pages"))) == 21
            assert duckdb.sql(f"select count(*), count(distinct page_number) from '{glob}'").fetchall() == [
                (21, 20)
            ]
            assert documents(small.run) == [("a", "stored"), ("b", "stored")]
    finally:
        stop.set()
        writer.join()
    assert rewrites


def test_documents_are_written_last(small, monkeypatch):
    small.planned(planned("a", ["u"]))
    small.recognised(0, facts("u", "a"), message("one"))
    written = []
    original = type(small.run).write_parquet
    monkeypatch.setattr(
        type(small.run),
        "write_parquet",
        lambda self, name, rows: (written.append(name.split("/")[1]), original(self, name, rows)),
    )
    small.tabulate(0)
    assert written[-1] == "documents"
    assert set(written) == {table.name for table in schema.STORED} - {"tokens"}
    written.clear()
    write.drop(small.run, 0, {"a"})
    assert written[0] == "documents"
    assert documents(small.run) == []


def test_dropping_leaves_the_others_and_what_is_not_there_is_no_error(small):
    small.planned(planned("a", ["u"]), planned("b", ["v"]))
    small.recognised(0, facts("u", "a"), message("one"))
    small.recognised(0, facts("v", "b"), message("two"))
    small.tabulate(0)
    assert write.drop(small.run, 0, {"a"}) == 4  # documents, pages, lines, calls
    assert write.drop(small.run, 0, {"a", "zz"}) == 0
    assert write.drop(small.run, 99, {"a"}) == 0
    assert documents(small.run) == [("b", "stored")]
    assert pd.read_parquet(small.run.path("tables", "pages"))["document_id"].tolist() == ["b"]


def test_decided_counts_the_documents_of_each_partition(small):
    assert write.decided(small.run) == {}
    small.planned(planned("a", ["u"]), planned("b", ["v"]), planned("c", ["w"], partition=3))
    small.recognised(0, facts("u", "a"), message("one"))
    small.tabulate(0)
    small.tabulate(3)
    write.write_documents(small.run, "set-aside", build.set_aside([]))
    assert write.decided(small.run) == {0: 1, 3: 0}


def test_a_file_that_the_next_scan_finds_damaged_has_one_row(small):
    """It was stored, then its file changed to something broken: the row of the partition goes."""
    small.planned(planned("a", ["u"]), planned("b", ["v"]))
    small.recognised(0, facts("u", "a"), message("one"))
    small.recognised(0, facts("v", "b"), message("two"))
    small.tabulate(0)
    broken = {
        "document_id": "a",
        "uri": "/in/a.pdf",
        "sha256": "other",
        "state": "quarantined",
        "problem": "corrupt",
    }
    small.found(broken)
    write.write_documents(small.run, "set-aside", build.set_aside([broken]))
    assert documents(small.run) == [("a", "quarantined"), ("b", "stored")]


class TestUsersColumns:
    """Extra columns of the source list: the same dtype in every file, whatever a partition holds."""

    def column(self, **values):
        return json.dumps(values)

    def test_each_partition_has_the_dtype_of_the_whole_run(self, small):
        small.planned(
            planned("a", ["u"], columns=self.column(customer=1, pages="x")),
            planned("b", ["v"], partition=1, columns=self.column(customer=2.5)),
            planned("c", ["w"], partition=2),
        )
        for partition, unit, document in ((0, "u", "a"), (1, "v", "b"), (2, "w", "c")):
            small.recognised(partition, facts(unit, document), message("one"))
            small.tabulate(partition)
        assert documents(small.run, "document_id", "customer", "source_pages", "pages") == [
            ("a", 1.0, "x", 1), ("b", 2.5, None, 1), ("c", None, None, 1),
        ]  # fmt: skip
        dtypes = {
            str(
                pd.read_parquet(small.run.path("tables", "documents", f"part-0000{n}.parquet"))[
                    "customer"
                ].dtype
            )
            for n in range(3)
        }
        assert dtypes == {"float64"}

    def test_invoices_and_set_aside_documents_have_them_too(self, small):
        small.planned(planned("a", ["u"], kind="invoice", columns=self.column(customer="X")))
        aside = {"document_id": "q", "uri": "/q", "state": "skipped", "columns": self.column(customer="Y")}
        small.found(aside)
        small.recognised(0, facts("u", "a"), message("one"))
        small.tabulate(0)
        write.write_documents(small.run, "set-aside", build.set_aside([aside]))
        assert documents(small.run, "document_id", "customer") == [("a", "X"), ("q", "Y")]
        assert pd.read_parquet(small.run.path("tables", "invoices"))["customer"].tolist() == ["X"]

    def test_a_column_that_comes_later_reaches_the_older_files(self, small):
        small.planned(planned("a", ["u"], columns=self.column(customer=1)))
        small.recognised(0, facts("u", "a"), message("one"))
        small.tabulate(0)
        small.planned(planned("b", ["v"], partition=1, columns=self.column(customer="K-7", branch="north")))
        write.write_documents(small.run, "set-aside", build.set_aside([]))
        small.recognised(1, facts("v", "b"), message("one"))
        small.tabulate(1)
        assert documents(small.run, "document_id", "customer", "branch") == [
            ("a", "1", None),
            ("b", "K-7", "north"),
        ]
        assert write.align(small.run) == 0
