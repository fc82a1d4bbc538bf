"""Whatever damage a file has, it gets a row: no library's exception is unforeseen."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
import pikepdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from docdask import sandbox
from docdask.errors import DocumentError
from docdask.intake.limits import Limits

KINDS = ("pdf", "pdf with object streams", "pdf locked", "PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP")


@cache
def sample(kind: str) -> bytes:
    out = io.BytesIO()
    if not kind.startswith("pdf"):
        picture = Image.fromarray(np.arange(3000, dtype=np.uint8).reshape(25, 40, 3))
        frames = (
            {"save_all": True, "append_images": [picture.rotate(90)]}
            if kind in {"GIF", "TIFF", "WEBP"}
            else {}
        )
        picture.save(out, kind, **frames)
        return out.getvalue()
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(out, invariant=1)
    for page in range(3):
        canvas.drawString(72, 700, f"Page {page}")
        canvas.acroForm.textfield(name=f"a{page}", x=72, y=600)
        canvas.showPage()
    canvas.save()
    if kind == "pdf":
        return out.getvalue()
    packed = io.BytesIO()
    with pikepdf.open(io.BytesIO(out.getvalue())) as pdf:
        pdf.attachments["a.txt"] = b"x"
        if kind == "pdf locked":
            pdf.save(packed, encryption=pikepdf.Encryption(user="u", owner="o"), static_id=True)
        else:
            pdf.save(packed, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    return packed.getvalue()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_gets_a_row(kind, data):
    damaged = bytearray(sample(kind))
    where = st.integers(0, len(damaged) - 1)
    for at, value in data.draw(st.lists(st.tuples(where, st.integers(0, 255)), max_size=8)):
        damaged[at] = value
    cut = data.draw(st.one_of(st.just(len(damaged)), where))
    file = bytes(damaged[:cut])
    # Anything but a row or a limit (the child's crash included) raises RuntimeError here and fails the test.
    try:
        row = sandbox.call("docdask.intake.examine:examine", file, "x.pdf", ("u",), Limits(), timeout_s=20)
    except DocumentError as error:
        assert error.code in {"timeout", "memory", "crash"}  # noqa: PT017 - one of two good endings
        return
    assert row["state"] in {"ready", "quarantined", "skipped"}
    assert row["state"] == "ready" or row["reason"]
    if row["state"] == "ready":
        assert row["pages"] == len(row["widths"]) == len(row["heights"]) >= 1
    if row["action"]:
        clean = sandbox.call("docdask.intake.examine:clean", file, ("u",), Limits(), timeout_s=20)
        again = sandbox.call("docdask.intake.examine:examine", clean, "x", (), Limits(), timeout_s=20)
        assert (again["state"], again["pages"]) == ("ready", row["pages"])
