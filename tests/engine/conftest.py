"""Tests of this folder work with a state folder of their own: none joins the user's cluster."""

from __future__ import annotations

import pytest

from docdask.settings import Settings

NOTHING = "docdask.service.dummy:NothingEngine"


@pytest.fixture(autouse=True)
def own_state(machine: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test joins the user's cluster."""
    monkeypatch.setenv("DOCDASK_STATE", machine.state)
    monkeypatch.setenv("DOCDASK_IDLE_S", str(machine.idle_s))
    monkeypatch.setenv("DOCDASK_DASHBOARD_PORT", "0")
