"""docs/problems.md is generated, and every sentence helps."""

from __future__ import annotations

from pathlib import Path

from docdask.intake.problems import PROBLEMS, markdown


def test_the_page_of_problems_is_in_step_with_the_code():
    page = Path(__file__).parents[2] / "docs" / "problems.md"
    assert page.read_text(encoding="utf-8") == markdown(), "write it: python -m docdask.intake.problems"


def test_whatever_stops_a_document_has_a_remedy():
    for code, problem in PROBLEMS.items():
        assert problem.reason, code
        assert problem.remedy or problem.outcome == "ready", code
