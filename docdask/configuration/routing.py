"""Reads routes, and ends them with one that takes everything.

Rules: the first route that matches a document wins; a route that no document can reach is an error, as it would silently
send documents, and money, elsewhere than its author meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from docdask.configuration.keys import ROUTE, checked
from docdask.core.routes import LANES, Processor, Route
from docdask.errors import UsageError
from docdask.model import KINDS
from docdask.settings import nearest

#: Fields of a route that say what it takes.
_TAKES = ("kind", "path", "type", "min_pages", "max_pages", "text_layer")


def default_route(processor: str, escalate_below: float) -> Route:
    """Route of what no other takes."""
    if escalate_below:
        return Route("default", engine="offline", processor=processor, escalate_below=escalate_below)
    return Route("default", processor=processor)


def read_routes(rows: Any, processors: Mapping[str, Processor], last: Route, where: str) -> tuple[Route, ...]:
    """Routes of the tables ``[[routes]]``, the last of which takes everything.

    Raises
    ------
    UsageError
        If one can't be right, or is never reached.
    """
    if not isinstance(rows, list):
        raise UsageError(f"{where} has routes = {rows!r}", "write each as a table: [[routes]]")
    found: list[Route] = []
    for number, row in enumerate(rows, 1):
        route = _route(row, number, processors, last, f"{where}: [[routes]] {number}")
        if any(known.name == route.name for known in found):
            raise UsageError(f"{where}: two routes are called {route.name!r}", "give each a name of its own")
        if found and takes_everything(found[-1]):
            raise UsageError(
                f"{where}: route {route.name!r} is never reached",
                f"put it before {found[-1].name!r}, which takes everything",
            )
        found.append(route)
    if not found or not takes_everything(found[-1]):
        name = last.name if all(route.name != last.name for route in found) else "everything-else"
        found.append(replace(last, name=name))
    elif last.escalate_below:
        raise UsageError(
            f"{where}: escalate_below = {last.escalate_below:g} is never used",
            f"say it in route {found[-1].name!r}, which takes everything",
        )
    return tuple(found)


def takes_everything(route: Route) -> bool:
    """Whether a route takes every document."""
    plain = Route("plain")
    return all(getattr(route, name) == getattr(plain, name) for name in _TAKES)


def _route(row: Any, number: int, processors: Mapping[str, Processor], last: Route, where: str) -> Route:
    table = {"name": f"route-{number}", **checked(row, ROUTE, where)}
    _one_of(table, "engine", ("documentai", "offline"), where)
    _one_of(table, "lane", LANES, where)
    _one_of(table, "kind", KINDS, where)
    offline = table.get("engine") == "offline"
    if (
        offline
        and table.setdefault("lane", "auto") not in ("auto", "offline")
        and not table.get("escalate_below")
    ):
        raise UsageError(
            f"{where}: lane {table['lane']!r} is of Document AI, and the engine is offline", "leave it away"
        )
    if not offline and table.get("lane") == "offline":
        raise UsageError(f"{where}: lane offline is of the offline engine", 'write engine = "offline"')
    if not offline and table.get("escalate_below"):
        raise UsageError(
            f"{where}: escalate_below says when the offline engine is not enough", 'add engine = "offline"'
        )
    if not offline or table.get("escalate_below"):
        table.setdefault("processor", last.processor)
        _one_of(table, "processor", tuple(processors), where)
    if table.get("max_pages", 0) and table["max_pages"] < table.get("min_pages", 0):
        raise UsageError(f"{where}: max_pages is below min_pages, so that it takes nothing", "exchange them")
    return Route(**table)


def _one_of(table: Mapping[str, Any], name: str, known: tuple[str, ...], where: str) -> None:
    value = table.get(name)
    if value in (None, "") or value in known:
        return
    near = nearest(str(value), known)
    raise UsageError(
        f"{where}: {name} = {value!r} is not known",
        (f"did you mean {near}? " if near else "")
        + f"use {', '.join(known) or 'a processor that is configured'}",
    )
