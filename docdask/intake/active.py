"""Notes what a PDF carries besides its pages: scripts, actions, XFA forms, files inside.

Nothing of it is run or opened; a user should know that what a viewer shows may differ from what is recognised.
"""

from __future__ import annotations

import io
from typing import Any

from docdask.intake.findings import Findings

_PAGES_LOOKED_AT = 50
#: An electronic invoice carries itself as XML under one of these names (EN 16931: ZUGFeRD, Factur-X, UBL): the same
#: content once more, nothing that would be missed.
_INVOICE_XML = frozenset(
    {
        "factur-x.xml",
        "zugferd-invoice.xml",
        "xrechnung.xml",
        "order-x.xml",
        "cii-invoice.xml",
        "ubl-invoice-2.1.xml",
    }
)
#: Actions that do something; a link to another page of the document is none of them.
_ACTIVE = frozenset(
    {"/JavaScript", "/Launch", "/SubmitForm", "/ImportData", "/RichMediaExecute", "/Named", "/Rendition"}
)


def look(data: bytes, password: str, found: Findings) -> None:
    """Note scripts and attachments of a PDF that opened; a file that qpdf can't read has none noted."""
    import pikepdf

    try:
        with pikepdf.open(io.BytesIO(data), password=password) as pdf:
            reasons = _scripts(pdf)
            files = _files(pdf)
            portfolio = "/Collection" in pdf.Root
    except Exception:  # noqa: BLE001 - of damaged files qpdf raises anything; a note is worth no document
        return
    if reasons:
        found.note("active-content", f"it carries {' and '.join(reasons)}; nothing of it is run")
    if portfolio:
        found.note(
            "attachment", f"it is a portfolio of {files} files, of which only the cover page is recognised"
        )
    elif files:
        found.note("attachment", f"it carries {files} file{'s' if files > 1 else ''} inside, not recognised")


def _scripts(pdf: Any) -> list[str]:
    root = pdf.Root
    reasons = []
    names = root.get("/Names", {})
    pages = [page.obj for _, page in zip(range(_PAGES_LOOKED_AT), pdf.pages, strict=False)]
    actions = [root.get("/OpenAction"), *_triggers(root)]
    for page in pages:
        actions += _triggers(page)
    if "/JavaScript" in names or any(_kind(action) == "/JavaScript" for action in actions):
        reasons.append("JavaScript")
    if any(_kind(action) in _ACTIVE - {"/JavaScript"} for action in actions):
        reasons.append("actions that start on their own")
    if "/XFA" in root.get("/AcroForm", {}) or root.get("/NeedsRendering", False) is True:
        reasons.append("an XFA form")
    return reasons


def _triggers(owner: Any) -> list[Any]:
    """Actions that an object starts by itself (its dictionary /AA)."""
    additional = owner.get("/AA")
    return [additional[key] for key in additional] if _is_dictionary(additional) else []


def _kind(action: Any) -> str:
    return str(action.get("/S", "")) if _is_dictionary(action) else ""


def _is_dictionary(value: Any) -> bool:
    import pikepdf

    return isinstance(value, pikepdf.Dictionary)


def _files(pdf: Any) -> int:
    return sum(name.lower() not in _INVOICE_XML for name in pdf.attachments)
