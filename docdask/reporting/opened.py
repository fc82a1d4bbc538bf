"""What ``docdask.open`` and ``docdask.run`` return: a run's tables and Documents, with the charts and the report of them.

Rule: matplotlib and reportlab are imported when a chart or a report is asked for, not before.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from docdask.errors import UsageError
from docdask.store import paidrun
from docdask.tables.result import Result

if TYPE_CHECKING:
    import pandas as pd

    from docdask.reporting.notebook import ChartFigure, Charts, Written


class RunResult(Result):
    """The result of a run: its tables, its Documents, its charts and its report."""

    def chart(self, name: str) -> ChartFigure:
        """Draw one chart.

        Parameters
        ----------
        name
            ``throughput``, ``timeline``, ``speedup``, ``latency``, ``confidence``, ``outcomes`` or ``quota_use``; see
            docs/charts.md.

        Returns
        -------
        matplotlib.figure.Figure
            ``savefig`` writes it; a notebook shows it in the colours of its theme.

        Raises
        ------
        UsageError
            If there is no such chart.
        """
        from docdask import charts
        from docdask.reporting import notebook

        if name not in charts.CHARTS:
            raise UsageError(f"there is no chart {name!r}", f"charts: {', '.join(charts.CHARTS)}")
        return notebook.draw(name, self._drawn_from(charts.CHARTS[name].table))

    @property
    def charts(self) -> Charts:
        """Every chart that has something to tell of this run, by name."""
        from docdask.charts import gallery
        from docdask.reporting.notebook import Charts

        paid = paidrun.configuration(self.run) is not None
        return Charts({name: self.chart(name) for name in gallery.names(paid=paid)})

    def report(
        self, to: str | Path | None = None, *, baseline: str | float | None = None, thumbnails: bool = False
    ) -> Written:
        """Write the report as PDF and HTML, and the charts as SVG.

        Parameters
        ----------
        to
            Folder; None: the run directory.
        baseline, thumbnails
            As for :func:`docdask.report`.

        Returns
        -------
        dict of str to Path
            ``pdf``, ``html`` and ``charts`` (a folder); a notebook shows links.

        Raises
        ------
        UsageError
            If ``to`` is missing and the run directory is not on this machine.
        """
        from docdask.reporting.notebook import Written
        from docdask.reporting.of_run import write

        if to is None and "://" in self.url:
            raise UsageError(f"{self.url} is not on this machine", "say where to write: report(FOLDER)")
        folder = Path(self.url if to is None else to)
        return Written(write(self, folder, baseline=baseline, thumbnails=thumbnails))

    def _drawn_from(self, table: str) -> pd.DataFrame:
        """Table without its texts, which no chart needs and which are most of it."""
        if table == "requests":
            return self.requests
        names = [name for name in self.arrow(table).schema.names if name != "text"]
        return self.frame(table, names)
