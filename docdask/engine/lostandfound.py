"""Batch operations whose name was lost, and results whose operation the service has forgotten.

Rules: an operation is ours if it writes under our output prefix, whether the service still knows it or not, or, having
written nothing, was given our files; one that runs, began when ours may have begun and shows neither could be ours, and is
named as a *stranger*: nothing is submitted again while there is one. A result is taken from the bucket only where it is
certain whose it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from docdask.core.routes import Place
from docdask.service.documentai import DocumentAI, FileStatus, Operation
from docdask.service.errors import make
from docdask.service.staging import Staging

#: Seconds by which our clock and Google's may differ.
SKEW_S = 120.0
_SHARD = re.compile(r"(?:.*/)?(?P<index>\d+)/(?P<stem>[^/]*?)-\d+\.json$")


@dataclass(frozen=True, slots=True)
class Found:
    """What was found."""

    name: str
    """Of our operation; empty: it was not found."""
    strangers: tuple[str, ...] = ()
    """Names of running operations that could be ours."""


async def find(
    client: DocumentAI,
    staging: Staging,
    place: Place,
    output_prefix: str,
    inputs: Collection[str],
    window_s: tuple[float, float],
    others: Collection[str] = (),
) -> Found:
    """Look for an operation by what it writes and by what it was given.

    Parameters
    ----------
    client, staging
        Where to look.
    place
        Where it was submitted.
    output_prefix
        That it alone writes to.
    inputs
        URIs that it was given.
    window_s
        When it was submitted at the earliest and, if that is known (else infinity), at the latest, seconds since the epoch.
    others
        Names of operations that are known to be something else.

    Raises
    ------
    ServiceError
        If it could not be looked for.
    """
    known = {name.rpartition("/")[2] for name in others}  # projects go by their id or by their number
    for identity in await staging.operation_ids(output_prefix):
        if identity not in known:
            return Found(f"projects/{place.project}/locations/{place.location}/operations/{identity}")
    earliest_s, latest_s = window_s
    strangers = []
    for one in await client.operations(place.location, project=place.project):
        when_s = one.created_s or latest_s  # the service does not say: it may be any
        if one.name.rpartition("/")[2] in known or not earliest_s - SKEW_S <= when_s <= latest_s + SKEW_S:
            continue
        if one.done and _given(one, inputs, output_prefix):
            return Found(one.name)
        if not one.done:
            strangers.append(one.name)
    return Found("", tuple(strangers))


def _given(operation: Operation, inputs: Collection[str], output_prefix: str) -> bool:
    """Whether an operation that has ended was ours: it wrote to our prefix, or wrote nothing and had our files."""
    written = [one.output_uri for one in operation.files if one.output_uri]
    if written:
        return written[0].startswith(f"{output_prefix}/")
    return bool(operation.files) and {one.input_uri for one in operation.files} == set(inputs)


async def from_bucket(staging: Staging, name: str, output_prefix: str, inputs: Sequence[str]) -> Operation:
    """What an operation that the service does not know any more has left in the bucket.

    Its folders are numbered in the order in which the files were given, and what is in them is named after the files. Files
    that were left out when it was handed in, and are among ``inputs``, break the numbering: then a name must be one file's alone.

    Raises
    ------
    ServiceError
        Kind ``operation-lost`` if there is nothing of it.
    """
    folder = f"{output_prefix}/{name.rpartition('/')[2]}"
    written: dict[int, str] = {}
    for object_name in await staging.names(folder):
        match = _SHARD.match(object_name)
        if match:
            written[int(match["index"])] = match["stem"]
    if not written:
        raise make("operation-lost", operation=name)
    places = _places([_stem(uri) for uri in inputs], written)
    files = [
        FileStatus(uri, f"{folder}/{places[n]}", None)
        if n in places
        else FileStatus(uri, "", make("no-status", uri=uri))
        for n, uri in enumerate(inputs)
    ]
    return Operation(name, "SUCCEEDED", done=True, files=tuple(files), error=None, created_s=0.0)


def _places(stems: Sequence[str], written: Mapping[int, str]) -> dict[int, int]:
    """Which numbered folder belongs to which input: by their numbers, else by names that are there once."""
    if all(number < len(stems) and stems[number] == stem for number, stem in written.items()):
        return {number: number for number in written}
    by_stem = {stem: number for number, stem in written.items()}
    return {n: by_stem[stem] for n, stem in enumerate(stems) if stems.count(stem) == 1 and stem in by_stem}


def _stem(uri: str) -> str:
    """Name of a file without its extension, as the service names its shards."""
    return re.sub(r"\.[^.]+$", "", uri.rpartition("/")[2])
