"""Finds key-value pairs on a page by where their words stand.

Rules: a label ends in a colon, or is a known field of invoices; its value stands behind it in the line, else to the
right in the same row, else below. A blank value is a pair too: a form that was not filled in is worth knowing. Boxes
to tick (☐ ☒, ``[ ]``, or drawn) take the words after them as their name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from docdask.service.offline import labels
from docdask.service.offline.page import Box, Line, Word, union

_MAX_LABEL_WORDS = 6
_MAX_LABEL_CHARACTERS = 48
_FILLED = frozenset("☑☒✓✔✗✘■▣◼⊠")
_UNFILLED = frozenset("☐□▢◻❏❑○")
_TIME = re.compile(r"\d:$")


@dataclass(frozen=True, slots=True)
class Field:
    """One key-value pair; a blank value has no words and the box where it would stand."""

    name: tuple[Word, ...]
    name_box: Box
    value: tuple[Word, ...]
    value_box: Box
    confidence: float
    value_type: str = ""
    """Empty, ``filled_checkbox`` or ``unfilled_checkbox``."""


def find(
    lines: Sequence[Line], checkboxes: Sequence[tuple[Box, bool]], width: float, height: float
) -> list[Field]:
    """Key-value pairs of a page, in the order of their names.

    Parameters
    ----------
    lines
        In reading order.
    checkboxes
        Drawn boxes and whether they are marked.
    width, height
        Of the page.
    """
    upright = [line for line in lines if line.turn == 0]
    finder = _Finder(upright, width, height)
    for line in upright:
        finder.in_line(line)
    for line in upright:
        finder.by_label(line)
    return [*finder.found, *_ticked(upright), *_drawn(upright, checkboxes)]


class _Finder:
    """Pairs found so far, and which lines are used up as values."""

    def __init__(self, lines: list[Line], width: float, height: float) -> None:
        self._lines = lines
        self._width = width
        self._height = height
        self._used: set[int] = set()
        self.found: list[Field] = []

    def in_line(self, line: Line) -> None:
        """Pairs whose label ends in a colon within the line."""
        ends = [
            i for i, word in enumerate(line.words) if word.text[-1] in ":：" and not _TIME.search(word.text)
        ]
        start = 0
        for place, end in enumerate(ends):
            name = line.words[start : end + 1] if place == 0 else _label_before(line.words[start : end + 1])
            if not _is_label(name):
                if place == 0:
                    return
                continue
            stop = len(line.words)
            if place + 1 < len(ends):
                stop = ends[place + 1] + 1 - len(_label_before(line.words[end + 1 : ends[place + 1] + 1]))
            value = line.words[end + 1 : stop]
            start = stop
            self._add(line, name, value)

    def by_label(self, line: Line) -> None:
        """A known label without a colon, alone in its line, with its value right or below."""
        if id(line) in self._used or len(line.text) > _MAX_LABEL_CHARACTERS or line.text[-1] in ":：":
            return
        found = labels.kinds_in(line.text)
        if len(found) != 1 or found[0][1] - found[0][0] < 0.7 * len(line.text.strip(" .#")):
            return
        value = self._right_of(line.box) or self._below(line.box)
        if value is not None and value.words[0].text[-1] not in ":：" and not labels.kinds_in(value.text):
            self._used.update((id(line), id(value)))
            self.found.append(Field(line.words, line.box, value.words, value.box, 0.6 * line.confidence))

    def _add(self, line: Line, name: tuple[Word, ...], value: tuple[Word, ...]) -> None:
        box = union(word.box for word in name)
        self._used.add(id(line))
        if value:
            self.found.append(
                Field(name, box, value, union(word.box for word in value), 0.85 * line.confidence)
            )
            return
        if name[-1] is line.words[-1]:
            for other, confidence in ((self._right_of(box), 0.8), (self._below(box), 0.65)):
                if other is not None and not any(word.text[-1] in ":：" for word in other.words):
                    self._used.add(id(other))
                    self.found.append(Field(name, box, other.words, other.box, confidence * line.confidence))
                    return
        blank = Box(box.x1, box.y0, min(self._width, box.x1 + 0.2 * self._width), box.y1)
        self.found.append(Field(name, box, (), blank, 0.5 * line.confidence))

    def _right_of(self, box: Box) -> Line | None:
        near = [
            line
            for line in self._lines
            if id(line) not in self._used
            and box.x1 - 1 <= line.box.x0 <= box.x1 + 0.35 * self._width
            and line.box.overlap_y(box) > 0.5 * min(box.height, line.box.height)
        ]
        return min(near, key=lambda line: line.box.x0, default=None)

    def _below(self, box: Box) -> Line | None:
        near = [
            line
            for line in self._lines
            if id(line) not in self._used
            and 0 < line.box.y0 - box.y0 < 2.2 * max(box.height, line.box.height)
            and line.box.middle > box.y1
            and (abs(line.box.x0 - box.x0) < 1.5 * box.height or line.box.overlap_x(box) > 0.6 * box.width)
        ]
        return min(near, key=lambda line: line.box.y0, default=None)


def _label_before(words: Sequence[Word]) -> tuple[Word, ...]:
    """Label at the end of words that begin with the value before it: split at a gap that stands out, else one word."""
    most = min(_MAX_LABEL_WORDS, len(words) - 1)
    if most < 1:
        return tuple(words)
    gaps = {count: words[-count].box.x0 - words[-count - 1].box.x1 for count in range(1, most + 1)}
    count = max(gaps, key=lambda count: gaps[count])
    return tuple(words[-count:] if gaps[count] > 0.8 * words[-1].box.height else words[-1:])


def _is_label(words: Sequence[Word]) -> bool:
    text = " ".join(word.text for word in words)
    letters = sum(character.isalpha() for character in text)
    if not 0 < len(words) <= _MAX_LABEL_WORDS or len(text) > _MAX_LABEL_CHARACTERS or letters < 2:
        return False
    return not text.lower().startswith(("http", "www"))


def _ticked(lines: list[Line]) -> list[Field]:
    """Boxes to tick that are characters of the text."""
    found = []
    for line in lines:
        marks = [(i, count, kind) for i, (count, kind) in _marks(line.words)]
        for place, (index, count, kind) in enumerate(marks):
            stop = marks[place + 1][0] if place + 1 < len(marks) else len(line.words)
            name = line.words[index + count : stop]
            value = line.words[index : index + count]
            if not name and place == 0 and index > 0:
                name = line.words[:index]
            if name:
                boxes = union(word.box for word in name), union(word.box for word in value)
                found.append(Field(name, boxes[0], value, boxes[1], 0.8 * line.confidence, kind))
    return found


def _marks(words: Sequence[Word]) -> list[tuple[int, tuple[int, str]]]:
    """Ticks in a line: index of the first word, words it takes, ``value_type``."""
    out: list[tuple[int, tuple[int, str]]] = []
    for i, word in enumerate(words):
        text = word.text
        if (text[0] in _FILLED and len(text) == 1) or text.lower() in ("[x]", "(x)"):
            out.append((i, (1, "filled_checkbox")))
        elif (text[0] in _UNFILLED and len(text) == 1) or text in ("[]", "()", "[_]"):
            out.append((i, (1, "unfilled_checkbox")))
        elif text == "[" and i + 1 < len(words) and words[i + 1].text == "]":
            out.append((i, (2, "unfilled_checkbox")))
    return out


def _drawn(lines: list[Line], checkboxes: Sequence[tuple[Box, bool]]) -> list[Field]:
    """Drawn boxes to tick, named by the words right of them."""
    found = []
    for box, marked in checkboxes:
        near = [
            line
            for line in lines
            if line.box.overlap_y(box) > 0.4 * min(box.height, line.box.height)
            and any(0 <= word.box.x0 - box.x1 < 3 * box.height for word in line.words)
        ]
        if not near:
            continue
        line = min(near, key=lambda line: min(abs(word.box.x0 - box.x1) for word in line.words))
        start = next(i for i, word in enumerate(line.words) if word.box.x0 >= box.x1)
        others = [other.x0 for other, _ in checkboxes if other.x0 > box.x1 and other.overlap_y(box) > 0]
        name = tuple(word for word in line.words[start:] if not others or word.box.x1 <= min(others) + 1)
        inside = tuple(word for word in line.words[:start] if box.contains(word.box))
        if name and sum(character.isalpha() for word in name for character in word.text) >= 2:
            kind = "filled_checkbox" if marked or inside else "unfilled_checkbox"
            found.append(
                Field(name, union(word.box for word in name), inside, box, 0.7 * line.confidence, kind)
            )
    return found
