"""The verbs: scan, plan, run, open, status, export, report, samples, demo. The command line says the same words.

Each is short: it puts the parts below together and returns a value that shows itself well in a notebook.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docdask import making
from docdask import settings as settings_module
from docdask.errors import UsageError
from docdask.making import Sources

if TYPE_CHECKING:
    from docdask.engine.handle import RunHandle
    from docdask.monitor.views import Catalog, Plan
    from docdask.reporting.opened import RunResult
    from docdask.tables.result import Result


def scan(
    sources: Sources,
    *,
    to: str | Path | None = None,
    cluster: str = "local",
    client: Any = None,
    passwords: Sequence[str] = (),
    storage_options: dict[str, Any] | None = None,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
    **setting: Any,
) -> Catalog:
    """Find documents and tell what they are, without recognising anything.

    Parameters
    ----------
    sources
        Folders, files, globs, fsspec URLs, or a CSV/Parquet list of them; one or several.
    to
        Run directory that keeps the catalog, so that unchanged files are not read again; None: it is not kept.
    cluster, client
        Where it runs: ``local``, ``none``, a scheduler's address; or a client that you have.
    passwords
        Tried on encrypted documents.
    storage_options
        Of the sources' file system (fsspec).
    on_progress
        Called with (inspected, to inspect).
    **setting
        Fields of :class:`docdask.settings.Settings`.

    Returns
    -------
    Catalog
        Its ``frame`` has one row a document; see docs/scan.md.

    Raises
    ------
    SourceError
        If there is nothing to read.
    """
    from docdask.monitor.views import Catalog
    from docdask.store.run import RunDirectory

    way = making.Where(
        settings_module.load(**setting), cluster, client, tuple(passwords), storage_options, on_progress
    )
    with making.kept(to) as url, way.pool() as pool:
        directory = RunDirectory(url)
        inspected = way.scan(directory, pool, way.find(sources))
        return Catalog(directory.catalog().to_pandas(), inspected, url if to else None)


def plan(
    sources: Sources,
    *,
    to: str | Path,
    engine: str | None = None,
    options: Mapping[str, Any] | None = None,
    tokens: bool = False,
    sample: int | None = None,
    seed: int = 0,
    cluster: str = "local",
    client: Any = None,
    passwords: Sequence[str] = (),
    storage_options: dict[str, Any] | None = None,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
    **setting: Any,
) -> Plan:
    """Say what a run would do: documents, pages, partitions, time, and what is set aside and why.

    Recognises nothing and asks nothing. ``docdask.run(to)`` then does exactly this.

    Parameters
    ----------
    sources, cluster, client, passwords, storage_options, on_progress, **setting
        As for :func:`scan`; with Document AI ``project``, ``location``, ``processor``, ``staging`` and what else
        :func:`docdask.configuration.load_configuration` takes, which win over docdask.toml.
    to
        Run directory; made if missing. One that is there gets what is new in ``sources``.
    engine, options
        Engine and its options; they change results, so a run keeps those it was made with. None: ``offline``.
    tokens
        Also write the table ``tokens``.
    sample
        Look at that many documents only (stratified by type and size) and estimate the rest.
    seed
        Of the sample.

    Raises
    ------
    SourceError
        If there is nothing to read.
    RunMismatch
        If the run was made with another engine or other options.
    """
    given = making.taken(setting)
    way = making.Where(
        settings_module.load(**setting), cluster, client, tuple(passwords), storage_options, on_progress
    )
    made_with = making.Making(engine, dict(options or {}), given, tokens)
    return making.planned(sources, to, made_with, way, sample=sample, seed=seed)


def run(
    what: Sources | Plan,
    *,
    to: str | Path | None = None,
    engine: str | None = None,
    options: Mapping[str, Any] | None = None,
    tokens: bool = False,
    sample: int | None = None,
    seed: int = 0,
    cluster: str = "local",
    client: Any = None,
    passwords: Sequence[str] = (),
    storage_options: dict[str, Any] | None = None,
    wait: bool = True,
    budget: str | float | None = None,
    accept: Callable[[Plan], bool | None] | bool | None = None,
    on_plan: Callable[[Plan], None] = lambda _plan: None,
    progress: Callable[[dict[str, Any]], None] | None = None,
    **setting: Any,
) -> RunResult | RunHandle:
    """Recognise documents, store the results and write the tables; goes on where it stopped.

    Parameters
    ----------
    what
        A plan or run directory: does what is planned. Or sources, with ``to``: plans them first.
    to
        Run directory, with sources.
    engine, options, tokens, seed, cluster, client, passwords, storage_options, **setting
        As for :func:`plan`. With a plan or run directory, what makes a run need not be said again; what is said must be
        what it was made with.
    sample
        A pilot: only that many documents; a later run into the same directory does not do them again.
    wait
        False: return a handle at once; the run goes on in a process of its own (with ``client``: in a thread).
    budget
        Most that may be spent: dollars, or ``"5000 pages"``. None: the price of the accepted plan, to the page.
    accept
        Whether a paid plan is done: True, or called with the plan, whose ``summary["offer"]`` has what would be accepted. None:
        a :class:`Plan` that was passed, a budget and an emulator are as good as a word; else the price is told and nothing is
        called.
    on_plan
        Called with the plan before anything is recognised.
    progress
        Called with statuses while waiting; None: a progress bar in a terminal, live HTML in a notebook.

    Returns
    -------
    RunResult or RunHandle
        The result when it has ended; with ``wait=False`` a handle with ``status()``, ``wait()``, ``stop()``.

    Raises
    ------
    UsageError
        If ``what`` is no run directory and ``to`` is missing.
    RunMismatch
        If the run was made with another engine or other options than are given.
    RunLocked
        If another driver works on this run in another way.
    NotAccepted
        If the plan costs money and nobody has accepted its price.
    """
    from docdask.monitor.views import Plan
    from docdask.reporting.opened import RunResult

    given = making.taken(setting)
    way = making.Where(settings_module.load(**setting), cluster, client, tuple(passwords), storage_options)
    made_with = making.Making(engine, dict(options or {}), given, tokens)
    making.amount(budget)
    url = what.url if isinstance(what, Plan) else making.as_run(what, to)
    if url is not None and (seed or sample is not None):
        raise UsageError(
            f"{url} has a plan already", "sample and seed belong to: docdask plan SOURCE --to RUN"
        )
    going_on = making.attach(url or str(to))
    if url is not None or going_on:
        making.agreed(url or str(to), made_with)
    if going_on and url is None and wait:
        # Sources may have more than the driver that works there knows: what is left is planned when it has ended.
        making.wait(going_on, progress)
        if going_on.status()["state"] == "stopped":
            return RunResult(going_on.url)
        going_on = None
    if url is None:
        assert to is not None
        assert not isinstance(what, Plan)
        url = str(to)
        if going_on is None:
            plan_ = making.planned(what, to, made_with, way, sample=sample, seed=seed, pilot=True)
            on_plan(plan_)
    if going_on is None:
        making.accepted(url, budget, True if isinstance(what, Plan) and accept is None else accept)
    elif budget is not None:
        raise UsageError(
            f"{url} is being worked on, with the budget that was accepted",
            f"end it first: docdask status {url} --stop, then give the same command",
        )
    handle = going_on or making.launch(url, way)
    if not wait:
        handle.begun()
        return handle
    making.wait(handle, progress)
    return RunResult(handle.url)


def open(url: str | Path) -> RunResult:  # noqa: A001 - docdask.open(RUN) reads as what it does
    """Result of a run: frames, documents, ``map``, ``show``, charts, report; right at any moment, also while it runs.

    Raises
    ------
    RunNotFound
        If there is no run at ``url``.
    """
    from docdask.reporting.opened import RunResult
    from docdask.store.run import RunDirectory

    return RunResult(RunDirectory.open(str(url)).url)


def status(url: str | Path) -> dict[str, Any]:
    """How a run is, from any process: state, documents, pages, rate, ETA, dashboard, and the summary of its tables."""
    from docdask.engine import status as status_file
    from docdask.store.run import RunDirectory

    directory = RunDirectory.open(str(url))
    return {**open(url).summary(), **status_file.read(directory)}


def handle(url: str | Path) -> RunHandle:
    """Handle of a run that may be going on in another process."""
    from docdask.engine.handle import RunHandle
    from docdask.store.run import RunDirectory

    return RunHandle(RunDirectory.open(str(url)))


def export(
    url: str | Path,
    formats: Sequence[str],
    *,
    to: str | Path | None = None,
    passwords: Sequence[str] = (),
    tell: Callable[[str], None] | None = None,
) -> list[Path]:
    """Write the result in other forms: csv, xlsx, duckdb, pdf (searchable), hocr, documentai.

    Parameters
    ----------
    url
        Run directory.
    formats
        One or several; see docs/export.md.
    to
        Folder; None: ``export`` in the run directory.
    passwords
        For encrypted originals, which the searchable PDF needs again.
    tell
        Gets a sentence for each document that was passed over and each text that was cut; None: they are logged.

    Returns
    -------
    list of Path
        What was written.
    """
    from docdask.tables.export import export as write

    result = open(url)
    result.passwords = tuple(passwords)
    more = {"tell": tell} if tell else {}
    return list(write(result, list(formats), _beside(result, to, "export"), **more))


def report(
    url: str | Path,
    *,
    to: str | Path | None = None,
    baseline: str | float | None = None,
    thumbnails: bool = False,
) -> dict[str, Path]:
    """Write the report as PDF and HTML, and the charts as SVG.

    Parameters
    ----------
    url
        Run directory.
    to
        Folder; None: the run directory.
    baseline
        What to compare with: documents an hour (``12/h``), a time a document (``5min``) or for all (``total 40h``).
    thumbnails
        Show pages of what was set aside; they are personal data.

    Returns
    -------
    dict
        ``pdf``, ``html`` and ``charts`` (a folder).
    """
    from docdask.reporting.of_run import write

    result = open(url)
    return dict(write(result, _beside(result, to, ""), baseline=baseline, thumbnails=thumbnails))


def samples(folder: str | Path, *, copies: int = 1, seed: int = 0) -> list[Path]:
    """Make twelve sample documents, different in kind, with a truth file; see docs/samples.md."""
    from docdask.specimens import make

    return list(make(Path(folder), copies=copies, seed=seed))


def _beside(result: Result, to: str | Path | None, name: str) -> Path:
    """Local folder for what is written for a person; in the run directory unless said otherwise."""
    if to is not None:
        folder = Path(to)
    elif "://" in result.url:
        raise UsageError(f"{result.url} is not on this machine", "say where to write with --to FOLDER")
    else:
        folder = Path(result.url) / name
    return folder
