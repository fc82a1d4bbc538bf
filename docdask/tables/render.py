"""Draws one page of an original as an image, in the sandbox: originals are never trusted.

Rules: PDF pages as a viewer shows them (``/Rotate`` applied), images with their EXIF orientation applied; never more
pixels than the limit, whatever the file says its size is.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from docdask import sandbox
from docdask.errors import DocumentError, UsageError

if TYPE_CHECKING:
    from PIL.Image import Image

#: Largest image drawn, in pixels: an A3 page at 300 dpi and a bit.
MAX_PIXELS = 20_000_000


def render_page(data: bytes, mime_type: str, page: int, dpi: float = 100) -> Image:
    """Draw page ``page`` (1-based) of a PDF or image.

    Parameters
    ----------
    data
        The original's bytes, decrypted.
    mime_type
        As in the table ``documents``.
    page
        1-based page or frame.
    dpi
        Resolution for PDFs, made smaller where the page would have too many pixels. Images keep their pixels, or are
        made smaller likewise.

    Returns
    -------
    PIL.Image.Image
        RGB.

    Raises
    ------
    UsageError
        If the page is not in the document, or the type can't be drawn.
    DocumentError
        If the file can't be read.
    """
    if page < 1 or not 1 <= dpi <= 2400:
        raise UsageError(
            f"page {page} at {dpi:g} dpi can't be drawn", "pages start at 1, dpi goes from 1 to 2400"
        )
    from PIL import Image

    target = "_pdf_page" if mime_type == "application/pdf" else "_image_frame"
    try:
        size, pixels = sandbox.call(f"docdask.tables.render:{target}", data, page, dpi)
    except RuntimeError as error:
        raise DocumentError(
            "corrupt", f"page {page} can't be drawn ({error})", "open it in another program"
        ) from error
    return Image.frombytes("RGB", size, pixels)


def _no_such_page(page: int, pages: int) -> DocumentError:
    return DocumentError(
        "no-such-page", f"there is no page {page}, the document has {pages}", "ask for a page that is there"
    )


def _pdf_page(data: bytes, page: int, dpi: float) -> tuple[tuple[int, int], bytes]:
    """Child side of :func:`render_page` for PDFs."""
    import pypdfium2 as pdfium

    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        code = "encrypted" if "assword" in str(error) else "corrupt"
        raise DocumentError(
            code, f"it can't be opened as PDF ({error})", "check the file and its password"
        ) from error
    try:
        if page > len(document):
            raise _no_such_page(page, len(document))
        leaf = document[page - 1]
        width, height = leaf.get_size()
        scale = min(dpi / 72, (MAX_PIXELS / max(width * height, 1.0)) ** 0.5)
        if document.get_formtype():
            document.init_forms()
        return _rgb(leaf.render(scale=scale, may_draw_forms=True).to_pil())
    finally:
        document.close()


def _image_frame(data: bytes, page: int, dpi: float) -> tuple[tuple[int, int], bytes]:  # noqa: ARG001
    """Child side of :func:`render_page` for images; takes what the PDF side takes."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # the sandbox limits memory
    try:
        with Image.open(io.BytesIO(data)) as image:
            frames = getattr(image, "n_frames", 1)
            if page > frames:
                raise _no_such_page(page, frames)
            image.seek(page - 1)
            share = (MAX_PIXELS / max(image.width * image.height, 1)) ** 0.5
            if share < 1:
                image.draft("RGB", (int(image.width * share), int(image.height * share)))
            frame = ImageOps.exif_transpose(image)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise DocumentError(
            "corrupt", f"it can't be opened as an image ({error})", "check the file"
        ) from error
    share = (MAX_PIXELS / max(frame.width * frame.height, 1)) ** 0.5
    if share < 1:
        frame = frame.resize((max(1, int(frame.width * share)), max(1, int(frame.height * share))))
    return _rgb(frame)


def flat(image: Any) -> Any:
    """Image without transparency or deep samples, as mode ``1``, ``L`` or ``RGB``.

    What is transparent becomes paper; 16- and 32-bit samples are spread from their least to their greatest.
    """
    from PIL import Image

    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    elif image.mode.startswith(("I", "F")):
        image = image.convert("F")
        low, high = image.getextrema()
        image = image.point(lambda value: (value - low) * (255 / ((high - low) or 1))).convert("L")
    return image if image.mode in {"1", "L", "RGB"} else image.convert("RGB")


def _rgb(image: Any) -> tuple[tuple[int, int], bytes]:
    """Size and RGB bytes."""
    image = flat(image).convert("RGB")
    return image.size, image.tobytes()
