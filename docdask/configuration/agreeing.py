"""Whether what is said about Document AI of a run that is planned is what it was planned with.

Rules: only what is said is looked at, and only what the run keeps: ``docdask.toml`` may have changed since. What is said
differs if the plan would have come out another way with it; the same processor by another of its names does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docdask.configuration.keys import DOCUMENTAI, TOP, value_of
from docdask.configuration.options import split_options
from docdask.configuration.processors import Scope, all_with_options, named_processor
from docdask.core.routes import Configuration, Processor
from docdask.errors import UsageError


def differences(
    kept: Configuration,
    emulator_options: Mapping[str, Any],
    *,
    own: bool,
    options: Mapping[str, Any],
    given: Mapping[str, Any],
) -> list[str]:
    """Name what is said otherwise than a run keeps it, one phrase each: ``location: 'us' there, 'eu' here``.

    Parameters
    ----------
    kept, emulator_options
        What the run was planned with.
    own
        Whether its engine is ``emulator``.
    options, given
        What is said now: options of the engine, and arguments of :func:`docdask.configuration.load_configuration`; None
        means not said.

    Raises
    ------
    UsageError
        If what is said could be right for no run.
    """
    scope = Scope(
        "the run", kept.project, kept.location, {"project": kept.project, "location": kept.location}, {},
        emulated=kept.emulated, own=own,
    )  # fmt: skip
    known = {key.name: key for key in (*DOCUMENTAI, *TOP)}
    said = {
        name: value_of(known[name], value, f"--{name.replace('_', '-')}")
        for name, value in given.items()
        if value is not None
    }
    found = [phrase for name, value in said.items() if (phrase := _argument(name, value, kept, scope))]
    of_processors, of_emulator = split_options(options)
    found += [
        phrase for name, value in of_processors.items() if (phrase := _option(name, value, kept, scope))
    ]
    return found + [
        _phrase(name, emulator_options.get(name, "not set"), value)
        for name, value in of_emulator.items()
        if emulator_options.get(name, _ABSENT) != value
    ]


_ABSENT = object()


def _argument(name: str, value: Any, kept: Configuration, scope: Scope) -> str:
    """Phrase of a difference; empty if there is none."""
    there: Any
    match name:
        case "processor":
            return _processor(value, kept, scope)
        case "location":
            there = sorted({place.location for row in kept.processors.values() for place in row.places})
            return "" if there == [value] else _phrase(name, ", ".join(there), value)
        case "residency":
            there, value = sorted(kept.residency), sorted(value)
        case "staging":
            there, value = kept.staging, value.rstrip("/")
        case "escalate_below":
            there = kept.routes[-1].escalate_below
        case _:
            there = getattr(kept, name)
    return "" if there == value else _phrase(name, there, value)


def _processor(text: str, kept: Configuration, scope: Scope) -> str:
    """``--processor`` sends everything to one: it was that if there is one route, which leads there."""
    there = kept.routes[0].processor if len(kept.routes) == 1 else f"{len(kept.routes)} routes"
    try:
        named = named_processor(text, kept.processors, scope)
    except UsageError:  # the run knows none of that name
        return _phrase("processor", there, text)
    same = len(kept.routes) == 1 and named.alias == there and _is(kept.processors[there], named)
    return "" if same else _phrase("processor", there, text)


def _is(there: Processor, named: Processor) -> bool:
    """Whether a name means this processor; one without a version means the version that is pinned."""
    places = {place.processor for place in there.places}
    return {place.processor for place in named.places} <= places and named.version in ("", there.version)


def _option(name: str, value: Any, kept: Configuration, scope: Scope) -> str:
    default = kept.routes[-1].processor
    changed = all_with_options(kept.processors, default, {name: value}, scope)
    if all(_effect(row) == _effect(changed[alias]) for alias, row in kept.processors.items()):
        return ""
    row = kept.processors[default] if default in kept.processors else next(iter(kept.processors.values()))
    return _phrase(name, row.packs if name == "pack" else getattr(row, name), value)


def _effect(processor: Processor) -> tuple[Any, ...]:
    """What options change of a processor; ``pack`` is what comes of it, for saying the default is saying nothing."""
    return (
        processor.packs,
        processor.imageless,
        processor.field_mask,
        dict(processor.options),
        processor.version,
    )


def _phrase(name: str, there: Any, here: Any) -> str:
    return f"{name.replace('_', ' ')}: {there!r} there, {here!r} here"
