"""What people are shown of the governor: right, whoever asks and whenever, and bounded."""

from __future__ import annotations

from docdask.core import events as ev
from docdask.core.governor import Governor
from docdask.core.instructions import Grant
from docdask.core.spec import EndpointSpec, SemaphoreSpec
from docdask.core.views import busiest, permits, view

SECOND = 10**9
SPEC = SemaphoreSpec((EndpointSpec("us", requests=4),), period_ns=60 * SECOND)


def governor(*names: str) -> Governor:
    made = Governor()
    for name in names or ("s",):
        made.handle(ev.Register(0, name, SPEC))
    return made


def want(made, at_ns, *ids, semaphore="s", run="", pages=1):
    waiters = tuple(ev.Waiter(id_, pages) for id_ in ids)
    return [i for i in made.handle(ev.Want(at_ns, semaphore, "w", waiters, run=run)) if isinstance(i, Grant)]


def test_a_minute_passes_while_nothing_happens():
    made = governor()
    assert len(want(made, 0, "a", "b", "c")) == 3
    assert view(made, "s").meters[0].used == 3
    assert view(made, "s", now_ns=61 * SECOND).meters[0].used == 0
    assert view(made, "s", now_ns=-5).at_ns == 0


def test_looking_changes_no_decision():
    seen, unseen = governor(), governor()
    for made in (seen, unseen):
        want(made, 0, *(f"a{n}" for n in range(4)))
        if made is seen:
            for at_s in range(0, 60, 7):
                view(made, "s", now_ns=at_s * SECOND)
    for at_ns in (61 * SECOND, 75 * SECOND, 100 * SECOND):
        assert want(seen, at_ns, f"b{at_ns}") == want(unseen, at_ns, f"b{at_ns}")
    assert seen.usage("s") == unseen.usage("s")


def test_held_is_what_is_neither_waiting_nor_over():
    made = governor()
    first, *_ = want(made, 0, *(f"a{n}" for n in range(6)))
    seen = view(made, "s")
    assert seen.held == sum(1 for p in permits(made, "s") if p.endpoint) == seen.granted
    made.handle(ev.Return(SECOND, "s", "w", (ev.Outcome(first.permit, first.fence),)))
    assert view(made, "s").held == seen.held - 1


def test_a_run_shows_what_it_announced_and_what_of_it_waits():
    made = governor()
    made.handle(ev.OpenRun(0, "s", "june", calls=20, pages=60))
    want(made, 0, *(f"a{n}" for n in range(7)), run="june", pages=3)
    project, june = view(made, "s").budgets
    assert (june.calls_announced, june.pages_announced) == (13, 39)
    assert june.calls_waiting * 3 == june.pages_waiting == 21 - june.pages_reserved
    assert (project.calls_waiting, project.calls_announced) == (june.calls_waiting, 13)


def test_of_many_runs_the_busiest_are_shown_and_all_are_counted():
    made = governor()
    for n in range(30):
        made.handle(ev.OpenRun(0, "s", f"run-{n}"))
    made.handle(ev.OpenRun(0, "s", "meant", calls=50))
    made.handle(ev.OpenRun(0, "s", "over"))
    made.handle(ev.CloseRun(0, "s", "over"))
    want(made, 0, *(f"a{n}" for n in range(9)), run="run-3")
    seen = view(made, "s", most_runs=3)
    assert [b.run for b in seen.budgets] == ["", "run-3", "run-29", "meant"]
    assert seen.runs == 32


def test_of_many_semaphores_those_with_the_most_waiters_come_first():
    made = governor(*(f"s{n}" for n in range(20)))
    want(made, 0, *(f"a{n}" for n in range(9)), semaphore="s7")
    want(made, 0, *(f"b{n}" for n in range(30)), semaphore="s11")
    want(made, 0, "c", semaphore="s5")
    assert busiest(made, 4) == ["s11", "s7", "s5", "s0"]


def test_quotas_of_endpoints_that_are_gone_are_not_shown():
    made = governor()
    made.handle(ev.Configure(0, "s", SemaphoreSpec((EndpointSpec("eu", requests=9),), user_requests=30)))
    assert {m.name for m in view(made, "s").meters} == {"requests/eu", "user"}
