"""Finds tables without lines: rows of short pieces of text that stand in columns.

Source: the stream method of Tabula (M. Aristarán and others): text edges that repeat over rows are columns.
Rules: at least three rows in three columns, or four in two of which one is of numbers; running text in columns is no
table, nor are labels with their values.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from docdask.service.offline.page import Box, Line, union
from docdask.service.offline.reading import rows_of
from docdask.service.offline.tables import Cell, Grid

#: Rows further apart than this many line heights are not of one table.
_MAX_STEP = 3.2
_RUNNING_TEXT_CHARACTERS = 45


def find(lines: Sequence[Line], occupied: Sequence[Box]) -> list[Grid]:
    """Unruled tables among lines that are not in the occupied boxes (ruled tables)."""
    free = [line for line in lines if line.turn == 0 and not any(box.contains(line.box) for box in occupied)]
    if len(free) < 6:
        return []
    grids = []
    for group in _groups(rows_of(free)):
        grid = _grid(group)
        if grid:
            grids.append(grid)
    return grids


def _groups(rows: list[list[Line]]) -> list[list[list[Line]]]:
    """Runs of rows with at least two pieces; a row of one piece may continue a cell above it."""
    groups: list[list[list[Line]]] = []
    group: list[list[Line]] = []
    for row in rows:
        near = bool(group) and _near(group[-1], row)
        if len(row) >= 2:
            if group and not near:
                groups.append(group)
                group = []
            group.append(row)
        elif group:
            if near and len(row[0].text) < _RUNNING_TEXT_CHARACTERS and _continues_cell(group, row[0]):
                group.append(row)
            else:
                groups.append(group)
                group = []
    if group:
        groups.append(group)
    return [_trimmed(group) for group in groups]


def _trimmed(group: list[list[Line]]) -> list[list[Line]]:
    """Without pieces at the end that stand apart: what follows a cell closely goes on with it."""
    while group and len(group[-1]) < 2:
        last = group[-1][0].box
        if len(group) > 1 and last.y0 - max(line.box.y1 for line in group[-2]) < 0.4 * last.height:
            break
        group = group[:-1]
    return group


def _near(above: list[Line], row: list[Line]) -> bool:
    high = max(median(line.box.height for line in above), median(line.box.height for line in row))
    return min(line.box.y0 for line in row) - max(line.box.y1 for line in above) < (_MAX_STEP - 1) * high


def _continues_cell(group: list[list[Line]], line: Line) -> bool:
    """Whether a lone piece stands under one cell of the rows above, and not across several."""
    above = next((row for row in reversed(group) if len(row) >= 2), [])
    return sum(line.box.overlap_x(other.box) > 0 for other in above) == 1


def _grid(rows: list[list[Line]]) -> Grid | None:
    full = [row for row in rows if len(row) >= 2]
    if len(full) < 3:
        return None
    edges = _columns([line.box for row in full for line in row], len(full))
    if len(edges) < 2:
        return None
    placed = [_place(row, edges) for row in rows]
    # A row that is squeezed into fewer columns than it has pieces does not belong to this table.
    if sum(
        len(row) != sum(bool(cell) for cell in cells) for row, cells in zip(rows, placed, strict=True)
    ) > 0.3 * len(rows):
        return None
    if not _is_table(placed, len(edges)):
        return None
    box = union(line.box for row in rows for line in row)
    bounds = [box.x0, *((a[1] + b[0]) / 2 for a, b in pairwise(edges)), box.x1]
    out: list[tuple[Cell, ...]] = []
    for row, cells in zip(rows, placed, strict=True):
        top, bottom = min(line.box.y0 for line in row), max(line.box.y1 for line in row)
        out.append(
            tuple(
                Cell(
                    Box(bounds[i], top, max(bounds[i + 1], bounds[i]), bottom),
                    tuple(word for line in cell for word in line.words),
                )
                for i, cell in enumerate(cells)
            )
        )
    return Grid(box, tuple(_merged(out)), 1, 0.6)


def _columns(boxes: list[Box], rows: int) -> list[tuple[float, float]]:
    """Extents of the columns: strips of x that text covers, parted by strips that (nearly) no row crosses."""
    marks = sorted({box.x0 for box in boxes} | {box.x1 for box in boxes})
    allowed = max(0, int(0.1 * rows))
    spans: list[tuple[float, float]] = []
    for start, end in pairwise(marks):
        middle = (start + end) / 2
        covered = sum(box.x0 < middle < box.x1 for box in boxes)
        if covered > allowed:
            if spans and spans[-1][1] == start:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((start, end))
    return spans


def _place(row: list[Line], edges: list[tuple[float, float]]) -> list[list[Line]]:
    cells: list[list[Line]] = [[] for _ in edges]
    for line in row:
        best = max(
            range(len(edges)), key=lambda i: min(line.box.x1, edges[i][1]) - max(line.box.x0, edges[i][0])
        )
        cells[best].append(line)
    return cells


def _is_table(placed: list[list[list[Line]]], columns: int) -> bool:
    texts = [[" ".join(line.text for line in cell) for cell in row] for row in placed]
    by_column = [[row[i] for row in texts if row[i]] for i in range(columns)]
    if any(len(column) < 2 for column in by_column[:2]):
        return False
    running = sum(
        median(len(text) for text in column) > _RUNNING_TEXT_CHARACTERS for column in by_column if column
    )
    if running >= 2 or running == columns:
        return False
    if columns >= 3:
        filled = sum(bool(text) for row in texts for text in row)
        return filled >= 0.45 * columns * len(texts)
    labels = sum(text.rstrip().endswith(":") for text in by_column[0])
    numbers = sum(any(character.isdigit() for character in text) for text in by_column[1])
    return len(texts) >= 4 and labels < 0.4 * len(by_column[0]) and numbers >= 0.6 * len(by_column[1])


def _merged(rows: list[tuple[Cell, ...]]) -> list[tuple[Cell, ...]]:
    """Rows of one piece, joined to the row above that they continue."""
    out: list[tuple[Cell, ...]] = []
    for row in rows:
        if out and sum(bool(cell.words) for cell in row) == 1:
            out[-1] = tuple(
                Cell(
                    union((above.box, cell.box)), above.words + cell.words, above.row_span, above.column_span
                )
                if cell.words
                else above
                for above, cell in zip(out[-1], row, strict=True)
            )
        else:
            out.append(row)
    return out
