"""What a project has at Document AI, and what can be made there: processors, versions, quotas, the staging bucket.

Rules: the calls that are made here cost nothing; they go where a run's calls would go, with the same credentials or to
the same emulator; what fails is told in the same sentences; only :meth:`Provisioning.create` changes anything.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import cache
from types import TracebackType
from typing import Any, Self, TypeVar

from docdask.core.routes import Configuration, Place, Route
from docdask.errors import StorageError, UsageError
from docdask.service.documentai import DocumentAI, ProcessorFacts
from docdask.service.documentai.processors import deprecation
from docdask.service.quotas import Quotas, of_emulator, of_project

T = TypeVar("T")

_SERVICE = "/google.cloud.documentai.v1.DocumentProcessorService"
_DEADLINE_S = 60.0
#: Making a processor may take its time.
_CREATE_S = 180.0
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Found:
    """A processor that a project has."""

    name: str
    """As the service writes it, with the project's number."""
    processor_type: str
    display_name: str
    state: str
    """``ENABLED``, ``DISABLED`` …"""
    default_version: str
    """Id; empty if it has none."""

    @property
    def id(self) -> str:
        """Last part of its name."""
        return self.name.rpartition("/")[2]

    @property
    def enabled(self) -> bool:
        """Whether it can be called."""
        return self.state == "ENABLED"


@dataclass(frozen=True, slots=True)
class Pinned:
    """The version that calls to a processor go to now."""

    version: str
    warning: str = ""
    """That it will be switched off, if that was announced."""
    default: str = ""
    """Version that calls without one go to; another one when a version was asked about."""


class Provisioning:
    """Document AI in one location, as far as its administration goes; a context manager.

    Parameters
    ----------
    project
        Id or number.
    location
        ``us``, ``eu`` or a single region.
    emulator_host
        ``host:port`` of an emulator; empty for Google.
    """

    def __init__(self, project: str, location: str, *, emulator_host: str = "") -> None:
        self.project = project
        self.location = location
        self.emulator_host = emulator_host
        nothing = Route("nothing", engine="offline", lane="offline")
        self._client = DocumentAI(
            Configuration(project, location, {}, (nothing,), emulated=bool(emulator_host)),
            emulator_host=emulator_host,
        )
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._runner.run(self._client.close())
        finally:
            self._runner.close()

    def processors(self) -> list[Found]:
        """All processors of the project in this location.

        Raises
        ------
        ServiceError
            If they can't be listed.
        """
        return self._run(self._processors())

    def create(self, processor_type: str, display_name: str) -> Found:
        """Make a processor. That costs nothing; calls to it do.

        Raises
        ------
        ServiceError
            If it can't be made: no permission, no such type here, the name is taken.
        """
        return self._run(self._create(processor_type, display_name))

    def pin(self, found: Found, version: str = "") -> Pinned:
        """Version that calls to the processor go to now, and whether it was announced to end.

        Parameters
        ----------
        found
            The processor.
        version
            To look at instead of the default one.

        Raises
        ------
        ServiceError
            If it can't be asked, or there is no such version.
        UsageError
            If it has none.
        """
        place = Place(self.location, self.resource(found), version)
        facts: ProcessorFacts = self._run(self._client.describe(place))
        if not facts.version:
            raise UsageError(
                f"processor {found.display_name!r} has no version that can be called",
                "train or deploy one in the console, and make it the default",
            )
        return Pinned(facts.version, deprecation(facts) if facts.ends_s else "", facts.default_version)

    def resource(self, found: Found) -> str:
        """Resource name with the project as the user writes it."""
        return f"projects/{self.project}/locations/{self.location}/processors/{found.id}"

    def quotas(self) -> Quotas:
        """Quotas of the project; of an emulator, what it was started with."""
        if self.emulator_host:
            return of_emulator(self.emulator_host)
        return of_project(self.project)

    def check_bucket(self, url: str) -> None:
        """See whether the staging bucket can be written, listed, read and cleaned.

        Raises
        ------
        StorageError
            If it can't, with what the storage says.
        UsageError
            If it is no bucket, or would be a real one while Document AI is emulated.
        """
        if self.emulator_host and not os.environ.get("STORAGE_EMULATOR_HOST"):
            raise UsageError(
                f"Document AI is emulated, and {url} would be a real bucket",
                'set STORAGE_EMULATOR_HOST as well: eval "$(docdask emulator env)"',
            )
        self._run(self._check_bucket(url))

    async def _check_bucket(self, url: str) -> None:
        from docdask.service.staging import Staging

        staging = Staging(url, project=self.project)
        try:
            found = await staging.check()
        finally:
            await staging.close()
        if not found.ok:
            raise StorageError(f"{url} can't be used: {found.message}", found.remedy)

    async def _processors(self) -> list[Found]:
        types = _types()
        found: list[Found] = []
        token = ""
        while True:
            request = types.ListProcessorsRequest.pb()(parent=self._parent, page_size=_PAGE, page_token=token)
            answer = await self._client.call(
                self.location, f"{_SERVICE}/ListProcessors", request, types.ListProcessorsResponse.pb(), _DEADLINE_S
            )  # fmt: skip
            found += [_found(message) for message in answer.processors]
            token = answer.next_page_token
            if not token:
                return found

    async def _create(self, processor_type: str, display_name: str) -> Found:
        types = _types()
        asked = types.Processor.pb()(type_=processor_type, display_name=display_name)
        request = types.CreateProcessorRequest.pb()(parent=self._parent, processor=asked)
        answer = await self._client.call(
            self.location, f"{_SERVICE}/CreateProcessor", request, types.Processor.pb(), _CREATE_S
        )
        return _found(answer)

    @property
    def _parent(self) -> str:
        return f"projects/{self.project}/locations/{self.location}"

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(coroutine)


@cache
def _types() -> Any:
    from google.cloud import documentai_v1

    return documentai_v1


def _found(message: Any) -> Found:
    return Found(
        name=message.name,
        processor_type=message.type_,
        display_name=message.display_name,
        state=_types().Processor.pb().State.Name(message.state),
        default_version=message.default_processor_version.rpartition("/")[2],
    )
