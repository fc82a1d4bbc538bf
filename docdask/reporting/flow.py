"""Flowables of the printed report: text of any script, cards, a divided bar, charts, thumbnails, contents with page numbers."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from reportlab.platypus import Flowable
from reportlab.platypus.doctemplate import IndexingFlowable

from docdask.reporting.content import Card, Picture
from docdask.reporting.glyphs import draw_line, rgb
from docdask.reporting.look import INK, LINE, MUTED, TEXT_W, TONE_TEXT, TONES, WASH, TextStyle
from docdask.reporting.typeset import Line, Span, Typesetter
from docdask.reporting.vector import draw_figure


class Text(Flowable):  # type: ignore[misc]
    """A paragraph that may break between pages."""

    def __init__(
        self,
        typesetter: Typesetter,
        spans: Sequence[Span] | str,
        style: TextStyle,
        lines: list[Line] | None = None,
    ) -> None:
        super().__init__()
        self._typesetter, self.style = typesetter, style
        self.spans = [Span(spans, style.bold)] if isinstance(spans, str) else list(spans)
        self._lines = lines
        self._width = -1.0

    def lines(self, width: float) -> list[Line]:
        """Lines at this width; where the style shows fewer than there are, the last ends in an ellipsis."""
        if self._lines is None or (self._width not in {-1.0, width}):
            self._lines = self._typesetter.lines(self.spans, self.style.size, width)
            most = self.style.most_lines
            if most and len(self._lines) > most:
                self._lines = [*self._lines[: most - 1], self._ellipsis(self._lines[most - 1])]
        self._width = width
        return self._lines

    def _ellipsis(self, line: Line) -> Line:
        mark = self._typesetter.line(" …", bold=self.style.bold).runs
        return replace(line, runs=(*mark, *line.runs) if line.rtl else (*line.runs, *mark))

    def wrap(self, width: float, height: float) -> tuple[float, float]:  # noqa: ARG002 - reportlab's interface
        """Size at this width."""
        self.width, self.height = width, len(self.lines(width)) * self.style.leading
        return self.width, self.height

    def split(self, width: float, height: float) -> list[Any]:
        """Two paragraphs: the lines that fit, and the rest; none where fewer than two lines fit."""
        lines = self.lines(width)
        fit = int(height / self.style.leading)
        if fit >= len(lines):
            return [self]
        if fit < 2:
            return []
        parts = [Text(self._typesetter, self.spans, self.style, some) for some in (lines[:fit], lines[fit:])]
        for part in parts:
            part._width = width  # noqa: SLF001 - the same class
        return parts

    def getSpaceBefore(self) -> float:  # noqa: N802 - reportlab's interface
        """Distance to what stands above."""
        return self.style.before

    def getSpaceAfter(self) -> float:  # noqa: N802
        """Distance to what stands below."""
        return self.style.after

    def draw(self) -> None:
        """Draw the lines."""
        size, leading = self.style.size, self.style.leading
        y = self.height - (leading - size) / 2 - size * 0.86
        for line in self._lines or []:
            x = self.width - line.width(size) if self.style.align == "right" else 0.0
            draw_line(self.canv, line, x, y, size, self.style.colour)
            y -= leading


class Title(Text):
    """A heading: a bookmark, an entry of the contents."""

    def __init__(self, typesetter: Typesetter, text: str, style: TextStyle, level: int, key: str) -> None:
        super().__init__(typesetter, text, style)
        self.entry = (level, text, key)

    def draw(self) -> None:
        """Draw it and set its bookmark."""
        level, text, key = self.entry
        self.canv.bookmarkHorizontal(key, 0, self.height + 12)
        self.canv.addOutlineEntry(" ".join(text.split())[:120], key, level - 1, closed=False)
        super().draw()

    def split(self, width: float, height: float) -> list[Any]:  # noqa: ARG002
        """A heading is not divided."""
        return []


class CardRow(Flowable):  # type: ignore[misc]
    """Figures side by side, each in a box of its own."""

    def __init__(self, typesetter: Typesetter, cards: Sequence[Card]) -> None:
        super().__init__()
        self._typesetter, self._cards = typesetter, cards

    def wrap(self, width: float, height: float) -> tuple[float, float]:  # noqa: ARG002
        """Full width."""
        self.width, self.height = width, 92.0
        return width, self.height + 12

    def draw(self) -> None:
        """Draw the boxes."""
        gap = 10.0
        box = (self.width - gap * (len(self._cards) - 1)) / len(self._cards)
        for i, card in enumerate(self._cards):
            x = i * (box + gap)
            self.canv.setFillColorRGB(*rgb(WASH))
            self.canv.roundRect(x, 12, box, self.height, 4, stroke=0, fill=1)
            self.canv.setFillColorRGB(*rgb(TONES[card.tone]))
            self.canv.rect(x, 12, 3, self.height, stroke=0, fill=1)
            inner = box - 22
            self._put(card.label, x + 13, 84, inner, 8.5, MUTED, bold=True)
            size = 22.0
            while size > 10 and self._typesetter.line(card.value, bold=True).width(size) > inner:
                size -= 0.5
            draw_line(
                self.canv,
                self._typesetter.line(card.value, bold=True),
                x + 13,
                58,
                size,
                TONE_TEXT[card.tone],
            )
            self._put(card.note, x + 13, 39, inner, 7.5, MUTED, most=2)

    def _put(
        self,
        text: str,
        x: float,
        y: float,
        width: float,
        size: float,
        colour: str,
        *,
        bold: bool = False,
        most: int = 1,
    ) -> None:
        for line in self._typesetter.lines([Span(text, bold)], size, width)[:most]:
            draw_line(self.canv, line, x, y, size, colour)
            y -= size * 1.35


class ShareBar(Flowable):  # type: ignore[misc]
    """A bar divided by number, with its legend."""

    def __init__(self, typesetter: Typesetter, parts: Sequence[tuple[str, int, str]]) -> None:
        super().__init__()
        self._typesetter = typesetter
        self._parts = [part for part in parts if part[1]]

    def wrap(self, width: float, height: float) -> tuple[float, float]:  # noqa: ARG002
        """Full width, nothing for no parts."""
        self.width, self.height = width, 42.0 if self._parts else 0.0
        return width, self.height

    def draw(self) -> None:
        """Draw bar and legend."""
        total = sum(number for _, number, _ in self._parts)
        x = legend = 0.0
        for label, number, tone in self._parts:
            width = self.width * number / total
            self.canv.setFillColorRGB(*rgb(TONES[tone]))
            self.canv.rect(x, 26, max(width - 1, 0.6), 10, stroke=0, fill=1)
            self.canv.rect(legend, 9, 7, 7, stroke=0, fill=1)
            line = self._typesetter.line(f"{number:,} {label}")
            draw_line(self.canv, line, legend + 11, 9.5, 8, MUTED)
            legend += line.width(8) + 30
            x += width


class ChartBox(Flowable):  # type: ignore[misc]
    """A matplotlib figure as vectors, at the width of the text."""

    def __init__(self, typesetter: Typesetter, figure: Any) -> None:
        super().__init__()
        self._typesetter, self._figure = typesetter, figure
        width, height = figure.get_size_inches()
        figure.set_size_inches(TEXT_W / 72, height * (TEXT_W / 72 / width) ** 0.5)

    def wrap(self, width: float, height: float) -> tuple[float, float]:  # noqa: ARG002
        """Size of the figure."""
        self.width, self.height = (float(v) * 72 for v in self._figure.get_size_inches())
        return self.width, self.height + 4

    def draw(self) -> None:
        """Draw it."""
        draw_figure(self._figure, self.canv, self._typesetter, 0, 2)


class PictureRow(Flowable):  # type: ignore[misc]
    """Thumbnails side by side."""

    def __init__(self, pictures: Sequence[Picture]) -> None:
        super().__init__()
        self._pictures = pictures

    def wrap(self, width: float, height: float) -> tuple[float, float]:  # noqa: ARG002
        """Full width."""
        return width, 116.0

    def draw(self) -> None:
        """Draw them, each within 84 by 104 points."""
        from reportlab.lib.utils import ImageReader

        self.canv.setStrokeColorRGB(*rgb(LINE))
        self.canv.setLineWidth(0.6)
        for i, picture in enumerate(self._pictures):
            scale = min(84 / picture.width, 104 / picture.height)
            width, height = picture.width * scale, picture.height * scale
            x, y = i * 96.0, 110 - height
            self.canv.drawImage(ImageReader(io.BytesIO(picture.png)), x, y, width, height)
            self.canv.rect(x, y, width, height, stroke=1, fill=0)


class ContentsTable(IndexingFlowable):  # type: ignore[misc]
    """Table of contents; its page numbers are those of the pass before, until nothing moves any more."""

    ROW = {1: 22.0, 2: 14.5}  # noqa: RUF012 - never changed

    def __init__(self, typesetter: Typesetter) -> None:
        super().__init__()
        self._typesetter = typesetter
        self._now: list[tuple[int, str, str, int]] = []
        self._before: list[tuple[int, str, str, int]] = []
        self._shown: list[tuple[int, str, str, int]] | None = None

    def beforeBuild(self) -> None:  # noqa: N802 - reportlab's interface
        """Start a pass."""
        self._before, self._now = self._now, []

    def isSatisfied(self) -> bool:  # noqa: N802
        """Whether the last pass gave the same entries as the one before."""
        return self._now == self._before

    def notify(self, kind: str, stuff: Any) -> None:
        """Take the heading that was just placed."""
        if kind == "entry":
            self._now.append(stuff)

    def _rows(self) -> list[tuple[int, str, str, int]]:
        return self._before if self._shown is None else self._shown

    def wrap(self, width: float, height: float) -> tuple[float, float]:  # noqa: ARG002
        """A row an entry."""
        self.width = width
        self.height = sum(self.ROW[level] for level, *_ in self._rows())
        return width, self.height

    def split(self, width: float, height: float) -> list[Any]:  # noqa: ARG002
        """Two tables, divided between rows."""
        rows, used, cut = self._rows(), 0.0, 0
        while cut < len(rows) and used + self.ROW[rows[cut][0]] <= height:
            used += self.ROW[rows[cut][0]]
            cut += 1
        if not 0 < cut < len(rows):
            return []
        parts = []
        for some in (rows[:cut], rows[cut:]):
            part = _ContentsPart(self._typesetter, some)
            parts.append(part)
        return parts

    def draw(self) -> None:
        """Draw the rows: title, dots, page number, each a link."""
        y = self.height
        for level, text, key, page in self._rows():
            y -= self.ROW[level]
            size, indent = (10.0, 0.0) if level == 1 else (8.8, 14.0)
            number = self._typesetter.line(str(page), bold=level == 1)
            style = TextStyle(size=size, bold=level == 1, most_lines=1)
            title = Text(self._typesetter, text, style).lines(self.width - indent - 60)[0]
            draw_line(self.canv, title, indent, y + 3, size, INK)
            draw_line(self.canv, number, self.width - number.width(size), y + 3, size, INK)
            self.canv.setStrokeColorRGB(*rgb(LINE))
            self.canv.setLineWidth(0.8)
            self.canv.setDash([0.8, 3])
            self.canv.line(indent + title.width(size) + 6, y + 4, self.width - 26, y + 4)
            self.canv.setDash([])
            self.canv.linkRect("", key, (0, y, self.width, y + self.ROW[level]), relative=1, thickness=0)


class _ContentsPart(Flowable):  # type: ignore[misc]
    """Part of a table of contents that goes over a page."""

    def __init__(self, typesetter: Typesetter, rows: list[tuple[int, str, str, int]]) -> None:
        super().__init__()
        self._whole = ContentsTable(typesetter)
        self._whole._shown = rows  # noqa: SLF001 - the same module

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        """As the whole."""
        size: tuple[float, float] = self._whole.wrap(width, height)
        return size

    def split(self, width: float, height: float) -> list[Any]:
        """As the whole."""
        return self._whole.split(width, height)

    def draw(self) -> None:
        """As the whole."""
        self._whole.canv = self.canv
        self._whole.draw()
