"""Every file of the corpus gets a row with the right state, hostile ones above all."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from docdask import intake
from docdask.intake.finding import find
from docdask.intake.reading import read
from docdask.intake.scan import scan_batch
from docdask.store import catalog

pytestmark = pytest.mark.corpus

TAKEN = {"application/pdf", "image/bmp", "image/gif", "image/jpeg", "image/png", "image/tiff", "image/webp"}
#: What the manifest expects → problems that say the same.
SAYS = {
    "encrypted": {"password", "encrypted", "certificate"},
    "corrupt": {"corrupt", "damaged", "cut-short"},
    "empty": {"empty"},
    "wrong-type": {"wrong-type"},
    "oversize-image": {"oversize-image"},
    "oversize-page": {"oversize-page"},
    "no-pages": {"no-pages"},
    "deep-nesting": {"deep-nesting"},
    "active-content": {"active-content"},
    "attachment": {"attachment"},
    # A loop that a reader steps over is no problem of the document's.
    "loop": {"loop", None},
    "odd-name": {None},
    "none": {None, "owner-password", "attachment", "active-content", "unsupported-type"},
}


@pytest.fixture(scope="module")
def manifest(corpus: Path) -> dict[str, dict[str, str]]:
    with (corpus / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return {str(corpus / row["path"]): row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def rows(corpus: Path, manifest: dict[str, dict[str, str]]) -> dict[str, dict]:
    passwords = sorted({row["password"] for row in manifest.values() if row["password"]})
    return {row["uri"]: row for row in scan_batch(list(find([str(corpus)])), passwords)}


def test_every_file_has_one_row(rows, manifest):
    assert manifest.keys() <= rows.keys()


def test_rows_fit_the_schema(rows):
    assert catalog.to_table(rows.values()).num_rows == len(rows)


def test_hashes_and_sizes_are_those_of_the_manifest(rows, manifest):
    for uri, known in manifest.items():
        assert (rows[uri]["sha256"], rows[uri]["size_bytes"]) == (known["sha256"], int(known["bytes"])), uri


def test_what_a_renderer_opens_is_ready_and_what_nobody_opens_is_not(rows, manifest):
    for uri, known in manifest.items():
        readers = set(known["opened_by"].split())
        state = rows[uri]["state"]
        if rows[uri]["mime_type"] not in TAKEN:
            assert state in {"skipped", "quarantined"}, uri
        elif readers and known["pages"] != "0":
            assert state == "ready", (uri, rows[uri]["reason"])
        elif not readers:
            # Truncated pictures are the exception: half of one is worth having, and the row says so.
            assert state == "quarantined" or rows[uri]["problem"] == "cut-short", uri


def test_page_counts_are_those_of_the_manifest(rows, manifest):
    for uri, known in manifest.items():
        row = rows[uri]
        if row["state"] == "ready" and known["pages"]:
            assert row["pages"] == int(known["pages"]) == len(row["widths"]) == len(row["heights"]), uri


def test_problems_say_what_the_manifest_expects(rows, manifest):
    for uri, known in manifest.items():
        assert rows[uri]["problem"] in SAYS[known["expected_problem"]], (uri, rows[uri]["reason"])


def test_whoever_is_not_plainly_ready_is_told_why(rows):
    for uri, row in rows.items():
        assert bool(row["problem"]) == bool(row["reason"]), uri
        if row["state"] != "ready":
            assert row["remedy"], uri
        for internal in ("Traceback", " at 0x"):
            assert internal not in (row["reason"] or ""), uri


def test_text_layers_are_told_from_pictures(rows, corpus):
    for uri, row in rows.items():
        folder = Path(uri).relative_to(corpus).parts[0]
        if folder == "pdf-scanned":
            assert row["text_pages"] == 0, (uri, row["text_pages"])


def test_prepared_files_open_without_password_and_keep_their_pages(rows, manifest):
    passwords = sorted({row["password"] for row in manifest.values() if row["password"]})
    prepared = [row for row in rows.values() if row["action"]]
    assert len(prepared) >= 7
    for row in prepared:
        data = read(row["uri"])
        clean = intake.prepare(data, row["action"], passwords)
        assert intake.prepare(data, row["action"], passwords) == clean, row["uri"]
        path_free = inspect_bytes(clean)
        assert (path_free["state"], path_free["pages"]) == ("ready", row["pages"]), row["uri"]
        assert path_free["action"] is None, (row["uri"], path_free["reason"])


def inspect_bytes(data: bytes) -> dict:
    from docdask import sandbox
    from docdask.intake.limits import Limits

    return sandbox.call("docdask.intake.examine:examine", data, "clean", (), Limits())
