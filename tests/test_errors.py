"""Errors travel, say what to do, and have exit codes that are documented."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from docdask import errors

DOCS = Path(__file__).parents[1] / "docs"


def make(cls: type[errors.DocdaskError]) -> errors.DocdaskError:
    if issubclass(cls, errors.DocumentError):
        return cls("corrupt", "it is damaged", "print it again")
    if issubclass(cls, errors.PermitRefused):
        return cls("budget", "it would cost too much", "raise the budget")
    return cls("what was wrong: 7", "what to do")


@pytest.mark.parametrize("cls", errors.tree(), ids=lambda cls: cls.__name__)
def test_an_error_survives_the_way_between_processes(cls):
    error = make(cls)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is cls
    assert (again.message, again.remedy, str(again)) == (error.message, error.remedy, str(error))


@pytest.mark.parametrize("cls", errors.tree(), ids=lambda cls: cls.__name__)
def test_an_error_says_what_was_wrong_and_what_to_do(cls):
    error = make(cls)
    assert str(error) == f"{error.message}; {error.remedy}"
    assert error.exit_code > 0


def test_exit_codes_in_the_docs_are_those_of_the_tree():
    from docdask.monitor.reference import exit_codes

    assert exit_codes() in (DOCS / "cli.md").read_text()


def test_settings_in_the_docs_are_those_of_the_code():
    from docdask.monitor.reference import settings_table

    assert settings_table() in (DOCS / "cli.md").read_text()
