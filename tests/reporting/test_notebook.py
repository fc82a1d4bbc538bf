"""Charts and reports in a notebook."""

from __future__ import annotations

import pickle
import re
import sys
from html import escape
from pathlib import Path

import matplotlib as mpl
import pytest

import docdask
from docdask.errors import UsageError
from docdask.reporting.notebook import Written
from docdask.reporting.opened import RunResult


@pytest.fixture(scope="module")
def result(pile: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    run = tmp_path_factory.mktemp("run") / "run"
    return docdask.run(pile, to=run, cluster="none", progress=lambda _status: None)


def test_a_chart_is_a_figure_that_shows_itself_as_vectors(result: RunResult, tmp_path: Path) -> None:
    chart = result.chart("confidence")
    html = chart._repr_html_()
    assert isinstance(chart, mpl.figure.Figure)
    assert "<svg" in html
    assert escape(chart.tells) in html
    chart.savefig(tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


def test_colours_of_a_chart_follow_the_theme(result: RunResult) -> None:
    html = result.chart("outcomes")._repr_html_()
    style, picture = html.split("</style>", 1)
    assert 'data-jp-theme-light="false"' in style
    assert "var(--ink)" in picture
    used = set(re.findall(r"var\(--(\w+)\)", html))
    assert all(style.count(f"--{role}:") == 2 for role in used)  # once for light, once for dark


def test_ids_of_two_charts_do_not_meet(result: RunResult) -> None:
    ids = [set(re.findall(r'id="([^"]+)"', chart._repr_html_())) for chart in result.charts.values()]
    assert all(ids)
    assert sum(map(len, ids)) == len(set().union(*ids))


def test_every_reference_in_a_chart_has_its_target(result: RunResult) -> None:
    for chart in result.charts.values():
        html = chart._repr_html_()
        targets = set(re.findall(r'(?:href="|url\()#([^")]+)', html))
        assert targets <= set(re.findall(r'id="([^"]+)"', html))


def test_an_unknown_chart_is_refused_with_those_there_are(result: RunResult) -> None:
    with pytest.raises(UsageError, match="no chart 'pie'") as caught:
        result.chart("pie")
    assert "timeline" in caught.value.remedy


def test_a_report_is_one_call_and_links_to_its_files(
    result: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written = result.report("out")
    assert written["pdf"].read_bytes().startswith(b"%PDF")
    assert 'href="out/report.pdf"' in written._repr_html_()


def test_a_link_to_a_file_elsewhere_is_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert f'href="file://{tmp_path}/a%20b.pdf"' in Written(pdf=tmp_path / "a b.pdf")._repr_html_()


def test_a_result_travels_by_its_address(result: RunResult) -> None:
    again = pickle.loads(pickle.dumps(result))
    assert type(again) is RunResult
    assert again.url == result.url


def test_opening_a_run_imports_neither_matplotlib_nor_reportlab(result: RunResult) -> None:
    import subprocess

    code = f"import sys, docdask; docdask.open({result.url!r}); print([m for m in ('matplotlib', 'reportlab') if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
