"""The user's columns: one name and one dtype for the whole run, whatever comes in which order."""

from __future__ import annotations

import json

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from docdask.store.columns import column_names, expand, fields, observe

values = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5), st.lists(st.integers(), max_size=2),
)  # fmt: skip
rows = st.lists(st.dictionaries(st.sampled_from("abc"), values, max_size=3), max_size=6)


def text(values):
    return json.dumps(values)


@given(rows, rows)
def test_seeing_rows_in_two_batches_gives_what_one_batch_gives(first, second):
    first, second = [text(r) for r in first], [text(r) for r in second]
    once = observe({}, [*first, *second])
    # A column of nothing but nulls is taken for text until a value comes, and text never narrows again.
    twice = observe(observe({}, first), second)
    assert list(once) == list(twice)
    assert all(once[name] == twice[name] or twice[name] == "string" for name in once)


@given(rows)
def test_every_value_fits_the_dtype_of_its_column(found):
    texts = [text(row) for row in found]
    types = observe({}, texts)
    table = pa.table(dict(expand(texts, types, [])), schema=pa.schema(fields(types, [])))
    for name in types:
        for row, got in zip(found, table[name].to_pylist(), strict=True):
            value = row.get(name)
            assert (got is None) == (value is None)
            if value is not None and types[name] != "string":
                assert got == value
            elif isinstance(value, str):
                assert got == value.encode("utf-8", "replace").decode()


def test_dtypes_widen_and_never_narrow():
    steps = [{"n": True}, {"n": 1}, {"n": 2.5}, {"n": "x"}, {"n": 1}]
    known = {}
    seen = []
    for step in steps:
        known = observe(known, [text(step)])
        seen.append(known["n"])
    assert seen == ["bool", "string", "string", "string", "string"]
    assert observe({"n": "int64"}, [text({"n": 2.5})]) == {"n": "float64"}


def test_a_name_that_the_table_has_gets_a_prefix():
    types = {"pages": "int64", "source_pages": "string", "mine": "bool"}
    assert column_names(types, ["pages"]) == {
        "pages": "source_pages",
        "source_pages": "source_source_pages",
        "mine": "mine",
    }


def test_what_is_no_object_is_passed_over():
    assert observe({}, [None, "", "[1]", "{", "3"]) == {}
    assert [a.to_pylist() for _, a in expand([None, "{"], {"a": "int64"}, [])] == [[None, None]]
