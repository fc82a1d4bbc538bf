"""Who waits on for a batch operation that was submitted under an earlier permit answers for its money.

Rule: what the earlier permit left at risk becomes a reservation of the adopting one, so that it is neither counted twice
nor forgotten; being told twice changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from docdask.core.events import Note

if TYPE_CHECKING:
    from docdask.core.pool import Pool


def adopt(pool: Pool, event: Note) -> None:
    """Let the permit with the note's fence stand for the operation's pages and money."""
    worker = pool.workers.get(event.worker)
    held = () if worker is None else worker.permits.values()
    permit = next((one for one in held if one.fence == event.fence and one.state == "granted"), None)
    if permit is None or permit.pages or permit.micros:
        return  # over already, or told before
    run = pool.runs.get(permit.flow.run)
    pages, micros = event.pages, event.micros
    for budget in (pool.budget,) if run is None else (run.budget, pool.budget):
        pages, micros = budget.resume(pages, micros)
    permit.pages, permit.micros = pages, micros
