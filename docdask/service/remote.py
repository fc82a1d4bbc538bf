"""Document AI as an engine among others: what planning and the books ask an engine, answered from the configuration.

Rules: it makes no calls itself, for calls need permits (:mod:`docdask.engine.paid`); its options are what of the
configuration changes results, so that a run is told from another by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docdask.core.limits import DEFAULT_BOOK
from docdask.errors import EngineError
from docdask.service.base import DocumentBytes, Engine, Request

#: Calls in flight a worker; the governor allows as many as the quota feeds, which as a rule is far less.
IN_FLIGHT = 1000


class RemoteEngine:
    """Google Document AI, or an emulator of it.

    Parameters
    ----------
    **options
        :meth:`docdask.core.routes.Configuration.results`.
    """

    name = "documentai"
    version = "1"
    """Of how docdask sends documents; that of a processor is in the units' ids."""
    in_flight = IN_FLIGHT

    def __init__(self, **options: Any) -> None:
        if "processors" not in options:
            raise EngineError(
                f"{self.name} needs processors, and options {sorted(options)} name none",
                "plan with --engine documentai or emulator, which reads docdask.toml",
            )
        self.options: Mapping[str, Any] = options

    @property
    def mime_types(self) -> frozenset[str]:
        """Types that any of the processors reads."""
        found: set[str] = set()
        for processor in self.options["processors"].values():
            found |= DEFAULT_BOOK.processor(processor["type"]).mime_types
        if self._offline:
            from docdask.service.offline import OfflineEngine

            found |= OfflineEngine.mime_types
        return frozenset(found)

    @property
    def note(self) -> str:
        """Processors and versions, in a phrase."""
        rows = self.options["processors"].items()
        return ", ".join(
            f"{alias}: {row['type']} {row['version'] or 'default version'}" for alias, row in rows
        )

    @property
    def reader(self) -> Engine:
        """The engine that reads what is not sent: for routes that stay on this machine."""
        from docdask.service.offline import OfflineEngine

        return OfflineEngine()

    def calibrate(self) -> dict[str, float]:
        """Seconds a page of the offline engine, where routes lead to it; pages that are sent cost this machine nothing."""
        if not self._offline:
            return {"ocr_page_s": 0.0, "text_page_s": 0.0}
        from docdask.service.offline import OfflineEngine

        return dict(OfflineEngine().calibrate())

    @property
    def _offline(self) -> bool:
        return any(route.get("engine") == "offline" for route in self.options["routes"])

    def recognise(self, request: Request) -> DocumentBytes:
        """Calls are made with permits, not here.

        Raises
        ------
        EngineError
            Always.
        """
        raise EngineError(
            f"{self.name} was asked for {request.uri} without a permit",
            "this is a fault of docdask; please report it",
        )

    def close(self) -> None:
        """Nothing is open."""


class EmulatedEngine(RemoteEngine):
    """An emulator that the run starts itself."""

    name = "emulator"
