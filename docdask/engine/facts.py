"""The facts of one unit: who recognised it, when, how long it took, and what became of it.

Rule: a unit has facts whether it could be recognised or not; without them it is not done.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from docdask.engine.job import Unit
from docdask.engine.process import worker_name
from docdask.errors import DocumentError
from docdask.model import Facts
from docdask.service import base


@dataclass(frozen=True, slots=True)
class Maker:
    """Who recognises, as the table ``calls`` names it."""

    engine: str
    """``name/version``."""
    processor: str
    version: str


def maker_of(engine: base.Engine) -> Maker:
    """Names of an engine."""
    return Maker(
        base.engine_id(engine),
        getattr(engine, "processor", engine.name),
        getattr(engine, "processor_version", engine.version),
    )


class Record:
    """Times one unit and writes its facts."""

    def __init__(self, maker: Maker, unit: Unit, queued_ns: int) -> None:
        self.maker, self.unit, self.queued_ns = maker, unit, queued_ns
        self.start()

    def start(self) -> None:
        """Begin now."""
        self._started_ns, self._clock = time.time_ns(), time.perf_counter()

    def success(self, document: bytes, request_bytes: int, attempt: int, **more: Any) -> Facts:
        """Facts of a unit that was recognised; ``more`` are fields of :class:`docdask.model.Facts`."""
        seconds = more.pop("seconds", None)
        return self._facts("OK", attempt, request_bytes, len(document), seconds, more)

    def failure(self, error: DocumentError, attempt: int, *, permanent: bool = True) -> Facts:
        """Facts of one that was not."""
        more = {"reason": error.message, "remedy": error.remedy, "permanent": permanent}
        return self._facts(error.code, attempt, self.unit.size_bytes, 0, None, more)

    def _facts(
        self,
        code: str,
        attempt: int,
        request_bytes: int,
        response_bytes: int,
        seconds: float | None,
        more: dict[str, Any],
    ) -> Facts:
        return Facts(
            unit_id=self.unit.unit_id,
            document_id=self.unit.document_id,
            first_page=self.unit.first_page,
            pages=self.unit.pages,
            engine=self.maker.engine,
            processor=self.maker.processor,
            processor_version=self.maker.version,
            worker=worker_name(),
            attempt=attempt,
            queued_at_ns=self.queued_ns,
            started_at_ns=self._started_ns,
            ended_at_ns=time.time_ns(),
            seconds=time.perf_counter() - self._clock if seconds is None else seconds,
            request_bytes=request_bytes,
            response_bytes=response_bytes,
            code=code,
            **more,
        )
