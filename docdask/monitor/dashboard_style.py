"""How the dashboard looks: the charts' colours as CSS, by day and by night, and the page's grid.

Rules: colours are those of :mod:`docdask.charts.theme`; the browser's wish for light or dark decides; what is drawn on
canvas, which knows no CSS, is painted by a script of three lines when the page is ready and when the wish changes.
"""

from __future__ import annotations

from typing import Any

from docdask.charts.theme import DARK, LIGHT, Theme

#: Dashes of each line over time, in pixels, so that none is told by its colour alone.
DASHES = ((), (6, 3), (2, 3, 8, 3), (2, 3), (8, 3, 2, 3, 2, 3))
LANE_DASHES = DASHES[:3]


def line_colours(theme: Theme) -> tuple[str, ...]:
    """Colours of endpoints over time, as many as there are dashes."""
    return theme.first, theme.second, theme.third, theme.doubtful, theme.bad


def lane_colours(theme: Theme) -> tuple[str, ...]:
    """Colours of the lanes, the urgent one first; as in the charts of a simulation."""
    return theme.bad, theme.first, theme.third


def paper(theme: Theme, *, alone: bool) -> str:
    """What a plot stands on: a box of the page, or a page of its own."""
    if theme is LIGHT:
        return "#fafafa" if alone else "#ffffff"
    return "#12181f" if alone else "#1a222b"


def _variables(theme: Theme) -> str:
    values = {
        "ink": theme.ink, "muted": theme.muted, "grid": theme.grid, "first": theme.first, "second": theme.second,
        "third": theme.third, "bad": theme.bad, "doubtful": theme.doubtful, "quiet": theme.quiet, "back": paper(theme, alone=True),
        "paper": paper(theme, alone=False),
        **{f"line{i}": colour for i, colour in enumerate(line_colours(theme))},
        **{f"lane{i}": colour for i, colour in enumerate(lane_colours(theme))},
    }  # fmt: skip
    return "".join(f"--dd-{name}:{value};" for name, value in values.items())


#: Of the whole page: its background is its own, so that text on it is legible wherever it is embedded.
PAGE_CSS = f"""
:root {{ {_variables(LIGHT)} }}
@media (prefers-color-scheme: dark) {{ :root {{ {_variables(DARK)} color-scheme: dark }} }}
html, body {{ background: var(--dd-back); color: var(--dd-ink) }}
.docdask {{ display: grid; gap: 12px; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); max-width: 1500px; margin: 8px auto 24px }}
.docdask > div {{ min-width: 0; display: grid }}
.docdask > .wide {{ grid-column: 1 / -1 }}
.navbar a {{ color: black }}
@media (max-width: 900px) {{ .docdask {{ grid-template-columns: minmax(0, 1fr) }} }}
"""

#: Of what stands on the page as a box of its own.
CARD_CSS = """
:host { box-sizing: border-box; background: var(--dd-paper); border: 1px solid var(--dd-grid); border-radius: 8px; padding: 10px 14px }
"""

#: Inside each piece of HTML, which Bokeh keeps apart from the page.
PIECE_CSS = """
.bk-clearfix { width: 100%; color: var(--dd-ink); font: 13px/1.4 system-ui, "Segoe UI", "Noto Sans", sans-serif }
h2 { font-size: 14px; font-weight: 600; margin: 0 0 8px }
h2 small { font-weight: 400; color: var(--dd-muted); font-size: 12px; margin-left: .6em }
p { margin: 6px 0 0; color: var(--dd-muted) }
p.none { font-size: 15px; padding: 18px 4px; margin: 0 }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(138px, 1fr)); gap: 10px }
.figures div { background: var(--dd-paper); border: 1px solid var(--dd-grid); border-radius: 8px; padding: 8px 12px; min-width: 0 }
.figures b { display: block; font-size: 20px; line-height: 1.3; white-space: nowrap; font-weight: 600; font-variant-numeric: tabular-nums }
.figures span { color: var(--dd-muted); font-size: 12px }
table { border-collapse: collapse; width: 100% }
th { text-align: left; font-weight: 400; font-size: 12px; color: var(--dd-muted); padding: 0 24px 4px 0; white-space: nowrap }
td { padding: 6px 24px 6px 0; border-top: 1px solid var(--dd-grid); vertical-align: top; font-variant-numeric: tabular-nums }
th:last-child, td:last-child { padding-right: 0 }
td.name { overflow-wrap: anywhere; min-width: 8em; width: 26% }
td.name small, td small { display: block; color: var(--dd-muted); font-size: 12px }
td.plain { white-space: nowrap; width: 1% }
.bar { position: relative; height: 8px; border-radius: 4px; overflow: hidden; background: var(--dd-grid); display: flex; margin: 5px 0 3px; min-width: 90px }
.bar i { display: block; height: 100%; background: var(--dd-first) }
.bar i.held { opacity: .5 } .bar i.risk { background: var(--dd-bad) }
.bar u { position: absolute; right: 0; top: 0; bottom: 0;
  background: repeating-linear-gradient(45deg, var(--dd-quiet) 0 2px, transparent 2px 5px) }
.state { white-space: nowrap } .state::before { content: ""; display: inline-block; width: .62em; height: .62em; border-radius: 50%;
  margin-right: .45em; border: 2px solid currentColor; box-sizing: border-box }
.state.closed::before { background: var(--dd-third); border-color: var(--dd-third) }
.state.half-open { font-weight: 600 } .state.half-open::before { border-color: var(--dd-second); background: linear-gradient(90deg, var(--dd-second) 50%, transparent 50%) }
.state.open { font-weight: 600 } .state.open::before { border-color: var(--dd-bad) }
.key { width: 26px; height: 8px; margin-right: .5em; fill: none; stroke-width: 2.5 }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; font-size: 12px; min-height: 1.4em } .legend span { overflow-wrap: anywhere }
@media (max-width: 700px) {
  thead { display: none } table, tbody, td { display: block }
  tr { display: grid; grid-template-columns: repeat(auto-fit, minmax(120px, 1fr)); gap: 4px 18px; border-top: 1px solid var(--dd-grid);
    padding: 8px 0 }
  td, td.name, td.plain { border: none; padding: 0; width: auto } td.name { grid-column: 1 / -1 }
  td[data-label]::before { content: attr(data-label); color: var(--dd-muted); font-size: 12px; display: block }
}
"""

_GRID = """
{% extends "base.html" %}
{% block extra_resources %}<style>{{ docdask_css }}</style>{% endblock %}
{% block content %}
{% from macros import embed %}
<div class="docdask">
{% for name, kind in docdask_parts %}<div class="{{ kind }}">{{ embed(roots[name]) }}</div>
{% endfor %}</div>
{{ plot_script }}
{% endblock %}
"""

#: For a plot of its own, which the JupyterLab extension shows in a panel that is always white.
SINGLE = "{% block postamble %}<style>" + PAGE_CSS + "body { padding: 8px }</style>{% endblock %}"


def grid(environment: Any) -> Any:
    """Template of the page, below Dask's navigation bar; ``environment`` is Dask's, of Jinja."""
    return environment.from_string(_GRID)


#: ``paints`` are triples of a model, its properties by day and its properties by night.
PAINT_JS = """
const dark = window.matchMedia("(prefers-color-scheme: dark)")
const plain = (values) => values instanceof Map ? Object.fromEntries(values) : values
const paint = () => { for (const [model, day, night] of paints) model.setv(plain(dark.matches ? night : day), {sync: false}) }
dark.addEventListener("change", paint)
paint()
"""
