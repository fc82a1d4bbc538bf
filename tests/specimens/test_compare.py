"""Comparison of a run with the truth: perfect is perfect, and each kind of mistake is counted once."""

from __future__ import annotations

import datetime as dt
import json
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from docdask import specimens as samples
from docdask.errors import SourceError
from docdask.specimens import scoring
from docdask.tables import schema


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    samples.make(folder)
    return folder


def frame(name: str, rows: list[dict]) -> pd.DataFrame:
    """Frame as a run writes it: every column of the schema, nulls where nothing is said."""
    table = schema.BY_NAME[name].schema
    import pyarrow as pa

    return pa.Table.from_pylist(rows, schema=table).to_pandas()


@pytest.fixture
def perfect(folder: Path) -> dict[str, pd.DataFrame]:
    """Tables of a run that made no mistake."""
    rows: dict[str, list[dict]] = {
        name: [] for name in ("documents", "pages", "entities", "form_fields", "table_cells")
    }
    for name, facts in json.loads((folder / samples.TRUTH).read_text())["documents"].items():
        key = {"document_id": name.upper()}
        uri = str(folder / name)
        rows["documents"].append(
            {**key, "uri": uri, "name": name, "outcome": "stored", "kind": facts["kind"]}
        )
        for number, text in enumerate(facts["texts"], 1):
            rows["pages"].append({**key, "page_number": number, "text": text.replace("\n", "\n  ")})
        for kind, value in facts["fields"].items():
            if isinstance(value, float):
                currency = facts["fields"]["currency"] if kind == "total_amount" else None
                rows["entities"].append({**key, "type": kind, "value": value, "currency": currency})
            elif kind.endswith("date"):
                rows["entities"].append(
                    {**key, "type": kind, "date": dt.date.fromisoformat(value), "text": "x"}
                )
            elif kind != "currency":
                rows["entities"].append({**key, "type": kind, "text": value})
        for field, value in facts["form_fields"].items():
            box = value if value.endswith("filled_checkbox") else ""
            rows["form_fields"].append(
                {
                    **key,
                    "page_number": 1,
                    "name": f"{field}:",
                    "value": "" if box else value,
                    "value_type": box,
                }
            )
        for number, table in enumerate(facts["tables"]):
            for r, row in enumerate(table["rows"]):
                for c, text in enumerate(row):
                    cell = {"table_number": number, "row": r + 1, "column": c, "text": text}
                    rows["table_cells"].append({**key, "page_number": table["page_number"], **cell})
    return {name: frame(name, found) for name, found in rows.items()}


def test_a_perfect_run_is_perfect(folder, perfect):
    score = samples.compare(folder, perfect).set_index("name")
    assert len(score) == 12
    assert (score.character_error_rate == 0).all()
    assert (score.word_recall == 1).all()
    assert (score.fields_right == score.fields).all()
    assert (score.form_fields_right == score.form_fields).all()
    assert (score.cells_right == score.cells).all()
    assert (score.pages_found == score.pages).all()
    assert (score.differences == "").all()
    assert score.fields.sum() > 20
    assert score.cells.sum() > 300
    assert score.form_fields.sum() > 20


def test_frames_may_come_from_a_function(folder, perfect):
    assert samples.compare(folder, perfect.__getitem__).equals(samples.compare(folder, perfect))


def test_a_document_without_a_result_is_all_wrong(folder, perfect):
    perfect["documents"] = perfect["documents"][perfect["documents"].name != "letter.pdf"]
    row = samples.compare(folder, perfect).set_index("name").loc["letter.pdf"]
    assert row.outcome == "missing"
    assert row.character_error_rate == 1
    assert row.word_recall == 0
    assert row.fields_missing == row.fields > 0


def test_an_empty_run_has_every_document_missing(folder):
    score = samples.compare(folder, {})
    assert (score.outcome == "missing").all()
    assert (score.character_error_rate == 1).all()


def test_wrong_and_missing_fields_are_told_apart_and_named(folder, perfect):
    entities = perfect["entities"]
    mine = entities.document_id == "INVOICE-DIGITAL.PDF"
    entities.loc[mine & (entities.type == "total_amount"), "value"] += 0.01
    perfect["entities"] = entities[~(mine & (entities.type == "invoice_id"))]
    row = samples.compare(folder, perfect).set_index("name").loc["invoice-digital.pdf"]
    assert (row.fields_wrong, row.fields_missing) == (1, 1)
    assert "invoice_id: 'INV-" in row.differences
    assert "total_amount: " in row.differences


def test_a_wrong_character_a_wrong_tick_and_a_wrong_cell_count_once(folder, perfect):
    pages, forms, cells = (perfect[name] for name in ("pages", "form_fields", "table_cells"))
    at = pages.index[pages.document_id == "FORM-FILLED.PDF"][0]
    pages.loc[at, "text"] = pages.loc[at, "text"].replace("membership", "nembership", 1)
    tick = forms.index[forms.value_type == "filled_checkbox"][0]
    forms.loc[tick, "value_type"] = "unfilled_checkbox"
    cells.loc[cells.index[cells.document_id == "INVOICE-SCANNED.PDF"][5], "text"] = "?"
    score = samples.compare(folder, perfect).set_index("name")
    form, invoice = score.loc["form-filled.pdf"], score.loc["invoice-scanned.pdf"]
    assert form.edits == 1
    assert form.form_fields_right == form.form_fields - 1
    assert invoice.cells_right == invoice.cells - 1


def test_a_duplicate_is_judged_by_the_document_that_was_done(folder, perfect):
    documents = perfect["documents"]
    at = documents.index[documents.name == "letter.pdf"][0]
    documents.loc[at, "document_id"] = "copy"
    documents.loc[at, "duplicate_of"] = "LETTER.PDF"
    row = samples.compare(folder, perfect).set_index("name").loc["letter.pdf"]
    assert row.document_id == "copy"
    assert row.character_error_rate == 0


def test_moved_folders_are_matched_by_name(folder, perfect):
    perfect["documents"]["uri"] = "gs://bucket/" + perfect["documents"]["name"]
    assert (samples.compare(folder, perfect).character_error_rate == 0).all()


def test_a_folder_without_truth_is_one_sentence(tmp_path):
    with pytest.raises(SourceError, match="docdask samples"):
        samples.compare(tmp_path, {})
    (tmp_path / samples.TRUTH).write_text("[]")
    with pytest.raises(SourceError, match="not readable"):
        samples.compare(tmp_path, {})


def slow_edits(a: str, b: str) -> int:
    @cache
    def distance(i: int, j: int) -> int:
        if not (i and j):
            return i + j
        same = a[i - 1] == b[j - 1]
        return min(distance(i - 1, j) + 1, distance(i, j - 1) + 1, distance(i - 1, j - 1) + (not same))

    return distance(len(a), len(b))


@given(st.text("abcä", max_size=14), st.text("abcä", max_size=14))
def test_edits_are_those_of_the_textbook(a, b):
    assert scoring.edits(a, b) == slow_edits(a, b)


@given(st.text(max_size=90), st.text(max_size=90), st.text(max_size=90))
def test_edits_are_a_distance(a, b, c):
    assert scoring.edits(a, a) == 0
    assert scoring.edits(a, b) == scoring.edits(b, a)
    assert scoring.edits(a, c) <= scoring.edits(a, b) + scoring.edits(b, c)
