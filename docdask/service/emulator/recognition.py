"""Reads documents for the emulator: what they are, and what is on their pages, cached by content.

Rules: files are opened in child processes only; the same content and pages are read once, also by callers that come at
the same time; ``fast`` makes text up, anything else is a :class:`docdask.service.base.Engine` by name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from docdask import sandbox
from docdask.core.limits import OFFICE_TYPES
from docdask.core.server.checks import CORRUPT_IMAGE, CORRUPT_PDF
from docdask.core.server.status import Status, invalid
from docdask.errors import DocumentError
from docdask.model import PageRange
from docdask.service.base import Engine, Request, load
from docdask.service.emulator import documents
from docdask.service.emulator.cache import BytesCache
from docdask.service.emulator.inspecting import Inspection
from docdask.service.emulator.names import Refused

_INSPECTION_BYTES = 64


@dataclass(frozen=True, slots=True)
class Reading:
    """What ``ocr_config`` says about how pages are read."""

    pixels_only: bool = False
    """``ocr_config`` was sent without ``enable_native_pdf_parsing``: the text layer of a PDF is not used."""
    languages: tuple[str, ...] = ()
    """Language hints, two-letter codes."""


AS_IT_COMES = Reading()


class Recogniser:
    """Inspects and reads documents in a pool of threads, each with a child process.

    Parameters
    ----------
    ocr
        ``fast``, or the name of an engine.
    threads
        Documents read at once.
    cache_bytes
        Of Documents that are kept.
    """

    def __init__(self, ocr: str, threads: int, cache_bytes: int) -> None:
        self.ocr = ocr
        self._engine = None if ocr == "fast" else load(ocr)
        self._readers: dict[Reading, Engine] = {}
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="emulator-ocr")
        self._documents = BytesCache(cache_bytes)
        self._inspections = BytesCache(8 * 2**20, lambda _: _INSPECTION_BYTES)

    async def inspect(self, content: bytes, digest: str, mime_type: str) -> Inspection:
        """Pages, width, height and problem of a document; never raises for what is in it."""
        key = (digest, mime_type)
        known: Inspection | None = self._inspections.peek(key)
        if known is not None:
            return known
        found: Inspection = await self._inspections.get(
            key, lambda: self._run(self._inspect, content, mime_type)
        )
        return found

    async def document(
        self,
        content: bytes,
        digest: str,
        mime_type: str,
        selection: Sequence[int] | None,
        reading: Reading = AS_IT_COMES,
    ) -> bytes:
        """Serialised Document of the selected pages, as the engine reads them.

        Raises
        ------
        Refused
            If the engine can't read the document.
        """
        pages = None if selection is None else tuple(selection)
        key = (digest, mime_type, pages, reading)
        found: bytes = await self._documents.get(
            key, lambda: self._run(self._recognise, content, digest, mime_type, pages, reading)
        )
        return found

    async def images(
        self, content: bytes, mime_type: str, numbers: Sequence[int]
    ) -> list[tuple[bytes, int, int]]:
        """PNG, width and height of pages."""
        found: list[tuple[bytes, int, int]] = await self._run(
            sandbox.call, "docdask.service.emulator.render:render", content, mime_type, list(numbers)
        )
        return found

    async def blocks(self, content: bytes, mime_type: str) -> Any:
        """Blocks of an office document, see :func:`docdask.service.emulator.office.read_blocks`."""
        return await self._run(
            sandbox.call, "docdask.service.emulator.office:read_blocks", content, mime_type
        )

    async def run(self, function: Any, *args: Any) -> Any:
        """Run a function in the pool."""
        return await self._run(function, *args)

    async def _run(self, function: Any, *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *args)

    def _inspect(self, content: bytes, mime_type: str) -> Inspection:
        try:
            found: Inspection = sandbox.call(
                "docdask.service.emulator.inspecting:inspect", content, mime_type, decode=self.ocr != "fast"
            )
            return found
        except DocumentError:
            return 1, 0, 0, "corrupt-image" if mime_type.startswith("image/") else "corrupt-pdf"

    def _reader(self, reading: Reading) -> Engine | None:
        """Return the engine, made to read that way; only the offline engine can be told how."""
        if self._engine is None or self._engine.name != "offline" or reading == AS_IT_COMES:
            return self._engine
        engine = self._readers.get(reading)
        if engine is None:
            options = {"ocr": "always" if reading.pixels_only else "auto", "languages": reading.languages}
            engine = self._readers[reading] = load(self.ocr, options)
        return engine

    def _recognise(
        self, content: bytes, digest: str, mime_type: str, pages: tuple[int, ...] | None, reading: Reading
    ) -> bytes:
        try:
            engine = self._reader(reading)
            if engine is None or mime_type in OFFICE_TYPES:
                target = "docdask.service.emulator.fast:recognise"
                made: bytes = sandbox.call(target, content, mime_type, pages)
                return made
            ranges = [None] if pages is None else _ranges(pages)
            parts = []
            for part in ranges:
                request = Request(
                    f"{digest[:24]}{part or ''}", f"emulator:{digest[:12]}", content, mime_type, part
                )
                result = engine.recognise(request)
                if not isinstance(result, bytes):
                    result = asyncio.run(_await(result))
                parts.append(result)
            return parts[0] if len(parts) == 1 else documents.join(parts)
        except DocumentError as error:
            raise Refused(_status(error, mime_type)) from error

    async def close(self) -> None:
        """End the pool and the engine."""
        await self._documents.drain()
        await self._inspections.drain()
        await asyncio.get_running_loop().run_in_executor(None, self._pool.shutdown)
        for engine in (self._engine, *self._readers.values()):
            if engine is not None:
                engine.close()

    def clear(self) -> None:
        """Forget what was read."""
        self._documents.clear()
        self._inspections.clear()


async def _await(result: Any) -> bytes:
    value: bytes = await result
    return value


def _ranges(pages: Sequence[int]) -> list[PageRange]:
    """Runs of pages without a gap."""
    found: list[PageRange] = []
    for page in pages:
        if found and page == found[-1].last + 1:
            found[-1] = PageRange(found[-1].first, page)
        else:
            found.append(PageRange(page, page))
    return found


def _status(error: DocumentError, mime_type: str) -> Status:
    if error.code in ("timeout", "memory", "crash"):
        return Status("INTERNAL", "Internal error encountered.")
    return invalid(CORRUPT_IMAGE if mime_type.startswith("image/") else CORRUPT_PDF)
