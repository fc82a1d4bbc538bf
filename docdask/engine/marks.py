"""Marks that units leave in the run directory while they are worked on: one that stays behind took its worker down.

Rules: nobody marks before a worker has died in the branch, as it costs two writes a unit; only a process that dies leaves
a mark, an error or a worker that is asked to go is not the unit's doing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from docdask.engine.job import Unit
from docdask.errors import DocumentError
from docdask.store.run import RunDirectory

#: Times that a unit may take its worker down before it is set aside.
DEATHS = 2


def _mark(partition: int, unit: Unit) -> str:
    return f"marks/{partition:05d}-{unit.unit_id}.json"


def deaths_of(run: RunDirectory, partition: int, unit: Unit) -> int:
    """Times this unit was begun and never ended."""
    return int((run.read_json(_mark(partition, unit)) or {}).get("times", 0))


@contextlib.contextmanager
def marked(run: RunDirectory, partition: int, unit: Unit, deaths: int) -> Iterator[None]:
    """Leave a mark for as long as the unit is worked on, beside the ``deaths`` before."""
    run.write_json(_mark(partition, unit), {"times": deaths + 1})
    try:
        yield
    except BaseException:
        run.write_json(_mark(partition, unit), {"times": deaths})
        raise
    with contextlib.suppress(FileNotFoundError):
        run.fs.rm(run.path(_mark(partition, unit)))


def killed_worker(deaths: int) -> DocumentError:
    """Why a unit is set aside that took its worker down again and again."""
    return DocumentError(
        "killed-worker",
        f"its worker died {deaths} times while it was being recognised, most likely of memory",
        "split the document or scan it at a lower resolution",
    )
