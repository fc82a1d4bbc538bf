"""The one semaphore in front of a project's Document AI: which endpoints it has, and what they allow.

Rules: one project is one semaphore, whatever runs use it; an endpoint is a configured processor in one location; what
Google counts together (requests of one processor type in one region) is one group.
"""

from __future__ import annotations

from docdask.core.limits import LimitBook, region_kind
from docdask.core.routes import Configuration, Place, Processor
from docdask.core.spec import FULL_PPM, SECOND_NS, EndpointSpec, SemaphoreSpec
from docdask.engine.job import Job
from docdask.engine.semaphore import QuotaSemaphore


def endpoint_name(place: Place, processor: Processor) -> str:
    """Name of a processor in one location: ``us/ocr``."""
    return f"{place.location}/{processor.alias}"


def places(configuration: Configuration, alias: str) -> dict[str, Place]:
    """Endpoints by name where a processor may be called: those within the residency rule."""
    processor = configuration.processors[alias]
    return {
        endpoint_name(place, processor): place
        for place in processor.places
        if not configuration.residency or place.location in configuration.residency
    }


def spec(configuration: Configuration) -> SemaphoreSpec:
    """Limits of a project's semaphore, from its quotas.

    Every call of a run is written down before it is made: the semaphore keeps a ledger. Other runs of the project may have other
    processors.
    """
    book = configuration.book
    endpoints = tuple(
        _endpoint(place, processor, book)
        for processor in configuration.processors.values()
        for place in processor.places
    )
    return SemaphoreSpec(
        endpoints,
        period_ns=round(configuration.period_s * SECOND_NS),
        user_requests=book.quota("user_requests", "us"),
        quota_share_ppm=round(configuration.quota_share * FULL_PPM),
        ledger=True,
        shared=True,
    )


def _endpoint(place: Place, processor: Processor, book: LimitBook) -> EndpointSpec:
    region, kind = region_kind(place.location), processor.processor_type
    generative = processor.limits(book).generative
    return EndpointSpec(
        endpoint_name(place, processor),
        location=place.location,
        requests=book.quota("online_requests", region, kind),
        pages=book.quota("online_pages", region, kind) if generative else None,
        batch=book.quota("batch_operations", region, kind),
        requests_group=f"{region}/{kind}",
        pages_group=f"{region}/{kind}/{place.version}",
        # Multi-regions count operations of a project, single regions those of a processor.
        batch_group=region if region != "single" else place.processor,
    )


def semaphore_name(configuration: Configuration, emulator_host: str) -> str:
    """One name a project; an emulator is a project of its own wherever it listens."""
    return f"documentai/{configuration.project}{f'@{emulator_host}' if emulator_host else ''}"


def semaphore_of(job: Job) -> QuotaSemaphore:
    """The semaphore that calls of a run go through; all of them in a process speak through one agent."""
    assert job.configuration is not None
    return QuotaSemaphore(
        name=semaphore_name(job.configuration, job.emulator_host), spec=spec(job.configuration)
    )
