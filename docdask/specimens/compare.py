"""Holds the tables of a run against the truth of the samples: one row a document.

Rules: a document that the run did not store counts as read wrong from its first character to its last; pages are
matched by their numbers; nothing is said about documents that the truth does not know.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docdask.errors import SourceError
from docdask.specimens import scoring
from docdask.specimens.make import TRUTH

if TYPE_CHECKING:
    import pandas as pd

#: Tables that are looked at.
FRAMES = ("documents", "pages", "entities", "form_fields", "table_cells")
_Rows = dict[str, list[dict[str, Any]]]


def compare(
    folder: str | Path, frames: Mapping[str, pd.DataFrame] | Callable[[str], pd.DataFrame]
) -> pd.DataFrame:
    """Tell how good a run over sample documents was.

    Parameters
    ----------
    folder
        Where :func:`docdask.specimens.make` wrote the documents and their truth.
    frames
        The tables of the run by name, or a function that returns them (``result.frame``): ``documents``, ``pages``,
        ``entities``, ``form_fields`` and ``table_cells``. A table that is not in the mapping counts as empty.

    Returns
    -------
    DataFrame
        One row a document of the truth: ``name``, ``document_id``, ``outcome`` (``missing`` if the run has no row for
        it), ``kind`` and ``kind_found``, ``pages`` and ``pages_found``; ``characters``, ``edits`` and
        ``character_error_rate`` (edits ÷ characters of the truth, page by page, reading order included);
        ``word_recall`` (0-1, whatever the order); ``fields`` = ``fields_right`` + ``fields_wrong`` +
        ``fields_missing``; ``form_fields`` and ``form_fields_right``; ``cells`` and ``cells_right``; ``differences``
        (text: each field that is wrong or missing).

    Raises
    ------
    SourceError
        If there is no truth in ``folder``, or it can't be read.
    """
    import pandas as pd

    folder = Path(folder)
    truth = _truth(folder)
    look_up = frames if callable(frames) else lambda name: frames.get(name, pd.DataFrame())
    tables = {name: _records(look_up(name)) for name in FRAMES}
    rows = {name: _by_document(records) for name, records in tables.items() if name != "documents"}
    found = _match(folder, list(truth), tables["documents"])
    return pd.DataFrame([_row(name, facts, found.get(name, {}), rows) for name, facts in truth.items()])


def _truth(folder: Path) -> dict[str, dict[str, Any]]:
    try:
        documents = json.loads((folder / TRUTH).read_text(encoding="utf-8"))["documents"]
        return dict(documents)
    except OSError as error:
        raise SourceError(
            f"no truth about samples in {folder}", "make them with `docdask samples FOLDER`"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(
            f"{folder / TRUTH} is not readable as truth about samples ({error})",
            "make the samples again with `docdask samples FOLDER`",
        ) from error


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as dictionaries, with None for every kind of null."""
    frame = frame.astype(object)
    records = frame.where(frame.notna(), None).to_dict("records")
    return [{str(key): value for key, value in record.items()} for record in records]


def _by_document(records: list[dict[str, Any]]) -> _Rows:
    rows: _Rows = {}
    for record in records:
        rows.setdefault(record["document_id"], []).append(record)
    return rows


def _match(folder: Path, names: list[str], documents: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """File name → row of ``documents``: by full path, else by a name that occurs only once (the folder was moved)."""
    by_path = {str(row["uri"]).removeprefix("file://"): row for row in documents}
    by_name: dict[str, list[dict[str, Any]]] = {}
    for row in documents:
        by_name.setdefault(str(row["name"]), []).append(row)
    root = folder.resolve()
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        alike = by_name.get(name, [])
        if (path := str(root / name)) in by_path:
            found[name] = by_path[path]
        elif len(alike) == 1:
            found[name] = alike[0]
    return found


def _row(
    name: str, facts: dict[str, Any], document: dict[str, Any], rows: Mapping[str, _Rows]
) -> dict[str, Any]:
    identity = document.get("duplicate_of") or document.get("document_id")
    mine = {table: found.get(identity, []) if identity else [] for table, found in rows.items()}
    return {
        "name": name,
        "document_id": document.get("document_id"),
        "outcome": document.get("outcome") or "missing",
        "kind": facts["kind"],
        "kind_found": document.get("kind"),
        "pages": facts["pages"],
        "pages_found": len(mine["pages"]),
        **_text_score(facts["texts"], mine["pages"]),
        **_structure_score(facts, mine),
        **_field_score(facts["fields"], mine["entities"]),
    }


def _text_score(texts: list[str], pages: list[dict[str, Any]]) -> dict[str, Any]:
    found = {int(row["page_number"]): scoring.normal(row["text"] or "") for row in pages}
    characters = edits = words = right = 0
    for number, text in enumerate(texts, 1):
        true = scoring.normal(text)
        page = found.pop(number, "")
        characters += len(true)
        edits += scoring.edits(page, true)
        hits, wanted = scoring.words_found(page, true)
        right, words = right + hits, words + wanted
    edits += sum(map(len, found.values()))  # pages that do not exist
    return {
        "characters": characters,
        "edits": edits,
        "character_error_rate": edits / max(characters, 1),
        "word_recall": right / max(words, 1),
    }


def _field_score(fields: dict[str, Any], entities: list[dict[str, Any]]) -> dict[str, Any]:
    counts = {"right": 0, "wrong": 0, "missing": 0}
    differences = []
    for key, true in fields.items():
        verdict, found = scoring.field_verdict(key, true, entities)
        counts[verdict] += 1
        if verdict != "right":
            differences.append(
                f"{key}: {found!r} instead of {true!r}" if found else f"{key}: {true!r} not found"
            )
    return {
        "fields": len(fields),
        **{f"fields_{verdict}": count for verdict, count in counts.items()},
        "differences": "; ".join(differences),
    }


def _structure_score(facts: dict[str, Any], mine: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    right = 0
    for table in facts["tables"]:
        on_page = [row for row in mine["table_cells"] if row["page_number"] == table["page_number"]]
        right += scoring.cells_right(table["rows"], on_page)
    return {
        "form_fields": len(facts["form_fields"]),
        "form_fields_right": len(scoring.form_fields_right(facts["form_fields"], mine["form_fields"])),
        "cells": sum(len(row) for table in facts["tables"] for row in table["rows"]),
        "cells_right": right,
    }
