"""A branch of the graph: a partition with everything its tasks need.

Rules: a branch has one route, lane and processor; what it says is enough to do it in any process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from docdask.engine.job import Unit

#: Lanes whose calls are paid.
PAID = frozenset({"online", "batch"})


@dataclass(frozen=True, slots=True)
class Branch:
    """A partition with everything its tasks need."""

    partition: int
    group: str
    rows: tuple[dict[str, Any], ...]
    """Plan rows of its documents."""
    pieces: tuple[tuple[Unit, ...], ...]
    """Units by recognising task: one piece, or one a page range of a long document."""
    pages: int
    expected_s: float
    requests: tuple[tuple[Unit, ...], ...] = ()
    """Units by call of a paid engine: one, those of a pack, or all of a batch operation; empty where nothing is paid."""
    route: str = ""
    lane: str = ""
    """``online``, ``batch`` or ``offline``; empty: the run has no routes."""
    processor: str = ""
    """Alias; empty where nothing is paid."""

    @property
    def unit_ids(self) -> list[str]:
        """Of all its units."""
        return [unit.unit_id for piece in self.pieces for unit in piece]
