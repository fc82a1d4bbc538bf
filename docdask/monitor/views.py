"""What a scan and a plan look like: text for a terminal, HTML for a notebook, a dict for a script."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from docdask.monitor.progress import duration
from docdask.store.run import RunDirectory

if TYPE_CHECKING:
    import pandas as pd


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
        return [
            ("documents", f"{s['inputs']:,} ({size(s['size_bytes'])}), {s['inspected']:,} read now"),
            ("pages", f"{s['pages']:,}"),
            ("states", _counted(s["states"])),
            ("types", _counted(s["types"])),
            ("kinds (a guess)", _counted(s["kinds"])),
            ("problems", _counted(s["problems"]) or "none"),
        ]

    def __str__(self) -> str:
        return _text(self._facts())

    def _repr_html_(self) -> str:
        shown = ["name", "mime_type", "pages", "kind", "state", "problem", "reason", "action"]
        return _html("Catalog", self._facts()) + str(
            self.frame[shown].head(50).to_html(index=False, na_rep="", escape=True)
        )


@dataclass(frozen=True)
class Plan:
    """What a run will do. It has done nothing yet; :func:`docdask.run` does exactly this."""

    url: str
    """Run directory that keeps it."""
    summary: dict[str, Any] = field(repr=False)
    """Counts, expected times and how they were found; docs/cli.md lists the keys."""

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
                ("engine", f"{s['engine']}; {s['engine_note']}"),
                ("documents", f"{s['found']:,}, of which {s['sampled']:,} were looked at (seed {s['seed']})"),
                ("to recognise", interval(estimate["ready"], "documents")),
                ("pages", interval(estimate["pages"], "pages")),
                (
                    "expected time",
                    f"{interval(estimate['expected_s'])} on {s['workers']} workers; {s['speed_note']}",
                ),
                ("set aside", interval(estimate["aside"], "documents")),
            ]
        work = (
            f"{s['new']:,} documents, {s['new_pages']:,} pages ({s['new_text_pages']:,} by their text layer)"
        )
        facts = [
            ("run", self.url),
            ("engine", f"{s['engine']}; {s['engine_note']}"),
            ("documents", f"{s['inputs']:,} ({size(s['size_bytes'])})"),
            ("to do", work if s["new"] else "nothing new"),
            (
                "expected time",
                f"{duration(s['expected_s'])} on {s['workers']} workers in {s['partitions']} partitions; {s['speed_note']}",
            ),
            ("decided by", s["decides"]),
        ]
        if s["duplicates"]:
            facts.append(
                ("duplicates", f"{s['duplicates']:,} have the bytes of another one and are done once")
            )
        facts.extend((f"{a['outcome']}", f"{a['documents']:,}: {a['reason']}") for a in s["aside"])
        return facts

    def __str__(self) -> str:
        return _text(self._facts())

    def _repr_html_(self) -> str:
        return _html("Plan", self._facts())


def told(summary: dict[str, Any]) -> str:
    """What became of the documents and how fast, in one or two lines, from a run's summary."""
    text = (
        f"{summary['inputs']:,} documents: {summary['stored']:,} stored, {summary['quarantined']:,} quarantined, "
        f"{summary['skipped']:,} skipped, {summary['pending']:,} pending"
    )
    if summary.get("wall_s"):
        rate = (
            f"{summary['documents_per_hour']:,.0f} documents/hour"
            if summary.get("documents_per_hour")
            else ""
        )
        speed = f"{summary['speedup']:.1f}x one after another" if summary.get("speedup") else ""
        more = ", ".join(part for part in (rate, speed) if part)
        text += f"\n{summary['pages']:,} pages in {duration(summary['wall_s'])}" + (
            f": {more}" if more else ""
        )
    return text


def interval(estimate: dict[str, float], unit: str = "") -> str:
    """``1,200 pages (1,100 to 1,300 with 95 %)``; without a unit the numbers are seconds."""
    if not unit:
        return f"{duration(estimate['total'])} ({duration(estimate['low'])} to {duration(estimate['high'])} with 95 % confidence)"
    return f"{estimate['total']:,.0f} {unit} ({estimate['low']:,.0f} to {estimate['high']:,.0f} with 95 % confidence)"


def size(size_bytes: float) -> str:
    """``37.4 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in counts.items())


def _text(facts: list[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in facts)
    return "\n".join(f"{name.rjust(width)}  {value}" for name, value in facts)


def _html(title: str, facts: list[tuple[str, str]]) -> str:
    rows = "".join(
        f'<tr><th style="text-align:right;padding:2px 10px 2px 0;font-weight:600;vertical-align:top">{html.escape(name)}</th>'
        f'<td style="text-align:left;padding:2px 0">{html.escape(value)}</td></tr>'
        for name, value in facts
    )
    return f'<div style="font-family:system-ui,sans-serif;font-size:13px"><b>{html.escape(title)}</b><table style="border:0">{rows}</table></div>'
