"""Files and requests that the tests of the emulator send."""

from __future__ import annotations

import io

PLACE = "projects/my-project/locations/us"


def pdf(pages: int = 1, text: str = "Page") -> bytes:
    """A PDF with a line of text on each page."""
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(612, 792), invariant=True)
    for number in range(1, pages + 1):
        canvas.drawString(72, 700, f"{text} {number}")
        canvas.drawString(72, 680, "Total: $12.50")
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def png(width: int, height: int) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new("1", (width, height), 1).save(out, "PNG")
    return out.getvalue()


def name(processor: str = "ocr", place: str = PLACE) -> str:
    return f"{place}/processors/{processor}"


def request(content: bytes, mime_type: str = "application/pdf", processor: str = "ocr", **more):
    """A ``ProcessRequest`` with the document in it."""
    from google.cloud import documentai_v1 as documentai

    document = documentai.RawDocument(content=content, mime_type=mime_type)
    return documentai.ProcessRequest(name=more.pop("name", name(processor)), raw_document=document, **more)


def pages_of(*numbers: int):
    from google.cloud import documentai_v1 as documentai

    selector = documentai.ProcessOptions.IndividualPageSelector(pages=numbers)
    return documentai.ProcessOptions(individual_page_selector=selector)
