"""Finds drawn lines and tick boxes in a picture.

Source: morphological opening with long flat and tall elements, the usual way to keep lines and drop letters.
Rules: the picture must be straight (a tilt is undone before); a line is longer than a few letters; a tick box is a
small, nearly square outline.
"""

from __future__ import annotations

from typing import Any

from docdask.service.offline.page import Box, Rule

#: Shortest line, of the picture's longer side.
_MIN_LENGTH = 0.03
#: Sides of a tick box, of the picture's longer side.
_TICK_BOX = (0.006, 0.02)
_MARKED_INK = 0.12


def straight(pixels: Any, skew_degrees: float) -> Any:
    """Grey picture (uint8), turned back by its tilt."""
    import cv2

    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    if not skew_degrees:
        return grey
    height, width = grey.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), skew_degrees, 1.0)
    return cv2.warpAffine(grey, turn, (width, height), borderValue=255)


def find(grey: Any, scale_x: float, scale_y: float) -> tuple[list[Rule], list[tuple[Box, bool]]]:
    """Rules and tick boxes of a straight grey picture.

    Parameters
    ----------
    grey
        uint8 (height, width).
    scale_x, scale_y
        Page units a pixel.
    """
    import cv2

    height, width = grey.shape
    side = max(height, width)
    dark = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, 31, 12)
    length = max(25, int(_MIN_LENGTH * side))
    rules: list[Rule] = []
    for element in ((length, 1), (1, length)):
        kernel = cv2.getStructuringElement(cv2.MORPH_RECT, element)
        kept = cv2.morphologyEx(dark, cv2.MORPH_OPEN, kernel)
        # Scanned lines break up and waver by a pixel: thicken across before they are told apart.
        kept = cv2.dilate(kept, cv2.getStructuringElement(cv2.MORPH_RECT, (3, 3)))
        count, _, stats, _ = cv2.connectedComponentsWithStats(kept)
        for x, y, w, h, _ in stats[1 : min(count, 4000)].tolist():
            if min(w, h) <= max(12, 0.006 * side):
                rules.append(Rule(Box(x * scale_x, y * scale_y, (x + w) * scale_x, (y + h) * scale_y)))
    return rules, _tick_boxes(dark, side, scale_x, scale_y)


def _tick_boxes(dark: Any, side: int, scale_x: float, scale_y: float) -> list[tuple[Box, bool]]:
    import cv2

    contours, tree = cv2.findContours(dark, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if tree is None or len(contours) > 30_000:
        return []
    low, high = (limit * side for limit in _TICK_BOX)
    found: list[tuple[Box, bool]] = []
    for contour, (_, _, child, parent) in zip(contours, tree[0].tolist(), strict=True):
        if parent >= 0 or child < 0:
            continue  # an outline has a hole
        x, y, w, h = cv2.boundingRect(contour)
        if not (low <= w <= high and low <= h <= high and 0.8 <= w / h <= 1.25):
            continue
        if cv2.contourArea(contour) < 0.9 * (w - 1) * (h - 1) or not _is_square(dark[y : y + h, x : x + w]):
            continue
        edge = max(2, int(0.22 * min(w, h)))
        inner = dark[y + edge : y + h - edge, x + edge : x + w - edge]
        marked = bool(inner.size) and float((inner > 0).mean()) > _MARKED_INK
        found.append((Box(x * scale_x, y * scale_y, (x + w) * scale_x, (y + h) * scale_y), marked))
    return found


def _is_square(patch: Any) -> bool:
    """Whether ink runs along all four sides (a letter O or D leaves its corners empty)."""
    ink = patch > 0
    band = max(2, ink.shape[0] // 6)
    sides = (
        ink[:band].any(axis=0),
        ink[-band:].any(axis=0),
        ink[:, :band].any(axis=1),
        ink[:, -band:].any(axis=1),
    )
    return all(float(side.mean()) > 0.93 for side in sides) and bool(
        ink[:band, :band].any()
        and ink[:band, -band:].any()
        and ink[-band:, :band].any()
        and ink[-band:, -band:].any()
    )
