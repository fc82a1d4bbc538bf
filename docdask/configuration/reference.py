"""Writes the tables of docs/configuration.md from the rows that the reader itself uses.

``python -m docdask.configuration.reference`` writes them into the page; a test fails when they differ.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from docdask.configuration.keys import DOCUMENTAI, PLACE, PROCESSOR, ROUTE, TOP, Key
from docdask.configuration.types import FRIENDLY
from docdask.core.limits import DEFAULT_BOOK, PROCESSOR_LIMITS, QUOTAS, SYSTEM_LIMITS
from docdask.core.prices import NANO_USD, PRICES

_UNITS = {"page": "1,000 pages", "ten pages": "ten pages of a document", "document": "a document"}
_KINDS = {
    "text": "text", "whole": "whole number", "number": "number", "flag": "true/false", "texts": "list of texts",
    "table": "table", "rows": "list of tables", "options": "table, or JSON text",
}  # fmt: skip
_BLOCK = re.compile(r"<!-- (\w[\w-]*) -->\n.*?<!-- end -->", re.DOTALL)


def tables() -> Mapping[str, str]:
    """Name of a table in the page → its Markdown."""
    return {
        "keys-top": _keys(TOP),
        "keys-documentai": _keys(DOCUMENTAI),
        "keys-processor": _keys(PROCESSOR),
        "keys-place": _keys(PLACE),
        "keys-route": _keys(ROUTE),
        "types": _types(),
        "limits": _limits(),
    }


def filled(page: str) -> str:
    """The page with its tables as they should be."""
    known = tables()
    return _BLOCK.sub(lambda block: f"<!-- {block[1]} -->\n\n{known[block[1]]}\n\n<!-- end -->", page)


def _keys(keys: tuple[Key, ...]) -> str:
    rows = [
        [
            f"`{key.name}`",
            _KINDS[key.kind],
            key.unit,
            key.default,
            f"`{key.variable}`" if key.variable else "",
            key.meaning,
        ]
        for key in keys
    ]
    return _table(["key", "value", "unit", "default", "environment", "meaning"], rows)


def _types() -> str:
    rows = []
    for name, kind in FRIENDLY.items():
        limits, price = PROCESSOR_LIMITS[kind], PRICES[kind]
        usd = next(each for _, each in price.tiers if each) / NANO_USD * (1000 if price.unit == "page" else 1)
        pages = f"{limits.online_pages} ({limits.imageless_pages} imageless)"
        rows.append(
            [f"`{name}`", f"`{kind}`", pages, str(limits.batch_pages), f"${usd:.2f} for {_UNITS[price.unit]}"]
        )
    return _table(
        ["name", "Google's name", "pages a call", "pages a batch document", "price, first tier"], rows
    )


def _limits() -> str:
    quotas = [
        [
            f"`{name}`",
            quota.unit,
            *(f"{DEFAULT_BOOK.quota(name, region):,}" for region in ("us", "eu", "single")),
        ]
        for name, quota in QUOTAS.items()
    ]
    system = [[f"`{name}`", limit.unit, *3 * [f"{limit.value:,}"]] for name, limit in SYSTEM_LIMITS.items()]
    pages = [
        [f"`{name}.TYPE`", "pages, see the types", *3 * ["by type"]]
        for name in ("online_pages", "batch_pages", "imageless_pages")
    ]
    return _table(["key", "unit", "us", "eu", "single region"], [*quotas, *system, *pages])


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


if __name__ == "__main__":
    from pathlib import Path

    there = Path("docs/configuration.md")
    there.write_text(filled(there.read_text(encoding="utf-8")), encoding="utf-8")
