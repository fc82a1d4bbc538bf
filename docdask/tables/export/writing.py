"""Decides what an export writes where, and keeps one bad document from ending it.

Rules: a file appears under its name when it is whole, and replaces the one of an earlier export; names are made safe
and carry the document's id, so that they are unique whatever the originals are called; tables are streamed by record
batches and documents one by one, so memory does not grow with the run; a document that can't be exported is told about
and passed over.
"""

from __future__ import annotations

import contextlib
import logging
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from docdask.errors import DocumentError, SourceError, StorageError, UsageError, sentence
from docdask.tables import schema

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

#: Format → its writer, ``(result, folder, tell) -> list[Path]``, imported when it is asked for.
FORMATS = {
    "csv": "docdask.tables.export.csv_files:write",
    "xlsx": "docdask.tables.export.xlsx:write",
    "duckdb": "docdask.tables.export.duckdb_file:write",
    "pdf": "docdask.tables.export.searchable_pdf:write",
    "hocr": "docdask.tables.export.hocr:write",
    "documentai": "docdask.tables.export.documentai_json:write",
}
#: Says one sentence to the user.
Tell = Callable[[str], None]
_NAME_BYTES = 120
#: What one document may raise without ending an export; the disk's own errors do end it.
_PASSED_OVER = (DocumentError, SourceError, UsageError, KeyError, RuntimeError, ValueError)


class Exportable(Protocol):
    """What an export needs of a result."""

    def frame(self, name: str, columns: list[str] | None = None) -> pd.DataFrame:
        """Table as a DataFrame."""
        ...

    def arrow(self, name: str) -> Any:
        """Table as a ``pyarrow.dataset.Dataset``."""
        ...

    def document(self, document_id: str) -> Any:
        """Stored ``Document`` message."""
        ...

    def documents_iter(self) -> Iterator[tuple[str, Any]]:
        """Pairs of document id and stored message; duplicates are not repeated."""
        ...

    def source_bytes(self, document_id: str) -> bytes:
        """Original, decrypted and repaired where that was done."""
        ...


class Stored(NamedTuple):
    """A stored document to export."""

    document_id: str
    content_id: str
    """Document whose result and bytes it shares: itself, or the one it is a duplicate of."""
    name: str
    mime_type: str
    uri: str


def export(
    result: Exportable, formats: Sequence[str], to: str | Path, *, tell: Tell = log.warning
) -> list[Path]:
    """Write a run's tables and documents in other forms.

    Parameters
    ----------
    result
        What ``docdask.open`` returns.
    formats
        Of ``csv``, ``xlsx``, ``duckdb``, ``pdf``, ``hocr``, ``documentai``.
    to
        Local folder; made if it is not there.
    tell
        Called with a sentence for each thing a user should know: documents passed over, texts cut.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    UsageError
        If a format is unknown, ``to`` is not local, or a table has more rows than the format takes.
    StorageError
        If the folder can't be written.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        raise UsageError(
            f"can't export {', '.join(unknown) or 'nothing'}", f"choose from {', '.join(FORMATS)}"
        )
    if "://" in str(to):
        raise UsageError(
            f"an export is written to a local folder, not to {to}", "export to a folder and copy it there"
        )
    folder = Path(to)
    paths: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in dict.fromkeys(formats):
            paths += resolve_name(FORMATS[name])(result, folder, tell)
    except OSError as error:
        if isinstance(error, StorageError | SourceError):
            raise
        raise StorageError(
            f"{folder} can't be written: {error.strerror or error}",
            "name another folder or make room on its disk",
        ) from error
    return paths


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a name to write to; it becomes ``path`` if the body ends well and is gone if not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def tables(result: Exportable) -> Iterator[tuple[schema.Table, Any]]:
    """Every table of the schema with its dataset; those that were not written (tokens) are left out."""
    for table in reversed(schema.STORED):
        try:
            dataset = result.arrow(table.name)
        except (KeyError, FileNotFoundError, UsageError):
            continue
        if dataset is not None and (table.name != "tokens" or dataset.count_rows()):
            yield table, dataset


def batches(dataset: Any) -> Iterator[Any]:
    """Record batches of a table, in order, with little read ahead: a page's text can be long."""
    yield from dataset.to_batches(batch_size=8192, batch_readahead=2, fragment_readahead=1)


def documents(result: Exportable) -> Iterator[Stored]:
    """Stored documents in the table's order."""
    columns = ["document_id", "uri", "name", "mime_type", "outcome", "duplicate_of"]
    frame = result.frame("documents", columns=columns)
    frame = frame[frame["outcome"] == "stored"]
    rows: Iterator[Any] = frame[columns].itertuples(index=False)
    for row in rows:
        same = row.duplicate_of if isinstance(row.duplicate_of, str) and row.duplicate_of else row.document_id
        yield Stored(row.document_id, same, str(row.name or ""), str(row.mime_type or ""), str(row.uri or ""))


def each(result: Exportable, tell: Tell, write: Callable[[Stored, Any], Path]) -> list[Path]:
    """Call ``write(document, message)`` for each stored document; tell about those that can't be done and go on."""
    waiting: dict[str, list[Stored]] = {}
    for document in documents(result):
        waiting.setdefault(document.content_id, []).append(document)
    paths: list[Path] = []

    def write_all(content_id: str, message: Any) -> None:
        for document in waiting.pop(content_id, ()):
            try:
                paths.append(write(document, message))
            except _PASSED_OVER as error:
                tell(_passed_over(document, error))

    # In the order in which they are stored; a container that can't be read ends that, and the rest goes one by one.
    with contextlib.suppress(*_PASSED_OVER):
        for content_id, message in result.documents_iter():
            write_all(content_id, message)
    for content_id, alike in list(waiting.items()):
        try:
            message = result.document(content_id)
        except _PASSED_OVER as error:
            for document in alike:
                tell(_passed_over(document, error))
        else:
            write_all(content_id, message)
    return paths


def _passed_over(document: Stored, error: Exception) -> str:
    return f"{document.name} ({document.document_id}) was not exported: {sentence(error)}"


def safe_name(document: Stored, suffix: str) -> str:
    """File name for ``document``: readable, allowed on every system, unique by the document's id."""
    stem = unicodedata.normalize("NFC", document.name)
    head, dot, tail = stem.rpartition(".")
    if dot and head and re.fullmatch(r"[A-Za-z0-9]{1,5}", tail):
        stem = head
    stem = re.sub(r"[^\w.+()-]+", "_", stem).strip("._ ") or "document"
    while len(stem.encode()) > _NAME_BYTES:
        stem = stem[:-1]
    return f"{stem}-{document.document_id}{suffix}"
