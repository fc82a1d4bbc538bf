"""The steps of ``docdask init``: where, bucket, processors, quotas, file.

Rules: what is asked for is asked before anything is made; the new file is read as a run would read it before it takes the
place of the old one, whole or not at all.
"""

from __future__ import annotations

import difflib
import os
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docdask.configuration import EMULATED_PROJECT, emulator_host, load_configuration
from docdask.configuration.keys import DOCUMENTAI, PROCESSOR, checked
from docdask.configuration.processors import LOCATION_HELP
from docdask.configuration.writing import changed
from docdask.core.limits import LOCATIONS
from docdask.core.routes import Configuration
from docdask.errors import StorageError, UsageError
from docdask.initialising.choosing import Chosen, choose
from docdask.initialising.contents import Looked, changes
from docdask.initialising.talk import Talk
from docdask.service.provisioning import Provisioning
from docdask.service.quotas import Quotas
from docdask.settings import nearest, read_file


@dataclass(frozen=True, slots=True)
class Wish:
    """What was said on the command line."""

    path: Path
    project: str = ""
    location: str = ""
    staging: str | None = None
    """None: not said; empty: no batches."""
    processors: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    path: Path
    configuration: Configuration
    chosen: Sequence[Chosen]
    quotas: Quotas
    written: bool

    def to_json(self) -> dict[str, Any]:
        """JSON object of it."""
        configuration = self.configuration
        return {
            "file": str(self.path),
            "written": self.written,
            "project": configuration.project,
            "location": configuration.location,
            "billing": configuration.billing,
            "emulated": configuration.emulated,
            "processors": {
                one.alias: {
                    "type": one.found.processor_type, "id": one.found.id, "version": one.version, "created": one.created,
                }
                for one in self.chosen
            },
            "limits": dict(configuration.limits),
            "assumed": configuration.assumed,
            "quotas": self.quotas.source or self.quotas.refusal,
            "staging": configuration.staging,
        }  # fmt: skip


def initialise(wish: Wish, talk: Talk, environment: Mapping[str, str] | None = None) -> Outcome:
    """Look at a project and write the file.

    Parameters
    ----------
    wish
        What is wanted; what is missing is asked for.
    talk
        With the user.
    environment
        Environment variables; None for those of this process.

    Raises
    ------
    UsageError
        If something that is needed was not said, or can't be right.
    ServiceError
        If Document AI refuses.
    StorageError
        If the bucket or the file can't be written.
    """
    variables = os.environ if environment is None else environment
    file = read_file(wish.path) if wish.path.exists() else {}
    table = checked(file.get("documentai", {}), DOCUMENTAI, f"{wish.path}: [documentai]")
    for alias, row in table.get("processors", {}).items():
        checked(row, PROCESSOR, f"{wish.path}: [documentai.processors.{alias}]")
    host = emulator_host(variables)
    _same_world(wish.path, table, host)
    project = _project(wish, table, variables, talk, emulated=bool(host))
    location = _location(wish, table, variables, talk)
    where = f"EMULATED at {host}" if host else f"Google project {project}, location {location}"
    talk.tell(f"{where}; nothing that init does is billed")
    with Provisioning(project, location, emulator_host=host) as service:
        staging = _staging(wish, table, service, talk)
        home = str(table.get("location", ""))
        chosen = choose(service, wish.processors, table.get("processors", {}), talk, home=home)
        quotas = service.quotas()
    _tell_quotas(quotas, talk)
    looked = Looked(project, location, staging, chosen, quotas, emulated=bool(host))
    old = wish.path.read_text(encoding="utf-8") if wish.path.exists() else ""
    new = changed(old, changes(table, looked))
    configuration = _checked(new, wish.path, variables)
    written = _write(old, new, wish.path, talk)
    return Outcome(wish.path, configuration, chosen, quotas, written)


def _same_world(path: Path, table: Mapping[str, Any], host: str) -> None:
    """Refuse to mix processors of Google and of an emulator in one file."""
    if table.get("emulated") and not host:
        raise UsageError(
            f"{path} was written from an emulator",
            "write another file: --file OTHER.toml, or set DOCUMENTAI_EMULATOR_HOST",
        )
    if host and table.get("processors") and not table.get("emulated"):
        raise UsageError(
            f"{path} has processors of Google, and DOCUMENTAI_EMULATOR_HOST={host} is set",
            "write another file: --file OTHER.toml, or unset it",
        )


def _project(
    wish: Wish, table: Mapping[str, Any], environment: Mapping[str, str], talk: Talk, *, emulated: bool
) -> str:
    there = str(table.get("project", ""))
    said = wish.project or environment.get("DOCDASK_PROJECT", "")
    if there and said and said != there:
        raise UsageError(
            f"{wish.path} is for project {there}, not {said}",
            "write another file: --file OTHER.toml, or correct it there",
        )
    found = said or there or environment.get("GOOGLE_CLOUD_PROJECT", "")
    if not found and emulated:
        return EMULATED_PROJECT
    found = found or talk.ask("Google Cloud project (its id is at the top of the console)?", "--project")
    if not found:
        raise UsageError("no project was named", "add --project ID; the console shows it at the top")
    if "/" in found or found != found.strip():
        raise UsageError(f"{found!r} is no project", "give its id or number")
    return found


def _location(wish: Wish, table: Mapping[str, Any], environment: Mapping[str, str], talk: Talk) -> str:
    found = wish.location or environment.get("DOCDASK_LOCATION", "") or str(table.get("location", ""))
    if not found and not talk.yes:
        talk.tell(LOCATION_HELP[0].upper() + LOCATION_HELP[1:] + ".")
        found = talk.ask(f"Location ({', '.join(LOCATIONS)})?", "--location")
    if not found:
        raise UsageError("no location was named", f"add --location: {LOCATION_HELP}")
    if found not in LOCATIONS:
        near = nearest(found, LOCATIONS)
        raise UsageError(
            f"Document AI is not in {found!r}",
            (f"did you mean {near}? " if near else "") + f"use {', '.join(LOCATIONS)}",
        )
    return found


def _staging(wish: Wish, table: Mapping[str, Any], service: Provisioning, talk: Talk) -> str:
    found = wish.staging
    if found is None:
        found = str(table.get("staging", "")) or talk.ask(
            "Bucket for batches, gs://bucket/prefix? (Enter for none: everything goes online)", "--staging"
        )
    found = found.rstrip("/")
    if found:
        service.check_bucket(found)
        talk.tell(f"{found} can be written, listed, read and cleaned")
    return found


def _tell_quotas(quotas: Quotas, talk: Talk) -> None:
    if quotas.assumed:
        talk.tell(f"quotas could not be read; those of a new project are assumed ({quotas.refusal})")
    else:
        talk.tell(f"quotas as {quotas.source} tells them")


def _checked(text: str, path: Path, environment: Mapping[str, str]) -> Configuration:
    """Read the new file as a run would, before it is there."""
    tomllib.loads(text)
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / path.name
        trial.write_text(text, encoding="utf-8")
        return load_configuration("documentai", path=trial, environment=_bare(environment))


def _bare(environment: Mapping[str, str]) -> dict[str, str]:
    """Only what says whether calls are emulated: the file alone must be right."""
    names = ("DOCUMENTAI_EMULATOR_HOST", "STORAGE_EMULATOR_HOST")
    return {name: environment[name] for name in names if name in environment}


def _write(old: str, new: str, path: Path, talk: Talk) -> bool:
    """Show the change, ask, and write; whether there was one."""
    if new == old:
        talk.tell(f"{path} is as it should be")
        return False
    if old:
        lines = difflib.unified_diff(
            old.splitlines(), new.splitlines(), f"{path} (as it is)", f"{path} (new)", lineterm=""
        )
        talk.tell("\n".join(lines))
    else:
        talk.tell(f"--- {path}\n{new}---")
    if not talk.agrees(f"Write {path}?"):
        raise UsageError(f"{path} was not written", "answer yes to write it")
    target = path.resolve()
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
            made = Path(folder) / target.name
            made.write_text(new, encoding="utf-8")
            if target.exists():
                made.chmod(target.stat().st_mode & 0o777)
            made.replace(target)
    except OSError as error:
        raise StorageError(
            f"{path} can't be written: {error.strerror or error}", "choose another with --file"
        ) from error
    return True
