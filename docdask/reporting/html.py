"""Prints a report as one HTML file: inline SVG, no script, nothing loaded from elsewhere, dark where the reader's system is.

Whatever comes from data is escaped and isolated (``<bdi>``), so that neither markup nor a right-to-left name changes
what stands around it.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd

from docdask import charts
from docdask.charts.fonts import printable
from docdask.charts.theme import DARK, LIGHT
from docdask.reporting import content
from docdask.reporting.content import Report
from docdask.reporting.fontset import FontSet

#: Names of the colours of a chart, as CSS variables and as fields of a theme.
ROLES = ("ink", "muted", "grid", "first", "second", "third", "bad", "doubtful", "quiet")
_LIGHT = {getattr(LIGHT, role): role for role in ROLES}

_STYLE = """
:root { color-scheme: light dark; --page: #fff; --wash: #f4f6f8; --brand: #005a8e; --band: #005a8e;
  --good: #009e73; --goodtext: #00704f; --badtext: #a84300; %(light)s }
@media (prefers-color-scheme: dark) { :root { --page: #12181e; --wash: #1b242c; --brand: #7cc4ee; --band: #0b3a58;
  --good: #2cc295; --goodtext: #4fd6ae; --badtext: #ff9463; %(dark)s } }
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 "Noto Sans", system-ui, -apple-system,
  "Segoe UI", Roboto, %(carried)ssans-serif; overflow-wrap: anywhere }
header { background: var(--band); color: #fff; padding: 2.6rem 1.5rem 1.8rem }
header > div, main, footer { max-width: 60rem; margin: 0 auto }
header h1 { margin: 0 0 .4rem; font-size: 2rem; line-height: 1.2; color: #fff }
header p + p { margin-top: .6rem; color: #fff; font-weight: 600 }
header p { margin: 0; color: #dcebf5; display: flex; flex-wrap: wrap; gap: .3rem 2rem; justify-content: space-between }
main { padding: 0 1.5rem 3rem }
footer .billing { color: var(--ink); font-weight: 600 }
footer { padding: 1rem 1.5rem 2rem; color: var(--muted); font-size: .85rem; border-top: 1px solid var(--grid) }
h2 { color: var(--brand); font-size: 1.6rem; line-height: 1.25; margin: 3rem 0 1rem; scroll-margin-top: 1rem }
h3 { font-size: 1.08rem; margin: 2rem 0 .5rem; scroll-margin-top: 1rem }
p { margin: .5rem 0 .8rem } .lead { font-size: 1.35rem; line-height: 1.4 } .note { color: var(--muted); font-size: .86rem }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(12rem, 1fr)); gap: 1rem; margin: 1.4rem 0 }
.card { background: var(--wash); border-left: 4px solid var(--quiet); border-radius: 6px; padding: .9rem 1.1rem }
.card.good { border-color: var(--good) } .card.bad { border-color: var(--bad) }
.card dt, .card dd { margin: 0 } .card dt { color: var(--muted); font-weight: 600; font-size: .88rem }
.card .value { font-size: 1.9rem; font-weight: 650; line-height: 1.35 } .card .small { color: var(--muted); font-size: .82rem }
.good .value { color: var(--goodtext) } .bad .value { color: var(--badtext) }
.share { display: flex; gap: 2px; height: 14px } .share span { min-width: 2px; border-radius: 2px }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.6rem; padding: 0; margin: .6rem 0 0; list-style: none; color: var(--muted); font-size: .86rem }
.legend i { display: inline-block; width: .7em; height: .7em; border-radius: 2px; margin-right: .5em }
.t-good { background: var(--third) } .t-bad { background: var(--bad) } .t-doubtful { background: var(--doubtful) } .t-plain { background: var(--quiet) }
.scroll { overflow-x: auto } table { border-collapse: collapse; width: 100%%; font-size: .92rem; margin: .4rem 0 .8rem; font-variant-numeric: tabular-nums }
th { text-align: left; color: var(--muted); font-size: .82rem; border-bottom: 2px solid var(--muted) }
td { border-bottom: 1px solid var(--grid); vertical-align: top } th, td { padding: .4rem .6rem .4rem .3rem } .right { text-align: right }
td:not(.right) { min-width: 6rem } th, td.right, td:last-child { overflow-wrap: normal }
figure { margin: 1.6rem 0 } figure svg { width: 100%%; height: auto; display: block } figcaption { color: var(--muted); font-size: .86rem }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem } .pictures img { width: auto; height: auto; max-height: 160px; border: 1px solid var(--grid) }
nav ol { list-style: none; padding: 0; columns: 2 18rem; margin: 1rem 0 } nav li { break-inside: avoid; padding: .15rem 0 } nav .sub { padding-left: 1.2rem; font-size: .92rem }
nav a { color: var(--ink); text-decoration: none } nav a:hover { text-decoration: underline } nav .top a { font-weight: 600 }
@media print { :root { color-scheme: light; --page: #fff; --wash: #f4f6f8; --brand: #005a8e; --band: #005a8e; --good: #009e73;
  --goodtext: #00704f; --badtext: #a84300; %(light)s }
  @page { size: A4; margin: 16mm; %(printed)s } body { font-size: 10.5pt } header { print-color-adjust: exact; -webkit-print-color-adjust: exact }
  .card, .share, .legend { print-color-adjust: exact; -webkit-print-color-adjust: exact } nav { break-after: page }
  h2, h3 { break-after: avoid } figure, tr, .card, .keep { break-inside: avoid } thead { display: table-header-group } main { padding: 0 } }
"""


def _clean(text: str) -> str:
    """Escaped text; control characters and directional overrides can't act."""
    plain = "".join(c if c.isprintable() or c in "\u200c\u200d" else printable(c) for c in text)
    return escape(plain)


def _data(text: str) -> str:
    return f"<bdi>{_clean(text)}</bdi>"


def inline_svg(figure: Any, name: str, label: str) -> str:
    """Figure as inline SVG: text stays text, colours follow the page."""
    buffer = io.StringIO()
    import matplotlib as mpl

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": f"docdask-{name}"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    for colour, role in _LIGHT.items():
        text = re.sub(rf"(fill|stroke): {colour}", rf"\1: var(--{role})", text)
    text = re.sub(r"font: ([^;\"]*?px) [^;\"]*", r"font: \1 inherit", text)
    text = re.sub(r"font: ([\d.]+px) inherit", r"font-size: \1", text)
    text = re.sub(
        r'(\sid="|href="#|url\(#)', rf"\g<1>{name}-", text
    )  # six pictures in one page: ids of their own
    return text.replace("<svg ", f'<svg role="img" aria-label="{escape(label, quote=True)}" ', 1)


def _grid(grid: content.Grid) -> str:
    classes = [' class="right"' if column.align == "right" else "" for column in grid.columns]
    head = "".join(
        f'<th scope="col"{c}>{_clean(column.title)}</th>'
        for c, column in zip(classes, grid.columns, strict=True)
    )
    rows = "".join(
        "<tr>"
        + "".join(f"<td{c}>{_data(cell)}</td>" for c, cell in zip(classes, row, strict=True))
        + "</tr>\n"
        for row in grid.rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>\n{rows}</tbody></table></div>'


def _cards(cards: tuple[content.Card, ...]) -> str:
    inner = "".join(
        f'<div class="card {card.tone}"><dt>{_clean(card.label)}</dt><dd class="value">{_data(card.value)}</dd>'
        f'<dd class="small">{_clean(card.note)}</dd></div>'
        for card in cards
    )
    return f'<dl class="cards">{inner}</dl>'


def _share(parts: tuple[tuple[str, int, content.Tone], ...]) -> str:
    shown = [part for part in parts if part[1]]
    if not shown:
        return ""
    bar = "".join(f'<span class="t-{tone}" style="flex:{number}"></span>' for _, number, tone in shown)
    legend = "".join(
        f'<li><i class="t-{tone}"></i>{number:,} {_clean(label)}</li>' for label, number, tone in shown
    )
    return f'<div class="share" aria-hidden="true">{bar}</div><ul class="legend">{legend}</ul>'


def _contents(report: Report) -> str:
    items = []

    def walk(blocks: tuple[Any, ...]) -> None:
        for block in blocks:
            if isinstance(block, content.Heading):
                kind = "top" if block.level == 1 else "sub"
                items.append(f'<li class="{kind}"><a href="#{block.key}">{_data(block.text)}</a></li>')
            elif isinstance(block, content.Together):
                walk(block.blocks)

    walk(report.blocks)
    return f'<nav aria-label="Contents"><h2>Contents</h2><ol>{"".join(items)}</ol></nav>'


def _block(block: Any, report: Report, figures: Mapping[str, Any]) -> str:
    match block:
        case content.Heading(text=text, level=level, key=key):
            return f'<h{level + 1} id="{key}">{_data(text)}</h{level + 1}>'
        case content.Prose(parts=parts, tone=tone):
            inner = "".join(f"<strong>{_data(t)}</strong>" if strong else _clean(t) for t, strong in parts)
            return f'<p class="{tone}">{inner}</p>'
        case content.Cards(cards=cards):
            return _cards(cards)
        case content.Share(parts=parts):
            return _share(parts)
        case content.Grid():
            return _grid(block)
        case content.Chart(name=name, caption=caption):
            return f"<figure>{inline_svg(figures[name], name, caption)}<figcaption>{_clean(caption)}</figcaption></figure>"
        case content.Pictures(pictures=pictures):
            inner = "".join(
                f'<img alt="{_clean(p.label)}" width="{p.width}" height="{p.height}" src="data:image/png;base64,{base64.b64encode(p.png).decode()}">'
                for p in pictures
            )  # fmt: skip
            return f'<div class="pictures">{inner}</div>'
        case content.Contents():
            return _contents(report)
        case content.NewPage():
            return ""
        case content.Together(blocks=blocks):
            return f'<div class="keep">{"".join(_block(inner, report, figures) for inner in blocks)}</div>'
        case _:
            raise TypeError(f"no way to print {type(block).__name__}")


def _fonts(report: Report) -> tuple[str, str]:
    """Rules that carry fonts for rarer scripts within the page, and their family names."""
    cuts = FontSet(content.texts(report)).extra()
    rules = "".join(
        f'@font-face {{ font-family: "carried {n}"; src: url(data:font/ttf;base64,{base64.b64encode(cut).decode()}) }}\n'
        for n, cut in enumerate(cuts)
    )
    return rules, "".join(f'"carried {n}", ' for n in range(len(cuts)))


def _billing(report: Report) -> str:
    return f'<p class="billing">{_clean(report.billing)}</p>' if report.billing else ""


def _on_every_page(billing: str) -> str:
    """Margin box that prints the phrase below each page; what is not plain is written as its code."""
    if not billing:
        return ""
    text = "".join(
        c if c.isascii() and (c.isalnum() or c in " :,.-_/()") else f"\\{ord(c):06x}" for c in billing
    )
    return f'@bottom-left {{ content: "{text}"; font: 600 8pt "Noto Sans", system-ui, sans-serif }}'


def render(report: Report, tables: Mapping[str, pd.DataFrame]) -> str:
    """HTML of ``report``; the same report gives the same text.

    Parameters
    ----------
    report
        What is told.
    tables
        Frames by name, for the charts.
    """
    colours = {
        name: " ".join(f"--{role}: {getattr(theme, role)};" for role in ROLES)
        for name, theme in (("light", LIGHT), ("dark", DARK))
    }
    faces, colours["carried"] = _fonts(report)
    colours["printed"] = _on_every_page(report.billing)
    with charts.style():
        figures = charts.all(tables)
        body = "\n".join(_block(block, report, figures) for block in report.blocks)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_clean(report.title)}: {_clean(report.run)}</title><style>{faces}{_STYLE % colours}</style></head>\n"
        f"<body><header><div><h1>{_clean(report.title)}</h1><p>{_data(report.run)}<span>{_clean(report.subtitle)}</span></p>"
        f"{_billing(report)}</div></header>\n"
        f"<main>\n{body}\n</main>\n<footer>{_clean(report.footer)}{_billing(report)}</footer></body></html>\n"
    )
