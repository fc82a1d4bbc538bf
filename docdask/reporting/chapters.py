"""Decides what a report tells and in which order: page 1 for a manager, then contents, set aside, run, findings, method.

Every number is taken from the tables or from the run's own summary; what is estimated says so where it stands.
"""

from __future__ import annotations

import math
from typing import Any

from docdask.charts.axes import clock, short_type, span
from docdask.charts.columns import numbers, texts
from docdask.charts.gallery import CHARTS
from docdask.reporting import facts, spending
from docdask.reporting.baseline import Baseline
from docdask.reporting.content import (
    Block,
    Card,
    Cards,
    Chart,
    Column,
    Contents,
    Grid,
    Heading,
    NewPage,
    Pictures,
    Report,
    Share,
    Together,
    prose,
)  # fmt: skip
from docdask.reporting.data import ReportData
from docdask.reporting.pictures import pictures
from docdask.words import counted

#: Above so many documents there is no table of all of them: the tables are the place to look.
MOST_LISTED = 200


def compose(data: ReportData, baseline: Baseline | None = None, *, thumbnails: bool = False) -> Report:
    """Say what the report of ``data`` tells."""
    summary = data.summary
    blocks: list[Block] = [
        *_manager(data, baseline), Contents(), NewPage(), *_aside(data, thumbnails=thumbnails), *_course(data),
        *spending.chapter(data.summary, data.costs), *_findings(data), *_method(data, baseline), *_documents(data),
    ]  # fmt: skip
    when = _stamp(summary.get("ended_at"))
    return Report(
        title="Document processing report",
        subtitle=when,
        run=facts.first(summary.get("run"), "run"),
        footer=f"docdask {facts.first(summary.get('docdask_version'), '')}".strip(),
        blocks=tuple(blocks),
        billing=spending.billing(summary),
    )


def _stamp(value: Any, *, to_the_second: bool = False) -> str:
    seconds = getattr(value, "timestamp", None)
    if seconds is None or value != value:  # noqa: PLR0124 - NaT is not equal to itself
        return facts.first(value, "") if isinstance(value, str) else ""
    return clock(float(seconds()), to_the_second=to_the_second)


def _count(data: ReportData, name: str) -> int:
    return int(data.summary.get(name) or 0)


def _headline(data: ReportData) -> str:
    inputs, stored, pending = (_count(data, name) for name in ("inputs", "stored", "pending"))
    aside = _count(data, "quarantined") + _count(data, "skipped")
    if not inputs:
        return "No document was given to this run."
    first = f"{stored:,} of {counted(inputs, 'document')} " + ("is done" if stored == 1 else "are done")
    rest = [f"{aside:,} {'was' if aside == 1 else 'were'} set aside"] if aside else []
    rest += [f"{pending:,} {'is' if pending == 1 else 'are'} not decided yet"] if pending else []
    return "; ".join([first, *rest]) + "."


def _manager(data: ReportData, baseline: Baseline | None) -> list[Block]:
    inputs, stored, wall = (
        _count(data, "inputs"),
        _count(data, "stored"),
        float(data.summary.get("wall_s") or 0.0),
    )
    quarantined, skipped, pending = (_count(data, n) for n in ("quarantined", "skipped", "pending"))
    rate, speedup = (
        float(data.summary.get("documents_per_hour") or 0.0),
        float(data.summary.get("speedup") or 0.0),
    )
    share = f"{stored / inputs:.1%} of {counted(inputs, 'input')}" if inputs else "no inputs"
    cards = [
        Card("Done", f"{stored:,}", share, "good"),
        Card("Set aside", f"{quarantined + skipped:,}", f"{quarantined:,} with a problem · {skipped:,} left out", "bad" if quarantined else "plain"),
        Card("Time", span(wall) if wall else "—", f"{counted(_count(data, 'pages'), 'page')}" + (f" · {speedup:.3g} × as fast as one after another" if speedup >= 1 else "")),
        Card("Documents an hour", f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}" if rate else "—", "done ÷ that time"),
    ]  # fmt: skip
    blocks: list[Block] = [
        Heading("At a glance", 1, "glance"),
        prose(_headline(data), tone="lead"),
        Cards(tuple(cards)),
        Share((("done", stored, "good"), ("with a problem", quarantined, "bad"), ("left out", skipped, "doubtful"), ("not decided yet", pending, "plain"))),
        *spending.cards(data.summary, data.costs),
        *_comparison(stored, wall, baseline),
        *_todo(data),
    ]  # fmt: skip
    return blocks


def _comparison(stored: int, wall: float, baseline: Baseline | None) -> list[Block]:
    if baseline is None or not stored or wall <= 0:
        return []
    theirs, kind = baseline.seconds(stored), " (estimated)" if baseline.estimated else " (as stated)"
    grid = Grid(
        (Column("", 0.34), Column("Documents an hour", 0.22, "right"), Column(f"Time for {counted(stored, 'document')}", 0.26, "right"), Column("Factor", 0.18, "right")),
        (
            ("Baseline" + kind, f"{baseline.rate(stored):,.4g}", span(theirs), "1 ×"),
            ("This run (measured)", f"{stored / wall * 3600:,.0f}", span(wall), f"{theirs / wall:,.3g} ×"),
        ),
    )  # fmt: skip
    saved = theirs - wall
    words = f"{span(abs(saved))} {'less' if saved >= 0 else 'more'} than the baseline"
    note = (
        "The baseline's time is an estimate: the stated rate times the number of documents done here. It was not measured."
        if baseline.estimated
        else "The baseline's time was stated for these documents; docdask did not measure it."
    )
    return [
        Together(
            (
                Heading("Against the baseline", 2, "baseline"),
                prose("This run took ", (words, True), "."),
                grid,
                prose(note, tone="note"),
            )
        )
    ]


def _todo(data: ReportData) -> list[Block]:
    """What somebody should do now, most documents first."""
    rows = [
        (f.remedy or "Nothing can be done with this file", f.reason, f"{f.number:,}") for f in facts.failures(data.documents)[:4]
    ]  # fmt: skip
    low = int(
        (
            (numbers(data.documents, "mean_confidence") < 0.8)
            & (texts(data.documents, "outcome") == "stored")
        ).sum()
    )
    if low:
        rows.append(("Look at them before you rely on their text", "Mean confidence below 80 %", f"{low:,}"))
    if _count(data, "pending"):
        rows.append(
            (
                "Run the same command again",
                "The run ended before they were decided",
                f"{_count(data, 'pending'):,}",
            )
        )
    if not rows:
        return []
    grid = Grid(
        (Column("What to do", 0.42), Column("Why", 0.44), Column("Documents", 0.14, "right")), tuple(rows)
    )
    return [Together((Heading("What to do next", 2, "todo"), grid))]


def _aside(data: ReportData, *, thumbnails: bool) -> list[Block]:
    groups = facts.failures(data.documents)
    blocks: list[Block] = [Heading("What was done and what was set aside", 1, "outcomes")]
    mended = facts.actions(data.documents)
    parts = [f"{number:,} {action}" for action, number in mended.items()]
    if parts:
        blocks.append(prose("Mended before reading: ", (", ".join(parts), True), "."))
    same = facts.duplicates(data.documents)
    if same:
        blocks.append(
            prose(
                (counted(same, "duplicate"), True),
                " by content: the bytes were done once, the result counts for each.",
            )
        )
    if groups:  # a bar of what was stored alone tells nothing that page 1 does not
        blocks.append(Chart("outcomes", CHARTS["outcomes"].tells))
    if not groups:
        blocks.append(
            prose("Nothing was set aside." if len(data.documents) else "No document has been decided yet.")
        )
    for number, group in enumerate(groups, 1):
        title = Heading(group.reason, 2, f"reason-{number}")
        kind = {"quarantined": "With a problem", "skipped": "Left out"}.get(group.outcome, group.outcome)
        what = prose(
            (f"{kind}: {counted(group.number, 'document')}", True),
            f" · {group.problem}" if group.problem else "",
        )
        remedy = prose(("What to do: ", True), group.remedy or "nothing can be done with these files.")
        head = "Example" if group.number == 1 else f"Examples ({len(group.examples)} of {group.number:,})"
        grid = Grid(
            (Column(head, 0.76), Column("Document id", 0.24)),
            tuple((name, key) for key, name in group.examples),
        )
        blocks.append(Together((title, what, remedy, grid)))
        if thumbnails and data.render_page is not None:
            shown = pictures(data.render_page, group.examples)
            blocks += [Pictures(shown)] if shown else []
    return blocks


def _course(data: ReportData) -> list[Block]:
    blocks: list[Block] = [Heading("How the run went", 1, "course")]
    if not len(data.calls):
        return [*blocks, prose("No call has ended yet: there is nothing to measure.")]
    blocks += [Chart(name, CHARTS[name].tells) for name in ("throughput", "timeline", "speedup", "latency")]
    return blocks


def _percent(value: float) -> str:
    return f"{value:.1%}" if math.isfinite(value) else "—"


def _findings(data: ReportData) -> list[Block]:
    blocks: list[Block] = [Heading("What is in the documents", 1, "findings")]
    rows = facts.kinds(data.documents)
    if rows:
        grid = Grid(
            (Column("Kind (guessed)", 0.4), Column("Documents", 0.2, "right"), Column("Pages", 0.2, "right"), Column("Mean confidence", 0.2, "right")),
            tuple((kind, f"{n:,}", f"{pages:,}", _percent(sure)) for kind, n, pages, sure in rows),
        )  # fmt: skip
        blocks.append(Together((Heading("Kinds of documents", 2, "kinds"), grid)))
    blocks += _invoices(data)
    if len(data.pages):
        chart = Chart("confidence", CHARTS["confidence"].tells)
        blocks.append(Together((Heading("Confidence", 2, "confidence"), chart)))
    if len(blocks) == 1:
        blocks.append(prose("Nothing has been stored yet."))
    low = facts.lowest(data.documents)
    if low:
        grid = Grid(
            (Column("Lowest confidence first", 0.52), Column("Kind", 0.16), Column("Pages", 0.12, "right"), Column("Mean confidence", 0.2, "right")),
            tuple((name, kind, "—" if math.isnan(pages) else f"{pages:,.0f}", _percent(sure)) for name, kind, pages, sure in low),
        )  # fmt: skip
        more = "More in the table ", ("review", True), " of the run, lowest confidence first."
        blocks += [
            Together((Heading("Documents to look at first", 2, "review"), grid)),
            prose(*more, tone="note"),
        ]
    return blocks


def _amount(value: float) -> str:
    return f"{value:,.2f}" if math.isfinite(value) else "—"


def _invoices(data: ReportData) -> list[Block]:
    rows = facts.money(data.invoices)
    if not rows:
        return []
    columns = (
        Column("Currency", 0.16), Column("Documents", 0.14, "right"), Column("Without a total", 0.17, "right"),
        Column("Sum of totals", 0.19, "right"), Column("Median", 0.16, "right"), Column("Largest", 0.18, "right"),
    )  # fmt: skip
    grid = Grid(columns, tuple(
        (m.currency, f"{m.number:,}", f"{m.without_total:,}", _amount(m.total), _amount(m.median), _amount(m.largest)) for m in rows
    ))  # fmt: skip
    note = "As read from the documents, not checked against any books. Currencies are not converted, nor added to each other."
    return [Together((Heading("Invoices and receipts", 2, "invoices"), grid, prose(note, tone="note")))]


def _method(data: ReportData, baseline: Baseline | None) -> list[Block]:
    summary = data.summary
    rows = [
        ("Run", facts.first(summary.get("run"))),
        ("Engine", facts.first(summary.get("engine"))),
        ("Workers", facts.first(summary.get("workers"))),
        ("Machine", facts.first(summary.get("machine"))),
        ("Started", _stamp(summary.get("started_at"), to_the_second=True) or "unknown"),
        ("Ended", _stamp(summary.get("ended_at"), to_the_second=True) or "unknown"),
        ("docdask", facts.first(summary.get("docdask_version"))),
    ]
    types = texts(data.documents, "mime_type")
    by_type = sorted(
        ((short_type(t), int((types == t).sum())) for t in set(types)), key=lambda pair: (-pair[1], pair[0])
    )
    if by_type:
        rows.append(("Types", ", ".join(f"{name} {number:,}" for name, number in by_type[:12])))
    cost = numbers(data.calls, "cost_usd")
    if data.costs is None and len(cost) and float(cost[cost == cost].sum()) > 0:  # noqa: PLR0124 - leaves NaN out
        rows.append(("Paid", f"{float(cost[cost == cost].sum()):,.2f} USD, as priced by the calls"))  # noqa: PLR0124
    inputs, parts = (
        _count(data, "inputs"),
        [_count(data, n) for n in ("stored", "quarantined", "skipped", "pending")],
    )
    account = f"{parts[0]:,} stored + {parts[1]:,} with a problem + {parts[2]:,} left out + {parts[3]:,} not decided yet = {sum(parts):,} of {inputs:,} inputs"
    estimate = (
        " The baseline was given by the user."
        + (" Its time is an estimate: rate times documents." if baseline.estimated else "")
        if baseline
        else ""
    )
    return [
        Heading("How it was measured", 1, "method"),
        Grid((Column("What", 0.22), Column("Value", 0.78)), tuple(rows)),
        Heading("The account", 2, "account"),
        prose((account, True), "." if sum(parts) == inputs else ": these do not add up, and should."),
        Heading("What the words mean", 2, "words"),
        prose(("Time", True), " is what docdask worked on the run, breaks between its sessions left out. ", ("Documents an hour", True), " is documents done, divided by that time; what was set aside is not counted as done."),
        prose(("Set aside", True), " is what could not be done for a problem with the file (quarantined), and what was left out because no engine takes such files (skipped)."),
        prose(("One after another", True), " is the sum of the durations of all calls of this run. It is an estimate of a run without docdask: calls that share a processor take longer than they would alone."),
        prose(("Confidence", True), " is the engine's own, weighted by characters. It says how sure the engine was, not how often it was right: for an error rate, compare a sample with the originals." + estimate),
        prose(("Kinds", True), " are guessed from the content."),
    ]  # fmt: skip


def _documents(data: ReportData) -> list[Block]:
    total = len(data.documents)
    if not total or total > MOST_LISTED:
        return []
    columns = zip(
        texts(data.documents, "name", "(no name)"), texts(data.documents, "kind", "—"), numbers(data.documents, "pages"),
        texts(data.documents, "outcome"), numbers(data.documents, "mean_confidence"), texts(data.documents, "reason", ""), strict=True,
    )  # fmt: skip
    rows = [
        (name, kind, outcome if outcome == "stored" or not why else f"{outcome}: {why}", "—" if math.isnan(pages) else f"{pages:,.0f}", _percent(sure))
        for name, kind, pages, outcome, sure, why in columns
    ]  # fmt: skip
    grid = Grid(
        (Column("Document", 0.4), Column("Kind", 0.12), Column("Outcome", 0.25), Column("Pages", 0.09, "right"), Column("Confidence", 0.14, "right")),
        tuple(rows),
    )  # fmt: skip
    return [Heading("Every document", 1, "documents"), grid]
