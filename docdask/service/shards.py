"""One Document from the JSON shards that a batch operation wrote for a file.

Rules: shards are put in the order that they state, never in that of their names; each must be there once and be whole;
pages must follow each other and be as many as they should; fields that this version of the message does not know are
left out, as everywhere; ``shard_info`` is gone afterwards.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from docdask.core.merge import MergeError, merge
from docdask.model import PageRange
from docdask.service.errors import make
from docdask.service.message import document_class

_NUMBER = re.compile(r"(\d+)\.json$")


def join(uri: str, texts: Mapping[str, bytes], pages: int | None = None) -> bytes:
    """Join the shards of one file.

    Parameters
    ----------
    uri
        Of the file, for messages.
    texts
        Object name → JSON.
    pages
        How many pages the file has; None: not checked.

    Returns
    -------
    bytes
        The file's Document, serialised.

    Raises
    ------
    ServiceError
        Kind ``shard-broken`` if one can't be read or they don't fit together, ``shards-missing`` if one is not there.
    """
    parts = {name: _parse(uri, name, text) for name, text in texts.items()}
    ordered = _ordered(uri, parts)
    document = ordered[0] if len(ordered) == 1 else _merged(uri, ordered)
    document.ClearField("shard_info")
    found = len(document.pages)
    if pages is not None and found and found != pages:
        raise make("shard-broken", uri=uri, said=f"it has {found} pages of {pages}")
    data: bytes = document.SerializeToString()
    return data


def _parse(uri: str, name: str, text: bytes) -> Any:
    from google.protobuf import json_format

    document = document_class()()
    try:
        found = json.loads(text)
        if not isinstance(found, dict):
            raise json_format.ParseError(f"it is a {type(found).__name__}, not an object")
        json_format.ParseDict(found, document, ignore_unknown_fields=True)
    except (json_format.ParseError, ValueError, RecursionError) as error:
        why = " ".join(str(error).split())[:200]
        raise make("shard-broken", uri=uri, said=f"{name} ({len(text)} bytes): {why}") from error
    return document


def _ordered(uri: str, parts: Mapping[str, Any]) -> list[Any]:
    """Shards in their order, after checking that they are all there."""
    counts = {part.shard_info.shard_count for part in parts.values()}
    if counts == {0}:  # nothing was said of shards
        return [parts[name] for name in sorted(parts, key=_place)]
    if len(counts) != 1:
        raise make("shard-broken", uri=uri, said=f"shards speak of {sorted(counts)} shards")
    count = counts.pop()
    by_index = {part.shard_info.shard_index: part for part in parts.values()}
    missing = sorted(set(range(count)) - set(by_index))
    if missing:
        raise make("shards-missing", uri=uri, said=f"shards {missing} of {count} are missing")
    if len(by_index) != count or len(parts) != count:
        raise make("shard-broken", uri=uri, said=f"{len(parts)} objects for {count} shards")
    return [by_index[index] for index in range(count)]


def _place(name: str) -> tuple[int, str]:
    match = _NUMBER.search(name)
    return (int(match[1]) if match else 0, name)


def _merged(uri: str, ordered: list[Any]) -> Any:
    """Merge shards; their pages say where they belong, and must agree with their order."""
    ranges = None
    if not any(part.pages for part in ordered):
        # A processor that gives blocks instead of pages: their order is all there is.
        ranges = [PageRange(index + 1, index + 1) for index in range(len(ordered))]
    firsts = [part.pages[0].page_number for part in ordered if part.pages]
    if firsts != sorted(firsts):
        raise make("shard-broken", uri=uri, said=f"shards begin at pages {firsts}")
    try:
        return merge(ordered, ranges)
    except MergeError as error:
        raise make("shard-broken", uri=uri, said=str(error)) from error
