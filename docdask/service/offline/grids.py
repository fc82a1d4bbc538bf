"""Finds ruled tables: cells from the drawn lines of a page.

Source: the usual lattice method (A. Nurminen, "Algorithmic extraction of data in tables in PDF documents", 2013):
snap and join the lines, take the ones that cross as one table, and merge neighbouring cells that no line parts.
Rules: a table has at least two rows and two columns and words in a third of its cells; a lone frame is none.
"""

from __future__ import annotations

from collections.abc import Sequence

from docdask.service.offline.page import Box, Rule, Word
from docdask.service.offline.tables import Cell, Grid

#: Rules nearer than this (of the page's height) are one.
_SNAP = 0.003
_MAX_CELLS = 5000
_MAX_RULES = 3000
_MIN_FILLED = 0.3


def find(words: Sequence[Word], rules: Sequence[Rule], width: float, height: float) -> list[Grid]:
    """Ruled tables of a page, top first."""
    snap = max(1.0, _SNAP * max(width, height))
    flat = joined([rule.box for rule in rules if rule.horizontal], snap)
    tall = [_flip(box) for box in joined([_flip(rule.box) for rule in rules if not rule.horizontal], snap)]
    if len(flat) < 3 or len(tall) < 1 or len(flat) + len(tall) > _MAX_RULES:
        return []
    grids = []
    for across, down in _crossing(flat, tall, snap):
        grid = _grid(across, down, words, snap)
        if grid and grid.box.width * grid.box.height > 0.002 * width * height:
            grids.append(grid)
    return sorted(grids, key=lambda grid: grid.box.y0)


def _flip(box: Box) -> Box:
    return Box(box.y0, box.x0, box.y1, box.x1)


def joined(boxes: Sequence[Box], snap: float) -> list[Box]:
    """Horizontal lines with pieces of one line joined, and double lines made one."""
    out: list[Box] = []
    for box in sorted(boxes, key=lambda box: (round(box.middle / snap), box.x0)):
        for index in range(len(out) - 1, max(-1, len(out) - 12), -1):
            other = out[index]
            if (
                abs(other.middle - box.middle) <= snap
                and box.x0 - other.x1 <= 3 * snap
                and other.x0 - box.x1 <= 3 * snap
            ):
                middle = other.middle
                out[index] = Box(min(other.x0, box.x0), middle, max(other.x1, box.x1), middle)
                break
        else:
            out.append(Box(box.x0, box.middle, box.x1, box.middle))
    return out


def _crossing(flat: list[Box], tall: list[Box], snap: float) -> list[tuple[list[Box], list[Box]]]:
    """Groups of lines that touch one another, directly or through others."""
    parent = list(range(len(flat) + len(tall)))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for i, across in enumerate(flat):
        for j, down in enumerate(tall, start=len(flat)):
            if (
                across.x0 - snap <= down.x0 <= across.x1 + snap
                and down.y0 - snap <= across.y0 <= down.y1 + snap
            ):
                parent[root(i)] = root(j)
    groups: dict[int, tuple[list[Box], list[Box]]] = {}
    for i, across in enumerate(flat):
        groups.setdefault(root(i), ([], []))[0].append(across)
    for j, down in enumerate(tall, start=len(flat)):
        groups.setdefault(root(j), ([], []))[1].append(down)
    return [group for group in groups.values() if len(group[0]) >= 3 and len(group[1]) >= 1]


def _levels(values: list[float], snap: float) -> list[float]:
    """Distinct positions, those nearer than ``snap`` as one."""
    out: list[float] = []
    for value in sorted(values):
        if not out or value - out[-1] > 2 * snap:
            out.append(value)
    return out


def _grid(across: list[Box], down: list[Box], words: Sequence[Word], snap: float) -> Grid | None:
    left, right = min(box.x0 for box in across), max(box.x1 for box in across)
    xs = _levels([box.x0 for box in down] + [left, right], snap)
    ys = _levels([box.y0 for box in across], snap)
    columns, rows = len(xs) - 1, len(ys) - 1
    if rows < 2 or columns < 2 or rows * columns > _MAX_CELLS:
        return None
    inside = Box(xs[0], ys[0], xs[-1], ys[-1])
    inner = [word for word in words if inside.contains(word.box)]
    # A line at the right or lower edge of each unit cell keeps it from joining its neighbour.
    right_of = [
        [_drawn_down(down, xs[c + 1], ys[r], ys[r + 1], snap) or c == columns - 1 for c in range(columns)]
        for r in range(rows)
    ]
    below = [
        [_drawn_across(across, ys[r + 1], xs[c], xs[c + 1], snap) or r == rows - 1 for c in range(columns)]
        for r in range(rows)
    ]
    taken = [[False] * columns for _ in range(rows)]
    out: list[tuple[Cell, ...]] = []
    filled = total = 0
    for r in range(rows):
        cells: list[Cell] = []
        for c in range(columns):
            if taken[r][c]:
                continue
            wide = 1
            while c + wide < columns and not right_of[r][c + wide - 1] and not taken[r][c + wide]:
                wide += 1
            high = 1
            while (
                r + high < rows
                and not any(below[r + high - 1][c + k] for k in range(wide))
                and not any(taken[r + high][c + k] for k in range(wide))
            ):
                high += 1
            for i in range(r, r + high):
                for k in range(c, c + wide):
                    taken[i][k] = True
            box = Box(xs[c], ys[r], xs[c + wide], ys[r + high])
            here = tuple(word for word in inner if box.contains(word.box))
            total += 1
            filled += bool(here)
            cells.append(Cell(box, here, high, wide))
        if cells:
            out.append(tuple(cells))
    if len(out) < 2 or max(len(row) for row in out) < 2 or filled < max(3, _MIN_FILLED * total):
        return None
    return Grid(inside, tuple(out), _header_rows(out), 0.9)


def _drawn_down(down: list[Box], x: float, top: float, bottom: float, snap: float) -> bool:
    middle = (top + bottom) / 2
    return any(abs(box.x0 - x) <= 2 * snap and box.y0 <= middle <= box.y1 for box in down)


def _drawn_across(across: list[Box], y: float, left: float, right: float, snap: float) -> bool:
    middle = (left + right) / 2
    return any(abs(box.y0 - y) <= 2 * snap and box.x0 <= middle <= box.x1 for box in across)


def _header_rows(rows: list[tuple[Cell, ...]]) -> int:
    """As many rows as the tallest heading of the first row covers (headings over headings), but never all."""
    return max(1, min(3, len(rows) - 1, max(cell.row_span for cell in rows[0])))
