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
    NumeralTickFormatter,
    Range1d,
)
from bokeh.plotting import figure
from distributed.dashboard.components import DashboardComponent

from docdask.charts.theme import DARK, LIGHT, Theme
from docdask.monitor import dashboard_html as html
from docdask.monitor.dashboard_style import (
    DASHES,
    LANE_DASHES,
    PAINT_JS,
    PIECE_CSS,
    lane_colours,
    line_colours,
)
from docdask.monitor.dashboard_watch import MOST_POINTS, POINT_NS, Point, Reading, Watch

#: Milliseconds of the axis, at least and at most.
_LEAST_MS, _MOST_MS = 60_000.0, MOST_POINTS * 1000.0
#: Points further apart than this are not joined.
_GAP_NS = 4 * POINT_NS
_NAN = float("nan")

Values = Callable[[Point], Sequence[float]]


class Piece(DashboardComponent):  # type: ignore[misc]  # distributed has no types
    """A piece of HTML."""

    def __init__(self, watch: Watch, draw: Callable[[Reading], str], name: str) -> None:
        self.watch, self.draw = watch, draw
        self.source = None
        self.root = Div(name=name, sizing_mode="stretch_width", stylesheets=[PIECE_CSS])

    def update(self) -> None:
        """Draw what is now."""
        text = self.draw(self.watch.look())
        if text != self.root.text:
            self.root.text = text

    def paints(self) -> list[Any]:
        """Nothing is on canvas."""
        return []


class Lines(DashboardComponent):  # type: ignore[misc]
    """Lines over time below a title and their legend.

    Parameters
    ----------
    watch
        Where points come from.
    name, title, beside
        Of the plot.
    axis
        What the vertical axis measures, with its unit.
    colours, dashes
        Of the lines, by theme; as many lines as there are dashes.
    """

    kind = "line"
    #: Least upper end of the vertical axis.
    least = 1.0
    format = "0,0"

    def __init__(
        self, watch: Watch, name: str, title: str, beside: str, axis: str, *, colours: Callable[[Theme], tuple[str, ...]] = line_colours,
        dashes: Sequence[str] = DASHES,
    ) -> None:  # fmt: skip
        self.watch = watch
        self.title = html.heading(title, beside)
        self.colours, self.dashes = colours, dashes
        self.columns = [f"y{i}" for i in range(len(dashes))]
        self.source = ColumnDataSource({c: [] for c in ("x", "zero", *self.columns)})
        self.shown: list[str] = []
        self.drawn = (-1, 0)  # points taken, and how many of them are in the source
        self.top = 0.0
        self.head = Div(sizing_mode="stretch_width", stylesheets=[PIECE_CSS])
        self.hover = HoverTool(mode="vline", formatters={"@x": "datetime"})
        self.figure = self._figure(axis)
        self.root = column(self.head, self.figure, name=name, sizing_mode="stretch_both", min_height=230)

    def names(self, reading: Reading) -> list[tuple[str, str]]:
        """Names of the lines and their present values, in their order."""
        raise NotImplementedError

    def values(self, reading: Reading) -> Values:
        """What gives the values of these lines at a point."""
        raise NotImplementedError

    def update(self) -> None:
        """Add the points that are new."""
        reading = self.watch.look()
        if not reading.semaphores:
            self.head.text = self.title + html.NOTHING
            self.figure.visible = False
            return
        names = self.names(reading)
        text = self.title + html.legend(names, self.kind)
        if text != self.head.text:
            self.head.text = text
        self.figure.visible = True
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
        return lines + axes + grids

    def _figure(self, axis: str) -> Any:
        plot = figure(
            height=200, min_height=150, sizing_mode="stretch_both", tools=[self.hover], toolbar_location=None,
            x_range=Range1d(0, _LEAST_MS), y_range=Range1d(0, self.least), x_axis_label="time (UTC)", y_axis_label=axis,
            background_fill_color=None, border_fill_color=None, outline_line_color=None, min_border_right=14,
        )  # fmt: skip
        ticks = dict.fromkeys(("seconds", "minsec", "minutes", "hourmin", "hours"), "%H:%M:%S")
        plot.xaxis.formatter = DatetimeTickFormatter(**ticks)
        plot.xaxis.ticker.desired_num_ticks = 5
        plot.yaxis.formatter = NumeralTickFormatter(format=self.format)
        plot.yaxis.ticker.desired_num_ticks = 4
        plot.yaxis.ticker.min_interval = 1
        plot.xgrid.visible = False
        plot.ygrid.grid_line_color = LIGHT.grid
        for found in (plot.xaxis[0], plot.yaxis[0]):
            found.update(**_axis(LIGHT))
        # The pointer is told of all lines at once, also where some have no value.
        told = plot.line("x", "zero", source=self.source, line_alpha=0)
        self.hover.renderers = [told]
        self._lines = [
            plot.line("x", name, source=self.source, line_width=2, line_color=colour, line_dash=dash)
            for name, colour, dash in zip(self.columns, self.colours(LIGHT), self.dashes, strict=True)
        ]
        return plot

    def _draw(self, names: list[str], values: Values) -> None:
        points = self.watch.points
        taken, new = self.watch.taken, self.watch.taken - self.drawn[0]
        again = names != self.shown or self.drawn[0] < 0 or new >= len(points)
        if again:
            self.shown = names
            self.hover.tooltips = [
                ("time", "@x{%H:%M:%S}"),
                *((name, f"@y{i}{{{self.format}}}") for i, name in enumerate(names)),
            ]
            self.source.data = self._rows(points, None, values)
        elif new:
            fresh = [points[i] for i in range(len(points) - new, len(points))]
            rows = self._rows(fresh, points[len(points) - new - 1], values)
            self.source.stream(rows, rollover=MOST_POINTS)
        self.drawn = (taken, len(points))
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

    def names(self, reading: Reading) -> list[tuple[str, str]]:
        """See :class:`Lines`."""
        now = {row.key: row.in_flight.used for row in reading.endpoints}
        return [(html.label(reading, key), f"{now.get(key, 0):,}") for key in reading.lines]

    def values(self, reading: Reading) -> Values:
        """See :class:`Lines`."""
        return lambda point: [_or_nan(point.in_flight.get(key)) for key in reading.lines]


class WaitingOverTime(Lines):
    """How many waited for a permit, by lane."""

    kind = "lane"

    def names(self, reading: Reading) -> list[tuple[str, str]]:
        """See :class:`Lines`."""
        return [(lane, f"{number:,}") for lane, number in list((reading.waiting or {}).items())[:3]]

    def values(self, reading: Reading) -> Values:
        """See :class:`Lines`."""
        lanes = list(reading.waiting or {})[:3]
        return lambda point: [_or_nan(point.waiting.get(lane)) for lane in lanes]


class PagesOverTime(Lines):
    """How many pages a minute were done."""

    def names(self, reading: Reading) -> list[tuple[str, str]]:
        """See :class:`Lines`."""
        rate = reading.pages_per_minute
        return [("all endpoints", "" if rate is None else f"{rate:,.0f}")]

    def values(self, reading: Reading) -> Values:
        """See :class:`Lines`."""
        del reading
        return lambda point: [_or_nan(point.pages_per_minute)]


def quota(watch: Watch) -> Lines:
    """Plot of quotas over time."""
    return QuotaOverTime(
        watch, "history", "Quota in use", "fullest quota of each endpoint", "used (% of the limit)"
    )


def flight(watch: Watch) -> Lines:
    """Plot of calls in flight over time."""
    return FlightOverTime(watch, "flight", "Calls in flight", "by endpoint", "calls")


def waiting(watch: Watch) -> Lines:
    """Plot of waiters over time."""
    return WaitingOverTime(
        watch,
        "waiting",
        "Waiting for a permit",
        "by lane",
        "waiters",
        colours=lane_colours,
        dashes=LANE_DASHES,
    )


def pages(watch: Watch) -> Lines:
    """Plot of pages a minute over time."""
    return PagesOverTime(
        watch, "pages", "Pages/min", "mean of half a minute", "pages a minute",
        colours=lambda theme: line_colours(theme)[:1], dashes=DASHES[:1],
    )  # fmt: skip


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
