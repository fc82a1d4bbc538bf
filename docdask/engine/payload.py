"""What one request sends: a file as it is, pages cut out of it, or several small documents joined into one.

Rules: files are read when the request's turn has come, and checked against what was planned; PDFs are opened in the
sandbox only; a document that can't be read is told with its reason, one that can't be joined goes alone, and the others of
their pack go on without them. No more children of the sandbox work at a time than there are cores.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from docdask import sandbox
from docdask.core import pages
from docdask.core.routes import Processor
from docdask.core.unpacking import PackMap
from docdask.engine.job import Job, Unit
from docdask.engine.units import prepared, slow
from docdask.errors import DocumentError
from docdask.intake import joining
from docdask.intake.limits import Limits
from docdask.model import PageRange

_PDF = "application/pdf"
#: Children at work: each holds a core, and its first call takes half a second of imports.
CHILDREN = max(2, os.cpu_count() or 1)
_child = threading.BoundedSemaphore(CHILDREN)


@dataclass(frozen=True, slots=True)
class Payload:
    """One request, ready to be sent."""

    units: tuple[Unit, ...]
    """Those that are in it."""
    content: bytes
    mime_type: str
    selector: PageRange | None = None
    """Pages to select of the file that is sent; None for all of them."""
    first_page: int = 1
    """Page of the document that the file's page 1 is."""
    pack: PackMap | None = None
    refused: tuple[tuple[Unit, DocumentError], ...] = ()
    """Units that could not be read, with the reason."""
    alone: tuple[Unit, ...] = ()
    """Units that could be read and not be joined: the service may read what qpdf can't copy."""

    @property
    def pages(self) -> int:
        """That the service will recognise, and bill."""
        return sum(unit.pages for unit in self.units)


def quick(units: Sequence[Unit]) -> bool:
    """Whether :func:`build` only reads a small local file: then it is done sooner than a thread is woken."""
    return len(units) == 1 and not units[0].ranged and not slow(units[0])


def build(job: Job, processor: Processor, units: Sequence[Unit], *, selects: bool = True) -> Payload:
    """Read, cut or join what a request sends. Blocks; call it in a thread, unless it is :func:`quick`.

    Parameters
    ----------
    job
        Of the run.
    processor
        Where it will go; its limits decide what may be selected and what must be cut.
    units
        One, or those of a pack in order.
    selects
        Whether pages may be selected of a whole file; batches can't.

    Returns
    -------
    Payload
        Without units if none could be read.
    """
    read: list[tuple[Unit, bytes, str]] = []
    refused: list[tuple[Unit, DocumentError]] = []
    for unit in units:
        try:
            request = prepared(job, unit, None)
            read.append((unit, request.content, request.mime_type))
        except DocumentError as error:
            refused.append((unit, error))
    if len(read) > 1:
        return _joined(job, read, refused)
    for unit, content, mime_type in read:
        try:
            return _single(job, processor, unit, content, mime_type, selects=selects)
        except DocumentError as error:
            refused.append((unit, error))
    return Payload((), b"", "", refused=tuple(refused))


def _single(
    job: Job, processor: Processor, unit: Unit, content: bytes, mime_type: str, *, selects: bool
) -> Payload:
    span = unit.page_range
    if span is None:
        return Payload((unit,), content, mime_type)
    assert job.configuration is not None
    limits = processor.limits(job.configuration.book)
    selectable = selects and pages.selects(span, unit.document_pages, limits, processor.imageless)
    if mime_type != _PDF:
        return Payload((unit,), content, mime_type, selector=span)
    with _child:
        cut = joining.cut(content, span, limits=Limits(**job.limits))
    if selectable and len(cut) >= len(content):
        return Payload((unit,), content, mime_type, selector=span)
    return Payload((unit,), cut, mime_type, first_page=span.first)


def _joined(
    job: Job, read: list[tuple[Unit, bytes, str]], refused: list[tuple[Unit, DocumentError]]
) -> Payload:
    """Join documents into one PDF. What can't be joined, or not with certainty, goes alone."""
    assert job.configuration is not None
    units = tuple(unit for unit, _, _ in read)
    apart = Payload((), b"", "", refused=tuple(refused), alone=units)
    try:
        with _child:
            content, facts = joining.join(
                [(data, kind) for _, data, kind in read], limits=Limits(**job.limits)
            )
    except (
        DocumentError
    ):  # too slow or too large together; one of them may be to blame, and nobody knows which
        return apart
    alone, whole = [], []
    for unit, told in zip(units, facts, strict=True):
        if isinstance(told, DocumentError):
            alone.append(unit)
        elif len(told) != unit.pages:
            return apart  # not what the scan counted: whose a page of the answer is would be a guess
        else:
            whole.append((unit, told))
    if not whole or len(content) > job.configuration.book.limit("online_bytes"):
        return apart
    pack = PackMap.of([unit.unit_id for unit, _ in whole], [told for _, told in whole])
    return Payload(
        tuple(unit for unit, _ in whole), content, _PDF, pack=pack, refused=tuple(refused), alone=tuple(alone)
    )


def documents(payload: Payload, answer: bytes, limits: dict[str, Any]) -> dict[str, bytes]:
    """Take an answer apart: unit id → serialised Document, as a call of its own would have given it.

    The work is done in the sandbox's child: it holds the GIL for longer than a process that makes calls can spare.
    Blocks; call it in a thread.

    Raises
    ------
    DocumentError
        If the answer does not have the pages that were sent (``bad-answer``).
    """
    if payload.pack is not None:
        with _child:
            found: dict[str, bytes] = sandbox.call(
                "docdask.service.answers:unpacked", answer, payload.pack.to_json(), **limits
            )
        return found
    (unit,) = payload.units
    if payload.first_page > 1:
        with _child:
            answer = sandbox.call("docdask.service.answers:renumbered", answer, payload.first_page, **limits)
    return {unit.unit_id: answer}


def start_children(limits: dict[str, Any]) -> None:
    """Start the children that will join, cut and take apart, and have them import what they need. Blocks."""
    with ThreadPoolExecutor(CHILDREN) as pool:
        for started in [
            pool.submit(sandbox.call, "docdask.service.answers:ready", **limits) for _ in range(CHILDREN)
        ]:
            started.result()
