"""What holds for every scenario."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from docdask.core.server import Faults, Latency
from docdask.core.spec import BudgetSpec
from docdask.sim import Incident, Load, Scenario, simulate

LAWS = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])

shares = st.sampled_from([0.0, 0.0, 0.05, 0.15])
faults = st.builds(
    Faults,
    quota=shares,
    unavailable=shares,
    internal=shares,
    deadline=shares,
    lost=shares,
    duplicate=shares,
    slow=shares,
    regions_down=st.sampled_from([(), (), ("us",), ("eu",)]),
)
incidents = st.builds(
    lambda at, length, faults, lost: Incident(at, faults, at + length, lost),
    st.floats(0, 200),
    st.floats(0.5, 300),
    faults,
    st.integers(0, 2),
)
loads = st.lists(
    st.tuples(
        st.lists(st.sampled_from([1, 1, 1, 2, 7, 15, 16, 40]), max_size=60),
        st.sampled_from(["interactive", "normal", "bulk"]),
        st.sampled_from([0.0, 0.0, 20.0]),
        st.sampled_from([0.0, 0.0, 1.5]),
        st.sampled_from([None, None, 0, 30]),
    ),
    min_size=1,
    max_size=3,
).map(
    lambda rows: tuple(
        Load(pages, lane, f"load {number}", start, every, BudgetSpec(pages=budget))
        for number, (pages, lane, start, every, budget) in enumerate(rows)
    )
)


@st.composite
def scenarios(draw):
    regions = draw(st.sampled_from([("us",), ("us", "eu"), ("us-central1", "europe-west3")]))
    return Scenario(
        draw(loads),
        regions=regions,
        requests=draw(st.sampled_from([0, 6, 120, 6000])),
        quota_share=draw(st.sampled_from([1.0, 0.9])),
        processor_type=draw(st.sampled_from(["OCR_PROCESSOR", "CUSTOM_EXTRACTION_PROCESSOR"])),
        workers=draw(st.integers(1, 9)),
        calls_per_worker=draw(st.sampled_from([1, 3, 64])),
        window=draw(st.sampled_from(["sliding", "fixed", "sliding-count", "bucket", "bucket/4"])),
        latency=Latency(base_ns=draw(st.sampled_from([0, 10**9])), page_ns=10**8, tail=0.3, capacity=20),
        incidents=tuple(draw(st.lists(incidents, max_size=1))),
        horizon_s=3600,
        seed=draw(st.integers(0, 3)),
    )


@LAWS
@given(scenarios())
def test_every_document_and_every_call_is_somewhere(scenario):
    result = simulate(scenario)
    assert result.documents == sum(len(load.pages) for load in scenario.loads)
    assert result.documents == result.done + result.failed + result.refused + result.pending
    assert result.calls == (
        result.ok + result.refused_calls + result.failed_calls + result.lost_calls + result.unanswered
    )
    assert min(result.failed, result.refused, result.pending, result.unanswered) >= 0
    assert result.pages_billed >= result.pages
    minutes, endpoints = result.minutes, result.endpoints
    assert minutes["documents"].sum() == result.done
    assert minutes["set_aside"].sum() == result.failed + result.refused
    for name, total in (("calls", result.calls), ("ok", result.ok), ("pages", result.pages)):
        assert minutes[name].sum() == endpoints[name].sum() == total
    assert abs(minutes["cost_usd"].sum() - result.cost_usd) < 1e-9
    assert result.loads[["done", "failed", "refused", "pending"]].sum().sum() == result.documents


@LAWS
@given(scenarios())
def test_no_minute_lets_in_more_calls_than_the_quota(scenario):
    scenario = replace(scenario, window="sliding" if scenario.seed % 2 else "fixed")
    for minute, rows in simulate(scenario).endpoints.groupby("minute"):
        admitted = rows["calls"] - rows["refused"]
        shared = "us-central1" in scenario.regions
        assert (admitted.sum() if shared else admitted.max()) <= scenario.requests, minute


@LAWS
@given(scenarios(), st.integers(0, 60))
def test_a_budget_is_never_exceeded_by_a_page_where_replies_arrive(scenario, most):
    load = Load([1, 2, 15, 40] * 8, budget=BudgetSpec(pages=most))
    result = simulate(replace(scenario, loads=(load,), incidents=()))
    assert result.pages_billed <= most


@LAWS
@given(scenarios())
def test_the_same_scenario_gives_the_same_result(scenario):
    assert simulate(scenario) == simulate(scenario)


def test_another_seed_gives_another_result():
    pages = [1, 2, 3] * 50
    results = {simulate(Scenario((Load(pages),), seed=seed)).seconds for seed in range(3)}
    assert len(results) == 3


@LAWS
@given(scenarios())
def test_more_quota_never_takes_longer_when_nothing_fails(scenario):
    calm = replace(
        scenario, loads=(Load([1] * 150),), incidents=(), processor_type="OCR_PROCESSOR", window="sliding",
        latency=Latency(base_ns=10**9), workers=4, calls_per_worker=64, travel_s=(0.0, 0.0), user_requests=10**6,
    )  # fmt: skip
    slow, fast = (simulate(replace(calm, requests=requests)).seconds for requests in (60, 240))
    assert fast <= slow
