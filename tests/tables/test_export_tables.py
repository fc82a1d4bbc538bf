"""Tables in other forms: nothing lost, nothing turned into something else, refused where it does not fit."""

from __future__ import annotations

import csv
import datetime as dt

import duckdb
import export_helpers as helpers
import openpyxl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from docdask.errors import StorageError, UsageError
from docdask.tables import schema
from docdask.tables.export import FORMATS, export, xlsx

ODD = '=1+1,"quoted"\nsecond line; Größe, 日本\x01'


@pytest.fixture
def result():
    result = helpers.FakeResult()
    finished = dt.datetime(2026, 3, 14, 9, 26, 53, 589793, tzinfo=dt.UTC)
    result.rows["documents"] = [
        {"document_id": "00000000000000a1", "name": "a.pdf", "uri": "/in/a.pdf", "outcome": "stored", "pages": 2,
         "mean_confidence": 0.5, "finished_at": finished, "reason": ODD, "cost_usd": 0.0},
        {"document_id": "00000000000000b2", "name": "", "uri": "/in/b.pdf", "outcome": "quarantined",
         "problem": "corrupt", "reason": "it is damaged", "remedy": "save it again"},
        {"document_id": "00000000000000c3", "name": "=cmd", "uri": "http://x.example/c", "outcome": "stored",
         "mean_confidence": 0.25},
    ]  # fmt: skip
    result.rows["pages"] = [
        {"document_id": "00000000000000a1", "page_number": n, "text": f"page {n}"} for n in (2, 1)
    ]
    result.rows["entities"] = [
        {
            "document_id": "00000000000000a1",
            "type": "invoice_date",
            "date": dt.date(2026, 2, 28),
            "value": float("nan"),
        }
    ]
    result.rows["table_cells"] = [{"document_id": "00000000000000a1", "header": True, "text": "007"}]
    return result


def test_csv_keeps_what_is_there(result, tmp_path):
    paths = export(result, ["csv"], tmp_path)
    assert {path.stem for path in paths} == set(schema.BY_NAME) - {"tokens"}
    with (tmp_path / "csv" / "documents.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [column.name for column in schema.DOCUMENTS.columns]
    assert rows[0]["reason"] == ODD
    assert rows[0]["finished_at"] == "2026-03-14T09:26:53.589793Z"
    assert rows[1]["pages"] == ""
    with (tmp_path / "csv" / "entities.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["date"] == "2026-02-28"


def test_csv_tells_null_from_empty(result, tmp_path):
    export(result, ["csv"], tmp_path)
    lines = (tmp_path / "csv" / "documents.csv").read_text("utf-8").splitlines()
    quarantined = next(line for line in lines if "00000000000000b2" in line)
    assert quarantined.split(",")[2] == '""'
    assert quarantined.split(",")[3] == ""


def test_csv_writes_a_users_own_columns_whatever_their_type(tmp_path):
    class Own(helpers.FakeResult):
        def arrow(self, name):
            columns = {"document_id": ["00000000000000a1", "00000000000000a2"], "tags": [["ä", "b"], None]}
            return ds.dataset(pa.table(columns))

    export(Own(), ["csv"], tmp_path)
    with (tmp_path / "csv" / "documents.csv").open(encoding="utf-8", newline="") as file:
        assert [row["tags"] for row in csv.DictReader(file)] == ['["ä", "b"]', ""]


def test_tokens_are_exported_when_there_are_any(result, tmp_path):
    result.rows["tokens"] = [{"document_id": "00000000000000a1", "page_number": 1, "text": "x"}]
    assert "tokens.csv" in {path.name for path in export(result, ["csv"], tmp_path)}


def test_excel_has_a_sheet_a_table_and_text_is_never_a_formula(result, tmp_path):
    (path,) = export(result, ["xlsx"], tmp_path)
    book = openpyxl.load_workbook(path)
    assert book.sheetnames[0] == "documents"
    assert set(book.sheetnames) == set(schema.BY_NAME) - {"tokens"}
    sheet = book["documents"]
    rows = list(sheet.iter_rows(values_only=True))
    names = [column.name for column in schema.DOCUMENTS.columns]
    assert list(rows[0]) == names
    assert sheet.freeze_panes == "B2"
    assert sheet["A1"].font.bold
    first = dict(zip(names, rows[1], strict=True))
    assert first["finished_at"].isoformat() == "2026-03-14T09:26:53.590000"
    assert first["pages"] == 2
    name = sheet.cell(4, names.index("name") + 1)
    assert (name.value, name.data_type) == ("=cmd", "s")
    cell = book["table_cells"].cell(2, [c.name for c in schema.TABLE_CELLS.columns].index("text") + 1)
    assert (cell.value, cell.data_type) == ("007", "s")
    assert (
        book["entities"].cell(2, [c.name for c in schema.ENTITIES.columns].index("value") + 1).value is None
    )
    uri = sheet.cell(4, names.index("uri") + 1)
    assert uri.hyperlink is None


def test_excel_columns_have_readable_widths(result, tmp_path):
    (path,) = export(result, ["xlsx"], tmp_path)
    sheet = openpyxl.load_workbook(path)["documents"]
    widths = [column.width for column in sheet.column_dimensions.values()]
    assert min(widths) > 5
    assert max(widths) <= xlsx._WIDEST + 1


def test_texts_longer_than_a_cell_are_cut_and_said(result, tmp_path):
    result.rows["pages"][0]["text"] = "ü" * 32_766 + "😀😀"
    result.rows["pages"][1]["text"] = "x" * 32_767
    told: list[str] = []
    (path,) = export(result, ["xlsx"], tmp_path, tell=told.append)
    book = openpyxl.load_workbook(path)
    column = [c.name for c in schema.PAGES.columns].index("text") + 1
    assert book["pages"].cell(2, column).value == "ü" * 32_766 + "…"
    assert book["pages"].cell(3, column).value == "x" * 32_767
    assert list(book["cut texts"].iter_rows(min_row=2, values_only=True)) == [("pages", 2, "text", 32_770)]
    assert len(told) == 1
    assert "--csv" in told[0]


def test_more_rows_than_a_sheet_takes_are_refused_and_nothing_is_written(result, tmp_path, monkeypatch):
    monkeypatch.setattr(xlsx, "MAX_ROWS", 3)
    with pytest.raises(UsageError, match=r"documents has 3 rows.*--csv"):
        export(result, ["xlsx"], tmp_path)
    assert helpers.files_in(tmp_path) == []


def test_a_sheet_takes_as_many_rows_as_excel_says():
    assert xlsx.MAX_ROWS == 1_048_576
    assert xlsx.MAX_CHARACTERS == 32_767


def test_duckdb_has_tables_views_and_comments(result, tmp_path):
    (path,) = export(result, ["duckdb"], tmp_path)
    with duckdb.connect(str(path), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM documents").fetchone() == (3,)
        assert connection.execute("SELECT reason FROM documents LIMIT 1").fetchone() == (ODD,)
        assert connection.execute("SELECT date FROM entities").fetchone() == (dt.date(2026, 2, 28),)
        review = connection.execute("SELECT document_id FROM review").fetchall()
        assert [row[0][-2:] for row in review] == ["c3", "a1"]
        assert connection.execute("SELECT problem, documents FROM set_aside").fetchall() == [("corrupt", 1)]
        assert connection.execute("SELECT text FROM full_text").fetchall() == [("page 1\npage 2",)]
        comment = connection.execute(
            "SELECT comment FROM duckdb_columns() WHERE table_name = 'documents' AND column_name = 'size_bytes'"
        ).fetchone()
        assert comment == ("size of the file [bytes]",)


@pytest.mark.parametrize("name", ["csv", "xlsx", "duckdb"])
def test_an_export_replaces_the_one_before_and_leaves_no_parts(result, tmp_path, name):
    first = export(result, [name], tmp_path)
    result.rows["documents"] = result.rows["documents"][:1]
    assert export(result, [name], tmp_path) == first
    assert helpers.files_in(tmp_path) == sorted(str(path.relative_to(tmp_path)) for path in first)
    if name == "duckdb":
        with duckdb.connect(str(first[0]), read_only=True) as connection:
            assert connection.execute("SELECT count(*) FROM documents").fetchone() == (1,)


@pytest.mark.parametrize("name", ["csv", "xlsx", "duckdb"])
def test_tables_larger_than_a_batch_come_out_whole(tmp_path, name):
    result = helpers.FakeResult()
    result.rows["lines"] = [
        {"document_id": f"{n:016x}", "page_number": 1, "line_number": n, "text": f"line {n}"}
        for n in range(9_000)
    ]
    path = next(p for p in export(result, [name], tmp_path) if p.stem in {"lines", "tables"})
    if name == "csv":
        assert path.read_text().count("\n") == 9_001
    elif name == "xlsx":
        sheet = openpyxl.load_workbook(path, read_only=True)["lines"]
        assert sum(1 for _ in sheet.iter_rows(min_row=2, max_col=1)) == 9_000
    else:
        with duckdb.connect(str(path), read_only=True) as connection:
            assert connection.execute("SELECT sum(line_number) FROM lines").fetchone() == (sum(range(9_000)),)


def test_the_same_tables_give_the_same_workbook(result, tmp_path):
    (one,), (two,) = export(result, ["xlsx"], tmp_path / "1"), export(result, ["xlsx"], tmp_path / "2")
    assert one.read_bytes() == two.read_bytes()


def test_unknown_formats_and_places_are_refused(result, tmp_path):
    with pytest.raises(UsageError, match=", ".join(FORMATS)):
        export(result, ["docx"], tmp_path)
    with pytest.raises(UsageError, match="nothing"):
        export(result, [], tmp_path)
    with pytest.raises(UsageError, match="local folder"):
        export(result, ["csv"], "gs://bucket/x")


def test_a_folder_that_can_not_be_written_is_one_sentence(result, tmp_path):
    (tmp_path / "csv").write_text("in the way")
    with pytest.raises(StorageError, match="can't be written"):
        export(result, ["csv"], tmp_path)
