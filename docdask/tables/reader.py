"""Reads parts of a Document message: text by anchors, boxes, languages, confidence.

Messages are raw protobuf and come from Google, from the offline engine or from a user's: fields that are left out,
anchors in several segments, offsets that point outside the text, and pixels instead of normalised vertices are all
normal here. Rule: what can't be read is None or empty, never an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

Box = tuple[float | None, float | None, float | None, float | None]
#: A page number beyond this is damage.
MOST_PAGES = 10_000_000
#: Spans beyond this are damage: no page has as many rows or columns.
LARGEST_SPAN = 1000
NO_BOX: Box = (None, None, None, None)


def anchored(text: str, anchor: Any) -> str:
    """Text that ``anchor`` (TextAnchor) points at; its own ``content`` where it has no segments."""
    segments = anchor.text_segments
    if len(segments) == 1:
        segment = segments[0]
        return text[max(segment.start_index, 0) : max(segment.end_index, 0)]
    if not segments:
        return str(anchor.content)
    return "".join([text[max(s.start_index, 0) : max(s.end_index, 0)] for s in segments])


def anchored_length(anchor: Any) -> int:
    """Code points that ``anchor`` points at."""
    segments = anchor.text_segments
    if len(segments) == 1:
        segment = segments[0]
        return max(int(segment.end_index - segment.start_index), 0)
    return sum([max(s.end_index - s.start_index, 0) for s in segments])


def box(layout: Any, width: float, height: float) -> Box:
    """Smallest upright box round a layout, normalised; all None if it has no polygon.

    Parameters
    ----------
    layout
        Layout message.
    width, height
        Of the page in pixels; used where only pixel vertices are given.
    """
    return polygon_box(layout.bounding_poly, width, height)


def polygon_box(polygon: Any, width: float, height: float) -> Box:
    """Like :func:`box`, of a BoundingPoly."""
    vertices = polygon.normalized_vertices
    if vertices:
        xs = [v.x for v in vertices]
        ys = [v.y for v in vertices]
    else:
        vertices = polygon.vertices
        if not vertices or width <= 0 or height <= 0:
            return NO_BOX
        xs = [v.x / width for v in vertices]
        ys = [v.y / height for v in vertices]
    return _unit(min(xs)), _unit(min(ys)), _unit(max(xs)), _unit(max(ys))


def _unit(value: float) -> float | None:
    """Clip to 0-1; a value that is no number is unknown."""
    if 0.0 <= value <= 1.0:
        return value
    if value != value:  # noqa: PLR0124 - not a number
        return None
    return 0.0 if value < 0 else 1.0


def confidence(value: float) -> float | None:
    """Confidence or None: proto3 can't tell 0 from absent, and no engine means 0."""
    return value if value > 0 else None


class Mean:
    """Mean confidence weighted by characters; parts without confidence don't count."""

    __slots__ = ("total", "weight")

    def __init__(self) -> None:
        self.total = 0.0
        self.weight = 0

    def add(self, value: float, weight: int) -> None:
        """Add a confidence with its weight."""
        if value > 0 and weight > 0:
            self.total += value * weight
            self.weight += weight

    def merge(self, other: Mean) -> None:
        """Add all that ``other`` has seen."""
        self.total += other.total
        self.weight += other.weight

    @property
    def value(self) -> float | None:
        """The mean; None if nothing counted."""
        return self.total / self.weight if self.weight else None


def languages(detected: Iterable[Any]) -> dict[str, float]:
    """Language code → share on a page, largest first; what has no share stands last in the given order."""
    shares: dict[str, float] = {}
    for language in detected:
        code = language.language_code
        if code and code != "und":
            shares[code] = max(shares.get(code, 0.0), language.confidence)
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def page_size(page: Any) -> tuple[float | None, float | None, str | None]:
    """Width, height and unit (pixels or points) of a page; None where it does not say."""
    dimension = page.dimension
    width, height, unit = dimension.width, dimension.height, dimension.unit
    if width > 0 and height > 0:
        return width, height, unit.rstrip("s") + "s" if unit else "pixels"
    image = page.image
    if image.width > 0 and image.height > 0:
        return image.width, image.height, "pixels"
    return None, None, None


def page_number(page: Any, previous: int) -> int:
    """1-based number of a page; the one after ``previous`` where it does not say."""
    return page.page_number if 0 < page.page_number <= MOST_PAGES else previous + 1


def page_text(document: Any, page: Any) -> str:
    """Text of a page, also where its layout has no anchor."""
    text = document.text
    if page.layout.text_anchor.text_segments:
        return anchored(text, page.layout.text_anchor)
    if len(document.pages) == 1:
        return str(text)
    for elements in (page.blocks, page.paragraphs, page.lines, page.tokens):
        segments = [s for element in elements for s in element.layout.text_anchor.text_segments]
        if segments:
            return str(
                text[max(min(s.start_index for s in segments), 0) : max(s.end_index for s in segments)]
            )
    return ""


def cells(table: Any) -> Iterator[tuple[int, int, bool, Any]]:
    """Row, column, whether in a header row, and cell message of each cell of a table.

    Document AI gives cells in order without a column number: a cell takes the first column that no cell above it spans.
    """
    spanned: dict[int, int] = {}  # column → first row below the cell that covers it
    headers = len(table.header_rows)
    for row, line in enumerate((*table.header_rows, *table.body_rows)):
        column = 0
        for cell in line.cells:
            while spanned.get(column, 0) > row:
                column += 1
            yield row, column, row < headers, cell
            below = row + span(cell.row_span)
            for covered in range(column, column + span(cell.col_span)):
                spanned[covered] = below
            column += span(cell.col_span)


def span(value: int) -> int:
    """Rows or columns that a cell covers; what is left out is one."""
    return min(max(value, 1), LARGEST_SPAN)
