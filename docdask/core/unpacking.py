"""What is where in a pack, and how its answer becomes the answers of the documents in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


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


@dataclass(frozen=True, slots=True)
class PackMap:
    """Which pages of a pack are whose; stored before the call is made."""

    entries: tuple[PackEntry, ...]

    @classmethod
    def of(cls, unit_ids: Sequence[str], images: Sequence[Sequence[PageImage | None]]) -> PackMap:
        """Map of documents in the order in which they were joined, with the pages of each as the join told them."""
        raise NotImplementedError

    @property
    def pages(self) -> int:
        """Pages of the whole pack."""
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        """JSON object of it."""
        raise NotImplementedError

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> PackMap:
        """Map from what :meth:`to_json` made."""
        raise NotImplementedError

    def halves(self) -> tuple[PackMap, ...]:
        """Two maps of half the documents each, pages counted anew; empty when one document is left."""
        raise NotImplementedError


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
        If pages are missing or too many, or the answer is not one of pages.
    """
    raise NotImplementedError


def halves(units: Sequence[T]) -> tuple[Sequence[T], ...]:
    """Two halves of a pack that was refused for its content; empty when the culprit stands alone."""
    raise NotImplementedError


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
        The same one.

    Raises
    ------
    docdask.core.merge.MergeError
        If its pages are not 1 to n.
    """
    raise NotImplementedError
