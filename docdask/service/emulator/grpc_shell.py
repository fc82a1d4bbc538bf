"""The gRPC side: generic handlers over raw protobuf bytes; the model and the backend do the rest.

Rules: requests are routed by the resource name in the message, never by host or header; messages of any size; a message
that can't be parsed is INVALID_ARGUMENT, as the service's front end has it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NoReturn

import grpc
from google.cloud.location import locations_pb2
from google.longrunning import operations_pb2
from google.protobuf.message import DecodeError

from docdask.core.server.status import INVALID, Status, invalid
from docdask.service.emulator.frontend import Frontend
from docdask.service.emulator.messages import message_type
from docdask.service.emulator.names import Refused
from docdask.service.emulator.processing import Caller, ReplyLost
from docdask.service.emulator.statuses import to_proto
from docdask.service.emulator.users import user_of
from docdask.service.emulator.wire import chunk

_log = logging.getLogger(__name__)
_CODES = {code.value[0]: code for code in grpc.StatusCode}
#: Request message of each method that is not named after it.
_REQUESTS = {"ProcessDocument": "ProcessRequest", "BatchProcessDocuments": "BatchProcessRequest"}
_OPERATIONS = ("ListOperations", "GetOperation", "DeleteOperation", "CancelOperation", "WaitOperation")
_UNLIMITED = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
_PROCESSORS = (
    "ProcessDocument", "BatchProcessDocuments", "FetchProcessorTypes", "ListProcessorTypes", "GetProcessorType",
    "ListProcessors", "GetProcessor", "TrainProcessorVersion", "GetProcessorVersion", "ListProcessorVersions",
    "DeleteProcessorVersion", "DeployProcessorVersion", "UndeployProcessorVersion", "CreateProcessor",
    "DeleteProcessor", "EnableProcessor", "DisableProcessor", "SetDefaultProcessorVersion", "ReviewDocument",
    "EvaluateProcessorVersion", "GetEvaluation", "ListEvaluations",
)  # fmt: skip

Behaviour = Callable[[bytes, Any], Awaitable[bytes]]


class GrpcShell:
    """A ``grpc.aio`` server in front of the emulator."""

    def __init__(self, frontend: Frontend) -> None:
        self._frontend = frontend
        self._server = grpc.aio.server(options=[*_UNLIMITED, ("grpc.so_reuseport", 0)])
        for api in ("v1", "v1beta3"):
            methods = (*_PROCESSORS, "ImportProcessorVersion") if api == "v1beta3" else _PROCESSORS
            self._add(
                f"google.cloud.documentai.{api}.DocumentProcessorService",
                {name: self._method(api, name) for name in methods},
            )
        self._add("google.longrunning.Operations", {name: self._method("v1", name) for name in _OPERATIONS})
        self._add(
            "google.cloud.location.Locations",
            {name: self._method("v1", name) for name in ("ListLocations", "GetLocation")},
        )

    def _add(self, service: str, methods: dict[str, Behaviour]) -> None:
        handlers = {name: grpc.unary_unary_rpc_method_handler(method) for name, method in methods.items()}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))

    async def start(self, address: str, cert: Path | None, key: Path | None) -> int:
        """Listen; the port."""
        if cert is not None and key is not None:
            port = self._server.add_secure_port(address, _credentials(cert, key))
        else:
            port = self._server.add_insecure_port(address)
        await self._server.start()
        return int(port)

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, let those in flight end for so long."""
        await self._server.stop(grace_s)

    def _method(self, api: str, name: str) -> Behaviour:
        if name == "ProcessDocument":
            return self._process(api)
        kind = _request_type(api, name)

        async def behaviour(data: bytes, context: Any) -> bytes:
            caller = _caller(context, api)
            try:
                request = _parse(kind, data)
                reply = await self._frontend.call(name, request, caller)
            except Refused as refused:
                await _abort(context, refused.status)
            except ReplyLost:
                await _cut(context)
            except Exception:  # noqa: BLE001 - whatever it is, the caller gets an answer and the log a trace
                _log.exception("%s failed", name)
                await _abort(context, Status("INTERNAL", "Internal error encountered."))
            encoded: bytes = reply.SerializeToString()
            return encoded

        return behaviour

    def _process(self, api: str) -> Behaviour:
        kind = _request_type("v1", "ProcessDocument")

        async def behaviour(data: bytes, context: Any) -> bytes:
            caller = _caller(context, api)
            try:
                request = _parse(kind, data)
                document, _ = await self._frontend.process(request, caller)
            except Refused as refused:
                await _abort(context, refused.status)
            except ReplyLost:
                await _cut(context)
            except Exception:  # noqa: BLE001 - whatever it is, the caller gets an answer and the log a trace
                _log.exception("ProcessDocument failed")
                await _abort(context, Status("INTERNAL", "Internal error encountered."))
            # ProcessResponse.document is field 1: the stored bytes become the reply without being parsed.
            return chunk(1, document)

        return behaviour


def _credentials(cert: Path, key: Path) -> Any:
    return grpc.ssl_server_credentials([(key.read_bytes(), cert.read_bytes())])


def _request_type(api: str, name: str) -> Any:
    if name in _OPERATIONS:
        return getattr(operations_pb2, f"{name}Request")
    if name in ("ListLocations", "GetLocation"):
        return getattr(locations_pb2, f"{name}Request")
    return message_type(api, _REQUESTS.get(name, f"{name}Request"))


def _parse(kind: Any, data: bytes) -> Any:
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise Refused(invalid(INVALID)) from error


def _caller(context: Any, api: str) -> Caller:
    for key, value in context.invocation_metadata() or ():
        if key == "authorization":
            return Caller(user_of(value if isinstance(value, str) else ""), api)
    return Caller("anonymous", api)


async def _abort(context: Any, status: Status) -> NoReturn:
    trailers: tuple[tuple[str, bytes], ...] = ()
    if status.details:
        trailers = (("grpc-status-details-bin", to_proto(status).SerializeToString()),)
    await context.abort(_CODES[status.number], status.message, trailers)
    raise AssertionError  # abort raises


async def _cut(context: Any) -> NoReturn:
    """End a call as a connection that is cut does: nothing but the status that clients make up for it.

    ``grpc.aio`` gives a server no hold on the socket; the text is the one its client writes when a socket closes.
    """
    await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
    raise AssertionError
