"""What an examination has found so far, and which of several problems a row speaks of.

Rules: a problem that stops the document outweighs any note; among notes the order below decides which code the row
gets; the reasons of all of them are kept.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from docdask.intake.problems import PROBLEMS

#: Notes on a document that is done all the same, most telling first.
_NOTES = ("damaged", "cut-short", "loop", "password", "owner-password", "attachment", "active-content", "oversize-page", "wrong-type")  # fmt: skip


@dataclass(slots=True)
class Findings:
    """Columns of a catalog row that come from the content. See :data:`docdask.store.catalog.CATALOG`."""

    mime_type: str
    pages: int | None = None
    widths: list[float] | None = None
    heights: list[float] | None = None
    unit: str | None = None
    encrypted: bool = False
    text_pages: int | None = None
    max_pixels: int | None = None
    kind: str | None = None
    kind_confidence: float | None = None
    group: str | None = None
    state: str = "ready"
    actions: list[str] = field(default_factory=list)
    notes: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Code → reason, remedy."""

    def note(self, code: str, reason: str = "", remedy: str | None = None) -> None:
        """Note something that does not stop the document."""
        problem = PROBLEMS[code]
        self.notes.setdefault(code, (reason or problem.reason, problem.remedy if remedy is None else remedy))

    def stop(self, state: str, code: str, reason: str = "", remedy: str = "") -> None:
        """Decide that the document is quarantined or skipped, for this reason alone."""
        self.state = state
        problem = PROBLEMS[code]
        self.notes = {code: (reason or problem.reason, remedy or problem.remedy)}
        self.actions.clear()

    def columns(self) -> dict[str, Any]:
        """Give the findings as columns of a catalog row."""
        row = asdict(self)
        notes, actions = row.pop("notes"), row.pop("actions")
        codes = sorted(notes, key=lambda code: _NOTES.index(code) if code in _NOTES else -1)
        row["problem"] = codes[0] if codes else None
        row["reason"] = "; ".join(notes[code][0] for code in codes) or None
        row["remedy"] = "; ".join(dict.fromkeys(notes[code][1] for code in codes if notes[code][1])) or None
        row["action"] = ",".join(actions) or None
        return row
