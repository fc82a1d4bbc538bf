"""Samples: twelve kinds, true to their truth, the same for a seed and never twice the same."""

from __future__ import annotations

import hashlib
import io
import json
from decimal import Decimal
from pathlib import Path

import pikepdf
import pypdfium2 as pdfium
import pytest
from PIL import Image

from docdask import specimens as samples
from docdask.errors import StorageError, UsageError
from docdask.model import KINDS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    samples.make(folder, copies=2)
    return folder


@pytest.fixture(scope="module")
def truth(folder: Path) -> dict:
    return json.loads((folder / samples.TRUTH).read_text())["documents"]


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def test_same_seed_gives_the_same_bytes_whatever_the_number_of_copies(folder, tmp_path):
    samples.make(tmp_path)
    once, twice = digests(tmp_path), digests(folder)
    once.pop(samples.TRUTH)
    assert once.items() <= twice.items()


def test_another_seed_and_another_copy_give_other_contents(folder, tmp_path):
    samples.make(tmp_path, seed=1)
    all_digests = [*digests(folder).values(), *digests(tmp_path).values()]
    assert len(set(all_digests)) == len(all_digests) == 12 + 24 + 2


def test_twelve_documents_stay_small(folder, truth):
    first = [folder / name for name in truth if "-002" not in name]
    assert len(first) == 12
    assert sum(path.stat().st_size for path in first) < 3_000_000


def test_truth_is_hidden_from_a_scan(folder):
    shown = [path.name for path in folder.iterdir() if not path.name.startswith(".")]
    assert len(shown) == 24
    assert samples.TRUTH not in shown


def test_files_have_the_pages_and_types_that_the_truth_says(folder, truth):
    for name, facts in truth.items():
        data = (folder / name).read_bytes()
        if facts["mime_type"] == "application/pdf":
            with pikepdf.open(io.BytesIO(data)) as pdf:
                pages = len(pdf.pages)
        else:
            with Image.open(io.BytesIO(data)) as image:
                pages = getattr(image, "n_frames", 1)
                assert Image.MIME[image.format] == facts["mime_type"]
        assert pages == facts["pages"] == len(facts["texts"])
        assert facts["kind"] in KINDS


def test_text_layer_of_digital_pdfs_is_the_truth_and_scans_have_none(folder, truth):
    digital = 0
    for name, facts in truth.items():
        if facts["mime_type"] != "application/pdf":
            continue
        with pdfium.PdfDocument(folder / name) as pdf:
            found = [page.get_textpage().get_text_bounded() for page in pdf]
        if "scan" in name:
            assert not "".join(found).strip(), name
            continue
        digital += 1
        for text, expected in zip(found, facts["texts"], strict=True):
            assert sorted("".join(text.split())) == sorted("".join(expected.split())), name
    assert digital == 2 * 7


@pytest.mark.parametrize("stem", ["invoice-digital", "invoice-scanned"])
def test_amounts_of_invoices_add_up(truth, stem):
    for name, facts in truth.items():
        if not name.startswith(stem):
            continue
        fields, rows = facts["fields"], facts["tables"][0]["rows"][1:]
        amounts = [Decimal(row[3].replace(",", "")) for row in rows]
        assert all(
            int(r[1]) * Decimal(r[2].replace(",", "")) == a for r, a in zip(rows, amounts, strict=True)
        )
        cents = {key: Decimal(str(fields[key])) for key in ("net_amount", "total_tax_amount", "total_amount")}
        assert sum(amounts) == cents["net_amount"]
        assert cents["net_amount"] + cents["total_tax_amount"] == cents["total_amount"]


def test_fields_stand_in_the_text(truth):
    for name, facts in truth.items():
        text = "\n".join(facts["texts"])
        for key in ("invoice_id", "supplier_name", "receiver_name", "supplier_email", "email"):
            value = facts["fields"].get(key)
            assert value is None or value.casefold() in text.casefold(), (name, key)
        for total in (facts["fields"].get("total_amount"),):
            assert total is None or f"{total:,.2f}" in text, name
        for table in facts["tables"]:
            page = facts["texts"][table["page_number"] - 1]
            assert all(" ".join(row) in page for row in table["rows"]), name


def test_receipt_photo_is_stored_turned_as_its_exif_tag_says(folder):
    with Image.open(folder / "receipt-photo.jpg") as image:
        assert image.getexif()[0x0112] == 6
        assert image.width > image.height


def test_rotated_scans_lie_on_their_side(folder):
    with pikepdf.open(folder / "report-rotated-scan.pdf") as pdf:
        _, _, width, height = pdf.pages[0].mediabox
        assert width > height
        assert "/Rotate" not in pdf.pages[0]


def test_second_language_changes_with_the_copy(truth):
    languages = {name: facts["languages"] for name, facts in truth.items() if name.startswith("notice")}
    assert list(languages.values()) == [["en", "de"], ["en", "el"]]


def test_no_copies_are_refused(tmp_path):
    with pytest.raises(UsageError, match="--copies"):
        samples.make(tmp_path, copies=0)


def test_a_folder_that_is_a_file_is_one_sentence(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(StorageError, match="can't be written"):
        samples.make(file)
