"""A plan for all from a look at some: a stratified, seeded sample and the interval it gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import PurePosixPath

from docdask.core import sampling
from docdask.core.planner import Item, Speed
from docdask.core.sampling import Stratum
from docdask.model import Source
from docdask.service import base
from docdask.store.run import RunDirectory

_NAMES = ("ready", "aside", "pages", "expected_s")


def stratum(source: Source) -> str:
    """Files of one type by name and of one order of magnitude by size are alike enough to stand for each other."""
    return f"{PurePosixPath(source.uri).suffix.lower()}/{source.size_bytes.bit_length() // 2}"


def pick(found: Sequence[Source], sample: int, seed: int) -> list[Source]:
    """Sample of ``found``; a larger one of the same seed has the smaller one in it."""
    by_id = {source.document_id: source for source in found}
    drawn = sampling.draw({identity: stratum(source) for identity, source in by_id.items()}, sample, seed)
    return [by_id[identity] for identity in drawn]


def estimate(
    run: RunDirectory,
    engine: base.Engine,
    speed: Speed,
    workers: int,
    found: Sequence[Source],
    picked: Sequence[Source],
) -> dict[str, dict[str, float]]:
    """Totals over all that was found, each with its 95 % interval.

    Returns
    -------
    dict
        ``ready``, ``aside`` (documents), ``pages``, ``expected_s`` (wall-clock seconds on ``workers``); each with
        ``total``, ``low``, ``high``, ``sampled``, ``population``.
    """
    populations: dict[str, int] = {}
    for source in found:
        key = stratum(source)
        populations[key] = populations.get(key, 0) + 1
    strata = {source.document_id: stratum(source) for source in picked}
    observed: dict[str, dict[str, list[float]]] = {name: {} for name in _NAMES}
    columns = ["document_id", "state", "mime_type", "pages", "text_pages"]
    for row in run.catalog(columns).to_pylist():
        key = strata.get(row["document_id"], "")
        if not key:
            continue
        ready = row["state"] == "ready" and row["mime_type"] in engine.mime_types
        pages = row["pages"] or 1
        item = Item(pages, min(row["text_pages"] or 0, pages))
        numbers = (ready, not ready, pages * ready, speed.seconds(item) / workers * ready)
        for name, number in zip(_NAMES, numbers, strict=True):
            observed[name].setdefault(key, []).append(float(number))
    return {
        name: asdict(
            sampling.estimate(Stratum(populations[key], tuple(values)) for key, values in by_key.items())
        )
        for name, by_key in observed.items()
    }
