"""How a result looks in a notebook: the sum of its inputs as a bar, and the few numbers that matter.

Rules: everything from outside is escaped; colours are readable on white and on a dark notebook, and told apart by those
who see few (Okabe and Ito), each beside its word and number. Plans and running runs are framed by the same parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from docdask.tables import money

GREEN, RED, ORANGE, BLUE, GREY = "#009E73", "#D55E00", "#E69F00", "#0072B2", "#999999"
_OUTCOMES = (("stored", GREEN), ("quarantined", RED), ("skipped", ORANGE), ("pending", GREY))


def card(summary: dict[str, Any], engine: str) -> str:
    """HTML of a run's summary, see :func:`docdask.tables.summary.summarise`."""
    inputs = max(summary["inputs"], 1)
    parts = [
        (summary[name] / inputs, color, f"{summary[name]:,} {name}")
        for name, color in _OUTCOMES
        if summary[name] or name == "stored"
    ]
    return frame(
        "result", summary["run"], engine, numbers(figures(summary)), bar(parts), *notes(money.lines(summary))
    )


def frame(what: str, where: str, beside: str, *body: str) -> str:
    """Box with a title, a place, a note on the right, and what is in it."""
    return (
        '<div style="font-family:system-ui,sans-serif;font-size:13px;line-height:1.45;max-width:46em;'
        'border:1px solid rgba(128,128,128,.35);border-radius:8px;padding:12px 16px;margin:2px 0">'
        '<div style="display:flex;flex-wrap:wrap;gap:0 1.2em;margin-bottom:8px">'
        f"<b>docdask {escape(what)}</b>"
        f'<code style="flex:1;color:inherit;opacity:.75;background:none;overflow-wrap:anywhere">{escape(where)}</code>'
        f'<span style="opacity:.75">{beside if beside.startswith("<") else escape(beside)}</span></div>'
        f"{''.join(body)}</div>"
    )


def numbers(found: Iterable[tuple[str, str]]) -> str:
    """Values in large type above their labels, side by side."""
    inner = "".join(
        '<div style="margin-right:2em;margin-bottom:4px">'
        f'<div style="font-size:1.5em;line-height:1.3;font-weight:600">{escape(value)}</div>'
        f'<div style="opacity:.75">{escape(label)}</div></div>'
        for value, label in found
    )
    return f'<div style="display:flex;flex-wrap:wrap;margin-bottom:6px">{inner}</div>'


def notes(lines: Iterable[str]) -> list[str]:
    """Sentences below a bar, a line each."""
    return [f'<div style="margin-top:4px">{escape(line)}</div>' for line in lines]


def bar(parts: Sequence[tuple[float, str, str]], *, legend: bool = True) -> str:
    """Bar of (share of 1, colour, words), with its words below."""
    inner = "".join(
        f'<div style="width:{100 * share:.3f}%;background:{color}" title="{escape(words, quote=True)}"></div>'
        for share, color, words in parts
        if share
    )
    below = "".join(
        f'<span style="margin-right:1.2em;white-space:nowrap"><span style="display:inline-block;width:.7em;height:.7em;'
        f'border-radius:2px;background:{color};margin-right:.4em"></span>{escape(words)}</span>'
        for _, color, words in parts
    )
    return (
        '<div style="display:flex;height:10px;border-radius:5px;overflow:hidden;background:rgba(128,128,128,.25);'
        f'margin:4px 0">{inner}</div>' + (f"<div>{below}</div>" if legend else "")
    )


def figures(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Value and label of the numbers that matter; those that are not known are left out."""
    found = [
        (f"{summary['inputs']:,}", "document" if summary["inputs"] == 1 else "documents"),
        (f"{summary['pages']:,}", "page recognised" if summary["pages"] == 1 else "pages recognised"),
    ]
    if summary["wall_s"]:
        found.append((_duration(summary["wall_s"]), "wall time"))
    if summary["documents_per_hour"]:
        found.append((f"{summary['documents_per_hour']:,.0f}", "documents/hour"))
    if summary["speedup"]:
        found.append((f"{summary['speedup']:,.1f}x", "speed-up"))
    if summary.get("billing") or summary["cost_usd"]:
        found.append((money.dollars(summary["cost_usd"]), "paid"))
    return found


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
