"""What the sandbox runs to cut PDFs and to join files. Never called in a worker's own process.

Rules:

1. Nothing is lost: pages of PDFs are copied with their form fields and layers, streams as they are; JPEGs and PNGs go in byte
   for byte (img2pdf), other images decoded and stored without loss, bilevel ones as CCITT group 4. What a page can't show is
   laid down as a reader would see it: transparency on white, CMYK that is not JPEG as RGB, 32 bits a pixel as 8.
2. Nothing comes along: what only other pages need, outlines, scripts and metadata stay behind.
3. An image's page has :data:`PIXELS_PER_INCH` pixels an inch, upright as its EXIF or TIFF orientation says.
4. The same input gives the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from docdask.core.unpacking import PageImage
from docdask.errors import DocumentError
from docdask.intake import content_type, problems
from docdask.intake.image import BROKEN, ORIENTATION, UPRIGHT, check_size, decoder_message, each_frame, opened
from docdask.intake.limits import Limits
from docdask.intake.pdf import qpdf_message, tangled
from docdask.intake.pixels import on_paper, spread, with_alpha
from docdask.model import PageRange

#: Services give pages of PDFs about 200 pixels an inch: so an image's page is rendered to its own pixels.
PIXELS_PER_INCH = 200
#: Sides in points that any reader of PDFs takes (ISO 32000-1, annex C).
_LEAST_POINTS, _MOST_POINTS = 3.0, 14400.0


def cut(data: bytes, span: PageRange) -> bytes:
    """Pages ``span`` of a PDF as a PDF of their own.

    Raises
    ------
    DocumentError
        ``corrupt``, ``encrypted``, ``no-pages`` or ``empty-range``.
    """
    with ExitStack() as open_files:
        source = _pdf(data, open_files)
        count = len(source.pages)
        if span.last > count:
            raise DocumentError(
                "empty-range",
                f"pages {span} were asked for, the PDF has {count}",
                "ask for pages that are there",
            )
        try:
            return _saved([(source, range(span.first - 1, span.last))])
        except Exception as cause:
            raise _corrupt(cause) from cause


def join(
    mime_types: Sequence[str], *contents: bytes, limits: Limits
) -> tuple[bytes, list[list[PageImage | None] | DocumentError]]:
    """Join files into one PDF; see :func:`docdask.intake.joining.join`."""
    pages: list[list[PageImage | None] | DocumentError] = []
    sources: dict[int, Any] = {}
    with ExitStack() as open_files:
        for index, (mime_type, content) in enumerate(zip(mime_types, contents, strict=True)):
            try:
                if mime_type == content_type.PDF:
                    sources[index] = _pdf(content, open_files)
                    facts: list[PageImage | None] = [None] * len(sources[index].pages)
                else:
                    sources[index], facts = _image(content, mime_type, limits, open_files)
                pages.append(facts)
            except DocumentError as error:
                pages.append(error)
        try:
            joined = _saved([(source, None) for source in sources.values()])
        except Exception:  # noqa: BLE001 - qpdf reads a file's objects when they are written: one of them can't be
            joined = _saved_without_broken(sources, pages)
    return joined, pages


def _saved_without_broken(sources: dict[int, Any], pages: list[Any]) -> bytes:
    """Find the sources that can't be written, tell them, and join the others."""
    for index, source in list(sources.items()):
        try:
            _saved([(source, None)])
        except Exception as cause:  # noqa: BLE001 - PdfError, RuntimeError, whatever C++ throws
            pages[index] = _corrupt(cause)
            del sources[index]
    return _saved([(source, None) for source in sources.values()])


def _saved(parts: Sequence[tuple[Any, range | None]]) -> bytes:
    """Write pages of several sources to one PDF; empty for no sources."""
    import pikepdf

    if not parts:
        return b""
    with pikepdf.new() as joined:
        for source, wanted in parts:
            joined.add_pages_from(source, wanted, outlines="ignore")
        joined.remove_unreferenced_resources()
        for name in ("/Names", "/Dests"):
            if name in joined.Root:
                del joined.Root[name]
        out = io.BytesIO()
        joined.save(
            out,
            min_version=max(source.pdf_version for source, _ in parts),
            stream_decode_level=pikepdf.StreamDecodeLevel.none,
            object_stream_mode=pikepdf.ObjectStreamMode.generate,
            deterministic_id=True,
        )
    return out.getvalue()


def _pdf(data: bytes, open_files: ExitStack) -> Any:
    import pikepdf

    try:
        source = open_files.enter_context(pikepdf.open(io.BytesIO(data)))
        count = len(source.pages)
    except pikepdf.PasswordError as cause:
        raise problems.error("encrypted") from cause
    except Exception as cause:
        raise _corrupt(cause) from cause
    if not count:
        raise problems.error("no-pages")
    return source


def _corrupt(cause: Exception) -> DocumentError:
    text = qpdf_message(cause)[:200] or type(cause).__name__
    return tangled(text) or problems.error("corrupt", f"its pages can't be copied ({text})")


def _image(
    data: bytes, mime_type: str, limits: Limits, open_files: ExitStack
) -> tuple[Any, list[PageImage | None]]:
    """An image as a PDF, one page a frame, and what the frames were."""
    import pikepdf

    made = open_files.enter_context(pikepdf.new())
    facts: list[PageImage | None] = []
    try:
        for wrapped, orientation, (width, height) in _frames(data, limits):
            source = open_files.enter_context(pikepdf.open(io.BytesIO(wrapped)))
            made.pages.append(source.pages[0])
            _place(made, made.pages[-1], orientation, *_points(width, height))
            facts.append(PageImage(width, height, mime_type))
    except BROKEN as cause:
        raise problems.error("corrupt", f"the image can't be decoded ({decoder_message(cause)})") from cause
    return made, facts


def _frames(data: bytes, limits: Limits) -> Iterator[tuple[bytes, int, tuple[int, int]]]:
    """Each frame as img2pdf's PDF of it, its orientation, and its upright size."""
    from PIL import ImageOps

    with opened(data) as image:
        check_size(image.size, limits)
        as_it_is = _as_it_is(image, data) if _verbatim(image, data) else None
        if as_it_is is not None:
            yield as_it_is
            return
    with opened(data) as image:
        for _ in each_frame(image, limits):
            image.load()
            upright = ImageOps.exif_transpose(image)
            yield _wrapped(_stored(upright)), 1, upright.size


def _as_it_is(image: Any, data: bytes) -> tuple[bytes, int, tuple[int, int]] | None:
    """A file whose own bytes go into the PDF, once it is sure that they can be decoded; None if img2pdf declines."""
    width, height = image.size
    if image.format in {"JPEG", "MPO"}:
        image.draft(None, (max(1, width // 8), max(1, height // 8)))  # reads every byte, costs little
    image.load()
    orientation = image.getexif().get(ORIENTATION, 1)
    orientation = orientation if orientation in UPRIGHT else 1
    try:
        wrapped = _wrapped(data)
    except Exception:  # noqa: BLE001 - it has a dozen classes for what it does not take, with no common base
        return None
    return wrapped, orientation, (height, width) if orientation > 4 else (width, height)


def _wrapped(content: bytes) -> bytes:
    import img2pdf

    made: bytes = img2pdf.convert(
        io.BytesIO(content),  # bytes would be taken for the name of a file first
        layout_fun=lambda *_: (100.0, 100.0, 100.0, 100.0),  # the page is laid out later
        rotation=img2pdf.Rotation.none,
        first_frame_only=True,
        nodate=True,
    )
    return made


def _verbatim(image: Any, data: bytes) -> bool:
    """Whether a PDF can hold the file's own bytes: a JPEG, or a PNG that is neither interlaced, animated nor transparent."""
    if image.format in {"JPEG", "MPO"}:
        return True
    return (
        image.format == "PNG"
        and data[28] == 0  # interlace method, in the header's fixed place
        and getattr(image, "n_frames", 1) == 1
        and image.mode not in {"RGBA", "LA", "PA"}
        and "transparency" not in image.info
    )


def _stored(frame: Any) -> bytes:
    """A frame as a file without loss: bilevel as TIFF of CCITT group 4, all else as PNG."""
    out = io.BytesIO()
    if frame.mode == "1":
        frame.save(out, "TIFF", compression="group4")
    else:
        _flat(frame).save(out, "PNG", compress_level=6)
    return out.getvalue()


def _flat(frame: Any) -> Any:
    """A frame in a mode that PNG has, without transparency."""
    frame = on_paper(with_alpha(frame))
    if frame.mode in {"I", "F"}:  # PNG has 16 bits, not 32
        return spread(frame)
    if frame.mode == "L" or frame.mode.startswith("I;16"):
        plain = frame.copy()
        plain.info = {}
        return plain
    return frame.convert("RGB")


def _points(width: int, height: int) -> tuple[float, float]:
    """Sides of the page for an image of that many pixels."""
    scale = min(72 / PIXELS_PER_INCH, _MOST_POINTS / max(width, height))
    return max(_LEAST_POINTS, width * scale), max(_LEAST_POINTS, height * scale)


def _place(made: Any, page: Any, orientation: int, across: float, down: float) -> None:
    """Lay a page out so that its image fills it, upright."""
    import pikepdf

    matrix = UPRIGHT[orientation].format(w=f"{across:.4f}", h=f"{down:.4f}")
    page.Contents = made.make_stream(f"q {matrix} cm /Im0 Do Q".encode())
    page.MediaBox = pikepdf.Array([0, 0, round(across, 4), round(down, 4)])
    image = page.Resources.XObject.Im0
    if isinstance(image.ColorSpace, pikepdf.Array) and image.ColorSpace[0] == "/ICCBased":
        # Readers of image files take the numbers as they are; so must readers of this page.
        image.ColorSpace = image.ColorSpace[1].Alternate
