"""Which small whole documents share one request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Packable(NamedTuple):
    """One small document, as far as packing needs to know it."""

    index: int
    """Whatever the caller knows it by; packs are made of these."""
    pages: int
    size_bytes: int
    """What it adds to the joined file; :func:`joined_bytes` says it."""
    family: str
    """Documents of one family share requests, others never; :func:`family_of` says it."""


def packs(items: Sequence[Packable], *, pages_most: int, bytes_most: int) -> list[tuple[int, ...]]:
    """Divide documents into packs, each one request.

    Parameters
    ----------
    items
        In any order; indices are unique.
    pages_most, bytes_most
        Of one request: :func:`docdask.core.pages.whole_pages` and the limit ``online_bytes``.

    Returns
    -------
    list of tuple
        Indices of each pack, every item exactly once. A pack of one is a request of its own.

    Raises
    ------
    ValueError
        If an item alone is beyond a limit.
    """
    raise NotImplementedError
