"""Writes protobuf messages straight as bytes, for the two places where building objects would cost too much.

Rules: the caller knows the field numbers; nothing is checked here (tests parse what comes out). Used where a Document
of many small boxes is made for a load test, and where a stored Document becomes a reply.
"""

from __future__ import annotations

import struct

_FLOAT = struct.Struct("<f")


def varint(value: int) -> bytes:
    """``value`` as a base-128 varint; ``value`` is 0 or more."""
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def chunk(number: int, data: bytes) -> bytes:
    """Field ``number`` as a message, string or bytes."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def integer(number: int, value: int) -> bytes:
    """Field ``number`` as an integer or enum; left out when 0, as proto3 does."""
    return varint(number << 3) + varint(value) if value else b""


def real(number: int, value: float) -> bytes:
    """Field ``number`` as a float; left out when 0."""
    return varint(number << 3 | 5) + _FLOAT.pack(value) if value else b""
