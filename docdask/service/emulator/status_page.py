"""The page a person sees on the HTTP port: calls, quota in use, pages billed, last errors. Reloads itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from docdask.service.emulator.config import EmulatorConfig

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --soft: #5b6776; --line: #dde3ea; --paper: #fff; --back: #f4f6f9;
  --good: #2a7d5f; --bad: #b3412e; --bar: #3b6ea8 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf1; --soft: #9aa7b6; --line: #2e3946; --paper: #18202a;
  --back: #10161d; --good: #57b894; --bad: #e58471; --bar: #6ea1da } }
* { box-sizing: border-box } body { margin: 0; background: var(--back); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", "Noto Sans", sans-serif }
main { max-width: 1080px; margin: 0 auto; padding: 28px 20px 48px } h1 { font-size: 22px; margin: 0 0 2px }
h2 { font-size: 15px; margin: 30px 0 8px } p { margin: 0; color: var(--soft) }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin-top: 20px }
.card { background: var(--paper); border: 1px solid var(--line); border-radius: 8px; padding: 12px 14px }
.card b { display: block; font-size: 24px; font-variant-numeric: tabular-nums; line-height: 1.3 }
.card span { color: var(--soft); font-size: 13px } .good b { color: var(--good) } .bad b { color: var(--bad) }
.scroll { overflow-x: auto; background: var(--paper); border: 1px solid var(--line); border-radius: 8px }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: 7px 12px; border-top: 1px solid var(--line); vertical-align: top }
th { color: var(--soft); font-weight: 500; border-top: 0; white-space: nowrap } td.n, th.n { text-align: right }
.bar { display: inline-block; width: 140px; height: 8px; border-radius: 4px; background: var(--line); margin-right: 8px }
.bar i { display: block; height: 8px; border-radius: 4px; background: var(--bar) } .bar i.full { background: var(--bad) }
code { font: 13px ui-monospace, "Noto Sans Mono", monospace } a { color: var(--bar) } .none { padding: 12px 14px; color: var(--soft) }
"""


def render(
    stats: Mapping[str, Any],
    errors: Sequence[Mapping[str, Any]],
    faults: Mapping[str, Any],
    config: EmulatorConfig,
) -> str:
    """HTML of the status page."""
    active = ", ".join(
        f"{name} {_value(value)}"
        for name, value in faults.items()
        if value and name not in ("slow_factor", "slow_ns")
    )
    server = config.server
    window = f"{server.window} window"
    reader = "made-up text" if config.ocr == "fast" else f"{config.ocr} engine"
    about = f"{window} · speed ×{config.speed:g} · {reader} · faults: {active or 'none'}"
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Document AI emulator</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta http-equiv="refresh" content="3">
<style>{_STYLE}</style></head><body><main>
<h1>Document AI emulator</h1><p>{escape(about)}</p>
<div class="cards">{_cards(stats)}</div>
<h2>Quota in use</h2><div class="scroll">{_quotas(stats["quotas"])}</div>
<h2>Calls by method and by answer</h2><div class="scroll">{_counts(stats)}</div>
<h2>Last refusals and failures</h2><div class="scroll">{_errors(errors)}</div>
<h2>Calls</h2><p><a href="/emulator/calls?page_size=100">every call</a> ·
<a href="/emulator/stats">sums as JSON</a> · <a href="/emulator/faults">faults</a></p>
</main></body></html>"""


def _value(value: Any) -> str:
    return f"{value:.0%}" if isinstance(value, float) else escape(", ".join(value))


def _cards(stats: Mapping[str, Any]) -> str:
    running = stats["operations"].get("RUNNING", 0) + stats["operations"].get("WAITING", 0)
    cards = (
        ("good", f"{stats['calls_ok']:,}", "calls answered"),
        ("bad" if stats["calls_refused"] else "", f"{stats['calls_refused']:,}", "calls refused"),
        ("", f"{stats['pages_billed']:,}", "pages billed"),
        ("", f"${stats['cost_usd']:,.2f}", "at list price"),
        ("", f"{stats['in_flight']:,}", "calls in flight"),
        ("", f"{running:,}", "batches running"),
    )
    return "".join(
        f'<div class="card {kind}"><b>{value}</b><span>{label}</span></div>' for kind, value, label in cards
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> str:
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    if not body:
        return f'<div class="none">{empty}</div>'
    heads = "".join(f"<th{' class=n' if name == 'calls' else ''}>{name}</th>" for name in head)
    return f"<table><tr>{heads}</tr>{body}</table>"


def _cell(value: Any) -> str:
    return f"<td>{escape(str(value))}</td>"


def _quotas(quotas: Sequence[Mapping[str, Any]]) -> str:
    def row(quota: Mapping[str, Any]) -> Sequence[str]:
        used = float(quota["used"])
        bar = f'<span class="bar"><i class="{"full" if used >= 1 else ""}" style="width:{used * 100:.0f}%"></i></span>'
        whose = (
            quota.get("user") or f"{quota['processor_type']} · {quota['region']} · project {quota['project']}"
        )
        return (_cell(quota["quota"]), _cell(whose), f"<td>{bar}{used:.0%} of {quota['limit']:,}/min</td>")

    busy = sorted(quotas, key=lambda quota: -float(quota["used"]))[:20]
    return _table(("quota", "whose", "in use"), map(row, busy), "No call has been made yet.")


def _counts(stats: Mapping[str, Any]) -> str:
    rows = [
        ("method", name, count) for name, count in sorted(stats["methods"].items(), key=lambda pair: -pair[1])
    ]
    rows += [
        ("answer", name, count) for name, count in sorted(stats["codes"].items(), key=lambda pair: -pair[1])
    ]
    cells = (
        (_cell(kind), f"<td><code>{escape(name)}</code></td>", f'<td class="n">{count:,}</td>')
        for kind, name, count in rows
    )
    return _table(("", "", "calls"), cells, "No call has been made yet.")


def _errors(errors: Sequence[Mapping[str, Any]]) -> str:
    """Latest first; the same refusal again is one row with a count."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for error in reversed(errors):
        place = "/".join(part for part in (error["location"], error["processor"]) if part)
        text = error.get("message") or (f"fault: {error['fault']}" if error.get("fault") else "")
        groups.setdefault((error["method"], place, error["code"], text), []).append(error["time"][11:19])

    def row(group: tuple[tuple[str, ...], list[str]]) -> Sequence[str]:
        (method, place, code, text), times = group
        often = f" (×{len(times)})" if len(times) > 1 else ""
        short = text if len(text) <= 160 else f"{text[:159]}…"
        return (
            _cell(times[0]),
            _cell(method),
            _cell(place),
            f"<td><code>{escape(code)}</code>{often}</td>",
            _cell(short),
        )

    return _table(
        ("time", "method", "processor", "code", "message"), map(row, groups.items()), "Nothing was refused."
    )
