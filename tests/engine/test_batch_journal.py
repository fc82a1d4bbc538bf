"""What a run remembers of a batch operation decides whether it is looked for before anything is handed in."""

from __future__ import annotations

import asyncio
import math
import time
from types import SimpleNamespace

import pytest

from docdask.engine.batch import _Journal
from docdask.store.manifest import Manifest
from docdask.store.run import RunDirectory


@pytest.fixture
def run(tmp_path):
    return RunDirectory.create(str(tmp_path / "run"), Manifest(engine="emulator", engine_version="1"))


def opened(run, units=("a", "b"), left=None):
    journal = _Journal(SimpleNamespace(run=run), units)
    return journal, journal.open(units if left is None else left)


def test_what_was_never_about_to_be_handed_in_is_not_looked_for(run):
    opened(run)
    journal, sent = opened(run, left=("b",))
    assert journal.earlier is None
    assert sent == {"b"}, "the first of them was done otherwise meanwhile"


def test_what_was_about_to_be_handed_in_is_looked_for_in_its_time(run):
    journal, _ = opened(run)
    before = time.time()
    asyncio.run(journal.trying())
    again, sent = opened(run, left=("b",))
    assert again.request_id == journal.request_id
    assert again.earlier.name == ""
    assert again.earlier.since_s <= before <= again.earlier.tried_s <= time.time()
    assert sent == {"a", "b"}


def test_a_run_that_says_nothing_of_it_may_have_handed_it_in_at_any_time(run):
    journal, _ = opened(run)
    run.write_json(f"operations/{journal.request_id}.json", {"since_s": 1.0, "units": ["a", "b"]})
    again, _ = opened(run)
    assert again.earlier.tried_s == math.inf


def test_what_has_ended_is_over_and_the_rest_is_a_request_of_its_own(run):
    journal, _ = opened(run)
    asyncio.run(journal.trying())
    journal.close()
    again, sent = opened(run, left=("b",))
    assert again.request_id != journal.request_id
    assert again.earlier is None
    assert sent == {"b"}
