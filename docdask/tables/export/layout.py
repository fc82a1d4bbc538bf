"""Reads the geometry of a Document message: four-cornered boxes, words, which way up a page is.

Rules: messages are read by their attributes, whatever made them (raw protobuf here, so no import of Google's library);
boxes are normalised (0-1, x to the right, y down) in the page's *frame*: the upright page for engines that turn pages,
the page as it lies for those that leave it. A box's first corner is the top left one of its text, so the order of
corners tells which frame it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from docdask.tables import reader

#: Four corners, clockwise from the text's top left: ((x, y), (x, y), (x, y), (x, y)).
Quad = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]

#: Clockwise turn in degrees that makes a page upright, by ``Layout.Orientation`` (PAGE_UP, PAGE_RIGHT: the reader turns
#: his head clockwise, PAGE_DOWN, PAGE_LEFT).
TURN_DEGREES = {0: 0, 1: 0, 2: 270, 3: 180, 4: 90}
#: ``DetectedBreak.Type``: space, wide space, hyphen.
_SPACE, _WIDE_SPACE = 1, 2


@dataclass(frozen=True, slots=True)
class Word:
    """A token as a text layer needs it."""

    text: str
    quad: Quad
    space_after: bool
    confidence: float


def quad(layout: Any, page: Any) -> Quad | None:
    """Four normalised corners of a layout, None where it has no place.

    A polygon with another number of corners becomes its bounding box; corners in pixels are divided by the page's size.
    """
    polygon = layout.bounding_poly
    points = [(float(v.x), float(v.y)) for v in polygon.normalized_vertices]
    if not points and page.dimension.width and page.dimension.height:
        points = [(v.x / page.dimension.width, v.y / page.dimension.height) for v in polygon.vertices]
    if len(points) < 2:
        return None
    points = [(min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)) for x, y in points]
    if len(points) == 4:
        return (points[0], points[1], points[2], points[3])
    xs, ys = [x for x, _ in points], [y for _, y in points]
    x0, y0, x1, y1 = min(xs), min(ys), max(xs), max(ys)
    return ((x0, y0), (x1, y0), (x1, y1), (x0, y1))


def bounds(corners: Quad) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of four corners."""
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return min(xs), min(ys), max(xs), max(ys)


def frame_turn_degrees(page: Any, told_degrees: int | None = None) -> int:
    """Clockwise turn from the page as it lies to the frame of its boxes: 0, 90, 180 or 270.

    0 for a page that lies upright, and for one that lies otherwise but whose boxes were left as it lies.
    ``told_degrees`` is the turn that the table ``pages`` knows of; it stands above the message's orientation.
    """
    turn = TURN_DEGREES.get(int(page.layout.orientation), 0) if told_degrees is None else told_degrees % 360
    if not turn:
        return 0
    upright = total = 0
    for element in page.lines or page.tokens or page.blocks:
        corners = quad(element.layout, page)
        if corners:
            (x0, y0), _, (x2, y2), _ = corners
            upright += x0 <= x2 and y0 <= y2
            total += 1
    return turn if 2 * upright >= total else 0


def as_it_lies(corners: Quad, turn_degrees: int) -> Quad:
    """Corners in the frame of the page as it lies, from those of a page that was turned clockwise."""

    def back(point: tuple[float, float]) -> tuple[float, float]:
        x, y = point
        return {0: (x, y), 90: (y, 1 - x), 180: (1 - x, 1 - y), 270: (1 - y, x)}[turn_degrees]

    return (back(corners[0]), back(corners[1]), back(corners[2]), back(corners[3]))


def words(document: Any, page: Any) -> Iterator[Word]:
    """Words of a page in reading order: its tokens, or its lines where an engine gives no tokens."""
    text_of_all = document.text
    for element in page.tokens or page.lines:
        corners = quad(element.layout, page)
        raw = reader.anchored(text_of_all, element.layout.text_anchor)
        text = raw.strip()
        if not corners or not text:
            continue
        kind = int(element.detected_break.type_) if hasattr(element, "detected_break") else 0
        yield Word(
            text,
            corners,
            kind in {_SPACE, _WIDE_SPACE} or raw[-1:].isspace(),
            float(element.layout.confidence),
        )


def page_of(document: Any, page_number: int) -> Any | None:
    """Page by its number, None if the document has no such page."""
    for index, page in enumerate(document.pages, 1):
        if (page.page_number or index) == page_number:
            return page
    return None
