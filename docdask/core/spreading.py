"""How many pages a shared request shall have: as many as make the run no longer.

Rules:

1. Where the quota of requests decides, requests are full: a larger one lets more pages through.
2. Where it does not, a long request only takes longer than short ones side by side. Then small documents share requests
   no longer than the run's longest, which is waited for in any case, and so many of them that all go at once.
3. What would not halve the requests is not worth joining files for.
4. Of all lengths with which the run ends as early, give or take what nobody would notice, it is the largest: what is not
   sent is left of the quota for others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from docdask.core.capacity import Capacity
from docdask.core.requesting import PDF, Sender
from docdask.core.server.latency import Latency
from docdask.core.traffic import Traffic, online_s

#: Later than the earliest end by so much, as a part of the time or in seconds, is as early.
_AS_EARLY = 0.02
_AS_EARLY_S = 0.5


def calls_of(
    documents: Mapping[int, int], sender: Sender, *, packed: bool, pages_most: int | None = None
) -> Counter[int]:
    """Calls that documents become: pages of a call → how many.

    Parameters
    ----------
    documents
        Pages → documents of so many pages.
    sender
        Says what one call takes.
    packed
        Whether small documents share calls; their number is then the least possible.
    pages_most
        Pages of a shared call; None: as many as one takes.
    """
    whole = sender.whole("online")
    most = min(whole, pages_most or whole)
    found: Counter[int] = Counter()
    small = 0
    for pages, count in documents.items():
        if packed and pages < most:
            small += pages * count
            continue
        for span in sender.ranges(PDF, pages, "online"):
            found[len(span)] += count
        if pages <= whole:
            found[pages] += count
    if small:
        found[most] += small // most
        found[small % most] += 1
    return Counter({pages: count for pages, count in found.items() if pages and count})


def pages_of_pack(
    documents: Mapping[int, int],
    sender: Sender,
    room: Capacity,
    latency: Latency,
    others: Mapping[int, int] | None = None,
) -> int:
    """Most pages of a shared request.

    Parameters
    ----------
    documents
        Pages → documents of so many pages that go to one processor online.
    sender
        Sends them; where its configuration says ``pack = true``, requests are full whatever decides.
    room
        What the processor's type lets through.
    latency
        How long the service takes to answer.
    others
        Pages → calls that also go to the type.

    Returns
    -------
    int
        1 to what one request takes; 1: nothing is shared.
    """
    whole = sender.whole("online")
    if sender.processor.pack or not documents:
        return whole
    ends_s: dict[int, float] = {}
    for most in range(whole, 0, -1):
        calls = calls_of(documents, sender, packed=True, pages_most=most)
        calls.update(others or {})
        ends_s[most] = online_s(Traffic(room, calls), latency)
    earliest_s = min(ends_s.values())
    early_s = earliest_s + max(_AS_EARLY * earliest_s, _AS_EARLY_S)
    longest = max(most for most, end_s in ends_s.items() if end_s <= early_s)
    shared, alone = (calls_of(documents, sender, packed=True, pages_most=n).total() for n in (longest, 1))
    return longest if 2 * shared <= alone or ends_s[1] > early_s else 1
