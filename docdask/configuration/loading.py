"""Puts a :class:`~docdask.core.routes.Configuration` together from file, environment and arguments.

Rules: what was said last and nearest wins; what can't be right is an error now, in one sentence with the remedy. Only
an emulator may be used with nothing configured: where real money is spent, project, location and processor have been
named by somebody.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docdask.configuration.keys import DOCUMENTAI, TOP, checked, from_text, value_of
from docdask.configuration.options import emulated_limits, flat_limits, split_options
from docdask.configuration.processors import (
    Scope,
    all_with_options,
    emulated_processor,
    named_processor,
    read_processor,
)
from docdask.configuration.routing import default_route, read_routes
from docdask.configuration.types import processor_type, require_type
from docdask.core.limits import LOCATIONS
from docdask.core.routes import Configuration, Processor
from docdask.errors import UsageError
from docdask.settings import FILE, named_file, nearest, read_file

#: Engines that are configured here.
ENGINES = ("documentai", "emulator")
#: Project of an emulator that nothing was said about.
EMULATED_PROJECT = "emulated"
EMULATED_LOCATION = "us"
#: Bucket for batches of an emulator of our own that nothing was said about.
EMULATED_STAGING = "gs://docdask-emulated/staging"

_BUCKET = re.compile(r"gs://[a-z0-9][a-z0-9._-]*(/[^/].*)?/*")
_INIT = "run docdask init --project PROJECT --location LOCATION, which writes docdask.toml"


def emulator_host(environment: Mapping[str, str] | None = None) -> str:
    """``host:port`` of ``DOCUMENTAI_EMULATOR_HOST``, empty when it is not set.

    It is honoured as Google's clients honour ``PUBSUB_EMULATOR_HOST``: plaintext gRPC, no credentials.

    Raises
    ------
    UsageError
        If it is no ``host:port``.
    """
    value = (os.environ if environment is None else environment).get("DOCUMENTAI_EMULATOR_HOST", "").strip()
    host, mark, port = value.rpartition(":")
    if value and not (mark and host and "/" not in host and port.isdigit() and 0 < int(port) < 65536):
        raise UsageError(
            f"DOCUMENTAI_EMULATOR_HOST={value!r} is no address",
            "set it to host:port of the emulator's gRPC side, as in 127.0.0.1:41215, or unset it",
        )
    return value


def load_configuration(
    engine: str,
    *,
    path: Path | str | None = None,
    environment: Mapping[str, str] | None = None,
    project: str | None = None,
    location: str | None = None,
    processor: str | None = None,
    staging: str | None = None,
    quota_share: float | None = None,
    residency: Sequence[str] | None = None,
    free_pages: int | None = None,
    escalate_below: float | None = None,
    options: Mapping[str, Any] | None = None,
) -> Configuration:
    """Read what is configured for Document AI.

    Parameters
    ----------
    engine
        ``documentai``, or ``emulator`` for one that docdask starts itself.
    path
        Another file than ``docdask.toml`` in the working directory, or than ``DOCDASK_FILE`` names; it must be there.
    environment
        Environment variables; None for those of this process.
    project, location, staging, quota_share, residency, free_pages, escalate_below
        As in the file; None means not given.
    processor
        Where everything goes, the file's routes left aside: an alias of the file, a type (``invoice``), or
        ``TYPE=ID`` or ``TYPE=projects/P/locations/L/processors/ID`` for one that is in no file.
    options
        Of the engine, by name: ``pack``, ``imageless``, ``field_mask``, ``version`` and ``ocr_config`` … of the processor
        that is used; with ``emulator`` those of ``docdask emulator`` as well.

    Returns
    -------
    Configuration
        ``emulated`` says whether calls go to an emulator: the engine is ``emulator``, or ``DOCUMENTAI_EMULATOR_HOST`` is set.

    Raises
    ------
    UsageError
        If something is missing or can't be right.
    """
    if engine not in ENGINES:
        raise UsageError(f"engine {engine!r} has no processors", f"use one of {', '.join(ENGINES)}")
    variables = os.environ if environment is None else environment
    arguments = {
        "project": project, "location": location, "processor": processor, "staging": staging, "quota_share": quota_share,
        "residency": residency, "free_pages": free_pages, "escalate_below": escalate_below,
    }  # fmt: skip
    place = Path(path) if path else named_file(variables)
    given = _gather(read_file(place), str(place or FILE), variables, arguments)
    own = engine == "emulator"
    given.emulated, given.own = own or bool(emulator_host(variables)), own
    given.processor_options, given.emulator_options = split_options(options)
    if given.emulator_options and not own:
        name = next(iter(given.emulator_options))
        raise UsageError(f"{name} is an option of the emulator", "use --engine emulator, or leave it away")
    if given.values.get("emulated") and not given.emulated:
        raise UsageError(
            f"{given.where} was written from an emulator, and Google would be called",
            "set DOCUMENTAI_EMULATOR_HOST, use --engine emulator, or write another with docdask init",
        )
    made = _configuration(given)
    if made.staging and not own:
        _check_storage(made, variables.get("STORAGE_EMULATOR_HOST", ""))
    return made


def _check_storage(made: Configuration, storage_host: str) -> None:
    """Refuse a real bucket beside an emulator of Document AI, and the other way round: documents would leave, or be missed."""
    if made.emulated and not storage_host:
        raise UsageError(
            f"Document AI is emulated, and {made.staging} would be a real bucket",
            'set STORAGE_EMULATOR_HOST as well: eval "$(docdask emulator env)"; or give no staging',
        )
    if storage_host and not made.emulated:
        raise UsageError(
            f"STORAGE_EMULATOR_HOST={storage_host} is set, and Document AI is Google's, which can't read {made.staging} there",
            "unset it, or set DOCUMENTAI_EMULATOR_HOST as well",
        )


@dataclass(slots=True)
class _Given:
    """What was said, before it is put together."""

    where: str
    values: dict[str, Any]
    """Scalars of [documentai] and the top, file first, then environment and arguments."""
    override: dict[str, Any]
    """Those of them that environment or arguments set."""
    file: dict[str, Any]
    """Those of the file."""
    processors: Mapping[str, Any]
    routes: Any
    emulated: bool = False
    own: bool = False
    """The emulator is our own: it is what we say it is."""
    processor_options: dict[str, Any] = field(default_factory=dict)
    emulator_options: dict[str, Any] = field(default_factory=dict)


def _gather(
    file: Mapping[str, Any], where: str, environment: Mapping[str, str], arguments: Mapping[str, Any]
) -> _Given:
    table = checked(file.get("documentai", {}), DOCUMENTAI, f"{where}: [documentai]")
    top = checked({name: file[name] for name in ("escalate_below",) if name in file}, TOP, f"{where}:")
    said = {**table, **top}
    processors = said.pop("processors", {})
    override: dict[str, Any] = {}
    for key in (*DOCUMENTAI, *TOP):
        if key.variable and environment.get(key.variable):
            text = environment[key.variable]
            override[key.name] = value_of(key, from_text(key, text), key.variable)
        if arguments.get(key.name) is not None:
            override[key.name] = value_of(key, arguments[key.name], f"--{key.name.replace('_', '-')}")
    values = {**said, **override}
    if not values.get("project") and environment.get("GOOGLE_CLOUD_PROJECT"):
        values["project"] = environment["GOOGLE_CLOUD_PROJECT"]
    return _Given(where, values, override, said, processors, file.get("routes", []))


def _configuration(given: _Given) -> Configuration:
    values = given.values
    bare = given.emulated and not given.processors and "=" not in str(values.get("processor", ""))
    fallback = (EMULATED_PROJECT, EMULATED_LOCATION) if given.emulated else ("", "")
    scope = Scope(
        given.where, values.get("project") or fallback[0], values.get("location") or fallback[1], given.file, given.override,
        emulated=given.emulated, own=given.own,
    )  # fmt: skip
    processors = {alias: read_processor(alias, row, scope) for alias, row in given.processors.items()}
    default, everything = _default(processors, given, scope)
    rows = [] if everything else given.routes
    if given.emulated:
        _imply(processors, rows, scope)
    processors = all_with_options(processors, default, given.processor_options, scope)
    escalate_below = values.get("escalate_below", 0.0)
    routes = read_routes(rows, processors, default_route(default, escalate_below), given.where)
    limits = flat_limits(values.get("limits", {}), f"{given.where}: [documentai.limits]")
    limits |= emulated_limits(given.emulator_options.get("quota", ()))
    places = [place for processor in processors.values() for place in processor.places]
    made = Configuration(
        project=values.get("project") or places[0].project,
        location=values.get("location") or places[0].location,
        processors=processors,
        routes=routes,
        staging=_staging(values.get("staging", EMULATED_STAGING if bare and given.own else "")),
        limits=limits,
        assumed=values.get("assumed", not (limits or given.own)),
        quota_share=values.get("quota_share", 1.0 if given.emulated else 0.9),
        used_pages=_used_pages(values.get("used_pages", {}), processors, given.where),
        free_pages=values.get("free_pages"),
        prices=_prices(values.get("prices", {}), processors, given.where),
        residency=tuple(values.get("residency", ())),
        period_s=_period_s(given),
        emulated=given.emulated,
    )
    _check_residency(made)
    return made


def _default(processors: dict[str, Processor], given: _Given, scope: Scope) -> tuple[str, bool]:
    """Alias of the default processor, and whether everything goes there; a processor that was only named is added."""
    asked = str(given.values.get("processor", ""))
    everything = "processor" in given.override
    if asked:
        made = named_processor(asked, processors, scope)
        if made.alias not in processors:
            processors[made.alias] = made
        return made.alias, everything
    if processors:
        return next(iter(processors)), False
    if given.emulated:
        processors["ocr"] = emulated_processor("ocr", "OCR_PROCESSOR", scope)
        return "ocr", False
    raise UsageError(
        "no Document AI processor is configured", f"{_INIT}; or use --engine emulator, which needs nothing"
    )


def _imply(processors: dict[str, Processor], rows: Any, scope: Scope) -> None:
    """Add the processors that routes name by type: an emulator has one of each."""
    for row in rows if isinstance(rows, list) else ():
        alias = row.get("processor", "") if isinstance(row, Mapping) else ""
        if isinstance(alias, str) and alias and alias not in processors:
            kind = processor_type(alias)
            if kind:
                processors[alias] = emulated_processor(alias, kind, scope)


def _staging(url: str) -> str:
    if url and not _BUCKET.fullmatch(url):
        raise UsageError(
            f"staging = {url!r} is no bucket",
            'write staging = "gs://bucket/prefix": batches go by Cloud Storage alone',
        )
    return url.rstrip("/")


def _used_pages(table: Mapping[str, Any], processors: Mapping[str, Processor], where: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for kind, pages, place in _by_type(table, processors, f"{where}: [documentai] used_pages"):
        if isinstance(pages, bool) or not isinstance(pages, int) or pages < 0:
            raise UsageError(f"{place} = {pages!r} is no number of pages", "give a whole number from 0 on")
        found[kind] = found.get(kind, 0) + pages
    return found


def _prices(table: Mapping[str, Any], processors: Mapping[str, Processor], where: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for kind, usd, place in _by_type(table, processors, f"{where}: [documentai.prices]"):
        if isinstance(usd, bool) or not isinstance(usd, int | float):
            raise UsageError(f"{place} = {usd!r} is no price", "give US dollars as a number")
        found[kind] = float(usd)
    return found


def _by_type(
    table: Mapping[str, Any], processors: Mapping[str, Processor], where: str
) -> Iterator[tuple[str, Any, str]]:
    """Processor type, value and place of each row; a type may be named by the alias of a processor."""
    for name, value in table.items():
        place = f"{where} {name}"
        yield (
            processors[name].processor_type if name in processors else require_type(name, place),
            value,
            place,
        )


def _period_s(given: _Given) -> float:
    """Seconds that a minute takes."""
    speed = given.emulator_options.get("speed", 1.0)
    try:
        ours = 60.0 / float(speed)
    except (TypeError, ValueError, ZeroDivisionError):
        ours = 0.0
    if not ours > 0:
        raise UsageError(f"option speed={speed!r} is no speed", "give a number above 0")
    period_s = given.values.get("period_s", 60.0) if "speed" not in given.emulator_options else ours
    if not 0 < period_s <= 60:
        raise UsageError(
            f"period_s = {period_s:g} is no minute", "give 60, or less for an emulator that runs faster"
        )
    if period_s != 60 and not given.emulated:
        raise UsageError(
            f"period_s = {period_s:g} would break Google's quotas",
            "leave it away: only an emulator's minute is shorter",
        )
    return float(period_s)


def _check_residency(made: Configuration) -> None:
    for location in made.residency:
        if location not in LOCATIONS:
            near = nearest(location, LOCATIONS)
            raise UsageError(
                f"residency names {location!r}, where Document AI is not",
                (f"did you mean {near}? " if near else "") + f"use {', '.join(LOCATIONS)}",
            )
    for processor in made.processors.values():
        for place in processor.places:
            if made.residency and place.location not in made.residency:
                raise UsageError(
                    f"processor {processor.alias!r} is in {place.location}, outside residency {', '.join(made.residency)}",
                    "take that place away, or add its location to residency",
                )
