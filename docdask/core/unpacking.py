"""What is where in a pack, and how its answer becomes the answers of the documents in it.

Rules:

1. What comes out is what a call of its own would have given: text, anchors, page numbers (from 1), page references, ids
   (from the first that the service gives), MIME type, and for an image its own pixels.
2. An entity goes with the first page it is on; what of it lies in another document of the pack is left out. What belongs to
   no page (an error of the whole answer) is told to every document.
3. An answer that lacks pages, has too many, or is not one of pages (blocks, chunks) is an error, never a shorter document.
4. A pack that was refused for what is in it is halved until the culprit stands alone; the others are paid once.

Messages are duck-typed raw protobuf, as in :mod:`docdask.core.merge`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, overload

from docdask.core.merge import MergeError, id_uses, listed, page_numbers, set_ids, split
from docdask.model import PageRange

T = TypeVar("T")

#: Parts of an answer that can't be told apart by pages.
_WHOLE = ("document_layout", "chunked_document", "blob_assets")


@dataclass(frozen=True, slots=True)
class PageImage:
    """What a page was before it became a page of a PDF."""

    width: int
    """Pixels of the upright image."""
    height: int
    mime_type: str
    """Of the file it came from, ``image/jpeg``."""


@dataclass(frozen=True, slots=True)
class PackEntry:
    """One document of a pack."""

    unit_id: str
    first_page: int
    """In the pack, 1-based."""
    pages: int
    images: tuple[PageImage | None, ...] = ()
    """One a page, None for a page that was in a PDF; empty: all of them were."""

    def __post_init__(self) -> None:
        if self.pages < 1 or (self.images and len(self.images) != self.pages):
            msg = f"unit {self.unit_id} has {self.pages} pages and {len(self.images)} images"
            raise ValueError(msg)

    @property
    def span(self) -> PageRange:
        """Its pages in the pack."""
        return PageRange(self.first_page, self.first_page + self.pages - 1)


@dataclass(frozen=True, slots=True)
class PackMap:
    """Which pages of a pack are whose; stored before the call is made."""

    entries: tuple[PackEntry, ...]

    def __post_init__(self) -> None:
        expected = 1
        for entry in self.entries:
            if entry.first_page != expected:
                msg = f"unit {entry.unit_id} begins at page {entry.first_page} of the pack instead of {expected}"
                raise ValueError(msg)
            expected += entry.pages
        if len({entry.unit_id for entry in self.entries}) != len(self.entries):
            msg = "a unit is in the pack twice"
            raise ValueError(msg)

    @classmethod
    def of(cls, unit_ids: Sequence[str], images: Sequence[Sequence[PageImage | None]]) -> PackMap:
        """Map of documents in the order in which they were joined, with the pages of each as the join told them."""
        entries: list[PackEntry] = []
        first = 1
        for unit_id, pages in zip(unit_ids, images, strict=True):
            known = tuple(pages) if any(page is not None for page in pages) else ()
            entries.append(PackEntry(unit_id, first, len(pages), known))
            first += len(pages)
        return cls(tuple(entries))

    @property
    def pages(self) -> int:
        """Pages of the whole pack."""
        return sum(entry.pages for entry in self.entries)

    @property
    def unit_ids(self) -> tuple[str, ...]:
        """Its units in order, as :func:`docdask.model.pack_id` wants them."""
        return tuple(entry.unit_id for entry in self.entries)

    def to_json(self) -> dict[str, Any]:
        """JSON object of it."""
        return {
            "entries": [
                {
                    "unit_id": entry.unit_id,
                    "pages": entry.pages,
                    **({"images": [_image_json(image) for image in entry.images]} if entry.images else {}),
                }
                for entry in self.entries
            ]
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> PackMap:
        """Map from what :meth:`to_json` made."""
        entries: list[PackEntry] = []
        first = 1
        for row in value["entries"]:
            images = tuple(PageImage(*image) if image else None for image in row.get("images", ()))
            entries.append(PackEntry(row["unit_id"], first, row["pages"], images))
            first += row["pages"]
        return cls(tuple(entries))


def _image_json(image: PageImage | None) -> list[Any] | None:
    return [image.width, image.height, image.mime_type] if image else None


@overload
def halves(pack: PackMap) -> tuple[PackMap, ...]: ...
@overload
def halves(pack: Sequence[T]) -> tuple[Sequence[T], ...]: ...
def halves(pack: Any) -> Any:
    """Two halves of a pack that was refused for its content; empty when the culprit stands alone.

    Parameters
    ----------
    pack
        A map, whose pages are counted anew in each half, or any sequence of units.
    """
    units = pack.entries if isinstance(pack, PackMap) else pack
    if len(units) < 2:
        return ()
    middle = (len(units) + 1) // 2
    parts = units[:middle], units[middle:]
    return tuple(_counted(part) for part in parts) if isinstance(pack, PackMap) else parts


def _counted(entries: Sequence[PackEntry]) -> PackMap:
    shift = entries[0].first_page - 1
    return PackMap(tuple(replace(entry, first_page=entry.first_page - shift) for entry in entries))


def unpack(document: Any, pack_map: PackMap) -> dict[str, Any]:
    """Take the answer to a pack apart.

    Parameters
    ----------
    document
        Raw ``Document`` message of the whole pack; it is not changed.
    pack_map
        What was sent.

    Returns
    -------
    dict
        A Document message by unit id, as a call of its own would have given it.

    Raises
    ------
    docdask.core.merge.MergeError
        If pages are missing or too many, the text does not follow the pages, or the answer is not one of pages.
    """
    blocks = [name for name in _WHOLE if name in document.DESCRIPTOR.fields_by_name and _has(document, name)]
    if blocks:
        raise MergeError(f"an answer with {blocks[0]} is not per page and can't be unpacked")
    _check_pages(document, pack_map)
    if document.text.strip() and not any(page.layout.text_anchor.text_segments for page in document.pages):
        raise MergeError("the answer to a pack lacks pages.layout, which tells whose its text is")
    base = _first_ids(document)
    parts = split(document, [entry.span for entry in pack_map.entries])
    found: dict[str, Any] = {}
    for entry, part in zip(pack_map.entries, parts, strict=True):
        _restore(part, entry)
        _trim(part.entities, len(part.text), entry.pages)
        _count_ids(part, base)
        if document.HasField("uri"):
            part.uri = ""  # whose it is not; what is sent as bytes has none
        if document.HasField("error"):
            part.error.CopyFrom(document.error)
        found[entry.unit_id] = part
    return found


def renumber(document: Any, first_page: int) -> Any:
    """Number the pages of the answer to a cut file as they are in the document it was cut from, in place.

    Parameters
    ----------
    document
        Raw ``Document`` message with pages 1 to n.
    first_page
        Page of the document that its page 1 is.

    Returns
    -------
    Document message
        The same one, ready for :func:`docdask.core.merge.merge`. Page references count from 0 in the Document they are
        in and stay.

    Raises
    ------
    docdask.core.merge.MergeError
        If its pages are not 1 to n.
    """
    numbers = page_numbers(document, 1)
    if numbers != list(range(1, len(numbers) + 1)):
        raise MergeError(f"a cut file has the pages {listed(numbers)} in its answer", tuple(numbers))
    for number, page in enumerate(document.pages, start=first_page):
        page.page_number = number
    return document


def _has(document: Any, name: str) -> bool:
    value = getattr(document, name)
    return bool(value) if hasattr(value, "extend") else bool(document.HasField(name))


def _check_pages(document: Any, pack_map: PackMap) -> None:
    wanted, numbers = list(range(1, pack_map.pages + 1)), page_numbers(document, 1)
    if numbers == wanted:
        return
    missing, odd = sorted(set(wanted) - set(numbers)), sorted(set(numbers) - set(wanted))
    what = f"lacks pages {listed(missing)}" if missing else f"has pages {listed(odd or numbers)} out of place"
    raise MergeError(
        f"the answer to a pack of {pack_map.pages} pages {what}", tuple(missing or odd or numbers)
    )


def _restore(part: Any, entry: PackEntry) -> None:
    """Number the pages from 1, and give images their type and size back."""
    for number, page in enumerate(part.pages, start=1):
        page.page_number = number
    for page, image in zip(part.pages, entry.images, strict=bool(entry.images)):
        if image is not None:
            _resize(page, image)
    if part.mime_type and entry.images and entry.images[0] is not None:
        part.mime_type = entry.images[0].mime_type


def _resize(page: Any, image: PageImage) -> None:
    """Give a page the size of the image it was, turned if the service has turned it."""
    size = page.dimension
    if not (size.width and size.height):
        return  # the field mask left it out
    width, height = image.width, image.height
    if (size.width - size.height) * (width - height) < 0:
        width, height = height, width
    if (size.width, size.height) != (width, height):
        for polygon in _polygons(page):
            for point in polygon.vertices:
                point.x, point.y = round(point.x * width / size.width), round(point.y * height / size.height)
    size.width, size.height, size.unit = width, height, "pixels"


def _polygons(message: Any) -> Iterator[Any]:
    """All bounding polygons below a message."""
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        items = value if hasattr(value, "add") else (value,)
        if field.message_type.name == "BoundingPoly":
            yield from items
        else:
            for item in items:
                yield from _polygons(item)


def _trim(entities: Any, characters: int, pages: int) -> None:
    """Leave out of entities what lies in another document of the pack."""
    for entity in entities:
        _keep(entity.page_anchor.page_refs, lambda reference: 0 <= reference.page < pages)
        _keep(
            entity.text_anchor.text_segments,
            lambda segment: segment.start_index >= 0 and segment.end_index <= characters,
        )
        _trim(entity.properties, characters, pages)


def _keep(items: Any, wanted: Any) -> None:
    for index in range(len(items) - 1, -1, -1):
        if not wanted(items[index]):
            del items[index]


def _first_ids(document: Any) -> dict[str, int]:
    """Number from which the service counts the ids of each namespace."""
    lowest: dict[str, int] = {}
    for space, own, _, _, values in id_uses(document):
        for value in values:
            if own and value.isdecimal():
                lowest[space] = min(lowest.get(space, int(value)), int(value))
    return lowest


def _count_ids(part: Any, base: Mapping[str, int]) -> None:
    """Count ids that are numbers as a call of its own would have; what refers to them follows."""
    uses = list(id_uses(part))
    for space, first in base.items():
        own = {
            value
            for used, is_own, _, _, values in uses
            if is_own and used == space
            for value in values
            if value.isdecimal()
        }
        renamed = {value: str(number) for number, value in enumerate(sorted(own, key=int), start=first)}
        if all(value == new for value, new in renamed.items()):
            continue
        for used, _, message, name, values in uses:
            if used == space:
                set_ids(message, name, [renamed.get(value, value) for value in values])
