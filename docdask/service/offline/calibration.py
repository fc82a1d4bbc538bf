"""Measures how fast this machine reads: one page by OCR, one from a text layer, both drawn in memory."""

from __future__ import annotations

import io
import time
from typing import Any

from docdask.model import PageRange
from docdask.service.base import Request
from docdask.service.offline.engine import OfflineEngine

#: About the text of an office page with generous margins: enough lines that start-up does not count, few enough to be quick.
_SENTENCE = "Measured on this machine, a page of about this much text takes so long."
_LINES = 24


def calibrate() -> dict[str, Any]:
    """Measure seconds a page in a child process, models loaded and warm.

    Returns
    -------
    dict
        ``ocr_page_s``, ``text_page_s``: seconds a page; ``start_s``: seconds that the first page takes longer in a new
        child (imports and models); ``engine``: ``name/version``.
    """
    engine = OfflineEngine(ocr="auto")
    picture, digital = _picture(), _digital()

    def seconds(content: bytes, mime_type: str, pages: PageRange | None = None) -> float:
        began = time.perf_counter()
        engine.recognise(Request("", "calibration", content, mime_type, pages))
        return time.perf_counter() - began

    first = seconds(picture, "image/png")
    ocr = seconds(picture, "image/png")
    seconds(digital, "application/pdf", PageRange(1, 1))
    text = seconds(digital, "application/pdf") / 8
    return {
        "ocr_page_s": ocr,
        "text_page_s": text,
        "start_s": max(0.0, first - ocr),
        "engine": f"{engine.name}/{engine.version}",
    }


def _picture() -> bytes:
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("L", (1240, 1754), 255)
    draw = ImageDraw.Draw(image)
    for index in range(_LINES):
        draw.text((120, 140 + 60 * index), _SENTENCE, fill=0, font=ImageFont.load_default(size=24))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _digital() -> bytes:
    from reportlab.pdfgen.canvas import Canvas

    file = io.BytesIO()
    canvas = Canvas(file, pagesize=(595, 842))
    for _ in range(8):
        for index in range(2 * _LINES):
            canvas.drawString(72, 780 - 15 * index, _SENTENCE)
        canvas.showPage()
    canvas.save()
    return file.getvalue()
