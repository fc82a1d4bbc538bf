"""Which pages of a document go into one request, and whether they are selected or cut out.

Rules:

1. A document that one request takes whole is one unit, and has no ranges.
2. The limit of the imageless mode holds for selections from page 1 on (``docdask.core.limits.SELECTION_RULE``). A file that
   is cut begins at its own page 1, so each of its pieces may be that long; of a file that is sent whole with a selector only
   the first range may, the others have the plain online limit.
3. A batch takes a document whole up to the type's own limit; what is longer is cut into ranges of that many pages.
4. Ranges are as long as they may be and the last is what is left, instead of all being equal: that is the least number of
   requests, and where a price counts tens of pages begun in a document, ranges of 30 add none.
"""

from __future__ import annotations

from docdask.core.limits import ProcessorLimits
from docdask.errors import DocumentError, UsageError
from docdask.model import PageRange


def whole_pages(limits: ProcessorLimits, *, lane: str, imageless: bool) -> int:
    """Most pages of a document that one request takes without a selector.

    Parameters
    ----------
    limits
        Of the processor type.
    lane
        ``online`` or ``batch``.
    imageless
        Whether calls use the imageless mode; batches have none.

    Raises
    ------
    UsageError
        If the lane is another one.
    """
    if lane == "batch":
        return limits.batch_pages
    if lane != "online":
        raise UsageError(f"lane {lane!r} has no requests", "ask for online or batch")
    return max(limits.online_pages, limits.imageless_pages) if imageless else limits.online_pages


def ranges(
    pages: int, limits: ProcessorLimits, *, lane: str, imageless: bool, cuttable: bool
) -> tuple[PageRange, ...]:
    """Page ranges of a document, each one unit.

    Parameters
    ----------
    pages
        Of the document.
    limits
        Of the processor type.
    lane
        ``online`` or ``batch``.
    imageless
        Whether calls use the imageless mode.
    cuttable
        Whether a range can be cut out into a file of its own (a PDF that we hold), or has to be selected (several frames
        of a TIFF; a file in a bucket that is read in place).

    Returns
    -------
    tuple of PageRange
        In order and together all pages; empty where the whole document is one unit.

    Raises
    ------
    DocumentError
        ``too-many-pages``: beyond what a batch takes, and it can't be cut.
    UsageError
        If the lane is another one, or a limit is below 1.
    """
    whole = whole_pages(limits, lane=lane, imageless=imageless)
    if min(whole, limits.online_pages) < 1:
        raise UsageError(
            f"{limits.processor_type} takes {min(whole, limits.online_pages)} pages a request",
            "allow at least 1",
        )
    if pages <= whole:
        return ()
    if lane == "batch" and not cuttable:
        raise DocumentError(
            "too-many-pages",
            f"it has {pages} pages, a batch of {limits.title} takes {whole}, and it can't be cut",
            "send it by the online lane, or make a PDF of it",
        )
    following = whole if cuttable else limits.online_pages
    firsts = [1, *range(whole + 1, pages + 1, following)]
    return tuple(
        PageRange(first, min(first + (whole if first == 1 else following) - 1, pages)) for first in firsts
    )


def selects(span: PageRange | None, pages: int, limits: ProcessorLimits, imageless: bool) -> bool:
    """Whether an online call may send the whole file and select these pages; else they must be cut out.

    Parameters
    ----------
    span
        Pages wanted; None for the whole document.
    pages
        Of the document.
    limits
        Of the processor type.
    imageless
        Whether the call uses the imageless mode.
    """
    wanted = span or PageRange(1, max(pages, 1))
    if wanted.last > pages:
        return False
    best = whole_pages(limits, lane="online", imageless=imageless and wanted.first == 1)
    return len(wanted) <= best
