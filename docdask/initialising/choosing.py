"""Which processors go into the file: those that were asked for, found or made, each with its version pinned.

Rules: a name on the command line is an id or display name if there is one, else a type; of several of a type the one that
is in the file already, else one that the user chooses; a version that the file pins stays pinned.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from docdask.configuration import FRIENDLY, friendly, processor_type
from docdask.configuration.types import require_type
from docdask.errors import UsageError
from docdask.initialising.talk import Talk
from docdask.service.provisioning import Found, Provisioning


@dataclass(frozen=True, slots=True)
class Chosen:
    """A processor for the file."""

    alias: str
    found: Found
    version: str
    created: bool = False


def choose(
    service: Provisioning,
    wanted: Sequence[str],
    known: Mapping[str, Any],
    talk: Talk,
    *,
    home: str = "",
) -> list[Chosen]:
    """Choose processors, make missing ones, pin their versions.

    Parameters
    ----------
    service
        The project's Document AI.
    wanted
        Types, ids or display names; none: the user is asked.
    known
        Table ``documentai.processors`` of the file.
    talk
        With the user.
    home
        The file's own location; in another one names end in the location.

    Raises
    ------
    UsageError
        If one is wanted that can't be had.
    ServiceError
        If Document AI refuses.
    """
    there = sorted(service.processors(), key=_order)
    _show(there, service, talk)
    home = home or service.location
    ids = {
        processor_id: alias
        for alias, row in known.items()
        for location, processor_id in _places(row, home)
        if location == service.location
    }
    if not wanted:
        wanted = _asked(there, talk)
    picked: list[tuple[Found, bool]] = []
    for name in wanted:
        found, created = _one(name, there, ids, service, talk)
        if all(found.name != other.name for other, _ in picked):
            picked.append((found, created))
    made: list[Chosen] = []
    for found, created in picked:
        taken = {*known, *(one.alias for one in made)}
        alias = ids.get(found.id) or _alias(found, taken, service.location, at_home=service.location == home)
        made.append(Chosen(alias, found, _version(found, known.get(alias, {}), service, talk), created))
    return made


def _order(found: Found) -> tuple[bool, str, str]:
    """OCR first: the first one becomes the default."""
    return found.processor_type != "OCR_PROCESSOR", found.processor_type, found.display_name


def _show(there: Sequence[Found], service: Provisioning, talk: Talk) -> None:
    if not there:
        talk.tell(f"project {service.project} has no processors in {service.location}")
        return
    talk.tell(f"processors of {service.project} in {service.location}:")
    for found in there:
        state = "" if found.enabled else f"  {found.state.lower().replace('_', ' ')}"
        talk.tell(f"  {friendly(found.processor_type):18} {found.id:18} {found.display_name}{state}")


def _asked(there: Sequence[Found], talk: Talk) -> list[str]:
    """Names of what the user wants: all that are enabled unless said otherwise."""
    enabled = [found.id for found in there if found.enabled]
    if not enabled:
        if talk.yes:
            raise UsageError("there is no processor that could be used", "name one to make: --processor ocr")
        answer = talk.ask(f"Which type should be made? ({', '.join(FRIENDLY)}; Enter for ocr)", "--processor")
        return _names(answer) or ["ocr"]
    answer = talk.ask("Which do you want to use? (types or ids with commas; Enter for all)", "--processor")
    return _names(answer) or enabled


def _names(answer: str) -> list[str]:
    return [name.strip() for name in answer.split(",") if name.strip()]


def _one(
    name: str, there: Sequence[Found], ids: Mapping[str, str], service: Provisioning, talk: Talk
) -> tuple[Found, bool]:
    """The processor that a name means, and whether it was made now."""
    for found in there:
        if name in (found.id, found.name, found.display_name) and (
            found.enabled or processor_type(name) is None
        ):
            return _enabled(found), False
    kind = require_type(name, "--processor")
    same = [found for found in there if found.processor_type == kind]
    enabled = [found for found in same if found.enabled]
    if same and not enabled:
        return _enabled(same[0]), False
    in_file = [found for found in enabled if found.id in ids]
    if in_file:
        return in_file[0], False
    if enabled:
        return _of_several(enabled, talk), False
    return _made(kind, service, talk), True


def _enabled(found: Found) -> Found:
    if not found.enabled:
        raise UsageError(
            f"processor {found.display_name!r} ({found.id}) is {found.state.lower().replace('_', ' ')}",
            "enable it in the console, then run docdask init again",
        )
    return found


def _of_several(same: Sequence[Found], talk: Talk) -> Found:
    if len(same) == 1:
        return same[0]
    names = ", ".join(f"{found.id} ({found.display_name})" for found in same)
    answer = talk.ask(
        f"There are {len(same)} {friendly(same[0].processor_type)} processors: {names}. Which? (Enter for the first)",
        "--processor ID",
    )
    for found in same:
        if answer in (found.id, found.display_name):
            return found
    if answer:
        raise UsageError(
            f"{answer!r} is none of them", f"answer with one of {', '.join(found.id for found in same)}"
        )
    talk.tell(f"taking the first of {len(same)}: {same[0].id}")
    return same[0]


def _made(kind: str, service: Provisioning, talk: Talk) -> Found:
    short = friendly(kind)
    question = f"There is no {short} processor in {service.location}. Make one, docdask-{short}? (free; its calls cost)"
    if not talk.agrees(question, default=False):
        raise UsageError(
            f"there is no {short} processor in {service.project}, {service.location}",
            "answer yes to make one, or name one that is there",
        )
    found = service.create(kind, f"docdask-{short}")
    talk.tell(f"made {short} processor {found.id}")
    return found


def _version(found: Found, row: Mapping[str, Any], service: Provisioning, talk: Talk) -> str:
    """Version to pin: what the file has, else what calls go to now."""
    there = str(row.get("version", ""))
    pinned = service.pin(found, there)
    if pinned.warning:
        talk.tell(f"warning: {pinned.warning}")
    if there and pinned.default not in ("", pinned.version):
        talk.tell(
            f"{found.display_name}: version {there} stays pinned; the default is now {pinned.default} "
            "(take the line away and run docdask init again to change)"
        )
    return there or pinned.version


def _places(row: Any, home: str) -> Iterator[tuple[str, str]]:
    """Location and id of each processor that a table of the file names."""
    places = row.get("places") or [{"id": row.get("processor", "")}]
    for place in places:
        name = str(place.get("id", "")).partition("/processorVersions/")[0]
        parts = name.split("/")
        yield (parts[3], parts[5]) if len(parts) == 6 else (str(place.get("location", home)), name)


def _alias(found: Found, taken: set[str], location: str, *, at_home: bool) -> str:
    """Name for the file: the type's, else the processor's own, else with a number."""
    short = friendly(found.processor_type)
    own = re.sub(r"[^a-z0-9]+", "-", found.display_name.lower()).strip("-")
    first = short if at_home else f"{short}-{location}"
    for name in (first, own, *(f"{first}-{number}" for number in range(2, 1000))):
        if name and name not in taken:
            return name
    raise AssertionError  # nobody has a thousand of a type
