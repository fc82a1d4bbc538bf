"""What the demo says at its end can be followed as it stands."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

from docdask.demonstration import Demo

SUMMARY = {"inputs": 1, "stored": 1, "quarantined": 0, "skipped": 0, "pending": 0, "pages": 1}
ROW = {
    "name": "letter.pdf", "character_error_rate": 0.001, "fields": 2, "fields_right": 1, "form_fields": 0,
    "form_fields_right": 0, "cells": 0, "cells_right": 0,
}  # fmt: skip


def ending(folder: str = "demo") -> str:
    run = Path(folder) / "run"
    return Demo(
        documents=Path(folder) / "documents", run=run, tables=run / "tables", charts=run / "charts", report=run / "report.pdf",
        report_html=run / "report.html", summary=SUMMARY, comparison=pd.DataFrame([ROW]),
    ).text()  # fmt: skip


@pytest.fixture
def nothing_on_the_path(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))


def test_it_fits_a_terminal_of_80_columns():
    assert max(map(len, ending().splitlines())) <= 80


def test_counts_stand_where_there_is_something_to_count():
    line = next(line for line in ending().splitlines() if line.startswith("letter.pdf"))
    assert line.split() == ["letter.pdf", "99.9", "%", "1", "of", "2"]


def test_the_next_command_is_the_one_that_was_started(monkeypatch, nothing_on_the_path):
    monkeypatch.setattr(sys, "argv", [".venv/bin/docdask", "demo"])
    assert "  .venv/bin/docdask plan FOLDER --to runs/first" in ending()


def test_from_python_the_next_command_is_docdask(monkeypatch, nothing_on_the_path):
    monkeypatch.setattr(sys, "argv", ["-c"])
    assert "  docdask plan FOLDER --to runs/first" in ending()


def test_on_the_path_the_next_command_is_docdask(monkeypatch, tmp_path):
    (tmp_path / "docdask").write_text("#!/bin/sh\n")
    (tmp_path / "docdask").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [".venv/bin/docdask", "demo"])
    assert "  docdask plan FOLDER --to runs/first" in ending()
