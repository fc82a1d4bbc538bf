"""What a project used lately, kept in the state folder, so that a new governor does not burst into a minute that is spent.

Rules:

1. While something is used it is saved once a second, the first time at once, in a thread; one small file a semaphore and
   governor, so that several governors on one machine add up.
2. A new governor reads the files of a semaphore when it is registered there, and takes those that are fresh.
3. A file that is stale is removed; one that can't be read is left out, and the log says why. Neither keeps anybody from a permit.
4. Whoever may not write there goes on without: one warning.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from docdask.core.meter import MeterState

logger = logging.getLogger(__name__)

FOLDER = "usage"
FORMAT = 1
#: Seconds between two savings of a semaphore that is used.
EVERY_S = 1.0
#: Parts of a period that calls are counted by in a file; those of one part count as its last.
_PARTS = 256
#: Semaphores that made up their names: nobody will use one again.
_MADE_UP = re.compile(r"quota-[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Saved:
    """One governor's use of a semaphore at one moment."""

    semaphore: str
    governor: str
    saved_utc_ns: int
    period_ns: int
    meters: dict[str, MeterState]
    epochs: tuple[tuple[str, int], ...] = ()
    """Ledgers and epochs in them whose intents, up to that moment, are counted in ``meters``."""


class UsageFiles:
    """Folder of saved states; used in threads.

    Parameters
    ----------
    state
        The state folder.
    """

    def __init__(self, state: Path) -> None:
        self._folder = state / FOLDER

    def save(self, states: Iterable[Saved]) -> None:
        """Write states, each whole or not at all, readable by their owner alone.

        Raises
        ------
        OSError
            If the folder can't be written.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for state in states:
            value = {
                "docdask": "usage",
                "format": FORMAT,
                "semaphore": state.semaphore,
                "governor": state.governor,
                "saved_utc_ns": state.saved_utc_ns,
                "period_ns": state.period_ns,
                "epochs": state.epochs,
                "meters": {name: _coarse(meter, state.period_ns) for name, meter in state.meters.items()},
            }
            path = self._folder / f"{_key(state.semaphore)}.{state.governor}.json"
            temporary = path.with_suffix(".tmp")
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(value, file, separators=(",", ":"))
            temporary.replace(path)

    def load(self, semaphore: str, governor: str, now_utc_ns: int) -> list[Saved]:
        """Fresh states of a semaphore that other governors than ``governor`` saved; stale ones are removed."""
        found = []
        for path in sorted(self._folder.glob(f"{_key(semaphore)}.*.json")):
            try:
                saved = _read(path)
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                reason = str(error) or type(error).__name__
                logger.warning("docdask: %s is left out, it can't be read: %s", path, reason)
                continue
            if saved.governor == governor or saved.semaphore != semaphore:
                continue
            if now_utc_ns - saved.saved_utc_ns > 3 * saved.period_ns:
                logger.debug("docdask: %s is older than three periods, and removed", path)
                path.unlink(missing_ok=True)
                continue
            found.append(saved)
        return found


def _key(semaphore: str) -> str:
    return hashlib.blake2b(semaphore.encode(), digest_size=8).hexdigest()


def _coarse(meter: MeterState, period_ns: int) -> MeterState:
    """The same use in fewer numbers: what was sent within a small part of the period counts as sent at its end."""
    used: list[list[int]] = []
    begun = -period_ns
    for at, amount in meter["used"]:
        if used and at - begun < period_ns // _PARTS:
            used[-1] = [at, used[-1][1] + amount]
        else:
            begun = at
            used.append([at, amount])
    return {"used": used, "share_ppm": meter["share_ppm"], "bursts": meter["bursts"]}


def _read(path: Path) -> Saved:
    value = json.loads(path.read_bytes())
    if value["docdask"] != "usage" or value["format"] != FORMAT:
        msg = f"its format is {value['format']!r}, not {FORMAT}"
        raise ValueError(msg)
    meters: dict[str, MeterState] = {
        str(name): {
            "used": [[int(at), int(amount)] for at, amount in meter["used"]],
            "share_ppm": int(meter["share_ppm"]),
            "bursts": bool(meter["bursts"]),
        }
        for name, meter in value["meters"].items()
    }
    if any(amount < 0 for meter in meters.values() for _, amount in meter["used"]):
        msg = "something was used less than not at all"
        raise ValueError(msg)
    return Saved(
        str(value["semaphore"]), str(value["governor"]), int(value["saved_utc_ns"]), int(value["period_ns"]), meters,
        tuple((str(name), int(epoch)) for name, epoch in value["epochs"]),
    )  # fmt: skip


class Keeper:
    """Saves, on the loop's side.

    Parameters
    ----------
    files
        Where to.
    governor
        Who saves.
    export
        Gives the state of a semaphore, None if it has ended.
    """

    def __init__(self, files: UsageFiles, governor: str, export: Callable[[str], Saved | None]) -> None:
        self._files = files
        self._governor = governor
        self._export = export
        self._loop = asyncio.get_running_loop()
        self._used: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Future[None] | None = None
        self._next_s = 0.0
        self._failed = False

    def used(self, semaphore: str) -> None:
        """A permit was granted."""
        if semaphore not in self._used and not _MADE_UP.fullmatch(semaphore):
            self._used.add(semaphore)
            self._plan()

    async def load(self, semaphore: str, now_utc_ns: int) -> list[Saved]:
        """What others used of a semaphore lately."""
        return await asyncio.to_thread(self._files.load, semaphore, self._governor, now_utc_ns)

    async def close(self) -> None:
        """Save what was used since the last time."""
        if self._timer is not None:
            self._timer.cancel()
        if self._writing is not None:
            await asyncio.wait([self._writing])
        self._save()
        if self._writing is not None:
            await asyncio.wait([self._writing])

    def _plan(self) -> None:
        if self._timer is None and self._writing is None:
            self._timer = self._loop.call_later(max(0.0, self._next_s - self._loop.time()), self._save)

    def _save(self) -> None:
        self._timer = None
        used, self._used = self._used, set()
        states = [state for state in map(self._export, sorted(used)) if state is not None]
        if states:
            self._next_s = self._loop.time() + EVERY_S
            self._writing = self._loop.run_in_executor(None, self._files.save, states)
            self._writing.add_done_callback(self._saved)

    def _saved(self, done: asyncio.Future[None]) -> None:
        self._writing = None
        error = None if done.cancelled() else done.exception()
        if error is not None and not self._failed:
            logger.warning("docdask: what was used lately can't be kept: %s", error)
        self._failed = error is not None
        if self._used:
            self._plan()
