"""What a caller holds of a run that goes on: ask how it is, wait for it, stop it.

A handle works on the run directory alone, so that any process can have one; the process that started the run also
learns at once when its driver ends.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

from docdask.engine import status as status_file
from docdask.engine import telling
from docdask.engine.process import SESSION, STOP
from docdask.errors import DocdaskError, RunFailed, from_json
from docdask.store.run import RunDirectory

_LOOK_S = 0.25


class RunHandle:
    """A run that was started, perhaps by another process.

    Parameters
    ----------
    run
        Its run directory.
    process
        Its driver, when this process started it.
    thread
        Its driver, when it is a thread of this process; then ``stop_event`` stops it.
    """

    def __init__(
        self,
        run: RunDirectory,
        *,
        process: subprocess.Popen[bytes] | None = None,
        thread: DriverThread | None = None,
    ) -> None:
        self.run, self._process, self._thread = run, process, thread
        self._since = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")

    @property
    def url(self) -> str:
        """The run directory."""
        return self.run.url

    def status(self) -> dict[str, Any]:
        """How the run is now: ``state``, documents, pages, rate, ETA, dashboard …; see docs/run-directory.md."""
        found = status_file.read(self.run)
        if self._driver_running() and found.get("updated_at", "") < self._since:
            # What is written there is of the session before: our driver has not said anything yet.
            found = {"state": "starting", "run": self.run.url}
        return found

    def running(self) -> bool:
        """Whether a driver works on it."""
        if self._driver_running():
            return True
        found = status_file.read(self.run)
        # A thread that has ended in a process that lives may have had no room to write down that it has.
        ours = self._thread is not None and found.get("driver", {}).get("pid") == os.getpid()
        return found["state"] not in status_file.ENDED and not ours

    def begun(self, timeout_s: float = 60) -> None:
        """Wait until the driver has said its first word, so that every process sees that the run goes on."""
        deadline = time.monotonic() + timeout_s
        while (
            self._driver_running()
            and status_file.read(self.run).get("updated_at", "") < self._since
            and time.monotonic() < deadline
        ):
            self._sleep()

    def wait(
        self, timeout_s: float | None = None, *, on_status: Callable[[dict[str, Any]], None] | None = None
    ) -> dict[str, Any]:
        """Wait until the run has ended.

        Parameters
        ----------
        timeout_s
            Seconds to wait; None: as long as it takes.
        on_status
            Called with the status now and then.

        Returns
        -------
        dict
            The last status.

        Raises
        ------
        TimeoutError
            If it goes on longer than ``timeout_s``.
        DocdaskError
            The error that ended the run, of its own class.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while self.running():
            if deadline is not None and time.monotonic() > deadline:
                msg = f"{self.url} still runs after {timeout_s:g} s; wait longer, or stop() it"
                raise TimeoutError(msg)
            if on_status:
                on_status(self.status())
            self._sleep()
        if self._thread and self._thread.error:
            raise self._thread.error
        found = self.status()
        if on_status:
            on_status(found)
        if found["state"] == "failed":
            raise from_json(found.get("error", {}))
        if self._process and self._process.returncode and not self._followed(found):
            raise self._last_words()
        if found["state"] == "interrupted":
            raise RunFailed(
                f"the driver of {self.url} ended without a word",
                f"give the same command again: docdask run {self.url}",
            )
        return found

    def stop(self, *, wait: bool = True) -> dict[str, Any]:
        """Stop cleanly: the units at hand are finished and stored, nothing new is begun."""
        if self._thread:
            self._thread.stop_event.set()
        elif self._process and self._driver_running():
            self._process.terminate()
        elif self.running():
            # A driver that another process started may be a thread of somebody's notebook: no signal, but word.
            self.run.write(SESSION, STOP.encode())
        while wait and self.running():
            self._sleep()
        return self.status()

    def _followed(self, found: dict[str, Any]) -> bool:
        """Whether ``found`` is of another driver, which was faster than the one that this process started."""
        assert self._process is not None
        pid: int | None = found.get("driver", {}).get("pid")
        updated_at: str = found.get("updated_at", "")
        return pid != self._process.pid and updated_at >= self._since

    def _last_words(self) -> DocdaskError:
        """What our driver said before it ended without having written a status."""
        assert self._process is not None
        assert self._process.stdout is not None
        said = self._process.stdout.read()
        self._process.stdout.close()
        if said:
            return from_json(json.loads(said))
        return RunFailed(
            f"the driver of {self.url} ended with exit code {self._process.returncode} and without a word",
            f"give the same command again: docdask run {self.url}",
        )

    def _driver_running(self) -> bool:
        if self._thread:
            return self._thread.is_alive()
        return self._process is not None and self._process.poll() is None

    def _sleep(self) -> None:
        if self._thread:
            self._thread.join(_LOOK_S)
        elif self._process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_LOOK_S)
        else:
            time.sleep(_LOOK_S)

    def __repr__(self) -> str:
        found = self.status()
        words = ", ".join(filter(None, (telling.counts(found), telling.spent(found))))
        return f"<docdask run {self.url}: {': '.join(filter(None, (found['state'], words)))}>"

    def _repr_html_(self) -> str:
        return telling.html(self.status())

    def _ipython_display_(self) -> None:
        """In a notebook: how the run is, kept true below the cell while the notebook goes on."""
        if not telling.in_notebook():
            print(repr(self))
            return
        shown = telling.Live(self.status())
        if self.running():
            shown.follow(self.status, self.running)


class DriverThread(threading.Thread):
    """Drives a run in a thread of this process, for a client that only this process has."""

    def __init__(self, target: Callable[[threading.Event], Any]) -> None:
        super().__init__(name="docdask-driver", daemon=True)
        self.stop_event, self._body = threading.Event(), target
        self.error: BaseException | None = None

    def run(self) -> None:
        """Body of the thread."""
        try:
            self._body(self.stop_event)
        except BaseException as error:  # noqa: BLE001 - raised by whoever waits
            self.error = error
