"""Whether a file and its selection of pages can be processed, and Google's words when they can't.

Rule of the selection (measured on a 316-page PDF): the limit holds for the pages selected, not for the file. 30 pages
in imageless mode when they start at page 1 without a gap, else 15; three different texts. ``page_limit`` in the
metadata is the best that could be had, not the limit in force.
"""

from __future__ import annotations

from collections.abc import Sequence

from docdask.core.limits import IMAGE_TYPES, LimitBook, ProcessorLimits
from docdask.core.server.calls import BatchDocument, Call
from docdask.core.server.settings import Switches
from docdask.core.server.status import INVALID, ErrorInfo, Status, invalid

CORRUPT_PDF = (
    "PDF document could not be opened or is corrupted (possible reasons: corrupt document structure, damaged "
    "cross-reference table, truncated file, or unsupported encryption)."
)
CORRUPT_IMAGE = "Invalid image content"
UNSUPPORTED = "Unsupported input file format."
IMAGE_SIDE = "Image width or height exceeds the 10k pixel limit"
IMAGE_PIXELS = "Input Document too large"


def from_first_page(selection: Sequence[int] | None) -> bool:
    """Whether the selection is pages 1, 2, 3 … without a gap."""
    if selection is None:
        return True
    return len(selection) > 0 and selection[0] == 1 and selection[-1] == len(selection)


def page_limit_exceeded(
    limit: int, pages: int, best: int, switches: Switches, *, hint: bool = False
) -> Status:
    """Refusal with the reason PAGE_LIMIT_EXCEEDED."""
    text = f"Document pages exceed the limit: {limit} got {pages}"
    if hint:
        text = (
            f"Document pages in non-imageless mode exceed the limit: {limit} got {pages}. "
            f"Try using imageless mode to increase the limit to {best}."
        )
    metadata = {"page_limit": str(best), "pages": str(pages)}
    return Status(
        "INVALID_ARGUMENT", text, (ErrorInfo("PAGE_LIMIT_EXCEEDED", switches.page_limit_domain, metadata),)
    )


def check_pages(call: Call, limits: ProcessorLimits, switches: Switches) -> Status | None:
    """Apply the rule of the selection to an online call."""
    pages = call.selected()
    if pages <= limits.online_pages:
        return None
    best = max(limits.online_pages, limits.imageless_pages)
    if pages > best:
        return page_limit_exceeded(best, pages, best, switches)
    if not call.imageless:
        return page_limit_exceeded(limits.online_pages, pages, best, switches, hint=True)
    if not from_first_page(call.selection):
        return Status("INVALID_ARGUMENT", f"At most {limits.online_pages} pages in one call please.")
    return None


def check_file(
    document: Call | BatchDocument, limits: ProcessorLimits, book: LimitBook, field: str
) -> Status | None:
    """Apply what holds for any file: its type, whether it opens, the size of its images, its selection."""
    if document.mime_type not in limits.mime_types or document.problem == "unsupported":
        return invalid(INVALID, (f"{field}.mime_type", UNSUPPORTED))
    if document.problem == "corrupt-image":
        return invalid(CORRUPT_IMAGE)
    if document.problem:
        return invalid(CORRUPT_PDF)
    if document.mime_type in IMAGE_TYPES:
        if max(document.width, document.height) > book.limit("image_side"):
            return invalid(IMAGE_SIDE)
        if document.width * document.height > book.limit("image_pixels"):
            return invalid(IMAGE_PIXELS)
    selection = document.selection
    if selection is not None and (not len(selection) or selection[-1] > document.pages or selection[0] < 1):
        return invalid(
            INVALID,
            (
                "process_options.individual_page_selector.pages",
                f"Page out of range: document has {document.pages} pages.",
            ),
        )
    return None


def check_size(size_bytes: int, limit: int, field: str) -> Status | None:
    """Apply the limit of a file's size."""
    if size_bytes <= limit:
        return None
    return invalid(INVALID, (field, f"Document size ({size_bytes}) exceeds the limit: {limit}."))


def check_call(call: Call, limits: ProcessorLimits, book: LimitBook, switches: Switches) -> Status | None:
    """Apply every rule to an online call; None when it can be processed."""
    if call.ocr_config and not limits.takes_ocr_config:
        return invalid(
            INVALID, ("process_options.ocr_config", "OcrConfig is not supported by this processor.")
        )
    if call.layout_config and not limits.takes_layout_config:
        return invalid(
            INVALID, ("process_options.layout_config", "LayoutConfig is not supported by this processor.")
        )
    if call.source != "gcs_document" or switches.gcs_document_limited:
        field = "gcs_document.gcs_uri" if call.source == "gcs_document" else f"{call.source}.content"
        refusal = check_size(call.size_bytes, book.limit("online_bytes"), field)
        if refusal:
            return refusal
    return check_file(call, limits, book, call.source) or check_pages(call, limits, switches)


def check_batch_document(
    document: BatchDocument, limits: ProcessorLimits, book: LimitBook, switches: Switches
) -> Status | None:
    """Apply every rule to one document of a batch."""
    refusal = check_size(
        document.size_bytes, book.limit("batch_bytes"), "gcs_document.gcs_uri"
    ) or check_file(document, limits, book, "gcs_document")
    if refusal:
        return refusal
    if document.selected() > limits.batch_pages:
        return page_limit_exceeded(limits.batch_pages, document.selected(), limits.batch_pages, switches)
    return None
