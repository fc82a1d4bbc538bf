"""Examines and mends PDFs. Runs in the sandbox only.

Rules:

1. pdfium decides: it is what renders and reads the pages later. A document is ready when pdfium opens it and loads
   at least one page.
2. What pdfium does not open, or opens with pages missing, goes through qpdf (pikepdf), which rebuilds the
   cross-reference table and writes a clean file; if pdfium then has more pages, or no missing ones, the action is
   ``repaired``.
3. Passwords are tried in the order given. A file that opens without one but is encrypted (owner password) is
   decrypted as well: services refuse it otherwise.
4. The same bytes, action and passwords give the same clean bytes each time.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from docdask.errors import DocumentError
from docdask.intake import active, kinds, problems, textlayer
from docdask.intake.findings import Findings
from docdask.intake.limits import Limits

_TEXT_CHARACTERS = 20_000


def examine(
    data: bytes, found: Findings, passwords: Sequence[str], limits: Limits, *, rebuild: bool = False
) -> None:
    """Fill ``found`` for the PDF in ``data``; with ``rebuild`` pdfium sees it only after qpdf has (it crashed on it).

    Raises
    ------
    DocumentError
        If it can't be used: ``encrypted``, ``certificate``, ``no-pages``, ``loop``, ``deep-nesting``, ``corrupt``.
    """
    found.group = "pdf"
    document, password = (None, _qpdf_password(data, passwords)) if rebuild else _open(data, passwords)
    usable = document is not None and _loadable(document) == len(document) > 0
    if not usable:
        # Rule 2. A repaired file that is no better than the broken one is not used.
        before = _loadable(document) if document is not None else 0
        document = _repaired(data, password, document, before, found)
    assert document is not None
    document = _unprotected(data, password, document, found)
    form_type = _measure(document, found, limits)
    if "repaired" not in found.actions:
        active.look(data, password, found)
    if form_type > 1 and "active-content" not in found.notes:
        found.note("active-content", "it has an XFA form, which only Adobe's reader shows as meant")


def mend(data: bytes, passwords: Sequence[str]) -> bytes:
    """Decrypt and rebuild a PDF with qpdf; the same input gives the same output.

    Raises
    ------
    DocumentError
        ``encrypted`` or ``corrupt``.
    """
    import pikepdf

    for password in ("", *passwords):
        try:
            return _rebuild(data, password)
        except pikepdf.PasswordError:
            continue
        except _QpdfFailed as cause:
            raise problems.error("corrupt", f"qpdf can't repair it: {cause}") from cause
    raise problems.error("encrypted")


class _QpdfFailed(Exception):  # noqa: N818 - never leaves this module
    """qpdf can't read or write the file; the text says why."""


@contextmanager
def _qpdf(data: bytes, password: str) -> Iterator[Any]:
    """Open with qpdf. Raises ``pikepdf.PasswordError`` or :class:`_QpdfFailed`, whatever happens inside."""
    import pikepdf

    try:
        with pikepdf.open(io.BytesIO(data), password=password) as pdf:
            yield pdf
    except pikepdf.PasswordError:
        raise
    except Exception as cause:
        # PdfError, but of damaged files also RuntimeError, ValueError, KeyError, whatever C++ throws.
        raise _QpdfFailed(qpdf_message(cause)) from cause


def _rebuild(data: bytes, password: str) -> bytes:
    with _qpdf(data, password) as pdf:
        out = io.BytesIO()
        pdf.save(out, deterministic_id=True, encryption=False)
        return out.getvalue()


def _open(data: bytes, passwords: Sequence[str]) -> tuple[Any, str]:
    """Document and the password that opened it; (None, password) where only a repair may help."""
    import pypdfium2

    code = 0
    for password in ("", *passwords):
        try:
            return pypdfium2.PdfDocument(data, password=password or None), password
        except pypdfium2.PdfiumError as cause:
            code = getattr(cause, "err_code", None) or 0
            if code == pypdfium2.raw.FPDF_ERR_SECURITY:
                raise problems.error("certificate") from cause
            if code != pypdfium2.raw.FPDF_ERR_PASSWORD:
                return None, password
    return None, _qpdf_password(data, passwords)


def _qpdf_password(data: bytes, passwords: Sequence[str]) -> str:
    """Ask qpdf about a file that pdfium calls locked (it says so of some that have no page, too)."""
    import pikepdf

    for password in ("", *passwords):
        try:
            with _qpdf(data, password):
                return password
        except pikepdf.PasswordError:
            continue
        except _QpdfFailed:
            break
    count = len(passwords)
    tried = (
        f"none of the {count} passwords given opens it"
        if count > 1
        else "the password given does not open it"
    )
    raise problems.error(
        "encrypted", f"it is encrypted; {tried}" if count else "it is encrypted and needs a password"
    )


def _repaired(data: bytes, password: str, document: Any, before: int, found: Findings) -> Any:
    import pikepdf
    import pypdfium2

    try:
        repaired = pypdfium2.PdfDocument(_rebuild(data, password))
        after = _loadable(repaired)
    except (pikepdf.PasswordError, _QpdfFailed, pypdfium2.PdfiumError) as cause:
        if before:
            found.note("damaged", _missing(document, before))
            return document
        raise _hopeless(data, password, cause) from cause
    if after > before or after == before == len(repaired) > 0:
        found.actions.append("repaired")
        found.note("damaged", "it was damaged; qpdf rebuilt it")
        if after < len(repaired):
            found.note("damaged", f"it was damaged; {_missing(repaired, after)}")
        return repaired
    if before:
        found.note("damaged", _missing(document, before))
        return document
    raise problems.error("corrupt", "none of its pages can be loaded, also after a repair")


def _missing(document: Any, loadable: int) -> str:
    return f"{len(document) - loadable} of its {len(document)} pages can't be read"


def _hopeless(data: bytes, password: str, cause: Exception) -> DocumentError:
    """Say as exactly as possible why neither library can use the file."""
    import pikepdf

    text = qpdf_message(cause)
    known = tangled(text)
    if known is not None:
        return known
    try:
        with _qpdf(data, password) as pdf:
            empty = len(pdf.pages) == 0
    except (pikepdf.PasswordError, _QpdfFailed):
        empty = False
    if empty:
        return problems.error("no-pages")
    return problems.error("corrupt", f"it is damaged and can't be repaired ({text})")


def qpdf_message(cause: Exception) -> str:
    """Take qpdf's message without the name of our stream, which is an address in memory."""
    text = " ".join(str(cause).split())
    return text.partition(">")[2].lstrip(": ") if text.startswith("stream <") else text


def tangled(message: str) -> DocumentError | None:
    """Error for objects that are nested too deep or point back at themselves, as qpdf words it; None for other damage."""
    if "nested" in message or "nesting" in message:
        return problems.error("deep-nesting")
    return problems.error("loop") if "oop" in message else None


def _loadable(document: Any) -> int:
    """Count the pages that pdfium loads; of long documents the first, the last and 98 between speak for all."""
    import pypdfium2

    total = len(document)
    numbers = range(total) if total <= 100 else sorted({*range(0, total, -(-total // 99)), total - 1})
    loaded = 0
    for index in numbers:
        try:
            document[index].close()
            loaded += 1
        except pypdfium2.PdfiumError:
            continue
    return total if loaded == len(numbers) else round(loaded * total / len(numbers))


def _unprotected(data: bytes, password: str, document: Any, found: Findings) -> Any:
    """The document as engines will get it: decrypted where it was encrypted."""
    import pikepdf
    import pypdfium2
    import pypdfium2.raw as pdfium

    if pdfium.FPDF_GetSecurityHandlerRevision(document.raw) == -1 and not password:
        return document
    found.encrypted = True
    found.actions.append("decrypted")
    found.note("password" if password else "owner-password")
    try:
        decrypted = pypdfium2.PdfDocument(_rebuild(data, password))
    except (pikepdf.PasswordError, _QpdfFailed, pypdfium2.PdfiumError) as cause:
        raise problems.error(
            "encrypted", f"it is encrypted and can't be decrypted: {qpdf_message(cause)}"
        ) from cause
    after, before = _loadable(decrypted), _loadable(document)
    if after == 0:
        raise problems.error("corrupt", "none of its pages can be loaded once it is decrypted")
    if after < before:
        found.note(
            "damaged", f"it was damaged; {before - after} of its {before} pages are lost by decrypting it"
        )
    return decrypted


def _measure(document: Any, found: Findings, limits: Limits) -> int:
    """Sizes of all pages, text layers of those looked at, guess at the kind. Returns pdfium's form type."""
    import pypdfium2
    import pypdfium2.raw as pdfium

    total = len(document)
    step = max(1, -(-total // limits.text_pages))
    widths, heights = [], []
    looked = usable = bare = 0
    text: list[str] = []
    for index in range(total):
        width, height = _size(document, index)
        widths.append(width)
        heights.append(height)
        if index % step:
            continue
        looked += 1
        try:
            page = document[index]
            judged = textlayer.judge(page)
            bare += pdfium.FPDFPage_CountObjects(page.raw) + pdfium.FPDFPage_GetAnnotCount(page.raw) == 0
            page.close()
        except pypdfium2.PdfiumError:
            continue
        usable += judged.usable
        if sum(map(len, text)) < _TEXT_CHARACTERS:
            text.append(judged.text if judged.why not in {"garbage", "unmapped"} else "")
    found.pages, found.widths, found.heights, found.unit = total, widths, heights, "points"
    found.text_pages = round(usable * total / looked) if looked else 0
    largest = max(*widths, *heights, 0.0)
    if largest > limits.page_points:
        found.note("oversize-page", f"a page is declared {largest / 72 * 0.0254:.1f} m long")
    form_type = int(pdfium.FPDF_GetFormType(document.raw))
    if bare == looked:
        found.kind, found.kind_confidence = "blank", 0.9
        return form_type
    found.kind, found.kind_confidence = kinds.guess(
        "\n".join(text)[:_TEXT_CHARACTERS],
        pages=total,
        width=widths[0],
        height=heights[0],
        is_image=False,
        form_fields=form_type > 0,
    )
    return form_type


def _size(document: Any, index: int) -> tuple[float, float]:
    import pypdfium2

    try:
        width, height = document.get_page_size(index)
    except pypdfium2.PdfiumError:
        return 0.0, 0.0
    return float(width), float(height)
