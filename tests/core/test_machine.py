"""State machines as tables."""

from __future__ import annotations

import pytest

from docdask.core.breaker import BREAKER
from docdask.core.lease import PERMIT
from docdask.core.ledger import UNIT
from docdask.core.machine import IllegalTransition, mermaid, reachable, step

DOOR = {
    ("shut", "open"): "open",
    ("open", "shut"): "shut",
    ("open", "knock"): "open",
    ("open", "burn"): "gone",
}


def test_the_table_decides():
    assert step("door", DOOR, "shut", "open") == "open"


def test_what_is_not_in_the_table_does_not_happen():
    with pytest.raises(IllegalTransition, match="door: 'burn' can't happen in state 'shut'"):
        step("door", DOOR, "shut", "burn")


def test_the_diagram_shows_every_change_of_state_and_no_loop():
    assert mermaid(DOOR, "shut", ["gone"]).splitlines() == [
        "stateDiagram-v2",
        "    [*] --> shut",
        "    shut --> open: open",
        "    open --> shut: shut",
        "    open --> gone: burn",
        "    gone --> [*]",
    ]


@pytest.mark.parametrize(("table", "start"), [(PERMIT, "waiting"), (BREAKER, "closed"), (UNIT, "new")])
def test_every_state_of_our_machines_can_be_reached(table, start):
    named = {state for state, _ in table} | set(table.values())
    assert reachable(table, start) == named
