"""Settings: file, environment and arguments become one frozen value, read once and passed as an argument.

Order, later wins: defaults, ``docdask.toml`` in the working directory or the file that ``DOCDASK_FILE`` names (table
``[docdask]``), ``DOCDASK_<NAME>`` in the environment, arguments.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from docdask.errors import StorageError, UsageError

#: The file that both settings and the configuration of Document AI stand in.
FILE = "docdask.toml"
#: What may stand at its top: settings, and what :mod:`docdask.configuration` reads.
_TABLES = ("docdask", "documentai", "routes", "escalate_below")
#: Lanes of the governor, most urgent first.
PRIORITIES = ("interactive", "normal", "bulk")
#: Settings that limit a call; 0 is no limit that anything could keep.
_LIMITS = frozenset({"timeout_s", "memory_mib"})


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set that does not change results."""

    workers: int = 0
    """Workers of the local cluster, one thread each; 0: one a core."""
    timeout_s: float = 120.0
    """Limit of one call into a PDF or image library, seconds; recognition may take half as long again for each page."""
    memory_mib: int = 1100
    """Limit of the child process that runs those libraries, MiB."""
    idle_s: float = 60.0
    """The local cluster ends when nobody was connected for that long, seconds."""
    dashboard_port: int = 8787
    """Of the Dask dashboard; another is taken when it is in use."""
    priority: str = "normal"
    """How urgent calls of a paid run are beside those of other runs: ``interactive``, ``normal`` or ``bulk``."""
    record: str = ""
    """File in which the local cluster's governor records what it is told and answers, for ``docdask debug replay``."""
    state: str = ""
    """Folder for what outlives a run on this machine: the local cluster's address, calibrations. Empty: the
    platform's state folder (``$XDG_STATE_HOME/docdask``)."""

    @property
    def state_folder(self) -> Path:
        """The folder, made if missing, for its owner alone."""
        base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
        folder = Path(self.state) if self.state else base / "docdask"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"can't make the state folder {folder}: {error.strerror or error}",
                "set DOCDASK_STATE to a folder that you can write",
            ) from error
        return folder

    @property
    def worker_count(self) -> int:
        """Workers to start: as set, else the cores this process may use."""
        if self.workers:
            return self.workers
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)

    @property
    def raised(self) -> bool:
        """Whether a limit is above its default: documents that met it are then looked at again."""
        default = Settings()
        return self.timeout_s > default.timeout_s or self.memory_mib > default.memory_mib

    @property
    def limits(self) -> dict[str, Any]:
        """Keyword arguments of :func:`docdask.sandbox.call`."""
        return {"timeout_s": self.timeout_s, "memory_bytes": self.memory_mib * 2**20}


def load(**arguments: Any) -> Settings:
    """Read the settings.

    Parameters
    ----------
    **arguments
        By field name; None means not given.

    Raises
    ------
    UsageError
        If a value is not of the field's type or out of range, or the file has an unknown name.
    """
    known = {field.name: field for field in fields(Settings)}
    found: dict[str, Any] = {}
    path = named_file(os.environ)
    table = read_file(path).get("docdask", {})
    if not isinstance(table, dict):
        raise UsageError(f"{path or FILE} has docdask = {table!r}", "write it as a table: [docdask]")
    refuse_unknown(table, known, str(path or FILE))
    found.update(table)
    found.update(
        {name: os.environ[key] for name in known if (key := f"DOCDASK_{name.upper()}") in os.environ}
    )
    found.update({name: value for name, value in arguments.items() if value is not None})
    return replace(Settings(), **{name: _value(name, value) for name, value in found.items()})


def named_file(environment: Mapping[str, str]) -> Path | None:
    """File that ``DOCDASK_FILE`` names; None for ``docdask.toml`` in the working directory."""
    return Path(environment["DOCDASK_FILE"]) if environment.get("DOCDASK_FILE") else None


def read_file(path: Path | None = None) -> dict[str, Any]:
    """Read ``docdask.toml``.

    Parameters
    ----------
    path
        Another file than the one in the working directory; it must be there.

    Returns
    -------
    dict
        Its tables; none if there is no file.

    Raises
    ------
    UsageError
        If it is no TOML, or has a table that nothing reads.
    """
    place = path or Path(FILE)
    if path is None and not place.is_file():
        return {}
    try:
        found = tomllib.loads(place.read_text(encoding="utf-8-sig"))  # some editors begin with a mark
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{place} can't be read: {error}", "correct it or move it away") from error
    except OSError as error:
        raise UsageError(
            f"{place} can't be read: {error.strerror or error}", "name a file that you can read"
        ) from error
    refuse_unknown(found, _TABLES, str(place))
    return found


def refuse_unknown(found: Iterable[str], known: Iterable[str], where: str) -> None:
    """Refuse names that nothing reads, with the nearest one that is read.

    Raises
    ------
    UsageError
        If one of ``found`` is not among ``known``.
    """
    names = list(known)
    unknown = sorted(set(found) - set(names))
    if not unknown:
        return
    near = nearest(unknown[0], names)
    raise UsageError(
        f"{where} sets {', '.join(unknown)}, which nothing reads",
        (f"did you mean {near}? " if near else "") + f"known: {', '.join(names)}",
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known name that ``name`` was probably meant to be; empty if none is near."""
    return next(iter(difflib.get_close_matches(name.lower(), list(known), n=1)), "")


def _value(name: str, value: Any) -> Any:
    kind = type(getattr(Settings(), name))
    try:
        converted = kind(value)
        said = isinstance(value, str | os.PathLike)
        if not said and (isinstance(value, bool) or converted != value):
            raise ValueError(value)  # a file has values of its own types: 1.7 workers, true seconds
    except (TypeError, ValueError, OverflowError) as error:
        what = {"int": "whole number", "float": "number", "str": "text"}[kind.__name__]
        raise UsageError(f"{name}={value!r} is no {what}", f"give {name} as a {what}") from error
    if kind is not str and not converted >= 0:  # not a number is neither
        raise UsageError(f"{name}={value!r} is no number from 0 on", "give 0 or more")
    if name == "priority" and converted not in PRIORITIES:
        raise UsageError(f"priority={value!r} is none", f"use one of {', '.join(PRIORITIES)}")
    if name in _LIMITS and not converted:
        raise UsageError(f"{name}={value!r} would let nothing pass", f"give more, or leave {name} away")
    return converted
