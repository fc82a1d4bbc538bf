"""What an engine is: the small protocol that the offline engine, Document AI and yours implement.

An engine is found by its entry point in the group ``docdask.engines`` and made, in each process that uses it, by
calling it with its options. docs/extending.md has an example of 30 lines, which the tests run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from docdask.errors import EngineError
from docdask.model import PageRange

#: Serialised ``google.cloud.documentai.v1.Document`` (binary protobuf): what engines return and docdask stores.
DocumentBytes = bytes


@dataclass(frozen=True, slots=True)
class Request:
    """One unit to recognise."""

    unit_id: str
    uri: str
    """Where the document came from; for messages, not for reading."""
    content: bytes
    """The document's bytes, decrypted and repaired where that was needed and possible."""
    mime_type: str
    pages: PageRange | None
    """Pages to recognise; None for all. Numbers in the answer are those of the document, not of the range."""
    password: str | None = None
    limits: Mapping[str, Any] = field(default_factory=dict)
    """``timeout_s`` (of a short document) and ``memory_bytes``: what the user allows a call into a library. For engines
    that make such calls with :func:`docdask.sandbox.call`; missing ones are the sandbox's own."""


@runtime_checkable
class Engine(Protocol):
    """Turns pages into a Document AI ``Document``.

    An engine that computes leaves :attr:`in_flight` at 1 and implements ``recognise`` as a plain method: it is called
    in a worker's thread, one call a core. An engine that waits for something else sets ``in_flight`` to the calls that
    one worker may have open and implements ``async def recognise``: it runs as coroutines on a loop of its own.

    An engine may also have ``recognise_with_notes(request)``, which returns (or awaits) the bytes and a dict of JSON
    values that are kept as :attr:`docdask.model.Facts.notes`, such as ``{"sources": {"1": "text-layer", "2": "ocr"}}``
    for the column ``source`` of the pages; it is called instead of ``recognise`` where it is there
    (:class:`Noting`).

    Raise :class:`docdask.errors.DocumentError` when the document can't be done (it is quarantined with that reason);
    anything else counts as a failed attempt and is tried again.
    """

    name: str
    version: str
    """Changes whenever results change; part of the unit's id."""
    in_flight: int
    """Calls in flight a worker; 1 for an engine that computes."""
    mime_types: frozenset[str]
    """Types it takes; others are skipped with that reason."""

    def recognise(self, request: Request) -> DocumentBytes | Awaitable[DocumentBytes]:
        """Recognise one unit."""
        ...

    def close(self) -> None:
        """Let go of processes and connections."""
        ...


@runtime_checkable
class Noting(Protocol):
    """The optional second method of an engine: recognise, and tell something about it."""

    def recognise_with_notes(
        self, request: Request
    ) -> tuple[DocumentBytes, dict[str, Any]] | Awaitable[tuple[DocumentBytes, dict[str, Any]]]:
        """Recognise one unit; the second value is stored as the notes of the call."""
        ...


def reader(engine: Engine) -> Engine:
    """The engine that reads what is not sent to a service; as a rule the engine itself."""
    return getattr(engine, "reader", engine)


def engine_id(engine: Engine) -> str:
    """``name/version``, as units and tables name it."""
    return f"{engine.name}/{engine.version}"


def names() -> list[str]:
    """Names of the engines that are installed."""
    return sorted(point.name for point in entry_points(group="docdask.engines"))


def folder(name: str) -> str:
    """Folder on the import path where the module of the engine ``module:attribute`` is; empty for a registered one."""
    module, mark, _ = name.partition(":")
    try:
        spec = find_spec(module.partition(".")[0]) if mark else None
    except (ValueError, ImportError):  # a notebook's own ``__main__`` is in no folder
        spec = None
    places = list(spec.submodule_search_locations or ()) if spec else []
    place = places[0] if places else (spec.origin if spec else None)
    return str(Path(place).absolute().parent) if place else ""


def load(name: str, options: dict[str, Any] | None = None) -> Engine:
    """Make the engine that is registered as ``name``.

    ``module:attribute`` is taken as well, so that an engine can be tried before it is packaged.

    Raises
    ------
    EngineError
        If there is no such engine, it can't be imported, or it does not take these options.
    """
    try:
        if ":" in name:
            from pkgutil import resolve_name

            factory = resolve_name(name)
        else:
            points = [point for point in entry_points(group="docdask.engines") if point.name == name]
            if not points:
                raise EngineError(
                    f"no engine named {name!r}",
                    f"installed: {', '.join(names()) or 'none'}; engines register under 'docdask.engines'",
                )
            factory = points[0].load()
        engine = factory(**(options or {}))
    except EngineError:
        raise
    except Exception as error:
        raise EngineError(
            f"engine {name!r} can't be made with {options or {}}: {error}",
            "check its installation and options",
        ) from error
    if not isinstance(engine, Engine):
        raise EngineError(
            f"engine {name!r} lacks part of docdask.service.base.Engine", "see docs/extending.md"
        )
    return engine
