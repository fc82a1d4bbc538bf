"""Searchable PDFs of real documents look like their originals."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium
import pytest
from PIL import Image

from docdask.errors import DocumentError
from docdask.tables.export import text_layer
from docdask.tables.render import render_page

MARK = [("Docdask", ((0.3, 0.5), (0.5, 0.5), (0.5, 0.52), (0.3, 0.52)), True)]


def documents(corpus: Path, folders: set[str], prefix: str) -> list[tuple[Path, str]]:
    with (corpus / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        (corpus / row["path"], row["mime"])
        for row in rows
        if row["path"].split("/")[0] in folders
        and row["mime"].startswith(prefix)
        and row["encrypted"] != "yes"
    ]


def thumbnail(image) -> np.ndarray:
    return np.asarray(image.convert("L").resize((48, 48), Image.Resampling.BOX), np.int16)


@pytest.mark.corpus
def test_images_become_pages_that_look_like_them(corpus):
    found = documents(corpus, {"images"}, "image/")
    assert len(found) > 20
    for path, mime_type in found:
        data = path.read_bytes()
        pdf = text_layer.add(data, mime_type, {1: (0, MARK)})
        original = render_page(data, mime_type, 1)
        page = render_page(pdf, "application/pdf", 1, 150)
        assert page.width / page.height == pytest.approx(original.width / original.height, rel=0.25), (
            path.name
        )
        assert np.abs(thumbnail(page) - thumbnail(original)).mean() < 6, path.name
        with pdfium.PdfDocument(pdf) as opened:
            assert "Docdask" in opened[0].get_textpage().get_text_range(), path.name


@pytest.mark.corpus
def test_scanned_pdfs_look_as_before_and_carry_the_text(corpus):
    found = documents(corpus, {"pdf-scanned", "forms-invoices"}, "application/pdf")
    assert len(found) > 20
    for path, mime_type in found:
        data = path.read_bytes()
        pdf = text_layer.add(data, mime_type, {1: (0, MARK)})
        with pdfium.PdfDocument(data) as before, pdfium.PdfDocument(pdf) as after:
            assert len(before) == len(after)
            pictures = [
                np.asarray(d[0].render(scale=0.5).to_pil().convert("L"), np.int16) for d in (before, after)
            ]
            assert np.abs(pictures[0] - pictures[1]).max() <= 2, path.name
            assert "Docdask" in after[0].get_textpage().get_text_range(), path.name


@pytest.mark.corpus
def test_hostile_files_give_a_pdf_or_a_reason(corpus):
    from docdask import sandbox

    made = refused = 0
    for path in sorted((corpus / "hostile").iterdir()):
        data = path.read_bytes()
        mime_type = "application/pdf" if data[:1024].find(b"%PDF") >= 0 else "image/png"
        try:
            pdf = sandbox.call(
                "docdask.tables.export.text_layer:add", data, mime_type, {1: (0, MARK)}, timeout_s=20
            )
        except (DocumentError, RuntimeError):
            refused += 1
        else:
            assert pdf.startswith(b"%PDF")
            made += 1
    assert made > 3
    assert refused > 3
