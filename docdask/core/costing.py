"""What a plan costs: each request priced where it stands, so that the plan's cost is the sum of its requests.

Rules: requests are priced in plan order, one after another through the tiers of the month, as the service's own books
do it; rounding is per request, so a document cut into ranges is rounded per range, and one that shares a request with
others pays for its own pages. Money is integer nano-dollars inside and micro-dollars outside; what rounding takes from
one request the next one has, so that the sum is never off by more than one micro-dollar.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from docdask.core.prices import ADD_ON, NANO_USD, PRICES, Price, price_of, tier_cost
from docdask.core.routes import Configuration, Processor

#: Nano-dollars of a micro-dollar.
NANO_PER_MICRO = 1000
MICRO_USD = NANO_USD // NANO_PER_MICRO


def usd(micros: int) -> float:
    """Micro-dollars as dollars, for people and JSON."""
    return micros / MICRO_USD


@dataclass(frozen=True, slots=True)
class Tariff:
    """What one processor charges: the price of its type, and add-ons by page."""

    price: Price
    add_on_nano: int = 0
    """Nano-dollars a page on top, whatever the tier."""

    @property
    def processor_type(self) -> str:
        """Type whose units of the month decide the tier."""
        return self.price.processor_type

    def units(self, request_pages: Iterable[int]) -> int:
        """Billed units of requests of so many pages: rounding is per request."""
        return sum(self.price.units(pages) for pages in request_pages)

    def nano_usd(self, used_units: int, units: int, pages: int) -> int:
        """Cost of so many units and pages after ``used_units`` of the same month."""
        return tier_cost(self.price.tiers, used_units, units) + self.add_on_nano * pages


def tariff(processor: Processor, prices: Mapping[str, Price] = PRICES) -> Tariff:
    """Tariff of a configured processor, add-ons included when its options ask for them."""
    price = price_of(processor.processor_type, prices)
    if price.processor_type != processor.processor_type:
        # A type without a price of its own is priced like another one, but counted by itself.
        price = Price(processor.processor_type, price.unit, price.tiers, price.origin)
    return Tariff(price, ADD_ON.tiers[0][1] if processor.premium else 0)


def used_units(configuration: Configuration, price: Price) -> int:
    """Units of the month that are gone before this plan: billed ones, and free ones that others have taken."""
    used = configuration.used_pages.get(price.processor_type, 0)
    free = configuration.free_pages
    if free is not None and len(price.tiers) > 1 and price.tiers[0][1] == 0:
        # The free tier belongs to the billing account: another project may have used it up.
        used = max(used, price.tiers[1][0] - free)
    return used


class Till:
    """Prices request after request; knows which unit of the month each processor type is at.

    Parameters
    ----------
    configuration
        Pages used already this month, free pages that are left.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._used: dict[str, int] = {}
        self._nano = 0

    @property
    def nano_usd(self) -> int:
        """All that was charged so far."""
        return self._nano

    def used(self, price: Price) -> int:
        """Units of the month that are gone by now."""
        known = self._used.get(price.processor_type)
        return used_units(self._configuration, price) if known is None else known

    def pass_over(self, tariff: Tariff, units: int) -> None:
        """Count units that an earlier generation of the plan has priced."""
        self._used[tariff.processor_type] = self.used(tariff.price) + units

    def charge(self, tariff: Tariff, units: int, pages: int) -> int:
        """Price the next request; micro-dollars."""
        used = self.used(tariff.price)
        self._used[tariff.processor_type] = used + units
        before = self._nano
        self._nano = before + tariff.nano_usd(used, units, pages)
        return self._nano // NANO_PER_MICRO - before // NANO_PER_MICRO

    def charge_all(
        self,
        tariffs: Sequence[Tariff | None],
        which: Iterable[int],
        units: Iterable[int],
        pages: Iterable[int],
    ) -> array[int]:
        """Price many, in order: ``which`` is each one's index in ``tariffs``, None costing nothing; micro-dollars."""
        used = {price.processor_type: self.used(price.price) for price in tariffs if price is not None}
        stretches = [_stretch(price, used[price.processor_type]) if price else None for price in tariffs]
        nano, found = self._nano, array("q")
        for index, count, length in zip(which, units, pages, strict=True):
            price = tariffs[index]
            if price is None:
                found.append(0)
                continue
            kind = price.processor_type
            first = used[kind]
            used[kind] = last = first + count
            before = nano
            start, end, each = stretches[index] or (0, 0, 0)
            if start <= first and last <= end:  # all of it in one tier: almost always
                nano += each * count + price.add_on_nano * length
            else:
                nano += price.nano_usd(first, count, length)
                stretches[index] = _stretch(price, last)
            found.append(nano // NANO_PER_MICRO - before // NANO_PER_MICRO)
        self._used.update(used)
        self._nano = nano
        return found


def _stretch(tariff: Tariff, used_units: int) -> tuple[int, int, int]:
    """Tier that the next unit is in: its first unit, the one after its last, and nano-dollars a unit."""
    tiers = tariff.price.tiers
    number = max((n for n, (start, _) in enumerate(tiers) if start <= used_units), default=0)
    end = tiers[number + 1][0] if number + 1 < len(tiers) else 1 << 62
    return tiers[number][0], end, tiers[number][1]


def shared(micros: int, units: Sequence[int]) -> list[int]:
    """Divide a document's cost among its requests by their billed units; the parts add up to the whole."""
    total = sum(units)
    if total <= 0:
        return [micros, *[0] * (len(units) - 1)] if units else []
    parts, gone = [], 0
    for count in units:
        before = micros * gone // total
        gone += count
        parts.append(micros * gone // total - before)
    return parts


def alternative_nano_usd(
    configuration: Configuration, tariff: Tariff, requests: Mapping[tuple[int, ...], int]
) -> int:
    """Cost if all documents went to one processor.

    Parameters
    ----------
    configuration
        What is used and free this month.
    tariff
        Of that processor.
    requests
        Pages of each request of a document → how many documents are cut like that.
    """
    units = sum(tariff.units(cut) * documents for cut, documents in requests.items())
    pages = sum(sum(cut) * documents for cut, documents in requests.items())
    return tariff.nano_usd(used_units(configuration, tariff.price), units, pages)
