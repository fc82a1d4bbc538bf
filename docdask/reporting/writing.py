"""The report's one entry point: compose once, print as PDF, as HTML, or both."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from docdask.errors import StorageError, UsageError
from docdask.reporting.baseline import Baseline
from docdask.reporting.data import ReportData


def build(
    frames: ReportData,
    *,
    pdf: Path | str | None = None,
    html: Path | str | None = None,
    baseline: Baseline | str | float | None = None,
    thumbnails: bool = False,
) -> None:
    """Write the report of a run.

    Parameters
    ----------
    frames
        What it tells of.
    pdf, html
        Local files to write; at least one.
    baseline
        What to compare with: documents an hour by hand (``12`` or ``"12/h"``), the time a document takes (``"300s"``,
        ``"5min"``), or a time measured for all of them (``"total 40h"``).
    thumbnails
        Show first pages beside examples of what was set aside. They are personal data: off unless asked for.

    Raises
    ------
    UsageError
        Neither file is named, or the baseline can't be read.
    StorageError
        A file can't be written.
    """
    if pdf is None and html is None:
        raise UsageError("a report needs a file to go to", "name a PDF file, an HTML file, or both")
    from docdask.reporting.chapters import compose

    against = None if baseline is None else Baseline.parse(baseline)
    report = compose(frames, against, thumbnails=thumbnails)
    tables = frames.tables()
    if pdf is not None:
        from docdask.reporting.pdf import render as render_pdf

        _write(Path(pdf), render_pdf(report, tables))
    if html is not None:
        from docdask.reporting.html import render as render_html

        _write(Path(html), render_html(report, tables).encode())


def _write(path: Path, data: Any) -> None:
    """Whole or not at all: beside it first, then in its place."""
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise StorageError(
            f"the report can't be written to {path}: {error.strerror or error}", "name another file"
        ) from error
