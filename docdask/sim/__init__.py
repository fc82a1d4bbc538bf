"""The same governor and the same model of the service in virtual time: what a run would take, before it is paid for.

Rules: no wall clock, no sleep, no thread; chance comes from one seed; the same scenario gives the same result, to the
nanosecond. :func:`simulate` drives :class:`docdask.core.governor.Governor` and :class:`docdask.core.server.Service` as
the cluster's shell and the emulator do. docs/simulate.md explains scenarios and results.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docdask.sim.result import Result
    from docdask.sim.scenario import Incident, Load, Scenario
    from docdask.sim.workload import distribution, drawn, like, repeated
    from docdask.sim.world import simulate

_HOME = {
    "Incident": "scenario",
    "Load": "scenario",
    "Result": "result",
    "Scenario": "scenario",
    "distribution": "workload",
    "drawn": "workload",
    "like": "workload",
    "repeated": "workload",
    "simulate": "world",
}

__all__ = [
    "Incident",
    "Load",
    "Result",
    "Scenario",
    "distribution",
    "drawn",
    "like",
    "repeated",
    "simulate",
]


def __getattr__(name: str) -> Any:
    """Import a part when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
