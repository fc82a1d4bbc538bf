"""How well the offline engine reads: character error rate by folder against the ground truth of the corpus.

    python -m benchmarks.quality [--corpus FOLDER] [--write docs/quality.md] [--only PART-OF-PATH]

Character error rate: Levenshtein distance ÷ length of the truth, after NFKC, with white space as one space, quotes and
dashes made alike, and soft line breaks in words mended on both sides. "Words": share of the truth's words that were
found, in any order (multiset recall), so that the reading order is told apart from the reading. The truth is
what its publishers wrote down; where they say so themselves it was made by a program.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import re
import statistics
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from benchmarks._common import table
from docdask import sandbox
from docdask.errors import DocumentError
from docdask.service import message
from docdask.service.base import Request
from docdask.service.offline import OfflineEngine

#: Why a document is far off, for every one whose error is above 2 % (digital) or 5 % (picture).
EXPLAINED = json.loads((Path(__file__).parent / "quality_outliers.json").read_text("utf-8"))

_ALIKE = str.maketrans({
    "‘": "'", "’": "'", "‛": "'", "`": "'", "´": "'", "“": '"', "”": '"', "„": '"', "‟": '"', "«": '"', "»": '"',
    "–": "-", "—": "-", "‐": "-", "‑": "-", "−": "-", "\u00ad": None, "\ufeff": None, "\u200b": None, "\u0c00": None,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """One document, read and compared."""

    folder: str
    path: str
    pages: int
    source: str
    truth: int
    """Code points of the truth."""
    error: float
    words: float
    seconds: float


def normal(text: str) -> str:
    """Text as it is compared."""
    text = unicodedata.normalize("NFKC", text).translate(_ALIKE)
    text = re.sub(r"(\w)-\s*\n\s*(\w)", r"\1\2", text)
    return " ".join(text.split())


def plain(markdown: str) -> str:
    """Markdown without its marks."""
    text = re.sub(r"^#{1,6} +|^ *[-*+] +|^>\s?", "", markdown, flags=re.MULTILINE)
    text = re.sub(r"<!--.*?-->|!\[[^\]]*\]\([^)]*\)", "", text, flags=re.DOTALL)
    return re.sub(r"\*\*|__|\\", "", text)


def truth_of(file: Path, document: Path) -> str | None:
    """Text of a ground-truth file; None where it tells fields and no text."""
    if file.suffix == ".txt":
        text = file.read_text("utf-8", "replace")
        return "\n".join([text] * 4) if document.name == "cardinal.pdf" else text
    if file.suffix == ".md":
        return plain(file.read_text("utf-8"))
    if file.suffix == ".csv" and file.name.startswith("sroie"):
        rows = file.read_text("utf-8", "replace").splitlines()
        return "\n".join(row.split(",", 8)[8] for row in rows if row.count(",") >= 8)
    return None


def cells_of(file: Path) -> list[list[str]]:
    """Rows of cells of a table's ground truth."""
    if file.suffix != ".csv" or file.name.startswith(("sroie", "form_with_tables")):
        return []
    rows = csv.reader(io.StringIO(file.read_text("utf-8-sig", "replace")))
    return [[squeezed(cell) for cell in row] for row in rows]


def squeezed(text: str) -> str:
    """Cell text without white space, as lines break anywhere in cells."""
    return re.sub(r"[\s-]+", "", normal(text))


def neighbours(rows: list[list[str]]) -> Counter[tuple[str, str]]:
    """Pairs of filled cells that stand side by side: the adjacency relation of the ICDAR 2013 table competition."""
    pairs: Counter[tuple[str, str]] = Counter()
    for row in rows:
        filled = [cell for cell in row if cell]
        pairs.update(pairwise(filled))
    return pairs


def table_score(engine: OfflineEngine, document: Path, mime: str, truth: list[list[str]]) -> tuple[str, ...]:
    """Tables found, and share of the truth's neighbouring cells that are neighbours in them."""
    data = engine.recognise(Request("", str(document), document.read_bytes(), mime, None, None))
    found = message.parse(data)
    tables = [table for page in found.pages for table in page.tables]
    rows = [
        [squeezed(message.layout_text(found, cell.layout)) for cell in row.cells]
        for table in tables
        for row in [*table.header_rows, *table.body_rows]
    ]
    wanted, got = neighbours(truth), neighbours(rows)
    share = (wanted & got).total() / max(1, wanted.total())
    name = f"{document.parent.name}/{document.name}"
    return name, str(len(tables)), str(wanted.total()), f"{share:.1%}", EXPLAINED.get(name, "")


def tables_of(corpus: Path, only: str) -> Iterator[tuple[Path, str, list[list[str]]]]:
    """(document, mime type, cells) of all documents with a table to compare with."""
    with (corpus / "manifest.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for name in filter(None, row["ground_truth"].split(";")):
                cells = cells_of(corpus / name)
                if cells and only in row["path"]:
                    yield corpus / row["path"], row["mime"], cells


def google_text(file: Path) -> str | None:
    """What Document AI read, from a response beside its source."""
    if file.suffix != ".json" or file.parent.name != "documentai-json":
        return None
    return json.loads(file.read_text("utf-8")).get("text") or None


def compared(corpus: Path, only: str) -> Iterator[tuple[str, Path, str, str]]:
    """(folder, document, mime type, truth) of all documents with a text to compare with."""
    with (corpus / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if only not in row["path"] or row["kind"] in ("ground-truth", "hostile"):
            continue
        document = corpus / row["path"]
        for name in filter(None, row["ground_truth"].split(";")):
            truth = truth_of(corpus / name, document)
            if truth:
                yield row["kind"], document, row["mime"], truth
            elif text := google_text(corpus / name):
                yield "against Document AI", document, row["mime"], text


def read(engine: OfflineEngine, folder: str, document: Path, mime: str, truth: str) -> Reading | None:
    """Read one document and compare."""
    mime = "image/bmp" if mime.endswith("bmp") else mime
    began = time.perf_counter()
    try:
        data, notes = engine.recognise_with_notes(
            Request("", str(document), document.read_bytes(), mime, None, None)
        )
    except DocumentError as error:
        print(f"{document.name}: {error}")
        return None
    seconds = time.perf_counter() - began
    found = message.parse(data)
    expected, text = normal(truth), normal(found.text)
    if expected.isupper():
        text = text.upper()  # a truth that was typed in capitals only
    wanted, got = Counter(expected.split()), Counter(text.split())
    error = Levenshtein.distance(expected, text) / len(expected)
    words = sum((wanted & got).values()) / wanted.total()
    sources = "+".join(sorted(set(notes["sources"].values())))
    path = f"{document.parent.name}/{document.name}"
    return Reading(folder, path, len(found.pages), sources, len(expected), error, words, seconds)


def report(readings: list[Reading], scores: list[tuple[str, ...]]) -> str:
    """The whole page as Markdown."""
    by_folder: dict[str, list[Reading]] = {}
    for reading in readings:
        by_folder.setdefault(reading.folder, []).append(reading)
    rows = [("folder", "documents", "pages", "median error", "mean error", "median words found")]
    for folder, items in by_folder.items():
        errors = [item.error for item in items]
        rows.append((
            folder, str(len(items)), str(sum(item.pages for item in items)), f"{statistics.median(errors):.2%}",
            f"{statistics.mean(errors):.2%}", f"{statistics.median(item.words for item in items):.1%}",
        ))  # fmt: skip
    digital = [
        item.error
        for item in readings
        if item.source == "text-layer" and item.folder != "against Document AI"
    ]
    each = [("document", "pages", "source", "characters", "error", "words found", "s/page", "why")]
    each += [
        (
            item.path, str(item.pages), item.source, str(item.truth), f"{item.error:.2%}", f"{item.words:.1%}",
            f"{item.seconds / max(1, item.pages):.2f}", EXPLAINED.get(item.path, ""),
        )
        for item in sorted(readings, key=lambda item: (item.folder, item.path))
    ]  # fmt: skip
    parts = [table(rows)]
    if digital:
        parts.append(
            f"Text layers: {len(digital)} documents, median error **{statistics.median(digital):.2%}**."
        )
    parts.append(table(each))
    if scores:
        head = ("table", "tables found", "neighbours", "found", "why")
        parts.append("## Tables\n\nCells that stand side by side in the truth and in a found table.")
        parts.append(table([head, *scores]))
    return "\n\n".join(parts) + "\n"


_HEAD = """# How well the offline engine reads

Made by `python -m benchmarks.quality --write docs/quality.md`. Error is the character error rate (Levenshtein distance
÷ characters of the truth) in reading order; *words found* is in any order, so a low error with few words found can't
be, and a high error with all words found is a matter of order, not of reading. Rows *against Document AI* compare with
the text that Google's service returned for the same page: no truth, but what most users would have got. Seconds were
measured with other work on the machine.

"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = os.environ.get("DOCDASK_CORPUS", Path(__file__).parents[1] / ".." / "shared" / "corpus")
    parser.add_argument("--corpus", type=Path, default=Path(default))
    parser.add_argument("--write", type=Path)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    engine = OfflineEngine()
    readings = []
    for folder, document, mime, truth in compared(arguments.corpus.resolve(), arguments.only):
        reading = read(engine, folder, document, mime, truth)
        if reading:
            readings.append(reading)
            print(
                f"{reading.path:60} {reading.source:10} {reading.error:8.2%} {reading.words:7.1%}", flush=True
            )
    scores = [table_score(engine, *item) for item in tables_of(arguments.corpus.resolve(), arguments.only)]
    peak_mib = max((_peak_mib(pid) for pid in sandbox.children()), default=0.0)
    engine.close()
    page = report(readings, scores)
    print("\n" + page)
    if arguments.write:
        arguments.write.write_text(_HEAD + page, "utf-8")
    print(f"largest child: {peak_mib:.0f} MiB")


def _peak_mib(pid: int) -> float:
    """Largest resident size that a process had (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


if __name__ == "__main__":
    main()
