"""The offline engine: recognises documents on this machine, without an account and without a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from docdask import sandbox
from docdask.errors import UsageError
from docdask.service.base import DocumentBytes, Request

#: Changes whenever results change; part of every unit's id.
VERSION = "1.2"

#: What a page adds to the time limit of a call, as a share of the limit for a short document.
_PAGE_SHARE = 0.5
_TARGET = "docdask.service.offline.recognition:recognise_document"

MIME_TYPES = frozenset(
    {"application/pdf", "image/png", "image/jpeg", "image/tiff", "image/gif", "image/bmp", "image/webp"}
)


class OfflineEngine:
    """Text layer where a PDF has a good one, else OCR, with tables, form fields and entities by geometry.

    It is no match for Google's models; docs/offline-engine.md says how far it goes, with figures.

    Parameters
    ----------
    dpi
        Resolution at which PDF pages are rendered for OCR.
    min_text_quality
        0-1; text layers that score less are read by OCR.
    ocr
        ``auto``: where the text layer is missing or bad; ``always``; ``never``.
    languages
        ISO 639-1 codes to choose from when the language of a page is told; none: all 97 of the model.
    tables, forms, entities
        Whether to look for them.
    timeout_s, memory_bytes
        Limits of one call, in place of those of the run.

    Raises
    ------
    UsageError
        If a value can't be right.
    """

    name = "offline"
    version = VERSION
    note = "text layers and OCR on this machine, free; no match for Google's models"
    in_flight = 1
    mime_types = MIME_TYPES

    def __init__(
        self,
        *,
        dpi: int = 150,
        min_text_quality: float = 0.7,
        ocr: Literal["auto", "always", "never"] = "auto",
        languages: Sequence[str] = (),
        tables: bool = True,
        forms: bool = True,
        entities: bool = True,
        timeout_s: float | None = None,
        memory_bytes: int | None = None,
    ) -> None:
        if not 72 <= dpi <= 600:
            raise UsageError(f"dpi={dpi} is out of range", "72 to 600; 150 to 200 suits most scans")
        if not 0 <= min_text_quality <= 1:
            raise UsageError(
                f"min_text_quality={min_text_quality} is out of range", "give a number from 0 to 1"
            )
        if ocr not in ("auto", "always", "never"):
            raise UsageError(f"ocr={ocr!r} is unknown", "auto, always or never")
        if isinstance(languages, str):
            raise UsageError(f"languages={languages!r} is one text", 'give a list, as in ["en", "de"]')
        self.options: dict[str, Any] = {
            "dpi": dpi, "min_text_quality": min_text_quality, "ocr": ocr, "languages": list(languages),
            "tables": tables, "forms": forms, "entities": entities,
        }  # fmt: skip
        self._timeout_s = timeout_s
        self._memory_bytes = memory_bytes

    def recognise(self, request: Request) -> DocumentBytes:
        """Recognise one unit; see :meth:`recognise_with_notes`."""
        return self.recognise_with_notes(request)[0]

    def recognise_with_notes(self, request: Request) -> tuple[DocumentBytes, dict[str, Any]]:
        """Recognise one unit in a child process.

        Returns
        -------
        message
            Binary protobuf ``Document``.
        notes
            ``{"sources": {"1": "text-layer", "2": "ocr"}}``, and degrees under ``turns`` and ``skews``.

        Raises
        ------
        DocumentError
            If the document can't be read, or passes a limit.
        """
        pages = request.pages
        short_s = request.limits.get("timeout_s", sandbox.TIMEOUT_S)
        # A document that was not cut has few pages to recognise, however long it is.
        timeout_s = self._timeout_s or short_s * (1 + _PAGE_SHARE * (len(pages) if pages else 10))
        message, notes = sandbox.call(
            _TARGET,
            request.content,
            request.mime_type,
            pages.first if pages else 1,
            pages.last if pages else None,
            request.password,
            self.options,
            timeout_s=timeout_s,
            memory_bytes=self._memory_bytes or request.limits.get("memory_bytes", sandbox.MEMORY_BYTES),
        )
        return message, notes

    def calibrate(self) -> dict[str, Any]:
        """Seconds a page on this machine; see :func:`docdask.service.offline.calibrate`."""
        from docdask.service.offline.calibration import calibrate

        return calibrate()

    def close(self) -> None:
        """Nothing to let go of: children belong to the process and end with it."""
