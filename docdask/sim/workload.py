"""How many pages each document has: from numbers, from shares, or like the documents of a run's catalog.

Rules: drawing is seeded and uses the standard library only, so that a seed means the same everywhere; the result is a
compact array, 4 bytes a document.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterator, Mapping, Sequence

from docdask.errors import RunError, UsageError


def repeated(documents: int, pages: int = 1) -> Sequence[int]:
    """Documents of the same length."""
    if documents < 0:
        raise UsageError(f"{documents} documents can't be simulated", "give 0 or more")
    if pages < 1:
        raise UsageError(f"a document of {pages} pages can't be sent", "give 1 page or more")
    return array("i", [pages]) * documents


def distribution(text: str) -> dict[int, float]:
    """Pages and shares from ``3`` (all alike) or ``1:70,2:20,15:10``; shares need not add up to anything.

    Raises
    ------
    UsageError
        If it can't be read.
    """
    found: dict[int, float] = {}
    for part in text.split(","):
        pages, mark, share = part.strip().partition(":")
        try:
            found[int(pages)] = found.get(int(pages), 0.0) + (float(share) if mark else 1.0)
        except ValueError:
            raise UsageError(
                f"pages {text!r} can't be read at {part.strip()!r}",
                "write 3, or PAGES:SHARE,… as in 1:70,2:20,15:10",
            ) from None
    if (
        min(found) < 1
        or not all(0 <= share < float("inf") for share in found.values())
        or not sum(found.values())
    ):
        raise UsageError(
            f"pages {text!r} can't be", "give pages of 1 or more, shares of 0 or more, not all 0"
        )
    return found


def drawn(documents: int, shares: Mapping[int, float], seed: int = 0) -> Sequence[int]:
    """Documents whose lengths are drawn by share, in random order.

    Parameters
    ----------
    documents
        How many.
    shares
        Share by number of pages; need not add up to 1.
    seed
        Of the draw.
    """
    if documents < 0:
        raise UsageError(f"{documents} documents can't be simulated", "give 0 or more")
    if len(shares) == 1:
        return repeated(documents, next(iter(shares)))
    chosen = random.Random(seed).choices(list(shares), list(shares.values()), k=documents)
    return array("i", chosen)


def like(url: str, documents: int | None = None, seed: int = 0) -> Sequence[int]:
    """Documents as long as those that a run's catalog has ready.

    Parameters
    ----------
    url
        Run directory.
    documents
        How many to draw from them; None for exactly those.
    seed
        Of the draw.

    Raises
    ------
    RunError
        If there is no run, or none of its documents is ready.
    """
    from docdask.store.run import RunDirectory

    table = RunDirectory.open(url).catalog(["document_id", "state", "pages"])
    rows = zip(table["state"].to_pylist(), table["pages"].to_pylist(), strict=True)
    pages = [count or 1 for state, count in rows if state == "ready"]
    if not pages:
        raise RunError(f"{url} has no document that is ready", "scan or plan some documents into it first")
    if documents is None:
        return array("i", pages)
    counts: dict[int, float] = {}
    for count in pages:
        counts[count] = counts.get(count, 0) + 1
    return drawn(documents, dict(sorted(counts.items())), seed)


def calls_of(pages: int, most: int) -> Iterator[int]:
    """Pages of each call for one document: ranges that differ by one page at most, none above ``most``."""
    if pages <= most:
        yield pages
        return
    count = -(-pages // most)
    least, longer = divmod(pages, count)
    for number in range(count):
        yield least + (number < longer)
