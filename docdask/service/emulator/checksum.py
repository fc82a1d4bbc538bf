"""CRC-32C (Castagnoli), which storage clients check: by the C library where it is installed, else by table."""

from __future__ import annotations

from functools import cache


@cache
def _table() -> tuple[int, ...]:
    found = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        found.append(value)
    return tuple(found)


def by_table(content: bytes) -> int:
    """CRC-32C in Python, about 10 MB/s."""
    table, value = _table(), 0xFFFFFFFF
    for byte in content:
        value = table[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF


def crc32c(content: bytes) -> int:
    """CRC-32C of ``content``."""
    try:
        import google_crc32c
    except ImportError:
        return by_table(content)
    return int(google_crc32c.value(bytes(content)))
