"""The notebooks run from top to bottom, as a user runs them, and are kept without outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import docdask
from docdask.settings import Settings

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
NAMES = ("01_quickstart", "02_explore_results", "03_quota_and_capacity", "04_document_ai")


def read(name: str) -> Any:
    import nbformat

    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    return notebook


@pytest.fixture
def execute(machine: Settings, monkeypatch: pytest.MonkeyPatch):
    """Run a notebook in a folder, with a cluster of its own; returns it with its outputs."""
    client = pytest.importorskip("nbclient", reason="pip install docdask[notebook]")
    for name in ("state", "idle_s", "dashboard_port"):
        monkeypatch.setenv(f"DOCDASK_{name.upper()}", str(getattr(machine, name)))

    def run(name: str, folder: Path) -> Any:
        notebook = read(name)
        return client.NotebookClient(
            notebook, timeout=240, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
        ).execute()

    return run


def outputs(notebook: Any, kind: str) -> list[str]:
    """Everything of one MIME type that the notebook shows."""
    return [
        output["data"][kind]
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if kind in output.get("data", {})
    ]


def complaints(notebook: Any) -> str:
    return "".join(
        output.text
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stderr"
    )


def test_every_notebook_is_tested() -> None:
    assert sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_notebooks_are_kept_without_outputs(name: str) -> None:
    notebook = read(name)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert all(cell.execution_count is None and not cell.outputs for cell in code)
    assert all("execution" not in cell.metadata for cell in code)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


def test_links_in_notebooks_lead_somewhere() -> None:
    import re

    for name in NAMES:
        for cell in read(name).cells:
            if cell.cell_type == "markdown":
                for target in re.findall(r"\]\((?!https?:)([^)#]+)", cell.source):
                    assert (NOTEBOOKS / target).exists(), f"{name}: {target}"


def test_exploring_works_on_any_run(execute, tmp_path: Path) -> None:
    """Of the samples those with a text layer, so that this is quick; the slow test below has all of them."""
    files = docdask.samples(tmp_path / "all")
    quick = {"invoice-digital.pdf", "stock-tables.pdf", "form-filled.pdf", "letter.pdf"}
    docdask.run(
        [path for path in files if path.name in quick],
        to=tmp_path / "demo" / "run",
        cluster="none",
        progress=lambda _status: None,
    )

    notebook = execute("02_explore_results", tmp_path)

    shown = outputs(notebook, "text/html")
    assert "4 stored" in shown[0]
    assert any("Value (EUR)" in html for html in shown)  # a table of a document, as it was printed
    assert len(outputs(notebook, "image/png")) == 1  # the page with what was found on it
    assert complaints(notebook) == ""
    assert list((tmp_path / "demo/run/export").glob("*.xlsx"))


def test_a_quota_is_kept_changed_and_survives_a_region(execute, tmp_path: Path) -> None:
    notebook = execute("03_quota_and_capacity", tmp_path)

    said = "".join(o.text for c in notebook.cells if c.cell_type == "code" for o in c.outputs if "text" in o)
    plain = outputs(notebook, "text/plain")
    assert any("'calls_ok': 100" in text and "'pages_billed': 100" in text for text in plain)
    assert "busiest minute of 100 calls" in said
    assert "8,000 of 8,000 documents" in said
    tables = outputs(notebook, "text/html")
    assert "429" in tables[0]  # without the governor calls are refused
    assert any("us/OCR" in html and "open" in html for html in tables)  # the region was found out
    assert any("quota 600, two regions" in html for html in tables)
    assert len(outputs(notebook, "image/png")) == 3
    assert "Traceback" not in complaints(notebook)


@pytest.mark.slow
def test_document_ai_is_planned_piloted_and_run_on_an_emulator(execute, tmp_path: Path) -> None:
    notebook = execute("04_document_ai", tmp_path)

    shown, plain = outputs(notebook, "text/html"), outputs(notebook, "text/plain")
    assert "EMULATED: nothing billed" in shown[0]
    assert any("each alone" in html and "240" in html for html in shown)
    assert len(outputs(notebook, "image/png")) == 1  # what it would cost another way
    assert any("docdask result" in html and "240 stored" in html for html in shown)
    assert any("'pages_paid': 680" in text and "'pages_at_risk': 0" in text for text in plain)
    assert "Traceback" not in complaints(notebook)


@pytest.mark.slow
def test_quickstart_then_exploring(execute, tmp_path: Path) -> None:
    first = execute("01_quickstart", tmp_path)

    shown = outputs(first, "text/html")
    assert any("docdask plan" in html and "pages to do" in html for html in shown)
    assert any("docdask run" in html and "finished" in html for html in shown)
    assert any("docdask result" in html and "12 stored" in html for html in shown)
    assert sum("<svg" in html for html in shown) == 2
    assert complaints(first) == ""
    for made in ("report.pdf", "report.html", "charts/timeline.svg"):
        assert (tmp_path / "demo/run" / made).stat().st_size > 1000

    second = execute("02_explore_results", tmp_path)
    assert "12 stored" in outputs(second, "text/html")[0]
    assert complaints(second) == ""
