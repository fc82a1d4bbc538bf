"""Answers to packs and to cut files, made what calls for the whole documents would have given; runs in the sandbox.

Rules: bytes in and bytes out, so that nothing but bytes passes between processes; an answer that does not have the pages
that were sent is a :class:`~docdask.errors.DocumentError`, never a shorter document.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docdask.core import unpacking
from docdask.core.merge import MergeError
from docdask.core.unpacking import PackMap
from docdask.errors import DocumentError
from docdask.service.message import document_class, parse


def unpacked(answer: bytes, pack: Mapping[str, Any]) -> dict[str, bytes]:
    """Serialised Document by unit id.

    Raises
    ------
    DocumentError
        ``bad-answer``, if the pages are not those of the pack.
    """
    try:
        found = unpacking.unpack(parse(answer), PackMap.from_json(pack))
    except MergeError as error:
        raise _bad(error) from error
    return {unit_id: document.SerializeToString(deterministic=True) for unit_id, document in found.items()}


def renumbered(answer: bytes, first_page: int) -> bytes:
    """The Document with its pages numbered as in the file it was cut from.

    Raises
    ------
    DocumentError
        ``bad-answer``, if it is not one of pages.
    """
    try:
        document = unpacking.renumber(parse(answer), first_page)
    except MergeError as error:
        raise _bad(error) from error
    return bytes(document.SerializeToString(deterministic=True))


def ready() -> None:
    """Import what files are joined and answers taken apart with: half a second, before anybody waits for it."""
    import pikepdf  # noqa: F401 - the first to be joined or cut would wait for it

    document_class()


def _bad(error: MergeError) -> DocumentError:
    return DocumentError(
        "bad-answer",
        f"the service answered with other pages than were sent: {error}",
        "run the same command again; report it if it stays",
    )
