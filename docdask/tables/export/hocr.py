"""Writes each stored document as hOCR 1.2, the HTML that OCR programs exchange.

Rules: areas, paragraphs, lines and words nest as their text offsets do; boxes are whole pixels of the page (PDF points
are scaled to 300 dpi, which the page says); confidences are whole per cent; the files are well-formed XHTML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from docdask.tables import reader
from docdask.tables.export.layout import bounds, quad
from docdask.tables.export.writing import Exportable, Stored, Tell, each, safe_name, whole

_POINTS_DPI = 300
#: What XML 1.0 does not allow.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: hOCR class and tag a level, from the outside in.
_LEVELS = (("blocks", "ocr_carea", "div"), ("paragraphs", "ocr_par", "p"), ("lines", "ocr_line", "span"))
_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml">
<head>
<title>{title}</title>
<meta http-equiv="Content-Type" content="text/html;charset=utf-8" />
<meta name="ocr-system" content="docdask" />
<meta name="ocr-number-of-pages" content="{pages}" />
<meta name="ocr-capabilities" content="ocr_page ocr_carea ocr_par ocr_line ocrx_word" />
</head>
<body>
"""


def write(result: Exportable, folder: Path, tell: Tell) -> list[Path]:
    """Write ``hocr/<name>-<id>.hocr`` for each stored document."""

    def one(document: Stored, message: Any) -> Path:
        path = folder / "hocr" / safe_name(document, ".hocr")
        with whole(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(hocr(message, document.name))
        return path

    return each(result, tell, one)


def hocr(document: Any, name: str) -> Iterator[str]:
    """Yield the hOCR of a ``Document`` message, in pieces."""
    yield _HEAD.format(title=_clean(name), pages=len(document.pages))
    for index, page in enumerate(document.pages):
        yield from _Page(document, page, index, name).markup()
    yield "</body>\n</html>\n"


def _clean(text: str) -> str:
    return escape(_FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text))


class _Page:
    """One page being written."""

    def __init__(self, document: Any, page: Any, index: int, name: str) -> None:
        self._text, self._page, self._index, self._name = document.text, page, index, name
        points = page.dimension.unit.startswith("point")
        self._resolution = _POINTS_DPI if points else 0
        scale = _POINTS_DPI / 72 if points else 1.0
        self._width = max(1, round(page.dimension.width * scale))
        self._height = max(1, round(page.dimension.height * scale))
        self._count: dict[str, int] = {}
        names = (*(name for name, _, _ in _LEVELS), "tokens")
        self._spans = {
            name: [(*_span(element), element) for element in getattr(page, name)] for name in names
        }

    def markup(self) -> Iterator[str]:
        """Yield the page's markup."""
        title = f'image "{self._name.replace(chr(34), chr(39))}"; bbox 0 0 {self._width} {self._height}; ppageno {self._index}'
        if self._resolution:
            title += f"; scan_res {self._resolution} {self._resolution}"
        languages = [language.language_code for language in self._page.detected_languages]
        yield f'<div class="ocr_page" id="page_{self._index + 1}" title={self._attribute(title)}{_lang(languages)}>\n'
        yield from self._level(0, 0, len(self._text) + 1)
        yield "</div>\n"

    def _level(self, level: int, start: int, end: int) -> Iterator[str]:
        """Yield elements of ``level`` whose text begins in [start, end), and in them those of the next."""
        if level == len(_LEVELS):
            yield from self._words(start, end)
            return
        name, kind, tag = _LEVELS[level]
        elements = self._spans[name]
        if not elements:
            yield from self._level(level + 1, start, end)
            return
        for first, last, element in elements:
            if start <= first < end:
                yield f'<{tag} class="{kind}"{self._identity(kind)} title={self._title(element.layout)}>\n'
                yield from self._level(level + 1, first, last)
                yield f"</{tag}>\n"

    def _words(self, start: int, end: int) -> Iterator[str]:
        for first, _, token in self._spans["tokens"]:
            if not start <= first < end:
                continue
            if text := reader.anchored(self._text, token.layout.text_anchor).strip():
                wconf = f"; x_wconf {round(100 * token.layout.confidence)}"
                title = self._title(token.layout, wconf)
                yield f'<span class="ocrx_word"{self._identity("ocrx_word")} title={title}>{_clean(text)}</span>\n'
        if not self._spans["tokens"]:
            yield _clean(self._text[start:end].strip()) + "\n"

    def _identity(self, kind: str) -> str:
        self._count[kind] = self._count.get(kind, 0) + 1
        return f' id="{kind.split("_")[1]}_{self._index + 1}_{self._count[kind]}"'

    def _title(self, layout: Any, more: str = "") -> str:
        corners = quad(layout, self._page)
        left, top, right, bottom = bounds(corners) if corners else (0.0, 0.0, 1.0, 1.0)
        box = (
            int(left * self._width), int(top * self._height),
            min(self._width, -int(-right * self._width // 1)), min(self._height, -int(-bottom * self._height // 1)),
        )  # fmt: skip
        return self._attribute("bbox " + " ".join(map(str, box)) + more)

    @staticmethod
    def _attribute(text: str) -> str:
        return quoteattr(_FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text), {'"': "&quot;"})


def _span(element: Any) -> tuple[int, int]:
    """First and last-plus-one offset of an element's text; (-1, -1) if it has none."""
    segments = element.layout.text_anchor.text_segments
    if not segments:
        return -1, -1
    return min(int(s.start_index) for s in segments), max(int(s.end_index) for s in segments)


def _lang(codes: list[str]) -> str:
    code = next(
        (code for code in codes if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]+)*", code) and code != "und"), ""
    )
    return f' lang="{code}" xml:lang="{code}"' if code else ""
