"""One branch of the delayed graph: read → recognise → store → tabulate, or call → store → tabulate.

Rules:

1. Building a branch computes nothing and reads nothing.
2. Names read well on the dashboard (``recognise``, ``tabulate`` …) and are unique to the session, the partition and the
   try: what a driver that died left on the scheduler is never taken for the answer to the next one.
3. A task says which worker group it belongs to by a Dask resource, where the cluster's workers have such resources.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dask
from dask import delayed
from dask.delayed import Delayed

from docdask.engine import work
from docdask.engine.branch import PAID, Branch
from docdask.engine.job import Job, Plain


def build(
    job: Job, branch: Branch, *, waits: bool, resources: frozenset[str], calls: str = "call", attempt: int = 1
) -> Delayed:
    """Delayed graph of one branch; its value is a :class:`~docdask.engine.job.Tally`.

    Parameters
    ----------
    job, branch
        What to do.
    waits
        The engine waits for something else: calls as coroutines on a call worker, reading included.
    resources
        Dask resources that the workers declare: of ``pdf``, ``image`` and ``call``.
    attempt
        Above 1 after a worker died: tasks then leave marks (see :mod:`docdask.engine.work`).
    """
    part, careful = branch.partition, attempt > 1
    tail = f"{job.session}-{part:05d}-{attempt}"
    job = job.for_lane(branch.lane)

    def task(function: Any, name: str, group: str) -> Any:
        def made(*args: Any, **kwargs: Any) -> Delayed:
            with dask.annotate(**({"resources": {group: 1}} if group in resources else {})):
                return delayed(function, pure=False, traverse=False)(
                    *args, dask_key_name=f"{name}-{tail}", **kwargs
                )

        return made

    if branch.lane in PAID:
        from docdask.engine import batch, paid

        calling = batch.operate if branch.lane == "batch" else paid.call
        tallies = [
            task(calling, "operate" if branch.lane == "batch" else "call", calls)(
                job, part, Plain(branch.requests), branch.processor, careful=careful
            )
        ]
    elif waits and branch.lane != "offline":
        tallies = [
            task(work.call, _numbered("call", number, branch.pieces), calls)(
                job, part, Plain(piece), careful=careful
            )
            for number, piece in enumerate(branch.pieces)
        ]
    else:
        units = [unit for piece in branch.pieces for unit in piece]
        contents = task(work.read, "read", branch.group)(job, Plain(units))
        tallies = [
            task(work.recognise, _numbered("recognise", number, branch.pieces), branch.group)(
                job, part, Plain(piece), contents, careful=careful
            )
            for number, piece in enumerate(branch.pieces)
        ]
    stored = task(work.store, "store", branch.group)(job, part, Plain(branch.unit_ids), tallies)
    return task(work.tabulate, "tabulate", branch.group)(job, part, Plain(branch.rows), stored)


def _numbered(name: str, number: int, pieces: Sequence[object]) -> str:
    # key_split shows the words before the first number: "recognise-3-…" is a "recognise" on the dashboard.
    return f"{name}-{number + 1}" if len(pieces) > 1 else name
