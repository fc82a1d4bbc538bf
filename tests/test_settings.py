"""Settings come from a file, the environment and arguments, and what can't be right is one sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from docdask import settings
from docdask.errors import UsageError


@pytest.fixture
def file(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("DOCDASK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def put(text: str, encoding: str = "utf-8") -> None:
        Path("docdask.toml").write_text(text, encoding=encoding)

    return put


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("workers = inf", "workers=inf is no whole number"),
        ("workers = nan", "workers=nan is no whole number"),
        ("workers = 1.7", "workers=1.7 is no whole number"),
        ("workers = true", "workers=True is no whole number"),
        ('workers = "two"', "workers='two' is no whole number"),
        ("workers = -1", "no number from 0 on"),
        ("timeout_s = true", "timeout_s=True is no number"),
        ("timeout_s = nan", "timeout_s=nan is no number"),
        ("state = 5", "state=5 is no text"),
        ("worker = 2", "did you mean workers"),
    ],
)
def test_what_can_not_be_right_is_told_with_its_value(file, line, words):
    file(f"[docdask]\n{line}\n")
    with pytest.raises(UsageError) as caught:
        settings.load()
    assert words in str(caught.value)


def test_a_mark_at_the_beginning_of_the_file_does_no_harm(file):
    file("[docdask]\nworkers = 3\n", encoding="utf-8-sig")
    assert settings.load().workers == 3


def test_the_environment_has_texts_and_arguments_may_be_paths(file, monkeypatch, tmp_path):
    file("[docdask]\nworkers = 3\ntimeout_s = 5\n")
    monkeypatch.setenv("DOCDASK_WORKERS", "4")
    found = settings.load(state=tmp_path)
    assert (found.workers, found.timeout_s, found.state) == (4, 5.0, str(tmp_path))
