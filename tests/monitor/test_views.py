"""How plans, catalogs and results look."""

from __future__ import annotations

from pathlib import Path

import pytest

import docdask
from docdask.monitor import views
from docdask.monitor.views import Plan

SUMMARY = {
    "run": "runs/june", "engine": "offline/1.0", "engine_note": "a note <that> is quite long and goes on and on",
    "inputs": 1, "size_bytes": 12_345_678, "new": 1, "new_pages": 1, "new_text_pages": 0, "workers": 1, "partitions": 1,
    "expected_s": 200.4, "speed_note": "calibrated before on this machine", "decides": "its longest document",
    "duplicates": 0, "aside": [{"outcome": "quarantined", "documents": 2, "problem": "broken",
                                "reason": "it is not a PDF, or so broken that nothing of it could be read " * 2}],
}  # fmt: skip


@pytest.mark.parametrize("columns", [80, 120])
def test_a_plan_is_wrapped_to_the_terminal_below_its_values(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = str(Plan("runs/june", SUMMARY)).splitlines()
    assert max(len(line) for line in lines) <= columns
    start = lines[0].index("runs/june")
    assert all(line[:start].endswith("  ") for line in lines)
    assert "3 min 20 s on 1 worker, in 1 partition" in "\n".join(lines)
    assert "1 document, 1 page" in "\n".join(lines)


def test_a_long_path_stays_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    path = "/a/very-long-path" * 8
    assert path in str(Plan(path, SUMMARY))


def test_a_plan_in_a_notebook_escapes_and_sums_up() -> None:
    html = Plan("runs/<june>", SUMMARY)._repr_html_()
    assert "runs/&lt;june&gt;" in html
    assert "a note &lt;that&gt;" in html
    assert "3 min 20 s" in html
    assert "page to do" in html


def test_a_plan_with_nothing_new_tells_no_time() -> None:
    text = str(Plan("runs/june", {**SUMMARY, "new": 0, "new_pages": 0, "expected_s": 0.0}))
    assert "nothing new" in text
    assert "expected time" not in text


def test_a_catalog_names_what_is_wrong(pile: Path) -> None:
    catalog = docdask.scan(pile, cluster="none")
    html = catalog._repr_html_()
    assert "1 quarantined" in html
    assert "broken.pdf" in html
    assert "23" in str(catalog).splitlines()[0]


def test_sizes_have_three_figures() -> None:
    assert [views.size(n) for n in (999, 12_345, 3.2e9, 4e13)] == ["999 B", "12.3 kB", "3.2 GB", "40.0 TB"]


def test_the_end_of_a_paid_run_says_what_it_cost_and_what_is_at_risk() -> None:
    told = {
        "run": "runs/june", "inputs": 12, "stored": 12, "quarantined": 0, "skipped": 0, "pending": 0, "pages": 54,
        "billing": "EMULATED: nothing billed", "pages_paid": 66, "cost_usd": 0.099, "pages_at_risk": 1, "cost_at_risk_usd": 0.0015,
    }  # fmt: skip
    assert views.told(told).splitlines()[1:] == [
        "66 pages paid, $0.10 (EMULATED: nothing billed)",
        "at risk: 1 page, $0.0015 (calls without a known end; docdask debug ledger runs/june names them)",
    ]
    assert len(views.told({**told, "billing": "", "pages_at_risk": 0}).splitlines()) == 1
