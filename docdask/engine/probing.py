"""Whether a cluster fits: it has workers, docdask in our version on every side, and a run directory that all can use.

Rule: what does not fit is told before the first task, with the name of the side that does not.
"""

from __future__ import annotations

import contextlib
import sys
import uuid
from collections.abc import Sequence
from typing import Any

from docdask._version import __version__
from docdask.errors import ClusterError, DocdaskError
from docdask.store.run import RunDirectory

Versions = tuple[str, tuple[int, ...]]


def check(client: Any, workers: Sequence[str], run: RunDirectory | None) -> None:
    """Make sure that a cluster fits.

    Parameters
    ----------
    client
        Connected client.
    workers
        Names of the workers that it has.
    run
        Run directory that the workers must be able to use; None where they use none.

    Raises
    ------
    ClusterError
        If there is no worker, a worker or the scheduler has no docdask or another version, or a worker can't read
        and write the run directory.
    """
    if not workers:
        raise ClusterError(
            f"the scheduler at {client.scheduler.address} has no workers",
            "start workers, then give the command again",
        )
    here = _versions()
    for where, answer in _answers(client, run).items():
        if isinstance(answer, BaseException):
            raise ClusterError(
                f"{where} can't run docdask: {answer}",
                f"install docdask {__version__} where the cluster runs, and give RUN as a URL that its workers can write",
            )
        (docdask, python), trouble = answer
        if (docdask, tuple(python)) != here:
            raise ClusterError(
                f"{where} has {_said((docdask, python))}, here is {_said(here)}",
                "use the same versions on both sides",
            )
        if trouble:
            raise ClusterError(
                f"{where} can't use the run directory: {trouble}",
                "give RUN as a URL that all workers share and can write",
            )


def _answers(client: Any, run: RunDirectory | None) -> dict[str, Any]:
    """What :func:`probe` returned or raised, by the scheduler's name or a worker's address."""
    token = uuid.uuid4().hex
    name = f"checks/{token}"
    if run is not None:
        run.write(name, token.encode())
    try:
        found: dict[str, Any] = {"scheduler": _scheduler(client)}
        found |= client.run(probe, run.url if run else None, name, token, on_error="return")
        return found
    finally:
        if run is not None:
            with contextlib.suppress(OSError, DocdaskError):
                run.fs.rm(run.path("checks"), recursive=True)


def _scheduler(client: Any) -> Any:
    try:
        return client.run_on_scheduler(probe, None, "", "")
    except Exception as error:  # noqa: BLE001 - whatever the scheduler lacks is told with its name
        return error


def _versions() -> Versions:
    return __version__, tuple(sys.version_info[:2])


def _said(versions: Versions) -> str:
    docdask, python = versions
    return f"docdask {docdask} on Python {'.'.join(map(str, python))}"


def probe(url: str | None, name: str, token: str) -> tuple[Versions, str]:
    """Runs on each worker: its versions, and what keeps it from using the run directory (empty if nothing)."""
    return _versions(), _trouble(RunDirectory(url), name, token) if url else ""


def _trouble(run: RunDirectory, name: str, token: str) -> str:
    try:
        if run.read(name).decode() != token:
            return f"{run.url} is another place there than here"
        run.write(f"{name}-{uuid.uuid4().hex}", b"")
    except FileNotFoundError:
        return f"{run.url} is another place there than here"
    except Exception as error:  # noqa: BLE001 - a sentence for the user
        return str(error)
    return ""
