"""Turns a Document message into the JSON that Document AI itself writes.

Rules: lowerCamel names, int64 as strings, enums by name, bytes in base64, fields at their default left out: protobuf's
own mapping, which is what the service uses.
"""

from __future__ import annotations

from typing import Any


def to_json(document: Any) -> str:
    """JSON text of a raw ``Document`` message, one line."""
    from google.protobuf import json_format

    return str(json_format.MessageToJson(document, indent=None, ensure_ascii=False))
