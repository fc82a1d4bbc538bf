"""Events and instructions as JSON, and the replay of a log."""

from __future__ import annotations

import json

import pytest
from world import Job, Site, World

from docdask.core import events as ev
from docdask.core.governor import Governor
from docdask.core.server.windows import make_window
from docdask.core.spec import BudgetSpec, EndpointSpec, SemaphoreSpec
from docdask.core.wire import decode, encode, replay

SPEC = SemaphoreSpec((EndpointSpec("us", requests=120, pages=60),), budget=BudgetSpec(pages=5), ledger=True)
EXAMPLES = (
    ev.Register(1, "s", SPEC),
    ev.Configure(1, "s", SPEC),
    ev.Close(1, "s"),
    ev.OpenRun(1, "s", "r", 5, 6, BudgetSpec(micros=3), (1, 2, 3, 4)),
    ev.CloseRun(1, "s", "r"),
    ev.Want(
        1, "s", "w", (ev.Waiter("p", 3), ev.Waiter("q", 4, 5, "u", 2)), "bulk", "r", "batch", ("us",), ("eu",)
    ),
    ev.Cancel(1, "s", "w", ("p",)),
    ev.Return(1, "s", "w", (ev.Outcome("p", 3, "lost", 5, 6, "pages", 7, 8, "UNKNOWN"),)),
    ev.Refresh(1, "w", "s", 4, ("p",)),
    ev.WorkerJoined(1, "w"),
    ev.WorkerLost(1, "w"),
    ev.Timer(1, "s"),
    ev.OpenLedger(1, "gs://b/run", 2, 7, 9),
    ev.Durable(1, 7),
    ev.LedgerFailed(1, "full", "gs://b/run"),
    ev.Note(1, "s", "w", "r", "u", 3, "operation", 1, "operations/1"),
    ev.Restore(1, "s", "token", {"requests/us": {"used": [[1, 2]], "share_ppm": 3, "bursts": True}}),
)


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: type(event).__name__)
def test_every_event_survives_json(event):
    assert decode(json.loads(json.dumps(encode(event)))) == event


def test_there_is_an_example_of_every_event():
    assert {type(event) for event in EXAMPLES} == set(ev.EVENTS)


@pytest.mark.parametrize(
    "bad", [{"is": "Nonsense"}, {"is": "Timer"}, {"is": "Timer", "at_ns": 1, "semaphore": "s", "x": 1}, {}]
)
def test_what_is_no_event_is_refused_by_name(bad):
    with pytest.raises(ValueError, match=r"event|read"):
        decode(bad)


def test_a_recorded_log_replays_to_the_same_instructions():
    """Also after a journey through JSON, which is how a production log comes back."""
    world = World(
        SPEC.__class__((EndpointSpec("us", requests=120),), ledger=True),
        {"us": Site(make_window("bucket/4", 120))},
    )
    world.want([Job("normal", "r", 1) for _ in range(100)])
    world.tell(ev.WorkerLost(world.now_ns, "w3"))
    world.jobs = {key: job for key, job in world.jobs.items() if key[0] != "w3"}
    world.run(world.now_ns + 40 * 10**9)
    log = json.loads(json.dumps([encode(event) for event in world.log]))
    answers = [out for _, out in replay((decode(event) for event in log), Governor())]
    assert answers == world.answers
    assert encode(answers[1]) == encode(world.answers[1])
