"""Judges whether the text layer of a PDF page can be used as its text.

Usable means: drawn so that a reader sees it, mapped to characters, and looking like language. Not usable:

1. no characters at all (a scan, or text drawn as curves);
2. mostly invisible (what a scanner's own recognition left under the picture: its quality is unknown);
3. a few words beside a picture that covers the page (a stamp on a scan);
4. characters without a Unicode value, replacement characters, controls, private use;
5. Latin words without vowels or full of digits (fonts whose codes are shuffled).

Judged on a sample of each page, so that a map with 100,000 labels costs no more than a letter.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_SAMPLE = 300
_VOWELS = frozenset("aeiouyAEIOUY")
#: pdfium writes a hyphen that ends a line as U+0002 or U+FFFE.
_HYPHENS = frozenset("\x02\ufffe\u00ad")


@dataclass(frozen=True, slots=True)
class PageText:
    """Text layer of one page and the verdict on it."""

    characters: int
    """Characters other than white space."""
    usable: bool
    why: str
    """``good``, or why it is not usable: ``none``, ``invisible``, ``picture``, ``unmapped``, ``garbage``."""
    text: str


def judge(page: Any) -> PageText:
    """Look at the text layer of a loaded page.

    Parameters
    ----------
    page
        ``pypdfium2.PdfPage``.

    Raises
    ------
    pypdfium2.PdfiumError
        If the page's text can't be loaded.
    """
    textpage = page.get_textpage()
    try:
        count = max(0, textpage.count_chars())
        text = str(textpage.get_text_range()) if count else ""
        characters = sum(not c.isspace() for c in text)
        if characters == 0:
            return PageText(0, usable=False, why="none", text="")
        unmapped, invisible = _mapped_and_drawn(textpage.raw, count)
    finally:
        textpage.close()
    why = "good"
    if invisible > 0.5:
        why = "invisible"
    elif characters < 200 and _picture_share(page) > 0.6:
        why = "picture"
    elif unmapped > 0.3:
        why = "unmapped"
    elif not is_language(text):
        why = "garbage"
    return PageText(characters, usable=why == "good", why=why, text=text)


def is_language(text: str) -> bool:
    r"""Whether ``text`` looks like something a person wrote, in any script.

    >>> is_language("The quick brown fox"), is_language("7KH TXLFN EURZQ IR[ MXPSV RYHU WKH OD]\\ GRJ " * 4)
    (True, False)
    """
    sample = text[:20_000]
    visible = [c for c in sample if not c.isspace() and c not in _HYPHENS]
    if not visible:
        return False
    bad = sum(c == "\ufffd" or unicodedata.category(c) in {"Cc", "Co", "Cn", "Cs"} for c in visible)
    if bad > 0.2 * len(visible):
        return False
    words = [word for word in sample.split() if len(word) >= 3 and sum(c.isalpha() for c in word) >= 3]
    latin = [word for word in words if _is_latin(word)]
    if len(latin) < 20 or len(latin) < 0.5 * len(words):
        return True
    with_vowel = sum(any(c in _VOWELS for c in unicodedata.normalize("NFD", word)) for word in latin)
    return with_vowel >= 0.6 * len(latin)


def _is_latin(word: str) -> bool:
    return any(c.isalpha() and ord(c) < 0x250 for c in word)


def _spread(count: int, most: int) -> range:
    return range(0, count, max(1, -(-count // most)))


def _mapped_and_drawn(textpage: Any, count: int) -> tuple[float, float]:
    """Shares of the sampled characters that have no Unicode value, and that are drawn invisibly.

    White space counts for neither: generators place it invisibly between visible words.
    """
    import pypdfium2.raw as pdfium

    looked = unmapped = invisible = 0
    for index in _spread(count, _SAMPLE):
        if chr(pdfium.FPDFText_GetUnicode(textpage, index) & 0x1FFFF).isspace():
            continue
        looked += 1
        unmapped += pdfium.FPDFText_HasUnicodeMapError(textpage, index) == 1
        item = pdfium.FPDFText_GetTextObject(textpage, index)
        if item:
            mode = pdfium.FPDFTextObj_GetTextRenderMode(item)
            invisible += mode == pdfium.FPDF_TEXTRENDERMODE_INVISIBLE
    return (unmapped / looked, invisible / looked) if looked else (0.0, 0.0)


def _picture_share(page: Any) -> float:
    """Share of the page that pictures cover."""
    import pypdfium2.raw as pdfium

    width, height = page.get_size()
    covered = sum(
        _area(item)
        for item in _objects(page.raw)
        if pdfium.FPDFPageObj_GetType(item) == pdfium.FPDF_PAGEOBJ_IMAGE
    )
    return float(min(1.0, covered / max(1.0, width * height)))


def _objects(page: Any) -> Iterator[Any]:
    """Objects of the page, at most :data:`_SAMPLE` evenly spread, and of the forms directly on it."""
    import pypdfium2.raw as pdfium

    for index in _spread(max(0, pdfium.FPDFPage_CountObjects(page)), _SAMPLE):
        item = pdfium.FPDFPage_GetObject(page, index)
        if pdfium.FPDFPageObj_GetType(item) != pdfium.FPDF_PAGEOBJ_FORM:
            yield item
            continue
        for inner in _spread(max(0, pdfium.FPDFFormObj_CountObjects(item)), _SAMPLE // 10):
            yield pdfium.FPDFFormObj_GetObject(item, inner)


def _area(item: Any) -> float:
    import ctypes

    import pypdfium2.raw as pdfium

    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    if not pdfium.FPDFPageObj_GetBounds(item, left, bottom, right, top):
        return 0.0
    return max(0.0, right.value - left.value) * max(0.0, top.value - bottom.value)
