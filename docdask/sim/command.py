"""The commands ``docdask simulate`` and ``docdask debug replay``: arguments to a scenario, a result to text, JSON or files."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from docdask.errors import StorageError, UsageError

if TYPE_CHECKING:
    from docdask.sim.result import Result
    from docdask.sim.scenario import Incident, Scenario


@click.command("simulate")
@click.argument("run_", metavar="[RUN]", required=False)
@click.option("--documents", type=int, default=None, help="How many; default: those of RUN, else 1,000.")
@click.option(
    "--pages", default=None, help="Without RUN: pages of a document, as 3 or 1:70,2:20,15:10 (pages:share)."
)
@click.option(
    "--quota", type=int, default=None, help="Requests a minute of each region; default: a new project's."
)
@click.option(
    "--pages-quota", type=int, default=None, help="Pages a minute of each region, where they are metered."
)
@click.option(
    "--user-quota", type=int, default=None, help="Calls a minute over all regions; default: a new project's."
)
@click.option("--quota-share", type=float, default=1.0, show_default=True, help="Part of the quotas to use.")
@click.option("--region", "regions", multiple=True, help="us, eu, …; may be repeated. Default: us.")
@click.option("--processor", default="ocr", show_default=True, help="Processor type: ocr, form, invoice …")
@click.option("--workers", type=int, default=8, show_default=True)
@click.option("--lane", default="normal", show_default=True, help="interactive, normal or bulk.")
@click.option("--start", default="00:00", show_default=True, help="Time of day at which the run begins.")
@click.option(
    "--fail", "fails", multiple=True, metavar="REGION@WHEN", help="us@12:00, us@12:00-14:30, us@3h+20min."
)
@click.option(
    "--fault", "faults", multiple=True, metavar="PROFILE@WHEN", help="As flaky@0s, quota-storm@12:00+1h."
)
@click.option("--lose", "losses", multiple=True, metavar="WORKERS@WHEN", help="Workers that die, as 3@12:00.")
@click.option(
    "--window", default="sliding", show_default=True, help="fixed, sliding, sliding-count, bucket, bucket/4."
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--to", type=click.Path(path_type=Path), default=None, help="Folder for frames (CSV) and charts (SVG)."
)
@click.option(
    "--record", type=click.Path(path_type=Path), default=None, help="Write the governor's event log here."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, everything else on stderr.")
def simulate_command(*, to: Path | None, record: Path | None, as_json: bool, **more: Any) -> None:
    """Tell what documents like those of RUN would take: time, cost, requests. Calls nothing.

    Governor and quotas are those of a real run; the service is the emulator's model of it.
    """
    from docdask.sim.eventlog import EventLog
    from docdask.sim.world import simulate

    scenario = make_scenario(**more)
    if record is None:
        result = simulate(scenario)
    else:
        with _opened(record, "w") as file:
            result = simulate(scenario, record=EventLog(file))
    written = [str(path) for path in save(result, to)] if to is not None else []
    if as_json:
        click.echo(json.dumps({**result.to_json(), "files": written}))
    else:
        click.echo("\n".join([str(result), *written]))


@click.command("replay")
@click.argument("log", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def replay_command(*, log: Path, as_json: bool) -> None:
    """Replay an event log through a fresh governor; exit code 1 if it answers anything else."""
    from docdask.sim.eventlog import replay

    with _opened(log, "r") as file:
        found = replay(file)
    if as_json:
        value = {
            "events": found.events, "instructions": found.instructions, "seconds": found.seconds, "torn": found.torn,
            "same": found.difference is None, "line": found.difference.line if found.difference else None,
        }  # fmt: skip
        click.echo(json.dumps(value))
    elif found.difference is None:
        click.echo(
            f"{found.events:,} events over {found.seconds:,.1f} s give the same {found.instructions:,} instructions"
            + ("; the last line is torn and was left out" if found.torn else "")
        )
    else:
        click.echo(f"the governor answers differently\n{found.difference}")
    if found.difference is not None:
        raise click.exceptions.Exit(1)


def make_scenario(
    *,
    run_: str | None,
    documents: int | None,
    pages: str | None,
    quota: int | None,
    pages_quota: int | None,
    user_quota: int | None,
    quota_share: float,
    regions: tuple[str, ...],
    processor: str,
    workers: int,
    lane: str,
    start: str,
    fails: tuple[str, ...],
    faults: tuple[str, ...],
    losses: tuple[str, ...],
    window: str,
    seed: int,
) -> Scenario:
    """Scenario that the options mean.

    Raises
    ------
    UsageError
        If they can't be right.
    RunError
        If RUN can't be read.
    """
    from docdask.configuration.types import require_type
    from docdask.sim import workload
    from docdask.sim.scenario import Load, Scenario
    from docdask.sim.times import clock_s

    if run_ is not None and pages is not None:
        raise UsageError("--pages and RUN both say how long documents are", "give one of them")
    if run_ is not None:
        counts = workload.like(run_, documents, seed)
    else:
        many = 1000 if documents is None else documents
        counts = workload.drawn(many, workload.distribution(pages or "1"), seed)
    return Scenario(
        (Load(counts, lane),),
        regions=regions or ("us",),
        requests=quota,
        pages=pages_quota,
        user_requests=user_quota,
        quota_share=quota_share,
        processor_type=require_type(processor, "--processor"),
        workers=workers,
        incidents=tuple(incidents(fails, faults, losses, clock_s(start))),
        window=window,
        seed=seed,
    )


def incidents(
    fails: tuple[str, ...], faults: tuple[str, ...], losses: tuple[str, ...], start_s: float
) -> Iterator[Incident]:
    """What ``--fail``, ``--fault`` and ``--lose`` mean for a run that begins at ``start_s`` after midnight."""
    from docdask.core.server import NO_FAULTS, Faults, make_faults
    from docdask.sim.scenario import Incident
    from docdask.sim.times import moment_s, stretch_s

    for text in fails:
        region, when = _halves(text, "--fail", "us@12:00")
        from_s, until_s = stretch_s(when, start_s)
        yield Incident(from_s, Faults(regions_down=(region,)), until_s)
    for text in faults:
        profile, when = _halves(text, "--fault", "flaky@12:00+1h")
        from_s, until_s = stretch_s(when, start_s)
        yield Incident(from_s, make_faults(profile), until_s)
    for text in losses:
        count, when = _halves(text, "--lose", "3@12:00")
        if not count.isdigit():
            raise UsageError(f"--lose {text!r}: {count!r} is no number of workers", "write 3@12:00")
        yield Incident(moment_s(when, start_s), NO_FAULTS, workers_lost=int(count))


def save(result: Result, folder: Path) -> list[Path]:
    """Write frames as CSV and charts as SVG; paths in the order written."""
    from matplotlib.figure import Figure

    from docdask.charts.theme import style
    from docdask.sim.charts import CHARTS

    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("minutes", "endpoints", "lanes", "loads", "totals"):
            path = folder / f"{name}.csv"
            getattr(result, name).to_csv(path, index=False)
            written.append(path)
        with style():
            for name, (draw, frame) in CHARTS.items():
                figure = Figure(figsize=(7.0, 2.8), layout="constrained")
                draw(getattr(result, frame), figure.subplots())
                path = folder / f"{name}.svg"
                figure.savefig(path, metadata={"Date": None})
                written.append(path)
    except OSError as error:
        raise StorageError(
            f"{folder} can't be written: {error}", "choose another folder with --to"
        ) from error
    return written


def _halves(text: str, option: str, example: str) -> tuple[str, str]:
    what, mark, when = text.partition("@")
    if not mark or not what or not when:
        raise UsageError(f"{option} {text!r} does not say what and when", f"write {option} {example}")
    return what, when


@contextlib.contextmanager
def _opened(path: Path, mode: str) -> Iterator[TextIO]:
    """File of an event log; ``.gz`` is compressed."""
    import gzip

    opener: Any = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, f"{mode}t", encoding="utf-8") as file:
            yield file
    except (OSError, UnicodeDecodeError, EOFError) as error:
        remedy = "choose another file" if mode == "w" else "give a file that was written with --record"
        raise StorageError(
            f"{path} can't be {'written' if mode == 'w' else 'read'}: {error}", remedy
        ) from error
