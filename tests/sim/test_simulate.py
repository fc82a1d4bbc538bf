"""Against cases that can be worked out by hand."""

from __future__ import annotations

import math

import pytest

from docdask.core.server import NO_FAULTS, Faults, Latency
from docdask.core.spec import BudgetSpec
from docdask.errors import UsageError
from docdask.sim import Incident, Load, Scenario, repeated, simulate

#: A call takes exactly a second, and travels no time.
SECOND = Latency(base_ns=10**9)
EXACT = {"latency": SECOND, "travel_s": (0.0, 0.0)}
#: Permit asked at 0, call at once, a second of work, 5 ms for the reply.
CALL_S = 1.005


def pages(documents: int, each: int = 1, **more) -> tuple[Load, ...]:
    return (Load(repeated(documents, each), **more),)


def test_nothing_to_do_takes_no_time():
    result = simulate(Scenario(pages(0), **EXACT))
    assert (result.seconds, result.calls, result.cost_usd) == (0, 0, 0)
    assert len(result.minutes) == len(result.endpoints) == 0


@pytest.mark.parametrize("documents", [1, 12, 100, 120])
def test_what_fits_into_the_free_minute_goes_at_once(documents):
    result = simulate(Scenario(pages(documents), in_flight=200, **EXACT))
    assert result.seconds == pytest.approx(CALL_S)
    assert result.refused_calls == 0
    assert result.lanes.set_index("lane").loc["normal", "wait_most_s"] == 0


def test_600_calls_at_120_a_minute_go_at_the_pace_from_the_start():
    result = simulate(Scenario(pages(600), **EXACT))
    # 599 steps of (60 s + 0.3 s guard) / 120, widened to a quota smaller by one call: 60 / 119 s.
    step_s = max(60.3 / 120, 60 / 119)
    assert result.seconds == pytest.approx(599 * step_s + CALL_S, abs=0.01)
    assert result.seconds <= 1.02 * result.pace_s + CALL_S
    assert result.refused_calls == 0
    assert result.endpoints["calls"].head(5).between(118, 120).all()


def test_a_second_region_doubles_the_pace():
    both = simulate(Scenario(pages(600), regions=("us", "eu"), **EXACT))
    assert both.pace_s == 150
    assert both.seconds == pytest.approx(300 * 60 / 119, rel=0.01)


def test_single_regions_share_one_quota_and_the_governor_knows_it():
    result = simulate(Scenario(pages(30), regions=("us-central1", "europe-west3"), **EXACT))
    assert result.refused_calls == 0
    assert result.pace_s == pytest.approx(30 * 60 / 6)
    assert result.seconds == pytest.approx(29 * 60.3 / 6, rel=0.05)


def test_the_user_quota_holds_over_all_regions():
    result = simulate(Scenario(pages(600), regions=("us", "eu"), requests=600, user_requests=120, **EXACT))
    assert result.seconds == pytest.approx(599 * 60 / 119 + CALL_S, rel=0.01)
    assert result.refused_calls == 0


def test_pages_a_minute_hold_for_generative_processors():
    result = simulate(
        Scenario(
            pages(60, 10), processor_type="CUSTOM_EXTRACTION_PROCESSOR", requests=10_000, pages=100, **EXACT
        )
    )
    assert result.pages == 600
    assert result.seconds == pytest.approx(59 * 60 / 10 / (1 - 0.0096) + CALL_S, rel=0.02)


def test_without_quota_to_speak_of_workers_are_the_limit():
    scenario = Scenario(
        pages(100), requests=100_000, user_requests=100_000, workers=5, calls_per_worker=2, **EXACT
    )
    assert simulate(scenario).seconds == pytest.approx(10 * CALL_S)


def test_calls_in_flight_are_held_to_the_limit():
    scenario = Scenario(pages(40), requests=10_000, user_requests=10_000, in_flight=4, **EXACT)
    result = simulate(scenario)
    assert result.seconds == pytest.approx(10 * CALL_S)
    assert result.endpoints["in_flight_limit"].max() <= 4


def test_long_documents_are_cut_into_calls():
    result = simulate(Scenario((Load([31, 15, 1]),), **EXACT))
    assert (result.done, result.calls, result.pages) == (3, 3 + 1 + 1, 47)


def test_imageless_calls_take_twice_the_pages():
    assert simulate(Scenario(pages(10, 60), imageless=True, **EXACT)).calls == 20
    assert simulate(Scenario(pages(10, 60), **EXACT)).calls == 40


def test_limits_are_overridden_by_name():
    limits = {"online_requests.us.OCR_PROCESSOR": 600, "online_pages.OCR_PROCESSOR": 5}
    result = simulate(Scenario(pages(600, 10), limits=limits, **EXACT))
    assert result.calls == 1200
    assert result.seconds == pytest.approx(120 + CALL_S, rel=0.02)


def test_cost_follows_the_price_list():
    result = simulate(Scenario(pages(2000), requests=10_000, user_requests=10_000, **EXACT))
    assert result.cost_usd == pytest.approx(1000 * 0.0015)  # the first 1,000 pages of a month are free


def test_a_budget_stops_the_run_to_the_page():
    result = simulate(Scenario(pages(50, budget=BudgetSpec(pages=30)), **EXACT))
    assert (result.done, result.refused, result.pages_billed) == (30, 20, 30)
    assert dict(result.refusals) == {"budget": 20}


def test_a_quota_of_zero_refuses_all():
    result = simulate(Scenario(pages(5000), requests=0, **EXACT))
    assert (result.done, result.refused, result.calls) == (0, 5000, 0)
    assert dict(result.refusals) == {"closed": 5000}


def test_work_moves_when_a_region_fails():
    down = Incident(60.0, Faults(regions_down=("us",)))
    result = simulate(Scenario(pages(1000), regions=("us", "eu"), incidents=(down,), **EXACT))
    assert (result.done, result.failed) == (1000, 0)
    minutes = result.endpoints.pivot(index="minute", columns="location", values="ok")
    assert minutes.loc[0, "us"] > 100
    assert minutes.loc[1:, "us"].sum() < 5
    assert minutes.loc[2:6, "eu"].min() >= 117
    assert result.endpoints.query("location == 'us'")["breaker"].iloc[-1] != "closed"


def test_a_region_that_comes_back_is_used_again():
    down = Incident(60.0, Faults(regions_down=("us",)), until_s=180.0)
    result = simulate(Scenario(pages(1400), regions=("us", "eu"), incidents=(down,), **EXACT))
    minutes = result.endpoints.pivot(index="minute", columns="location", values="ok")
    assert minutes.loc[4, "us"] >= 115


def test_when_all_regions_fail_for_good_the_horizon_ends_it():
    down = Incident(0.0, Faults(regions_down=("us",)))
    result = simulate(Scenario(pages(10), incidents=(down,), horizon_s=3600, **EXACT))
    assert (result.seconds, result.pending, result.done, result.cost_usd) == (3600, 10, 0, 0)
    assert 0 < result.calls < 200  # probes


def test_an_urgent_document_waits_for_a_permit_not_for_the_queue():
    bulk = Load(repeated(3000), lane="bulk", name="pile")
    urgent = Load(repeated(20), lane="interactive", name="desk", start_s=61, every_s=30)
    result = simulate(Scenario((bulk, urgent), **EXACT))
    lanes = result.lanes.set_index("lane")
    assert lanes.loc["interactive", "permits"] == 20
    assert lanes.loc["interactive", "wait_median_s"] <= 1
    assert lanes.loc["interactive", "wait_p99_s"] <= 3
    assert result.loads.set_index("load").loc["desk", "ended_s"] < 700


def test_lost_workers_are_replaced_by_the_others_and_their_calls_are_paid_twice():
    lost = Incident(30.5, NO_FAULTS, workers_lost=3)
    scenario = Scenario(
        pages(240), workers=4, incidents=(lost,), latency=Latency(base_ns=5 * 10**9), travel_s=(0, 0)
    )
    result = simulate(scenario)
    assert (result.done, result.pending) == (240, 0)
    assert result.lost_calls > 0
    assert result.pages_billed == result.pages + result.lost_calls


def test_without_workers_the_rest_is_pending():
    lost = Incident(30.0, NO_FAULTS, workers_lost=9)
    result = simulate(Scenario(pages(240), workers=2, incidents=(lost,), **EXACT))
    assert result.done + result.pending == 240
    assert result.pending > 100
    assert result.seconds == 30


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"requests": -1}, "-1"),
        ({"regions": ()}, "regions"),
        ({"regions": ("mars",)}, "mars"),
        ({"workers": 0}, "workers is 0"),
        ({"window": "lunar"}, "lunar"),
        ({"quota_share": 0.0}, "0.0"),
        ({"processor_type": "X"}, "'X'"),
        ({"pages_per_call": 16}, "16"),
        ({"travel_s": (2.0, 1.0)}, "(2.0, 1.0)"),
        ({"horizon_s": math.inf}, "inf"),
        ({"loads": (Load([1], lane="fast"),)}, "fast"),
        ({"loads": (Load([1]), Load([2]))}, "'run'"),
    ],
)
def test_an_impossible_scenario_names_the_value_and_the_remedy(change, named):
    with pytest.raises(UsageError) as caught:
        Scenario(**({"loads": pages(1)} | change))
    assert named in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize(
    "make",
    [
        lambda: Load([0]),
        lambda: Load([1], start_s=-1),
        lambda: Incident(5.0, until_s=5.0),
        lambda: Incident(0.0, Faults(regions_down=("mars",))),
        lambda: Incident(0.0, workers_lost=-1),
    ],
)
def test_impossible_parts_are_refused(make):
    with pytest.raises(UsageError):
        make()


def test_incidents_that_overlap_add_up_and_may_not_exceed_all_calls():
    half = Faults(unavailable=0.6)
    with pytest.raises(UsageError, match="120%"):
        simulate(Scenario(pages(1), incidents=(Incident(0, half), Incident(1, half)), **EXACT))
