"""Which small whole documents share one request, so that a quota of requests a minute lets more documents through.

Rules:

1. Only processors whose results are per page pack (:attr:`docdask.core.routes.Processor.packs`): a parser of invoices would
   take ten invoices for one.
2. A pack holds whole documents of one *family*: what a service may treat differently is never mixed, so that a document is
   read in a pack as it would be alone, and packing can be given up for one family while the others go on.
3. First-fit decreasing by pages: packs are filled one after another with the longest document that still fits. That needs
   at most 11/9 of the fewest possible packs and 6/9 more (G. Dósa, "The tight bound of first fit decreasing bin-packing
   algorithm", ESCAPE 2007), and exactly the fewest of one-page documents.
4. Bytes are kept in step with pages: a document that is heavier than the share of bytes left for its pages waits while
   there are lighter ones, so that heavy ones don't fill packs by weight while light ones fill others by number.
5. No document of a later pack would have fitted into an earlier one of its family. The same documents give the same packs,
   whatever their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: Families, see :func:`family_of`.
FAMILIES = ("text", "scan", "image")

#: What a joined file adds to a document's own bytes: page objects, cross-references, names of fields.
_PAGE_BYTES = 2_000
_FILE_BYTES = 10_000
#: Bytes a pixel may take that is stored without loss: three, and a thousandth for what compression can't help.
_PIXEL_BYTES = 3.01
#: How many times as large a file may become that is stored without loss: JPEG and WebP compress by leaving out. A JPEG goes in
#: as it is, and so do most PNGs; a TIFF may have JPEGs inside.
_GROWTH = {
    "application/pdf": 1, "image/jpeg": 1, "image/bmp": 1, "image/png": 2, "image/gif": 4, "image/tiff": 16, "image/webp": 32,
}  # fmt: skip
#: Types whose frames after the first may hold differences only.
_ANIMATED = frozenset({"image/gif", "image/webp", "image/png"})
#: A document on its shelf is one integer, size and index: sorting a million is fast, and nothing for the garbage collector.
_INDEX_BITS = 48
_INDEX = (1 << _INDEX_BITS) - 1


@dataclass(frozen=True, slots=True)
class Packable:
    """One small document, as far as packing needs to know it."""

    index: int
    """Number by which the caller knows it, 0 or more; packs are made of these."""
    pages: int
    size_bytes: int
    """What it adds to the joined file at most; :func:`joined_bytes` says it."""
    family: str
    """Documents of one family share requests, others never; :func:`family_of` says it."""


def family_of(mime_type: str, pages: int, text_pages: int) -> str:
    """Family of a document: ``text``, ``scan`` or ``image``.

    PDFs with a text layer on every page stand apart from those without, because a service may decide once a file whether
    it reads text layers; images stand apart from PDFs, because in a pack they are pages of a PDF, which they were not.

    Parameters
    ----------
    mime_type
        Of the file.
    pages, text_pages
        Its pages, and how many of them have a usable text layer.
    """
    if mime_type != "application/pdf":
        return "image"
    return "text" if text_pages >= pages > 0 else "scan"


def joined_bytes(mime_type: str, size_bytes: int, pages: int, pixels: int = 0) -> int:
    """Bytes that a document adds to a joined file, rarely more.

    Parameters
    ----------
    mime_type, size_bytes, pages
        Of the file.
    pixels
        Of its largest page, for images; 0 if they are not known.
    """
    growth = _GROWTH.get(mime_type, max(_GROWTH.values()))
    own = size_bytes * growth
    if growth > 1 and pixels:
        stored = int(pages * pixels * _PIXEL_BYTES)
        own = stored if pages > 1 and mime_type in _ANIMATED else max(size_bytes, min(own, stored))
    return own + pages * _PAGE_BYTES + _FILE_BYTES


def packs(items: Sequence[Packable], *, pages_most: int, bytes_most: int) -> list[tuple[int, ...]]:
    """Divide documents into packs, each one request.

    Parameters
    ----------
    items
        In any order; their indices are unique.
    pages_most, bytes_most
        Of one request: :func:`docdask.core.pages.whole_pages`, and the limit ``online_bytes``.

    Returns
    -------
    list of tuple
        Indices of each pack in ascending order, every item exactly once, packs by their first index. A pack of one is a
        request of its own.

    Raises
    ------
    ValueError
        If an item alone is beyond a limit.
    """
    families: dict[str, dict[int, list[int]]] = {}
    for item in items:
        pages, size = item.pages, item.size_bytes
        if not 1 <= pages <= pages_most or not 0 <= size <= bytes_most:
            msg = (
                f"document {item.index} ({pages} pages, {size} bytes) fits no pack of {pages_most} pages "
                f"and {bytes_most} bytes; send it alone or in ranges"
            )
            raise ValueError(msg)
        shelves = families.get(item.family)
        if shelves is None:
            shelves = families[item.family] = {}
        shelf = shelves.get(pages)
        if shelf is None:
            shelf = shelves[pages] = []
        shelf.append(size << _INDEX_BITS | item.index)
    found: list[tuple[int, ...]] = []
    for shelves in families.values():
        _fill(shelves, pages_most, bytes_most, found)
    found.sort()
    return found


def fewest(items: Iterable[Packable], *, pages_most: int, bytes_most: int) -> int:
    """Lower bound of the requests for these documents: no division into packs can do with fewer."""
    sums: dict[str, list[int]] = {}
    for item in items:
        total = sums.setdefault(item.family, [0, 0, 0, 0])
        total[0] += item.pages
        total[1] += item.size_bytes
        total[2] += 2 * item.pages > pages_most
        total[3] += 2 * item.size_bytes > bytes_most
    # -(-a // b) is a / b rounded up; of two documents that are each more than half a pack, each needs one.
    return sum(
        max(-(-pages // pages_most), -(-size // max(1, bytes_most)), long, heavy)
        for pages, size, long, heavy in sums.values()
    )


class _Shelf:
    """Documents of one length, lightest first; taken from both ends."""

    __slots__ = ("high", "items", "low", "pages")

    def __init__(self, pages: int, items: list[int]) -> None:
        items.sort()
        self.pages, self.items, self.low, self.high = pages, items, 0, len(items) - 1

    def take(self, space: int, room: int, pack: list[int]) -> tuple[int, int]:
        """Move documents into a pack that has ``space`` pages and ``room`` bytes left; return what is left then."""
        items, pages, low, high = self.items, self.pages, self.low, self.high
        while low <= high and pages <= space:
            item = items[high]
            size = item >> _INDEX_BITS
            if size * space <= room * pages:
                high -= 1
            else:
                item = items[low]
                size = item >> _INDEX_BITS
                if size > room:
                    break
                low += 1
            pack.append(item & _INDEX)
            space -= pages
            room -= size
        self.low, self.high = low, high
        return space, room


def _fill(
    shelves: dict[int, list[int]], pages_most: int, bytes_most: int, found: list[tuple[int, ...]]
) -> None:
    """Fill packs with the documents of one family, by pages from the longest."""
    left = [_Shelf(pages, shelves[pages]) for pages in sorted(shelves, reverse=True)]
    while left:
        pack: list[int] = []
        space, room = pages_most, bytes_most
        for shelf in left:
            if shelf.pages <= space:
                space, room = shelf.take(space, room, pack)
        pack.sort()
        found.append(tuple(pack))
        left = [shelf for shelf in left if shelf.low <= shelf.high]
