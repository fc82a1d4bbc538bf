"""Which diagrams the documentation shows; each is drawn from the table that decides."""

from __future__ import annotations

from docdask.core.breaker import BREAKER
from docdask.core.lease import PERMIT
from docdask.core.ledger import UNIT
from docdask.core.machine import mermaid


def drawings() -> dict[str, str]:
    """Mermaid text by name: ``permit``, ``breaker``, ``unit``."""
    return {
        "permit": mermaid(PERMIT, "waiting", ("refused", "forgotten", "returned", "settled")),
        "breaker": mermaid(BREAKER, "closed"),
        "unit": mermaid(UNIT, "new", ("stored",)),
    }
