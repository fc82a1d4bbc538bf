"""What goes into the file: keys by table, from what the project has.

Rules: what the file says already stays, but for versions that it does not pin and quotas that were read anew; limits are
those of this location and these processors alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from docdask.configuration import friendly
from docdask.configuration.options import flat_limits
from docdask.core.limits import DEFAULT_BOOK, region_kind
from docdask.initialising.choosing import Chosen
from docdask.service.quotas import Quotas


@dataclass(frozen=True, slots=True)
class Looked:
    """What was said and found."""

    project: str
    location: str
    staging: str
    chosen: Sequence[Chosen]
    quotas: Quotas
    emulated: bool


def changes(table: Mapping[str, Any], looked: Looked) -> dict[tuple[str, ...], dict[str, Any]]:
    """Keys to set, by table.

    Parameters
    ----------
    table
        Table ``documentai`` of the file as it is.
    looked
        What was found.
    """
    own: dict[str, Any] = {
        "project": table.get("project", looked.project),
        "location": table.get("location", looked.location),
    }
    if looked.emulated:
        own["emulated"] = True
    if looked.staging:
        own["staging"] = looked.staging
    if "processor" not in table and not table.get("processors"):
        own["processor"] = looked.chosen[0].alias
    if looked.quotas.speed != 1.0:
        own["period_s"] = 60.0 / looked.quotas.speed
    made: dict[tuple[str, ...], dict[str, Any]] = {("documentai",): own}
    for one in looked.chosen:
        made["documentai", "processors", one.alias] = _row(one, table, looked)
    old = table.get("limits", {})
    if looked.quotas.assumed and old:  # somebody knew better
        return made
    own["assumed"] = looked.quotas.assumed
    nested = {name: None for name, item in old.items() if isinstance(item, Mapping)}
    limits = _limits(looked)
    if nested:
        limits = {**flat_limits(old, "limits"), **limits}
    if limits:
        made["documentai", "limits"] = {**nested, **limits}
    return made


def _row(one: Chosen, table: Mapping[str, Any], looked: Looked) -> dict[str, Any]:
    """Table of one processor: what is not there yet, and its version."""
    there = table.get("processors", {}).get(one.alias)
    if there is not None:
        # A version may also stand in the processor's name, or in its places.
        named = "/processorVersions/" in str(there.get("processor", "")) or "places" in there
        return {} if named else {"version": one.version}
    project, location = looked.project, looked.location
    home = (table.get("project", project), table.get("location", location)) == (project, location)
    name = one.found.id if home else f"projects/{project}/locations/{location}/processors/{one.found.id}"
    row = {"processor": name, "version": one.version}
    return (
        row if one.alias == friendly(one.found.processor_type) else {"type": one.found.processor_type, **row}
    )


def _limits(looked: Looked) -> dict[str, int]:
    """Limits that concern this location and these processors; without any knowledge the defaults, to be corrected."""
    region = region_kind(looked.location)
    if looked.quotas.assumed:
        names = ("online_requests", "batch_operations")
        return {f"{name}.{region}": DEFAULT_BOOK.quota(name, region) for name in names}
    types = {one.found.processor_type for one in looked.chosen}
    found = {}
    for key, number in looked.quotas.limits.items():
        place, _, kind = key.partition(".")[2].partition(".")
        if place in ("", "*", region) and (not kind or kind in types):
            found[key] = number
    return found
