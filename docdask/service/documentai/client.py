"""The client: online calls, batch operations, and what is asked about processors.

Rules: one a process and event loop, made where it is used (it does not pickle; a copy would share connections with
nobody); nothing is tried again here, every failure leaves as a :class:`~docdask.service.errors.ServiceError`; requests
and answers pass as bytes, and an answer's Document is cut out of it without being parsed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, Self

from docdask import __version__
from docdask.core.routes import Configuration, Place, Processor
from docdask.errors import UsageError
from docdask.model import PageRange
from docdask.service.documentai import channels, checking, longrunning, processors, requests
from docdask.service.documentai.values import Answer, Check, Operation, ProcessorFacts
from docdask.service.errors import ServiceError, classify, make

#: Seconds after which a call counts as lost; Google's own clients give up after 300.
DEADLINE_S = 300.0
#: Seconds for calls that only look something up.
LOOKUP_S = 60.0
#: Seconds for handing in a batch: it may take the service two minutes to look at 5,000 names.
SUBMIT_S = 240.0

_SERVICE = "/google.cloud.documentai.v1.DocumentProcessorService"
NO_LABELS: Mapping[str, str] = {}


class DocumentAI:
    """Google Document AI, or an emulator of it; ``async with`` closes it.

    Parameters
    ----------
    configuration
        Project, processors and places.
    emulator_host
        ``host:port`` of an emulator: plaintext, without credentials. Empty: Google, with the credentials that
        ``google.auth`` finds.
    user_agent
        How the client names itself to the service.

    Attributes
    ----------
    configuration
        As given.

    Examples
    --------
    >>> async with DocumentAI(configuration) as client:                                  # doctest: +SKIP
    ...     answer = await client.process(place, processor, content, "application/pdf")
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        emulator_host: str = "",
        user_agent: str = f"docdask/{__version__}",
    ) -> None:
        self.configuration = configuration
        self._emulator_host = emulator_host
        self._user_agent = user_agent
        self._credentials: Any = None
        self._signing_in: asyncio.Future[Any] | None = None
        self._channels: dict[str, channels.Channels] = {}
        self._templates: dict[str, tuple[Processor, Any]] = {}
        self._metadata: dict[str, tuple[tuple[str, str], ...]] = {}
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __reduce__(self) -> NoReturn:
        msg = "a DocumentAI client does not pickle; make one where it is used, from its configuration"
        raise TypeError(msg)

    # -- online ------------------------------------------------------------------------------------------------------

    def load(self) -> None:
        """Import what the first call would have to import; a second, once a process."""
        requests.default_mask()

    async def process(
        self,
        place: Place,
        processor: Processor,
        content: bytes | str,
        mime_type: str,
        *,
        pages: PageRange | None = None,
        labels: Mapping[str, str] = NO_LABELS,
        deadline_s: float = DEADLINE_S,
    ) -> Answer:
        """Recognise one document, or some pages of it, in one call. Exactly one: nothing is tried again.

        Parameters
        ----------
        place
            Where; one of the processor's places.
        processor
            Its options, field mask and imageless mode hold.
        content
            The file's bytes, or a ``gs://`` URI that the service reads in place.
        mime_type
            As Document AI names it.
        pages
            Selected pages; None for all. Numbers in the answer are the file's own.
        labels
            For the bill: lower-case letters, digits, ``_`` and ``-``, 63 characters at most.
        deadline_s
            Seconds after which the call is given up, and nobody knows whether it was billed.

        Raises
        ------
        ServiceError
            If the call failed.
        UsageError
            If labels, options or mask can't be right; nothing was sent.
        """
        if labels:
            labels = requests.check_labels(labels)
        request = requests.process_request(
            place, self._template(processor), content, mime_type, pages, labels
        )
        began = time.perf_counter()
        response = await self._call(
            place.location, f"{_SERVICE}/ProcessDocument", request, f"name={place.target}", deadline_s
        )
        seconds = time.perf_counter() - began
        try:
            document = requests.document_of(response)
        except ValueError as error:
            raise make("bad-answer", said=str(error)) from error
        return Answer(document, len(request), seconds)

    def _template(self, processor: Processor) -> Any:
        known = self._templates.get(processor.alias)
        if known is None or known[0] is not processor:
            known = self._templates[processor.alias] = (processor, requests.process_template(processor))
        return known[1]

    # -- processors --------------------------------------------------------------------------------------------------

    async def describe(self, place: Place) -> ProcessorFacts:
        """What the service says about a processor and its version (``GetProcessor``, ``GetProcessorVersion``).

        Raises
        ------
        ServiceError
            If it is not there, or asking is not allowed.
        """
        return await processors.describe(self, place)

    async def resolve_version(self, place: Place, processor_type: str = "") -> str:
        """Id of the version that calls to ``place`` go to now; pin it, so that results don't change in mid-run.

        A version that Google has announced to switch off is told as a warning of :mod:`logging`, and by :meth:`check`.

        Parameters
        ----------
        place
            The processor.
        processor_type
            What it should be, ``OCR_PROCESSOR`` …; empty: whatever it is.

        Raises
        ------
        ServiceError
            If the processor is not there or of another type, or asking is not allowed.
        """
        return await processors.resolve_version(self, place, processor_type)

    async def check(self, configuration: Configuration | None = None) -> list[Check]:
        """Look before money is spent: credentials, network, and each processor in each of its places.

        Each place is asked what it is, and sent five bytes that no processor can read: a call that is allowed is answered
        with their fault, is not billed, and proves permission, options and field mask.

        Parameters
        ----------
        configuration
            What to check; None for the client's own.
        """
        return await checking.check(self, configuration or self.configuration)

    # -- batch -------------------------------------------------------------------------------------------------------

    async def submit(
        self,
        place: Place,
        processor: Processor,
        inputs: Sequence[tuple[str, str]],
        output: str,
        *,
        labels: Mapping[str, str] = NO_LABELS,
        deadline_s: float = SUBMIT_S,
    ) -> str:
        """Begin a batch operation (``BatchProcessDocuments``) and return its name.

        Parameters
        ----------
        inputs
            Pairs of ``gs://`` URI and MIME type, 5,000 at most.
        output
            ``gs://bucket/prefix`` under which the results of this operation, and of no other, are written.

        Raises
        ------
        ServiceError
            If it was refused; with the verdict ``lost`` it may run all the same: see :meth:`find_operations`.
        UsageError
            If there are too many files, or labels, options or mask can't be right.
        """
        most = self.configuration.book.limit("batch_files")
        if not 0 < len(inputs) <= most:
            raise UsageError(f"a batch of {len(inputs)} files", f"give it 1 to {most:,}")
        request = requests.batch_request(place, processor, inputs, output, requests.check_labels(labels))
        response = await self._call(
            place.location, f"{_SERVICE}/BatchProcessDocuments", request, f"name={place.target}", deadline_s
        )
        return longrunning.read(response).name

    async def operation(self, name: str, *, deadline_s: float = LOOKUP_S) -> Operation:
        """State of a batch operation, by one ``GetOperation``; it counts for the user's quota.

        Raises
        ------
        ServiceError
            If it could not be asked; kind ``operation-not-found`` if there is none by that name.
        """
        return await longrunning.get(self, name, deadline_s)

    async def operations(
        self, location: str, *, project: str = "", deadline_s: float = LOOKUP_S
    ) -> list[Operation]:
        """All batch operations of a location that the service remembers (some 30 days), newest first.

        Parameters
        ----------
        location
            Where they were submitted.
        project
            Whose they are; empty: the configuration's.

        Raises
        ------
        ServiceError
            If they could not be listed.
        """
        return await longrunning.list_all(self, project or self.configuration.project, location, deadline_s)

    async def find_operations(self, location: str, output_prefix: str) -> list[str]:
        """Names of the operations whose results are under ``output_prefix``, as far as the service says.

        The service tells where results are only of operations that have ended. What a running one has written is in the
        bucket: :meth:`docdask.service.staging.Staging.operation_ids` looks there.

        Parameters
        ----------
        location
            Where it was submitted.
        output_prefix
            ``gs://bucket/prefix`` that was given to :meth:`submit`.

        Raises
        ------
        ServiceError
            If operations could not be listed.
        """
        return [
            found.name
            for found in await self.operations(location)
            if longrunning.writes_to(found, output_prefix)
        ]

    async def cancel(self, name: str) -> None:
        """Ask for a batch operation to be cancelled; what it has done is billed. One that has ended stays as it is.

        Raises
        ------
        ServiceError
            If it could not be asked.
        """
        await longrunning.cancel(self, name, LOOKUP_S)

    # -- calls -------------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Close all connections; calls in flight end as cancelled."""
        self._closed = True
        opened, self._channels = self._channels, {}
        for one in opened.values():
            await one.close()

    async def call(self, location: str, method: str, request: Any, kind: Any, deadline_s: float) -> Any:
        """Call any method by its path with a raw message, and parse the answer as ``kind``.

        Raises
        ------
        ServiceError
            If it failed.
        """
        name = getattr(request, "name", "")
        response = await self._call(location, method, request.SerializeToString(), f"name={name}", deadline_s)
        return kind.FromString(response)

    async def _call(self, location: str, path: str, request: bytes, route: str, deadline_s: float) -> bytes:
        """One unary call; the only place where one is made."""
        from grpc import RpcError

        at = self._channels.get(location) or await self._connect(location)
        try:
            with at.method(path) as method:
                response: bytes = await method(request, timeout=deadline_s, metadata=self._headers(route))
        except RpcError as error:
            raise classify(error) from error
        return response

    def _headers(self, route: str) -> tuple[tuple[str, str], ...]:
        """Headers of a call: who we are, and the resource by which the service routes it."""
        known = self._metadata.get(route)
        if known is None:
            from google.api_core.gapic_v1 import client_info, routing_header

            name, _, value = route.partition("=")
            info = client_info.ClientInfo(client_library_version=__version__, user_agent=self._user_agent)
            known = (
                routing_header.to_grpc_metadata(((name, value),)),
                ("x-goog-api-client", info.to_user_agent()),
            )
            if len(self._metadata) > 1000:  # operations have names of their own
                self._metadata.clear()
            self._metadata[route] = known
        return known

    async def _connect(self, location: str) -> channels.Channels:
        """Connections to a location; the first one of all looks for credentials."""
        if self._closed:
            raise make("closed")
        if not self._emulator_host and self._credentials is None:
            await self._sign_in()
        found = self._channels.get(location)  # another call may have been first while we signed in
        if found is None:
            found = self._channels[location] = channels.Channels(lambda: self._channel(location))
        return found

    def _channel(self, location: str) -> Any:
        if self._emulator_host:
            return channels.plain(self._emulator_host, self._user_agent)
        return channels.secure(location, self._credentials, self._user_agent)

    async def _sign_in(self) -> None:
        """Look for credentials, once however many ask; a failure is forgotten, so that the next call looks again."""
        from docdask.service.documentai import credentials

        if self._signing_in is None:
            loading = asyncio.to_thread(credentials.load, self.configuration.project)
            self._signing_in = asyncio.ensure_future(loading)
        signing_in = self._signing_in
        try:
            self._credentials = await asyncio.shield(signing_in)
        except ServiceError:
            self._signing_in = None
            raise
