"""The dashboard's parts as Bokeh models: pieces of HTML, and lines over the last ten minutes.

Rules: what has not changed is not sent; a line grows by its newest points and is drawn anew only when it shows another
endpoint; while nobody looked there is a gap. All parts of a page share one look (:class:`~docdask.monitor.dashboard_watch.Watch`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from bokeh.layouts import column
from bokeh.models import (
    ColumnDataSource,
    CustomJS,
    DatetimeTickFormatter,
    Div,
    HoverTool,
    NoOverlap,
    NumeralTickFormatter,
    Range1d,
)
from bokeh.plotting import figure
from distributed.dashboard.components import DashboardComponent

from docdask.charts.theme import DARK, LIGHT, Theme
from docdask.monitor import dashboard_html as html
from docdask.monitor.dashboard_style import (
    CARD_CSS,
    DASHES,
    LANE_DASHES,
    PAINT_JS,
    PIECE_CSS,
    lane_colours,
    line_colours,
    paper,
)
from docdask.monitor.dashboard_watch import MOST_POINTS, POINT_NS, Point, Reading, Watch

#: Milliseconds of the axis, at least and at most.
_LEAST_MS, _MOST_MS = 60_000.0, MOST_POINTS * 1000.0
#: Points further apart than this are not joined.
_GAP_NS = 4 * POINT_NS
_NAN = float("nan")
_FORMAT = "0,0"
#: Bokeh first draws a plot that is smaller than its place, and never clears its first row and column again.
_CLIPPED = ":host { clip-path: inset(2px 0 0 2px) }"

Values = Callable[[Point], Sequence[float]]


class Piece:
    """A piece of HTML.

    Parameters
    ----------
    draw
        Makes the piece.
    name
        Of the root.
    alone
        On a page of its own, where it says that there is nothing; among others one of them does.
    """

    def __init__(self, draw: Callable[[Reading], str], name: str, *, alone: bool) -> None:
        self.draw, self.alone = draw, alone
        sheets = [PIECE_CSS] if alone else [PIECE_CSS, CARD_CSS]
        self.root = Div(name=name, sizing_mode="stretch_width", stylesheets=sheets, margin=0)

    def show(self, reading: Reading) -> None:
        """Draw what was read."""
        self.root.visible = self.alone or bool(reading.semaphores)
        text = self.draw(reading)
        if text != self.root.text:
            self.root.text = text

    def paints(self) -> list[Any]:
        """Nothing is on canvas."""
        return []


class Lines:
    """Lines over time below a title and their legend.

    Parameters
    ----------
    watch
        Where points come from.
    alone
        As for :class:`Piece`.
    """

    name = title = beside = ""
    axis = ""
    """What the vertical axis measures, with its unit."""
    least = 1.0
    """Least upper end of the vertical axis."""
    kind = "line"
    """Colours of the legend's keys."""
    colours = staticmethod(line_colours)
    dashes: Sequence[Sequence[int]] = DASHES

    def __init__(self, watch: Watch, *, alone: bool) -> None:
        self.watch, self.alone = watch, alone
        self.columns = [f"y{i}" for i in range(len(self.dashes))]
        self.source = ColumnDataSource({c: [] for c in ("x", "zero", *self.columns)})
        self.shown: list[str] = []
        self.drawn = -1  # points that had been taken when it was drawn last
        self.top = 0.0
        self.head = Div(sizing_mode="stretch_width", stylesheets=[PIECE_CSS], margin=0)
        self.hover = HoverTool(mode="vline", formatters={"@x": "datetime"})
        self.figure = self._figure()
        self.root = column(
            self.head, self.figure, name=self.name, sizing_mode="stretch_both", min_height=270, stylesheets=[] if alone else [CARD_CSS]
        )  # fmt: skip

    def names(self, reading: Reading) -> list[tuple[str, str]]:
        """Names of the lines and their present values, in their order."""
        raise NotImplementedError

    def values(self, reading: Reading) -> Values:
        """What gives the values of these lines at a point."""
        raise NotImplementedError

    def show(self, reading: Reading) -> None:
        """Add the points that are new."""
        self.root.visible = self.alone or bool(reading.semaphores)
        self.figure.visible = bool(reading.semaphores)
        if not reading.semaphores:
            self.head.text = html.heading(self.title, self.beside) + html.NOTHING
            return
        names = self.names(reading)
        text = html.heading(self.title, self.beside) + html.legend(names, self.kind)
        if text != self.head.text:
            self.head.text = text
        self._draw([name for name, _ in names], self.values(reading))

    def paints(self) -> list[Any]:
        """What to paint by day and by night, see :data:`docdask.monitor.dashboard_style.PAINT_JS`."""
        day, night = self.colours(LIGHT), self.colours(DARK)
        lines: list[Any] = [
            [line.glyph, {"line_color": day[i]}, {"line_color": night[i]}]
            for i, line in enumerate(self._lines)
        ]
        axes = [[axis, _axis(LIGHT), _axis(DARK)] for axis in (self.figure.xaxis[0], self.figure.yaxis[0])]
        grids = [[self.figure.ygrid[0], {"grid_line_color": LIGHT.grid}, {"grid_line_color": DARK.grid}]]
        return [*lines, *axes, *grids, [self.figure, self._ground(LIGHT), self._ground(DARK)]]

    def _ground(self, theme: Theme) -> dict[str, str]:
        colour = paper(theme, alone=self.alone)
        return {"background_fill_color": colour, "border_fill_color": colour}

    def _figure(self) -> Any:
        plot = figure(
            height=200, min_height=180, sizing_mode="stretch_both", tools=[self.hover], toolbar_location=None,
            x_range=Range1d(0, _LEAST_MS), y_range=Range1d(0, self.least), x_axis_label="time (UTC)", y_axis_label=self.axis,
            outline_line_color=None, min_border_right=14, stylesheets=[_CLIPPED], **self._ground(LIGHT),
        )  # fmt: skip
        ticks = dict.fromkeys(("seconds", "minsec", "minutes", "hourmin", "hours", "days"), "%H:%M:%S")
        plot.xaxis.formatter = DatetimeTickFormatter(**ticks)
        plot.xaxis.ticker.desired_num_ticks = 5
        plot.yaxis.formatter = NumeralTickFormatter(format=_FORMAT)
        plot.yaxis.ticker.desired_num_ticks = 4
        plot.yaxis.ticker.min_interval = 1
        plot.xgrid.visible = False
        plot.ygrid.grid_line_color = LIGHT.grid
        for found in (plot.xaxis[0], plot.yaxis[0]):
            found.update(**_axis(LIGHT), major_label_policy=NoOverlap())
        # The pointer is told of all lines at once, also where some have no value.
        told = plot.line("x", "zero", source=self.source, line_alpha=0)
        self.hover.renderers = [told]
        self._lines = [
            plot.line("x", name, source=self.source, line_width=2, line_color=colour, line_dash=list(dash))
            for name, colour, dash in zip(self.columns, self.colours(LIGHT), self.dashes, strict=False)
        ]
        return plot

    def _draw(self, names: list[str], values: Values) -> None:
        points = self.watch.points
        taken, new = self.watch.taken, self.watch.taken - self.drawn
        again = names != self.shown or self.drawn < 0 or new >= len(points)
        if again:
            self.shown = names
            self.hover.tooltips = [
                ("time", "@x{%H:%M:%S}"),
                *((name, f"@y{i}{{{_FORMAT}}}") for i, name in enumerate(names)),
            ]
            self.source.data = self._rows(points, None, values)
        elif new:
            fresh = [points[i] for i in range(len(points) - new, len(points))]
            rows = self._rows(fresh, points[len(points) - new - 1], values)
            self.source.stream(rows, rollover=MOST_POINTS)
        self.drawn = taken
        if again or new:
            self._scale(points)

    def _rows(self, points: Iterable[Point], before: Point | None, values: Values) -> dict[str, list[float]]:
        rows: dict[str, list[float]] = {name: [] for name in ("x", "zero", *self.columns)}
        for point in points:
            if before is not None and point.at_ns - before.at_ns > _GAP_NS:
                self._row(rows, before.at_ns + 1, [])
            self._row(rows, point.at_ns, values(point))
            before = point
        return rows

    def _row(self, rows: dict[str, list[float]], at_ns: int, values: Sequence[float]) -> None:
        rows["x"].append(self.watch.utc_ms(at_ns))
        rows["zero"].append(0.0)
        for i, name in enumerate(self.columns):
            rows[name].append(values[i] if i < len(values) else _NAN)

    def _scale(self, points: Sequence[Point]) -> None:
        """Show the time that was looked at, and all that is drawn in it."""
        end = self.watch.utc_ms(points[-1].at_ns)
        span = min(max(end - self.watch.utc_ms(points[0].at_ns), _LEAST_MS), _MOST_MS)
        self.figure.x_range.update(start=end - span, end=end)
        found = [v for c in self.columns for v in self.source.data[c] if v == v]  # noqa: PLR0124 - NaN is no value
        top = max([self.least, *(1.08 * value for value in found)])
        if top != self.top:
            self.top = self.figure.y_range.end = top


class QuotaOverTime(Lines):
    """How full the fullest quota of each endpoint was."""

    name, title, beside = "history", "Quota in use", "fullest quota of each endpoint"
    axis = "% of the limit"
    least = 105.0

    def names(self, reading: Reading) -> list[tuple[str, str]]:
        """See :class:`Lines`."""
        now = {row.key: row.quota_percent for row in reading.endpoints}
        return [(html.label(reading, key), _percent(now.get(key))) for key in reading.lines]

    def values(self, reading: Reading) -> Values:
        """See :class:`Lines`."""
        return lambda point: [_or_nan(point.quota_percent.get(key)) for key in reading.lines]


class FlightOverTime(Lines):
    """How many calls each endpoint had in flight."""

    name, title, beside, axis = "flight", "Calls in flight", "by endpoint", "calls"

    def names(self, reading: Reading) -> list[tuple[str, str]]:
        """See :class:`Lines`."""
        now = {row.key: row.in_flight.used for row in reading.endpoints}
        return [(html.label(reading, key), f"{now.get(key, 0):,}") for key in reading.lines]

    def values(self, reading: Reading) -> Values:
        """See :class:`Lines`."""
        return lambda point: [_or_nan(point.in_flight.get(key)) for key in reading.lines]


class WaitingOverTime(Lines):
    """How many waited for a permit, by lane."""

    name, title, beside, axis = "waiting", "Waiting for a permit", "by lane", "waiters"
    kind = "lane"
    colours = staticmethod(lane_colours)
    dashes = LANE_DASHES

    def names(self, reading: Reading) -> list[tuple[str, str]]:
        """See :class:`Lines`."""
        return [(lane, f"{number:,}") for lane, number in list((reading.waiting or {}).items())[:3]]

    def values(self, reading: Reading) -> Values:
        """See :class:`Lines`."""
        lanes = list(reading.waiting or {})[:3]
        return lambda point: [_or_nan(point.waiting.get(lane)) for lane in lanes]


class PagesOverTime(Lines):
    """How many pages a minute were done."""

    name, title, beside, axis = "pages", "Pages/min", "mean of half a minute", "pages a minute"
    dashes = DASHES[:1]

    def names(self, reading: Reading) -> list[tuple[str, str]]:
        """See :class:`Lines`."""
        rate = reading.pages_per_minute
        return [("all endpoints", "" if rate is None else f"{rate:,.0f}")]

    def values(self, reading: Reading) -> Values:
        """See :class:`Lines`."""
        del reading
        return lambda point: [_or_nan(point.pages_per_minute)]


class Parts(DashboardComponent):  # type: ignore[misc]  # distributed has no types
    """Parts of one page: they show one moment, and what has changed goes to the browser in one message."""

    def __init__(self, watch: Watch, parts: Sequence[Piece | Lines]) -> None:
        self.watch, self.parts = watch, parts
        self.source = self.root = None

    def update(self) -> None:
        """Look once, and show it in all of them."""
        reading = self.watch.look()
        document = self.parts[0].root.document
        if document is not None:
            document.hold("collect")
        try:
            for part in self.parts:
                part.show(reading)
        finally:
            if document is not None:
                document.unhold()


def painter(parts: Iterable[Piece | Lines]) -> Any:
    """What the browser runs when the page is ready: the canvas by day or by night."""
    return CustomJS(args={"paints": [paint for part in parts for paint in part.paints()]}, code=PAINT_JS)


def _axis(theme: Theme) -> dict[str, Any]:
    return {
        "axis_label_text_color": theme.muted, "major_label_text_color": theme.muted, "axis_line_color": theme.grid,
        "major_tick_line_color": theme.grid, "minor_tick_line_color": None, "axis_label_text_font_style": "normal",
        "axis_label_text_font_size": "12px", "major_label_text_font_size": "12px",
    }  # fmt: skip


def _or_nan(value: float | None) -> float:
    return _NAN if value is None else float(value)


def _percent(value: float | None) -> str:
    return "no quota" if value is None else f"{value:.0f}%"
