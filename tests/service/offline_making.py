"""Words, lines and documents that the tests of the offline engine are made of."""

from __future__ import annotations

import io

from docdask.service.offline.page import Box, Line, Rule, Word, line_of


def line(text: str, x: float, y: float, *, high: float = 10.0, letter: float = 5.0) -> Line:
    """A line at (x, y) with boxes of ``letter`` points a character."""
    words = []
    for word in text.split():
        wide = letter * len(word)
        words.append(Word(word, Box(x, y, x + wide, y + high)))
        x += wide + letter
    return line_of(words)


def ruled(x0: float, y0: float, columns: list[float], rows: list[float]) -> list[Rule]:
    """Rules of a full grid whose columns and rows have these sizes."""
    xs, ys = [x0], [y0]
    for size in columns:
        xs.append(xs[-1] + size)
    for size in rows:
        ys.append(ys[-1] + size)
    flat = [Rule(Box(xs[0], y, xs[-1], y)) for y in ys]
    return flat + [Rule(Box(x, ys[0], x, ys[-1])) for x in xs]


INVOICE = (
    "Example Supplies Ltd", "Invoice number: INV-2024-0042", "Invoice date: 31/05/2024", "Bill to: Jane Doe",
    "The goods were delivered in good order and remain ours until paid.",
    "Subtotal $100.00", "Tax $19.00", "Total $119.00",
)  # fmt: skip


def pdf(*pages: tuple[str, ...], size: float = 14, encrypt: str | None = None) -> bytes:
    """A digital PDF with these lines on its pages."""
    from reportlab.pdfgen.canvas import Canvas

    file = io.BytesIO()
    canvas = Canvas(file, pagesize=(595, 842), encrypt=encrypt)
    for lines in pages:
        canvas.setFont("Helvetica", size)
        for index, text in enumerate(lines):
            canvas.drawString(72, 760 - 30 * index, text)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def picture(lines: tuple[str, ...], turn: int = 0):
    """A drawn page, turned clockwise by quarter turns."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", (1000, 120 + 60 * len(lines)), "white")
    draw = ImageDraw.Draw(image)
    for index, text in enumerate(lines):
        draw.text((60, 50 + 60 * index), text, fill="black", font=ImageFont.load_default(size=30))
    return image.rotate(-90 * turn, expand=True)


def encoded(image, kind: str = "PNG", **options) -> bytes:
    """Bytes of an image."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
