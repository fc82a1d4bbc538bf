"""The service's own books: what it did, counted as it decides.

``calls_ok + calls_refused`` is every call it was asked; pages and dollars are counted when work is done, also when the
reply is lost. Documents of a batch are billed when its operation ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from docdask.core.prices import ADD_ON, PRICES, price_of, tier_cost


@dataclass(slots=True)
class Books:
    """Counters since the last reset."""

    calls_ok: int = 0
    calls_refused: int = 0
    """Answered with any code but OK."""
    replies_lost: int = 0
    """Of ``calls_ok``: done and billed, reply cut."""
    duplicates: int = 0
    """Of ``calls_ok``: second copies that the network delivered."""
    pages_billed: int = 0
    cost_nano_usd: int = 0
    operations: int = 0
    codes: dict[str, int] = field(default_factory=dict)
    """Calls by code."""
    methods: dict[str, int] = field(default_factory=dict)
    """Calls by method."""
    units: dict[str, int] = field(default_factory=dict)
    """Billed units of this month by processor type: they decide the tier."""

    def bill(self, processor_type: str, pages: int, *, premium: bool = False) -> int:
        """Count one document as billed; nano-dollars that it costs."""
        if pages <= 0:
            return 0
        price = PRICES.get(processor_type) or price_of(processor_type)
        units = price.units(pages)
        used = self.units.get(processor_type, 0)
        cost = tier_cost(price.tiers, used, units)
        if premium:
            cost += ADD_ON.tiers[0][1] * pages
        self.units[processor_type] = used + units
        self.pages_billed += pages
        self.cost_nano_usd += cost
        return cost

    def answered(self, method: str, code: str) -> None:
        """Count one call."""
        if code == "OK":
            self.calls_ok += 1
        else:
            self.calls_refused += 1
        self.codes[code] = self.codes.get(code, 0) + 1
        self.methods[method] = self.methods.get(method, 0) + 1
