"""Prints a report as PDF: A4, page numbers "n of N", contents with links, bookmarks, charts as vectors, embedded fonts."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import pandas as pd
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    CondPageBreak,
    Frame,
    KeepTogether,
    PageBreak,
    PageTemplate,
    Spacer,
    Table,
)

from docdask import charts
from docdask.reporting import content, look
from docdask.reporting.content import Report
from docdask.reporting.flow import CardRow, ChartBox, ContentsTable, PictureRow, ShareBar, Text, Title
from docdask.reporting.fontset import FontSet
from docdask.reporting.glyphs import draw_line, embed, rgb
from docdask.reporting.typeset import Span, Typesetter
from docdask.reporting.vector import texts as figure_texts

#: Points that must be free for the contents to begin on the page.
_CONTENTS_ROOM = 300.0


class _Pages(BaseDocTemplate):  # type: ignore[misc]
    """Pages of a report: knows the number of pages of the pass before, tells the contents where headings stand."""

    def __init__(self, target: Any, report: Report, typesetter: Typesetter) -> None:
        super().__init__(
            target, pagesize=(look.PAGE_W, look.PAGE_H), title=f"{report.title}: {report.run}", author="docdask",
            subject=report.subtitle, creator=report.footer, invariant=1, lang="en",
        )  # fmt: skip
        self._report, self._typesetter, self._total = report, typesetter, 0
        height = look.PAGE_H - look.TOP - look.BOTTOM
        body = Frame(look.MARGIN, look.BOTTOM, look.TEXT_W, height, 0, 0, 0, 0, id="body")
        cover = Frame(
            look.MARGIN, look.BOTTOM, look.TEXT_W, look.PAGE_H - 168 - look.BOTTOM, 0, 0, 0, 0, id="cover"
        )
        self.addPageTemplates([
            PageTemplate("cover", [cover], onPage=self._cover, autoNextPageTemplate="body"),
            PageTemplate("body", [body], onPage=self._header),
        ])  # fmt: skip

    def afterFlowable(self, flowable: Any) -> None:  # noqa: N802 - reportlab's interface
        """Tell the contents about a heading."""
        if isinstance(flowable, Title):
            self.notify("entry", (*flowable.entry, self.page))

    def afterPage(self) -> None:  # noqa: N802
        """Count pages for the next pass."""
        self._seen = self.page

    def beforeDocument(self) -> None:  # noqa: N802
        """Start a pass with the number of pages of the last."""
        self._total = getattr(self, "_seen", 0)

    def _footer(self, canvas: Any) -> None:
        put = self._typesetter.line
        line = put(f"Page {self.page} of {self._total or self.page}")
        draw_line(canvas, line, look.PAGE_W - look.MARGIN - line.width(8), 32, 8, look.MUTED)
        left = put(self._report.footer)
        draw_line(canvas, left, look.MARGIN, 32, 8, look.MUTED)
        if self._report.billing:
            start = look.MARGIN + left.width(8) + 12
            room = look.PAGE_W - look.MARGIN - line.width(8) - 12 - start
            size = 8.0
            billing = put(self._report.billing, bold=True)
            while size > 5 and billing.width(size) > room:
                size -= 0.25
            draw_line(canvas, billing, start, 32, size, look.INK)
        canvas.setStrokeColorRGB(*rgb(look.LINE))
        canvas.setLineWidth(0.6)
        canvas.line(look.MARGIN, 46, look.PAGE_W - look.MARGIN, 46)

    def _cover(self, canvas: Any, _: Any) -> None:
        put, report = self._typesetter, self._report
        canvas.setFillColorRGB(*rgb(look.BRAND))
        canvas.rect(0, look.PAGE_H - 128, look.PAGE_W, 128, stroke=0, fill=1)
        draw_line(canvas, put.line(report.title, bold=True), look.MARGIN, look.PAGE_H - 66, 25, "#ffffff")
        run = put.lines([Span(report.run)], 11, look.TEXT_W - 150)
        draw_line(canvas, run[0], look.MARGIN, look.PAGE_H - 92, 11, "#dcebf5")
        when = put.line(report.subtitle)
        draw_line(canvas, when, look.PAGE_W - look.MARGIN - when.width(11), look.PAGE_H - 92, 11, "#dcebf5")
        self._footer(canvas)

    def _header(self, canvas: Any, _: Any) -> None:
        put, report = self._typesetter, self._report
        y = look.PAGE_H - 38
        right = put.line(report.title)
        draw_line(canvas, right, look.PAGE_W - look.MARGIN - right.width(8), y, 8, look.MUTED)
        draw_line(
            canvas, put.lines([Span(report.run)], 8, look.TEXT_W - 190)[0], look.MARGIN, y, 8, look.MUTED
        )
        canvas.setStrokeColorRGB(*rgb(look.LINE))
        canvas.setLineWidth(0.6)
        canvas.line(look.MARGIN, y - 8, look.PAGE_W - look.MARGIN, y - 8)
        self._footer(canvas)


def _table(typesetter: Typesetter, grid: content.Grid) -> Any:
    widths = [column.share * look.TEXT_W for column in grid.columns]
    aligned = {column.align: None for column in grid.columns}
    styles = {a: (_aligned(look.CELL, a), _aligned(look.HEAD_CELL, a)) for a in aligned}
    cells = [[Text(typesetter, c.title, styles[c.align][1]) for c in grid.columns]]
    cells += [
        [Text(typesetter, cell, styles[c.align][0]) for c, cell in zip(grid.columns, row, strict=True)]
        for row in grid.rows
    ]
    line = rgb(look.LINE)
    rules: list[Any] = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 4), ("RIGHTPADDING", (0, 0), (-1, -1), 6),
        ("TOPPADDING", (0, 0), (-1, -1), 3.5), ("BOTTOMPADDING", (0, 0), (-1, -1), 3.5),
        ("LINEBELOW", (0, 0), (-1, 0), 0.9, rgb(look.MUTED)), ("LINEBELOW", (0, 1), (-1, -1), 0.4, line),
    ]  # fmt: skip
    return Table(
        cells,
        colWidths=widths,
        repeatRows=1,
        splitInRow=1,
        style=rules,
        hAlign="LEFT",
        spaceBefore=3,
        spaceAfter=8,
    )


def _aligned(style: look.TextStyle, align: str) -> look.TextStyle:
    from dataclasses import replace

    return replace(style, align=align)


def _flow(block: Any, typesetter: Typesetter, figures: Mapping[str, Any]) -> list[Any]:
    """Flowables of one block."""
    match block:
        case content.Heading(text=text, level=level, key=key):
            title = Title(typesetter, text, look.CHAPTER if level == 1 else look.SECTION, level, key)
            return [CondPageBreak(280), title] if level == 1 else [title]
        case content.Prose(parts=parts, tone=tone):
            return [Text(typesetter, [Span(text, bold) for text, bold in parts], look.BY_TONE[tone])]
        case content.Cards(cards=cards):
            return [CardRow(typesetter, cards), Spacer(1, 4)]
        case content.Share(parts=parts):
            return [ShareBar(typesetter, parts), Spacer(1, 6)]
        case content.Grid():
            return [_table(typesetter, block)]
        case content.Chart(name=name, caption=caption):
            return [ChartBox(typesetter, figures[name]), Text(typesetter, caption, look.NOTE), Spacer(1, 6)]
        case content.Pictures(pictures=pictures):
            return [PictureRow(pictures)]
        case content.Contents():
            # Below page 1's figures where there is room for most of it, else on a page of its own.
            return [
                CondPageBreak(_CONTENTS_ROOM),
                Text(typesetter, "Contents", look.CHAPTER),
                ContentsTable(typesetter),
            ]
        case content.NewPage():
            return [PageBreak()]
        case content.Together(blocks=blocks):
            return [flowable for inner in blocks for flowable in _flow(inner, typesetter, figures)]
        case _:
            raise TypeError(f"no way to print {type(block).__name__}")


def _kept(block: Any, typesetter: Typesetter, figures: Mapping[str, Any]) -> list[Any]:
    """Flowables of one block; what belongs on one page is kept together (once: reportlab breaks before nested ones)."""
    flowables = _flow(block, typesetter, figures)
    return [KeepTogether(flowables)] if isinstance(block, content.Together | content.Chart) else flowables


def render(report: Report, tables: Mapping[str, pd.DataFrame]) -> bytes:
    """PDF of ``report``; the same report gives the same bytes.

    Parameters
    ----------
    report
        What is told.
    tables
        Frames by name, for the charts.
    """
    with charts.style():
        figures = charts.all(tables)
        words = [text for figure in figures.values() for text in figure_texts(figure)]
        fonts = FontSet([*content.texts(report), *words, "Contents"])
        typesetter = Typesetter(fonts)
        story = [flowable for block in report.blocks for flowable in _kept(block, typesetter, figures)]

        class _Embedding(Canvas):  # type: ignore[misc]
            """Embeds the fonts when all their glyphs are known, and names none that is not embedded."""

            def _make_preamble(self) -> None:
                self._preamble = "1 0 0 1 0 0 cm"

            def setFont(self, *_: Any, **__: Any) -> None:  # noqa: N802 - reportlab's interface
                """Nothing: tables name a font before each cell, and no cell here uses it."""

            def save(self) -> None:
                self._doc.idToObject["BasicFonts"].dict.clear()
                embed(self._doc, fonts.cuts)
                super().save()

        target = io.BytesIO()
        _Pages(target, report, typesetter).multiBuild(story, canvasmaker=_Embedding)
    return target.getvalue()
