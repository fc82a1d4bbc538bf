"""Turns a picture so that its writing stands upright, and tells by how much.

Rules: writing that mostly stands (strips taller than wide) means a quarter turn, unless it is vertical Chinese or
Japanese; upside down is told by the orientation model on the longest strips and settled by reading a few of them both
ways. A small tilt is not undone in the picture, as each strip is straightened anyway: only coordinates are turned back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from docdask.service.offline import ocr
from docdask.service.offline.ocr import Region
from docdask.service.offline.textlayer import is_unspaced

#: Tilts below this (degrees) are left alone, beyond the other they are no tilt of the page.
_MIN_SKEW, _MAX_SKEW = 0.3, 20.0
_VOTERS = 10
_READERS = 4


@dataclass(frozen=True, slots=True)
class Upright:
    """A picture with its writing upright, but for a tilt."""

    pixels: Any
    regions: list[Region]
    turn: int
    """Quarter turns clockwise that were applied."""
    skew_degrees: float
    """Tilt that is left, clockwise positive."""


def upright(pixels: Any) -> Upright:
    """Find the lines of a picture and turn it until they stand upright.

    Parameters
    ----------
    pixels
        uint8 (height, width, 3), blue-green-red.
    """
    regions = ocr.find(pixels)
    turn = 0
    if _standing_share(regions) > 0.5 and not _is_vertical(regions):
        pixels, turn = _turned(pixels, 1), 1
        regions = ocr.find(pixels)
    if _upside_down(regions):
        height, width = pixels.shape[:2]
        pixels, turn = _turned(pixels, 2), turn + 2
        regions = [_half_turn(region, width, height) for region in regions]
    return Upright(pixels, regions, turn % 4, skew(regions))


def _turned(pixels: Any, turn: int) -> Any:
    import numpy as np

    return np.ascontiguousarray(np.rot90(pixels, -turn))


def _half_turn(region: Region, width: int, height: int) -> Region:
    import numpy as np

    corners = np.array([width - 1, height - 1], dtype=np.float32) - region.corners
    return Region(corners[[2, 3, 0, 1]], _turned(region.strip, 2))


def _standing_share(regions: Sequence[Region]) -> float:
    """Share of the writing's length that stands."""
    standing = total = 0.0
    for region in regions:
        longest = max(region.size)
        total += longest
        standing += longest if region.standing else 0.0
    return standing / total if total else 0.0


def _longest(regions: Sequence[Region], count: int) -> list[Region]:
    return sorted(regions, key=lambda region: -max(region.size))[:count]


def _is_vertical(regions: Sequence[Region]) -> bool:
    """Whether standing strips are vertical Chinese or Japanese, read from the page as it is."""
    standing = _longest([region for region in regions if region.standing], _READERS)
    lines = ocr.read(standing)
    text = "".join(line.text for line in lines)
    wide = sum(1 for character in text if is_unspaced(character))
    return wide > 0.6 * max(1, len(text)) and wide >= 8


def _upside_down(regions: Sequence[Region]) -> bool:
    lying = [region for region in regions if not region.standing]
    share = ocr.upside_down_share(_longest(lying, _VOTERS))
    if share < 0.3:
        return False
    sample = _longest(lying, _READERS)
    return _legibility([replace(region, strip=_turned(region.strip, 2)) for region in sample]) > _legibility(
        sample
    )


def _legibility(regions: Sequence[Region]) -> float:
    """Confidence of reading, weighted by characters; unread strips count as nothing."""
    lines = ocr.read(regions)
    return sum(line.confidence**4 * len(line.text) for line in lines)


def skew(regions: Sequence[Region]) -> float:
    """Tilt of the lines in degrees, clockwise positive: median weighted by length, 0 where there is none."""
    angles: list[tuple[float, float]] = []
    for region in regions:
        width, height = region.size
        if width > 4 * height:
            (ax, ay), (bx, by), (cx, cy), (dx, dy) = region.corners.tolist()
            angles.append((math.degrees(math.atan2((by - ay) + (cy - dy), (bx - ax) + (cx - dx))), width))
    total = sum(weight for _, weight in angles)
    passed = 0.0
    for angle, weight in sorted(angles):
        passed += weight
        if passed >= total / 2:
            return angle if _MIN_SKEW <= abs(angle) <= _MAX_SKEW else 0.0
    return 0.0


def straightened(region: Region, skew_degrees: float, width: int, height: int) -> Region:
    """Region with its corners turned back by the tilt, around the middle of the picture."""
    import numpy as np

    if not skew_degrees:
        return region
    angle = math.radians(-skew_degrees)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    middle = np.array([width / 2, height / 2])
    return replace(region, corners=((region.corners - middle) @ turn.T + middle).astype(np.float32))
