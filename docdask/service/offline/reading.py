"""Decides in which order the lines of a page are read, and which of them form paragraphs and blocks.

Source: recursive XY-cut (G. Nagy, S. Seth, "Hierarchical representation of optically scanned documents", ICPR 1984).
Rules: a page is cut along its widest empty strips. A vertical strip wins only where running text stands on both sides
of it (columns); beside figures and short cells the rows are cut first, so that a table is read row by row. Lines of
the same height side by side are read in writing direction: right to left where most letters are Arabic or Hebrew.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from docdask.service.offline.page import Box, Line, line_of, union

#: Columns need at least so many lines on each side, of at least so many characters in the middle one.
_COLUMN_LINES = 3
_COLUMN_CHARACTERS = 14
#: Median line of a column fills at least this share of its width.
_COLUMN_FILL = 0.45
#: Share of the lines that may cross the strip between two columns.
_CROSSING = 0.12
#: Share of all lines that may run across columns above and below a stretch of them.
_STRETCH_CROSSING = 0.6
_MAX_DEPTH = 40


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Lines that are read as one piece."""

    lines: tuple[Line, ...]

    @property
    def box(self) -> Box:
        """Around all its lines."""
        return union(line.box for line in self.lines)


@dataclass(frozen=True, slots=True)
class Block:
    """Paragraphs that stand together."""

    paragraphs: tuple[Paragraph, ...]

    @property
    def box(self) -> Box:
        """Around all its paragraphs."""
        return union(paragraph.box for paragraph in self.paragraphs)


def read_in_order(lines: Sequence[Line]) -> list[Block]:
    """Blocks of paragraphs of lines, in the order they are read."""
    upright = [line for line in lines if line.turn == 0]
    aside = [line for line in lines if line.turn != 0]
    blocks: list[Block] = []
    if upright:
        high = median(line.box.height for line in upright)
        for region in _cut(upright, high, 0):
            blocks.extend(_blocks(region))
    # Writing on its side (stamps in the margin, axis labels) is read last, each line by itself.
    blocks.extend(
        Block((Paragraph((line,)),)) for line in sorted(aside, key=lambda line: (line.box.x0, line.box.y0))
    )
    return blocks


def is_rtl(text: str) -> bool:
    """Whether most letters of a text are written from right to left."""
    right = left = 0
    for character in text:
        direction = unicodedata.bidirectional(character)
        right += direction in ("R", "AL")
        left += direction == "L"
    return right > left


def _gaps(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Empty strips between spans: (start, end)."""
    found: list[tuple[float, float]] = []
    reach: float | None = None
    for start, end in sorted(spans):
        if reach is not None and start > reach:
            found.append((reach, start))
        reach = end if reach is None else max(reach, end)
    return found


def _cut(lines: list[Line], high: float, depth: int) -> list[list[Line]]:
    """Regions without a further cut, in reading order."""
    if len(lines) < 2 or depth > _MAX_DEPTH:
        return [lines]
    columns = _column_cut(lines, high)
    if columns:
        if is_rtl("".join(line.text for line in lines)):
            columns.reverse()
        return [region for part in columns for region in _cut(part, high, depth + 1)]
    rows = _row_cut(lines, high)
    if rows:
        return [region for part in rows for region in _cut(part, high, depth + 1)]
    return [lines]


def _column_cut(lines: list[Line], high: float) -> list[list[Line]] | None:
    """Left and right part at the widest vertical strip, if both are running text.

    A few lines may cross it where OCR took two neighbours for one: they are parted between their words.
    """
    if len(lines) < 2 * _COLUMN_LINES:
        return None
    for start, end in sorted(_gutters(lines, _CROSSING), key=lambda gap: gap[0] - gap[1])[:8]:
        if end - start < 0.5 * high:
            return None
        pieces = [_parted(line, start, end) for line in lines]
        if any(piece is None for piece in pieces):
            continue
        left = [piece[0] for piece in pieces if piece and piece[0]]
        right = [piece[1] for piece in pieces if piece and piece[1]]
        if _is_column(left) and _is_column(right):
            return [left, right]
    return None


def _gutters(lines: list[Line], share: float) -> list[tuple[float, float]]:
    """Vertical strips that at most this share of the lines cross."""
    allowed = int(share * len(lines))
    edges = sorted([(line.box.x0, 1) for line in lines] + [(line.box.x1, -1) for line in lines])
    found: list[tuple[float, float]] = []
    crossing = 0
    begun: float | None = None
    for x, step in edges:
        crossing += step
        if step < 0 and crossing <= allowed and begun is None:
            begun = x
        elif crossing > allowed and begun is not None:
            found.append((begun, x))
            begun = None
    return found


def _valleys(lines: list[Line], high: float) -> list[tuple[float, float]]:
    """Vertical strips that fewer lines cross than the strips beside them, fewest first."""
    edges = sorted([(line.box.x0, 1) for line in lines] + [(line.box.x1, -1) for line in lines])
    slack = max(1, int(0.03 * len(lines)))
    levels: list[tuple[float, float, int]] = []
    crossing = 0
    for (x, step), (after, _) in pairwise(edges):
        crossing += step
        if after > x:
            levels.append((x, after, crossing))
    found: list[tuple[int, float, float]] = []
    for index in range(1, len(levels) - 1):
        floor = levels[index][2]
        if not (levels[index - 1][2] > floor < levels[index + 1][2]) or floor > _STRETCH_CROSSING * len(
            lines
        ):
            continue
        first = last = index
        while first > 0 and levels[first - 1][2] <= floor + slack:
            first -= 1
        while last + 1 < len(levels) and levels[last + 1][2] <= floor + slack:
            last += 1
        if first > 0 and last + 1 < len(levels) and levels[last][1] - levels[first][0] >= 0.5 * high:
            found.append((floor, levels[index][0], levels[index][1]))
    return [(start, end) for _, start, end in sorted(found)]


def _parted(line: Line, start: float, end: float) -> tuple[Line | None, Line | None] | None:
    """What of a line stands left and right of a strip; None where a word stands in it."""
    middle = (start + end) / 2
    if line.box.x1 <= middle:
        return line, None
    if line.box.x0 >= middle:
        return None, line
    slack = 0.5 * (end - start) + 0.3 * line.box.height
    for before, after, index in zip(line.words, line.words[1:], range(1, len(line.words)), strict=False):
        left, right = before.box, after.box
        if right.x0 - left.x1 < 0.5 * (end - start):
            continue  # a space between two words of one line, as in a heading over both columns
        if left.x1 <= middle + slack and right.x0 >= middle - slack and right.centre > middle > left.centre:
            return line_of(line.words[:index], line.turn), line_of(line.words[index:], line.turn)
    return None


def _is_column(lines: list[Line]) -> bool:
    """Whether these lines look like running text: enough lines that fill their width and stand close."""
    if len(lines) < _COLUMN_LINES:
        return False
    box = union(line.box for line in lines)
    widths = sorted(line.box.width for line in lines)
    characters = sorted(len(line.text) for line in lines)
    half = len(lines) // 2
    return (
        characters[half] >= _COLUMN_CHARACTERS
        and widths[half] >= _COLUMN_FILL * box.width
        and _is_dense(lines)
    )


def _is_dense(lines: list[Line]) -> bool:
    """Whether lines follow each other at text distance, and not like rows of a sparse table."""
    ordered = sorted(lines, key=lambda line: line.box.middle)
    high = median(line.box.height for line in ordered)
    steps = [after.box.middle - before.box.middle for before, after in pairwise(ordered)]
    return median(steps) <= 2.6 * high


def _row_cut(lines: list[Line], high: float) -> list[list[Line]] | None:
    """Parts one above the other: what stands above, in and below columns, else cut at every strip of a line's height."""
    part = _column_stretch(lines, high)
    if part:
        return part
    strips = _gaps([(line.box.y0, line.box.y1) for line in lines])
    wide = [gap for gap in strips if gap[1] - gap[0] >= 0.6 * high]
    if not wide:
        return None
    parts: list[list[Line]] = [[]]
    edges = [(start + end) / 2 for start, end in wide]
    for line in sorted(lines, key=lambda line: line.box.middle):
        while edges and line.box.middle > edges[0]:
            edges.pop(0)
            parts.append([])
        parts[-1].append(line)
    return [part for part in parts if part]


def _column_stretch(lines: list[Line], high: float) -> list[list[Line]] | None:
    """Lines above, in and below the longest stretch of columns, where headings or footers run across them."""
    if len(lines) < 2 * _COLUMN_LINES:
        return None
    best: list[Line] = []
    for start, end in _valleys(lines, high)[:8]:
        stretch: list[Line] = []
        for line in [*sorted(lines, key=lambda line: line.box.middle), None]:
            if line is not None and _parted(line, start, end) is not None:
                stretch.append(line)
                continue
            if len(best) < len(stretch) < len(lines) and _column_cut(stretch, high):
                best = stretch
            stretch = []
    if not best:
        return None
    top, bottom = min(line.box.middle for line in best), max(line.box.middle for line in best)
    above = [line for line in lines if line.box.middle < top]
    below = [line for line in lines if line.box.middle > bottom]
    inside = [line for line in lines if top <= line.box.middle <= bottom]
    if len(inside) == len(lines):
        return None
    return [part for part in (above, inside, below) if part]


def rows_of(lines: Sequence[Line]) -> list[list[Line]]:
    """Lines that stand side by side, grouped: top row first, each row in writing direction."""
    rows: list[list[Line]] = []
    spans: list[tuple[float, float]] = []
    for line in sorted(lines, key=lambda line: line.box.middle):
        if rows:
            top, bottom = spans[-1]
            common = min(bottom, line.box.y1) - max(top, line.box.y0)
            if common > 0.5 * min(bottom - top, line.box.height):
                rows[-1].append(line)
                continue
        rows.append([line])
        spans.append((line.box.y0, line.box.y1))
    for row in rows:
        rtl = is_rtl("".join(line.text for line in row))
        row.sort(key=lambda line: -line.box.x1 if rtl else line.box.x0)
    return rows


def _blocks(region: list[Line]) -> list[Block]:
    """Paragraphs of a region, each a block where a wider gap or another column parts it from the one before."""
    paragraphs: list[list[Line]] = []
    previous: list[Line] = []
    for row in rows_of(region):
        if len(row) > 1:
            # Side by side: cells, labels with values. Each is a paragraph of its own.
            paragraphs.extend([line] for line in row)
        elif len(previous) == 1 and paragraphs and _continues(paragraphs[-1], row[0]):
            paragraphs[-1].append(row[0])
        else:
            paragraphs.append([row[0]])
        previous = row
    return [Block((Paragraph(tuple(lines)),)) for lines in paragraphs]


def _continues(paragraph: list[Line], line: Line) -> bool:
    """Whether a line goes on with the paragraph above it: close, of like height, and not indented anew."""
    last = paragraph[-1].box
    high = max(last.height, line.box.height)
    if line.box.y0 - last.y1 > 0.7 * high or min(last.height, line.box.height) < 0.6 * high:
        return False
    if line.box.overlap_x(last) <= 0:
        return False
    # The first line of a new paragraph is set in, or follows a line that ends early.
    edge = min(part.box.x0 for part in paragraph[1:]) if len(paragraph) > 1 else last.x0
    return not (len(paragraph) > 1 and line.box.x0 - edge > 0.8 * high and not is_rtl(line.text))
