"""The quota on the Dask dashboard: a page in its navigation bar, and plots of their own for the JupyterLab extension.

Rules:

1. It comes with the governor (entry point ``docdask.scheduler``), onto a dashboard that serves already; a scheduler without
   a dashboard is left as it is, and Bokeh is not imported there.
2. Nothing is read, kept or sent while nobody looks.

Method: distributed reads its table of pages once, when the dashboard starts. What comes later is a second Bokeh
application beside it; the lists behind its navigation bar are shared, so that every page leads to ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from docdask.engine.protocol import PLUGIN
from docdask.monitor.dashboard_watch import Watch, of_scheduler

if TYPE_CHECKING:
    from docdask.monitor.dashboard_plots import Lines, Piece

#: Name of the page, and of the watch among a scheduler's extensions.
PAGE = "docdask"
WATCH = "docdask-dashboard"
#: Time between two updates.
INTERVAL_MS = 500

#: Parts of the page from top to bottom, and how wide each is.
LAYOUT = (
    ("figures", "wide"),
    ("endpoints", "wide"),
    ("history", ""),
    ("flight", ""),
    ("waiting", ""),
    ("pages", ""),
    ("runs", "wide"),
)
#: Plots of their own, by the last part of their address.
PLOTS = {
    "quota": "endpoints",
    "quota-history": "history",
    "in-flight": "flight",
    "waiting": "waiting",
    "pages-per-minute": "pages",
    "runs": "runs",
}


def install(scheduler: Any) -> None:
    """Put page and plots on the dashboard of ``scheduler``, once; nothing happens where there is no dashboard."""
    serving = next(
        (app for app in scheduler.http_application.applications if hasattr(app, "app_paths")), None
    )
    if serving is None or WATCH in scheduler.extensions:
        return
    from distributed.dashboard.core import BokehApplication
    from distributed.dashboard.scheduler import template_variables
    from tornado.ioloop import IOLoop

    variables = template_variables(scheduler)
    added = BokehApplication(applications(), scheduler, prefix=serving.prefix, template_variables=variables)
    scheduler.extensions[WATCH] = of_scheduler(scheduler, PLUGIN)
    scheduler.http_application.add_application(added)
    added.initialize(IOLoop.current())
    added.start()
    # The extension for JupyterLab lists what the first application has; so does distributed's map of the site.
    getattr(serving, "_applications", {}).update(getattr(added, "_applications", {}))
    pages, plots = variables["pages"], variables["plots"]
    pages.insert(pages.index("info") if "info" in pages else len(pages), PAGE)
    plots += [{"url": url.strip("/"), "name": _name(url)} for url in applications() if "individual" in url]
    plots.sort(key=lambda plot: str(plot["name"]))


def applications() -> Mapping[str, Callable[[Any, Mapping[str, Any], Any], None]]:
    """Functions that fill a document, by address, as distributed's own table has them."""
    found: dict[str, Callable[[Any, Mapping[str, Any], Any], None]] = {f"/{PAGE}": _page}
    for name, part in PLOTS.items():
        found[f"/individual-{PAGE}-{name}"] = _single(part, name)
    return found


def make(part: str, watch: Watch, *, alone: bool) -> Piece | Lines:
    """A part by its name in :data:`LAYOUT`, on a page of its own or among others.

    Raises
    ------
    KeyError
        If there is none by that name.
    """
    from docdask.monitor import dashboard_html as html
    from docdask.monitor import dashboard_plots as plots

    if part == "figures":  # on the page they are what says that there is nothing
        return plots.Piece(html.figures, part, alone=True)
    pieces = {"endpoints": html.endpoints, "runs": html.runs}
    if part in pieces:
        return plots.Piece(pieces[part], part, alone=alone)
    kinds: tuple[type[plots.Lines], ...] = (
        plots.QuotaOverTime, plots.FlightOverTime, plots.WaitingOverTime, plots.PagesOverTime,
    )  # fmt: skip
    lines = {kind.name: kind for kind in kinds}
    return lines[part](watch, alone=alone)


def _page(scheduler: Any, extra: Mapping[str, Any], doc: Any) -> None:
    """The page, below Dask's navigation bar."""
    from distributed.dashboard.components.scheduler import env

    from docdask.monitor.dashboard_style import PAGE_CSS, grid

    _fill(scheduler, doc, [name for name, _ in LAYOUT])
    doc.title = "Dask: docdask"
    doc.template = grid(env)
    doc.template_variables.update(extra)
    doc.template_variables.update(docdask_css=PAGE_CSS, docdask_parts=LAYOUT)


def _single(part: str, name: str) -> Callable[[Any, Mapping[str, Any], Any], None]:
    """One part on a page of its own."""

    def document(scheduler: Any, extra: Mapping[str, Any], doc: Any) -> None:
        from docdask.monitor.dashboard_style import SINGLE

        del extra
        _fill(scheduler, doc, [part])
        doc.title = f"Dask: {_name(name)}"
        doc.template = SINGLE

    return document


def _fill(scheduler: Any, doc: Any, names: list[str]) -> None:
    """Add parts, keep them true, and paint them as the browser wishes."""
    from distributed.dashboard.components import add_periodic_callback
    from distributed.dashboard.components.scheduler import BOKEH_THEME

    from docdask.monitor.dashboard_plots import Parts, painter

    watch: Watch = scheduler.extensions[WATCH]
    parts = Parts(watch, [make(name, watch, alone=len(names) == 1) for name in names])
    parts.update()
    for part in parts.parts:
        doc.add_root(part.root)
    add_periodic_callback(doc, parts, INTERVAL_MS)
    doc.js_on_event("document_ready", painter(parts.parts))
    doc.theme = BOKEH_THEME


def _name(url: str) -> str:
    """``Docdask Quota History``, as distributed names its own."""
    return url.strip("/").removeprefix("individual-").replace("-", " ").title()
