"""The call worker of a driver: where the calls of an engine that waits are open, beside the local cluster's CPU workers.

Rules: it belongs to one driver, so that the end of one run ends no calls of another; it has no nanny, so that its death
is seen by the driver, which starts the cluster's part of the run again.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docdask.errors import ClusterError

if TYPE_CHECKING:
    from docdask.engine.pool import OnCluster

_THREADS = 64
_START_S = 60.0


class CallWorker:
    """A worker process that joins a cluster with a Dask resource of its own.

    Parameters
    ----------
    pool
        Cluster that it joins.
    session
        Of its driver.
    log
        File for what it prints.
    """

    def __init__(self, pool: OnCluster, session: str, log: Path) -> None:
        self._pool, self._log = pool, log
        self.resource = f"call-{session}"
        """Dask resource that only this worker has."""
        self._preparing: Any = None
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "distributed.cli.dask_worker", pool.client.scheduler.address,
                 f"--nthreads={_THREADS}", f"--resources={self.resource}={_THREADS}", "--no-nanny",
                 f"--name={self.resource}", "--no-dashboard", "--memory-limit=0", "--host=127.0.0.1"],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip

    def wait(self) -> None:
        """Wait until it has joined.

        Raises
        ------
        ClusterError
            If it does not.
        """
        deadline = time.monotonic() + _START_S
        while self.resource not in self._pool.resources:
            self.check()
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"the call worker did not join the local cluster within {_START_S:g} s",
                    f"see {self._log}",
                )
            time.sleep(0.1)
            self._pool.look()

    def prepare(self, function: Callable[..., Any], *args: Any) -> None:
        """Let it do what its first task would have to do, as soon as it has joined."""
        self._preparing = self._pool.client.submit(function, *args, resources={self.resource: 1}, pure=False)

    def prepared(self, timeout_s: float) -> bool:
        """Whether that has ended, well or not: what went wrong will go wrong in the first task, which tells it."""
        from distributed import CancelledError, wait

        if self._preparing is None or self._preparing.status != "pending":
            return True
        with contextlib.suppress(TimeoutError, CancelledError), self._pool.client.as_current():
            wait(self._preparing, timeout=timeout_s)
        return bool(self._preparing.status != "pending")

    def check(self) -> None:
        """Raise :class:`~docdask.errors.ClusterError` if it has ended: its tasks would wait for ever."""
        if self._process.poll() is not None:
            raise ClusterError(
                f"the local cluster's call worker ended (exit code {self._process.returncode})",
                f"see {self._log}",
            )

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
