"""What a scan and a plan look like: text for a terminal, HTML for a notebook, a dict for a script."""

from __future__ import annotations

import html
import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docdask.monitor import paidplan
from docdask.monitor.amounts import interval, size
from docdask.store.run import RunDirectory
from docdask.tables import card, money
from docdask.words import counted, duration

if TYPE_CHECKING:
    import pandas as pd


_STATES = {"ready": card.GREEN, "quarantined": card.RED, "skipped": card.ORANGE}


@dataclass(frozen=True)
class Catalog:
    """What a scan found: :attr:`frame` has one row a document (docs/scan.md)."""

    frame: pd.DataFrame
    inspected: int
    """Files that were read; the others had not changed since the last scan."""
    url: str | None = None
    """Run directory that keeps it; None if it is not kept."""

    def summary(self) -> dict[str, Any]:
        """Counts by state, problem and type."""
        f = self.frame
        return {
            "run": self.url,
            "inputs": len(f),
            "inspected": self.inspected,
            "pages": int(f["pages"].fillna(0).sum()),
            "size_bytes": int(f["size_bytes"].fillna(0).sum()),
            "states": {str(k): int(v) for k, v in f["state"].value_counts().items()},
            "types": {str(k): int(v) for k, v in f["mime_type"].fillna("unreadable").value_counts().items()},
            "kinds": {str(k): int(v) for k, v in f["kind"].dropna().value_counts().items()},
            "problems": {str(k): int(v) for k, v in f["problem"].dropna().value_counts().items()},
        }

    def _facts(self) -> list[tuple[str, str]]:
        s = self.summary()
        facts = [
            ("documents", f"{s['inputs']:,} ({size(s['size_bytes'])}), {s['inspected']:,} read now"),
            ("pages", f"{s['pages']:,}"),
            ("states", _counted(s["states"])),
            ("types", _counted(s["types"])),
            ("kinds (a guess)", _counted(s["kinds"])),
            ("problems", _counted(s["problems"]) or "none"),
        ]
        return [(name, value) for name, value in facts if value]

    def __str__(self) -> str:
        return _text(self._facts())

    def _repr_html_(self) -> str:
        s = self.summary()
        figures = [
            (f"{s['inputs']:,}", "documents"),
            (f"{s['pages']:,}", "pages"),
            (size(s["size_bytes"]), "in all"),
        ]
        told_above = {"documents", "pages", "states"}
        rows = [fact for fact in self._facts() if fact[0] not in told_above]
        states = [
            (n / max(s["inputs"], 1), _STATES.get(name, card.GREY), f"{n:,} {name}")
            for name, n in s["states"].items()
        ]
        shown = self.frame[["name", "mime_type", "pages", "kind", "state", "problem", "reason", "action"]]
        more = len(shown) - 50
        return (
            card.frame(
                "catalog",
                self.url or "",
                f"{s['inspected']:,} read now",
                card.numbers(figures),
                card.bar(states),
                _rows(rows),
            )
            + str(shown.head(50).dropna(axis=1, how="all").to_html(index=False, na_rep="", escape=True))
            + (
                f"<div>and {counted(more, 'more document')}; all are in <code>.frame</code></div>"
                if more > 0
                else ""
            )
        )


@dataclass(frozen=True)
class Plan:
    """What a run will do. It has done nothing yet; :func:`docdask.run` does exactly this."""

    url: str
    """Run directory that keeps it."""
    summary: dict[str, Any] = field(repr=False)
    """Counts, expected times and how they were found; docs/plan.md lists the keys."""

    @property
    def frame(self) -> pd.DataFrame:
        """One row a planned document, with its partition and expected seconds."""
        frame: pd.DataFrame = RunDirectory(self.url).plan(current=True).to_pandas()
        return frame

    @property
    def catalog(self) -> pd.DataFrame:
        """One row a document that was found."""
        frame: pd.DataFrame = RunDirectory(self.url).catalog().to_pandas()
        return frame

    def _facts(self) -> list[tuple[str, str]]:
        s, estimate = self.summary, self.summary.get("estimate")
        if estimate:
            return [
                ("run", self.url),
                ("engine", "; ".join(filter(None, (s["engine"], s["engine_note"])))),
                ("documents", f"{s['found']:,}, of which {s['sampled']:,} were looked at (seed {s['seed']})"),
                ("to recognise", interval(estimate["ready"], "documents")),
                ("pages", interval(estimate["pages"], "pages")),
                (
                    "expected time",
                    f"{interval(estimate['expected_s'], said=duration)} on {counted(s['workers'], 'worker')}; {s['speed_note']}",
                ),
                *(paidplan.estimated(s) if "billing" in s else ()),
                ("set aside", interval(estimate["aside"], "documents")),
            ]
        paid = "billing" in s and bool(s["new"])
        facts = [
            ("run", self.url),
            ("engine", "; ".join(filter(None, (s["engine"], s["engine_note"])))),
            ("documents", f"{s['inputs']:,} ({size(s['size_bytes'])})"),
            ("to do", self._work()),
            (
                "expected time",
                f"{duration(s['expected_s'])} on {counted(s['workers'], 'worker')}, in {counted(s['partitions'], 'partition')}",
            ),
            ("known from", s["speed_note"]),
            ("decided by", s["decides"]),
        ]
        if paid:
            facts = [*facts[:4], *paidplan.facts(s)]
        elif not s["new"]:
            facts = [fact for fact in facts if fact[0] not in ("expected time", "known from", "decided by")]
        if s["duplicates"]:
            facts.append(("duplicates", f"{s['duplicates']:,} with the bytes of another document, done once"))
        facts.extend((f"{a['outcome']}", f"{a['documents']:,}: {a['reason']}") for a in s["aside"])
        return facts

    def _work(self) -> str:
        s = self.summary
        if not s["new"]:
            return "nothing new"
        layers = s["new_text_pages"] and "billing" not in s
        by_text = f" ({s['new_text_pages']:,} by their text layer)" if layers else ""
        return f"{counted(s['new'], 'document')}, {counted(s['new_pages'], 'page')}{by_text}"

    def __str__(self) -> str:
        billing = self.summary.get("billing")
        return "\n".join(filter(None, (billing, _text(self._facts()))))

    def _repr_html_(self) -> str:
        s = self.summary
        rows = [fact for fact in self._facts() if fact[0] not in ("run", "engine", "documents")]
        billing = card.notes([s["billing"]] if s.get("billing") else [])
        note = _rows([("engine", s["engine_note"]), *rows] if s["engine_note"] else rows)
        if "estimate" in s:
            return card.frame("plan, estimated from a sample", self.url, s["engine"], *billing, note)
        figures = [
            (f"{s['inputs']:,}", "document" if s["inputs"] == 1 else "documents"),
            (f"{s['new_pages']:,}", "page to do" if s["new_pages"] == 1 else "pages to do"),
            (duration(s["expected_s"]), "expected time"),
            (f"{s['workers']:,}", "worker" if s["workers"] == 1 else "workers"),
        ]
        if "billing" in s:
            figures = [*figures[:2], (money.dollars(s["cost_usd"]), "expected price"), *figures[2:3]]
        if not s["new"]:
            figures = figures[:2]
        return card.frame("plan", self.url, s["engine"], *billing, card.numbers(figures), note)


def told(summary: dict[str, Any]) -> str:
    """What became of the documents, how fast and for how much, in a few lines, from a run's summary."""
    text = (
        f"{counted(summary['inputs'], 'document')}: {summary['stored']:,} stored, {summary['quarantined']:,} quarantined, "
        f"{summary['skipped']:,} skipped, {summary['pending']:,} pending"
    )
    if summary.get("wall_s"):
        rate = (
            f"{summary['documents_per_hour']:,.0f} documents/hour"
            if summary.get("documents_per_hour")
            else ""
        )
        # Below 1 the start was longer than the calls, which says nothing about how they were made.
        faster = (summary.get("speedup") or 0.0) >= 1.0
        speed = f"{summary['speedup']:.1f} times as fast as one by one" if faster else ""
        more = ", ".join(part for part in (rate, speed) if part)
        text += f"\n{counted(summary['pages'], 'page')} in {duration(summary['wall_s'])}" + (
            f": {more}" if more else ""
        )
    return "\n".join([text, *money.lines(summary)])


def listed(files: Sequence[Path]) -> str:
    """A line a file; of a folder with more than a dozen a line for all, since an export may be a million files."""
    by_folder: dict[Path, list[Path]] = {}
    for path in files:
        by_folder.setdefault(path.parent, []).append(path)
    return "\n".join(
        line
        for folder, paths in by_folder.items()
        for line in (map(str, paths) if len(paths) <= 12 else [f"{folder}: {len(paths):,} files"])
    )


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in counts.items())


def _text(facts: list[tuple[str, str]]) -> str:
    """Names on the left, values on the right, wrapped to the terminal; long paths stay whole, so that they can be copied."""
    indent = max(len(name) for name, _ in facts) + 2
    width = max(60, min(shutil.get_terminal_size((100, 24)).columns, 120))
    lines = []
    for name, value in facts:
        wrapped = textwrap.wrap(value, width - indent, break_long_words=False, break_on_hyphens=False) or [""]
        lines.append(f"{name.rjust(indent - 2)}  {wrapped[0]}")
        lines.extend(" " * indent + line for line in wrapped[1:])
    return "\n".join(lines)


def _rows(facts: list[tuple[str, str]]) -> str:
    """Names and values as a grid, which a notebook does not stripe as it does tables."""
    cells = "".join(
        f'<div style="opacity:.75;text-align:right">{html.escape(name)}</div><div>{html.escape(value)}</div>'
        for name, value in facts
    )
    return f'<div style="display:grid;grid-template-columns:max-content 1fr;gap:2px 12px;margin-top:4px">{cells}</div>'
