"""The one in-memory form of a recognised document: Document AI's own ``Document`` message, as raw protobuf.

Rules: raw messages only (proto-plus makes each field access a Python object: ten times slower); nothing of Google's is
imported before the first message is made or parsed, so importing this module costs nothing; offsets count code points.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from docdask.errors import DocumentError

if TYPE_CHECKING:
    Document = Any
    """Raw protobuf class ``google.cloud.documentai.v1.Document``."""


@cache
def document_class() -> Any:
    """Raw protobuf class of a document (imports Google's types on first use)."""
    from google.cloud.documentai_v1.types import Document as Wrapper

    return Wrapper.pb()


def __getattr__(name: str) -> Any:
    """``Document`` is made when it is first asked for."""
    if name == "Document":
        return document_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def new() -> Document:
    """Make an empty document."""
    return document_class()()


def parse(data: bytes) -> Document:
    """Read a document from binary protobuf.

    Raises
    ------
    DocumentError
        Code ``bad-result`` if the bytes are not a whole message.
    """
    from google.protobuf.message import DecodeError

    document = new()
    try:
        document.ParseFromString(data)
    except DecodeError as error:
        raise DocumentError(
            "bad-result",
            f"the stored result of {len(data)} bytes is not a Document message",
            "recognise the document again",
        ) from error
    return document


def anchor_text(document: Document, anchor: Any) -> str:
    """Text that an anchor points at: its segments of ``document.text``, joined.

    Parameters
    ----------
    document
        Raw message.
    anchor
        ``Document.TextAnchor``; one without segments gives its ``content``.
    """
    if not anchor.text_segments:
        return str(anchor.content)
    text = document.text
    return "".join(text[segment.start_index : segment.end_index] for segment in anchor.text_segments)


def layout_text(document: Document, layout: Any) -> str:
    """Text of a page, block, paragraph, line, token or cell, as it stands in the document."""
    return anchor_text(document, layout.text_anchor)


def page_text(document: Document, page: Any) -> str:
    """Text of one page."""
    return layout_text(document, page.layout)


def segments(anchor: Any) -> Iterable[tuple[int, int]]:
    """Half-open ranges of code points that an anchor covers."""
    return ((int(part.start_index), int(part.end_index)) for part in anchor.text_segments)
