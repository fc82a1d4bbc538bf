"""Page ranges of one document, each recognised on its own, and the one Document they are together.

Rules:

1. Nothing is lost and nothing is added: ``merge(split(document, ranges))`` is the document, whatever the ranges, but for
   the order of entities, which becomes that of their pages.
2. Texts are joined as they are, in page order; every text anchor moves with its text. Page numbers are the document's
   own and stay; page references of entities count pages from 0 in the Document they are in, so they move.
3. Ids stay while they are unique; of two that are the same, the later one is named ``<first page>/<id>``, and what
   refers to it follows.
4. A gap, an overlap or a page too many is an error that names the pages, never a shorter document.
5. ``shard_info`` is dropped: it describes a piece, and there are none any more.

Messages are duck-typed raw protobuf (``documentai.Document``): where anchors are is read from their own descriptors, so
fields that Google adds later move too.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from docdask.model import PageRange

#: Fields whose values are unique within a Document: (message, field) → namespace.
_IDS = {
    ("Entity", "id"): "entity",
    ("DocumentLayoutBlock", "block_id"): "block",
    ("Chunk", "chunk_id"): "chunk",
    ("BlobAsset", "asset_id"): "blob",
}
#: Fields that refer to them.
_REFERENCES = {
    ("EntityRelation", "subject_id"): "entity",
    ("EntityRelation", "object_id"): "entity",
    ("Chunk", "source_block_ids"): "block",
    ("LayoutImageBlock", "blob_asset_id"): "blob",
    ("ImageChunkField", "blob_asset_id"): "blob",
}
_WITH_IDS = ("entities", "entity_relations", "document_layout", "chunked_document", "blob_assets")

#: What each part of a split repeats; everything else belongs to a page or stays in the first part.
_REPEATED = ("uri", "mime_type", "docid")


class MergeError(ValueError):
    """The parts are not the document.

    Parameters
    ----------
    message
        What does not fit.
    pages
        The pages that are missing, twice there, or not expected; 1-based.
    """

    def __init__(self, message: str, pages: tuple[int, ...] = ()) -> None:
        super().__init__(message, pages)
        self.message = message
        self.pages = pages

    def __str__(self) -> str:
        return self.message


def merge(parts: Sequence[Any], ranges: Sequence[PageRange] | None = None) -> Any:
    """Join Documents of page ranges into one.

    Parameters
    ----------
    parts
        Document messages, in any order; they are not changed.
    ranges
        Pages of each part, in the same order. Without them the parts' own page numbers are taken, and pages before the
        first or after the last can't be missed.

    Returns
    -------
    Document message
        Of the same class as the parts.

    Raises
    ------
    MergeError
        If pages are missing, overlap or are not those of the range.
    """
    if not parts:
        raise MergeError("there is nothing to merge")
    spans = list(ranges) if ranges is not None else [_span(part) for part in parts]
    ordered = sorted(zip(spans, parts, strict=True), key=lambda item: item[0].first)
    _check_spans([span for span, _ in ordered])
    merged = type(parts[0])()
    texts: list[str] = []
    taken: dict[str, set[str]] = {}
    length = pages = 0
    for span, part in ordered:
        copy = type(part)()
        copy.CopyFrom(part)
        _number(copy, span)
        rebase(copy, length, pages)
        _make_unique(copy, taken, span.first)
        copy.ClearField("text")
        copy.ClearField("shard_info")
        merged.MergeFrom(copy)
        texts.append(part.text)
        length += len(part.text)
        pages += len(span)
    merged.text = "".join(texts)
    return merged


def split(document: Any, ranges: Sequence[PageRange]) -> list[Any]:
    """Cut a Document into page ranges; the inverse of :func:`merge`.

    Parameters
    ----------
    document
        Document message; it is not changed.
    ranges
        In order, and together all of its pages.

    Returns
    -------
    list
        A Document message a range. An entity goes with the first page it is on; what belongs to no page stays in the
        first part.

    Raises
    ------
    MergeError
        If the ranges are not the document's pages, or its text does not follow its pages.
    """
    numbers = page_numbers(document, 1)
    wanted = [number for span in ranges for number in range(span.first, span.last + 1)]
    if wanted != numbers:
        odd = tuple(sorted(set(wanted) ^ set(numbers)))
        raise MergeError(
            f"the ranges {', '.join(map(str, ranges))} are not the document's pages {listed(numbers)}", odd
        )
    firsts = [0]
    for span in ranges:
        firsts.append(firsts[-1] + len(span))
    cuts = _cuts(document, firsts)
    parts = [_bare(document, first=index == 0) for index in range(len(ranges))]
    for index, part in enumerate(parts):
        part.text = document.text[cuts[index] : cuts[index + 1]]
        part.pages.extend(document.pages[firsts[index] : firsts[index + 1]])
    _share_out(document, parts, firsts, cuts)
    for index, part in enumerate(parts):
        rebase(part, -cuts[index], -firsts[index])
    return parts


def rebase(message: Any, characters: int, pages: int) -> None:
    """Move every text anchor in ``message`` by ``characters`` and every page reference by ``pages``, in place."""
    if not characters and not pages:
        return
    for name, kind in _anchors(message.DESCRIPTOR):
        value = getattr(message, name)
        repeated = hasattr(value, "add")
        if not repeated and not message.HasField(name):
            continue
        for item in value if repeated else (value,):
            if kind == "TextAnchor":
                for segment in item.text_segments:
                    segment.start_index += characters
                    segment.end_index += characters
            elif kind == "PageAnchor":
                for reference in item.page_refs:
                    reference.page += pages
            else:
                rebase(item, characters, pages)


_anchor_fields: dict[str, tuple[tuple[str, str], ...]] = {}


def _anchors(descriptor: Any) -> tuple[tuple[str, str], ...]:
    """Fields of a message that are anchors or lead to some: (name, message type)."""
    known = _anchor_fields.get(descriptor.full_name)
    if known is None:
        found = [
            (field.name, field.message_type.name)
            for field in descriptor.fields
            if field.message_type is not None and _leads(field.message_type, frozenset())
        ]
        known = _anchor_fields[descriptor.full_name] = tuple(found)
    return known


def _leads(descriptor: Any, above: frozenset[str]) -> bool:
    if descriptor.name in {"TextAnchor", "PageAnchor"}:
        return True
    if descriptor.full_name in above or descriptor.GetOptions().map_entry:
        return False
    below = above | {descriptor.full_name}
    return any(
        field.message_type is not None and _leads(field.message_type, below) for field in descriptor.fields
    )


def page_numbers(document: Any, first: int) -> list[int]:
    """Numbers of a Document's pages; a page without one follows the page before it."""
    numbers: list[int] = []
    for page in document.pages:
        numbers.append(page.page_number or (numbers[-1] + 1 if numbers else first))
    return numbers


def _span(part: Any) -> PageRange:
    """Pages of a part by its own numbers."""
    numbers = page_numbers(part, 1)
    if not numbers:
        raise MergeError("a part has no pages; say which pages it stands for")
    if numbers != list(range(numbers[0], numbers[-1] + 1)):
        raise MergeError(
            f"a part has the pages {listed(numbers)}, which do not follow each other", tuple(numbers)
        )
    return PageRange(numbers[0], numbers[-1])


def _check_spans(spans: list[PageRange]) -> None:
    for before, after in pairwise(spans):
        if after.first > before.last + 1:
            missing = tuple(range(before.last + 1, after.first))
            raise MergeError(f"pages {listed(missing)} are missing between {before} and {after}", missing)
        if after.first <= before.last:
            twice = tuple(range(after.first, min(before.last, after.last) + 1))
            raise MergeError(f"pages {listed(twice)} are in both {before} and {after}", twice)


def _number(part: Any, span: PageRange) -> None:
    """Number the pages of a part where they are not, and check that they are those of its range."""
    if not part.pages:
        return  # a processor that gives blocks instead of pages
    numbers = page_numbers(part, span.first)
    wanted = range(span.first, span.last + 1)
    if numbers != list(wanted):
        missing, odd = sorted(set(wanted) - set(numbers)), sorted(set(numbers) - set(wanted))
        what = (
            f"lacks pages {listed(missing)}"
            if missing
            else f"has pages {listed(odd or numbers)} out of place"
        )
        raise MergeError(f"the part for pages {span} {what}", tuple(missing or odd))
    for page, number in zip(part.pages, numbers, strict=True):
        page.page_number = number


def listed(numbers: Sequence[int]) -> str:
    """``1-3, 7`` for 1, 2, 3, 7."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def _make_unique(part: Any, taken: dict[str, set[str]], first_page: int) -> None:
    """Rename the ids of ``part`` that are taken, in place, and take all of its ids."""
    uses = list(id_uses(part))
    for namespace in _IDS.values():
        used = taken.setdefault(namespace, set())
        own = {
            value for space, is_own, _, _, values in uses if is_own and space == namespace for value in values
        }
        own.discard("")
        renamed = {}
        for value in sorted(own & used):
            new = f"{first_page}/{value}"
            while new in used or new in own:
                new = f"{first_page}/{new}"
            renamed[value] = new
        used |= {renamed.get(value, value) for value in own}
        if renamed:
            # A reference to an id that this part does not have is to another part's, and stays.
            for space, _, message, name, values in uses:
                if space == namespace:
                    set_ids(message, name, [renamed.get(value, value) for value in values])


def id_uses(part: Any) -> Iterator[tuple[str, bool, Any, str, list[str]]]:
    """Every place that has an id or refers to one: namespace, whether it is the id itself, message, field, values."""
    stack = [item for name in _WITH_IDS if (value := getattr(part, name, None)) for item in _items(value)]
    while stack:
        message = stack.pop()
        kind = message.DESCRIPTOR.name
        for field, value in message.ListFields():
            place = (kind, field.name)
            namespace = _IDS.get(place) or _REFERENCES.get(place)
            if namespace:
                values = [value] if isinstance(value, str) else list(value)
                yield namespace, place in _IDS, message, field.name, values
            elif field.message_type is not None and not field.message_type.GetOptions().map_entry:
                stack.extend(_items(value))


def _items(value: Any) -> Sequence[Any]:
    return list(value) if hasattr(value, "add") else [value]


def set_ids(message: Any, name: str, values: list[str]) -> None:
    """Write the ids or references of one field, as :func:`id_uses` gave it."""
    if isinstance(getattr(message, name), str):
        setattr(message, name, values[0])
    else:
        message.ClearField(name)
        getattr(message, name).extend(values)


def _cuts(document: Any, firsts: list[int]) -> list[int]:
    """Offsets at which the text of each range begins, and the text's length at the end."""
    starts, ends = [], []
    for page in document.pages:
        segments = page.layout.text_anchor.text_segments
        starts.append(min((s.start_index for s in segments), default=None))
        ends.append(max((s.end_index for s in segments), default=0))
    cuts = [len(document.text)]
    for first, last in reversed(list(pairwise(firsts))):
        found = [start for start in starts[first:last] if start is not None]
        cuts.append(min(found) if found else cuts[-1])
    cuts[-1] = 0
    cuts.reverse()
    for index, (begin, end) in enumerate(pairwise(cuts)):
        outside = [n for n in range(firsts[index], firsts[index + 1]) if ends[n] > end]
        if begin > end or outside:
            pages = tuple(n + 1 for n in outside)
            raise MergeError("the text does not follow the pages: it can't be cut at a page", pages)
    return cuts


def _bare(document: Any, *, first: bool) -> Any:
    """The Document without what belongs to pages; for all parts but the first, only what each repeats."""
    part = type(document)()
    if first:
        for field, value in document.ListFields():
            if field.name in {
                "pages",
                "text",
                "entities",
                "text_styles",
                "text_changes",
                "entity_relations",
                "shard_info",
            }:
                continue
            if field.message_type is None and not hasattr(value, "extend"):
                setattr(part, field.name, value)
            elif hasattr(value, "extend"):
                getattr(part, field.name).extend(value)
            else:
                getattr(part, field.name).CopyFrom(value)
    else:
        for name in _REPEATED:
            if value := getattr(document, name):
                setattr(part, name, value)
    return part


def _share_out(document: Any, parts: list[Any], firsts: list[int], cuts: list[int]) -> None:
    """Give entities, relations, styles and changes to the part of their page or text."""
    last = len(parts) - 1

    def by_text(anchor: Any) -> int:
        start = min((s.start_index for s in anchor.text_segments), default=0)
        return min(max(bisect_right(cuts, start) - 1, 0), last)

    def by_page(entity: Any) -> int:
        if not entity.page_anchor.page_refs:
            return by_text(entity.text_anchor)
        page = min(reference.page for reference in entity.page_anchor.page_refs)
        return min(max(bisect_right(firsts, page) - 1, 0), last)

    home: dict[str, int] = {}
    for entity in document.entities:
        index = home[entity.id] = by_page(entity)
        parts[index].entities.append(entity)
    for relation in document.entity_relations:
        parts[home.get(relation.subject_id, 0)].entity_relations.append(relation)
    for style in document.text_styles:
        parts[by_text(style.text_anchor)].text_styles.append(style)
    for change in document.text_changes:
        parts[by_text(change.text_anchor)].text_changes.append(change)
