"""The Document message, raw: proto-plus costs ten times as much a field and is for people, not for loops."""

from __future__ import annotations

from typing import Any

from google.cloud.documentai_v1.types import Document as _Document

#: Raw protobuf class of ``google.cloud.documentai.v1.Document``.
Document: Any = _Document.pb()


def new() -> Any:
    """Make an empty Document message."""
    return Document()


def parse(data: bytes) -> Any:
    """Document message from its binary form; raises protobuf's ``DecodeError`` if it is none."""
    return Document.FromString(data)
