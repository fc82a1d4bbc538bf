"""Takes the picture out of a PDF page that is nothing but a picture, so that it is read as the scanner made it.

Rules: only where the page has one object, a picture that fills it, of at least the resolution at which the page would be
rendered; what is taken out must look as the page does when it is rendered small, so that masks, inverted colours and
whatever else a page may do to its picture lead back to rendering. A JPEG is decoded from its own bytes, so that a page made
of an image file and the file itself give the same pixels.
"""

from __future__ import annotations

import io
from typing import Any

from docdask.service.offline.raster import MAX_PIXELS, Picture, picture_of
from docdask.service.offline.textlayer import PageSpace

#: How far the edges of the picture may be from those of the page, as a share of its sides.
_EDGE = 0.005
#: Longest side in pixels of the small pictures that are compared, and how many of 255 levels they may differ on average.
_COMPARED_SIDE = 160
_COMPARED_LEVELS = 6.0
#: Sides as the render resolution gives them may be a pixel off.
_RESOLUTION_SLACK = 0.99


def scanned(page: Any, dpi: float) -> Picture | None:
    """Picture of a pypdfium2 page that is one, else None.

    Parameters
    ----------
    page
        With one object on it.
    dpi
        Resolution at which it would be rendered: a coarser picture is not worth taking out.
    """
    import pypdfium2.raw as pdfium
    from PIL import Image

    found = list(page.get_objects(max_depth=1))
    if len(found) != 1 or found[0].type != pdfium.FPDF_PAGEOBJ_IMAGE or pdfium.FPDFPage_GetAnnotCount(page):
        return None
    facts = found[0].get_metadata()
    width, height = facts.width, facts.height
    turn = _turn(page, found[0])
    if turn is None or not 0 < width * height <= MAX_PIXELS:
        return None
    method, across, down = turn
    least = dpi / 72 * _RESOLUTION_SLACK
    if width < across * least or height < down * least:
        return None
    image = _decoded(found[0])
    if image is None or image.size != (width, height):
        return None
    if method is not None:
        image = image.transpose(Image.Transpose[method])
    return picture_of(image) if _looks_like(image, page) else None


def _turn(page: Any, picture: Any) -> tuple[str | None, float, float] | None:
    """How the picture is turned on the shown page, and the points its rows and columns take; None if it does not fill it.

    The name is that of Pillow's transposition; None: not at all.
    """
    space = PageSpace(page)
    a, b, c, d, e, f = picture.get_matrix().get()
    x0, y0 = space.point(e, f)
    (ux, uy), (vx, vy) = space.point(a + e, b + f), space.point(c + e, d + f)
    # From the picture's left to its right, and from its top to its bottom.
    right, down = (ux - x0, uy - y0), (x0 - vx, y0 - vy)
    xs, ys = (x0, ux, vx, ux + vx - x0), (y0, uy, vy, uy + vy - y0)
    edges_x, edges_y = (min(xs), space.width - max(xs)), (min(ys), space.height - max(ys))
    if max(map(abs, edges_x)) > _EDGE * space.width or max(map(abs, edges_y)) > _EDGE * space.height:
        return None
    lying = abs(right[1]) <= _EDGE * space.height and abs(down[0]) <= _EDGE * space.width
    standing = abs(right[0]) <= _EDGE * space.width and abs(down[1]) <= _EDGE * space.height
    if lying:
        names = {
            (True, True): None,
            (True, False): "FLIP_TOP_BOTTOM",
            (False, True): "FLIP_LEFT_RIGHT",
            (False, False): "ROTATE_180",
        }
        return names[right[0] > 0, down[1] > 0], abs(right[0]), abs(down[1])
    if standing:
        names = {
            (True, True): "TRANSPOSE",
            (True, False): "ROTATE_270",
            (False, True): "ROTATE_90",
            (False, False): "TRANSVERSE",
        }
        return names[right[1] > 0, down[0] > 0], abs(right[1]), abs(down[0])
    return None


def _decoded(picture: Any) -> Any:
    """Picture as a Pillow image, as it is stored; None where it can't be decoded."""
    import pypdfium2
    from PIL import Image

    try:
        if picture.get_filters() == ["DCTDecode"]:
            image = Image.open(
                io.BytesIO(bytes(picture.get_data(decode_simple=False))), formats=("JPEG", "MPO")
            )
            image.load()
            return image
        if (deep := _deep(picture)) is not None:
            return deep
        return picture.get_bitmap().to_pil().copy()
    except (OSError, SyntaxError, ValueError, pypdfium2.PdfiumError):
        return None


def _deep(picture: Any) -> Any:
    """Grey picture of 16 bits a pixel, of which PDFium would show 8; None for any other."""
    import numpy as np
    import pypdfium2.raw as pdfium
    from PIL import Image

    facts = picture.get_metadata()
    # PDFium names what it would make of it: three bytes a pixel, though it is grey.
    if facts.colorspace != pdfium.FPDF_COLORSPACE_DEVICEGRAY or facts.bits_per_pixel != 24:
        return None
    width, height = facts.width, facts.height
    data = bytes(picture.get_data(decode_simple=True))
    if len(data) != 2 * width * height:
        return None
    return Image.fromarray(np.frombuffer(data, ">u2").reshape(height, width).astype(np.uint16))


def _looks_like(image: Any, page: Any) -> bool:
    """Whether the page shows the image and nothing else: both small and grey, compared."""
    import numpy as np
    from PIL import Image

    scale = _COMPARED_SIDE / max(*page.get_size(), 1.0)
    bitmap = page.render(scale=scale, fill_color=(255, 255, 255, 255), may_draw_forms=False)
    shown = bitmap.to_pil().convert("L")
    bitmap.close()
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    grey = (image if image.mode != "CMYK" else image.convert("RGB")).convert("L")
    small = grey.resize(shown.size, Image.Resampling.BOX)
    difference = np.abs(np.asarray(small, dtype=np.int16) - np.asarray(shown, dtype=np.int16))
    return float(difference.mean()) <= _COMPARED_LEVELS
