"""Engines that recognise nothing, for benchmarks and tests: what is left is docdask's own work.

``docdask.service.dummy:NothingEngine`` answers at once; ``docdask.service.dummy:LatencyEngine`` answers after as long
as a remote service would take. Rules: neither looks at the document; both return a valid Document with the pages that
were asked for (one if the request does not say), a line each; the latency of a unit depends on its id only, so that a
run can be repeated.
"""

from __future__ import annotations

import asyncio
import hashlib
from functools import cache
from typing import Any

from docdask.errors import EngineError
from docdask.service.base import DocumentBytes, Request

_MIME_TYPES = frozenset(
    {
        "application/pdf", "image/bmp", "image/gif", "image/jpeg", "image/png", "image/tiff", "image/webp", "text/plain",
    }
)  # fmt: skip
_TEXT = "Nothing was read here.\n"


@cache
def _document(first: int, last: int) -> DocumentBytes:
    """Serialise a Document with pages ``first`` to ``last``, one line each."""
    from google.cloud.documentai_v1.types import Document

    document = Document.pb()()
    document.mime_type = "application/pdf"
    document.text = _TEXT * (last - first + 1)
    for index in range(last - first + 1):
        page = document.pages.add(page_number=first + index)
        page.dimension.width, page.dimension.height, page.dimension.unit = 595.0, 842.0, "points"
        _fill(page.layout, index, (0.0, 0.0, 1.0, 1.0))
        for elements in (page.blocks, page.paragraphs, page.lines):
            _fill(elements.add().layout, index, (0.1, 0.1, 0.6, 0.12))
    return bytes(document.SerializeToString(deterministic=True))


def _fill(layout: Any, index: int, box: tuple[float, float, float, float]) -> None:
    layout.text_anchor.text_segments.add(start_index=index * len(_TEXT), end_index=(index + 1) * len(_TEXT))
    layout.confidence = 1.0
    layout.orientation = 1  # PAGE_UP
    x0, y0, x1, y1 = box
    for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1)):
        layout.bounding_poly.normalized_vertices.add(x=x, y=y)


def _answer(request: Request) -> DocumentBytes:
    return _document(request.pages.first, request.pages.last) if request.pages else _document(1, 1)


class NothingEngine:
    """Answers at once with a Document that says nothing.

    Parameters
    ----------
    name
        Reported as the engine's name; another name makes other units.
    """

    version = "1"
    in_flight = 1
    mime_types = _MIME_TYPES

    def __init__(self, name: str = "nothing") -> None:
        self.name = name

    def recognise(self, request: Request) -> DocumentBytes:
        """Answer without looking."""
        return _answer(request)

    def close(self) -> None:
        """Nothing is open."""


class LatencyEngine:
    """Answers after ``min_s`` to ``max_s`` seconds and uses no CPU meanwhile, as a remote service looks from here.

    Parameters
    ----------
    min_s, max_s
        Bounds of the latency in seconds; a unit's latency is uniform between them, decided by its id.
    in_flight
        Calls that one worker may have open.

    Raises
    ------
    EngineError
        If the bounds are negative or in the wrong order, or nothing may be in flight.
    """

    name = "latency"
    version = "1"
    mime_types = _MIME_TYPES

    def __init__(self, min_s: float = 1.0, max_s: float = 3.0, in_flight: int = 1000) -> None:
        if not 0 <= min_s <= max_s or in_flight < 1:
            raise EngineError(
                f"latency from {min_s:g} to {max_s:g} s with {in_flight} in flight can't be",
                "give 0 <= min_s <= max_s and in_flight >= 1",
            )
        self.min_s, self.max_s, self.in_flight = min_s, max_s, in_flight

    def latency_s(self, unit_id: str) -> float:
        """Seconds that the call for ``unit_id`` takes: the same in every process and run."""
        digest = hashlib.blake2b(unit_id.encode(), digest_size=8).digest()
        return self.min_s + (self.max_s - self.min_s) * int.from_bytes(digest) / 2**64

    async def recognise(self, request: Request) -> DocumentBytes:
        """Wait as long as the service would take, then answer."""
        await asyncio.sleep(self.latency_s(request.unit_id))
        return _answer(request)

    def close(self) -> None:
        """Nothing is open."""
