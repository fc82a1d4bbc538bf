"""Whether a run could call what is configured, found out before money is spent.

Rules: every place is looked at, side by side; a refusal to *describe* a processor is no reason to stop, because the role
that may call one need not include it; what proves that calls are allowed is a call: five bytes that no processor can
read, whose refusal is never billed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from docdask.core.routes import Configuration, Place, Processor
from docdask.errors import DocdaskError, UsageError
from docdask.service.documentai import processors
from docdask.service.documentai.values import Check, ProcessorFacts
from docdask.service.errors import CredentialsError, ServiceError

if TYPE_CHECKING:
    from docdask.service.documentai.client import DocumentAI

#: No PDF; whoever is allowed to call is told so.
_UNREADABLE = b"%PDF-"
#: Faults of the five bytes: the call got through all that comes before looking at them.
_EXPECTED = frozenset({"corrupt", "corrupt-image", "empty", "invalid", "encrypted", "wrong-type"})
#: Refusals that say nothing against a run: others use the quota, or the service is busy.
_PASSING = frozenset(
    {
        "quota", "quota-requests", "quota-pages", "quota-user", "capacity", "unavailable", "internal", "deadline", "reply-lost",
        "unknown", "cancelled",
    }
)  # fmt: skip
_DEADLINE_S = 60.0


async def check(client: DocumentAI, configuration: Configuration) -> list[Check]:
    """Check every place of every processor; the first is the credentials."""
    places = [(row, place) for row in configuration.processors.values() for place in row.places]
    if not places:
        return []
    found = await asyncio.gather(*(_place(client, row, place) for row, place in places))
    refused = next((one.error for one in found if isinstance(one.error, CredentialsError)), None)
    if refused is not None:
        # One sentence for all: without credentials nothing is known about any processor.
        return [Check("credentials", "failed", refused.message, refused.remedy, refused)]
    return [Check("credentials", "ok", "signed in, or none needed"), *found]


async def _place(client: DocumentAI, processor: Processor, place: Place) -> Check:
    subject = f"{processor.alias} in {place.location}"
    found = await processors.try_to_describe(client, place)
    if isinstance(found, ProcessorFacts):
        wrong = _contradiction(subject, processor, found)
        if wrong is not None:
            return wrong
    elif found.kind not in ("permission", "denied") and found.kind not in _PASSING:
        return Check(subject, "failed", found.message, found.remedy, found)
    refusal = await _call(client, processor, place)
    if refusal is not None:
        return _judged(subject, refusal)
    if isinstance(found, ServiceError):
        return Check(subject, "warning", f"can be called; {found.message}", found.remedy)
    if found.ends_s:
        return Check(subject, "warning", processors.deprecation(found), "pin its replacement")
    return Check(subject, "ok", f"{found.processor_type}, version {found.version}")


def _contradiction(subject: str, processor: Processor, facts: ProcessorFacts) -> Check | None:
    """What the service says otherwise than the configuration."""
    wrong = processors.other_type(facts, processor.processor_type)
    if wrong is not None:
        return Check(subject, "failed", wrong.message, wrong.remedy, wrong)
    if not facts.enabled:
        return Check(
            subject, "failed", f"{facts.name} is {facts.state.lower().replace('_', ' ')}",
            "enable it in the console, then give the same command again",
        )  # fmt: skip
    return None


async def _call(client: DocumentAI, processor: Processor, place: Place) -> DocdaskError | None:
    """Why calls would fail; None if they would not."""
    try:
        await client.process(place, processor, _UNREADABLE, "application/pdf", deadline_s=_DEADLINE_S)
    except ServiceError as error:
        return None if error.kind in _EXPECTED else error
    except UsageError as error:
        return error
    return None


def _judged(subject: str, refusal: DocdaskError) -> Check:
    error = refusal if isinstance(refusal, ServiceError) else None
    passing = error is not None and error.kind in _PASSING
    return Check(subject, "warning" if passing else "failed", refusal.message, refusal.remedy, error)
