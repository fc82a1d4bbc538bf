"""Cuts ranges out of PDFs and joins small documents into one PDF, in the sandbox.

Rules: work is done in a child, so that no file can take a worker down; a part of a join that can't be read, or on which the
child ends, is told by its place, and the others are joined without it.
"""

from __future__ import annotations

from collections.abc import Sequence

from docdask.core.unpacking import PageImage, halves
from docdask.errors import DocumentError
from docdask.intake import child
from docdask.intake.limits import Limits
from docdask.model import PageRange

#: By part: what each of its pages was, or why there are none.
Pages = list[list[PageImage | None] | DocumentError]


def cut(content: bytes, span: PageRange, *, limits: Limits | None = None) -> bytes:
    """Pages of a PDF as a PDF of its own.

    Parameters
    ----------
    content
        PDF, clean: repaired and decrypted by :func:`docdask.intake.preparing.prepare`.
    span
        Pages wanted, all of them there.
    limits
        Time and memory.

    Returns
    -------
    bytes
        PDF whose page 1 is page ``span.first``; without what only other pages need. The same input gives the same bytes.

    Raises
    ------
    DocumentError
        ``corrupt``, ``encrypted``, ``empty-range``, ``timeout`` …
    """
    made: bytes = child.call("docdask.intake.assembling:cut", content, span, within=limits or Limits())
    return made


def join(parts: Sequence[tuple[bytes, str]], *, limits: Limits | None = None) -> tuple[bytes, Pages]:
    """Documents as one PDF, page after page.

    Parameters
    ----------
    parts
        Content and MIME type of each, in order: PDFs and images, clean.
    limits
        Time and memory of all together, and pixels of an image.

    Returns
    -------
    content
        PDF; empty if no part could be read. The same parts give the same bytes.
    pages
        By part: what each of its pages was (None: a page of a PDF), as :meth:`docdask.core.unpacking.PackMap.of` wants
        it. A part that can't be read has its DocumentError here instead, and none of its pages are in ``content``.

    Raises
    ------
    DocumentError
        ``timeout``, ``memory`` or ``crash``: each part can be read, all together can't. Join fewer.
    """
    limits = limits or Limits()
    try:
        return _joined(parts, limits)
    except DocumentError as error:
        if len(parts) == 1:
            return b"", [error]
        pages: Pages = [found for half in halves(parts) for found in join(half, limits=limits)[1]]
        good = [index for index, found in enumerate(pages) if not isinstance(found, DocumentError)]
        if len(good) == len(parts):
            raise
        content, read = join([parts[index] for index in good], limits=limits) if good else (b"", [])
        for index, found in zip(good, read, strict=True):
            pages[index] = found
        return content, pages


def _joined(parts: Sequence[tuple[bytes, str]], limits: Limits) -> tuple[bytes, Pages]:
    content, pages = child.call(
        "docdask.intake.assembling:join",
        [mime_type for _, mime_type in parts],
        *(content for content, _ in parts),
        limits=limits,
        within=limits,
    )
    return content, pages
