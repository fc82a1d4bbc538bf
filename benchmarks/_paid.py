"""What the benchmarks of paid runs share: an emulator in a process of its own, and runs that are led to it.

The emulator's CPU is nobody's here, and its books say what was sent. A run is led to it as to Google, by
``--engine documentai`` with ``DOCUMENTAI_EMULATOR_HOST``, so that one emulator serves docdask and its rivals alike.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._common import machine
from docdask.service.emulator.child import EmulatorProcess
from docdask.settings import Settings

PROJECT = "bench"
#: Its OCR processor, under the name that clients call.
PROCESSOR = f"projects/{PROJECT}/locations/us/processors/ocr"
BUCKET = "bench"
#: So many calls a minute that no quota is met.
WIDE = 10_000_000

_FILE = """
[documentai]
project = "{project}"
location = "us"
period_s = {period_s}
staging = "gs://{bucket}/docdask"

[documentai.limits]
"online_requests.us" = {quota}
"user_requests" = {wide}

[documentai.processors.ocr]
type = "ocr"
processor = "ocr"
"""


@dataclass(frozen=True)
class Place:
    """Where a benchmark of paid runs happens."""

    settings: Settings
    folder: Path
    emulator: EmulatorProcess

    def books(self) -> list[dict[str, Any]]:
        """Online calls that were answered."""
        return list(self.emulator.calls(method="ProcessDocument", code="OK"))


@contextlib.contextmanager
def place(
    *, quota: int = WIDE, speed: float = 1.0, latency: str = "none", workers: int = 0, **options: Any
) -> Iterator[Place]:
    """A machine with an emulator, and an environment that leads docdask and Google's clients to it.

    Parameters
    ----------
    quota
        Online requests a minute; what a minute is, ``speed`` says.
    speed
        Emulated seconds in a real one. The configuration's ``period_s`` is told.
    latency, **options
        As of ``docdask emulator``.
    workers
        Of the local cluster; 0: a core each.
    """
    with machine(workers) as (made, folder):
        told: Mapping[str, Any] = {
            "ocr": "fast", "latency": latency, "speed": speed, "bucket": BUCKET,
            "quota": {"online_requests": quota, "user_requests": WIDE}, **options,
        }  # fmt: skip
        file = folder / "docdask.toml"
        file.write_text(
            _FILE.format(project=PROJECT, period_s=60 / speed, bucket=BUCKET, quota=quota, wide=WIDE),
            encoding="utf-8",
        )
        with (
            EmulatorProcess(None, told) as emulator,
            _variables({**emulator.environment, "DOCDASK_FILE": str(file)}),
        ):
            yield Place(made, folder, emulator)


@contextlib.contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def load() -> str:
    """The machine's load, to be noted beside what was measured."""
    one, five, _ = os.getloadavg()
    return f"load {one:.0f} (five minutes: {five:.0f}) on {os.cpu_count()} cores"
