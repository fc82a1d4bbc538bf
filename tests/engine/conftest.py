"""A local cluster for all tests of one session, and small piles of documents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from docdask import settings
from docdask.engine.clusters import local
from docdask.settings import Settings

NOTHING = "docdask.service.dummy:NothingEngine"


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings with a state folder of their own; what they start is ended."""
    made = settings.load(state=str(tmp_path_factory.mktemp("state")), idle_s=20, dashboard_port=0)
    yield made
    local.stop(made)


@pytest.fixture(autouse=True)
def own_state(machine: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test joins the user's cluster."""
    monkeypatch.setenv("DOCDASK_STATE", machine.state)
    monkeypatch.setenv("DOCDASK_IDLE_S", str(machine.idle_s))
    monkeypatch.setenv("DOCDASK_DASHBOARD_PORT", "0")


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
