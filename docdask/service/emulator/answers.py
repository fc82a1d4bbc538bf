"""Puts an answer together: what was read, shaped for the processor type, with images or not, through the field mask.

Answers are cached by content × all that changes them, so that the second call costs a lookup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from docdask.core.limits import OFFICE_TYPES
from docdask.service.emulator.cache import BytesCache
from docdask.service.emulator.documents import Document
from docdask.service.emulator.masks import Tree, compile_mask, keep
from docdask.service.emulator.recognition import AS_IT_COMES, Reading, Recogniser
from docdask.service.emulator.shapes import shape


@dataclass(frozen=True, slots=True)
class Question:
    """All that an answer depends on."""

    content: bytes
    digest: str
    mime_type: str
    processor_type: str
    version: str
    selection: tuple[int, ...] | range | None
    options: bytes
    """Serialised ``ProcessOptions``."""
    mask: tuple[str, ...]
    imageless: bool
    uri: str = ""

    @property
    def key(self) -> tuple[Any, ...]:
        """Cache key."""
        return (
            self.digest, self.mime_type, self.processor_type, self.version, self.selection, self.options, self.mask,
            self.imageless, self.uri,
        )  # fmt: skip


class Answers:
    """Answers by question."""

    def __init__(self, recogniser: Recogniser, options_type: Any, cache_bytes: int) -> None:
        self._recogniser = recogniser
        self._options_type = options_type
        self._cache = BytesCache(cache_bytes)

    def peek(self, question: Question) -> bytes | None:
        """Serialised Document, if it is cached."""
        found: bytes | None = self._cache.peek(question.key)
        return found

    async def get(self, question: Question) -> bytes:
        """Serialised Document.

        Raises
        ------
        Refused
            If the document can't be read, or the mask names no field.
        """
        found: bytes = await self._cache.get(question.key, lambda: self._make(question))
        return found

    async def _make(self, question: Question) -> bytes:
        tree = compile_mask(question.mask, Document.DESCRIPTOR)
        recogniser = self._recogniser
        office = None
        if question.mime_type in OFFICE_TYPES:
            office = await recogniser.blocks(question.content, question.mime_type)
            data = b""
        else:
            data = await recogniser.document(
                question.content,
                question.digest,
                question.mime_type,
                question.selection,
                self._reading(question),
            )
        plain = question.processor_type == "OCR_PROCESSOR" and not (question.options or tree or question.uri)
        if plain and recogniser.ocr == "fast":
            return data
        images = None
        if self._wants_images(question, tree):
            numbers = [page.page_number for page in Document.FromString(data).pages]
            images = await recogniser.images(question.content, question.mime_type, numbers)
        options = self._options_type.FromString(question.options)
        made: bytes = await recogniser.run(_assemble, data, question, options, tree, office, images)
        return made

    def _reading(self, question: Question) -> Reading:
        """How ``ocr_config`` wants the pages read."""
        if not question.options:
            return AS_IT_COMES
        options = self._options_type.FromString(question.options)
        if not options.HasField("ocr_config"):
            return AS_IT_COMES
        config = options.ocr_config
        hints = (hint.split("-")[0].lower() for hint in config.hints.language_hints)
        languages = tuple(sorted({hint for hint in hints if len(hint) == 2 and hint.isalpha()}))
        return Reading(not config.enable_native_pdf_parsing, languages)

    def _wants_images(self, question: Question, tree: Tree) -> bool:
        if question.imageless or self._recogniser.ocr == "fast" or question.mime_type in OFFICE_TYPES:
            return False
        if question.processor_type in ("LAYOUT_PARSER_PROCESSOR", "CUSTOM_SPLITTING_PROCESSOR"):
            return False
        pages = tree.get("pages") if tree else {}
        return pages is not None and (not pages or "image" in pages)

    def clear(self) -> None:
        """Forget all answers."""
        self._cache.clear()

    async def drain(self) -> None:
        """Wait for what is being made."""
        await self._cache.drain()


def _assemble(
    data: bytes,
    question: Question,
    options: Any,
    tree: Tree,
    office: Any,
    images: Sequence[tuple[bytes, int, int]] | None,
) -> bytes:
    document = Document.FromString(data)
    document.mime_type = question.mime_type
    document.uri = question.uri
    shape(document, question.processor_type, options, office)
    for page, (png, width, height) in zip(document.pages, images or (), strict=False):
        page.image.content, page.image.mime_type = png, "image/png"
        page.image.width, page.image.height = width, height
    keep(document, tree)
    made = document.SerializeToString()
    assert isinstance(made, bytes)
    return made
