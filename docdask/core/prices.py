"""What a call costs: prices per processor type as data, and the arithmetic of tiers, free pages and rounding.

Rules: money is integer nano-dollars (a page of OCR is 1,500,000; sums stay exact). A price is by page with tiers over
the pages of a calendar month, or by document rounded up to ten pages, or by document. Failed requests cost nothing;
successful retries cost again. What comes out is an estimate, not a bill: discounts and credits are unknown here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from docdask.core.limits import Origin
from docdask.errors import UsageError

NANO_USD = 1_000_000_000

_PRICING = Origin("https://cloud.google.com/document-ai/pricing", "2026-10-02")
_PREBUILT = Origin("https://cloud.google.com/document-ai/pricing (list of prebuilt parsers)", "2026-06-15")


@dataclass(frozen=True, slots=True)
class Price:
    """Price of one processor type.

    ``tiers`` is ``((from_unit, nano_usd), …)``, ascending: the unit number ``from_unit`` of a month (0-based) and all
    after it cost ``nano_usd`` each, until the next tier.
    """

    processor_type: str
    unit: Literal["page", "ten pages", "document"]
    tiers: tuple[tuple[int, int], ...]
    origin: Origin

    def units(self, pages: int) -> int:
        """Units billed for one document of ``pages`` pages; 0 for none."""
        if pages <= 0:
            return 0
        if self.unit == "page":
            return pages
        return -(-pages // 10) if self.unit == "ten pages" else 1


def _per_page(processor_type: str, *tiers: tuple[int, float], origin: Origin = _PRICING) -> Price:
    """Price with tiers in dollars per 1,000 pages."""
    exact = tuple((start, round(usd * NANO_USD / 1000)) for start, usd in tiers)
    return Price(processor_type, "page", exact, origin)


def _flat(processor_type: str, unit: Literal["ten pages", "document"], usd: float) -> Price:
    return Price(processor_type, unit, ((0, round(usd * NANO_USD)),), _PREBUILT)


#: Free pages of OCR a month and billing account; the first tier.
FREE_PAGES = 1000

PRICES: Mapping[str, Price] = MappingProxyType(
    {
        row.processor_type: row
        for row in (
            _per_page("OCR_PROCESSOR", (0, 0.0), (FREE_PAGES, 1.50), (5_000_000, 0.60)),
            _per_page("LAYOUT_PARSER_PROCESSOR", (0, 10.0)),
            _per_page("FORM_PARSER_PROCESSOR", (0, 30.0), (1_000_000, 20.0)),
            _per_page("CUSTOM_EXTRACTION_PROCESSOR", (0, 30.0), (1_000_000, 20.0)),
            _per_page("CUSTOM_CLASSIFICATION_PROCESSOR", (0, 5.0), (1_000_000, 3.0)),
            _per_page("CUSTOM_SPLITTING_PROCESSOR", (0, 5.0), (1_000_000, 3.0)),
            _flat("INVOICE_PROCESSOR", "ten pages", 0.10),
            _flat("EXPENSE_PROCESSOR", "ten pages", 0.10),
            _flat("UTILITY_PROCESSOR", "ten pages", 0.10),
            _flat("BANK_STATEMENT_PROCESSOR", "document", 0.75),
            _flat("PAYSTUB_PROCESSOR", "document", 0.30),
            _flat("FORM_W2_PROCESSOR", "document", 0.30),
            _flat("US_DRIVER_LICENSE_PROCESSOR", "document", 0.10),
            _flat("US_PASSPORT_PROCESSOR", "document", 0.10),
            _flat("ID_PROOFING_PROCESSOR", "document", 0.10),
        )
    }
)

#: Premium features of OCR (math, selection marks, style), on top, per page.
ADD_ON = _per_page("OCR_ADD_ON", (0, 6.0))
#: Hosting of one deployed custom version, per hour.
HOSTING_NANO_USD_PER_HOUR = round(0.05 * NANO_USD)


def price_of(processor_type: str, prices: Mapping[str, Price] = PRICES) -> Price:
    """Price of a processor type; an unknown type is priced as a custom extractor, the dearest per page."""
    return prices.get(processor_type) or prices["CUSTOM_EXTRACTION_PROCESSOR"]


def price_list(changes: Mapping[str, float]) -> Mapping[str, Price]:
    """:data:`PRICES` with some of them agreed otherwise.

    Parameters
    ----------
    changes
        Processor type → dollars for 1,000 pages, for ten pages or for a document, as the type is counted; for all units
        of the month but the free ones.

    Raises
    ------
    UsageError
        If a type has no price, or a price is no amount of money.
    """
    changed = dict(PRICES)
    for processor_type, usd in changes.items():
        known = PRICES.get(processor_type)
        if known is None:
            raise UsageError(f"no price of {processor_type!r} is known", f"types: {', '.join(PRICES)}")
        if not (math.isfinite(usd) and usd >= 0):
            raise UsageError(f"the price of {processor_type} can't be {usd}", "give dollars, 0 or more")
        each = round(usd * NANO_USD / (1000 if known.unit == "page" else 1))
        free = tuple(tier for tier in known.tiers[:-1] if tier[1] == 0)[:1]
        start = known.tiers[1][0] if free else 0
        changed[processor_type] = replace(known, tiers=(*free, (start, each)), origin=Origin("your own", ""))
    return MappingProxyType(changed)


def tier_cost(tiers: tuple[tuple[int, int], ...], used_units: int, units: int) -> int:
    """Nano-dollars of ``units`` more units after ``used_units`` of the same month."""
    total, first, last, each = 0, used_units, used_units + units, 0
    for start, price in tiers:
        if start >= last:
            break
        if start > first:
            total += each * (start - first)
            first = start
        each = price
    return total + each * (last - first)


def cost_nano_usd(
    processor_type: str,
    pages_per_document: Iterable[int],
    *,
    used_pages: int = 0,
    free_pages: int | None = None,
    add_ons: bool = False,
    prices: Mapping[str, Price] = PRICES,
) -> int:
    """Cost of processing documents, in nano-dollars.

    Parameters
    ----------
    processor_type
        ``OCR_PROCESSOR`` …
    pages_per_document
        Pages of each document; rounding is per document.
    used_pages
        Pages of this processor type already billed this month: they decide the tier.
    free_pages
        Free pages of the month that are left; None for all that ``used_pages`` leaves. Only a price whose first tier is
        free has any.
    add_ons
        Whether OCR's premium features are on.
    prices
        Price list, for overriding.

    Returns
    -------
    int
        Nano-dollars, exact.
    """
    price = price_of(processor_type, prices)
    documents = [pages for pages in pages_per_document if pages > 0]
    units = sum(price.units(pages) for pages in documents)
    used = used_pages
    if free_pages is not None and len(price.tiers) > 1 and price.tiers[0][1] == 0:
        # The free tier belongs to the billing account: another project may have used it up.
        used = max(used, price.tiers[1][0] - free_pages)
    total = tier_cost(price.tiers, used, units)
    if add_ons and processor_type in ("OCR_PROCESSOR", "FORM_PARSER_PROCESSOR"):
        total += tier_cost(ADD_ON.tiers, 0, sum(documents))
    return total


def cost_usd(processor_type: str, pages_per_document: Iterable[int], **more: object) -> float:
    """:func:`cost_nano_usd` in dollars, for people and charts."""
    return cost_nano_usd(processor_type, pages_per_document, **more) / NANO_USD  # type: ignore[arg-type]
