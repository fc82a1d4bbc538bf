"""The Document of a document from what is stored of its units, its page ranges merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from docdask.model import PageRange
from docdask.store.results import Loaded


def whole(units: Sequence[Loaded]) -> Any:
    """Document message that the units of a document give together, in the order of their pages.

    Parameters
    ----------
    units
        Facts and serialised Document of each.

    Returns
    -------
    Document
        None if one of them has none.
    """
    from docdask.core.merge import merge
    from docdask.service.message import parse

    parts = [parse(document) for _, document in units if document is not None]
    if len(parts) < max(len(units), 1):
        return None
    if len(parts) == 1:
        return parts[0]
    return merge(parts, [PageRange(f.first_page, f.first_page + f.pages - 1) for f, _ in units])


def of_units(results: Mapping[str, Loaded], unit_ids: Sequence[str]) -> Any:
    """The same by the ids of the units; None if one of them is not there or has no Document."""
    found = [loaded for unit_id in unit_ids if (loaded := results.get(unit_id)) is not None]
    return whole(found) if len(found) == len(unit_ids) else None
