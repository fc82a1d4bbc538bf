"""Every method but processing: processors, versions, types, locations and operations.

Each handler takes a request message and returns the reply message; :class:`Methods.call` lets it in by the user's quota,
checks the permission and books it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from google.cloud.location import locations_pb2
from google.longrunning import operations_pb2
from google.protobuf import empty_pb2

from docdask.core.limits import LOCATIONS, PROCESSOR_LIMITS
from docdask.core.server import Call, Processor, Status, project_number
from docdask.core.server.status import INVALID, invalid
from docdask.service.emulator.backend import Backend
from docdask.service.emulator.batches import Batches, Job
from docdask.service.emulator.messages import (
    message_type,
    pack,
    processor_message,
    processor_type_message,
    stamp,
    version_message,
)
from docdask.service.emulator.names import Name, Refused, parse
from docdask.service.emulator.processing import Caller
from docdask.service.emulator.statuses import to_proto

Handler = Callable[[Any, Caller], Awaitable[Any]]

_PERMISSIONS = {
    "GetProcessor": "documentai.processors.get", "ListProcessors": "documentai.processors.list",
    "CreateProcessor": "documentai.processors.create", "DeleteProcessor": "documentai.processors.delete",
    "EnableProcessor": "documentai.processors.update", "DisableProcessor": "documentai.processors.update",
    "SetDefaultProcessorVersion": "documentai.processors.update",
    "GetProcessorVersion": "documentai.processorVersions.get",
    "ListProcessorVersions": "documentai.processorVersions.list",
    "GetOperation": "documentai.operations.getLegacy", "ListOperations": "documentai.locations.get",
}  # fmt: skip
#: Methods that need training data or custom versions, which an emulator has none of.
_UNIMPLEMENTED = (
    "TrainProcessorVersion", "EvaluateProcessorVersion", "GetEvaluation", "ListEvaluations", "ReviewDocument",
    "ImportProcessorVersion",
)  # fmt: skip


class Methods:
    """Handlers by method name."""

    def __init__(self, backend: Backend, batches: Batches) -> None:
        self._backend = backend
        self._batches = batches
        #: Operations that had ended when they were made (processor management), newest last.
        self._short: dict[str, Any] = {}
        backend.on_reset.append(self._short.clear)
        self._handlers: dict[str, Handler] = {
            name: getattr(self, f"_{_snake(name)}")
            for name in (
                "FetchProcessorTypes", "ListProcessorTypes", "GetProcessorType", "ListProcessors", "GetProcessor",
                "CreateProcessor", "DeleteProcessor", "EnableProcessor", "DisableProcessor", "ListProcessorVersions",
                "GetProcessorVersion", "SetDefaultProcessorVersion", "DeployProcessorVersion",
                "UndeployProcessorVersion", "DeleteProcessorVersion", "GetOperation", "ListOperations",
                "CancelOperation", "DeleteOperation", "WaitOperation", "ListLocations", "GetLocation",
            )
        }  # fmt: skip
        self._handlers |= dict.fromkeys(_UNIMPLEMENTED, self._unimplemented)

    async def call(self, method: str, request: Any, caller: Caller) -> Any:
        """Answer one call.

        Raises
        ------
        Refused
            With the status to answer.
        """
        backend = self._backend
        at_ns = backend.clock.now_ns()
        text = _resource(request)
        call = Call("", "us", "", pages=0, user=caller.user)
        try:
            name = _any_name(text)
            call.project, call.location = name.project, name.location
            call.processor = name.id if name.kind == "processors" else ""
            verdict = backend.service.other(method, name.project, name.location, caller.user, at_ns)
            if verdict.status is not None:
                backend.write_row(at_ns, method, call, verdict.status.code, message=verdict.status.message)
                raise _Booked(verdict.status)
            permission = _PERMISSIONS.get(method, "")
            if permission in backend.config.server.denied:
                raise Refused(backend.service.permission_denied(permission, text))
            reply = await self._handlers[method](request, caller)
        except _Booked:
            raise
        except Refused as refused:
            backend.service.answered(method, refused.status.code)
            backend.write_row(at_ns, method, call, refused.status.code, message=refused.status.message)
            raise
        backend.service.answered(method, "OK")
        backend.write_row(at_ns, method, call, "OK")
        return reply

    async def _unimplemented(self, request: Any, caller: Caller) -> Any:  # noqa: ARG002 - a handler's signature
        raise Refused(Status("UNIMPLEMENTED", "Operation is not implemented, or supported, or enabled."))

    # ------------------------------------------------------------------ types and locations

    async def _fetch_processor_types(self, request: Any, caller: Caller) -> Any:
        name = _any_name(request.parent)
        types = [
            processor_type_message(caller.api, name.project, name.location, kind) for kind in PROCESSOR_LIMITS
        ]
        return message_type(caller.api, "FetchProcessorTypesResponse")(processor_types=types)

    async def _list_processor_types(self, request: Any, caller: Caller) -> Any:
        name = _any_name(request.parent)
        kinds, token = page_of(list(PROCESSOR_LIMITS), request.page_size, request.page_token)
        types = [processor_type_message(caller.api, name.project, name.location, kind) for kind in kinds]
        return message_type(caller.api, "ListProcessorTypesResponse")(
            processor_types=types, next_page_token=token
        )

    async def _get_processor_type(self, request: Any, caller: Caller) -> Any:
        name = parse(request.name, "processorTypes")
        if name.id not in PROCESSOR_LIMITS:
            raise Refused(Status("NOT_FOUND", f"Processor type {request.name} is not found."))
        return processor_type_message(caller.api, name.project, name.location, name.id)

    async def _list_locations(self, request: Any, caller: Caller) -> Any:  # noqa: ARG002 - a handler's signature
        project = request.name.split("/")[1]
        places, token = page_of(list(LOCATIONS), request.page_size, request.page_token)
        return locations_pb2.ListLocationsResponse(
            locations=[_location(project, place) for place in places], next_page_token=token
        )

    async def _get_location(self, request: Any, caller: Caller) -> Any:  # noqa: ARG002 - a handler's signature
        name = parse(request.name)
        return _location(name.project, name.location)

    # ------------------------------------------------------------------ processors

    def _processor(self, text: str) -> tuple[Name, Processor]:
        name = parse(text, "processors")
        processor = self._backend.service.registry.get(name.project, name.location, name.id)
        if processor is None:
            raise Refused(Status("NOT_FOUND", f"Processor {text} is not found."))
        return name, processor

    async def _get_processor(self, request: Any, caller: Caller) -> Any:
        return processor_message(caller.api, self._processor(request.name)[1])

    async def _list_processors(self, request: Any, caller: Caller) -> Any:
        name = parse(request.parent)
        found = self._backend.service.registry.list(name.project, name.location)
        some, token = page_of(found, request.page_size, request.page_token)
        messages = [processor_message(caller.api, processor) for processor in some]
        return message_type(caller.api, "ListProcessorsResponse")(processors=messages, next_page_token=token)

    async def _create_processor(self, request: Any, caller: Caller) -> Any:
        name, asked = parse(request.parent), request.processor
        if not asked.display_name:
            raise Refused(invalid(INVALID, ("processor.display_name", "Required field is not set.")))
        made = self._backend.service.registry.create(
            (name.project, name.location),
            asked.type_,
            asked.display_name,
            self._backend.clock.now_ns(),
            PROCESSOR_LIMITS,
        )
        if isinstance(made, Status):
            raise Refused(made)
        self._backend.save_processor(made)
        return processor_message(caller.api, made)

    async def _delete_processor(self, request: Any, caller: Caller) -> Any:
        _, processor = self._processor(request.name)
        self._backend.service.registry.delete(processor)
        self._backend.save_processor(processor, deleted=True)
        return self._ended(processor, caller.api, "DeleteProcessorMetadata", empty_pb2.Empty())

    async def _enable_processor(self, request: Any, caller: Caller) -> Any:
        return self._switch(request, caller, enabled=True)

    async def _disable_processor(self, request: Any, caller: Caller) -> Any:
        return self._switch(request, caller, enabled=False)

    def _switch(self, request: Any, caller: Caller, *, enabled: bool) -> Any:
        _, processor = self._processor(request.name)
        refusal = self._backend.service.registry.set_enabled(processor, enabled=enabled)
        if refusal is not None:
            raise Refused(refusal)
        self._backend.save_processor(processor)
        verb = "Enable" if enabled else "Disable"
        response = message_type(caller.api, f"{verb}ProcessorResponse")()
        return self._ended(processor, caller.api, f"{verb}ProcessorMetadata", response)

    # ------------------------------------------------------------------ versions

    async def _list_processor_versions(self, request: Any, caller: Caller) -> Any:
        _, processor = self._processor(request.parent)
        some, token = page_of(list(processor.versions), request.page_size, request.page_token)
        messages = [version_message(caller.api, processor, version) for version in some]
        return message_type(caller.api, "ListProcessorVersionsResponse")(
            processor_versions=messages, next_page_token=token
        )

    def _version(self, text: str) -> tuple[Processor, tuple[str, str, str]]:
        name, processor = self._processor(text)
        known = processor.version(name.version) if name.version else None
        for version in processor.versions:
            if version[0] == known:
                return processor, version
        raise Refused(Status("NOT_FOUND", f"Processor version {text} is not found."))

    async def _get_processor_version(self, request: Any, caller: Caller) -> Any:
        return version_message(caller.api, *self._version(request.name))

    async def _set_default_processor_version(self, request: Any, caller: Caller) -> Any:
        _, processor = self._processor(request.processor)
        chosen, version = self._version(request.default_processor_version)
        if chosen.name != processor.name:
            raise Refused(invalid(INVALID, ("default_processor_version", "It belongs to another processor.")))
        self._backend.service.registry.set_default(processor, version[0])
        self._backend.save_processor(processor)
        response = message_type(caller.api, "SetDefaultProcessorVersionResponse")()
        return self._ended(processor, caller.api, "SetDefaultProcessorVersionMetadata", response)

    async def _deploy_processor_version(self, request: Any, caller: Caller) -> Any:  # noqa: ARG002 - a handler's signature
        self._version(request.name)
        raise Refused(Status("FAILED_PRECONDITION", f"Processor version {request.name} is already deployed."))

    async def _undeploy_processor_version(self, request: Any, caller: Caller) -> Any:  # noqa: ARG002
        self._version(request.name)
        raise Refused(Status("FAILED_PRECONDITION", "A pretrained processor version can't be undeployed."))

    async def _delete_processor_version(self, request: Any, caller: Caller) -> Any:  # noqa: ARG002
        self._version(request.name)
        raise Refused(Status("FAILED_PRECONDITION", "A pretrained processor version can't be deleted."))

    # ------------------------------------------------------------------ operations

    def _ended(self, processor: Processor, api: str, metadata: str, response: Any) -> Any:
        """Operation that has ended, as processor management answers."""
        now = stamp(self._backend.clock.now_ns())
        kind = message_type(api, metadata)
        common = {
            "state": 3, "create_time": now, "update_time": now, "resource": processor.name,
        }  # fmt: skip
        message = kind(common_metadata=common)
        identity = str(uuid.uuid4().int % 9 * 10**18 + uuid.uuid4().int % 10**18)
        name = f"projects/{processor.project}/locations/{processor.location}/operations/{identity}"
        operation = operations_pb2.Operation(
            name=name, done=True, metadata=pack(message), response=pack(response)
        )
        self._short[identity] = operation
        while len(self._short) > 10_000:
            del self._short[next(iter(self._short))]
        return operation

    def operation_message(self, job: Job) -> Any:
        """``google.longrunning.Operation`` of a batch."""
        operation = job.operation
        message = operations_pb2.Operation(
            name=operation.name, done=operation.done, metadata=pack(self._batches.metadata(job))
        )
        if operation.error is not None and operation.done:
            message.error.CopyFrom(to_proto(operation.error))
        elif operation.done:
            message.response.CopyFrom(pack(message_type(job.api, "BatchProcessResponse")()))
        return message

    def _find(self, text: str) -> tuple[Job | None, Any]:
        name = parse(text, "operations")
        job = self._batches.jobs.get(name.id)
        if job is not None and (job.operation.location, job.operation.project) == (
            name.location, project_number(name.project),
        ):  # fmt: skip
            return job, None
        short = self._short.get(name.id)
        if short is None or parse(short.name).location != name.location:
            raise Refused(Status("NOT_FOUND", f"Operation {text} is not found."))
        return None, short

    async def _get_operation(self, request: Any, caller: Caller) -> Any:  # noqa: ARG002 - a handler's signature
        job, short = self._find(request.name)
        return self.operation_message(job) if job else short

    async def _list_operations(self, request: Any, caller: Caller) -> Any:  # noqa: ARG002 - a handler's signature
        name = _any_name(request.name.removesuffix("/operations"))
        number = project_number(name.project)
        jobs = [
            job for job in reversed(self._batches.jobs.values())
            if (job.operation.project, job.operation.location) == (number, name.location)
        ]  # fmt: skip
        prefix = f"projects/{number}/locations/{name.location}/"
        shorts = [short for short in reversed(self._short.values()) if short.name.startswith(prefix)]
        messages = (self.operation_message(job) for job in jobs)
        wanted = request.filter.replace(" ", "").lower()
        found = [
            message for message in itertools.chain(messages, shorts)
            if not ("done=true" in wanted and not message.done) and not ("done=false" in wanted and message.done)
        ]  # fmt: skip
        some, token = page_of(found, request.page_size, request.page_token)
        return operations_pb2.ListOperationsResponse(operations=some, next_page_token=token)

    async def _cancel_operation(self, request: Any, caller: Caller) -> Any:  # noqa: ARG002 - a handler's signature
        job, _ = self._find(request.name)
        if job is not None:
            await self._batches.cancel(job)
        return empty_pb2.Empty()

    async def _delete_operation(self, request: Any, caller: Caller) -> Any:
        return await self._unimplemented(request, caller)

    async def _wait_operation(self, request: Any, caller: Caller) -> Any:  # noqa: ARG002 - a handler's signature
        job, short = self._find(request.name)
        if job is None:
            return short
        asked_s = request.timeout.seconds + request.timeout.nanos / 1e9
        limit_s = min(asked_s or 600.0, 600.0) / self._backend.config.speed
        # When the time is up, the caller gets the operation as it stands.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(job.ended.wait(), limit_s)
        return self.operation_message(job)


class _Booked(Refused):
    """A refusal that is in the books already."""


def page_of(rows: Sequence[Any], size: int, token: str) -> tuple[Sequence[Any], str]:
    """One page of rows, and the token of the next.

    Raises
    ------
    Refused
        INVALID_ARGUMENT for a token that was not given out.
    """
    if token and not token.isdigit():
        raise Refused(invalid(INVALID, ("page_token", "Invalid page token.")))
    start, size = int(token or 0), min(max(size, 0) or 50, 1000)
    rest = start + size < len(rows)
    return rows[start : start + size], str(start + size) if rest else ""


def _resource(request: Any) -> str:
    for name in ("name", "parent", "processor"):
        value = getattr(request, name, None)
        if isinstance(value, str) and value:
            return value
    return ""


def _any_name(text: str) -> Name:
    """Any resource name; ``projects/P`` alone (as ListLocations asks) is taken as one in ``us``."""
    parts = text.split("/")
    if len(parts) == 2 and parts[0] == "projects" and parts[1]:
        return Name(parts[1], "us", "", "", "")
    return parse(text)


def _location(project: str, place: str) -> Any:
    return locations_pb2.Location(name=f"projects/{project}/locations/{place}", location_id=place)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
