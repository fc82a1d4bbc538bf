"""Options of the engines: which belong to a processor, which to an emulator, and Google's names for the former.

Rules: a name that nobody takes is an error that names the nearest; snake_case becomes Google's JSON; an option that the
processor type would refuse with a 400 is refused here, before any money is spent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from docdask.core.limits import DEFAULT_BOOK
from docdask.errors import UsageError
from docdask.settings import nearest, refuse_unknown

#: Options of ``docdask emulator`` that an emulator of one's own takes too (it listens on free loopback ports).
EMULATOR_OPTIONS = (
    "profile", "quota", "window", "latency", "speed", "ocr", "threads", "state", "bucket", "switch", "deployment", "deny",
    "seed", "grace",
)  # fmt: skip
#: Options of a processor besides ``ProcessOptions``.
PROCESSOR_OPTIONS = ("version", "pack", "imageless", "field_mask")

#: ``ProcessOptions`` of the API: what may stand where. None: not looked into.
PROCESS_OPTIONS: Mapping[str, Any] = {
    "ocrConfig": {
        "hints": {"languageHints": None},
        "enableNativePdfParsing": None,
        "enableImageQualityScores": None,
        "advancedOcrOptions": None,
        "enableSymbol": None,
        "computeStyleInfo": None,
        "disableCharacterBoxesDetection": None,
        "premiumFeatures": {
            "enableSelectionMarkDetection": None,
            "computeStyleInfo": None,
            "enableMathOcr": None,
        },
    },
    "layoutConfig": {
        "chunkingConfig": {"chunkSize": None, "includeAncestorHeadings": None},
        "returnImages": None,
        "returnBoundingBoxes": None,
        "enableImageAnnotation": None,
        "enableTableAnnotation": None,
    },
    "schemaOverride": None,
}
#: Pages are docdask's own business: it decides what a request holds.
_PAGES = ("individualPageSelector", "fromStart", "fromEnd")


def process_options(value: Any, processor_type: str, where: str) -> dict[str, Any]:
    """``ProcessOptions`` in Google's JSON names.

    Parameters
    ----------
    value
        A table in snake_case or camelCase, or a text with JSON.
    processor_type
        ``OCR_PROCESSOR`` …
    where
        For messages.

    Raises
    ------
    UsageError
        If it has an unknown name, selects pages, or has a part that the processor type refuses.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise UsageError(
                f"{where} is no JSON: {error}", "give ProcessOptions as a JSON object"
            ) from error
    if not isinstance(value, Mapping):
        raise UsageError(f"{where} is {value!r}, no object", "give ProcessOptions as a table or JSON object")
    found = {_camel(name): item for name, item in value.items()}
    for name in _PAGES:
        if name in found:
            raise UsageError(
                f"{where} selects pages ({name})", "leave it away: docdask decides what a call holds"
            )
    made: dict[str, Any] = _named(found, PROCESS_OPTIONS, where)
    limits = DEFAULT_BOOK.processor(processor_type)
    for name, taken, takers in (
        ("ocrConfig", limits.takes_ocr_config, "ocr and form"),
        ("layoutConfig", limits.takes_layout_config, "layout"),
    ):
        if name in made and not taken:
            raise UsageError(
                f"{where}: {processor_type} takes no {name}", f"only processors of type {takers} do"
            )
    return made


def _named(value: Any, known: Any, where: str) -> Any:
    if known is None or not isinstance(value, Mapping):
        return _renamed(value)
    found = {_camel(name): item for name, item in value.items()}
    refuse_unknown(found, known, where)
    return {name: _named(item, known[name], f"{where}.{name}") for name, item in found.items()}


def _renamed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_camel(name): _renamed(item) for name, item in value.items()}
    return [_renamed(item) for item in value] if isinstance(value, list | tuple) else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def split_options(options: Mapping[str, Any] | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of a command line, as those of the processor and those of the emulator.

    A dotted name is an option within one: ``ocr_config.enable_symbol``.

    Raises
    ------
    UsageError
        If nobody takes an option.
    """
    processor: dict[str, Any] = {}
    emulator: dict[str, Any] = {}
    known = (*PROCESSOR_OPTIONS, "ocr_config", "layout_config", "schema_override", *EMULATOR_OPTIONS)
    for name, value in (options or {}).items():
        first, _, rest = name.partition(".")
        if first in EMULATOR_OPTIONS and not rest:
            emulator[first] = value
        elif first in PROCESSOR_OPTIONS and not rest:
            processor[first] = value
        elif _camel(first) in PROCESS_OPTIONS or _camel(first) in _PAGES:
            _put(processor.setdefault("options", {}), name.split("."), value)
        else:
            near = nearest(first, known)
            raise UsageError(
                f"no engine takes the option {name!r}",
                (f"did you mean {near}? " if near else "") + f"known: {', '.join(known)}",
            )
    return processor, emulator


def _put(table: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        inner = table.setdefault(_camel(part), {})
        if not isinstance(inner, dict):
            raise UsageError(
                f"option {'.'.join(path)!r} is inside {part!r}, which is {inner!r}", "give one of them"
            )
        table = inner
    table[_camel(path[-1])] = value


def flat_limits(table: Mapping[str, Any], where: str) -> dict[str, int]:
    """Overrides of :class:`docdask.core.limits.LimitBook`; TOML makes tables of dotted keys, which are undone here.

    Raises
    ------
    UsageError
        If a value is no whole number, or a key names nothing in the book.
    """
    found: dict[str, int] = {}
    for name, value in _flat(table, ""):
        if name in found:
            raise UsageError(
                f"{where} sets {name} twice, as a quoted and as a dotted key", "keep one of them"
            )
        if isinstance(value, bool) or not isinstance(value, int):
            raise UsageError(f"{where} {name} = {value!r} is not a whole number", "give a limit as a number")
        found[name] = value
    return dict(DEFAULT_BOOK.override(found).overrides)


def _flat(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def emulated_limits(quota: Any) -> dict[str, int]:
    """Overrides that the emulator's option ``quota`` means: ``600``, or ``online_requests.us=250,batch_operations=10``.

    Raises
    ------
    UsageError
        If it means none.
    """
    found: dict[str, int] = {}
    for text in as_texts(quota):
        name, mark, number = text.strip().rpartition("=")
        if not number.strip().replace("_", "").isdigit() or (mark and not name.strip()):
            raise UsageError(
                f"option quota={text!r} is no limit", "write quota=600, or quota=online_requests.us=250"
            )
        found[name.strip() or "online_requests"] = int(number.strip().replace("_", ""))
    return dict(DEFAULT_BOOK.override(found).overrides)


def as_texts(value: Any) -> list[str]:
    """Values of an option that may be given several times: a list, a table, or a text with commas."""
    if isinstance(value, Mapping):
        return [f"{name}={item}" for name, item in value.items()]
    if isinstance(value, list | tuple):
        return [str(item) for item in value]
    return [part for part in str(value).split(",") if part]
