"""Charts draw what the frames hold."""

from __future__ import annotations

import io

import pytest
from matplotlib.figure import Figure

from docdask import charts as style_of
from docdask.core.server import Faults
from docdask.sim import Incident, Load, Scenario, repeated, simulate
from docdask.sim.charts import CHARTS, calls, progress, waiting


@pytest.fixture
def ax():
    with style_of.style():
        yield Figure(figsize=(7, 2.8), layout="constrained").subplots()


@pytest.fixture(scope="module")
def result():
    down = Incident(180, Faults(regions_down=("us",)))
    return simulate(Scenario((Load(repeated(1500)),), regions=("us", "eu"), incidents=(down,)))


def lines(ax):
    return {line.get_label(): line for line in ax.get_lines()}


def test_calls_has_a_line_an_endpoint_and_the_quota(result, ax):
    assert calls(result.endpoints, ax) is ax
    drawn = lines(ax)
    us = next(line for name, line in drawn.items() if name.startswith("us/"))
    assert list(us.get_ydata()) == list(result.endpoints.query("location == 'us'")["calls"])
    assert any("quota 120" in text.get_text() for text in ax.texts)


def test_progress_ends_with_all_documents_and_names_the_cost(result, ax):
    progress(result.minutes, ax)
    assert next(iter(lines(ax).values())).get_ydata()[-1] == 1500
    assert f"${result.cost_usd:,.2f}" in ax.get_title(loc="left")


def test_waiting_shows_only_lanes_in_which_somebody_waited(result, ax):
    waiting(result.minutes, ax)
    assert list(lines(ax)) == ["normal"]


def test_long_runs_draw_few_points(ax):
    slow = simulate(Scenario((Load(repeated(8000)),), requests=6, horizon_s=3 * 86400))
    calls(slow.endpoints, ax)
    assert max(len(line.get_xdata()) for line in ax.get_lines()) <= 602


@pytest.mark.parametrize("name", CHARTS)
def test_nothing_done_says_so(name, ax):
    draw, frame = CHARTS[name]
    nothing = simulate(Scenario((Load([]),)))
    draw(getattr(nothing, frame), ax)
    assert ax.texts


@pytest.mark.parametrize("name", CHARTS)
def test_the_same_rows_give_the_same_bytes(name, result):
    def drawn() -> bytes:
        draw, frame = CHARTS[name]
        with style_of.style():
            figure = Figure(figsize=(7, 2.8), layout="constrained")
            draw(getattr(result, frame), figure.subplots())
            out = io.BytesIO()
            figure.savefig(out, format="svg", metadata={"Date": None})
        return out.getvalue()

    assert drawn() == drawn()
