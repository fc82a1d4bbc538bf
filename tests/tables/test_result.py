"""What ``docdask.open`` gives: frames, Documents, a function over all of them, and the sum of the inputs."""

from __future__ import annotations

import pickle
import uuid

import pandas as pd
import pyarrow as pa
import pytest
from run_making import SmallRun, facts, failed, message, planned

from docdask.errors import DocumentError, SourceError, UsageError
from docdask.tables import build, schema, write
from docdask.tables.result import Result


@pytest.fixture(params=["local", "memory"])
def small(request, tmp_path):
    return SmallRun(
        str(tmp_path / "run") if request.param == "local" else f"memory://result-{uuid.uuid4().hex}"
    )


@pytest.fixture
def full(small):
    """Stored in one call and in two, quarantined, pending, set aside, skipped and duplicate."""
    copy = {"document_id": "copy", "uri": "/in/copy.pdf", "name": "copy.pdf", "sha256": "hash of a"}
    aside = [
        {"document_id": "q", "uri": "/in/q", "state": "quarantined", "problem": "encrypted", "reason": "locked", "remedy": "--password"},
        {"document_id": "s", "uri": "/in/s", "state": "skipped", "problem": "unsupported-type", "reason": "a ZIP", "remedy": ""},
    ]  # fmt: skip
    small.planned(
        planned("a", ["u"]),
        planned("b", ["v1", "v2"], pages=2),
        planned("c", ["w"], partition=1),
        planned("d", ["x"], partition=1),
    )
    small.found(copy, *aside)
    small.recognised(0, facts("u", "a"), message("sure enough", confidence=0.95))
    small.recognised(
        0, facts("v1", "b", notes={"sources": {"1": "ocr"}}), message("first page", confidence=0.3)
    )
    small.recognised(
        0, facts("v2", "b", first_page=2, seconds=4.0), message("second page", first=2, confidence=0.6)
    )
    small.recognised(1, failed("w", "c"), None)
    small.tabulate(0)
    small.tabulate(1)
    write.write_documents(small.run, "set-aside", build.set_aside(aside))
    result = Result(small.run.url)
    write.write_documents(
        small.run, "duplicates", build.duplicates([{**copy, "duplicate_of": "a"}], result.frame("documents"))
    )
    return result


class TestSummary:
    def test_every_input_is_accounted_for(self, full):
        told = full.summary()
        assert {k: told[k] for k in ("inputs", "stored", "quarantined", "skipped", "pending", "duplicates")} == {
            "inputs": 7, "stored": 3, "quarantined": 2, "skipped": 1, "pending": 1, "duplicates": 1,
        }  # fmt: skip
        assert told["pages"] == 3
        assert told["calls"] == 4
        assert told["call_s"] == 10.0
        assert told["wall_s"] == 3.0
        assert told["speedup"] == pytest.approx(10 / 3)
        assert told["documents_per_hour"] == pytest.approx(2 * 3600 / 3)

    def test_time_is_that_of_the_drivers_sessions(self, full):
        full.run.write_json("status.json", {"sessions": [{"seconds": 4.0}, {"seconds": 1.0}]})
        assert full.summary()["wall_s"] == 5.0

    def test_before_anything_is_done_all_is_pending(self, small):
        small.planned(planned("a", ["u"]))
        small.found({"document_id": "q", "uri": "/q", "state": "skipped"})
        told = Result(small.run.url).summary()
        assert (told["inputs"], told["pending"], told["skipped"], told["pages"]) == (2, 1, 1, 0)
        assert told["wall_s"] is told["speedup"] is told["documents_per_hour"] is None

    def test_a_row_too_many_shows(self, full):
        full.run.write_parquet(
            "tables/documents/part-00009.parquet",
            full.run.read_parquet("tables/documents/part-00000.parquet"),
        )
        told = full.summary()
        assert told["stored"] + told["quarantined"] + told["skipped"] + told["pending"] != told["inputs"]


class TestFrames:
    def test_each_table_is_an_attribute(self, full):
        for table in schema.STORED:
            frame = getattr(full, table.name)
            assert list(frame.columns) == table.schema.names
        assert set(full.documents["document_id"]) == {"a", "b", "c", "q", "s", "copy"}
        assert full.pages["page_number"].tolist() == [1, 1, 2]
        assert full.tokens.empty

    def test_a_run_without_tables_has_empty_ones(self, small):
        result = Result(small.run.url)
        for table in schema.STORED:
            assert list(getattr(result, table.name).columns) == table.schema.names
            assert len(result.frame(table.name)) == len(result.to_dask(table.name)) == 0
        assert result.review.empty
        assert result.map(len).empty

    def test_columns_and_filters(self, full):
        frame = full.frame("documents", ["document_id"], filters=[("outcome", "==", "quarantined")])
        assert frame.columns.tolist() == ["document_id"]
        assert sorted(frame["document_id"]) == ["c", "q"]
        assert len(full.frame("documents", filters=[])) == 6

    def test_what_is_not_there_is_named_with_what_is(self, full):
        with pytest.raises(UsageError, match="invoices, lines"):
            full.frame("lignes")
        with pytest.raises(UsageError, match="no column nosuch"):
            full.frame("lines", ["nosuch"])

    def test_an_attribute_is_read_again_only_when_its_files_have_changed(self, full, small):
        before = full.documents
        assert full.documents is before
        small.recognised(1, facts("x", "d"), message("late"))
        small.tabulate(1)
        assert full.documents is not before
        assert "d" in set(full.documents["document_id"])

    def test_dask_has_the_same_rows_and_one_dtype_in_every_partition(self, full):
        for table in schema.STORED:
            lazy = full.to_dask(table.name)
            whole = lazy.compute()
            assert len(whole) == len(full.frame(table.name))
            parts = [lazy.get_partition(n).compute() for n in range(lazy.npartitions)]
            assert all((part.dtypes == lazy.dtypes).all() for part in parts)
        assert (
            full.to_dask("pages", ["characters"])["characters"].sum().compute()
            == full.pages["characters"].sum()
        )

    def test_arrow_and_duckdb_read_it_without_loading_it(self, full):
        import duckdb

        pages = full.arrow("pages")
        assert pages.count_rows() == 3
        assert duckdb.sql("select max(page_number) from pages").fetchall() == [(2,)]

    def test_review_puts_first_what_could_not_be_read_then_the_least_sure(self, full):
        frame = full.review
        assert frame["document_id"].tolist() == ["c", "q", "b", "a"]
        assert frame["why"].tolist() == [
            "it is broken",
            "locked",
            "confidence of page 1 is 0.30",
            "page 1 has 12 characters",
        ]
        assert frame["confidence"].tolist()[2:] == pytest.approx([0.3, 0.95])
        assert frame["page_number"].tolist() == [pd.NA, pd.NA, 1, 1]

    def test_it_travels_as_its_url(self, full):
        assert pickle.loads(pickle.dumps(full)).summary() == full.summary()


class TestDocuments:
    def test_page_ranges_are_merged(self, full):
        document = full.document("b")
        assert document.text == "first page\nsecond page\n"
        assert [page.page_number for page in document.pages] == [1, 2]

    def test_a_duplicate_has_its_originals(self, full):
        assert full.document("copy") == full.document("a")

    @pytest.mark.parametrize(
        ("document", "why"), [("c", "it is broken"), ("q", "locked"), ("d", "not recognised yet")]
    )
    def test_without_a_result_it_says_why(self, full, document, why):
        with pytest.raises(DocumentError, match=why):
            full.document(document)

    def test_an_unknown_id_is_told(self, full):
        with pytest.raises(UsageError, match="nosuch"):
            full.document("nosuch")

    def test_all_stored_ones_once(self, full):
        assert [(i, len(d.pages)) for i, d in full.documents_iter()] == [("a", 1), ("b", 2)]

    def test_they_are_found_after_sealing(self, full):
        full.run.results().seal(0)
        assert full.document("b").text == "first page\nsecond page\n"

    def test_an_original_that_is_gone_is_told(self, full):
        with pytest.raises(SourceError, match="not there any more"):
            full.source_bytes("a")


class TestMap:
    def test_a_dict_becomes_columns(self, full):
        frame = full.map(lambda document: {"pages": len(document.pages), "text": document.text})
        assert frame.to_dict("list") == {
            "document_id": ["a", "b"], "pages": [1, 2], "text": ["sure enough\n", "first page\nsecond page\n"], "error": [None, None],
        }  # fmt: skip

    def test_a_value_and_several_rows(self, full):
        assert full.map(lambda document: len(document.pages))["value"].tolist() == [1, 2]
        frame = full.map(lambda document: [{"number": page.page_number} for page in document.pages])
        assert frame[["document_id", "number"]].to_numpy().tolist() == [["a", 1], ["b", 1], ["b", 2]]

    def test_what_it_raises_is_told_per_document(self, full):
        def fussy(document):
            if len(document.pages) > 1:
                msg = "too long"
                raise ValueError(msg)
            return {"n": 1}

        frame = full.map(fussy, meta={"n": "Int64"})
        assert frame["error"].tolist() == [None, "ValueError: too long"]
        assert frame["n"].tolist() == [1, pd.NA]

    def test_it_runs_on_a_cluster(self, tmp_path):
        from distributed import Client, LocalCluster

        small = SmallRun(str(tmp_path / "run"))
        small.planned(planned("a", ["u"]), planned("b", ["v"], partition=1))
        small.recognised(0, facts("u", "a"), message("one"))
        small.recognised(1, facts("v", "b"), message("two"))
        with (
            LocalCluster(
                n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
            ) as cluster,
            Client(cluster) as client,
        ):
            frame = Result(small.run.url).map(where, client=client)
        assert frame["text"].tolist() == ["one\n", "two\n"]
        assert all(key.startswith("map-where-") for key in frame["key"])


def where(document):
    from distributed import get_worker

    return {"text": document.text, "key": get_worker().get_current_task()}


class TestLooks:
    def test_html_is_escaped_and_counts(self, tmp_path):
        small = SmallRun(str(tmp_path / "<script>alert(1)<"))
        small.planned(planned("a", ["u"]))
        html = Result(small.run.url)._repr_html_()
        assert "<script>" not in html
        assert "&lt;script&gt;" in html
        assert "1 pending" in html

    def test_html_shows_what_is_known(self, full):
        html = full._repr_html_()
        for part in ("3 stored", "2 quarantined", "1 skipped", "1 pending", "3.0 s", "3.3x", "offline/1"):
            assert part in html

    def test_repr_is_one_line(self, full):
        text = repr(full)
        assert "7 documents: 3 stored, 2 quarantined, 1 skipped, 1 pending" in text
        assert "\n" not in text


def test_the_arrow_schema_says_units_and_meaning(full):
    field = full.arrow("pages").schema.field("mean_confidence")
    assert field.type == pa.float32()
    assert field.metadata[b"unit"] == b"0-1"
