"""Reads the text of a picture with the OCR models that come with RapidOCR.

Rules: models are named by path, so that nothing is ever fetched; one thread, as there is one process a core; the text
finder works on a smaller picture than the reader; lines are read one at a time, which on one thread is the fastest
(nothing is padded) and needs the least memory.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from docdask.errors import EngineError
from docdask.service.offline.page import Box, Line, Word, line_of
from docdask.service.offline.textlayer import is_unspaced

#: Longest side in pixels that the text finder sees.
DETECTION_SIDE_PIXELS = 960
#: Lines below this confidence are noise (dots, stamps, ornaments).
MIN_LINE_CONFIDENCE = 0.5
_MODELS = {
    "Det": "PP-OCRv6_det_small.onnx",
    "Rec": "PP-OCRv6_rec_small.onnx",
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
}


@dataclass(frozen=True, slots=True)
class Region:
    """A strip of a picture that holds one line of writing."""

    corners: Any
    """float32 (4, 2): top left, top right, bottom right, bottom left, in pixels."""
    strip: Any
    """uint8 (height, width, 3): the strip, straightened, lying."""

    @property
    def size(self) -> tuple[float, float]:
        """Length of its upper and of its left side, in pixels."""
        (ax, ay), (bx, by), _, (dx, dy) = self.corners.tolist()
        return math.hypot(bx - ax, by - ay), math.hypot(dx - ax, dy - ay)

    @property
    def standing(self) -> bool:
        """Whether it is taller than wide: writing on its side, or vertical."""
        width, height = self.size
        return height >= 1.5 * width


@cache
def reader() -> Any:
    """The models, loaded once a process.

    Raises
    ------
    EngineError
        If the models are not where the package puts them.
    """
    import rapidocr

    folder = Path(rapidocr.__file__).parent / "models"
    missing = [name for name in _MODELS.values() if not (folder / name).is_file()]
    if missing:
        raise EngineError(
            f"OCR model {missing[0]} is not in {folder}", "install rapidocr again, from its wheel"
        )
    logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
    params: dict[str, Any] = {
        "Global.log_level": "critical",
        "Global.use_preprocess_img": False,
        "Global.return_word_box": True,
        "EngineConfig.onnxruntime.intra_op_num_threads": 1,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        "Det.limit_type": "max",
        "Det.limit_side_len": DETECTION_SIDE_PIXELS,
        "Rec.rec_batch_num": 1,
    }
    params |= {f"{task}.model_path": str(folder / name) for task, name in _MODELS.items()}
    return rapidocr.RapidOCR(params=params)


def find(image: Any) -> list[Region]:
    """Find the lines of a picture.

    Parameters
    ----------
    image
        uint8 (height, width, 3), blue-green-red.
    """
    from rapidocr.main import RapidOCRError

    try:
        strips, found = reader().detect_and_crop(image, {"preprocess": {"ratio_h": 1.0, "ratio_w": 1.0}})
    except RapidOCRError:
        return []  # its way of saying that there is no text
    return [Region(corners, strip) for corners, strip in zip(found.boxes, strips, strict=True)]


def upside_down_share(regions: Sequence[Region]) -> float:
    """Share of strips that the orientation model finds upside down, weighted by its confidence (0-1)."""
    if not regions:
        return 0.0
    _, answer = reader().cls_and_rotate([region.strip for region in regions])
    turned = sum(score for label, score in answer.cls_res if label == "180")
    total = sum(score for _, score in answer.cls_res)
    return float(turned / total) if total else 0.0


def read(regions: Sequence[Region]) -> list[Line]:
    """Read lines.

    Returns
    -------
    list of Line
        Those that hold text, in the order of their regions; boxes in pixels of the picture.
    """
    if not regions:
        return []
    answer = reader().recognize_txt([region.strip for region in regions])
    lines: list[Line] = []
    for region, text, score, info in zip(
        regions, answer.txts, answer.scores, answer.word_results, strict=True
    ):
        if not text.strip() or score < MIN_LINE_CONFIDENCE:
            continue
        words = _words(region, text, info)
        if words:
            lines.append(line_of(words))
    return lines


def _words(region: Region, text: str, info: Any) -> list[Word]:
    """Split a line at its spaces (Han and Kana: at each character), with a box each."""
    columns = [column for word in info.word_cols for column in word]
    confidences = list(info.confs)
    total = max(info.line_txt_len, 1.0)
    characters: list[tuple[str, float, float]] = []
    words: list[Word] = []
    next_column = iter(columns)

    def finish(*, space: bool) -> None:
        if characters:
            start = characters[0][1] / total
            end = (characters[-1][1] + 1.0) / total
            spread = 0.8 / total
            confidence = sum(item[2] for item in characters) / len(characters)
            box = _part(region, max(0.0, start - spread), min(1.0, end + spread))
            words.append(Word("".join(item[0] for item in characters), box, min(1.0, confidence), space))
            characters.clear()

    for index, character in enumerate(text):
        if character.isspace():
            finish(space=True)
            continue
        column = float(next(next_column, columns[-1] if columns else 0))
        if characters and (is_unspaced(character) or is_unspaced(characters[-1][0])) and character.isalnum():
            finish(space=False)
        confidence = confidences[index] if index < len(confidences) else 1.0
        characters.append((character, column, confidence))
    finish(space=True)
    return words


def _part(region: Region, start: float, end: float) -> Box:
    """Box around the part of a region between two shares of its length."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = region.corners.tolist()
    if region.standing:
        # A standing strip was turned anticlockwise to be read: it starts at its upper right corner.
        ax, ay, bx, by, cx, cy, dx, dy = bx, by, cx, cy, dx, dy, ax, ay
    xs = [ax + (bx - ax) * share for share in (start, end)] + [
        dx + (cx - dx) * share for share in (start, end)
    ]
    ys = [ay + (by - ay) * share for share in (start, end)] + [
        dy + (cy - dy) * share for share in (start, end)
    ]
    return Box(min(xs), min(ys), max(xs), max(ys))
