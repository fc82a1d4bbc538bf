"""Changing docdask.toml leaves everything else as it was, or is refused."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docdask.configuration.writing import changed, value
from docdask.errors import UsageError

FILE = """\
# ours
escalate_below = 0.5  # why not

[docdask]
workers = 2

[documentai]   # the service
location = "eu"  # Frankfurt # really
residency = [
  "eu",  # only
  # [not.a.table]
]

# the invoices
[documentai.processors.bills]
type = "invoice"
processor = "abc" # in the console: bills

# the routes
[[routes]]
kind = "invoice"
"""


def test_values_are_exchanged_and_comments_stay():
    made = changed(FILE, {("documentai",): {"location": "us", "project": "p"}, (): {"escalate_below": 0.75}})
    assert 'location = "us"  # Frankfurt # really\n' in made
    assert "escalate_below = 0.75  # why not\n" in made
    found = tomllib.loads(made)
    assert found["documentai"]["project"] == "p"
    assert found["documentai"]["residency"] == ["eu"]
    for line in FILE.splitlines():
        if line.startswith("#"):
            assert line in made.splitlines()


def test_a_new_table_stands_with_its_kin():
    made = changed(FILE, {("documentai", "processors", "ocr"): {"processor": "x"}})
    assert made.index("bills") < made.index("[documentai.processors.ocr]") < made.index("# the routes")


def test_nothing_to_change_changes_nothing():
    same = {("documentai",): {"location": "eu", "residency": ["eu"]}, ("docdask",): {"workers": 2}}
    assert changed(FILE, same) == FILE


def test_a_key_is_taken_away():
    made = changed(FILE, {("documentai",): {"residency": None}})
    assert "residency" not in tomllib.loads(made)["documentai"]


def test_a_file_without_a_last_newline():
    made = changed('[documentai]\nlocation = "eu"', {("documentai",): {"project": "p"}, ("new",): {"a": 1}})
    assert tomllib.loads(made) == {"documentai": {"location": "eu", "project": "p"}, "new": {"a": 1}}


@pytest.mark.parametrize(
    "text",
    ['documentai = {location = "eu"}', 'documentai.location = "eu"\ndocumentai.limits.batch_operations = 3'],
)
def test_what_cannot_be_changed_is_told_and_left(text):
    with pytest.raises(UsageError, match=r"write yourself: \[documentai.limits\] batch_operations = 5"):
        changed(text, {("documentai", "limits"): {"batch_operations": 5}})


def test_a_value_where_a_table_should_be():
    with pytest.raises(UsageError, match="no table"):
        changed("documentai = 3", {("documentai", "limits"): {"x": 1}})


NAMES = st.text('abcXYZ019_- ."é#[]=', min_size=1, max_size=6)
SCALARS = st.one_of(
    st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False), st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
)  # fmt: skip
VALUES = st.one_of(
    SCALARS, st.lists(SCALARS, max_size=3), st.lists(st.dictionaries(NAMES, SCALARS, max_size=2), max_size=2)
)
TABLES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map(tuple), st.dictionaries(NAMES, VALUES, max_size=3), max_size=4
)


def without_clashes(tables):
    """Tables none of whose keys is the name of another one."""
    paths = set(tables)
    return {
        path: {
            name: item
            for name, item in keys.items()
            if not any((*path, name) == other[: len(path) + 1] for other in paths)
        }
        for path, keys in tables.items()
    }


@given(VALUES)
def test_every_value_is_written_as_toml_reads_it(item):
    assert tomllib.loads(f"a = {value(item)}")["a"] == item


@settings(max_examples=40)
@given(TABLES.map(without_clashes), TABLES.map(without_clashes))
def test_what_was_meant_is_what_the_file_says_then(before, after):
    """Written twice, the second time over the first, it says the second, and still the first where that was not changed."""
    merged = without_clashes(
        {path: {**before.get(path, {}), **after.get(path, {})} for path in {**before, **after}}
    )
    first = {path: {n: v for n, v in keys.items() if n in merged[path]} for path, keys in before.items()}
    second = {path: {n: v for n, v in keys.items() if n in merged[path]} for path, keys in after.items()}
    found = tomllib.loads(changed(changed("# mine\n", first), second))
    for path, keys in merged.items():
        at = found
        for part in path:
            at = at.get(part, {})
        assert {name: at[name] for name in keys} == keys
    assert changed(changed("# mine\n", first), second).startswith("# mine\n")
