"""Configurations, files and errors that the tests of the client use."""

from __future__ import annotations

import asyncio
import hashlib
import io

from docdask.core.routes import Configuration, Place, Processor, Route

TYPES = {
    "ocr": "OCR_PROCESSOR", "form": "FORM_PARSER_PROCESSOR", "invoice": "INVOICE_PROCESSOR", "expense": "EXPENSE_PROCESSOR",
    "layout": "LAYOUT_PARSER_PROCESSOR", "custom-extractor": "CUSTOM_EXTRACTION_PROCESSOR",
}  # fmt: skip


def place(alias: str = "ocr", location: str = "us", version: str = "", project: str = "my-project") -> Place:
    return Place(location, f"projects/{project}/locations/{location}/processors/{alias}", version)


def processor(alias: str = "ocr", *, where: Place | None = None, **more) -> Processor:
    kind = more.pop("processor_type", None) or TYPES[alias]
    return Processor(alias, kind, (where or place(alias),), **more)


def configuration(*processors: Processor, **more) -> Configuration:
    rows = processors or tuple(processor(alias) for alias in TYPES)
    return Configuration(
        "my-project", "us", {row.alias: row for row in rows}, (Route("all", processor=rows[0].alias),),
        staging="gs://bucket/stage", emulated=True, **more,
    )  # fmt: skip


def pdf(pages: int = 1, text: str = "Page") -> bytes:
    """A PDF with a line of text on each page."""
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(612, 792), invariant=True)
    for number in range(1, pages + 1):
        canvas.drawString(72, 700, f"{text} {number}")
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def png(width: int = 40, height: int = 40) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new("1", (width, height), 1).save(out, "PNG")
    return out.getvalue()


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def parse(document: bytes):
    from docdask.service.message import parse as read

    return read(document)


async def sent(client) -> None:
    """Wait until a call is in flight."""
    while not client._channels or not client._channels["us"]._open[0].in_flight:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0)


async def ended(client, name):
    """An operation when it has ended."""
    while not (operation := await client.operation(name)).done:  # noqa: ASYNC110 - that is how batches are
        await asyncio.sleep(0.01)
    return operation
