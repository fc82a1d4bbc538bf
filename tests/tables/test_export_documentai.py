"""What Document AI answered, stored, packed, taken apart and exported: Google's toolbox opens it as it opens the service's own."""

from __future__ import annotations

from pathlib import Path

import export_helpers as helpers
import pytest
from google.cloud.documentai_toolbox import document as toolbox

import docdask
from docdask.service.emulator import EmulatorConfig
from docdask.tables.export import export
from docdask.testing import running_emulator

NAMES = ("stock-tables", "form-filled")


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """Two documents with tables and pairs, in a folder to work in, with an emulator that reads them."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "in"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.pdf").write_bytes(helpers.sample(name).data)
    with running_emulator(EmulatorConfig()) as emulator:
        monkeypatch.setenv("DOCUMENTAI_EMULATOR_HOST", emulator.grpc_address)
        yield folder, emulator


def single_answer(emulator, path: Path, processor: str):
    """What the service answers to a document that is sent alone."""
    client = emulator.documentai_client()
    request = {
        "name": f"projects/emulated/locations/us/processors/{processor}",
        "raw_document": {"content": path.read_bytes(), "mime_type": "application/pdf"},
        "imageless_mode": True,
    }
    return toolbox.Document.from_documentai_document(client.process_document(request=request).document)


@pytest.mark.parametrize("processor", ["ocr", "form"])
def test_the_toolbox_reads_the_same_as_from_the_service_itself(sources, processor, tmp_path):
    folder, emulator = sources
    packed = processor == "ocr"
    result = docdask.run(
        folder,
        to="run",
        engine="documentai",
        project="emulated",
        location="us",
        processor=f"{processor}={processor}",
        options={"pack": True} if packed else {},
        cluster="none",
    )
    assert result.calls["packed"].tolist() == ([2, 2] if packed else [1, 1])
    found = set()
    for path in export(result, ["documentai"], tmp_path / "out"):
        (source,) = (p for p in folder.iterdir() if path.name.startswith(p.stem))
        opened = toolbox.Document.from_document_path(str(path))
        wanted = single_answer(emulator, source, processor)
        assert opened.text == wanted.text != ""
        for got, want in zip(opened.pages, wanted.pages, strict=True):
            assert [line.text for line in got.lines] == [line.text for line in want.lines]
            assert [t.to_dataframe().to_numpy().tolist() for t in got.tables] == [
                t.to_dataframe().to_numpy().tolist() for t in want.tables
            ]
            assert [(f.field_name, f.field_value) for f in got.form_fields] == [
                (f.field_name, f.field_value) for f in want.form_fields
            ]
        assert "<div class='ocr_page'" in opened.export_hocr_str(source.stem)
        found.update(
            kind for page in opened.pages for kind in ("tables", "form_fields") if getattr(page, kind)
        )
    assert found == (set() if packed else {"tables", "form_fields"})
