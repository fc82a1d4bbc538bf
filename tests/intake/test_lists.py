"""A list names documents and carries what else is known about them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from docdask.errors import SourceError
from docdask.intake.finding import find
from docdask.intake.inspection import inspect


def found(source):
    return {source.uri.rpartition("/")[2]: source for source in find([str(source)])}


@pytest.fixture
def folder(tmp_path):
    for name in ("a.pdf", "b, c.pdf", "請.pdf"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


@pytest.mark.parametrize("column", ["uri", "url", "path", "Path", "Datei"])
def test_a_csv_names_files_relative_to_itself_and_carries_its_other_columns(folder, column):
    (folder / "list.csv").write_text(
        f'{column},customer\na.pdf,0042\n"b, c.pdf",x\n請.pdf,ü\n', encoding="utf-8"
    )
    result = found(folder / "list.csv")
    assert {name: source.columns for name, source in result.items()} == {
        "a.pdf": {"customer": "0042"},
        "b, c.pdf": {"customer": "x"},
        "請.pdf": {"customer": "ü"},
    }
    assert result["a.pdf"].size_bytes == 5


def test_the_column_may_stand_anywhere_and_be_separated_by_semicolons(folder):
    (folder / "list.csv").write_bytes("\ufeffkunde;uri\nMüller;a.pdf\n".encode())
    assert found(folder / "list.csv")["a.pdf"].columns == {"kunde": "Müller"}


def test_a_parquet_list_keeps_its_types(folder):
    pq.write_table(
        pa.table({"uri": ["a.pdf", str(folder / "請.pdf")], "n": [1, None]}), folder / "list.parquet"
    )
    assert {name: s.columns for name, s in found(folder / "list.parquet").items()} == {
        "a.pdf": {"n": 1},
        "請.pdf": {"n": None},
    }


def test_an_at_sign_makes_any_text_file_a_list(folder):
    (folder / "names.txt").write_text("a.pdf\n\n請.pdf\n", encoding="utf-8")
    assert sorted(found(f"@{folder}/names.txt")) == ["a.pdf", "請.pdf"]


def test_a_csv_that_names_no_file_is_a_document(folder):
    (folder / "prices.csv").write_text("item,price\npen,1\n", encoding="utf-8")
    (source,) = find([str(folder / "prices.csv")])
    assert inspect(source)["state"] == "skipped"


def test_a_list_in_a_folder_is_a_document_like_any_other(folder):
    (folder / "list.csv").write_text("uri\na.pdf\n", encoding="utf-8")
    assert "list.csv" in found(folder)


def test_a_listed_file_that_is_missing_is_an_input_with_a_reason(folder):
    (folder / "list.csv").write_text("uri\na.pdf\nmissing.pdf\n", encoding="utf-8")
    row = inspect(found(folder / "list.csv")["missing.pdf"])
    assert (row["state"], row["problem"]) == ("quarantined", "vanished")


def test_a_list_that_names_nothing_real_is_refused(folder):
    (folder / "list.csv").write_text("uri\nnot/here.pdf\n", encoding="utf-8")
    with pytest.raises(SourceError, match=r"not/here\.pdf"):
        find([str(folder / "list.csv")])


@pytest.mark.parametrize("name", ["list.parquet", "list.csv", "list.txt"])
def test_a_broken_list_is_refused(folder, name):
    (folder / name).write_bytes(b"\0\xff not a list")
    with pytest.raises(SourceError, match="list"):
        find([f"@{folder}/{name}"])


def test_a_list_in_memory_names_files_beside_it(memory):
    memory.pipe("/in/a.pdf", b"one")
    memory.pipe("/in/list.csv", b"uri,k\na.pdf,v\nmemory://in/a.pdf,w\n")
    result = list(find(["memory://in/list.csv", "memory://in/a.*"]))
    assert [(s.uri, s.size_bytes, s.columns) for s in result] == [("memory:///in/a.pdf", 3, {"k": "v"})]
