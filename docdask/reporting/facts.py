"""Reduces the tables to what a report tells: groups of failures, sums by currency, pages to look at, kinds, mendings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from docdask.charts.columns import numbers, texts


@dataclass(frozen=True)
class Failure:
    """Documents that were not stored for one reason."""

    outcome: str
    problem: str
    reason: str
    remedy: str
    number: int
    examples: tuple[tuple[str, str], ...]
    """(document_id, name), at most five."""


@dataclass(frozen=True)
class Money:
    """Invoices and receipts in one currency."""

    currency: str
    number: int
    without_total: int
    total: float
    median: float
    largest: float


def failures(documents: pd.DataFrame, most_examples: int = 5) -> list[Failure]:
    """What was not stored, by outcome and reason, the most frequent first (then by name)."""
    if not len(documents):
        return []
    plain = pd.DataFrame({
        "outcome": texts(documents, "outcome"), "problem": texts(documents, "problem", ""),
        "reason": texts(documents, "reason", "No reason was given"), "remedy": texts(documents, "remedy", ""),
        "name": texts(documents, "name", "(no name)"), "id": texts(documents, "document_id", ""),
    })  # fmt: skip
    plain = plain[plain["outcome"] != "stored"]
    found = []
    for (outcome, problem, reason), rows in plain.groupby(["outcome", "problem", "reason"], sort=True):
        shown = rows.sort_values(["name", "id"]).head(most_examples)
        remedies = rows["remedy"][rows["remedy"] != ""]
        found.append(
            Failure(
                str(outcome),
                str(problem),
                str(reason),
                remedies.iloc[0] if len(remedies) else "",
                len(rows),
                tuple(zip(shown["id"], shown["name"], strict=True)),
            )
        )
    return sorted(found, key=lambda f: (-f.number, f.outcome, f.reason))


def money(invoices: pd.DataFrame) -> list[Money]:
    """Sums by currency, the most frequent currency first; sums of different currencies are never added."""
    if not len(invoices):
        return []
    currency, total = texts(invoices, "currency", "not told"), numbers(invoices, "total")
    found = []
    for name in sorted(set(currency)):
        values = total[currency == name]
        known = values[np.isfinite(values)]
        found.append(
            Money(
                name,
                len(values),
                len(values) - len(known),
                float(known.sum()) if len(known) else float("nan"),
                float(np.median(known)) if len(known) else float("nan"),
                float(known.max()) if len(known) else float("nan"),
            )
        )
    return sorted(found, key=lambda m: (-m.number, m.currency))


def lowest(documents: pd.DataFrame, most: int = 10) -> list[tuple[str, str, float, float]]:
    """Stored documents of the lowest mean confidence, lowest first: name, kind, pages, confidence."""
    plain = pd.DataFrame({
        "id": texts(documents, "document_id", ""), "name": texts(documents, "name", "(no name)"),
        "kind": texts(documents, "kind"), "pages": numbers(documents, "pages"),
        "confidence": numbers(documents, "mean_confidence"), "outcome": texts(documents, "outcome"),
    })  # fmt: skip
    plain = plain[(plain["outcome"] == "stored") & plain["confidence"].notna()]
    shown = plain.sort_values(["confidence", "name", "id"]).head(most)
    return list(zip(shown["name"], shown["kind"], shown["pages"], shown["confidence"], strict=True))


def kinds(documents: pd.DataFrame) -> list[tuple[str, int, int, float]]:
    """Kind, documents, pages and mean confidence of what was stored, the most frequent first."""
    plain = pd.DataFrame({
        "kind": texts(documents, "kind"), "pages": numbers(documents, "pages"),
        "confidence": numbers(documents, "mean_confidence"),
    })[texts(documents, "outcome") == "stored"]  # fmt: skip
    found = [
        (kind, len(rows), int(np.nansum(rows["pages"])), float(rows["confidence"].mean()))
        for kind, rows in plain.groupby("kind", sort=True)
    ]
    return sorted(found, key=lambda row: (-row[1], row[0]))


def actions(documents: pd.DataFrame) -> dict[str, int]:
    """What docdask did to documents so that they could be read: ``repaired``, ``decrypted``, with numbers."""
    found: dict[str, int] = {}
    for text in texts(documents, "action", ""):
        for action in filter(None, text.split(",")):
            found[action.strip()] = found.get(action.strip(), 0) + 1
    return dict(sorted(found.items()))


def duplicates(documents: pd.DataFrame) -> int:
    """Documents whose bytes were done once already."""
    return int((texts(documents, "duplicate_of", "") != "").sum())


def first(value: Any, missing: str = "unknown") -> str:
    """Text of a summary's value, ``missing`` for None."""
    return missing if value is None or value == "" else str(value)
