"""The main job on documents that docdask makes: samples → plan → run → tables, charts, report, and how good it was."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docdask import api
from docdask.monitor.views import told

if TYPE_CHECKING:
    import pandas as pd

    from docdask.monitor.views import Plan


@dataclass(frozen=True)
class Demo:
    """What the demo made."""

    documents: Path
    run: Path
    tables: Path
    charts: Path
    report: Path
    report_html: Path
    summary: dict[str, Any]
    comparison: pd.DataFrame
    """One row a sample: what was read against the truth (see docs/samples.md)."""

    def to_json(self) -> dict[str, Any]:
        """Paths and figures, for ``--json``."""
        paths = {
            name: str(getattr(self, name))
            for name in ("documents", "tables", "charts", "report", "report_html")
        }
        return {**self.summary, **paths}

    def text(self) -> str:
        """What a person reads at the end."""
        return "\n".join(
            [
                told(self.summary),
                "",
                _comparison(self.comparison),
                "",
                f"documents  {self.documents}",
                f"tables     {self.tables}",
                f"charts     {self.charts}",
                f"report     {self.report}",
                f"           {self.report_html}",
                "",
                "next, with documents of your own:",
                f"  {_command()} plan FOLDER --to runs/first",
                f"  {_command()} run runs/first",
            ]
        )


def demo(
    folder: Path, *, cluster: str = "local", on_plan: Callable[[Plan], None] = lambda _plan: None
) -> Demo:
    """Make the samples in ``folder`` and run the main job on them.

    Parameters
    ----------
    folder
        Gets ``documents`` and ``run``; made if missing. A second time it goes on with what is there.
    cluster
        ``local`` or ``none``.
    on_plan
        Called with the plan.
    """
    from docdask.specimens import compare

    documents, run = folder / "documents", folder / "run"
    api.samples(documents)
    result: Any = api.run(documents, to=run, cluster=cluster, on_plan=on_plan)
    written = api.report(run)
    return Demo(
        documents=documents,
        run=run,
        tables=run / "tables",
        charts=run / written["charts"].name,
        report=run / written["pdf"].name,
        report_html=run / written["html"].name,
        summary=result.summary(),
        comparison=compare(documents, result.frame),
    )


def _command() -> str:
    """What a person types for ``docdask`` here: its path where it was started by one, as from a folder that is not searched."""
    started = sys.argv[0]
    return started if Path(started).name == "docdask" and not shutil.which("docdask") else "docdask"


def _comparison(frame: pd.DataFrame) -> str:
    """What was read against the truth, one line a sample."""
    lines = [
        f"{'against the truth of the samples':34}{'characters':>12}{'fields':>10}{'form':>10}{'cells':>12}"
    ]
    for row in frame.fillna({"character_error_rate": -1}).to_dict("records"):
        rate = row["character_error_rate"]
        counts = (
            (row["fields_right"], row["fields"]),
            (row["form_fields_right"], row["form_fields"]),
            (row["cells_right"], row["cells"]),
        )
        shown = [f"{right} of {all_}" if all_ else "" for right, all_ in counts]
        accuracy = f"{100 * (1 - rate):.1f} %" if rate >= 0 else ""
        lines.append(
            f"{row['name'][:33]:34}{accuracy:>12}{shown[0]:>10}{shown[1]:>10}{shown[2]:>12}".rstrip()
        )
    return "\n".join([*lines, "characters: in reading order; empty: there are none in it (docs/samples.md)"])
