"""Cuts ranges out of PDFs and joins small documents into one PDF, in the sandbox."""

from __future__ import annotations

from collections.abc import Sequence

from docdask.core.unpacking import PageImage
from docdask.errors import DocumentError
from docdask.intake.limits import Limits
from docdask.model import PageRange


def cut(content: bytes, span: PageRange, *, limits: Limits | None = None) -> bytes:
    """Pages of a PDF as a PDF of its own, called in the worker; the work is done in its child.

    Parameters
    ----------
    content
        PDF, clean: repaired and decrypted by :func:`docdask.intake.preparing.prepare`.
    span
        Pages wanted, all of them there.
    limits
        Time and memory.

    Raises
    ------
    DocumentError
        ``corrupt``, ``encrypted``, ``empty-range``, ``timeout`` …
    """
    raise NotImplementedError


def join(
    parts: Sequence[tuple[bytes, str]], *, limits: Limits | None = None
) -> tuple[bytes, list[list[PageImage | None] | DocumentError]]:
    """Documents as one PDF, page after page, called in the worker; the work is done in its child.

    Parameters
    ----------
    parts
        Content and MIME type of each, in order: PDFs and images, clean.
    limits
        Time and memory of all together.

    Returns
    -------
    content
        PDF; empty if no part could be read. The same parts give the same bytes.
    pages
        By part: what each of its pages was (None: a page of a PDF), for :meth:`PackMap.of`. A part that can't be
        read has its DocumentError here instead, and none of its pages are in ``content``.
    """
    raise NotImplementedError
