"""How a result looks in a notebook: the sum of its inputs as a bar, and the few numbers that matter.

Rules: everything from outside is escaped; colours are readable on white and on a dark notebook, and told apart by those
who see few (Okabe and Ito), each beside its word and number.
"""

from __future__ import annotations

from html import escape
from typing import Any

_OUTCOMES = (
    ("stored", "#009E73"),
    ("quarantined", "#D55E00"),
    ("skipped", "#E69F00"),
    ("pending", "#999999"),
)


def card(summary: dict[str, Any], engine: str) -> str:
    """HTML of a run's summary, see :func:`docdask.tables.summary.summarise`."""
    inputs = max(summary["inputs"], 1)
    bar = "".join(
        f'<div style="width:{100 * summary[name] / inputs:.3f}%;background:{color}" title="{name} {summary[name]:,}"></div>'
        for name, color in _OUTCOMES
        if summary[name]
    )
    legend = "".join(
        f'<span style="margin-right:1.2em;white-space:nowrap"><span style="display:inline-block;width:.7em;height:.7em;'
        f'border-radius:2px;background:{color};margin-right:.4em"></span>{summary[name]:,} {name}</span>'
        for name, color in _OUTCOMES
        if summary[name] or name == "stored"
    )
    numbers = "".join(
        f'<div style="margin-right:2em"><div style="font-size:1.5em;font-weight:600">{escape(value)}</div>'
        f'<div style="opacity:.7">{escape(label)}</div></div>'
        for value, label in figures(summary)
    )
    return (
        '<div style="font-family:system-ui,sans-serif;font-size:13px;max-width:46em;border:1px solid rgba(128,128,128,.35);'
        'border-radius:8px;padding:12px 16px">'
        f'<div style="margin-bottom:8px"><b>docdask result</b> <code style="opacity:.8">{escape(summary["run"])}</code>'
        f'<span style="float:right;opacity:.7">{escape(engine)}</span></div>'
        f'<div style="display:flex;flex-wrap:wrap;margin-bottom:10px">{numbers}</div>'
        '<div style="display:flex;height:10px;border-radius:5px;overflow:hidden;background:rgba(128,128,128,.2);'
        f'margin-bottom:8px">{bar}</div><div>{legend}</div></div>'
    )


def figures(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Value and label of the numbers that matter; those that are not known are left out."""
    found = [(f"{summary['inputs']:,}", "documents"), (f"{summary['pages']:,}", "pages recognised")]
    if summary["wall_s"]:
        found.append((_duration(summary["wall_s"]), "wall time"))
    if summary["documents_per_hour"]:
        found.append((f"{summary['documents_per_hour']:,.0f}", "documents/hour"))
    if summary["speedup"]:
        found.append((f"{summary['speedup']:,.1f}x", "speed-up"))
    if summary["cost_usd"]:
        found.append((f"${summary['cost_usd']:,.2f}", "paid"))
    return found


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
