"""A run never mixes two ways: what is said of one that is there must be what it was made with."""

from __future__ import annotations

import pytest

import docdask
from docdask.errors import RunMismatch, UsageError

from .conftest import NOTHING

SLOW = "tests.engine.engines:Slow"


@pytest.fixture
def planned(pile, tmp_path):
    """A plan of three documents with an option and tokens."""
    files = sorted(pile.glob("letter 0[0-2].pdf"))
    return docdask.plan(
        files, to=tmp_path / "run", engine=NOTHING, options={"name": "mine"}, tokens=True, cluster="none"
    )


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"engine": "offline"}, f"engine: '{NOTHING}' there, 'offline' here"),
        ({"engine": "documentai", "processor": "ocr"}, f"engine: '{NOTHING}' there, 'documentai' here"),
        ({"options": {"name": "other"}}, "name: 'mine' there, 'other' here"),
        ({"options": {"seconds": 1}}, "seconds: not set there, 1 here"),
    ],
)
def test_another_engine_or_option_is_refused_before_anything_is_done(planned, said, words):
    for what in (planned, planned.url):
        with pytest.raises(RunMismatch, match="was made with other options") as refused:
            docdask.run(what, cluster="none", **said)
        assert words in refused.value.message
        assert "leave them away" in refused.value.remedy
    assert docdask.open(planned.url).summary()["pending"] == 3


def test_tokens_of_a_run_without_them_are_refused(pile, tmp_path):
    plan = docdask.plan(pile / "letter 00.pdf", to=tmp_path / "run", engine=NOTHING, cluster="none")
    with pytest.raises(RunMismatch, match="tokens: False there, True here"):
        docdask.run(plan, tokens=True, cluster="none")


def test_the_same_again_is_fine_and_nothing_need_be_said(planned):
    said = {"engine": NOTHING, "options": {"name": "mine"}, "tokens": True}
    assert docdask.run(planned, cluster="none", **said).summary()["stored"] == 3
    assert docdask.run(planned.url, cluster="none").summary()["stored"] == 3


def test_what_is_of_document_ai_is_refused_where_it_is_not_used(planned):
    with pytest.raises(UsageError, match="location is of Document AI, and the engine is"):
        docdask.run(planned.url, location="eu", cluster="none")


def test_a_run_through_document_ai_keeps_processor_place_and_project(pile, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = docdask.plan(
        pile / "letter 00.pdf", to=tmp_path / "run", engine="emulator", options={"quota": 600}, processor="form",
        cluster="none",
    )  # fmt: skip
    for said in (
        {"processor": "ocr"}, {"project": "another"}, {"location": "eu"}, {"staging": "gs://elsewhere"},
        {"options": {"quota": 60}}, {"options": {"imageless": False}},
    ):  # fmt: skip
        name = next(iter(said.get("options", said)))
        with pytest.raises(RunMismatch, match=f"{name}: .* there, .* here"):
            docdask.run(plan, cluster="none", **said)
    same = {"engine": "emulator", "processor": "form", "location": "us", "options": {"quota": 600}}
    found = docdask.run(plan, cluster="none", **same).summary()
    assert (found["stored"], found["pages_paid"]) == (1, 1)


def test_another_engine_is_refused_at_once_while_a_driver_is_at_work(pile, tmp_path):
    log = tmp_path / "calls"
    (tmp_path / "calls.hold").touch()
    handle = docdask.run(
        pile / "letter 00.pdf", to=tmp_path / "run", engine=SLOW, options={"log": str(log)}, wait=False
    )
    try:
        for what in ({"what": handle.url}, {"what": pile, "to": handle.url}):
            with pytest.raises(RunMismatch, match="engine"):
                docdask.run(**what, engine=NOTHING, wait=False)
    finally:
        (tmp_path / "calls.hold").unlink()
    assert handle.wait(60)["state"] == "finished"
