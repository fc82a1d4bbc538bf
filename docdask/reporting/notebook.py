"""What charts and written files look like in a notebook.

Rules: a chart is an ordinary matplotlib figure; a notebook shows it as vectors whose colours follow the notebook's theme,
light or dark, also when that changes later; pyplot is left alone.
"""

from __future__ import annotations

import zlib
from html import escape
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from docdask import charts
from docdask.charts.theme import DARK, LIGHT
from docdask.reporting.html import ROLES, inline_svg

#: Where a dark theme shows: JupyterLab and Notebook, VS Code, Colab.
_DARK_PLACES = ('body[data-jp-theme-light="false"]', "body.vscode-dark", 'html[theme="dark"]')


class ChartFigure(Figure):  # type: ignore[misc, unused-ignore]
    """A chart of a run. ``savefig`` writes it; its axes are in ``axes``."""

    name = ""
    tells = ""
    """One sentence that says how to read it."""

    def _repr_html_(self) -> str:
        with charts.style():
            picture = _own_ids(inline_svg(self, self.name, self.tells), self.name)
        caption = f"<figcaption>{escape(self.tells)}</figcaption>"
        return f'{_style()}<figure class="docdask-chart">{picture}{caption}</figure>'

    def __repr__(self) -> str:
        return f"<docdask chart {self.name}: {self.tells}>"


class Charts(dict[str, ChartFigure]):
    """Charts by name, in the order of the report; a notebook shows all of them."""

    def _repr_html_(self) -> str:
        return "".join(figure._repr_html_() for figure in self.values())


class Written(dict[str, Path]):
    """Files that were written, by what they are; a notebook shows links to them."""

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<li style="margin:2px 0">{escape(name)}: <a href="{escape(_link(path), quote=True)}" target="_blank">'
            f"{escape(str(path))}</a></li>"
            for name, path in self.items()
        )
        return f'<ul style="list-style:none;padding:0;margin:4px 0">{rows}</ul>'


def draw(name: str, frame: Any) -> ChartFigure:
    """Draw the chart ``name`` of :data:`docdask.charts.CHARTS` from its table."""
    chart = charts.CHARTS[name]
    with charts.style():
        figure = ChartFigure(figsize=(chart.width_in, chart.height_in), layout="constrained")
        chart.draw(frame, figure.subplots())
    figure.name, figure.tells = name, chart.tells
    return figure


def _style() -> str:
    """Colours of both themes, by the names that :func:`inline_svg` uses."""

    def colours(theme: Any) -> str:
        return ";".join(f"--{role}:{getattr(theme, role)}" for role in ROLES)

    dark = ",".join(f"{place} .docdask-chart" for place in _DARK_PLACES)
    return (
        f"<style>.docdask-chart{{{colours(LIGHT)};margin:8px 0;max-width:720px}}{dark}{{{colours(DARK)}}}"
        ".docdask-chart svg{width:100%;height:auto;display:block}"
        ".docdask-chart figcaption{color:var(--muted);font-size:12px;margin-top:4px}</style>"
    )


def _own_ids(picture: str, name: str) -> str:
    """Ids that no other picture in the notebook has, unless it is the same."""
    mark = f"{name}-{zlib.crc32(picture.encode()):08x}-"
    for before in (' id="', 'href="#', "url(#"):
        picture = picture.replace(f"{before}{name}-", f"{before}{mark}")
    return picture


def _link(path: Path) -> str:
    """Relative to the working directory where it is below it, which is what a notebook server can open."""
    try:
        return path.absolute().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.absolute().as_uri()
