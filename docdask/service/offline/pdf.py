"""Opens PDFs with PDFium and reads one page at a time: text layer where it is good, picture where it is not.

Rules: values of form fields are made part of the page first; nothing active in a file runs (PDFium is built without
JavaScript); a page is closed before the next is opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from docdask.errors import DocumentError
from docdask.service.offline.page import Box, Rule
from docdask.service.offline.textlayer import PageSpace

_PASSWORD_ERROR, _SECURITY_ERROR = 4, 5
#: Objects of a page that are looked at for pictures and drawn lines; a map has a million.
_MAX_OBJECTS = 20_000


@contextmanager
def opened(content: bytes, password: str | None) -> Iterator[Any]:
    """Open a PDF.

    Raises
    ------
    DocumentError
        ``encrypted``, ``corrupt`` or ``no-pages``.
    """
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(content, password=password)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == _PASSWORD_ERROR or "assword" in str(error):
            raise DocumentError(
                "encrypted",
                "the PDF is encrypted and no given password opens it",
                "give its password with --password",
            ) from error
        if getattr(error, "err_code", None) == _SECURITY_ERROR or "security" in str(error):
            raise DocumentError(
                "encrypted",
                "the PDF is locked in a way that no password opens (to a certificate, or by another program)",
                "ask its sender for an unlocked copy",
            ) from error
        raise DocumentError(
            "corrupt",
            f"the PDF can't be read: {error}",
            "open it in another program and print it to a new PDF",
        ) from error
    try:
        if not len(document):
            raise DocumentError("no-pages", "the PDF has no page", "check how it was made")
        yield document
    finally:
        document.close()


@contextmanager
def loaded(document: Any, number: int) -> Iterator[Any]:
    """Load a page by its 1-based number, with the values of its form fields drawn into it."""
    import pypdfium2
    import pypdfium2.raw as pdfium

    try:
        page = document[number - 1]
        if (
            _has_widgets(pdfium, page)
            and pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY) == pdfium.FLATTEN_SUCCESS
        ):
            page.close()
            page = document[number - 1]
    except pypdfium2.PdfiumError as error:
        raise DocumentError(
            "corrupt",
            f"page {number} of the PDF can't be loaded",
            "open it in another program and print it to a new PDF",
        ) from error
    try:
        yield page
    finally:
        page.close()


def _has_widgets(pdfium: Any, page: Any) -> bool:
    for index in range(min(pdfium.FPDFPage_GetAnnotCount(page), 200)):
        annotation = pdfium.FPDFPage_GetAnnot(page, index)
        if not annotation:
            continue
        kind = pdfium.FPDFAnnot_GetSubtype(annotation)
        pdfium.FPDFPage_CloseAnnot(annotation)
        if kind == pdfium.FPDF_ANNOT_WIDGET:
            return True
    return False


class Drawing:
    """Pictures and drawn lines of a page, on the page as shown."""

    def __init__(self, page: Any) -> None:
        self.rules: list[Rule] = []
        self.boxes: list[Box] = []
        """Drawn rectangles."""
        self.objects = 0
        self._pictures: list[Box] = []
        self._space = PageSpace(page)
        self._collect(page)

    @property
    def picture_coverage(self) -> float:
        """0-1; share of the page that its pictures cover (the largest, or several strips of one scan together)."""
        area = self._space.width * self._space.height
        covered = sum(max(0.0, box.width) * max(0.0, box.height) for box in self._pictures)
        return min(1.0, covered / area) if area else 0.0

    def _collect(self, page: Any) -> None:
        import pypdfium2.raw as pdfium

        stack: list[tuple[Any, Any, Any]] = [(pdfium.FPDFPage_GetObject, page, None)]
        counts = {id(page): pdfium.FPDFPage_CountObjects(page)}
        while stack and self.objects < _MAX_OBJECTS:
            getter, holder, matrix = stack.pop()
            for index in range(min(counts[id(holder)], _MAX_OBJECTS)):
                item = getter(holder, index)
                self.objects += 1
                kind = pdfium.FPDFPageObj_GetType(item)
                if kind == pdfium.FPDF_PAGEOBJ_FORM and len(stack) < 50:
                    inner = _matrix(pdfium, item, matrix)
                    counts[id(item)] = pdfium.FPDFFormObj_CountObjects(item)
                    stack.append((pdfium.FPDFFormObj_GetObject, item, inner))
                elif kind == pdfium.FPDF_PAGEOBJ_IMAGE:
                    box = self._bounds(pdfium, item, matrix)
                    if box:
                        self._pictures.append(_clipped(box, self._space.width, self._space.height))
                elif kind == pdfium.FPDF_PAGEOBJ_PATH:
                    self._path(pdfium, item, matrix)

    def _bounds(self, pdfium: Any, item: Any, matrix: Any) -> Box | None:
        import ctypes

        values = [ctypes.c_float() for _ in range(4)]
        if not pdfium.FPDFPageObj_GetBounds(item, *values):
            return None
        left, bottom, right, top = (value.value for value in values)
        if matrix:
            corners = [
                _apply(matrix, x, y) for x, y in ((left, bottom), (right, top), (left, top), (right, bottom))
            ]
            left, right = min(x for x, _ in corners), max(x for x, _ in corners)
            bottom, top = min(y for _, y in corners), max(y for _, y in corners)
        return self._space.box(left, bottom, right, top)

    def _path(self, pdfium: Any, item: Any, matrix: Any) -> None:
        box = self._bounds(pdfium, item, matrix)
        if box is None:
            return
        thin = min(box.width, box.height)
        if thin <= 3.0 and max(box.width, box.height) >= 6.0:
            self.rules.append(Rule(box))
        elif thin > 3.0:
            count = pdfium.FPDFPath_CountSegments(item)
            if count <= 6:
                self.boxes.append(box)
                self.rules += edges(box)
            elif count <= 4000:
                self._segments(pdfium, item, matrix, count)

    def _segments(self, pdfium: Any, item: Any, matrix: Any, count: int) -> None:
        """Straight, axis-parallel pieces of a path (tables drawn as one path)."""
        import ctypes

        own = _matrix(pdfium, item, matrix)
        last: tuple[float, float] | None = None
        for index in range(count):
            segment = pdfium.FPDFPath_GetPathSegment(item, index)
            x, y = ctypes.c_float(), ctypes.c_float()
            pdfium.FPDFPathSegment_GetPoint(segment, x, y)
            at = self._space.point(*_apply(own, x.value, y.value))
            if last is not None and pdfium.FPDFPathSegment_GetType(segment) == pdfium.FPDF_SEGMENT_LINETO:
                box = Box(min(last[0], at[0]), min(last[1], at[1]), max(last[0], at[0]), max(last[1], at[1]))
                if min(box.width, box.height) <= 1.0 and max(box.width, box.height) >= 6.0:
                    self.rules.append(Rule(box))
            last = at


def edges(box: Box) -> list[Rule]:
    """Four edges of a rectangle as rules."""
    return [
        Rule(Box(box.x0, box.y0, box.x1, box.y0)),
        Rule(Box(box.x0, box.y1, box.x1, box.y1)),
        Rule(Box(box.x0, box.y0, box.x0, box.y1)),
        Rule(Box(box.x1, box.y0, box.x1, box.y1)),
    ]


def _clipped(box: Box, width: float, height: float) -> Box:
    return Box(max(0.0, box.x0), max(0.0, box.y0), min(width, box.x1), min(height, box.y1))


def _matrix(pdfium: Any, item: Any, outer: Any) -> tuple[float, ...]:
    """Matrix of an object, within that of the forms around it."""
    own = pdfium.FS_MATRIX()
    pdfium.FPDFPageObj_GetMatrix(item, own)
    a, b, c, d, e, f = own.a, own.b, own.c, own.d, own.e, own.f
    if not outer:
        return a, b, c, d, e, f
    oa, ob, oc, od, oe, of = outer
    return (
        a * oa + b * oc, a * ob + b * od, c * oa + d * oc, c * ob + d * od,
        e * oa + f * oc + oe, e * ob + f * od + of,
    )  # fmt: skip


def _apply(matrix: tuple[float, ...], x: float, y: float) -> tuple[float, float]:
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f
