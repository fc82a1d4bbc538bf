"""Draws a PDF with reportlab and writes down what a reader should find on it.

Rules: y counts from the top of the page, in points; each call that draws text adds one line to the page's truth, in
the order of the calls, which is the order a person reads in; same calls, same bytes (reportlab's invariant mode).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

Align = Literal["left", "right", "center"]
#: Part of a row: x in points, text, alignment.
Part = tuple[float, str, Align]

A4 = (595.28, 841.89)
LETTER = (612.0, 792.0)
INK = (0.11, 0.12, 0.16)


@dataclass
class Sample:
    """A finished document and its truth."""

    data: bytes
    mime_type: str
    kind: str
    texts: list[str]
    """Text a page, lines separated by newlines."""
    fields: dict[str, Any] = field(default_factory=dict)
    """Entity type → value: text, ISO date or number."""
    form_fields: dict[str, str] = field(default_factory=dict)
    """Key as printed → value; ``filled_checkbox`` or ``unfilled_checkbox`` for a box to tick."""
    tables: list[dict[str, Any]] = field(default_factory=list)
    """``{"page_number": 1, "rows": [[...], ...]}``, the header row first."""
    languages: list[str] = field(default_factory=lambda: ["en"])


@cache
def unicode_fonts() -> dict[str, str]:
    """Register the embedded fonts once; name in this package → name in reportlab."""
    import fontpkg_noto_sans
    import matplotlib as mpl
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    noto = Path(fontpkg_noto_sans.__file__).parent / "files"
    dejavu = Path(mpl.get_data_path()) / "fonts" / "ttf"
    files = {
        "Noto": noto / "NotoSans[wdth,wght].ttf",
        "DejaVu": dejavu / "DejaVuSans.ttf",
        "DejaVu-Bold": dejavu / "DejaVuSans-Bold.ttf",
        "DejaVu-Mono": dejavu / "DejaVuSansMono.ttf",
        "DejaVu-Mono-Bold": dejavu / "DejaVuSansMono-Bold.ttf",
    }
    names = {}
    for name, file in files.items():
        names[name] = f"docdask-{name}"
        pdfmetrics.registerFont(TTFont(names[name], str(file)))
    return names


class Paper:
    """One document being drawn.

    Parameters
    ----------
    size
        Width and height in points.
    title
        Of the document's properties.
    font
        Family used when a call names none: a base-14 name or one of :func:`unicode_fonts`.
    """

    def __init__(self, size: tuple[float, float], title: str, font: str = "Helvetica") -> None:
        from reportlab.pdfgen.canvas import Canvas

        self.width, self.height = size
        self.font = font
        self.texts: list[list[str]] = [[]]
        self._buffer = io.BytesIO()
        self._canvas = Canvas(self._buffer, pagesize=size, invariant=1, pageCompression=1)
        self._canvas.setTitle(title)
        self._canvas.setAuthor("docdask samples")
        self._canvas.setFillColorRGB(*INK)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 10,
        font: str = "",
        align: Align = "left",
        color: tuple[float, float, float] = INK,
        truth: bool = True,
    ) -> float:
        """Draw one line with its baseline at ``y``; return the x where it ends."""
        name = self._name(font)
        canvas = self._canvas
        width = float(canvas.stringWidth(text, name, size))
        left = x - {"left": 0.0, "right": width, "center": width / 2}[align]
        canvas.setFillColorRGB(*color)
        canvas.setFont(name, size)
        canvas.drawString(left, self.height - y, text)
        if truth:
            self.texts[-1].append(text)
        return left + width

    def row(self, y: float, parts: Sequence[Part], **style: Any) -> None:
        """Draw several texts on one baseline; they are one line of the truth."""
        for x, text, align in parts:
            self.text(x, y, text, align=align, truth=False, **style)
        self.texts[-1].append(" ".join(text for _, text, _ in parts if text))

    def lines(
        self, x: float, y: float, texts: Sequence[str], *, leading: float = 13.5, **style: Any
    ) -> float:
        """Draw lines under each other; return the next baseline."""
        for text in texts:
            self.text(x, y, text, **style)
            y += leading
        return y

    def paragraph(
        self,
        x: float,
        y: float,
        width: float,
        text: str,
        *,
        size: float = 10,
        font: str = "",
        leading: float = 0,
    ) -> float:
        """Draw ``text`` wrapped to ``width``; return the baseline after it."""
        return self.lines(
            x,
            y,
            self.wrap(text, width, size=size, font=font),
            leading=leading or size * 1.4,
            size=size,
            font=font,
        )

    def wrap(self, text: str, width: float, *, size: float = 10, font: str = "") -> list[str]:
        """Lines of ``text`` that fit ``width``."""
        from reportlab.lib.utils import simpleSplit

        return list(simpleSplit(text, self._name(font), size, width))

    def rule(
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        *,
        width: float = 0.7,
        color: tuple[float, float, float] = INK,
        dash: tuple[float, float] | None = None,
    ) -> None:
        """Draw a straight line."""
        self._canvas.setStrokeColorRGB(*color)
        self._canvas.setLineWidth(width)
        self._canvas.setDash(*(dash or (1, 0)))
        self._canvas.line(x0, self.height - y0, x1, self.height - y1)
        self._canvas.setDash()

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        fill: tuple[float, float, float] | None = None,
        stroke: tuple[float, float, float] | None = None,
        line_width: float = 0.7,
        radius: float = 0,
    ) -> None:
        """Draw a rectangle whose top left corner is at (x, y)."""
        canvas = self._canvas
        if fill:
            canvas.setFillColorRGB(*fill)
        if stroke:
            canvas.setStrokeColorRGB(*stroke)
            canvas.setLineWidth(line_width)
        bottom = self.height - y - height
        paint = {"fill": int(bool(fill)), "stroke": int(bool(stroke))}
        if radius:
            canvas.roundRect(x, bottom, width, height, radius, **paint)
        else:
            canvas.rect(x, bottom, width, height, **paint)

    def squiggle(self, x: float, y: float, points: Sequence[tuple[float, float]]) -> None:
        """Draw a signature: smooth curves through ``points``, which are relative to (x, y)."""
        canvas = self._canvas
        path = canvas.beginPath()
        spots = [(x + dx, self.height - y + dy) for dx, dy in points]
        path.moveTo(*spots[0])
        for i in range(1, len(spots) - 2, 3):
            path.curveTo(*spots[i], *spots[i + 1], *spots[i + 2])
        canvas.setStrokeColorRGB(0.08, 0.12, 0.42)
        canvas.setLineWidth(1.1)
        canvas.drawPath(path, stroke=1, fill=0)

    def next_page(self) -> None:
        """Start another page."""
        self._canvas.showPage()
        self.texts.append([])

    def finish(self) -> tuple[bytes, list[str]]:
        """Return the PDF and the truth's text a page."""
        self._canvas.showPage()
        self._canvas.save()
        return self._buffer.getvalue(), ["\n".join(lines) for lines in self.texts]

    def _name(self, font: str) -> str:
        font = font or self.font
        family = font.split("-", maxsplit=1)[0]
        return unicode_fonts()[font] if family in {"Noto", "DejaVu"} else font


def grid(
    paper: Paper,
    x: float,
    y: float,
    widths: Sequence[float],
    rows: Sequence[Sequence[str]],
    *,
    aligns: Sequence[Align],
    row_height: float = 18,
    size: float = 9,
    ruled: bool = True,
    head: tuple[float, float, float] = (0.87, 0.90, 0.94),
) -> float:
    """Draw a table with its header row first; return the y under it."""
    bold = {"Times-Roman": "Times-Bold"}.get(paper.font, f"{paper.font}-Bold")
    total = sum(widths)
    paper.box(x, y, total, row_height, fill=head)
    for number, row in enumerate(rows):
        parts: list[Part] = []
        left = x
        for width, text, align in zip(widths, row, aligns, strict=True):
            at = {"left": left + 5, "right": left + width - 5, "center": left + width / 2}[align]
            parts.append((at, text, align))
            left += width
        paper.row(
            y + row_height * number + row_height / 2 + size * 0.35,
            parts,
            size=size,
            font=bold if number == 0 else "",
        )
    bottom = y + row_height * len(rows)
    for number in range(len(rows) + 1):
        if ruled or number in {0, 1, len(rows)}:
            paper.rule(
                x,
                y + number * row_height,
                x + total,
                y + number * row_height,
                width=0.5,
                color=(0.45, 0.48, 0.55),
            )
    if ruled:
        left = x
        for width in (*widths, 0):
            paper.rule(left, y, left, bottom, width=0.5, color=(0.45, 0.48, 0.55))
            left += width
    return bottom
