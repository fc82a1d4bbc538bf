"""Sets text of any script in lines of a given width: which font for which character, where lines break, what is drawn.

A paragraph's text is divided into runs of one font, weight, script and direction; HarfBuzz shapes each run, so that
Arabic joins and Devanagari reorders. Lines break after spaces and after ``/ - _ . , : ; & =``, between Chinese and
Japanese characters, and inside a word that is wider than the line: never between a letter and its marks.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from docdask.reporting.bidi import base_level, levels, visual
from docdask.reporting.fontset import BOLD, REGULAR, Cut, FontSet

_AFTER = set("/\\-_–—,;:.?!&=+@|)")
_NEVER_FIRST = set("、。，．：；？！」』）】〉》〕］｝ーぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ々")


@dataclass(frozen=True, slots=True)
class Span:
    """Text in one weight and colour (``#rrggbb``; None: the style's)."""

    text: str
    bold: bool = False
    colour: str | None = None


@dataclass(frozen=True, slots=True)
class Glyph:
    """One glyph: number in its font, how far it moves the pen, where it stands off it (font units), what it means."""

    number: int
    advance: int
    dx: int
    dy: int
    text: str


@dataclass(frozen=True, slots=True)
class Run:
    """Glyphs of one font from left to right."""

    font: Cut
    glyphs: tuple[Glyph, ...]
    text: str
    simple: bool
    """Its glyphs tell its text: a reader can copy it without help."""
    colour: str | None
    units: int

    def width(self, size: float) -> float:
        """Width in points at ``size`` points."""
        return self.units * size / self.font.upem


@dataclass(frozen=True, slots=True)
class Line:
    """Runs from left to right, and whether the paragraph runs right to left."""

    runs: tuple[Run, ...]
    rtl: bool

    def width(self, size: float) -> float:
        """Width in points at ``size`` points."""
        return sum(run.width(size) for run in self.runs)


def _joins(before: str, character: str) -> bool:
    """Whether a line must not break between the two: marks, joiners and what they join."""
    return (
        unicodedata.category(character)[0] == "M"
        or character in "\u200d\u200c"
        or before == "\u200d"
        or unicodedata.combining(before) == 9  # a virama binds the next consonant
        or 0x1F3FB <= ord(character) <= 0x1F3FF
    )


def _may_break(text: str, i: int) -> bool:
    """Whether a line may end before character ``i``."""
    before, character = text[i - 1], text[i]
    if before == "-" and (i < 2 or text[i - 2] in " -"):
        return False  # an option's dashes stay with its name
    if before == " ":
        return character != " "
    if character == " " or _joins(before, character) or character in _NEVER_FIRST:
        return False
    if before in _AFTER:
        return character.isalnum() and not (before in ".,:" and character.isdigit())
    wide = unicodedata.east_asian_width
    return wide(before) in "WF" or wide(character) in "WF"


class Typesetter:
    """Shapes and breaks text with the fonts of one report."""

    def __init__(self, fonts: FontSet) -> None:
        self.fonts = fonts
        self._shape = lru_cache(maxsize=20_000)(self._shape_now)

    def _shape_now(
        self, text: str, number: int, weight: int, script: str, rtl: bool, japanese: bool
    ) -> tuple[Any, ...]:
        import uharfbuzz as hb

        font = self.fonts.cut(number, weight)
        buffer = hb.Buffer()
        buffer.add_str(text)
        buffer.direction = "rtl" if rtl else "ltr"
        buffer.script = script
        buffer.language = "ja" if japanese else "en"
        hb.shape(font.shaper, buffer, {"kern": True, "liga": False})
        starts = sorted({info.cluster for info in buffer.glyph_infos})
        ends = dict(zip(starts, [*starts[1:], len(text)], strict=True))
        glyphs, seen, units = [], set(), 0
        for info, place in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True):
            meaning = "" if info.cluster in seen else text[info.cluster : ends[info.cluster]]
            seen.add(info.cluster)
            glyphs.append(Glyph(info.codepoint, place.x_advance, place.x_offset, place.y_offset, meaning))
            units += place.x_advance
        # Readers put right-to-left glyphs back in order themselves, and turn a text of its own round once too often.
        simple = rtl or all(len(g.text) == 1 for g in glyphs)
        return font, tuple(glyphs), simple, units

    def _items(self, spans: Sequence[Span]) -> tuple[str, list[tuple[Any, ...]], int]:
        """Text as it is printed, one key of (font, weight, colour, script, level) a character, and the base level."""
        from fontTools.unicodedata import script as script_of

        parts = [(self.fonts.printable(span.text), span) for span in spans]
        text = "".join(part for part, _ in parts)
        level = levels(text)
        keys: list[tuple[Any, ...]] = []
        number, script, at = None, "Latn", 0
        for part, span in parts:
            for character in part:
                own = script_of(character)
                if own not in {"Zyyy", "Zinh", "Zzzz"}:
                    script = own
                mark = unicodedata.category(character)[0] == "M" or unicodedata.category(character) in {
                    "Cf",
                    "Zs",
                }
                if not (mark and number is not None and self.fonts.has(number, character)):
                    number = self.fonts.choose(character, number)
                keys.append((number, BOLD if span.bold else REGULAR, span.colour, script, level[at]))
                at += 1
        return text, keys, base_level(text)

    def _runs(self, text: str, keys: list[tuple[Any, ...]], start: int, end: int) -> list[Run]:
        """Runs of a stretch of text, from left to right."""
        japanese = any("\u3040" <= c <= "\u30ff" for c in text)
        runs, order, i = [], [], start
        while i < end:
            stop = i
            while stop < end and keys[stop] == keys[i]:
                stop += 1
            number, weight, colour, script, level = keys[i]
            font, glyphs, simple, units = self._shape(
                text[i:stop], number, weight, script, bool(level % 2), japanese
            )
            runs.append(Run(font, glyphs, text[i:stop], simple, colour, units))
            order.append(level)
            i = stop
        return [runs[n] for n in visual(order)]

    def lines(self, spans: Sequence[Span], size: float, width: float) -> list[Line]:
        """Break ``spans`` into lines no wider than ``width`` points, set at ``size`` points.

        At least one line is given, without runs for empty text.
        """
        text, keys, base = self._items(spans)

        def measure(start: int, end: int) -> float:
            while end > start and text[end - 1] == " ":
                end -= 1
            return sum(run.width(size) for run in self._runs(text, keys, start, end))

        found: list[Line] = []
        start = 0
        while start < len(text):
            end = self._fit(text, start, width, measure)
            stop = end
            while stop > start and text[stop - 1] == " ":
                stop -= 1
            found.append(Line(tuple(self._runs(text, keys, start, stop)), bool(base)))
            start = end
        return found or [Line((), bool(base))]

    def _fit(self, text: str, start: int, width: float, measure: Any) -> int:
        """End of the line that starts at ``start``: the last break that fits, else as many characters as fit."""
        last, i = start, start + 1
        while i <= len(text):
            if i == len(text) or _may_break(text, i):
                if measure(start, i) > width:
                    break
                last = i
            i += 1
        if last > start:
            return last
        low, high = start + 1, min(i, len(text))
        while low < high:  # widths grow with length: bisect
            middle = (low + high + 1) // 2
            low, high = (middle, high) if measure(start, middle) <= width else (low, middle - 1)
        while low > start + 1 and low < len(text) and _joins(text[low - 1], text[low]):
            low -= 1
        return low

    def line(self, text: str, *, bold: bool = False, colour: str | None = None) -> Line:
        """All of ``text`` in one line."""
        printed, keys, base = self._items([Span(text, bold, colour)])
        return Line(tuple(self._runs(printed, keys, 0, len(printed))), bool(base))
