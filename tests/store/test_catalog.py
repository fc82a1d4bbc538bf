"""The catalog keeps the latest row of each document, and knows which have the same bytes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docdask.store.catalog import CATALOG, columns_json, duplicates, latest, to_table

NOON = datetime(2024, 5, 31, 12, tzinfo=UTC)


def row(name: str, at: int = 0, **more) -> dict:
    return {
        "document_id": name,
        "uri": f"/in/{name}",
        "state": "ready",
        "inspected_at": NOON + timedelta(seconds=at),
        **more,
    }


def test_every_column_says_its_unit_and_meaning():
    for field in CATALOG:
        assert field.metadata[b"description"], field.name
        assert b"unit" in field.metadata


def test_rows_become_a_table_of_the_schema():
    table = to_table([row("a", widths=[595.0], pages=1)])
    assert table.schema == CATALOG
    assert table["widths"].to_pylist() == [[595.0]]
    assert to_table([]).schema == CATALOG


@pytest.mark.parametrize("bad", [{"nonsense": 1}, {"state": None}, {"document_id": ""}])
def test_rows_that_are_no_rows_are_refused(bad):
    with pytest.raises(ValueError, match="catalog"):
        to_table([row("a") | bad])


def test_the_latest_row_wins_and_rows_are_in_order_of_uri():
    first = to_table([row("b", 0, pages=1), row("a", 5, pages=2)])
    second = to_table([row("b", 9, pages=3)])
    for order in ([first, second], [second, first]):
        assert [(r["document_id"], r["pages"]) for r in latest(order).to_pylist()] == [("a", 2), ("b", 3)]


def test_among_rows_of_one_moment_the_later_written_wins():
    assert latest([to_table([row("a", pages=1)]), to_table([row("a", pages=2)])])["pages"].to_pylist() == [2]


def test_nothing_at_all_is_an_empty_catalog():
    assert latest([]).schema == CATALOG


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 9), st.integers(0, 99)), max_size=30),
    st.integers(1, 4),
)
def test_latest_is_what_a_dictionary_would_keep(rows, parts):
    tables = [
        to_table([row(name, at, pages=pages) for name, at, pages in rows[n::parts]]) for n in range(parts)
    ]
    kept: dict[str, tuple[int, int]] = {}
    for n in range(parts):
        for name, at, pages in rows[n::parts]:
            if name not in kept or at >= kept[name][0]:
                kept[name] = (at, pages)
    result = {r["document_id"]: r["pages"] for r in latest(tables).to_pylist()}
    assert result == {name: pages for name, (_, pages) in kept.items()}


def test_the_first_of_equal_ready_documents_is_done():
    table = to_table(
        [
            row("c", sha256="1"),
            row("a", sha256="1", state="quarantined"),
            row("b", sha256="1"),
            row("d", sha256="2"),
            row("e", sha256=None),
            row("f", sha256=None),
        ]
    )
    assert duplicates(table) == {"c": "b"}


def test_extra_columns_become_json_whatever_they_are():
    assert columns_json({}) is None
    assert columns_json({"b": NOON, "a": "ü"}) == '{"a": "ü", "b": "2024-05-31 12:00:00+00:00"}'
