"""A log replays to the same instructions; one that was changed does not."""

from __future__ import annotations

import io
import json

import pytest

from docdask.core import wire
from docdask.core.governor import Governor
from docdask.core.instructions import Grant, Refuse
from docdask.core.pool import Pool
from docdask.core.server import PROFILES, Faults, Switches
from docdask.core.spec import BudgetSpec
from docdask.errors import UsageError
from docdask.sim import Incident, Load, Scenario, drawn, repeated, simulate
from docdask.sim.eventlog import EventLog, replay

MIXED = drawn(300, {1: 70, 2: 20, 15: 8, 40: 2}, seed=3)
REGION_DOWN = Incident(60, Faults(regions_down=("us",)), until_s=200)

SCENARIOS = {
    "two regions, one fails": Scenario((Load(MIXED),), regions=("us", "eu"), incidents=(REGION_DOWN,)),
    "everything goes wrong": Scenario(
        (Load(MIXED),), regions=("us", "eu"), incidents=(Incident(0, PROFILES["hostile"], workers_lost=2),)
    ),
    "three lanes and a budget": Scenario(
        (
            Load(repeated(200, 2), name="a", budget=BudgetSpec(pages=101)),
            Load(repeated(200), name="b", lane="bulk"),
            Load(repeated(20), name="c", lane="interactive", start_s=30, every_s=7),
        ),
    ),
    "pages a minute": Scenario((Load(MIXED),), processor_type="CUSTOM_EXTRACTION_PROCESSOR", requests=500),
    "few in flight": Scenario((Load(MIXED),), in_flight=5, requests=3000, user_requests=3000),
    "a small bucket": Scenario((Load(MIXED),), window="bucket/4", switches=Switches(retry_info=True)),
    "a slow network": Scenario((Load(MIXED),), window="sliding-count", travel_s=(0.0, 0.6)),
    "replies are lost": Scenario(
        (Load(MIXED, budget=BudgetSpec(pages=700)),),
        requests=2000,
        user_requests=2000,
        incidents=(Incident(0, Faults(lost=0.1)),),
    ),
}


@pytest.fixture(params=SCENARIOS, scope="module")
def log(request):
    file = io.StringIO()
    result = simulate(SCENARIOS[request.param], record=EventLog(file))
    return result, file.getvalue().splitlines(keepends=True)


def test_a_log_replays_to_the_same_instructions(log):
    result, lines = log
    replayed = replay(lines)
    assert replayed.difference is None
    assert not replayed.torn
    assert replayed.events == result.events == len(lines) - 1
    assert replayed.seconds == pytest.approx(result.seconds)


def test_looking_at_the_waiters_less_often_changes_nothing(log, monkeypatch):
    """A return that can let nobody go earlier is not followed by a look at all waiters: nothing but work is saved."""
    _, lines = log
    monkeypatch.setattr(Pool, "returns", _always_news(Pool.returns))
    assert _grants(lines) == [
        item
        for line in lines[1:]
        for item in wire.decode(json.loads(line)["out"])
        if isinstance(item, Grant | Refuse)
    ]


def _always_news(returns):
    def patched(self, event, now_ns, out):
        returns(self, event, now_ns, out)
        return True

    return patched


def _grants(lines):
    governor = Governor()
    events = (wire.decode(json.loads(line)["event"]) for line in lines[1:])
    return [item for event in events for item in governor.handle(event) if isinstance(item, Grant | Refuse)]


def small_log() -> list[str]:
    file = io.StringIO()
    simulate(Scenario((Load(repeated(30)),)), record=EventLog(file))
    return file.getvalue().splitlines(keepends=True)


def test_a_grant_that_was_changed_is_found_at_its_line():
    lines = small_log()
    number = next(i for i, line in enumerate(lines) if '"is":"Grant"' in line)
    lines[number] = lines[number].replace('"fence":1,', '"fence":7,')
    found = replay(lines).difference
    assert found is not None
    assert found.line == number + 1
    assert "fence=7" in str(found)
    assert "fence=1" in str(found)


def test_an_instruction_that_is_missing_is_told():
    lines = small_log()
    number = next(i for i, line in enumerate(lines) if '"is":"Grant"' in line)
    value = json.loads(lines[number])
    lines[number] = json.dumps(value | {"out": []})
    assert "nothing more" in str(replay(lines).difference)


def test_a_torn_last_line_is_left_out():
    lines = small_log()
    lines[-1] = lines[-1][:40]
    replayed = replay(lines)
    assert replayed.torn
    assert replayed.difference is None
    assert replayed.events == len(lines) - 2


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda lines: [], "first line"),
        (lambda lines: ["{}\n"], "first line"),
        (lambda lines: lines[1:], "first line"),
        (lambda lines: [lines[0].replace('"format":1', '"format":9'), *lines[1:]], "format 9"),
        (lambda lines: [*lines[:3], "garbage\n", *lines[3:]], "line 4"),
        (lambda lines: [*lines[:3], '{"event": {"is": "Nothing"}, "out": []}\n', *lines[3:]], "line 4"),
        (lambda lines: [*lines[:3], '{"event": 5, "out": []}\n', *lines[3:]], "line 4"),
    ],
)
def test_what_is_no_log_is_refused_with_the_place(spoil, named):
    with pytest.raises(UsageError) as caught:
        replay(spoil(small_log()))
    assert named in caught.value.message
    assert caught.value.remedy
