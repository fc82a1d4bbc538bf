"""Reads the text layer of a PDF page into lines of words on the upright page.

Rules: PDFium's own character order is kept inside a run (it puts right-to-left text into logical order); a run is
split where the gap is wider than a space can be, so that columns and table cells become lines of their own; where the
text of a page stands on its side or head, the page is turned until it reads upright.
"""

from __future__ import annotations

import ctypes
import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from docdask.service.offline.page import Box, Line, Word, line_of

#: A gap wider than this many line heights is no space between words.
_RUN_GAP = 1.6
#: A gap wider than this share of the height separates words even where the file has no space character.
_WORD_GAP = 0.28
_SCALE = 1_000_000


@dataclass(frozen=True, slots=True)
class Layer:
    """Text layer of one page."""

    lines: tuple[Line, ...]
    unmapped: int
    """Characters without a Unicode value."""
    width: float
    height: float
    """Size of the upright page in points."""
    turn: int
    """Quarter turns clockwise applied on top of the page's own /Rotate."""


@dataclass(slots=True)
class _Char:
    text: str
    box: Box
    turn: int


class PageSpace:
    """Maps a PDF page's user space to the page as shown: points from its top left, ``/Rotate`` applied."""

    def __init__(self, page: Any) -> None:
        import pypdfium2.raw as pdfium

        self.width, self.height = page.get_size()
        corners = [self._device(pdfium, page, x, y) for x, y in ((0.0, 0.0), (1000.0, 0.0), (0.0, 1000.0))]
        (self._x, self._y), (x_x, x_y), (y_x, y_y) = corners
        self._xx, self._xy = (x_x - self._x) / 1000, (x_y - self._y) / 1000
        self._yx, self._yy = (y_x - self._x) / 1000, (y_y - self._y) / 1000

    def _device(self, pdfium: Any, page: Any, x: float, y: float) -> tuple[float, float]:
        out_x, out_y = ctypes.c_int(), ctypes.c_int()
        pdfium.FPDF_PageToDevice(page, 0, 0, _SCALE, _SCALE, 0, x, y, out_x, out_y)
        return out_x.value * self.width / _SCALE, out_y.value * self.height / _SCALE

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Position on the shown page."""
        return self._x + x * self._xx + y * self._yx, self._y + x * self._xy + y * self._yy

    def box(self, left: float, bottom: float, right: float, top: float) -> Box:
        """Box on the shown page."""
        ax, ay = self.point(left, bottom)
        bx, by = self.point(right, top)
        return Box(min(ax, bx), min(ay, by), max(ax, bx), max(ay, by))

    @property
    def turn(self) -> int:
        """Quarter turns clockwise from user space to the shown page."""
        # User space has y up: unturned, its x axis points right on the shown page.
        return round(math.degrees(math.atan2(self._xy, self._xx)) / 90) % 4


def turned(box: Box, turn: int, width: float, height: float) -> Box:
    """Box after the page of that size was turned clockwise by quarter turns."""
    for _ in range(turn % 4):
        box = Box(height - box.y1, box.x0, height - box.y0, box.x1)
        width, height = height, width
    return box


def read_layer(page: Any) -> Layer:
    """Read the text layer of a pypdfium2 page.

    Returns
    -------
    Layer
        Lines in PDFium's order; the reading order is found later.
    """
    space = PageSpace(page)
    textpage = page.get_textpage()
    try:
        runs, unmapped = _runs(textpage, space)
    finally:
        textpage.close()
    turns: Counter[int] = Counter()
    for run in runs:
        for char in run:
            turns[char.turn] += 1
    main = turns.most_common(1)[0][0] if turns else 0
    back = -main % 4
    width, height = (space.height, space.width) if back % 2 else (space.width, space.height)
    lines: list[Line] = []
    for run in runs:
        for char in run:
            char.box = turned(char.box, back, space.width, space.height)
            char.turn = (char.turn + back) % 4
        for part in _split(run):
            words = _words(part)
            if words:
                lines.append(line_of(words, part[0].turn))
    return Layer(tuple(_once(lines)), unmapped, width, height, back)


def _runs(textpage: Any, space: PageSpace) -> tuple[list[list[_Char]], int]:
    """Characters between PDFium's line breaks; a space is a character of text ``" "``."""
    import pypdfium2.raw as pdfium

    raw = textpage.raw
    count = textpage.count_chars()
    get_code, get_box, get_angle = (
        pdfium.FPDFText_GetUnicode,
        pdfium.FPDFText_GetLooseCharBox,
        pdfium.FPDFText_GetCharAngle,
    )
    has_error = pdfium.FPDFText_HasUnicodeMapError
    rect = pdfium.FS_RECTF()
    page_turn = space.turn
    runs: list[list[_Char]] = []
    run: list[_Char] = []
    unmapped = 0
    high = 0
    for index in range(count):
        code = get_code(raw, index)
        if code in (10, 13):
            if run:
                runs.append(run)
                run = []
            continue
        if 0xD800 <= code < 0xDC00:
            high = code
            continue
        if 0xDC00 <= code < 0xE000:
            code = 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00) if high else 0xFFFD
            high = 0
        if code in (2, 0xFFFE, 0xFFFF, 0xAD):
            code = 0x2D  # how PDFium marks a hyphen at the end of a line, and the soft hyphen
        if code < 0x20 or 0x7F <= code < 0xA0:
            unmapped += 1  # a glyph without a meaning, and poison to XML and spreadsheets
            continue
        if has_error(raw, index) == 1:
            unmapped += 1
        text = chr(code)
        if text.isspace():
            text = " "
        if not get_box(raw, index, rect):
            continue
        box = space.box(rect.left, rect.bottom, rect.right, rect.top)
        # PDFium gives a character's angle against user space, clockwise in radians; below 0 it has none.
        angle = get_angle(raw, index)
        turn = (page_turn + round(angle / (math.pi / 2))) % 4 if angle > 0 else page_turn
        run.append(_Char(text, box, turn))
        _mend_ligature(run)
    if run:
        runs.append(run)
    return runs, unmapped


def _mend_ligature(run: list[_Char]) -> None:
    """Put lam before alef where PDFium took their ligature, one glyph, apart in visual order."""
    if len(run) < 2:
        return
    first, second = run[-2], run[-1]
    if second.text == "\u0644" and first.text in "\u0622\u0623\u0625\u0627" and first.box == second.box:
        first.text, second.text = second.text, first.text


def _along(box: Box, turn: int) -> tuple[float, float, float]:
    """Start and end of a box in writing direction, and its height across it."""
    if turn == 0:
        return box.x0, box.x1, box.height
    if turn == 1:
        return box.y0, box.y1, box.width
    if turn == 2:
        return -box.x1, -box.x0, box.height
    return -box.y1, -box.y0, box.width


def _split(run: list[_Char]) -> list[list[_Char]]:
    """Split a run where the gap is too wide for a space, or the direction or baseline changes."""
    parts: list[list[_Char]] = []
    part: list[_Char] = []
    last: _Char | None = None
    for char in run:
        if char.text == " ":
            if part:
                part.append(char)
            continue
        if last is not None and part and _breaks(last, char):
            parts.append(part)
            part = []
        part.append(char)
        last = char
    if part:
        parts.append(part)
    return parts


def _breaks(last: _Char, char: _Char) -> bool:
    if last.turn != char.turn:
        return True
    start, end, height = _along(last.box, last.turn)
    next_start, next_end, next_height = _along(char.box, char.turn)
    high = max(height, next_height, 1e-6)
    gap = max(next_start - end, start - next_end)
    across = last.box.overlap_y(char.box) if last.turn % 2 == 0 else last.box.overlap_x(char.box)
    return gap > _RUN_GAP * high or across < -0.1 * high


def _words(part: list[_Char]) -> list[Word]:
    words: list[Word] = []
    letters: list[_Char] = []

    def finish(*, space: bool) -> None:
        if letters:
            text = "".join(char.text for char in letters)
            box = Box(
                min(char.box.x0 for char in letters),
                min(char.box.y0 for char in letters),
                max(char.box.x1 for char in letters),
                max(char.box.y1 for char in letters),
            )
            words.append(Word(text, box, 1.0, space))
            letters.clear()

    for char in part:
        if char.text == " ":
            finish(space=True)
            continue
        if letters and not is_unspaced(char.text):
            start, end, height = _along(letters[-1].box, char.turn)
            next_start, next_end, next_height = _along(char.box, char.turn)
            if max(next_start - end, start - next_end) > _WORD_GAP * max(height, next_height):
                finish(space=True)
        elif letters and (is_unspaced(char.text) and not _closing(char.text)):
            finish(space=False)
        letters.append(char)
        if is_unspaced(char.text):
            # One token a character, as no dictionary tells where words end; closing marks stay with it.
            continue
    finish(space=True)
    return words


def is_unspaced(character: str) -> bool:
    """Whether the script of this character is written without spaces between words (Han, Kana)."""
    code = ord(character[0])
    return (
        0x3040 <= code <= 0x30FF
        or 0x3400 <= code <= 0x9FFF
        or 0xF900 <= code <= 0xFAFF
        or 0x20000 <= code <= 0x3FFFF
    )


def _closing(character: str) -> bool:
    return character in "、。，．」』）】！？：；"


def _once(lines: list[Line]) -> list[Line]:
    """Drop lines that are drawn twice at the same place (imitated bold type, shadows)."""
    seen: set[tuple[str, int, int]] = set()
    kept: list[Line] = []
    for line in lines:
        high = max(line.box.height, 1.0)
        key = (line.text, round(line.box.x0 / high), round(line.box.y0 / high))
        if key not in seen:
            seen.add(key)
            kept.append(line)
    return kept
