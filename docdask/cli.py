"""The command line: arguments to :mod:`docdask.api`, an error to one sentence and an exit code.

Rules: stdout has the answer (with ``--json`` one JSON object and nothing else), stderr has everything said on the way;
a stack trace is shown only with ``DOCDASK_DEBUG=1``. docs/cli.md lists commands, keys and exit codes.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import docdask
from docdask.errors import DocdaskError, UsageError
from docdask.initialising.command import init_command
from docdask.leaving import leave_after
from docdask.monitor.ledger_command import ledger_command
from docdask.sim.command import replay_command, simulate_command

if TYPE_CHECKING:
    from docdask.monitor.views import Plan

#: Exit code after Ctrl-C, as shells have it.
INTERRUPTED = 130

_FORMATS = {
    "csv": "One CSV file a table.",
    "xlsx": "One workbook, one sheet a table.",
    "duckdb": "One DuckDB database.",
    "pdf": "Searchable PDFs.",
    "hocr": "hOCR files.",
    "documentai": "Google's JSON, one file a document.",
}


def main() -> None:
    """Entry point: run a command and exit with its code."""
    leave_after(_command)


def _command() -> int:
    """Run a command; returns its exit code, or exits with it."""
    debug, stdout = bool(os.environ.get("DOCDASK_DEBUG")), sys.stdout
    sys.path.append(str(Path.cwd()))  # `--engine mymodule:Engine` from here; last: it must not hide anything
    try:
        code = cli.main(standalone_mode=False)  # what a command exits with is returned, not raised
        return code if isinstance(code, int) else 0
    except SystemExit:
        # When whoever read our output has gone (`docdask status R | head`), click puts something else in place of
        # stdout and exits with 1; that is no error.
        if sys.stdout is not stdout:
            return 0
        raise
    except (KeyboardInterrupt, click.exceptions.Abort):  # click makes the second of the first
        print("stopped; the same command goes on where it stopped", file=sys.stderr)
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return UsageError.exit_code
    except DocdaskError as error:
        if debug:
            raise
        _complain(error.message, error.remedy)
        return error.exit_code
    except Exception as error:
        if debug:
            raise
        _complain(
            f"{type(error).__name__}: {error}",
            "this is a fault of docdask: DOCDASK_DEBUG=1 shows where it happened",
        )
        return 1


def _complain(message: str, remedy: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    if remedy:
        print(f"  → {remedy}", file=sys.stderr)


class _Commands(click.Group):
    """Commands in the order in which they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return [*self.commands, "emulator"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "emulator":  # beside its service, and imported when it is asked for
            from docdask.service.emulator.command import emulator_command

            return emulator_command
        return super().get_command(ctx, cmd_name)


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(docdask.__version__, message="docdask %(version)s")
def cli() -> None:
    """Turn a pile of PDFs and images into tables, charts and a report, on a Dask cluster."""


def _json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--json", "as_json", is_flag=True, help="One JSON object on stdout, everything else on stderr."
    )(function)


def _where_options(function: Callable[..., Any]) -> Callable[..., Any]:
    options = [
        click.option(
            "--cluster",
            default="local",
            show_default=True,
            help="local, none (this process), or tcp://host:8786.",
        ),
        click.option(
            "--workers", type=int, default=None, help="Workers of the local cluster; default: one a core."
        ),
        click.option("--password", "password", multiple=True, help="For encrypted PDFs; may be repeated."),
        click.option(
            "--passwords",
            "password_file",
            type=click.Path(path_type=Path),
            help="File with one password a line.",
        ),
        click.option(
            "--timeout",
            "timeout_s",
            type=float,
            default=None,
            help="Limit of one call into a PDF or image library, s.",
        ),
        click.option(
            "--memory",
            "memory_mib",
            type=int,
            default=None,
            help="Limit of the process that runs those libraries, MiB.",
        ),
    ]
    return functools.reduce(lambda decorated, option: option(decorated), reversed(options), function)


def _plan_options(function: Callable[..., Any]) -> Callable[..., Any]:
    options = [
        click.option(
            "--engine",
            default=None,
            show_default="offline",
            help="offline, emulator, documentai, or your own.",
        ),
        click.option(
            "--option",
            "option",
            multiple=True,
            metavar="NAME=VALUE",
            help="Option of the engine; may be repeated.",
        ),
        click.option(
            "--processor", default=None, help="Document AI: alias, type (ocr, invoice …) or TYPE=ID."
        ),
        click.option("--project", default=None, help="Google Cloud project, instead of docdask.toml's."),
        click.option(
            "--location", default=None, help="Where Document AI is called: us, eu or a single region."
        ),
        click.option("--staging", default=None, help="gs://bucket/prefix for batches."),
        click.option("--tokens", is_flag=True, help="Also write the table of tokens (words); it is large."),
        click.option("--sample", type=int, default=None, help="Look at that many documents only."),
        click.option("--seed", type=int, default=0, show_default=True, help="Of the sample."),
    ]
    return functools.reduce(lambda decorated, option: option(decorated), reversed(options), function)


_PLANNED = ("engine", "tokens", "sample", "seed", "processor", "project", "location", "staging")


def _format_options(function: Callable[..., Any]) -> Callable[..., Any]:
    options = [click.option(f"--{name}", name, is_flag=True, help=text) for name, text in _FORMATS.items()]
    return functools.reduce(lambda decorated, option: option(decorated), reversed(options), function)


def _way(
    cluster: str, workers: int | None, password: tuple[str, ...], password_file: Path | None, **limits: Any
) -> dict[str, Any]:
    words = list(password)
    if password_file is not None:
        try:
            words += password_file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"--passwords {password_file} can't be read: {error}",
                "give a UTF-8 file with one password a line",
            ) from error
    return {"cluster": cluster, "workers": workers, "passwords": words, **limits}


def _options(pairs: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in pairs:
        name, mark, value = pair.partition("=")
        if not mark:
            raise UsageError(f"--option {pair!r} has no value", "write --option NAME=VALUE")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def _answer(value: dict[str, Any], text: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(value, default=str, ensure_ascii=False))
    elif text:
        click.echo(text)


def _say(text: str) -> None:
    click.echo(text, err=True)


def _scanning() -> Callable[[int, int], None]:
    """Progress of a scan: a line that is written over in a terminal, nothing in a pipe."""
    if not sys.stderr.isatty():
        return lambda _done, _all: None

    def show(done: int, all_: int) -> None:
        print(
            f"\rscanned {done:,} of {all_:,}", end="\n" if done == all_ else "", file=sys.stderr, flush=True
        )

    return show


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("docdask-demo"))
@click.option("--cluster", default="local", show_default=True, help="local or none.")
@_json_option
def demo(folder: Path, cluster: str, as_json: bool) -> None:
    """Run the main job on twelve sample documents in FOLDER (default docdask-demo)."""
    from docdask import demonstration

    _say(f"making twelve sample documents in {folder / 'documents'}")
    found = demonstration.demo(folder, cluster=cluster, on_plan=lambda plan: _say(f"{plan}\n"))
    _answer(found.to_json(), found.text(), as_json=as_json)


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--copies",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Sets of twelve; their contents differ.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Other numbers, other contents.")
@_json_option
def samples(folder: Path, copies: int, seed: int, as_json: bool) -> None:
    """Make twelve sample documents with a truth file in FOLDER."""
    from docdask import api

    made = api.samples(folder, copies=copies, seed=seed)
    _answer(
        {"folder": str(folder), "documents": [str(path) for path in made]},
        f"{len(made)} documents in {folder}; next: docdask run {folder} --to RUN",
        as_json=as_json,
    )


@cli.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--to", "to", default=None, metavar="RUN", help="Keep the catalog in this run directory.")
@_where_options
@_json_option
def scan(sources: tuple[str, ...], to: str | None, as_json: bool, **where: Any) -> None:
    """Find documents and tell what they are: type, pages, text layer, kind, problems."""
    from docdask import api

    catalog = api.scan(list(sources), to=to, on_progress=_scanning(), **_way(**where))
    rows = json.loads(catalog.frame.to_json(orient="records", date_format="iso")) if as_json else []
    _answer({**catalog.summary(), "documents": rows}, str(catalog), as_json=as_json)


@cli.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "--to", "to", required=True, metavar="RUN", help="Run directory (a path or fsspec URL); made if missing."
)
@_plan_options
@_where_options
@_json_option
def plan(sources: tuple[str, ...], to: str, as_json: bool, option: tuple[str, ...], **more: Any) -> None:
    """Say what a run would do: documents, pages, time, what is set aside. Recognises nothing."""
    from docdask import api

    ours = {name: more.pop(name) for name in _PLANNED}
    found = api.plan(
        list(sources), to=to, options=_options(option), on_progress=_scanning(), **ours, **_way(**more)
    )
    _answer({"run": found.url, **found.summary}, f"{found}\n\nnext: docdask run {to}", as_json=as_json)


def _ask(plan_: Plan, *, yes: bool) -> bool | None:
    """Ask whether a paid plan is to be done, where somebody can answer and has not yet."""
    offer = plan_.summary["offer"]
    price = f"${offer['price_usd']:,.2f} for {offer['price_pages']:,} pages"
    if not offer["covers"]:
        _say(f"the budget does not cover {price}: what it does not reach stays pending")
    if yes:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    most = f"{offer['pages']:,} pages" if offer["usd"] is None else f"${offer['usd']:,.2f}"
    return click.confirm(f"{plan_.summary['billing']}. Go on for up to {most}?", default=False, err=True)


@cli.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...|RUN")
@click.option("--to", "to", default=None, metavar="RUN", help="Run directory, when sources are given.")
@_plan_options
@_where_options
@click.option("--budget", default=None, help="Most that may be spent: dollars (25), or '5000 pages'.")
@click.option("--yes", is_flag=True, help="Do not ask before money is spent.")
@click.option(
    "--priority",
    type=click.Choice(["interactive", "normal", "bulk"]),
    default=None,
    help="Beside other runs of the project.",
)
@click.option(
    "--detach", is_flag=True, help="Return at once; the run goes on. See it with docdask status RUN."
)
@_json_option
def run(
    sources: tuple[str, ...],
    to: str | None,
    as_json: bool,
    option: tuple[str, ...],
    detach: bool,
    budget: str | None,
    yes: bool,
    priority: str | None,
    **more: Any,
) -> None:
    """Do a plan, or plan SOURCE and do it. The same command goes on where it stopped."""
    from docdask import api
    from docdask.monitor import views

    ours = {name: more.pop(name) for name in _PLANNED}
    what: Any = sources[0] if len(sources) == 1 else list(sources)
    found: Any = api.run(
        what,
        to=to,
        options=_options(option),
        wait=not detach,
        budget=budget,
        accept=functools.partial(_ask, yes=yes),
        on_plan=lambda p: _say(f"{p}\n"),
        priority=priority,
        **ours,
        **_way(**more),
    )
    if detach:
        _answer(
            {"run": found.url, **found.status()},
            f"{found.url} goes on; see: docdask status {found.url}",
            as_json=as_json,
        )
        return
    summary = found.summary()
    _answer(summary, views.told(summary), as_json=as_json)
    if summary["pending"] and not ours["sample"]:
        _say(f"{summary['pending']:,} documents are pending; go on with: docdask run {found.url}")


@cli.command()
@click.argument("run_", metavar="RUN")
@click.option("--follow", "-f", is_flag=True, help="Show progress until it ends.")
@click.option("--stop", is_flag=True, help="Stop it cleanly.")
@_json_option
def status(run_: str, follow: bool, stop: bool, as_json: bool) -> None:
    """Tell how a run is, from any process."""
    from docdask import api
    from docdask.engine import telling
    from docdask.monitor import progress, views

    if stop:
        api.handle(run_).stop()
    if follow:
        shown = progress.choose(quiet=as_json)
        try:
            api.handle(run_).wait(on_status=shown)
        finally:
            shown.close()
    found = api.status(run_)
    lines = [f"{found['state']}: {telling.counts(found)}".rstrip(": "), views.told(found)]
    if found.get("error"):
        lines.append(f"{found['error']['message']}\n  → {found['error']['remedy']}")
    if found.get("dashboard") and found["state"] == "running":
        lines.append(f"dashboard: {found['dashboard']}")
    _answer(found, "\n".join(lines), as_json=as_json)


@cli.command()
@click.argument("run_", metavar="RUN")
@click.option(
    "--to", "to", type=click.Path(path_type=Path), default=None, help="Folder; default: RUN/export."
)
@_format_options
@click.option("--password", "password", multiple=True, help="For encrypted originals; may be repeated.")
@_json_option
def export(run_: str, to: Path | None, password: tuple[str, ...], as_json: bool, **chosen: bool) -> None:
    """Write the result in other forms; several at once are fine."""
    from docdask import api
    from docdask.monitor import views

    formats = [name for name in _FORMATS if chosen[name]]
    if not formats:
        raise UsageError("no format was named", f"add one of {', '.join('--' + name for name in _FORMATS)}")
    notes: list[str] = []
    written = api.export(run_, formats, to=to, passwords=password, tell=notes.append)
    for note in notes:
        _say(note)
    files = [str(path) for path in written]
    _answer({"run": run_, "files": files, "notes": notes}, views.listed(written), as_json=as_json)


@cli.command()
@click.argument("run_", metavar="RUN")
@click.option(
    "--to", "to", type=click.Path(path_type=Path), default=None, help="Folder; default: the run directory."
)
@click.option(
    "--baseline", default=None, help="Compare with: 12/h by hand, 5min a document, or total 40h for all."
)
@click.option(
    "--thumbnails", is_flag=True, help="Show pages of documents that were set aside (personal data)."
)
@_json_option
def report(run_: str, to: Path | None, baseline: str | None, thumbnails: bool, as_json: bool) -> None:
    """Write the report as PDF and HTML, and the charts as SVG."""
    from docdask import api

    written = api.report(run_, to=to, baseline=baseline, thumbnails=thumbnails)
    paths = {name: str(path) for name, path in written.items()}
    _answer(
        {"run": run_, **paths}, "\n".join(f"{name}: {path}" for name, path in paths.items()), as_json=as_json
    )


@cli.command()
@_json_option
def doctor(as_json: bool) -> None:
    """Tell what is installed, what is reachable, and what to do about the rest."""
    from dataclasses import asdict

    from docdask import settings
    from docdask.monitor import doctor as looked

    found = list(looked.checks(settings.load()))
    marks = {"ok": "✓", "missing": "–", "problem": "✗"}
    width = max(len(check.name) for check in found)
    lines = [
        f"{marks[check.state]} {check.name.ljust(width)}  {check.found}"
        + (f"\n  {' ' * width}  → {check.remedy}" if check.remedy else "")
        for check in found
    ]
    fine = all(check.state != "problem" for check in found)
    lines.append("\nready: docdask demo" if fine else "\nnot ready: see ✗ above")
    _answer({"ready": fine, "checks": [asdict(check) for check in found]}, "\n".join(lines), as_json=as_json)
    if not fine:
        raise click.exceptions.Exit(1)


@cli.group()
def debug() -> None:
    """Rare things."""


@debug.command("cluster")
@click.option("--stop", is_flag=True, help="End the local cluster.")
def debug_cluster(stop: bool) -> None:
    """Tell where the local cluster is, or end it."""
    from docdask import settings
    from docdask.engine.clusters import local

    loaded = settings.load()
    if stop:
        click.echo("ended" if local.stop(loaded) else "there was none")
        return
    facts = local.running(loaded)
    click.echo(
        f"{facts.address}\n{facts.dashboard}" if facts else "there is none; it starts with the first run"
    )


cli.add_command(init_command)
cli.add_command(simulate_command)
debug.add_command(replay_command)
debug.add_command(ledger_command)


if __name__ == "__main__":
    main()
