"""Writes each stored document as the JSON of Google Document AI, one whole shard a document.

Rule: what is stored is what is written; Google's toolbox and whatever else reads the service's output opens it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docdask.service.jsonform import to_json
from docdask.tables.export.writing import Exportable, Stored, Tell, each, safe_name, whole


def write(result: Exportable, folder: Path, tell: Tell) -> list[Path]:
    """Write ``documentai/<name>-<id>.json`` for each stored document."""

    def one(document: Stored, message: Any) -> Path:
        path = folder / "documentai" / safe_name(document, ".json")
        with whole(path) as part:
            part.write_text(to_json(message), encoding="utf-8")
        return path

    return each(result, tell, one)
