"""Sizes, distances and colours of the printed report, in points and ``#rrggbb``; the HTML twin uses the same colours."""

from __future__ import annotations

from dataclasses import dataclass

INK, MUTED, LINE, WASH = "#1b2733", "#5a6875", "#d9dfe5", "#f4f6f8"
BRAND = "#005a8e"
TONES = {"good": "#009e73", "bad": "#d55e00", "doubtful": "#cc79a7", "plain": "#8a96a3"}
#: Darker than the bars, so that figures in these colours have a contrast above 4.5:1 on white.
TONE_TEXT = {"good": "#00704f", "bad": "#a84300", "doubtful": "#93446d", "plain": INK}

#: A4 in points, margins, width of the text.
PAGE_W, PAGE_H, MARGIN, TOP, BOTTOM = 595.28, 841.89, 56.0, 64.0, 58.0
TEXT_W = PAGE_W - 2 * MARGIN


@dataclass(frozen=True, slots=True)
class TextStyle:
    """How a paragraph is set."""

    size: float = 9.5
    leading: float = 14.0
    colour: str = INK
    bold: bool = False
    before: float = 0.0
    after: float = 6.0
    align: str = "left"
    most_lines: int = 0
    """Lines shown; 0 for all."""


BODY = TextStyle()
LEAD = TextStyle(size=14, leading=20, before=2, after=14)
NOTE = TextStyle(size=8, leading=11.5, colour=MUTED, before=2, after=8)
CHAPTER = TextStyle(size=19, leading=25, bold=True, colour=BRAND, before=22, after=8)
SECTION = TextStyle(size=11.5, leading=16, bold=True, before=12, after=4)
CELL = TextStyle(size=8.5, leading=12, after=0)
HEAD_CELL = TextStyle(size=8, leading=11, bold=True, colour=MUTED, after=0)
BY_TONE = {"body": BODY, "lead": LEAD, "note": NOTE}
