"""What the governor does, told as single scenes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from docdask.core import events as ev
from docdask.core.governor import Governor
from docdask.core.instructions import Append, Grant, Refuse, Reject, Revoke, WakeAt
from docdask.core.ledger import fold
from docdask.core.spec import BreakerSpec, BudgetSpec, EndpointSpec, SemaphoreSpec
from docdask.core.views import permits, view
from docdask.errors import UsageError

SECOND = 10**9
MINUTE = 60 * SECOND
US = EndpointSpec("us", location="us", requests=120)
EU = EndpointSpec("eu", location="eu", requests=120)


class Stage:
    """A governor with one semaphore, spoken to in short sentences."""

    def __init__(self, *endpoints: EndpointSpec, **options):
        self.governor = Governor()
        self.spec = SemaphoreSpec(endpoints or (US,), **options)
        self.count = 0
        self.tell(ev.Register(0, "s", self.spec))

    def tell(self, event):
        return self.governor.handle(event)

    def want(self, at_ns, count=1, worker="w", pages=1, **options):
        waiters = []
        for _ in range(count):
            self.count += 1
            waiters.append(ev.Waiter(f"p{self.count}", pages, options.pop("micros", 0)))
        return self.tell(ev.Want(at_ns, "s", worker, tuple(waiters), **options))

    def give_back(self, at_ns, grant, verdict="ok", latency_ns=SECOND, **more):
        outcome = ev.Outcome(grant.permit, grant.fence, verdict, latency_ns, **more)
        return self.tell(ev.Return(at_ns, "s", grant.worker, (outcome,)))

    def view(self):
        return view(self.governor, "s")


def of(kind, out):
    return [instruction for instruction in out if isinstance(instruction, kind)]


def test_a_free_permit_is_granted_at_once_with_its_endpoint_and_a_fence():
    (grant,) = of(Grant, Stage().want(0))
    assert (grant.worker, grant.permit, grant.endpoint, grant.fence) == ("w", "p1", "us", 1)


def test_fences_only_rise():
    stage = Stage(adaptive=False)
    fences = [grant.fence for n in range(50) for grant in of(Grant, stage.want(n * SECOND))]
    assert fences == sorted(set(fences))


def test_a_run_that_fits_the_free_minute_goes_at_once():
    assert len(of(Grant, Stage().want(0, 120))) == 120


def test_a_run_that_does_not_fit_goes_at_an_even_pace_from_the_start():
    out = Stage().want(0, 121)
    assert len(of(Grant, out)) == 1
    (wake,) = of(WakeAt, out)
    assert SECOND // 2 <= wake.at_ns < 0.51 * SECOND


def test_what_a_run_announces_counts_before_it_is_wanted():
    stage = Stage()
    stage.tell(ev.OpenRun(0, "s", "r", calls=600))
    assert len(of(Grant, stage.want(0, 64, run="r"))) == 1


def test_a_waiter_is_granted_at_the_moment_it_was_told_and_not_a_nanosecond_before():
    stage = Stage()
    (wake,) = of(WakeAt, stage.want(0, 121))
    assert not of(Grant, stage.tell(ev.Timer(wake.at_ns - 1, "s")))
    assert len(of(Grant, stage.tell(ev.Timer(wake.at_ns, "s")))) == 1


def test_asking_again_for_a_held_permit_repeats_the_grant():
    stage = Stage()
    event = ev.Want(0, "s", "w", (ev.Waiter("p"),))
    (grant,) = of(Grant, stage.tell(event))
    assert of(Grant, stage.tell(replace(event, at_ns=5))) == [grant]
    assert stage.view().granted == 1


def test_asking_again_for_a_permit_that_is_over_does_nothing():
    stage = Stage()
    event = ev.Want(0, "s", "w", (ev.Waiter("p"),))
    (grant,) = of(Grant, stage.tell(event))
    stage.give_back(SECOND, grant)
    assert stage.tell(replace(event, at_ns=2 * SECOND)) == []
    assert stage.view().held == 0


def test_returning_twice_frees_once():
    stage = Stage(EndpointSpec("us", in_flight=2), adaptive=False)
    first, second = of(Grant, stage.want(0, 2))
    stage.give_back(1, first)
    stage.give_back(2, first)
    assert len(of(Grant, stage.want(3, 5))) == 1
    assert stage.view().endpoints[0].in_flight == 2
    assert second.fence == 2


def test_an_outcome_under_another_fence_is_not_taken():
    stage = Stage()
    (grant,) = of(Grant, stage.want(0))
    stage.give_back(1, grant._replace(fence=grant.fence - 1))
    assert stage.view().held == 1
    stage.give_back(2, grant)
    assert stage.view().held == 0


def test_an_endpoint_that_has_recovered_grows_fast_again():
    stage = Stage(EndpointSpec("us"), in_flight_start=64, breaker=BreakerSpec(failures=3, probes=1))
    for grant in of(Grant, stage.want(0, 64)):
        stage.give_back(1, grant, "capacity")
    (probe,) = of(Grant, stage.want(6 * SECOND, 1))
    stage.give_back(7 * SECOND, probe)
    before = stage.view().endpoints[0].in_flight_limit
    grants = of(Grant, stage.want(8 * SECOND, 500))
    for grant in grants:
        stage.give_back(9 * SECOND, grant)
    assert stage.view().endpoints[0].in_flight_limit >= 2 * before - 1


def test_a_cancelled_waiter_is_forgotten_and_a_cancelled_grant_comes_back():
    stage = Stage(EndpointSpec("us", in_flight=1), adaptive=False)
    stage.want(0, 3)
    assert stage.view().waiting["normal"] == 2
    out = stage.tell(ev.Cancel(1, "s", "w", ("p1", "p2")))
    assert [grant.permit for grant in of(Grant, out)] == ["p3"]


def test_a_cancel_that_overtakes_its_want_still_cancels():
    stage = Stage()
    stage.want(0)
    stage.tell(ev.Cancel(1, "s", "w", ("early",)))
    assert stage.tell(ev.Want(2, "s", "w", (ev.Waiter("early"),))) == []


def test_a_lost_worker_frees_its_slots_and_its_waiters_are_forgotten():
    stage = Stage(EndpointSpec("us", in_flight=1), adaptive=False)
    stage.want(0, 5, worker="dead")
    stage.want(1, 1, worker="alive")
    out = stage.tell(ev.WorkerLost(2, "dead"))
    assert [grant.worker for grant in of(Grant, out)] == ["alive"]
    assert len(of(Revoke, out)) == 1
    assert [refusal.reason for refusal in of(Refuse, stage.want(3, 1, worker="dead"))] == ["lapsed"]
    stage.tell(ev.WorkerJoined(4, "dead"))
    assert sum(stage.view().waiting.values()) == 0
    stage.want(5, 1, worker="dead")
    assert sum(stage.view().waiting.values()) == 1


def test_a_silent_worker_loses_its_leases_and_hears_of_it():
    stage = Stage(EndpointSpec("us", in_flight=1), adaptive=False, lease_ns=10 * SECOND)
    out = stage.want(0, 2)
    (wake,) = of(WakeAt, out)
    assert wake.at_ns == 10 * SECOND
    assert not of(Revoke, stage.tell(ev.Timer(10 * SECOND - 1, "s")))
    out = stage.tell(ev.Timer(10 * SECOND, "s"))
    assert [revoke.permit for revoke in of(Revoke, out)] == ["p1"]
    assert [refusal.reason for refusal in of(Refuse, out)] == ["lapsed"]


def test_a_call_that_was_refused_stands_first_when_it_asks_again():
    stage = Stage()
    (grant,) = of(Grant, stage.want(0, 300))
    stage.give_back(SECOND // 4, grant, "transient")
    again = ev.Waiter("again", attempt=2)
    out = stage.tell(ev.Want(SECOND // 4, "s", "w", (again,)))
    assert not of(Grant, out)
    assert [g.permit for g in of(Grant, stage.tell(ev.Timer(SECOND, "s")))] == ["again"]


def test_a_refused_batch_operation_does_not_hold_back_single_calls():
    stage = Stage(EndpointSpec("us", requests=120, batch=5), lease_ns=3600 * SECOND)
    first, second = of(Grant, stage.want(0, 2, kind="batch", pages=10))
    stage.give_back(SECOND, second, "quota", limit="batch")
    assert len(of(Grant, stage.want(2 * SECOND, 1))) == 1
    assert not of(Grant, stage.want(2 * SECOND, 1, kind="batch"))
    assert len(of(Grant, stage.tell(ev.Timer(60 * SECOND, "s")))) == 1
    assert first.kind == "batch"


def test_a_refused_poll_slows_the_user_not_the_endpoint():
    stage = Stage(US, user_requests=600)
    (grant,) = of(Grant, stage.want(0, kind="poll", pages=0))
    stage.give_back(SECOND, grant, "quota", after_ns=20 * SECOND)
    assert not of(Grant, stage.want(2 * SECOND))
    assert len(of(Grant, stage.tell(ev.Timer(21 * SECOND, "s")))) == 1


def test_signs_of_life_keep_a_lease():
    stage = Stage(lease_ns=10 * SECOND)
    stage.want(0)
    for at in range(5, 100, 5):
        assert not of(Revoke, stage.tell(ev.Refresh(at * SECOND, "w")))
    assert stage.view().held == 1


def test_a_governor_that_was_away_does_not_blame_the_workers():
    """The process slept for an hour; the signs of life of its workers still queue behind the timer."""
    stage = Stage(lease_ns=10 * SECOND)
    stage.want(0)
    assert not of(Revoke, stage.tell(ev.Timer(3600 * SECOND, "s")))
    assert not of(Revoke, stage.tell(ev.Refresh(3600 * SECOND + 1, "w")))
    assert stage.view().held == 1


def test_a_grant_that_never_reached_its_worker_is_found_by_the_next_refresh():
    stage = Stage()
    first, second = of(Grant, stage.want(0, 2))
    out = stage.tell(ev.Refresh(1, "w", "s", first.fence, ()))
    assert [revoke.permit for revoke in of(Revoke, out)] == [first.permit]
    assert not of(Revoke, stage.tell(ev.Refresh(2, "w", "s", second.fence, (second.permit,))))


def test_time_that_runs_backwards_stands_still():
    stage = Stage()
    assert len(of(Grant, stage.want(10 * MINUTE, 121))) == 1
    assert not of(Grant, stage.tell(ev.Timer(0, "s")))
    assert stage.governor.now_ns == 10 * MINUTE


def test_calls_in_flight_are_held_to_their_limit():
    stage = Stage(EndpointSpec("us", in_flight=3), adaptive=False)
    grants = of(Grant, stage.want(0, 10))
    assert len(grants) == 3
    assert len(of(Grant, stage.give_back(1, grants[0]))) == 1


def test_pages_are_metered_beside_requests():
    stage = Stage(EndpointSpec("us", requests=120, pages=60))
    assert len(of(Grant, stage.want(0, 4, pages=15))) == 4
    assert not of(Grant, stage.want(1, 1, pages=1))


def test_a_long_document_is_not_starved_by_short_ones():
    """Twenty pages become free after a minute, thirty only after a minute and a half: the short ones have to wait too."""
    stage = Stage(EndpointSpec("us", pages=30))
    assert of(Grant, stage.want(0, 1, pages=20))
    assert of(Grant, stage.want(30 * SECOND, 1, pages=10))
    stage.want(31 * SECOND, 1, pages=30, run="long")
    stage.want(32 * SECOND, 50, pages=1, run="short")
    for at in range(33, 90):
        stage.tell(ev.Refresh(at * SECOND, "w"))
        assert not of(Grant, stage.tell(ev.Timer(at * SECOND, "s")))
    assert [grant.permit for grant in of(Grant, stage.tell(ev.Timer(91 * SECOND, "s")))] == ["p3"]


def test_endpoints_in_one_group_share_one_quota():
    shared = {"requests": 10, "requests_group": "us/OCR"}
    stage = Stage(EndpointSpec("v1", **shared), EndpointSpec("v2", **shared))
    assert len(of(Grant, stage.want(0, 10))) == 10
    assert not of(Grant, stage.want(1, 1))


def test_the_user_quota_counts_polls_and_every_endpoint():
    stage = Stage(US, EU, user_requests=10)
    assert len(of(Grant, stage.want(0, 4))) == 4
    assert len(of(Grant, stage.want(1, 6, kind="poll", pages=0))) == 6
    assert not of(Grant, stage.want(2, 1, kind="poll", pages=0))


def test_polls_use_nothing_of_an_endpoint():
    stage = Stage(EndpointSpec("us", requests=2, in_flight=1), adaptive=False)
    assert len(of(Grant, stage.want(0, 1))) == 1
    polls = of(Grant, stage.want(1, 9, kind="poll", pages=0))
    assert len(polls) == 9
    for poll in polls:
        stage.give_back(2, poll, "transient")
    assert (stage.view().endpoints[0].in_flight, stage.view().endpoints[0].breaker) == (1, "closed")
    assert stage.view().meters[0].used == 1


def test_a_batch_permit_holds_its_slot_until_the_operation_ends():
    stage = Stage(EndpointSpec("us", requests=1, batch=2), lease_ns=3600 * SECOND)
    grants = of(Grant, stage.want(0, 3, kind="batch", pages=500))
    assert len(grants) == 2
    assert len(of(Grant, stage.want(1, 1))) == 1
    assert len(of(Grant, stage.give_back(600 * SECOND, grants[0]))) == 1


def test_work_goes_where_quota_is_free():
    stage = Stage(US, EU)
    where = [grant.endpoint for grant in of(Grant, stage.want(0, 100))]
    assert where.count("us") == where.count("eu") == 50


def test_the_residency_rule_is_never_broken():
    stage = Stage(
        EndpointSpec("us", location="us", in_flight=50),
        EndpointSpec("eu", location="eu", in_flight=2),
        adaptive=False,
    )
    grants = of(Grant, stage.want(0, 40, locations=("eu",)))
    assert [grant.endpoint for grant in grants] == ["eu", "eu"]
    (refusal,) = of(Refuse, stage.want(1, locations=("asia",)))
    assert refusal.reason == "residency"
    assert "asia" in refusal.message


def test_a_failed_region_is_left_and_tried_again():
    stage = Stage(US, EU, breaker=BreakerSpec(failures=3))
    grants = of(Grant, stage.want(0, 20))
    for grant in [grant for grant in grants if grant.endpoint == "us"]:
        stage.give_back(SECOND, grant, "capacity")
    assert stage.view().endpoints[0].breaker == "open"
    assert {grant.endpoint for grant in of(Grant, stage.want(2 * SECOND, 20))} == {"eu"}
    assert "us" in {grant.endpoint for grant in of(Grant, stage.want(7 * SECOND, 4))}
    assert stage.view().endpoints[0].breaker == "half-open"


def test_a_region_that_falls_silent_is_left():
    stage = Stage(US, EU)
    first = of(Grant, stage.want(0, 20))
    for grant in first[:4]:
        stage.give_back(SECOND, grant)
    for grant in [grant for grant in first[4:] if grant.endpoint == "eu"]:
        stage.give_back(2 * SECOND, grant)
    stage.tell(ev.Refresh(4 * SECOND, "w"))
    stage.tell(ev.Timer(4 * SECOND, "s"))
    assert [endpoint.breaker for endpoint in stage.view().endpoints] == ["open", "closed"]


def test_long_documents_are_not_mistaken_for_silence():
    """At two seconds a page, ten pages may take a minute before anybody worries."""
    stage = Stage(US, lease_ns=3600 * SECOND)
    first = of(Grant, stage.want(0, 4, pages=1))
    stage.give_back(2 * SECOND, first[0], latency_ns=2 * SECOND)
    stage.want(2 * SECOND, 4, pages=10)
    stage.tell(ev.Timer(61 * SECOND, "s"))
    assert stage.view().endpoints[0].breaker == "closed"
    stage.tell(ev.Timer(63 * SECOND, "s"))
    assert stage.view().endpoints[0].breaker == "open"


def test_a_last_resort_is_used_only_while_all_others_have_failed():
    stage = Stage(US, EndpointSpec("offline", last_resort=True), breaker=BreakerSpec(failures=3))
    grants = of(Grant, stage.want(0, 121))
    assert {grant.endpoint for grant in grants} == {"us"}
    stage = Stage(US, EndpointSpec("offline", last_resort=True), breaker=BreakerSpec(failures=3))
    grants = of(Grant, stage.want(0, 3))
    for grant in grants:
        stage.give_back(SECOND, grant, "capacity")
    assert {grant.endpoint for grant in of(Grant, stage.want(2 * SECOND, 3))} == {"offline"}
    assert not of(Grant, stage.want(2 * SECOND, 3, endpoints=("us",)))


def test_a_message_that_is_too_large_for_us_is_no_quota_refusal_and_is_paid():
    stage = Stage(budget=BudgetSpec(pages=100))
    (grant,) = of(Grant, stage.want(0, pages=7))
    stage.give_back(SECOND, grant, "too-large")
    assert stage.view().meters[0].bursts
    assert stage.view().budgets[0].pages_spent == 7


def test_retry_info_is_honoured():
    stage = Stage()
    (grant,) = of(Grant, stage.want(0))
    stage.give_back(SECOND, grant, "quota", after_ns=20 * SECOND)
    (wake,) = of(WakeAt, stage.want(2 * SECOND)) or of(WakeAt, stage.tell(ev.Timer(2 * SECOND, "s")))
    assert wake.at_ns == 21 * SECOND


def test_a_refused_burst_ends_bursting_at_that_endpoint_alone():
    stage = Stage(US, EU)
    grants = [grant for grant in of(Grant, stage.want(0, 100)) if grant.endpoint == "us"]
    stage.give_back(SECOND, grants[-1], "quota")
    assert {meter.name: meter.bursts for meter in stage.view().meters} == {
        "requests/us": False,
        "requests/eu": True,
    }


def test_a_budget_is_never_exceeded_by_a_page_also_with_replies_lost():
    stage = Stage(EndpointSpec("us"), budget=BudgetSpec(pages=100))
    stage.tell(ev.OpenRun(0, "s", "r", budget=BudgetSpec(pages=50)))
    out = stage.want(0, 6, pages=10, run="r")
    assert len(of(Grant, out)) == 5
    grants = of(Grant, out)
    assert not of(Refuse, out)  # reservations may still come back unspent
    stage.give_back(1, grants[0], "lost")
    stage.give_back(2, grants[1], "permanent")
    assert stage.view().budgets[1].pages_at_risk == 10
    for grant in grants[2:]:
        stage.give_back(3, grant)
    assert stage.view().held == 1
    out = stage.want(4, 1, pages=10, run="r")
    stage.tell(ev.Timer(5, "s"))
    assert [refusal.reason for refusal in of(Refuse, out)] == []
    out = stage.give_back(6, Grant("s", "w", "p6", "us", 6, 0, 0, "online"))
    assert [refusal.reason for refusal in of(Refuse, out)] == ["budget"]


def test_a_late_reply_settles_what_was_at_risk():
    stage = Stage(budget=BudgetSpec(pages=100), lease_ns=10 * SECOND)
    (grant,) = of(Grant, stage.want(0, pages=8))
    stage.tell(ev.Timer(10 * SECOND, "s"))
    assert stage.view().budgets[0].pages_at_risk == 8
    stage.give_back(12 * SECOND, grant, "ok")
    stage.give_back(13 * SECOND, grant, "ok")
    assert (stage.view().budgets[0].pages_at_risk, stage.view().budgets[0].pages_spent) == (0, 8)


def test_what_an_earlier_part_of_the_run_spent_counts():
    stage = Stage(budget=BudgetSpec(pages=100))
    for _ in range(2):
        stage.tell(ev.OpenRun(0, "s", "r", budget=BudgetSpec(pages=50), spent=(30, 0, 15, 0)))
    assert [refusal.reason for refusal in of(Refuse, stage.want(0, pages=6, run="r"))] == ["budget"]
    assert len(of(Grant, stage.want(0, pages=5, run="r"))) == 1


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"pages": 31}, "too-large"),
        ({"pages": -1}, "invalid"),
        ({"lane": "express"}, "unknown-lane"),
        ({"endpoints": ("mars",)}, "unknown-endpoint"),
        ({"kind": "guess"}, "invalid"),
    ],
)
def test_what_can_never_be_granted_is_refused_at_once_with_a_remedy(options, reason):
    (refusal,) = of(Refuse, Stage(EndpointSpec("us", pages=30)).want(0, **options))
    assert refusal.reason == reason
    assert refusal.remedy


def test_an_unknown_semaphore_is_refused_not_waited_for():
    (refusal,) = of(Refuse, Governor().handle(ev.Want(0, "nobody", "w", (ev.Waiter("p"),))))
    assert refusal.reason == "unknown-semaphore"


def test_a_quota_changed_to_zero_leaves_no_waiter_hanging():
    stage = Stage()
    stage.want(0, 121)
    out = stage.tell(ev.Configure(1, "s", replace(stage.spec, endpoints=(replace(US, requests=0),))))
    assert len(of(Refuse, out)) == 120
    assert {refusal.reason for refusal in of(Refuse, out)} == {"closed"}


def test_a_raised_quota_counts_at_once():
    stage = Stage(EndpointSpec("us", requests=6))
    stage.want(0, 50)
    out = stage.tell(ev.Configure(SECOND, "s", SemaphoreSpec((EndpointSpec("us", requests=6000),))))
    assert of(Grant, out)
    assert of(WakeAt, out)[0].at_ns < 1.1 * SECOND


def test_an_endpoint_that_is_taken_away_frees_whom_it_held_and_serves_nobody():
    stage = Stage(US, EU)
    grants = of(Grant, stage.want(0, 4))
    stage.tell(ev.Configure(1, "s", SemaphoreSpec((EU,))))
    for grant in grants:
        stage.give_back(SECOND, grant)
    assert stage.view().held == 0
    assert {grant.endpoint for grant in of(Grant, stage.want(2 * SECOND, 4))} == {"eu"}


class TestSharedByRuns:
    """Runs of one project may use different processors: one semaphore has those of all."""

    OCR = EndpointSpec("us/ocr", requests=120, requests_group="us/OCR", batch=5, batch_group="us")
    FORM = EndpointSpec("us/form", requests=60, requests_group="us/FORM", batch=5, batch_group="us")

    def stage(self):
        stage = Stage(self.OCR, shared=True)
        assert not stage.tell(ev.Register(0, "s", SemaphoreSpec((self.FORM,), shared=True)))
        return stage

    def test_each_has_its_own_and_those_of_the_others_stay(self):
        stage = self.stage()
        for name in ("us/ocr", "us/form"):
            (grant,) = of(Grant, stage.want(0, endpoints=(name,)))
            assert grant.endpoint == name

    def test_who_waits_for_ones_own_waits_on_while_another_comes(self):
        stage = Stage(self.OCR, shared=True)
        stage.want(0, 121, endpoints=("us/ocr",))
        assert not of(Refuse, stage.tell(ev.Configure(1, "s", SemaphoreSpec((self.FORM,), shared=True))))
        assert stage.view().waiting["normal"] == 120

    def test_who_comes_changes_no_limits_and_who_says_so_does(self):
        stage = self.stage()
        more = SemaphoreSpec((replace(self.OCR, requests=600), replace(self.FORM, batch=5)), shared=True)
        stage.tell(ev.Register(1, "s", more))
        assert {meter.name: meter.limit for meter in stage.view().meters}["requests/us/OCR"] == 120
        stage.tell(ev.Configure(2, "s", more))
        assert {meter.name: meter.limit for meter in stage.view().meters}["requests/us/OCR"] == 600

    def test_what_endpoints_draw_on_together_is_what_was_said_last(self):
        stage = self.stage()
        stage.tell(ev.Configure(1, "s", SemaphoreSpec((replace(self.FORM, batch=9),), shared=True)))
        assert {one.batch for one in stage.governor.pools["s"].spec.endpoints} == {9}

    def test_another_minute_is_refused(self):
        stage = self.stage()
        other = SemaphoreSpec((replace(self.FORM, name="eu/form"),), period_ns=SECOND, shared=True)
        (reject,) = of(Reject, stage.tell(ev.Register(1, "s", other)))
        assert "period" in reject.message


def test_two_registrations_that_differ_are_rejected_with_the_difference():
    stage = Stage()
    assert stage.tell(ev.Register(1, "s", stage.spec)) == []
    (reject,) = of(Reject, stage.tell(ev.Register(1, "s", SemaphoreSpec((US,), user_requests=1800))))
    assert "user_requests: None, not 1800" in reject.message


@pytest.mark.parametrize(
    "make",
    [
        lambda: EndpointSpec("us", requests=-1),
        lambda: EndpointSpec(""),
        lambda: SemaphoreSpec(()),
        lambda: SemaphoreSpec((US, US)),
        lambda: SemaphoreSpec((US,), quota_share_ppm=0),
        lambda: SemaphoreSpec((US,), lanes=(("bulk", 0),)),
        lambda: SemaphoreSpec((US,), period_ns=0),
        lambda: SemaphoreSpec((EndpointSpec("a", requests=1, requests_group="g"), EndpointSpec("b", requests=2, requests_group="g"))),
        lambda: BudgetSpec(pages=-5),
        lambda: BreakerSpec(failures=0),
    ],
)  # fmt: skip
def test_a_spec_that_can_not_be_is_refused_where_it_is_made(make):
    with pytest.raises(UsageError) as caught:
        make()
    assert caught.value.remedy


def test_quota_share_leaves_room_from_the_start():
    stage = Stage(quota_share_ppm=900_000)
    assert len(of(Grant, stage.want(0, 108))) == 108
    assert len(of(Grant, Stage(quota_share_ppm=900_000).want(0, 109))) == 1


def test_closing_a_semaphore_or_a_run_refuses_those_who_wait():
    stage = Stage()
    stage.tell(ev.OpenRun(0, "s", "r"))
    stage.want(0, 200, run="r")
    out = stage.tell(ev.CloseRun(1, "s", "r"))
    assert len(of(Refuse, out)) == 199
    assert of(Refuse, stage.want(2, run="r"))[0].reason == "closed"
    stage.want(3, 200)
    assert len(of(Refuse, stage.tell(ev.Close(4, "s")))) >= 199


def test_an_intent_is_written_before_each_grant_and_an_outcome_after_it():
    stage = Stage(ledger=True)
    out = stage.want(0, 1, pages=3)
    append, grant = out[0], out[1]
    assert isinstance(append, Append)
    assert append.record.kind == "intent"
    assert grant.sequence == append.record.sequence == 1
    stage.tell(ev.Durable(1, 1))
    (outcome,) = of(Append, stage.give_back(SECOND, grant))
    assert (outcome.record.kind, outcome.record.pages, outcome.record.sequence) == ("answered", 3, 2)


def test_no_more_is_granted_while_the_ledger_is_behind():
    """Grants that wait for their records would leave in one heap when the disk comes back."""
    stage = Stage(EndpointSpec("us", requests=6000), ledger=True)
    stage.want(0, 6001)
    granted = 0
    for tick in range(500):
        granted += len(of(Grant, stage.tell(ev.Timer(tick * SECOND // 100, "s"))))
    assert granted <= 61
    assert of(Grant, stage.tell(ev.Durable(5 * SECOND, 10**6)))


def test_a_full_disk_refuses_everybody_and_takes_back_grants_that_never_left():
    stage = Stage(ledger=True)
    stage.want(0, 121)
    out = stage.tell(ev.LedgerFailed(1, "no space left on device"))
    assert len(of(Refuse, out)) == 121
    assert "no space left" in of(Refuse, out)[0].message
    assert of(Refuse, stage.want(2))[0].reason == "ledger"
    stage.tell(ev.Durable(3, 1))
    assert of(Grant, stage.want(4 * SECOND))


def test_notes_about_units_go_into_the_ledger():
    stage = Stage(ledger=True)
    (grant,) = of(Grant, stage.tell(ev.Want(0, "s", "w", (ev.Waiter("p", unit="u"),))))
    stage.tell(ev.Durable(1, 1))
    note = ev.Note(2, "s", "w", "", "u", grant.fence, "stored")
    assert of(Append, stage.tell(note))[0].record.kind == "stored"


def test_who_adopts_an_operation_pays_for_it_once():
    stage = Stage()
    stage.tell(ev.OpenRun(0, "s", "r", budget=BudgetSpec(pages=100), spent=(0, 0, 60, 90_000)))
    want = ev.Want(0, "s", "w", (ev.Waiter("p", 0, 0, "u"),), run="r", kind="batch")
    (grant,) = of(Grant, stage.tell(want))
    for at_ns in (1, 2):  # it may be told twice
        stage.tell(ev.Note(at_ns, "s", "w", "r", "u", grant.fence, "adopted", 1, "operations/7", 60, 90_000))
    budget = next(one for one in view(stage.governor, "s").budgets if one.run == "r")
    assert (budget.pages_reserved, budget.pages_at_risk) == (60, 0)
    stage.tell(
        ev.Return(3, "s", "w", (ev.Outcome("p", grant.fence, "ok", pages_billed=58, micros_billed=87_000),))
    )
    budget = next(one for one in view(stage.governor, "s").budgets if one.run == "r")
    assert (budget.pages_spent, budget.pages_reserved, budget.pages_at_risk) == (58, 0, 0)
    assert (budget.micros_spent, budget.micros_at_risk) == (87_000, 0)
    rest = ev.Want(4, "s", "w", (ev.Waiter("q", 42, 0, "v"),), run="r", kind="batch")
    assert of(Grant, stage.tell(rest)), "what is left of the budget can be spent"


def test_what_the_project_used_outlives_the_run():
    stage = Stage()
    stage.want(0, 100)
    saved = stage.governor.usage("s")
    other = Governor(utc_offset_ns=-5 * SECOND)  # its clock started five seconds earlier
    other.handle(ev.Register(7 * SECOND, "s", SemaphoreSpec((US,))))
    for _ in range(2):
        other.handle(ev.Restore(7 * SECOND, "s", "saved-1", saved))
    assert view(other, "s").meters[0].used == 100
    out = other.handle(ev.Want(7 * SECOND, "s", "w", tuple(ev.Waiter(f"q{n}") for n in range(30))))
    assert len(of(Grant, out)) == 1
    assert (
        len(of(Grant, other.handle(ev.Cancel(7 * SECOND, "s", "w", tuple(f"q{n}" for n in range(10, 30))))))
        == 0
    )


def test_a_restarted_governor_goes_on_above_the_last_fence_and_record():
    stage = Stage(ledger=True)
    records = [append.record for append in of(Append, stage.want(0, 3))]
    ledger = fold(records)
    other = Governor(epoch=ledger.epoch + 1, fence=ledger.fence, sequence=ledger.sequence)
    other.handle(ev.Register(0, "s", stage.spec))
    append, grant = other.handle(ev.Want(0, "s", "w", (ev.Waiter("x"),)))[:2]
    assert (append.record.epoch, append.record.sequence, grant.fence) == (2, 4, 4)


def test_a_burst_waits_for_calls_in_flight_and_goes_on_as_they_return():
    stage = Stage(EndpointSpec("us", requests=120, in_flight=10), adaptive=False)
    grants = of(Grant, stage.want(0, 100))
    assert len(grants) == 10
    for number, grant in enumerate(grants):
        assert len(of(Grant, stage.give_back(number + 1, grant))) == 1


def test_the_guard_follows_the_delay_between_grant_and_answer():
    stage = Stage()
    (grant,) = of(Grant, stage.want(0))
    assert stage.view().meters[0].guard_ns == 300_000_000
    stage.give_back(SECOND + 400_000_000, grant, latency_ns=SECOND)
    assert stage.view().meters[0].guard_ns == 400_000_000
    (grant,) = of(Grant, stage.want(5 * SECOND))
    stage.give_back(65 * SECOND, grant, latency_ns=SECOND)
    assert stage.view().meters[0].guard_ns == 600_000_000


def test_who_holds_and_who_waits_can_be_asked():
    stage = Stage(EndpointSpec("us", in_flight=1), adaptive=False)
    stage.want(5, 2, lane="bulk", run="r", pages=2)
    held, waiting = permits(stage.governor, "s")
    assert (held.permit, held.endpoint, held.granted_ns) == ("p1", "us", 5)
    assert (waiting.permit, waiting.endpoint, waiting.lane, waiting.run, waiting.since_ns) == (
        "p2",
        "",
        "bulk",
        "r",
        5,
    )


def test_what_is_no_event_is_a_type_error():
    with pytest.raises(TypeError):
        Governor().handle(ev.Event(0))


def test_a_run_that_is_opened_again_counts_what_its_ledger_says_beyond_what_is_known():
    stage = Stage()
    stage.tell(ev.OpenLedger(0, "L", 1, 4, 7))
    stage.tell(ev.OpenRun(0, "s", "june", spent=(5, 0, 2, 0), ledger="L"))
    out = stage.tell(ev.Want(0, "s", "w", (ev.Waiter("p", 3),), run="june"))
    (append,), (grant,) = of(Append, out), of(Grant, out)
    assert (append.ledger, grant.ledger, append.record.sequence, grant.sequence, grant.fence) == (
        "L",
        "L",
        8,
        8,
        5,
    )
    stage.tell(ev.Durable(1, 8, "L"))
    stage.tell(ev.CloseRun(2, "s", "june"))
    stage.tell(ev.OpenLedger(3, "L", 3, 9, 20))
    stage.tell(ev.OpenRun(3, "s", "june", spent=(11, 0, 5, 0), ledger="L"))
    for budget in stage.view().budgets:
        assert (budget.pages_spent, budget.pages_reserved, budget.pages_at_risk) == (11, 3, 2)
    (outcome,) = of(Append, stage.give_back(4, grant))
    assert (outcome.record.epoch, outcome.record.sequence) == (3, 21)


def test_a_run_can_not_change_its_ledger_while_it_is_open():
    stage = Stage()
    assert "'L' is not open" in of(Reject, stage.tell(ev.OpenRun(0, "s", "june", ledger="L")))[0].message
    stage.tell(ev.OpenLedger(0, "L", 1, 0, 0))
    stage.tell(ev.OpenRun(0, "s", "june", ledger="L"))
    (rejected,) = of(Reject, stage.tell(ev.OpenRun(0, "s", "june")))
    assert "is open with ledger 'L'" in rejected.message


def test_an_endpoint_that_is_added_serves_those_who_wait_already():
    stage = Stage(US)
    stage.want(0, 500)
    out = stage.tell(ev.Configure(1, "s", replace(stage.spec, endpoints=(US, EU))))
    assert {grant.endpoint for grant in of(Grant, out)} == {"eu"}


def test_an_endpoint_that_has_moved_is_closed_to_those_who_may_not_go_there():
    stage = Stage(US)
    stage.want(0, 500, locations=("us",))
    moved = replace(stage.spec, endpoints=(replace(US, location="asia"),))
    assert {refusal.reason for refusal in of(Refuse, stage.tell(ev.Configure(1, "s", moved)))} == {
        "residency"
    }
    assert sum(stage.view().waiting.values()) == 0


def test_who_waits_for_an_endpoint_that_is_taken_away_is_told_its_name():
    stage = Stage(US, EU)
    stage.want(0, 300, endpoints=("us",))
    out = stage.tell(ev.Configure(1, "s", SemaphoreSpec((EU,))))
    assert len(of(Refuse, out)) == 299
    assert {(r.reason, "'us'" in r.message) for r in of(Refuse, out)} == {("unknown-endpoint", True)}


@pytest.mark.parametrize("never", [replace(US, requests=0), replace(US, pages=2)])
def test_a_last_resort_is_used_where_none_of_the_others_will_ever_do(never):
    stage = Stage(never, EndpointSpec("offline", last_resort=True))
    assert [grant.endpoint for grant in of(Grant, stage.want(0, 1, pages=3))] == ["offline"]


def test_a_semaphore_that_is_closed_and_registered_again_knows_the_minute():
    stage = Stage(US)
    stage.want(0, 100)
    stage.tell(ev.Close(SECOND, "s"))
    stage.tell(ev.Register(2 * SECOND, "s", stage.spec))
    assert stage.view().meters[0].used == 100
    assert len(of(Grant, stage.want(3 * SECOND, 50))) == 1
    stage.tell(ev.Close(4 * SECOND, "s"))
    stage.tell(ev.Register(200 * SECOND, "s", stage.spec))
    assert stage.view().meters[0].used == 0


def test_of_a_thousand_semaphores_that_were_closed_the_latest_are_remembered():
    governor = Governor()
    for number in range(1000):
        for event in (
            ev.Register(number, f"s{number}", SemaphoreSpec((US,))),
            ev.Close(number, f"s{number}"),
        ):
            governor.handle(event)
    assert len(governor._closed._kept) == 64


def test_a_grant_that_waits_for_its_record_is_not_taken_for_lost():
    """Another one, which needed none, overtook it."""
    stage = Stage(US)
    stage.tell(ev.OpenLedger(0, "L", 1, 0, 0))
    stage.tell(ev.OpenRun(0, "s", "june", ledger="L"))
    (held,) = of(Grant, stage.want(0, run="june"))
    (first,) = of(Grant, stage.want(1))
    for at_ns in (2, 3, 4):
        assert not of(Revoke, stage.tell(ev.Refresh(at_ns, "w", "s", first.fence, (first.permit,))))
    stage.tell(ev.Durable(5, held.sequence, "L"))  # it leaves, and this crosses it on the way
    assert not of(Revoke, stage.tell(ev.Refresh(6, "w", "s", first.fence, (first.permit,))))
    (revoked,) = of(Revoke, stage.tell(ev.Refresh(7, "w", "s", first.fence, (first.permit,))))
    assert revoked.permit == held.permit


def test_signs_of_life_for_one_semaphore_are_none_for_what_nobody_knows_of_in_another():
    stage = Stage(US, lease_ns=10 * SECOND)
    stage.tell(ev.Register(0, "t", stage.spec))
    stage.want(0)
    for at in range(1, 12):
        stage.tell(ev.Refresh(at * SECOND, "w", "t", 99, ()))
        stage.tell(ev.Timer(at * SECOND, "s"))
    assert stage.view().held == 0


def test_what_a_run_announced_that_died_without_a_word_keeps_nobody_from_a_burst():
    stage = Stage(US)
    stage.tell(ev.OpenRun(0, "s", "dead", calls=100_000))
    assert len(of(Grant, stage.want(MINUTE, 12, run="new"))) == 1
    assert stage.view().budgets[0].calls_announced == 100_000
    stage = Stage(US)
    stage.tell(ev.OpenRun(0, "s", "dead", calls=100_000))
    assert len(of(Grant, stage.want(10 * MINUTE, 12, run="new"))) == 12
    assert stage.view().budgets[0].calls_announced == 0
    stage.want(10 * MINUTE, 1, run="dead")  # it was only silent
    assert stage.view().budgets[0].calls_announced == 99_999


def test_a_run_whose_calls_take_long_is_not_taken_for_dead():
    stage = Stage(EndpointSpec("us", requests=120, batch=1), lease_ns=10**15)
    stage.tell(ev.OpenRun(0, "s", "slow", calls=1000))
    assert of(Grant, stage.want(0, 1, kind="batch", pages=500, run="slow"))
    assert len(of(Grant, stage.want(60 * MINUTE, 12, run="new"))) == 1


def test_whose_budget_is_spent_and_what_is_left_of_it_is_said():
    stage = Stage(US, budget=BudgetSpec(pages=100))
    stage.tell(ev.OpenRun(0, "s", "june", budget=BudgetSpec(pages=5, micros=20_000)))
    (refusal,) = of(Refuse, stage.want(0, pages=6, run="june"))
    assert "budget of the run 'june', of which 5 pages and $0.0200 are left" in refusal.message
    (refusal,) = of(Refuse, stage.want(0, pages=101))
    assert "budget of the project, of which 100 pages are left" in refusal.message


def test_a_caller_that_fails_says_nothing_about_the_endpoint_and_may_have_paid():
    stage = Stage(US, budget=BudgetSpec(pages=100), breaker=BreakerSpec(failures=3, probes=1))
    for grant in of(Grant, stage.want(0, 3)):
        stage.give_back(SECOND, grant, "transient")
    (probe,) = of(Grant, stage.want(10 * SECOND, pages=7))
    stage.give_back(11 * SECOND, probe, "raised")
    assert stage.view().endpoints[0].breaker == "half-open"
    assert stage.view().budgets[0].pages_spent == 7
    assert of(Grant, stage.want(12 * SECOND)), "the next probe"


def test_other_settings_of_the_breaker_hold_for_endpoints_that_are_there_already():
    stage = Stage(US)
    grants = of(Grant, stage.want(0, 4))
    stage.tell(
        ev.Configure(1, "s", replace(stage.spec, breaker=BreakerSpec(failures=2, window=3), adaptive=False))
    )
    assert stage.view().endpoints[0].in_flight_limit is None
    for grant in grants[:2]:
        assert stage.view().endpoints[0].breaker == "closed"
        stage.give_back(2, grant, "transient")
    assert stage.view().endpoints[0].breaker == "open"
