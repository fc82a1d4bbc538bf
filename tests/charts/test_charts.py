"""Each chart draws what is in its frame, for any backend of dtypes and any number of rows, and says so when there is none."""

from __future__ import annotations

import hashlib
import sys
import time
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from docdask import charts
from docdask.charts._quota_use import fullest
from docdask.charts._speedup import measure
from docdask.charts._timeline import in_flight, lanes
from docdask.charts.axes import bins, span
from tests import synthetic

BACKENDS = ["numpy", "numpy_nullable", "pyarrow"]


def frames(count, *, hostile=False, backend="numpy"):
    docs = synthetic.documents(count, hostile=hostile)
    made = {
        "documents": docs, "pages": synthetic.pages(docs), "calls": synthetic.calls(docs), "requests": synthetic.requests(docs),
    }  # fmt: skip
    return {name: synthetic.backed(data, backend) for name, data in made.items()}


def texts(ax):
    from matplotlib.text import Text

    return " ".join(t.get_text() for t in ax.figure.findobj(Text))


def rendered(figures):
    for figure in figures.values():
        figure.canvas.draw()
    return figures


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("count", [0, 1, 12])
def test_every_chart_draws_any_backend_and_few_rows(count, backend):
    rendered(charts.all(frames(count, hostile=True, backend=backend)))


@pytest.mark.parametrize("name", list(charts.CHARTS))
def test_a_frame_without_columns_says_that_there_is_nothing(name, ax):
    assert charts.CHARTS[name].draw(pd.DataFrame(), ax) is ax
    assert any(word in texts(ax) for word in ("No ", "no "))


@pytest.mark.parametrize("name", list(charts.CHARTS))
def test_a_frame_of_nulls_is_drawn(name, ax):
    made = frames(12)[charts.CHARTS[name].table]
    charts.CHARTS[name].draw(made.mask(made.notna()).astype(made.dtypes, errors="ignore"), ax)
    ax.figure.canvas.draw()


def test_pyplot_knows_none_of_the_figures():
    charts.all(frames(3))
    if "matplotlib.pyplot" in sys.modules:
        assert sys.modules["matplotlib.pyplot"].get_fignums() == []


@pytest.mark.parametrize("form", ["svg", "pdf"])
def test_the_same_rows_give_the_same_bytes(form, tmp_path):
    def digest(folder):
        paths = charts.save(charts.all(frames(12)), folder, form=form)
        assert [p.name for p in paths] == [f"{name}.{form}" for name in charts.CHARTS]
        return [hashlib.sha256(p.read_bytes()).hexdigest() for p in paths]

    assert digest(tmp_path / "a") == digest(tmp_path / "b")


def test_a_million_calls_are_drawn_from_aggregates(ax):
    n = 1_000_000
    rng = np.random.default_rng(5)
    start = np.sort(rng.uniform(0, 36_000, n))
    stamp = pd.Timestamp("2026-05-31", tz="UTC")
    data = pd.DataFrame({
        "document_id": np.arange(n) // 2, "worker": pd.Categorical.from_codes(np.arange(n) % 200, [f"w{i}" for i in range(200)]),
        "started_at": stamp + pd.to_timedelta(start, unit="s"), "ended_at": stamp + pd.to_timedelta(start + 1, unit="s"),
        "seconds": 1.0, "pages": 1, "mime_type": "application/pdf", "code": "OK", "group": "pdf",
    })  # fmt: skip
    for name in ("throughput", "timeline", "speedup", "latency"):
        axes = ax.figure.add_subplot()
        charts.CHARTS[name].draw(data, axes)
        drawn = sum(
            a.get_array().size if a.get_array() is not None else 1 for a in [*axes.collections, *axes.images]
        )
        assert len(axes.get_children()) + drawn < 12_000
    assert measure(data).sum_s == n


def test_throughput_counts_a_document_once_and_only_good_calls(ax):
    data = frames(12)["calls"]
    twice = pd.concat([data, data.assign(first_page=2)], ignore_index=True)
    charts.throughput(twice, ax)
    good = data[data["code"] == "OK"]
    assert f"documents ({good['document_id'].nunique()})" in texts(ax)
    assert f"pages ({int(good['pages'].sum()) * 2})" in texts(ax)


def test_outcomes_names_each_reason_and_wraps_long_ones(ax):
    data = frames(60)["documents"]
    charts.outcomes(data, ax)
    labels = [t.get_text() for t in ax.get_yticklabels()]
    assert any("encrypted" in label for label in labels)
    assert all(len(line) <= 46 for label in labels for line in label.split("\n"))


def test_dollars_and_braces_in_data_are_no_markup(ax):
    data = frames(60)["documents"].assign(reason=r"costs $5^{2} \alpha$ {x} %s")
    charts.outcomes(data, ax)
    ax.figure.canvas.draw()
    assert "$5^{2}" in texts(ax)


def test_dark_and_light_differ_and_leave_nothing_behind():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    with charts.style(dark=True) as dark, charts.style() as light:
        assert dark.ink != light.ink
    assert dict(mpl.rcParams) == before


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.001, 50)), min_size=1, max_size=40))
def test_no_two_calls_of_a_lane_overlap(pairs):
    pairs.sort()
    start = np.array([a for a, _ in pairs])
    end = start + np.array([d for _, d in pairs])
    lane = lanes(start, end)
    for number in set(lane):
        mine = lane == number
        assert (start[mine][1:] >= end[mine][:-1]).all()
    assert lane.max() + 1 == max(((start <= t) & (end > t)).sum() for t in start)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 50)), max_size=40))
def test_the_mean_in_flight_adds_up_to_the_time_spent(pairs):
    start = np.array([a for a, _ in pairs])
    end = start + np.array([d for _, d in pairs])
    edges = bins(0.0, 160.0)
    assert np.isclose((in_flight(start, end, edges) * np.diff(edges)).sum(), (end - start).sum(), atol=1e-6)


@given(st.floats(0, 1e6), st.floats(1e-3, 1e7), st.integers(1, 200))
def test_bins_cover_the_run_and_are_few(start, length, most):
    edges = bins(start, start + length, most)
    assert edges[0] == start
    assert edges[-1] >= start + length - 1e-3 * (1 + length)
    assert len(edges) <= most + 2


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 ms"), (0.02, "20 ms"), (1.234, "1.23 s"), (59.99, "1 min 00 s"), (185, "3 min 05 s"), (7800, "2 h 10 min"), (3 * 86400, "3 d 0 h")],
)  # fmt: skip
def test_durations_read_like_durations(seconds, text):
    assert span(seconds) == text


def test_time_zone_of_the_machine_changes_nothing(ax, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    try:
        charts.throughput(frames(12)["calls"], ax)
        assert "2026-05-31 14:03 UTC" in ax.get_xlabel()
    finally:
        monkeypatch.undo()
        time.tzset()


def test_latency_shows_the_longest_call_whole_and_one_call_as_one() -> None:
    from matplotlib.figure import Figure

    frame = pd.DataFrame(
        {"seconds": [0.01, 0.02, 61.0], "mime_type": ["application/pdf"] * 2 + ["image/tiff"]}
    )
    ax = charts.latency(frame, Figure().subplots())
    assert ax.get_xlim()[1] > 61 * 1.1
    assert any("\n1 call ·" in label.get_text() for label in ax.get_yticklabels())


# Quotas


def requests(seconds, **more):
    sent = pd.to_datetime(1.8e9 + np.asarray(seconds, float), unit="s", utc=True)
    values = {
        "quota_group": "us OCR_PROCESSOR",
        "quota": 6,
        "period_s": 60.0,
        "lane": "online",
        "outcome": "answered",
    }
    return pd.DataFrame({"sent_at": sent, **values, **more})


def peaks(ax):
    """The highest value of each line, by its label."""
    return {patch.get_label(): patch.get_data()[0].max() for patch in ax.patches if patch.get_label()}


@given(st.lists(st.floats(0, 500), min_size=1, max_size=60), st.floats(0.5, 100), st.integers(1, 40))
def test_the_fullest_window_is_that_of_a_count_by_hand(times, period, parts):
    sent = np.sort(np.array(times))
    edges = np.linspace(sent[0], sent[-1] + 1, parts + 1)
    got = fullest(sent, edges, period)
    for at, (low, high) in enumerate(pairwise(edges)):
        ends = [low, *(t for t in sent if low <= t < high)]
        assert got[at] == max(sum(end - period < t <= end for t in sent) for end in ends)


def test_use_is_in_percent_of_each_quota(ax):
    frame = pd.concat(
        [requests(range(0, 60, 10)), requests(range(0, 60, 20), quota_group="eu OCR_PROCESSOR", quota=12)]
    )
    charts.quota_use(frame, ax)
    shown = peaks(ax)
    assert shown == {
        "us OCR_PROCESSOR (6/min)": pytest.approx(100),
        "eu OCR_PROCESSOR (12/min)": pytest.approx(25),
    }


def test_what_was_never_sent_and_what_has_another_quota_does_not_count(ax):
    frame = pd.concat(
        [
            requests([0, 1, 2]),
            requests([3, 4], outcome="withdrawn"),
            requests([5], lane="batch"),
            requests([6], quota=None),
        ]
    )
    charts.quota_use(frame, ax)
    assert list(peaks(ax).values()) == [pytest.approx(50)]


def test_many_quotas_share_the_last_line_which_shows_the_fullest(ax):
    groups = [requests(np.zeros(n), quota_group=f"group {n}", quota=100) for n in range(1, 8)]
    charts.quota_use(pd.concat(groups), ax)
    shown = peaks(ax)
    assert list(shown) == [
        "group 7 (100/min)",
        "group 6 (100/min)",
        "group 5 (100/min)",
        "fullest of 4 others",
    ]
    assert shown["fullest of 4 others"] == 4


def test_an_emulated_minute_is_named_by_its_length(ax):
    charts.quota_use(requests([0, 0.1], period_s=0.6), ax)
    assert "0.60 s" in texts(ax)
