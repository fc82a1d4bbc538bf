"""Writes each stored document as a searchable PDF: the original's pages with an invisible text layer.

Rules: the text is placed from the stored boxes, nothing is recognised again; pages whose text came from the PDF's own
text layer are left alone; pages are shown as they lie in the original; originals that are images become PDF pages.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docdask import sandbox
from docdask.tables.export import text_layer
from docdask.tables.export.layout import frame_turn_degrees, words
from docdask.tables.export.writing import Exportable, Stored, Tell, each, safe_name, whole


def write(result: Exportable, folder: Path, tell: Tell) -> list[Path]:
    """Write ``pdf/<name>-<id>.pdf`` for each stored document."""
    facts = _PageFacts(result.arrow("pages"))

    def one(document: Stored, message: Any) -> Path:
        layers = layers_of(message, facts.of(document.content_id))
        data = sandbox.call(
            "docdask.tables.export.text_layer:add",
            result.source_bytes(document.document_id),
            document.mime_type,
            layers,
        )
        path = folder / "pdf" / safe_name(document, ".pdf")
        with whole(path) as part:
            part.write_bytes(data)
        return path

    return each(result, tell, one)


def layers_of(document: Any, facts: dict[int, tuple[str, int | None]]) -> dict[int, text_layer.PageWords]:
    """Words to lay over each page, by page number; pages with a text layer of their own are left out.

    Parameters
    ----------
    document
        ``Document`` message.
    facts
        By page number: column ``source`` and column ``orientation_degrees`` of the table ``pages``.
    """
    layers: dict[int, text_layer.PageWords] = {}
    for index, page in enumerate(document.pages, 1):
        number = page.page_number or index
        source, told = facts.get(number, ("", None))
        if source != "text-layer":
            found = [(word.text, word.quad, word.space_after) for word in words(document, page)]
            layers[number] = frame_turn_degrees(page, told), found
    return layers


class _PageFacts:
    """Source and orientation of every page of a run, 14 bytes a page.

    Looking them up in the table for each document would read it as often as there are documents.
    """

    _SOURCES = ("", "text-layer", "ocr")

    def __init__(self, dataset: Any) -> None:
        import numpy as np

        parts: list[list[Any]] = [[np.empty(0, kind)] for kind in (np.uint64, np.int32, np.int8, np.int16)]
        columns = ["document_id", "page_number", "source", "orientation_degrees"]
        for batch in dataset.to_batches(columns=columns):
            ids, numbers, sources, turns = (batch.column(name).to_pylist() for name in columns)
            parts[0].append(np.array([int(identity, 16) for identity in ids], np.uint64))
            parts[1].append(np.array(numbers, np.int32))
            parts[2].append(np.array([max(self._index(source), 0) for source in sources], np.int8))
            parts[3].append(np.array([-1 if turn is None else turn for turn in turns], np.int16))
        ids, *rest = (np.concatenate(part) for part in parts)
        order = np.argsort(ids, kind="stable")
        self._ids = ids[order]
        self._numbers, self._sources, self._turns = (part[order] for part in rest)

    def _index(self, source: str | None) -> int:
        return self._SOURCES.index(source) if source in self._SOURCES else 0

    def of(self, document_id: str) -> dict[int, tuple[str, int | None]]:
        """Page number → source, turn in degrees."""
        import numpy as np

        key = np.uint64(int(document_id, 16))
        span = slice(np.searchsorted(self._ids, key, "left"), np.searchsorted(self._ids, key, "right"))
        rows = zip(self._numbers[span], self._sources[span], self._turns[span], strict=True)
        return {int(n): (self._SOURCES[s], None if t < 0 else int(t)) for n, s, t in rows}
