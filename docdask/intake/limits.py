"""How much a file may ask for before it is set aside.

Defaults keep a worker with its child below 1.5 GB: the worker holds the file's bytes, the child holds them too and
decodes at most one frame at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one inspection."""

    timeout_s: float = 60.0
    """Wall-clock seconds a file."""
    memory_bytes: int = 1000 * _MIB
    """Resident and private memory of the child."""
    file_bytes: int = 256 * _MIB
    """Larger files are not read."""
    image_pixels: int = 150_000_000
    """Pixels of one frame (A0 at 300 dpi has 139 million); looked at before anything is decoded."""
    total_pixels: int = 2_000_000_000
    """Pixels of all frames that are decoded to see whether they can be; later frames are only measured."""
    text_pages: int = 500
    """Pages whose text layer is looked at; in longer documents as many, evenly spaced."""
    page_points: float = 5000.0
    """Longest side of a page (1.76 m); larger ones are noted."""
