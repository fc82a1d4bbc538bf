"""Batch operations whose name was lost, and results whose operation the service has forgotten.

Rules: an operation is ours if it writes under our output prefix, or, having written nothing, was given our files; one that
runs and shows neither could be ours, and is named as a *stranger*: nothing is submitted again while there is one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from docdask.core.routes import Place
from docdask.service.documentai import DocumentAI, FileStatus, Operation
from docdask.service.errors import ServiceError, make
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
    since_s: float,
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
    since_s
        When it was submitted at the earliest, seconds since the epoch.
    others
        Names of operations that are known to be something else.

    Raises
    ------
    ServiceError
        If it could not be looked for.
    """
    project = client.configuration.project
    for identity in await staging.operation_ids(output_prefix):
        name = f"projects/{project}/locations/{place.location}/operations/{identity}"
        if await _exists(client, name):
            return Found(name)
    known = {name.rpartition("/")[2] for name in others}  # projects go by their id or by their number
    strangers = []
    for one in await client.operations(place.location):
        if one.name.rpartition("/")[2] in known or one.created_s < since_s - SKEW_S:
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


async def _exists(client: DocumentAI, name: str) -> bool:
    try:
        await client.operation(name)
    except ServiceError as error:
        if error.kind == "operation-not-found":
            return False
        raise
    return True


async def from_bucket(staging: Staging, name: str, output_prefix: str, inputs: Sequence[str]) -> Operation:
    """What an operation that the service does not know any more has left in the bucket.

    Its folders are numbered and named after the files; files of one name stand in the order in which they were given.

    Raises
    ------
    ServiceError
        Kind ``operation-lost`` if there is nothing of it.
    """
    folder = f"{output_prefix}/{name.rpartition('/')[2]}"
    written: dict[str, list[int]] = {}
    for object_name in await staging.names(folder):
        match = _SHARD.match(object_name)
        if match and int(match["index"]) not in written.setdefault(match["stem"], []):
            written[match["stem"]].append(int(match["index"]))
    if not written:
        raise make("operation-lost", operation=name)
    left = {stem: sorted(indices) for stem, indices in written.items()}
    files = []
    for uri in inputs:
        indices = left.get(_stem(uri), [])
        if indices:
            files.append(FileStatus(uri, f"{folder}/{indices.pop(0)}", None))
        else:
            files.append(FileStatus(uri, "", make("no-status", uri=uri)))
    return Operation(name, "SUCCEEDED", done=True, files=tuple(files), error=None, created_s=0.0)


def _stem(uri: str) -> str:
    """Name of a file without its extension, as the service names its shards."""
    return re.sub(r"\.[^.]+$", "", uri.rpartition("/")[2])
