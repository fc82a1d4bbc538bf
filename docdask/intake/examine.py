"""What the sandbox runs: examines one file's bytes, or makes them clean. Never called in a worker's own process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from docdask.errors import DocumentError
from docdask.intake import content_type, problems
from docdask.intake.findings import Findings
from docdask.intake.limits import Limits

_CONVERT = {
    "image/heic": "save it as JPEG",
    "application/zip": "unpack it, or name its files: zip://**::ARCHIVE.zip",
    "application/vnd.ms-outlook": "save its attachments and scan them, or print the message to PDF",
    "message/rfc822": "save its attachments and scan them, or print the message to PDF",
    "application/mbox": "save the attachments of its messages and scan them",
    "application/octet-stream": "check what it is; export it to PDF",
}


def examine(
    data: bytes, name: str, passwords: Sequence[str], limits: Limits, *, rebuild: bool = False
) -> dict[str, Any]:
    """Columns of the catalog row that come from the content.

    Parameters
    ----------
    data
        The file.
    name
        Its name, only to note that it claims another type.
    passwords
        Tried in this order on encrypted PDFs.
    limits
        Pixel and page limits; time and memory are the sandbox's business.
    rebuild
        The library that renders PDFs crashed on this one: show it a rebuilt copy only.
    """
    found = Findings(content_type.sniff(data))
    try:
        _examine(data, found, passwords, limits, rebuild=rebuild)
    except DocumentError as error:
        found.stop("quarantined", error.code, error.message, error.remedy)
        found.encrypted = found.encrypted or error.code in {"encrypted", "certificate"}
    _compare_name(name, found)
    return found.columns()


def clean(data: bytes, passwords: Sequence[str], limits: Limits) -> bytes:
    """Decrypt and repair: one rebuild does both."""
    from docdask.intake import image, pdf

    if content_type.sniff(data) == content_type.PDF:
        return pdf.mend(data, passwords)
    return image.mend(data, limits)


def _examine(
    data: bytes, found: Findings, passwords: Sequence[str], limits: Limits, *, rebuild: bool
) -> None:
    mime = found.mime_type
    if not data:
        raise problems.error("empty")
    if mime == content_type.PDF:
        from docdask.intake import pdf

        pdf.examine(data, found, passwords, limits, rebuild=rebuild)
    elif mime in content_type.IMAGES:
        from docdask.intake import image

        image.examine(data, found, limits)
    else:
        what = content_type.describe(mime) if mime != "application/octet-stream" else "a file of unknown type"
        found.stop(
            "skipped", "unsupported-type", f"it is {what}, which no engine takes", _CONVERT.get(mime, "")
        )


def _compare_name(name: str, found: Findings) -> None:
    claim = content_type.claimed(name)
    if claim is None or found.mime_type in {claim, "inode/x-empty"}:
        return
    what = f"its name says {content_type.NAMES[claim]}, but it is {content_type.describe(found.mime_type)}"
    if found.state == "skipped":
        found.stop(
            "skipped", "wrong-type", f"{what}, which no engine takes", "look for the file that was meant"
        )
    elif found.state == "ready":
        found.note("wrong-type", f"{what}; the content counts")
