"""Settings of a running emulator, and how they are read from a command line."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

from docdask.core.limits import LOCATIONS, PROCESSOR_LIMITS
from docdask.core.server import ServerSettings, Switches, make_faults
from docdask.core.server.latency import NAMED, SECOND_NS, Latency
from docdask.errors import UsageError

_PROCESSOR = re.compile(rf"projects/[^/]+/locations/({'|'.join(LOCATIONS)})/processors/[^/:]+")


@dataclass(frozen=True, slots=True)
class EmulatorConfig:
    """Everything an emulator can be told; the defaults start one on free ports, in memory, without delays."""

    grpc_port: int = 0
    """0 for a free one."""
    http_port: int = 0
    proxy_port: int | None = None
    """Port of a CONNECT proxy that leads ``*.googleapis.com`` here; None for no proxy. Needs TLS."""
    host: str = "127.0.0.1"
    server: ServerSettings = field(default_factory=ServerSettings)
    """The model: limits, windows, latency, faults, switches."""
    seed: int = 0
    """Of the model's chance."""
    speed: float = 1.0
    """Emulated seconds in a real one."""
    ocr: str = "offline"
    """``fast``, or the name of an engine."""
    threads: int = field(default_factory=lambda: max(2, os.cpu_count() or 2))
    """Documents read at once."""
    cache_bytes: int = 256 * 2**20
    state: Path | None = None
    """Folder that keeps processors, operations, objects and books; None for memory and a temporary folder."""
    buckets: tuple[str, ...] = ()
    """Buckets that exist from the start."""
    processors: tuple[tuple[str, str, str], ...] = ()
    """Processors that exist from the start, besides the pre-made: resource name, type, version (empty: of the type)."""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    grace_s: float = 30.0
    """How long calls may take to end after SIGTERM, real seconds."""

    def with_faults(self, profile: str) -> EmulatorConfig:
        """Return the same with a fault profile."""
        return replace(self, server=replace(self.server, faults=make_faults(profile)))


def parse_pairs(pairs: Sequence[str], what: str) -> Mapping[str, int]:
    """``["online_requests.us=250"]`` as a dict.

    Raises
    ------
    UsageError
        If a pair is not ``name=number``.
    """
    found: dict[str, int] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        try:
            found[name.strip()] = int(value.strip().replace("_", ""))
        except ValueError:
            raise UsageError(
                f"{what} {pair!r} is not name=number", f"write {what} online_requests.us=250"
            ) from None
        if not equals:
            raise UsageError(f"{what} {pair!r} is not name=number", f"write {what} online_requests.us=250")
    return found


def parse_quotas(texts: Sequence[str]) -> Mapping[str, int]:
    """Quotas of a command line: ``online_requests.us=250``, or a bare number for ``online_requests``.

    Raises
    ------
    UsageError
        If one is neither.
    """
    return parse_pairs(
        [f"online_requests={text}" if text.strip().isdigit() else text for text in texts], "--quota"
    )


def parse_used(texts: Sequence[str]) -> Mapping[str, int]:
    """Units billed already, of a command line: ``OCR_PROCESSOR=1000``.

    Raises
    ------
    UsageError
        If one is no processor type, or no number from 0 on.
    """
    found = parse_pairs(texts, "--used")
    for name, units in found.items():
        if name not in PROCESSOR_LIMITS or units < 0:
            raise UsageError(
                f"--used {name}={units} says nothing",
                f"write a number for one of {', '.join(PROCESSOR_LIMITS)}",
            )
    return found


def parse_switches(texts: Sequence[str]) -> Switches:
    """Switches of a command line: ``quota_details=full``, ``retry_info=true``.

    Raises
    ------
    UsageError
        If there is no such switch, or it can't have that value.
    """
    known: dict[str, tuple[type, tuple[Any, ...]]] = {
        item.name: (type(item.default), get_args(get_type_hints(Switches)[item.name]))
        for item in fields(Switches)
    }
    found: dict[str, Any] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in known:
            raise UsageError(f"no switch {name!r}", f"switches: {', '.join(known)}")
        kind, choices = known[name]
        if kind is bool and value.lower() in ("true", "false"):
            found[name] = value.lower() == "true"
        elif kind is int and value.isdigit():
            found[name] = int(value)
        elif kind is str and (not choices or value in choices):
            found[name] = value
        else:
            allowed = ", ".join(choices) or {bool: "true, false", int: "a whole number"}.get(kind, "a text")
            raise UsageError(f"{name} can't be {value!r}", f"use {allowed}")
    return Switches(**found)


def parse_processors(texts: Sequence[str]) -> tuple[tuple[str, str, str], ...]:
    """Processors of a command line: ``projects/P/locations/L/processors/ID=TYPE``, then ``@VERSION``.

    Raises
    ------
    UsageError
        If one is none.
    """
    found = []
    for text in texts:
        name, mark, rest = text.partition("=")
        kind, _, version = rest.partition("@")
        if not mark or kind not in PROCESSOR_LIMITS or not _PROCESSOR.fullmatch(name):
            raise UsageError(
                f"--processor {text!r} is no processor",
                f"write projects/P/locations/L/processors/ID=TYPE, with one of {', '.join(PROCESSOR_LIMITS)}",
            )
        found.append((name, kind, version))
    return tuple(found)


def parse_latency(text: str) -> Latency:
    """``none``, ``google``, or seconds: ``1+0.75`` is 1 s a call and 0.75 s a page; ``~0.3`` adds a tail.

    Raises
    ------
    UsageError
        If it is none of these.
    """
    if text in NAMED:
        return NAMED[text]
    numbers, _, tail = text.partition("~")
    base, _, page = numbers.partition("+")
    try:
        base_ns, page_ns = int(float(base) * SECOND_NS), int(float(page or 0) * SECOND_NS)
        share = float(tail or 0)
    except ValueError:
        raise UsageError(
            f"latency {text!r} can't be read",
            "use none, google, or seconds: 1+0.75 (a call + a page), 1+0.75~0.3",
        ) from None
    if min(base_ns, page_ns) < 0 or not 0 <= share <= 1:
        raise UsageError(f"latency {text!r} is out of range", "seconds are 0 or more, a tail is 0-1")
    return Latency(base_ns=base_ns, page_ns=page_ns, tail=share, batch_base_ns=base_ns, batch_page_ns=page_ns)
