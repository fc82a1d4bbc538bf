"""Extra columns of the user's source list: one name and one dtype each for the whole run, whatever a partition holds.

Rules:

1. ``columns.json`` lists them in the order in which they were first seen. It grows with the catalog.
2. The dtype is the narrowest of bool, int64, float64, string that takes every value seen; a list or an object becomes
   its JSON text. A dtype may only widen.
3. A column whose name the tables have already is called ``source_<name>``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

NAME = "columns.json"

#: Every dtype of a user's column, narrow to wide.
_TYPES = {"bool": pa.bool_(), "int64": pa.int64(), "float64": pa.float64(), "string": pa.string()}
_INT64 = range(-(2**63), 2**63)


def observe(known: Mapping[str, str], texts: Iterable[str | None]) -> dict[str, str]:
    """Names and dtypes after seeing the JSON objects ``texts``.

    Parameters
    ----------
    known
        Name → dtype so far.
    texts
        JSON objects, as the catalog's column ``columns`` holds them; null and what is no object is passed over.
    """
    found: dict[str, str | None] = dict(known)
    for text in dict.fromkeys(texts):
        for name, value in parse(text).items():
            found[name] = _wider(found.get(name), _type_of(value))
    return {name: kind or "string" for name, kind in found.items()}


def parse(text: str | None) -> dict[str, Any]:
    """Values of one document; empty if there are none."""
    if not text:
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def expand(
    texts: Iterable[str | None], types: Mapping[str, str], taken: Iterable[str]
) -> list[tuple[str, pa.Array]]:
    """Columns of a table from the JSON objects of its rows.

    Parameters
    ----------
    texts
        JSON object of each row, or None.
    types
        Name → dtype, from :func:`observe`.
    taken
        Names that the table has already.
    """
    rows = [parse(text) for text in texts]
    free = column_names(types, taken)
    return [
        (free[name], pa.array([_cast(row.get(name), kind) for row in rows], _TYPES[kind]))
        for name, kind in types.items()
    ]


def column_names(types: Mapping[str, str], taken: Iterable[str]) -> dict[str, str]:
    """Name in the source list → name in a table that has the columns ``taken``."""
    used = set(taken)
    found = {}
    for name in types:
        free = name
        while free in used:
            free = f"source_{free}"
        used.add(free)
        found[name] = free
    return found


def fields(types: Mapping[str, str], taken: Iterable[str]) -> list[pa.Field]:
    """Arrow fields of the columns that :func:`expand` makes."""
    free = column_names(types, taken)
    return [
        pa.field(free[name], _TYPES[kind], metadata={"unit": "", "description": "from the source list"})
        for name, kind in types.items()
    ]


def _type_of(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int64" if value in _INT64 else "string"
    return "float64" if isinstance(value, float) else "string"


def _wider(one: str | None, other: str | None) -> str | None:
    if one is None or other is None or one == other:
        return one or other
    return "float64" if {one, other} == {"int64", "float64"} else "string"


def _cast(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "string":
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return text.encode("utf-8", "replace").decode()
    if _wider(kind, _type_of(value)) != kind:
        return None  # a catalog older than columns.json; never a reason to lose the row
    return float(value) if kind == "float64" else value
