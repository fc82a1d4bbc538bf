"""What the service says about processors and their versions."""

from __future__ import annotations

import logging
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from docdask.core.routes import Place
from docdask.service.documentai.values import ProcessorFacts
from docdask.service.errors import ServiceError, make

if TYPE_CHECKING:
    from docdask.service.documentai.client import DocumentAI

_log = logging.getLogger(__name__)
_SERVICE = "/google.cloud.documentai.v1.DocumentProcessorService"
_DEADLINE_S = 60.0


@cache
def _types() -> Any:
    from google.cloud import documentai_v1

    return documentai_v1


async def describe(client: DocumentAI, place: Place) -> ProcessorFacts:
    """``GetProcessor``, then ``GetProcessorVersion`` of the version that calls go to."""
    types = _types()
    found = await client.call(
        place.location, f"{_SERVICE}/GetProcessor", types.GetProcessorRequest.pb()(name=place.processor),
        types.Processor.pb(), _DEADLINE_S,
    )  # fmt: skip
    default = found.default_processor_version.rpartition("/")[2]
    version = place.version or default
    ends_s, replacement = 0.0, ""
    if version:
        name = f"{place.processor}/processorVersions/{version}"
        message = await client.call(
            place.location, f"{_SERVICE}/GetProcessorVersion", types.GetProcessorVersionRequest.pb()(name=name),
            types.ProcessorVersion.pb(), _DEADLINE_S,
        )  # fmt: skip
        deprecation = message.deprecation_info
        ends_s = float(deprecation.deprecation_time.seconds)
        replacement = deprecation.replacement_processor_version.rpartition("/")[2]
        # A pinned alias ("stable", "rc") answers with the version it stands for now.
        version = message.name.rpartition("/")[2] or version
    state = types.Processor.pb().State.Name(found.state)
    return ProcessorFacts(
        found.name or place.processor, found.type_, state == "ENABLED", state, default, version, ends_s, replacement
    )  # fmt: skip


async def resolve_version(client: DocumentAI, place: Place, processor_type: str) -> str:
    """Id of the version that calls go to, if the processor is of that type; a deprecated one is told."""
    facts = await describe(client, place)
    wrong = other_type(facts, processor_type)
    if processor_type and wrong is not None:
        raise wrong
    if not facts.version:
        raise make("no-version", processor=place.processor)
    if facts.ends_s:
        _log.warning("%s", deprecation(facts))
    return facts.version


def other_type(facts: ProcessorFacts, processor_type: str) -> ServiceError | None:
    """Why the processor is none of that type; None if it is one."""
    if facts.processor_type == processor_type:
        return None
    return make("processor-type", processor=facts.name, found=facts.processor_type, wanted=processor_type)


def deprecation(facts: ProcessorFacts) -> str:
    """One sentence about the end of a version."""
    when = time.strftime("%Y-%m-%d", time.gmtime(facts.ends_s))
    instead = f"; Google names {facts.replacement} instead" if facts.replacement else ""
    ended = "was switched off" if facts.ends_s < time.time() else "will be switched off"
    return f"version {facts.version} of {facts.name} {ended} on {when}{instead}"


async def try_to_describe(client: DocumentAI, place: Place) -> ProcessorFacts | ServiceError:
    """What :func:`describe` gives, or why it can't."""
    try:
        return await describe(client, place)
    except ServiceError as error:
        return error
