"""Reads processors: of the file, of the command line, and those that an emulator has ready.

Rules: an id without project and location belongs to those of the file; a processor of one project or location is never
looked for in another one; an emulator of our own has whatever is configured, under the same names, types and versions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from docdask.configuration.keys import PLACE, PROCESSOR, checked
from docdask.configuration.options import process_options
from docdask.configuration.types import FRIENDLY, friendly, processor_type, require_type
from docdask.core.limits import LOCATIONS
from docdask.core.routes import Place, Processor
from docdask.core.server import Processor as EmulatedProcessor
from docdask.errors import UsageError

#: What the choice of a location means, and where to look it up.
LOCATION_HELP = (
    "set location to us, eu or a single region such as europe-west3: documents are processed and stored there, a processor "
    "exists in one location only (the console's list of processors shows it), and each has quotas of its own"
)
#: Names become parts of others (``us/ocr``), of files and of columns.
_ALIAS = re.compile(r"[A-Za-z0-9][\w-]*", re.ASCII)
_ID = re.compile(r"[\w-]+", re.ASCII)
_PROJECT = re.compile(r"[\w.:-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Scope:
    """What holds for all processors."""

    where: str
    """The file, for messages."""
    project: str
    location: str
    file: Mapping[str, Any]
    """Scalars of the file."""
    override: Mapping[str, Any]
    """Scalars that environment and arguments set."""
    emulated: bool
    own: bool


def read_processor(alias: str, row: Any, scope: Scope, where: str = "") -> Processor:
    """Processor of a table ``[documentai.processors.ALIAS]``, or of an argument (``where`` it was said).

    Raises
    ------
    UsageError
        If it can't be right.
    """
    where = where or f"{scope.where}: [documentai.processors.{alias}]"
    if not _ALIAS.fullmatch(alias) or alias == "offline":
        raise UsageError(
            f"{where}: {alias!r} can't be the name of a processor",
            "use letters, digits, - and _; not offline",
        )
    table = checked(row, PROCESSOR, where)
    if "type" not in table and processor_type(alias) is None:
        raise UsageError(f"{where} has no type", f"add type = one of {', '.join(FRIENDLY)}")
    kind = require_type(table.get("type", alias), where)
    places = _places(table, kind, alias, scope, where)
    made = Processor(
        alias=alias,
        processor_type=kind,
        places=_chosen(places, alias, scope),
        options=process_options(table["options"], kind, f"{where} options") if "options" in table else {},
        pack=table.get("pack"),
        imageless=table.get("imageless", True),
        field_mask=field_mask(table.get("field_mask", ""), where),
    )
    return _pinned(made, scope)


def named_processor(text: str, processors: Mapping[str, Processor], scope: Scope) -> Processor:
    """Processor that an argument names: an alias, a type, a full name, or ``TYPE=ID``.

    Raises
    ------
    UsageError
        If it names none.
    """
    if text in processors:
        return processors[text]
    left, mark, right = text.partition("=")
    if mark:
        where = f"--processor {text}"
        return read_processor(left, {"type": require_type(left, where), "processor": right}, scope, where)
    for processor in processors.values():
        if any(text in (place.processor, place.target) for place in processor.places):
            return processor
    kind = processor_type(text)
    if kind:
        same = [processor for processor in processors.values() if processor.processor_type == kind]
        if same:
            return same[0]
        if scope.emulated:
            return emulated_processor(friendly(kind), kind, scope)
        raise UsageError(
            f"no processor of type {kind} is configured",
            f"run docdask init --processor {friendly(kind)}; configured: {', '.join(processors) or 'none'}",
        )
    if "/" in text:
        raise UsageError(f"the type of {text} is not known", f"write it before the name: ocr={text}")
    names = dict.fromkeys((*processors, *(FRIENDLY if scope.emulated else ())))
    known = ", ".join(names) or "none"
    raise UsageError(
        f"no processor {text!r} is configured", f"known: {known}; or run docdask init, or write TYPE=ID"
    )


def emulated_processor(alias: str, kind: str, scope: Scope) -> Processor:
    """Processor of a type as an emulator has it ready, in the default location."""
    name = f"projects/{scope.project}/locations/{scope.location}/processors/{friendly(kind)}"
    return _pinned(Processor(alias, kind, (Place(scope.location, name),)), scope)


def with_options(processor: Processor, options: Mapping[str, Any], scope: Scope) -> Processor:
    """Processor with options of a command line.

    Raises
    ------
    UsageError
        If it does not take one.
    """
    changes: dict[str, Any] = {}
    for name in ("pack", "imageless"):
        if name in options:
            if not isinstance(options[name], bool):
                raise UsageError(
                    f"option {name}={options[name]!r} is neither true nor false", f"write {name}=true"
                )
            changes[name] = options[name]
    if "field_mask" in options:
        changes["field_mask"] = field_mask(str(options["field_mask"]), "option field_mask")
    if "options" in options:
        more = process_options(options["options"], processor.processor_type, "option")
        changes["options"] = {**processor.options, **more}
    if "version" in options:
        version = str(options["version"])
        changes["places"] = tuple(replace(place, version=version) for place in processor.places)
    return _pinned(replace(processor, **changes), scope) if changes else processor


def all_with_options(
    processors: Mapping[str, Processor], default: str, options: Mapping[str, Any], scope: Scope
) -> dict[str, Processor]:
    """Apply options of the command line: packing and imageless mode to all that can, the rest to the default."""
    shared = {
        name: value
        for name, value in options.items()
        if name == "imageless" or (name == "pack" and not value)
    }
    return {
        alias: with_options(processor, options if alias == default else shared, scope)
        for alias, processor in processors.items()
    }


def field_mask(text: str, where: str) -> str:
    """Mask, as the API takes it: fields of the document, or of its pages, nothing deeper; ``*`` is everything.

    Raises
    ------
    UsageError
        If it goes deeper.
    """
    paths = [path.strip() for path in text.split(",") if path.strip()]
    if paths == ["*"]:
        return "*"
    for path in paths:
        parts = path.split(".")
        if not all(parts) or len(parts) > 2 or (len(parts) == 2 and parts[0] != "pages"):
            raise UsageError(
                f"{where}: field_mask has {path!r}",
                "Document AI takes fields of the document and pages.FIELD, nothing deeper",
            )
    return ",".join(paths)


def _places(table: Mapping[str, Any], kind: str, alias: str, scope: Scope, where: str) -> tuple[Place, ...]:
    if "places" in table and "processor" in table:
        raise UsageError(f"{where} has both processor and places", "give one of them")
    version = table.get("version", "")
    if "places" not in table:
        # Only an emulator of our own has a processor that nobody named.
        text = table.get("processor") or (friendly(kind) if scope.own else "")
        if not text:
            raise UsageError(
                f"{where} has neither processor nor places", 'add processor = "ID", or run docdask init'
            )
        return (_place(text, "", version, scope, where),)
    if not table["places"]:
        raise UsageError(f"{where} places is empty", 'write places = [{location = "us", id = "ID"}]')
    found = []
    for number, row in enumerate(table["places"], 1):
        spot = f"{where} places[{number}]"
        place = checked(row, PLACE, spot)
        if not place.get("id"):
            raise UsageError(f"{spot} has no id", f"add the id of processor {alias!r} there")
        found.append(
            _place(place["id"], place.get("location", ""), place.get("version", version), scope, spot)
        )
    return tuple(found)


def _place(text: str, location: str, version: str, scope: Scope, where: str) -> Place:
    """One place from an id or a full name, which may end in a version."""
    name, mark, pinned = text.partition("/processorVersions/")
    if mark and version not in ("", pinned):
        raise UsageError(f"{where} names version {pinned} and version {version}", "give one of them")
    version = pinned or version
    if "/" in name:
        parts = name.split("/")
        place = Place(location or (parts[3] if len(parts) == 6 else ""), name, version)
        _same_project(place.project, scope, where)
        return place
    if not _ID.fullmatch(name):
        raise UsageError(
            f"{where}: {name!r} is no id of a processor", "copy it from the console: letters and digits"
        )
    said = location or str(scope.file.get("location", "")) or scope.location
    project = str(scope.file.get("project", "")) or scope.project
    if scope.own:  # it has them wherever they are wanted
        said, project = location or scope.location, scope.project
    if not said:
        raise UsageError(f"{where}: in which location is processor {name}?", LOCATION_HELP)
    if said not in LOCATIONS:
        raise UsageError(
            f"{where}: location {said!r} is none of Document AI's", f"use one of {', '.join(LOCATIONS)}"
        )
    if not project:
        raise UsageError(
            f"{where}: to which project does processor {name} belong?",
            "set project there, DOCDASK_PROJECT or GOOGLE_CLOUD_PROJECT; the console shows the id at the top",
        )
    if not _PROJECT.fullmatch(project):
        raise UsageError(f"{where}: {project!r} is no project", "give its id or number")
    _same_project(project, scope, where)
    return Place(said, f"projects/{project}/locations/{said}/processors/{name}", version)


def _same_project(there: str, scope: Scope, where: str) -> None:
    """Refuse a processor of another project: its calls would be billed elsewhere. A number says nothing about an id."""
    wanted = scope.project
    if wanted and not scope.emulated and there != wanted and not there.isdigit() and not wanted.isdigit():
        raise UsageError(
            f"{where} is in project {there}, and {wanted} was asked for",
            f"give --project {there}, or run docdask init --project {wanted} for processors of its own",
        )


def _chosen(places: tuple[Place, ...], alias: str, scope: Scope) -> tuple[Place, ...]:
    """Those of the places that are in the location that was asked for; all when none was."""
    wanted = scope.override.get("location")
    found = tuple(place for place in places if not wanted or place.location == wanted)
    if not found:
        there = ", ".join(place.location for place in places)
        raise UsageError(
            f"processor {alias!r} is not in {wanted!r} but in {there}",
            f"ask for {places[0].location}, or run docdask init --location {wanted} for a processor there",
        )
    return found


def _pinned(processor: Processor, scope: Scope) -> Processor:
    """Give the version that an emulator of our own will call, where none was named."""
    if processor.version or not scope.own:
        return processor
    version = EmulatedProcessor("0", "us", "any", processor.processor_type, "any").default_version
    return replace(processor, places=tuple(replace(place, version=version) for place in processor.places))
