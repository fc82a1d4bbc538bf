"""What a plan for Document AI starts from: the configuration with every version pinned, and what may be spent.

Rules: a version that is not pinned is looked up once, when the run is planned, and is part of the units' ids from then
on; where it can't be looked up, the user is told how to pin it, for planning itself needs no credentials.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from docdask.configuration import emulator_host, load_configuration, split_options
from docdask.core.routes import Configuration, Place, Processor
from docdask.core.spec import BudgetSpec
from docdask.errors import UsageError
from docdask.service.documentai import DocumentAI
from docdask.service.errors import ServiceError


def configured(
    engine: str, options: Mapping[str, Any], given: Mapping[str, Any]
) -> tuple[Configuration, dict[str, Any]]:
    """Configuration with pinned versions, and the options that are the emulator's.

    Parameters
    ----------
    engine
        ``documentai`` or ``emulator``.
    options
        Of the engine.
    given
        Arguments of :func:`docdask.configuration.load_configuration`; None means not given.

    Raises
    ------
    UsageError
        If something is missing, can't be right, or a version can't be looked up.
    """
    configuration = load_configuration(engine, options=options, **given)
    _, emulator_options = split_options(options)
    if all(place.version for row in configuration.processors.values() for place in row.places):
        return configuration, dict(emulator_options)
    with ThreadPoolExecutor(1) as thread:  # a notebook's own thread has a loop already
        return thread.submit(asyncio.run, _pinned(configuration)).result(), dict(emulator_options)


async def _pinned(configuration: Configuration) -> Configuration:
    client = DocumentAI(configuration, emulator_host=emulator_host())
    try:
        rows = {alias: await _pin(client, row) for alias, row in configuration.processors.items()}
    finally:
        await client.close()
    return replace(configuration, processors=rows)


async def _pin(client: DocumentAI, processor: Processor) -> Processor:
    return replace(
        processor, places=tuple([await _resolve(client, processor, place) for place in processor.places])
    )


async def _resolve(client: DocumentAI, processor: Processor, place: Place) -> Place:
    if place.version:
        return place
    try:
        return replace(place, version=await client.resolve_version(place, processor.processor_type))
    except ServiceError as error:
        if error.kind == "processor-type":  # it would be priced, packed and split as what it is not
            raise UsageError(f"processor {processor.alias!r}: {error.message}", error.remedy) from error
        raise UsageError(
            f"processor {processor.alias!r} has no version pinned, and it can't be looked up: {error.message}",
            f'write version = "…" under [documentai.processors.{processor.alias}] in docdask.toml, or: {error.remedy}',
        ) from error


def budget(text: str | float | None) -> BudgetSpec | None:
    """What may be spent, from what a user wrote: ``25`` or ``$25`` dollars, ``5000 pages``; None if nothing was.

    Raises
    ------
    UsageError
        If it is neither.
    """
    if text is None:
        return None
    words = str(text).strip().lower().replace(",", "").split()
    try:
        if len(words) == 2 and words[1] in ("page", "pages"):
            return BudgetSpec(pages=int(words[0]))
        if len(words) == 2 and words[1] in ("usd", "dollars"):
            words = words[:1]
        (amount,) = words
        return BudgetSpec(micros=round(float(amount.removeprefix("$")) * 1_000_000))
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"--budget {text!r} is no amount", "write dollars (25) or pages ('5000 pages')"
        ) from error
