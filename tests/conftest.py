"""Fixtures that every layer uses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from docdask import settings as docdask_settings
from docdask.settings import Settings

# No test is about time: a machine that is busy with something else must not fail one.
settings.register_profile("docdask", deadline=None)
settings.load_profile("docdask")


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Folder of the corpus of real documents; the test is skipped where it is missing."""
    folder = Path(
        os.environ.get("DOCDASK_CORPUS", Path(__file__).parents[1] / ".." / "shared" / "corpus")
    ).resolve()
    if not (folder / "manifest.csv").is_file():
        pytest.skip(f"the corpus of real documents is not at {folder}; set DOCDASK_CORPUS")
    return folder


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings with a state folder of their own; the local cluster that they start is ended."""
    from docdask.engine.clusters import local

    made = docdask_settings.load(state=str(tmp_path_factory.mktemp("state")), idle_s=20, dashboard_port=0)
    yield made
    local.stop(made)


@pytest.fixture(scope="session")
def pile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty small PDFs whose contents differ, one of them twice, a broken one and a text file."""
    from reportlab.pdfgen.canvas import Canvas

    folder = tmp_path_factory.mktemp("pile")
    for number in range(20):
        canvas = Canvas(str(folder / f"letter {number:02d}.pdf"), invariant=True)
        for page in range(1 + number % 3):
            canvas.drawString(
                72, 720, f"Letter number {number}, page {page + 1}, with a line that anybody can read."
            )
            canvas.showPage()
        canvas.save()
    (folder / "again.pdf").write_bytes((folder / "letter 03.pdf").read_bytes())
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4\nnothing that could be repaired")
    (folder / "note.txt").write_text("not a document that an engine takes")
    return folder
