"""What a report is made from: tables as pandas frames, the run's own figures, and a way to see a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from docdask.reporting.costs import Costs

RenderPage = Callable[[str, int], Any]


@dataclass(frozen=True)
class ReportData:
    """Frames by the schemas of :mod:`docdask.tables.schema`; any of them may be empty.

    Parameters
    ----------
    documents, pages, calls, entities, invoices
        Tables of the run.
    summary
        ``run, inputs, stored, quarantined, skipped, pending, pages, wall_s, documents_per_hour, speedup, engine, workers,
        started_at, ended_at, docdask_version, machine``, and of a paid run ``billing, pages_paid, cost_usd, pages_at_risk,
        cost_at_risk_usd, budget``; what is missing is left out of the report.
    render_page
        ``(document_id, page_number) -> PIL.Image.Image``; asked only where thumbnails are wanted. May raise: then there
        is no picture.
    requests
        Requests to a paid service (:func:`docdask.tables.requests.requests`).
    costs
        Of a paid run.
    """

    documents: pd.DataFrame
    pages: pd.DataFrame
    calls: pd.DataFrame
    entities: pd.DataFrame = field(default_factory=pd.DataFrame)
    invoices: pd.DataFrame = field(default_factory=pd.DataFrame)
    summary: Mapping[str, Any] = field(default_factory=dict)
    render_page: RenderPage | None = None
    requests: pd.DataFrame = field(default_factory=pd.DataFrame)
    costs: Costs | None = None

    def tables(self) -> dict[str, pd.DataFrame]:
        """Frames by table name, as :func:`docdask.charts.all` takes them."""
        return {
            "documents": self.documents, "pages": self.pages, "calls": self.calls, "entities": self.entities,
            "invoices": self.invoices, "requests": self.requests,
        }  # fmt: skip
