"""What is installed, what is reachable, and what to do about what is not."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from docdask._version import __version__
from docdask.monitor import documentai
from docdask.monitor.checks import Check
from docdask.settings import Settings

#: Extras and a module that shows whether they are installed.
_EXTRAS = {
    "kubernetes": ("dask_kubernetes", "adaptive clusters on Kubernetes"),
    "gcs": ("gcsfs", "gs:// sources and run directories"),
    "notebook": ("jupyterlab", "JupyterLab and widgets"),
    "emulator": ("aiohttp", "the Document AI emulator"),
}


def checks(settings: Settings) -> Iterator[Check]:
    """Everything that docdask needs or can use, in the order in which a person would look.

    Nothing leaves this machine, unless Document AI is configured: then its processors are asked whether they can be called.
    """
    version = ".".join(map(str, sys.version_info[:3]))
    fine = sys.version_info >= (3, 11)
    yield Check("python", "ok" if fine else "problem", version, "" if fine else "use Python 3.11 or newer")
    yield Check("docdask", "ok", __version__)
    for name in (
        "dask",
        "distributed",
        "pandas",
        "pyarrow",
        "google-cloud-documentai",
        "pypdfium2",
        "pikepdf",
        "rapidocr",
    ):
        yield _package(name)
    yield _models()
    yield _machine(settings)
    yield _state(settings)
    yield _space()
    yield _cluster(settings)
    for extra, (module, use) in _EXTRAS.items():
        there = importlib.util.find_spec(module) is not None
        remedy = "" if there else f"pip install 'docdask[{extra}]'"
        yield Check(
            f"extra {extra}", "ok" if there else "missing", use if there else f"not installed: {use}", remedy
        )
    yield _credentials()
    yield from documentai.checks()


def _package(name: str) -> Check:
    try:
        return Check(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        return Check(name, "problem", "not installed", f"pip install {name}, or install docdask again")


def _models() -> Check:
    spec = importlib.util.find_spec("rapidocr")
    folder = Path(spec.origin).parent / "models" if spec and spec.origin else Path()
    models = sorted(path.name for path in folder.glob("*.onnx"))
    if models:
        return Check("OCR models", "ok", f"{len(models)} in the wheel: {', '.join(models)}")
    return Check("OCR models", "problem", "none", "install rapidocr again: its models come in the wheel")


def _machine(settings: Settings) -> Check:
    import psutil

    total = psutil.virtual_memory().total
    need = settings.worker_count * 1.5e9
    found = f"{settings.worker_count} cores, {total / 1e9:.1f} GB of memory"
    if total < need:
        return Check(
            "machine",
            "problem",
            found,
            f"set DOCDASK_WORKERS={max(1, int(total // 1.5e9))}: a worker may need 1.5 GB",
        )
    return Check("machine", "ok", found)


def _state(settings: Settings) -> Check:
    try:
        folder = settings.state_folder
        with tempfile.TemporaryFile(dir=folder):
            return Check("state folder", "ok", str(folder))
    except OSError as error:
        return Check(
            "state folder",
            "problem",
            getattr(error, "message", str(error)),
            "set DOCDASK_STATE to a folder that you can write",
        )


def _space() -> Check:
    free = shutil.disk_usage(Path.cwd()).free
    if free < 1e9:
        return Check(
            "disk", "problem", f"{free / 1e9:.1f} GB free here", "make room: results need about 30 kB a page"
        )
    return Check("disk", "ok", f"{free / 1e9:.1f} GB free here")


def _cluster(settings: Settings) -> Check:
    from docdask.engine.clusters import local

    try:
        facts = local.running(settings)
    except OSError:
        return Check("local cluster", "problem", "it needs the state folder", "see there")
    if facts:
        return Check("local cluster", "ok", f"runs at {facts.address}, dashboard {facts.dashboard}")
    with contextlib.closing(socket.socket()) as probe:
        try:
            probe.bind(("127.0.0.1", 0))
        except OSError as error:
            return Check(
                "local cluster", "problem", f"no port on loopback: {error}", "allow connections on 127.0.0.1"
            )
    return Check("local cluster", "ok", "not running; it starts with the first run")


def _credentials() -> Check:
    path = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS", "")
    if not path:
        return Check("Google credentials", "missing", "none set; the offline engine needs none")
    if Path(path).is_file():
        return Check("Google credentials", "ok", path)
    return Check(
        "Google credentials", "missing", f"{path} does not exist", "correct GOOGLE_APPLICATION_CREDENTIALS"
    )
