"""Files to inspect, made on the spot."""

from __future__ import annotations

import io

import fsspec
import pytest


@pytest.fixture
def memory():
    """fsspec's in-memory file system, empty before and after."""
    filesystem = fsspec.filesystem("memory")
    filesystem.store.clear()
    filesystem.pseudo_dirs[:] = [""]
    yield filesystem
    filesystem.store.clear()


@pytest.fixture
def make_pdf():
    """Make a PDF with one line of text a page (or a function that draws on the canvas)."""

    def make(*pages, size=(595, 842), encrypt=None) -> bytes:
        from reportlab.pdfgen.canvas import Canvas

        out = io.BytesIO()
        canvas = Canvas(out, pagesize=size, invariant=1, encrypt=encrypt)
        for page in pages:
            if callable(page):
                page(canvas)
            else:
                for number, line in enumerate(page.splitlines()):
                    canvas.drawString(72, size[1] - 72 - 14 * number, line)
            canvas.showPage()
        canvas.save()
        return out.getvalue()

    return make


@pytest.fixture
def look():
    """Examine bytes in the sandbox, as a scan does."""
    from docdask import sandbox
    from docdask.intake.limits import Limits

    def look(data: bytes, name: str = "file", passwords=(), **limits) -> dict:
        return sandbox.call("docdask.intake.examine:examine", data, name, tuple(passwords), Limits(**limits))

    return look
