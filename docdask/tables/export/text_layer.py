"""Lays invisible text over pages: the child's side of the searchable PDF.

Everything here handles originals, so it runs in the sandbox (:mod:`docdask.tables.export.searchable_pdf` calls it).
Rules:

1. The page looks as it did: text is drawn in render mode 3 (neither filled nor stroked), before the page's own content,
   so that nothing that content does to the graphics state can move it.
2. Text is set in a font without visible glyphs, as OCR programs do: one empty glyph half an em wide, a CID for each character
   that occurs, and a ToUnicode map that gives back the character, of whatever script, beyond the basic plane as well.
3. Each word is scaled and turned to fill its box, along its own baseline, so that selecting works on pages that are
   skewed or lie on their side. Words written from right to left run leftwards.
4. JPEG originals keep their bytes; other images are stored without loss.

Method: PDF 32000-1:2008, 9.7 (composite fonts), 9.10 (ToUnicode), 9.3.6 (render mode).
"""

from __future__ import annotations

import io
import math
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from docdask.errors import DocumentError
from docdask.intake.image import ORIENTATION, UPRIGHT
from docdask.tables.export.layout import Quad, as_it_lies
from docdask.tables.render import flat

#: Advance of the empty glyph, in em.
_ADVANCE = 0.5
_FALLBACK_DPI = 150.0
#: Words of a page: text, corners in the page's frame, whether a space follows; and the turn of that frame.
PageWords = tuple[int, Sequence[tuple[str, Quad, bool]]]


def add(data: bytes, mime_type: str, pages: Mapping[int, PageWords]) -> bytes:
    """Make a searchable PDF.

    Parameters
    ----------
    data
        Original, PDF or image.
    mime_type
        Its type.
    pages
        By page number (1-based): clockwise turn of the boxes' frame in degrees, and the words. Pages that are not named
        stay as they are.

    Returns
    -------
    bytes
        PDF.

    Raises
    ------
    DocumentError
        If the original can't be opened.
    """
    import pikepdf

    try:
        pdf = pikepdf.open(io.BytesIO(data)) if mime_type == "application/pdf" else _from_image(data)
    except pikepdf.PasswordError as error:
        raise DocumentError("encrypted", "it is encrypted", "give its password to the scan") from error
    except (pikepdf.PdfError, OSError, SyntaxError, ValueError) as error:
        raise DocumentError(
            "corrupt", f"it can't be opened ({error})", "open it in another program"
        ) from error
    with pdf:
        font = _Font()
        placed = [
            (pdf.pages[number - 1], turn, words)
            for number, (turn, words) in sorted(pages.items())
            if words and number <= len(pdf.pages)
        ]
        layers = [(page, _layer(page, turn, words, font)) for page, turn, words in placed]
        reference = font.embed(pdf) if layers else None
        for page, layer in layers:
            name = _add_font(page, reference)
            page.contents_add(pdf.make_stream(layer.replace(b"/F", name.encode(), 1)), prepend=True)
        out = io.BytesIO()
        pdf.save(out, deterministic_id=True, object_stream_mode=pikepdf.ObjectStreamMode.generate)
        return out.getvalue()


class _Font:
    """Glyphless font of one document: gives CIDs to characters as they come."""

    def __init__(self) -> None:
        self._cids: dict[str, int] = {}

    def encode(self, text: str) -> bytes:
        """Hexadecimal string of two bytes a character."""
        cids = (self._cids.setdefault(c, min(len(self._cids) + 1, 0xFFFF)) for c in text)
        return b"<" + "".join(f"{cid:04X}" for cid in cids).encode() + b">"

    def embed(self, pdf: Any) -> Any:
        """Add the font to ``pdf`` and return its reference."""
        from pikepdf import Array, Dictionary, Name

        program = glyphless_truetype()
        descriptor = Dictionary(
            Type=Name.FontDescriptor,
            FontName=Name("/DocdaskGlyphless"),
            Flags=4,
            FontBBox=[0, 0, 1000 * _ADVANCE, 1000],
            ItalicAngle=0,
            Ascent=1000,
            Descent=0,
            CapHeight=1000,
            StemV=80,
            FontFile2=pdf.make_stream(program, Length1=len(program)),
        )
        descendant = Dictionary(
            Type=Name.Font,
            Subtype=Name.CIDFontType2,
            BaseFont=Name("/DocdaskGlyphless"),
            CIDSystemInfo=Dictionary(Registry=b"Adobe", Ordering=b"Identity", Supplement=0),
            FontDescriptor=pdf.make_indirect(descriptor),
            CIDToGIDMap=pdf.make_stream(b"\0\0" + b"\0\1" * len(self._cids)),
            DW=int(1000 * _ADVANCE),
        )
        font = Dictionary(
            Type=Name.Font,
            Subtype=Name.Type0,
            BaseFont=Name("/DocdaskGlyphless"),
            Encoding=Name("/Identity-H"),
            DescendantFonts=Array([pdf.make_indirect(descendant)]),
            ToUnicode=pdf.make_stream(self._to_unicode()),
        )
        return pdf.make_indirect(font)

    def _to_unicode(self) -> bytes:
        lines = [
            "/CIDInit /ProcSet findresource begin 12 dict begin begincmap",
            "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
            "/CMapName /Adobe-Identity-UCS def /CMapType 2 def",
            "1 begincodespacerange <0000> <FFFF> endcodespacerange",
        ]
        pairs = list(self._cids.items())
        for start in range(0, len(pairs), 100):
            block = pairs[start : start + 100]
            lines.append(f"{len(block)} beginbfchar")
            lines += [f"<{cid:04X}> <{c.encode('utf-16-be').hex().upper()}>" for c, cid in block]
            lines.append("endbfchar")
        lines.append("endcmap CMapName currentdict /CMap defineresource pop end end")
        return "\n".join(lines).encode()


@cache
def glyphless_truetype() -> bytes:
    """TrueType program whose only glyph, half an em wide, has the size of a letter and draws nothing.

    Its outline is a point in each of two corners: without any extent, pdfium (and with it Chrome) takes words that run
    up or down a page for empty and drops them.
    """
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    for corner in ((0, 0), (int(1000 * _ADVANCE), 1000)):
        pen.moveTo(corner)
        pen.lineTo(corner)
        pen.lineTo(corner)
        pen.closePath()
    builder = FontBuilder(unitsPerEm=1000, isTTF=True)
    glyphs = [".notdef", "blank"]
    builder.setupGlyphOrder(glyphs)
    builder.setupCharacterMap({0x20: "blank"})
    builder.setupGlyf(dict.fromkeys(glyphs, pen.glyph(dropImpliedOnCurves=False)))
    builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (int(1000 * _ADVANCE), 0)))
    builder.setupHorizontalHeader(ascent=1000, descent=0)
    builder.setupNameTable({"familyName": "Docdask Glyphless", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=1000, sTypoDescender=0, usWinAscent=1000, usWinDescent=0)
    builder.setupPost()
    builder.updateHead(created=0, modified=0)
    builder.font.recalcTimestamp = False
    out = io.BytesIO()
    builder.save(out)
    return out.getvalue()


def _layer(page: Any, turn_degrees: int, words: Sequence[tuple[str, Quad, bool]], font: _Font) -> bytes:
    """Content stream with the words; the font is called ``/F`` until its name on the page is known."""
    left, bottom, right, top = _visible_box(page)
    turn = (turn_degrees + int(_inherited(page.obj, "/Rotate") or 0)) % 360
    lines = [b"q BT 3 Tr /F 1 Tf"]
    for text, corners, space in words:
        lying = as_it_lies(corners, turn)
        points = [(left + x * (right - left), top - y * (top - bottom)) for x, y in lying]
        lines.append(_word(text, points, font, space=space))
    lines.append(b"ET Q\n")
    return b"\n".join(lines)


def _word(text: str, points: list[tuple[float, float]], font: _Font, *, space: bool) -> bytes:
    """Operators that set one word into the box with these corners (top left first, clockwise)."""
    top_left, _, bottom_right, bottom_left = points
    along = (bottom_right[0] - bottom_left[0], bottom_right[1] - bottom_left[1])
    height = max(math.dist(top_left, bottom_left), 0.5)
    length = max(math.hypot(*along), 0.1)
    cos, sin = (along[0] / length, along[1] / length) if math.hypot(*along) else (1.0, 0.0)
    # One unit of text space is the height of the box across the baseline, and what fills the box along it.
    stretch = length / (_ADVANCE * len(text))
    if _is_right_to_left(text):
        matrix = (-cos * stretch, -sin * stretch, -sin * height, cos * height, *bottom_right)
    else:
        matrix = (cos * stretch, sin * stretch, -sin * height, cos * height, *bottom_left)
    numbers = " ".join(f"{number:.3f}" for number in matrix)
    return f"{numbers} Tm ".encode() + font.encode(text + " " * space) + b" Tj"


def _is_right_to_left(text: str) -> bool:
    """Whether the first letter with a direction runs leftwards."""
    for character in text:
        direction = unicodedata.bidirectional(character)
        if direction in {"L", "R", "AL"}:
            return direction != "L"
    return False


def _inherited(node: Any, key: str) -> Any:
    """Attribute of a page or of the nodes above it."""
    for _ in range(64):
        if key in node:
            return node[key]
        if "/Parent" not in node:
            return None
        node = node["/Parent"]
    return None


def _visible_box(page: Any) -> tuple[float, float, float, float]:
    """Crop box within the media box: the part that readers show and engines see."""

    def corners(key: str) -> tuple[float, float, float, float] | None:
        box = _inherited(page.obj, key)
        if box is None or len(box) != 4:
            return None
        x0, y0, x1, y1 = (float(number) for number in box)
        return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)

    media = corners("/MediaBox") or (0.0, 0.0, 612.0, 792.0)
    crop = corners("/CropBox") or media
    box = (max(media[0], crop[0]), max(media[1], crop[1]), min(media[2], crop[2]), min(media[3], crop[3]))
    return box if box[0] < box[2] and box[1] < box[3] else media


def _add_font(page: Any, font: Any) -> str:
    """Name the font in the page's own copy of its resources; resources may be shared with other pages."""
    from pikepdf import Dictionary

    resources = Dictionary(_inherited(page.obj, "/Resources") or {})
    fonts = Dictionary(resources.get("/Font") or {})
    name = next(name for name in (f"/Docdask{n}" for n in range(10_000)) if name not in fonts)
    fonts[name] = font
    resources["/Font"] = fonts
    page.obj["/Resources"] = resources
    return name


def _from_image(data: bytes) -> Any:
    """PDF with a page for each frame of an image, as large as its resolution says."""
    import pikepdf
    from PIL import Image, ImageSequence

    Image.MAX_IMAGE_PIXELS = None  # the sandbox limits memory
    pdf = pikepdf.new()
    with Image.open(io.BytesIO(data)) as image:
        if image.format in {"JPEG", "MPO"} and image.mode in {"L", "RGB"}:
            orientation = image.getexif().get(ORIENTATION, 1)
            fields = {"/Filter": pikepdf.Name.DCTDecode}
            _image_page(pdf, image, data, fields, orientation if orientation in UPRIGHT else 1)
            return pdf
        for frame in ImageSequence.Iterator(image):
            _lossless_page(pdf, frame)
    return pdf


def _lossless_page(pdf: Any, frame: Any) -> None:
    """Add a page with the pixels of a frame, upright and without transparency."""
    from PIL import ImageOps

    dpi = frame.info.get("dpi")
    frame = flat(ImageOps.exif_transpose(frame))
    if dpi:
        frame.info["dpi"] = dpi
    _image_page(pdf, frame, frame.tobytes(), {}, 1)


def _image_page(pdf: Any, image: Any, data: bytes, fields: dict[str, Any], orientation: int) -> None:
    from pikepdf import Dictionary, Name

    stream = pdf.make_stream(
        data,
        {
            "/Type": Name.XObject,
            "/Subtype": Name.Image,
            "/Width": image.width,
            "/Height": image.height,
            "/ColorSpace": Name.DeviceRGB if image.mode == "RGB" else Name.DeviceGray,
            "/BitsPerComponent": 1 if image.mode == "1" else 8,
            **fields,
        },
    )
    across, down = _points(image)
    width, height = (down, across) if orientation >= 5 else (across, down)
    page = pdf.add_blank_page(page_size=(width, height))
    page.obj["/Resources"] = Dictionary(XObject=Dictionary(Image=stream))
    matrix = UPRIGHT[orientation].format(w=f"{width:.3f}", h=f"{height:.3f}")
    page.contents_add(pdf.make_stream(f"q {matrix} cm /Image Do Q".encode()))


def _points(image: Any) -> tuple[float, float]:
    """Size of an image on paper in points: PDF pages have 3 to 14,400 of them a side."""
    try:
        dpi = [float(number) for number in image.info.get("dpi", ())][:2]
    except (TypeError, ValueError, ZeroDivisionError):
        dpi = []
    if len(dpi) != 2 or not all(40 <= number <= 2400 for number in dpi):
        dpi = [_FALLBACK_DPI, _FALLBACK_DPI]
    width, height = image.width * 72 / dpi[0], image.height * 72 / dpi[1]
    scale = min(1.0, 14_400 / max(width, height))
    return max(3.0, width * scale), max(3.0, height * scale)
