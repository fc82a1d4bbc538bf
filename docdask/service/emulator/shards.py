"""Writes a batch document's output as the service does: JSON shards under ``PREFIX/OPERATION/INDEX/``.

Rules: types whose answer is per page are cut every 10 pages (or as asked); a shard's page numbers are the document's, its
text and anchors its own; ``shardInfo`` says where it belongs (index and offset left out when 0) and is dropped by a field
mask that does not name it. Overlap repeats pages and their text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from google.protobuf import json_format

from docdask.core.server.settings import Switches
from docdask.service.emulator.documents import Document
from docdask.service.emulator.masks import compile_mask, keep

#: Types whose answer belongs to the document as a whole: one shard.
WHOLE = frozenset(
    {
        "LAYOUT_PARSER_PROCESSOR",
        "CUSTOM_CLASSIFICATION_PROCESSOR",
        "CUSTOM_SPLITTING_PROCESSOR",
        "CUSTOM_EXTRACTION_PROCESSOR",
    }
)
_DEFAULT = 10


def ranges(
    pages: tuple[int, ...] | range, processor_type: str, sharding: Any, switches: Switches
) -> list[Any]:
    """Pages of each shard.

    Parameters
    ----------
    pages
        Selected pages, 1-based.
    processor_type
        ``OCR_PROCESSOR`` …
    sharding
        ``ShardingConfig``; 0 means the default.
    switches
        The largest shard.
    """
    if processor_type in WHOLE or not len(pages):
        return [pages]
    size = min(sharding.pages_per_shard or _DEFAULT, switches.max_pages_per_shard)
    step = max(1, size - max(0, sharding.pages_overlap))
    found = []
    for start in range(0, len(pages), step):
        found.append(pages[start : start + size])
        if start + size >= len(pages):
            break
    return found


def destination(gcs_uri: str, operation: str, index: int) -> str:
    """``gs://bucket/prefix/operation/index``, without a trailing slash."""
    return f"{gcs_uri.rstrip('/')}/{operation}/{index}"


def stem(uri: str) -> str:
    """File name without its extension."""
    name = uri.rsplit("/", 1)[-1]
    return re.sub(r"\.[^.]+$", "", name) or "document"


class Offsets:
    """Text offset of each shard in the whole document, overlap counted once."""

    def __init__(self) -> None:
        self._starts: dict[int, int] = {}
        self._end = 0

    def place(self, document: Any) -> int:
        """Offset of a shard; shards come in order."""
        pages = document.pages
        start = self._starts.get(pages[0].page_number, self._end) if pages else self._end
        for page in pages:
            segments = page.layout.text_anchor.text_segments
            if segments:
                self._starts.setdefault(page.page_number, start + segments[0].start_index)
        self._end = start + len(document.text)
        return start


def encode(data: bytes, mask: tuple[str, ...], *, index: int, count: int, offset: int) -> bytes:
    """JSON of one shard."""
    document = Document.FromString(data)
    document.shard_info.shard_index, document.shard_info.shard_count = index, count
    document.shard_info.text_offset = offset
    keep(document, compile_mask(mask, Document.DESCRIPTOR))
    text: str = json_format.MessageToJson(document, indent=None, ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def names(directory: str, uri: str, count: int) -> Iterator[tuple[str, str]]:
    """Bucket and object name of each shard."""
    bucket, _, prefix = directory.removeprefix("gs://").partition("/")
    for index in range(count):
        yield bucket, f"{prefix}/{stem(uri)}-{index}.json"
