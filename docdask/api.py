"""The verbs: scan, plan, run, open, status, export, report, samples, demo. The command line says the same words.

Each is short: it puts the parts below together and returns a value that shows itself well in a notebook.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docdask import settings as settings_module
from docdask.errors import NotAccepted, RunNotFound, UsageError
from docdask.model import Source
from docdask.settings import Settings

if TYPE_CHECKING:
    from docdask.core.routes import Configuration
    from docdask.engine.handle import RunHandle
    from docdask.engine.pool import Pool
    from docdask.monitor.views import Catalog, Plan
    from docdask.reporting.opened import RunResult
    from docdask.service.base import Engine
    from docdask.store.run import RunDirectory
    from docdask.tables.result import Result

Sources = str | Path | Sequence[str | Path]


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

    way = _Way(
        settings_module.load(**setting), cluster, client, tuple(passwords), storage_options, on_progress
    )
    with _kept(to) as url, way.pool() as pool:
        directory = RunDirectory(url)
        inspected = way.scan(directory, pool, way.find(sources))
        return Catalog(directory.catalog().to_pandas(), inspected, url if to else None)


def plan(
    sources: Sources,
    *,
    to: str | Path,
    engine: str = "offline",
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
        Engine and its options; they change results, so a run keeps those it was made with.
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
    given = _taken(setting)
    way = _Way(
        settings_module.load(**setting), cluster, client, tuple(passwords), storage_options, on_progress
    )
    making = _Making(engine, dict(options or {}), given, tokens)
    return _planned(sources, to, making, way, sample=sample, seed=seed)


def run(
    what: Sources | Plan,
    *,
    to: str | Path | None = None,
    engine: str = "offline",
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
        As for :func:`plan`.
    sample
        A pilot: only that many documents; a later run into the same directory does not do them again.
    wait
        False: return a handle at once; the run goes on in a process of its own (with ``client``: in a thread).
    budget
        Most that may be spent: dollars, or ``"5000 pages"``. None: the price of the accepted plan, to the page.
    accept
        Whether a paid plan is done: True, or called with the plan. None: a :class:`Plan` that was passed, a budget and
        an emulator are as good as a word; else the price is told and nothing is called.
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
    RunLocked
        If another driver works on this run in another way.
    NotAccepted
        If the plan costs money and nobody has accepted its price.
    """
    from docdask.monitor.views import Plan
    from docdask.reporting.opened import RunResult

    given = _taken(setting)
    way = _Way(settings_module.load(**setting), cluster, client, tuple(passwords), storage_options)
    url = what.url if isinstance(what, Plan) else _as_run(what, to)
    if url is not None and (options or tokens or sample is not None):
        raise UsageError(
            f"{url} has a plan already", "options, tokens and sample belong to: docdask plan SOURCE --to RUN"
        )
    going_on = _attach(url or str(to))
    if going_on and url is None and wait:
        # Sources may have more than the driver that works there knows: what is left is planned when it has ended.
        _wait(going_on, progress)
        if going_on.status()["state"] == "stopped":
            return RunResult(going_on.url)
        going_on = None
    if url is None:
        assert to is not None
        assert not isinstance(what, Plan)
        url = str(to)
        if going_on is None:
            making = _Making(engine, dict(options or {}), given, tokens)
            plan_ = _planned(what, to, making, way, sample=sample, seed=seed, pilot=True)
            on_plan(plan_)
    if going_on is None:
        _accepted(url, budget, True if isinstance(what, Plan) and accept is None else accept)
    handle = going_on or _launch(url, way)
    if not wait:
        handle.begun()
        return handle
    _wait(handle, progress)
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


# -- parts -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Way:
    """How and where: what every verb is told beside its subject."""

    settings: Settings
    cluster: str
    client: Any
    passwords: tuple[str, ...]
    storage_options: dict[str, Any] | None
    on_progress: Callable[[int, int], None] = lambda _done, _all: None

    @contextlib.contextmanager
    def pool(self) -> Iterator[Pool]:
        """Where tasks run, checked."""
        from docdask.engine.pool import OnCluster, open_pool

        pool = open_pool(self.cluster, self.settings, client=self.client)
        try:
            if isinstance(pool, OnCluster):
                pool.check(None)
            yield pool
        finally:
            pool.close()

    def find(self, sources: Sources) -> list[Source]:
        """The files behind ``sources``."""
        from docdask.intake.finding import find

        return list(find(_listed(sources), storage_options=self.storage_options))

    def scan(self, run: RunDirectory, pool: Pool, found: Sequence[Source]) -> int:
        """Inspect what is new; returns how many files that were."""
        from docdask.engine import scanning

        return scanning.scan(
            found,
            run,
            pool,
            self.settings,
            passwords=self.passwords,
            storage_options=self.storage_options,
            on_progress=self.on_progress,
        )


#: Arguments of a verb that configure Document AI.
_CONFIGURED = (
    "project", "location", "processor", "staging", "quota_share", "residency", "free_pages", "escalate_below",
)  # fmt: skip


@dataclass(frozen=True)
class _Making:
    """With what a run is made: what changes its results."""

    engine: str
    options: dict[str, Any]
    given: dict[str, Any]
    """For the configuration of Document AI."""
    tokens: bool


def _taken(setting: dict[str, Any]) -> dict[str, Any]:
    """Arguments that configure Document AI, taken out of those that are settings."""
    return {name: setting.pop(name) for name in _CONFIGURED if name in setting}


def _planned(
    sources: Sources,
    to: str | Path,
    making: _Making,
    way: _Way,
    *,
    sample: int | None,
    seed: int,
    pilot: bool = False,
) -> Plan:
    """Scan and plan into ``to``. With a sample: an estimate of all of it, or the plan of a pilot."""
    from docdask.engine import paying
    from docdask.service import base
    from docdask.store.manifest import Manifest
    from docdask.store.run import RunDirectory

    if sample is not None and sample < 1:
        raise UsageError(f"--sample {sample} looks at nothing", "give 1 or more")
    found = way.find(sources)
    configuration, options, emulator_options = _configured(making)
    with contextlib.closing(base.load(making.engine, options)) as made:
        manifest = Manifest(
            engine=making.engine, engine_version=made.version, engine_options=options, tokens=making.tokens
        )
        run = RunDirectory.create(str(to), manifest)
        with run.lock():
            if configuration is not None:
                paying.configure(run, configuration, emulator_options)
            _remember(run, sources)
            picked = None if sample is None else _pick(found, sample, seed)
            with way.pool() as pool:
                way.scan(run, pool, found if picked is None else picked)
                if picked is None:
                    return _plan(run, made, pool, way.settings)
                if pilot:
                    return _plan(
                        run, made, pool, way.settings, frozenset(source.document_id for source in picked)
                    )
                return _estimate(run, made, pool, way.settings, found, picked, seed)


def _configured(making: _Making) -> tuple[Configuration | None, dict[str, Any], dict[str, Any]]:
    """Configuration of Document AI, options by which the run is told from another, options of its emulator."""
    from docdask.engine import configuring, paying

    if making.engine not in paying.PAID_ENGINES:
        named = [name for name, value in making.given.items() if value is not None]
        if named:
            raise UsageError(
                f"{named[0]} is of Document AI, and the engine is {making.engine}",
                "add --engine documentai, or --engine emulator",
            )
        return None, making.options, {}
    configuration, emulator_options = configuring.configured(making.engine, making.options, making.given)
    return configuration, configuration.results(), emulator_options


def _accepted(
    url: str, budget: str | float | None, accept: Callable[[Plan], bool | None] | bool | None
) -> None:
    """Make sure that somebody has accepted what a paid run costs, and keep it as the most that is ever spent.

    Raises
    ------
    NotAccepted
        If nobody has.
    """
    from docdask.engine import configuring, paying
    from docdask.monitor.views import Plan
    from docdask.store.run import RunDirectory

    run_ = RunDirectory.open(url)
    configuration = paying.configuration_of(run_)
    generations = run_.generations()
    if configuration is None or not generations:
        return
    limit = configuring.budget(budget)
    price = paying.price(run_)
    if limit is None and paying.covered(run_, price):
        return
    plan_ = Plan(run_.url, run_.plan_summary(generations[-1]))
    if callable(accept):
        accept = accept(plan_)
    if accept is None:
        accept = configuration.emulated or limit is not None
    if not accept:
        raise NotAccepted(
            f"{run_.url} costs up to ${(price.micros or 0) / 1e6:,.2f} for {price.pages:,} pages ({configuration.billing})",
            "say yes with --yes, set another limit with --budget, or leave it",
        )
    paying.accept(run_, limit or price)


def _pick(found: Sequence[Source], sample: int, seed: int) -> list[Source]:
    from docdask.engine import estimating

    return estimating.pick(found, sample, seed)


def _plan(
    run: RunDirectory, engine: Engine, pool: Pool, settings: Settings, only: frozenset[str] | None = None
) -> Plan:
    from docdask.engine import calibration, paying, planning
    from docdask.monitor.views import Plan
    from docdask.service import base

    speed, note = calibration.speed(engine, settings)
    facts = {"speed_note": note, **_engine_facts(engine)}
    summary = planning.append(
        run,
        base.reader(engine),
        speed,
        pool.workers,
        only=only,
        facts=facts,
        configuration=paying.configuration_of(run),
    )
    return Plan(run.url, summary)


def _estimate(
    run: RunDirectory,
    engine: Engine,
    pool: Pool,
    settings: Settings,
    found: Sequence[Source],
    picked: Sequence[Source],
    seed: int,
) -> Plan:
    from docdask.engine import calibration, estimating, paying
    from docdask.monitor.views import Plan
    from docdask.service import base

    speed, note = calibration.speed(engine, settings)
    summary = {
        "run": run.url,
        "found": len(found),
        "sampled": len(picked),
        "seed": seed,
        "workers": pool.workers,
        "speed_note": note,
        **_engine_facts(engine),
        **estimating.outlook(
            run, base.reader(engine), speed, pool.workers, found, picked, paying.configuration_of(run)
        ),
    }
    run.write_json("plan/estimate.json", summary)
    return Plan(run.url, summary)


def _engine_facts(engine: Engine) -> dict[str, str]:
    from docdask.service import base

    return {
        "engine": base.engine_id(engine),
        "engine_note": getattr(engine, "note", ""),
    }


def _listed(sources: Sources) -> list[str]:
    return [str(sources)] if isinstance(sources, str | Path) else [str(source) for source in sources]


def _remember(run: RunDirectory, sources: Sources) -> None:
    """Keep the sources of a run, so that ``docdask run RUN`` can scan the rest of what was sampled."""
    from docdask.intake.reading import is_url

    known = (run.read_json("sources.json") or {}).get("sources", [])
    named = [
        s if is_url(s) or s.startswith("@") else str(Path(s).expanduser().absolute())
        for s in _listed(sources)
    ]
    merged = list(dict.fromkeys([*known, *named]))
    if merged != known:
        run.write_json("sources.json", {"sources": merged})


@contextlib.contextmanager
def _kept(to: str | Path | None) -> Iterator[str]:
    if to is not None:
        yield str(to)
        return
    folder = tempfile.mkdtemp(prefix="docdask-scan-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_run(what: Sources, to: str | Path | None) -> str | None:
    """URL of the run that ``what`` is; None if it is sources for the run ``to``."""
    from docdask.store.run import RunDirectory

    if to is not None:
        return None
    if not isinstance(what, str | Path):
        raise UsageError("sources were given without a run directory", "add --to RUN")
    try:
        return RunDirectory.open(str(what)).url
    except RunNotFound as error:
        raise UsageError(
            f"{what} is no run directory",
            f"to recognise what is there, say where the results go: docdask run {what} --to RUN",
        ) from error


def _attach(url: str) -> RunHandle | None:
    """Handle of the driver that works on the run already, if there is one."""
    from docdask.engine.handle import RunHandle
    from docdask.store.run import RunDirectory

    run = RunDirectory(url)
    if not run.exists():
        return None
    found = RunHandle(run)
    return found if found.running() else None


def _launch(url: str, way: _Way) -> RunHandle:
    from docdask.engine import detached
    from docdask.engine.drive import drive
    from docdask.engine.handle import DriverThread, RunHandle
    from docdask.store.run import RunDirectory

    run_ = RunDirectory.open(url)
    if not run_.generations():
        _plan_the_rest(run_, way)
    more: dict[str, Any] = {
        "cluster": way.cluster,
        "passwords": way.passwords,
        "storage_options": way.storage_options,
    }
    if way.client is None and way.cluster != "none":
        if run_.url.startswith("memory:"):
            raise UsageError(
                f"{run_.url} is in the memory of this process, which no driver or worker sees",
                "give a folder or a URL that they see, or run in this process: --cluster none",
            )
        return RunHandle(run_, process=detached.start(run_, way.settings, **more))
    thread = DriverThread(lambda stop: drive(run_, way.settings, client=way.client, stop=stop, **more))
    thread.start()
    return RunHandle(run_, thread=thread)


def _plan_the_rest(run_: RunDirectory, way: _Way) -> None:
    """For a run that was planned by a sample: look at the rest, then plan all of it."""
    from docdask.service import base

    sources = (run_.read_json("sources.json") or {}).get("sources")
    if not sources:
        raise UsageError(f"{run_.url} has no plan", f"make one: docdask plan SOURCE --to {run_.url}")
    manifest = run_.manifest()
    with (
        contextlib.closing(base.load(manifest.engine, manifest.engine_options)) as made,
        run_.lock(),
        way.pool() as pool,
    ):
        way.scan(run_, pool, way.find(sources))
        _plan(run_, made, pool, way.settings)


def _wait(handle: RunHandle, progress: Callable[[dict[str, Any]], None] | None) -> None:
    from docdask.monitor import progress as shown

    shower = shown.choose() if progress is None else None
    try:
        handle.wait(on_status=progress or shower)
    except KeyboardInterrupt:
        tell: Callable[[dict[str, Any]], None] = progress or shower or (lambda _status: None)
        tell({**handle.status(), "state": "stopping"})
        tell(handle.stop())
        raise
    finally:
        if shower:
            shower.close()


def _beside(result: Result, to: str | Path | None, name: str) -> Path:
    """Local folder for what is written for a person; in the run directory unless said otherwise."""
    if to is not None:
        folder = Path(to)
    elif "://" in result.url:
        raise UsageError(f"{result.url} is not on this machine", "say where to write with --to FOLDER")
    else:
        folder = Path(result.url) / name
    return folder
