"""A governor that starts again breaks no quota, spends no page twice, and goes on above the old numbers."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from world import MINUTE, SECOND, Job, Site, World

from docdask.core import events as ev
from docdask.core.governor import Governor
from docdask.core.instructions import Append
from docdask.core.recovery import recover
from docdask.core.server.windows import make_window
from docdask.core.spec import BudgetSpec, EndpointSpec, SemaphoreSpec
from docdask.core.views import view

SPEC = SemaphoreSpec((EndpointSpec("e", requests=120, pages=600),), ledger=True, user_requests=1800)


def records_of(world: World) -> list:
    return [i.record for out in world.answers for i in out if isinstance(i, Append)]


def durable(world: World) -> None:
    """Write every record the moment it is appended."""
    tell = world.tell

    def told(event):
        out = tell(event)
        sequences = [i.record.sequence for i in out if isinstance(i, Append)]
        if sequences:
            tell(ev.Durable(world.now_ns, sequences[-1]))
        return out

    world.tell = told


@given(st.integers(1, 400), st.integers(1, 100), st.integers(0, 5))
@settings(max_examples=15, deadline=None)
def test_no_window_is_broken_across_a_restart(calls, killed_after_s, down_s):
    """The old governor dies at full speed; calls that it granted still arrive."""
    sites = {"e": Site(make_window("sliding", 120))}
    old = World(SPEC, sites, start_ns=10 * MINUTE)
    durable(old)
    old.want([Job("normal", "r", 2) for _ in range(calls)])
    old.run(old.now_ns + killed_after_s * SECOND)
    in_flight = [at for at, _, what in old.heap if "_arrive" in what.__code__.co_names]
    for at in sorted(in_flight):
        assert sites["e"].window.admit(1, at)
    start_ns = max([old.now_ns + down_s * SECOND, *in_flight])
    recovery = recover(records_of(old), "s", SPEC, now_utc_ns=start_ns)
    new = World(SPEC, sites, start_ns=start_ns, seed=1)
    new.governor = Governor(epoch=recovery.epoch, fence=recovery.fence, sequence=recovery.sequence)
    durable(new)
    new.tell(ev.Register(start_ns, "s", SPEC))
    new.tell(ev.Restore(start_ns, "s", "ledger", recovery.meters))
    new.want([Job("normal", "r", 2) for _ in range(150)])
    new.run()
    assert new.refused_by_quota == []
    assert min(grant.fence for _, grant, _ in new.grants) > max(grant.fence for _, grant, _ in old.grants)


def test_what_was_spent_and_what_is_at_risk_count_against_the_budget():
    old = World(SPEC, {"e": Site()})
    durable(old)
    old.want([Job("normal", "r", 5) for _ in range(10)])
    old.run(old.now_ns + 250_000_000)
    old_budget = view(old.governor, "s").budgets[0]
    recovery = recover(records_of(old), "s", SPEC, now_utc_ns=old.now_ns)
    assert recovery.spent["r"] == (old_budget.pages_spent, 0, old_budget.pages_reserved, 0)
    assert 0 < old_budget.pages_spent < 50
    new = Governor(epoch=2)
    new.handle(ev.Register(0, "s", SPEC))
    new.handle(ev.OpenRun(0, "s", "r", budget=BudgetSpec(pages=60), spent=recovery.spent["r"]))
    budget = view(new, "s").budgets[1]
    assert budget.pages_spent + budget.pages_at_risk == 50


def test_what_a_saved_state_holds_is_not_counted_twice():
    old = World(SPEC, {"e": Site()})
    durable(old)
    old.want([Job("normal", "r", 1) for _ in range(30)])
    old.run(old.now_ns + SECOND)
    saved_ns, saved = old.now_ns, old.governor.usage("s")
    old.want([Job("normal", "r", 1) for _ in range(20)])
    old.run(old.now_ns + 5 * SECOND)
    recovery = recover(records_of(old), "s", SPEC, now_utc_ns=old.now_ns, since_utc_ns=saved_ns)
    new = Governor()
    new.handle(ev.Register(old.now_ns, "s", SPEC))
    new.handle(ev.Restore(old.now_ns, "s", "saved", saved))
    new.handle(ev.Restore(old.now_ns, "s", "ledger", recovery.meters))
    used = {meter.name: meter.used for meter in view(new, "s").meters}
    assert used == {meter.name: meter.used for meter in view(old.governor, "s").meters}


def test_an_empty_ledger_starts_at_the_beginning():
    recovery = recover([], "s", SPEC, now_utc_ns=0)
    assert (recovery.epoch, recovery.fence, recovery.sequence, recovery.meters) == (1, 0, 0, {})
