"""How a run is made and begun: scanned, planned, accepted, launched, waited for.

Rules: a run directory is locked while it is planned; a paid plan is done only when somebody has accepted its price; the
driver is a process of its own wherever there is a cluster that outlives us.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docdask.errors import NotAccepted, RunMismatch, RunNotFound, UsageError
from docdask.model import Source
from docdask.settings import Settings

if TYPE_CHECKING:
    from docdask.core.routes import Configuration
    from docdask.engine.handle import RunHandle
    from docdask.engine.pool import Pool
    from docdask.monitor.views import Plan
    from docdask.service.base import Engine
    from docdask.store.run import RunDirectory

#: What is to be read: folders, files, globs, URLs, lists; one or several.
Sources = str | Path | Sequence[str | Path]


@dataclass(frozen=True)
class Where:
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


#: Engine of a run for which none was named.
DEFAULT_ENGINE = "offline"
#: Arguments of a verb that configure Document AI.
CONFIGURED = (
    "project", "location", "processor", "staging", "quota_share", "residency", "free_pages", "escalate_below",
)  # fmt: skip


@dataclass(frozen=True)
class Making:
    """With what a run is made: what changes its results."""

    engine: str | None
    """None: not said."""
    options: dict[str, Any]
    given: dict[str, Any]
    """For the configuration of Document AI."""
    tokens: bool


def taken(setting: dict[str, Any]) -> dict[str, Any]:
    """Arguments that configure Document AI, taken out of those that are settings."""
    return {name: setting.pop(name) for name in CONFIGURED if name in setting}


def planned(
    sources: Sources,
    to: str | Path,
    making: Making,
    way: Where,
    *,
    sample: int | None,
    seed: int,
    pilot: bool = False,
) -> Plan:
    """Scan and plan into ``to``. With a sample: an estimate of all of it, or the plan of a pilot."""
    from docdask.service import base
    from docdask.store import paidrun
    from docdask.store.manifest import Manifest
    from docdask.store.run import RunDirectory

    if sample is not None and sample < 1:
        raise UsageError(f"--sample {sample} looks at nothing", "give 1 or more")
    found = way.find(sources)
    engine = making.engine or DEFAULT_ENGINE
    configuration, options, emulator_options = _configured(engine, making)
    with contextlib.closing(base.load(engine, options)) as made:
        manifest = Manifest(
            engine=engine, engine_version=made.version, engine_options=options, tokens=making.tokens
        )
        run = RunDirectory.create(str(to), manifest)
        with run.lock():
            if configuration is not None:
                paidrun.configure(run, configuration, emulator_options)
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


def _configured(engine: str, making: Making) -> tuple[Configuration | None, dict[str, Any], dict[str, Any]]:
    """Configuration of Document AI, options by which the run is told from another, options of its emulator."""
    from docdask.engine import configuring, paying

    if engine not in paying.PAID_ENGINES:
        _refuse_configured(engine, making)
        return None, making.options, {}
    configuration, emulator_options = configuring.configured(engine, making.options, making.given)
    return configuration, configuration.results(), emulator_options


def _refuse_configured(engine: str, making: Making) -> None:
    named = [name for name, value in making.given.items() if value is not None]
    if named:
        raise UsageError(
            f"{named[0]} is of Document AI, and the engine is {engine}",
            "add --engine documentai, or --engine emulator",
        )


def agreed(url: str, making: Making) -> None:
    """Make sure that what is said of a run that is there is what it was made with: it never mixes two ways.

    Raises
    ------
    RunMismatch
        If something differs; the message names it. What is not said does not differ.
    UsageError
        If what is said could be right for no run.
    """
    from docdask.engine import paying
    from docdask.store.run import RunDirectory

    run = RunDirectory.open(url)
    made = run.manifest()
    asked = replace(made, engine=making.engine or made.engine, tokens=made.tokens or making.tokens)
    found = made.differences(asked)
    if asked.engine == made.engine and made.engine in paying.PAID_ENGINES:
        found += _differences_of_service(run, made.engine == "emulator", making)
    elif asked.engine == made.engine:
        _refuse_configured(made.engine, making)
        found += made.differences(replace(made, engine_options={**made.engine_options, **making.options}))
    if found:
        raise RunMismatch(
            f"{run.url} was made with other options: {'; '.join(found)}",
            "leave them away to go on with it, or choose another folder",
        )


def _differences_of_service(run: RunDirectory, own: bool, making: Making) -> list[str]:
    from docdask.configuration.agreeing import differences
    from docdask.store import paidrun

    kept = paidrun.configuration(run)
    if kept is None:
        return []  # the driver says that it is missing
    return differences(
        kept, paidrun.emulator_options(run), own=own, options=making.options, given=making.given
    )


def amount(budget: str | float | None) -> None:
    """Refuse a budget that is no amount before anything is looked at.

    Raises
    ------
    UsageError
        If so.
    """
    if budget is not None:
        from docdask.engine import configuring

        configuring.budget(budget)


def accepted(
    url: str, budget: str | float | None, accept: Callable[[Plan], bool | None] | bool | None
) -> None:
    """Make sure that somebody has accepted what a paid run costs, and keep it as the most that is ever spent.

    Raises
    ------
    NotAccepted
        If nobody has.
    UsageError
        If the budget is none.
    """
    from docdask.engine import accepting
    from docdask.monitor.views import Plan
    from docdask.store import paidrun
    from docdask.store.run import RunDirectory

    run_ = RunDirectory.open(url)
    configuration = paidrun.configuration(run_)
    generations = run_.generations()
    if configuration is None or not generations:
        return
    offer = accepting.offer(run_, budget)
    if offer is None:
        return
    price = offer.price
    plan_ = Plan(run_.url, {**run_.plan_summary(generations[-1]), "offer": offer.to_json()})
    if callable(accept):
        accept = accept(plan_)
    if accept is None:
        accept = configuration.emulated or budget is not None
    if not accept:
        raise NotAccepted(
            f"{run_.url} costs up to ${(price.micros or 0) / 1e6:,.2f} for {price.pages:,} pages ({configuration.billing})",
            "say yes with --yes, set another limit with --budget, or leave it",
        )
    paidrun.accept(run_, offer.most)


def _pick(found: Sequence[Source], sample: int, seed: int) -> list[Source]:
    from docdask.engine import estimating

    return estimating.pick(found, sample, seed)


def _plan(
    run: RunDirectory, engine: Engine, pool: Pool, settings: Settings, only: frozenset[str] | None = None
) -> Plan:
    from docdask.engine import calibration, planning
    from docdask.monitor.views import Plan
    from docdask.service import base
    from docdask.store import paidrun

    speed, note = calibration.speed(engine, settings)
    facts = {"speed_note": note, **_engine_facts(engine)}
    summary = planning.append(
        run,
        base.reader(engine),
        speed,
        pool.workers,
        only=only,
        facts=facts,
        configuration=paidrun.configuration(run),
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
    from docdask.engine import calibration, estimating
    from docdask.monitor.views import Plan
    from docdask.service import base
    from docdask.store import paidrun

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
            run, base.reader(engine), speed, pool.workers, found, picked, paidrun.configuration(run)
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
def kept(to: str | Path | None) -> Iterator[str]:
    """A run directory for a scan: the user's own, or one that is gone afterwards."""
    if to is not None:
        yield str(to)
        return
    folder = tempfile.mkdtemp(prefix="docdask-scan-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def as_run(what: Sources, to: str | Path | None) -> str | None:
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


def attach(url: str) -> RunHandle | None:
    """Handle of the driver that works on the run already, if there is one."""
    from docdask.engine.handle import RunHandle
    from docdask.store.run import RunDirectory

    run = RunDirectory(url)
    if not run.exists():
        return None
    found = RunHandle(run)
    return found if found.running() else None


def launch(url: str, way: Where) -> RunHandle:
    """Start a driver: a process of its own, or a thread where only this process has the cluster."""
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


def _plan_the_rest(run_: RunDirectory, way: Where) -> None:
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


def wait(handle: RunHandle, progress: Callable[[dict[str, Any]], None] | None) -> None:
    """Wait for the end of a run, showing how far it is; Ctrl-C stops it cleanly."""
    shower: Any = None
    try:
        # The driver works already: Ctrl-C must stop it from here on, also while this is imported.
        from docdask.monitor import progress as shown

        shower = shown.choose() if progress is None else None
        handle.wait(on_status=progress or shower)
    except KeyboardInterrupt:
        tell: Callable[[dict[str, Any]], None] = progress or shower or (lambda _status: None)
        tell({**handle.status(), "state": "stopping"})
        tell(handle.stop())
        raise
    finally:
        if shower:
            shower.close()
