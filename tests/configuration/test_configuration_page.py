"""docs/configuration.md says what is read, and its example can be used."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from google.cloud.documentai_v1 import ProcessOptions

from docdask.configuration import load_configuration
from docdask.configuration.keys import DOCUMENTAI, PLACE, PROCESSOR, ROUTE, TOP
from docdask.configuration.options import PROCESS_OPTIONS
from docdask.configuration.reference import filled, tables
from docdask.core.routes import Configuration, Facts, Processor, Route

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_is_what_its_generator_writes():
    page = PAGE.read_text(encoding="utf-8")
    assert filled(page) == page
    assert set(re.findall(r"<!-- (\w[\w-]*) -->\n\n\|", page)) == set(tables())


@pytest.mark.parametrize("engine", ["documentai", "emulator"])
def test_the_example_works(engine, tmp_path):
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "docdask.toml").write_text(example)
    found = load_configuration(engine, path=tmp_path / "docdask.toml", environment={})
    assert found.emulated == (engine == "emulator")
    document = Facts("gs://b/archive/a.pdf", "application/pdf", 3, 0, "letter")
    assert found.route(document).name == "archive"


def test_every_field_of_the_value_can_be_configured():
    ours = {"routes"}  # a table of its own
    assert {field.name for field in fields(Configuration)} - ours <= {key.name for key in DOCUMENTAI}
    assert {field.name for field in fields(Route)} == {key.name for key in ROUTE}
    named_otherwise = {"alias", "processor_type"}  # the table's name, and ``type``
    assert {field.name for field in fields(Processor)} - named_otherwise <= {key.name for key in PROCESSOR}


def test_every_key_has_a_meaning():
    for key in (*TOP, *DOCUMENTAI, *PROCESSOR, *PLACE, *ROUTE):
        assert key.meaning.endswith("."), key.name


def names(message):
    """Fields of a message as Google's JSON has them, inner messages that are looked into likewise."""
    return {field.json_name: field.message_type for field in message.fields}


def test_process_options_are_those_of_the_api():
    def compare(ours, message):
        theirs = names(message)
        assert set(ours) <= set(theirs)
        for name, inner in ours.items():
            if inner is not None:
                assert set(inner) == set(names(theirs[name]))
                compare(inner, theirs[name])

    message = ProcessOptions.pb().DESCRIPTOR
    compare(PROCESS_OPTIONS, message)
    assert set(names(message)) - set(PROCESS_OPTIONS) == {"individualPageSelector", "fromStart", "fromEnd"}
