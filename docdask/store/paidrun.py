"""What a paid run keeps of itself: what it was configured with, the most that may be spent, and its emulator's books.

Rules: what is here lets any driver go on, and credentials are not here; a run without the first file is not paid, and
without the second nothing was accepted yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docdask.core.routes import Configuration
from docdask.core.spec import BudgetSpec
from docdask.store.run import RunDirectory

#: File with the configuration of Document AI, and options of an emulator.
CONFIGURATION = "documentai.json"
#: File with the most that may be spent, as it was accepted.
BUDGET = "budget.json"
#: File with the sums of an emulator's books after the last session.
BOOKS = "emulator.json"


def configure(run: RunDirectory, configuration: Configuration, emulator_options: Mapping[str, Any]) -> None:
    """Keep what the run needs to know of Document AI."""
    run.write_json(
        CONFIGURATION, {"configuration": configuration.to_json(), "emulator_options": dict(emulator_options)}
    )


def configuration(run: RunDirectory) -> Configuration | None:
    """What the run was configured with; None if it is not paid."""
    found = run.read_json(CONFIGURATION)
    return Configuration.from_json(found["configuration"]) if found else None


def emulator_options(run: RunDirectory) -> dict[str, Any]:
    """Options of the emulator that the run starts itself; empty if it has none."""
    options: dict[str, Any] = (run.read_json(CONFIGURATION) or {}).get("emulator_options", {})
    return options


def accept(run: RunDirectory, budget: BudgetSpec) -> None:
    """Keep the most that may be spent, over all sessions."""
    run.write_json(BUDGET, {"pages": budget.pages, "micros": budget.micros})


def budget(run: RunDirectory) -> BudgetSpec | None:
    """The most that may be spent, as it was accepted; None where nothing was."""
    found = run.read_json(BUDGET)
    return BudgetSpec(found.get("pages"), found.get("micros")) if found else None


def write_books(run: RunDirectory, stats: Mapping[str, Any]) -> None:
    """Keep the sums of the emulator's books."""
    run.write_json(BOOKS, dict(stats))


def books(run: RunDirectory) -> dict[str, Any]:
    """Sums of the emulator's books after the last session; empty if the run has none of its own."""
    return run.read_json(BOOKS) or {}
