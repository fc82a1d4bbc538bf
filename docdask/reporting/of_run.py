"""The report of a run directory: reads its tables, writes the PDF, the HTML and the charts.

Rule: the figures of page 1 are those of ``docdask status``; the speed-up is that of the chart beside it.
"""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import psutil

from docdask._version import __version__
from docdask.reporting import costs
from docdask.reporting.data import ReportData
from docdask.reporting.writing import build
from docdask.tables.result import Result


def write(
    result: Result, folder: Path, *, baseline: str | float | None = None, thumbnails: bool = False
) -> dict[str, Path]:
    """Write ``report.pdf``, ``report.html`` and ``charts/*.svg`` into ``folder``.

    Parameters
    ----------
    result
        Of the run.
    folder
        Local folder; made if missing.
    baseline, thumbnails
        As for :func:`docdask.reporting.build`.

    Returns
    -------
    dict
        ``pdf``, ``html`` and ``charts`` (the folder of the SVG files).

    Raises
    ------
    StorageError
        If ``folder`` can't be written.
    """
    from docdask import charts
    from docdask.charts import gallery

    data = gather(result)
    written = {"pdf": folder / "report.pdf", "html": folder / "report.html", "charts": folder / "charts"}
    build(data, pdf=written["pdf"], html=written["html"], baseline=baseline, thumbnails=thumbnails)
    figures = charts.all(data.tables())
    told = gallery.names(paid=data.costs is not None)
    charts.save({name: figures[name] for name in told}, written["charts"], form="svg")
    return written


def gather(result: Result) -> ReportData:
    """What the report tells of, from a run's tables."""
    calls, requests = result.calls, result.requests
    status: dict[str, Any] = result.run.read_json("status.json") or {}
    summary = {
        **result.summary(),
        "engine": result.run.manifest().engine_id,
        "workers": status.get("workers"),
        "started_at": calls["started_at"].min() if len(calls) else None,
        "ended_at": calls["ended_at"].max() if len(calls) else None,
        "docdask_version": __version__,
        "machine": f"{psutil.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB, Python {platform.python_version()}",
    }

    def render_page(document_id: str, page: int) -> Any:
        from docdask.tables import render

        row = result.documents.set_index("document_id").loc[document_id]
        return render.render_page(result.source_bytes(document_id), str(row["mime_type"]), page, dpi=60)

    return ReportData(
        documents=result.documents,
        pages=result.frame("pages", columns=[name for name in result.pages.columns if name != "text"]),
        calls=calls,
        entities=result.entities,
        invoices=result.invoices,
        summary=summary,
        render_page=render_page,
        requests=requests,
        costs=costs.gather(result, requests),
    )
