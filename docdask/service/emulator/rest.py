"""The REST side: JSON transcoding of every method, as Google's front end does it.

Rules: unknown query parameters are not refused; enums come back by name, or as numbers if ``enum-encoding=int`` was asked
for in either spelling; int64 are strings; errors are ``{"error": {...}}`` with the HTTP status of their code. The JSON of
an answer is cached: making it costs twenty times what the call does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from google.cloud.location import locations_pb2
from google.longrunning import operations_pb2
from google.protobuf import json_format

from docdask.core.server import Status
from docdask.service.emulator.cache import BytesCache
from docdask.service.emulator.documents import Document
from docdask.service.emulator.frontend import Frontend
from docdask.service.emulator.jsonbody import fill, parse_json
from docdask.service.emulator.messages import message_type
from docdask.service.emulator.names import Refused
from docdask.service.emulator.processing import Caller
from docdask.service.emulator.statuses import to_json
from docdask.service.emulator.users import user_of
from docdask.service.emulator.web_request import Reply, WebRequest

_BODY_BYTES = 128 * 2**20
_PLACE = r"projects/[^/]+/locations/[^/]+"
_PROCESSOR = rf"{_PLACE}/processors/[^/:]+"
_VERSION = rf"{_PROCESSOR}/processorVersions/[^/:]+"


@dataclass(frozen=True, slots=True)
class Binding:
    """One HTTP rule: verb and path to a method; ``field`` takes the name in the path, ``body`` the JSON body."""

    verb: str
    path: re.Pattern[str]
    method: str
    field: str
    body: str = ""
    """``*`` for the whole message, or the name of one field."""
    kind: str = ""
    """Request message where it is not ``<method>Request``."""


def _bind(verb: str, path: str, method: str, field: str = "name", body: str = "", kind: str = "") -> Binding:
    return Binding(verb, re.compile(path), method, field, body, kind)


BINDINGS = (
    _bind("POST", rf"({_PROCESSOR}|{_VERSION}):process", "ProcessDocument", body="*", kind="ProcessRequest"),
    _bind(
        "POST",
        rf"({_PROCESSOR}|{_VERSION}):batchProcess",
        "BatchProcessDocuments",
        body="*",
        kind="BatchProcessRequest",
    ),
    _bind("GET", rf"({_PLACE}):fetchProcessorTypes", "FetchProcessorTypes", "parent"),
    _bind("GET", rf"({_PLACE})/processorTypes", "ListProcessorTypes", "parent"),
    _bind("GET", rf"({_PLACE}/processorTypes/[^/:]+)", "GetProcessorType"),
    _bind("GET", rf"({_PLACE})/processors", "ListProcessors", "parent"),
    _bind("POST", rf"({_PLACE})/processors", "CreateProcessor", "parent", "processor"),
    _bind("GET", rf"({_PROCESSOR})", "GetProcessor"),
    _bind("DELETE", rf"({_PROCESSOR})", "DeleteProcessor"),
    _bind("POST", rf"({_PROCESSOR}):enable", "EnableProcessor", body="*"),
    _bind("POST", rf"({_PROCESSOR}):disable", "DisableProcessor", body="*"),
    _bind(
        "POST", rf"({_PROCESSOR}):setDefaultProcessorVersion", "SetDefaultProcessorVersion", "processor", "*"
    ),
    _bind("GET", rf"({_PROCESSOR})/processorVersions", "ListProcessorVersions", "parent"),
    _bind("POST", rf"({_PROCESSOR})/processorVersions:train", "TrainProcessorVersion", "parent", "*"),
    _bind("GET", rf"({_VERSION})", "GetProcessorVersion"),
    _bind("DELETE", rf"({_VERSION})", "DeleteProcessorVersion"),
    _bind("POST", rf"({_VERSION}):deploy", "DeployProcessorVersion", body="*"),
    _bind("POST", rf"({_VERSION}):undeploy", "UndeployProcessorVersion", body="*"),
    _bind(
        "POST",
        rf"({_VERSION}):evaluateProcessorVersion",
        "EvaluateProcessorVersion",
        "processor_version",
        "*",
    ),
    _bind("GET", rf"({_VERSION})/evaluations", "ListEvaluations", "parent"),
    _bind("GET", rf"({_VERSION}/evaluations/[^/:]+)", "GetEvaluation"),
    _bind(
        "POST",
        rf"({_PROCESSOR}/humanReviewConfig):reviewDocument",
        "ReviewDocument",
        "human_review_config",
        "*",
    ),
    _bind("GET", rf"({_PLACE}/operations)", "ListOperations"),
    _bind("GET", rf"({_PLACE}/operations/[^/:]+)", "GetOperation"),
    _bind("DELETE", rf"({_PLACE}/operations/[^/:]+)", "DeleteOperation"),
    _bind("POST", rf"({_PLACE}/operations/[^/:]+):cancel", "CancelOperation", body="*"),
    _bind("POST", rf"({_PLACE}/operations/[^/:]+):wait", "WaitOperation", body="*"),
    _bind("GET", r"(projects/[^/]+)/locations", "ListLocations"),
    _bind("GET", rf"({_PLACE})", "GetLocation"),
)
_MIXINS = {
    "Operation": operations_pb2,
    "Operations": operations_pb2,
    "Location": locations_pb2,
    "Locations": locations_pb2,
}


class Rest:
    """Answers REST calls."""

    def __init__(self, frontend: Frontend) -> None:
        self._frontend = frontend
        self._texts = BytesCache(frontend.backend.config.cache_bytes // 2)
        frontend.backend.on_reset.append(self._texts.clear)

    async def answer(self, asked: WebRequest) -> Reply:
        """Answer one request."""
        try:
            return await self._answer(asked)
        except Refused as refused:
            return Reply.json_text(refused.status.http, to_json(refused.status))

    async def _answer(self, asked: WebRequest) -> Reply:
        api, _, path = asked.path[1:].partition("/")
        binding, resource = _find(asked.method, unquote(path))
        caller = Caller(user_of(asked.headers.get("Authorization", "")), api)
        request = _request_type(api, binding)()
        # The body is read whatever the method, so that the connection can be used again.
        body = await asked.body(_BODY_BYTES)
        if binding.body:
            value = parse_json(body)
            fill(request if binding.body == "*" else getattr(request, binding.body), value)
        else:
            _query(request, asked.query)
        setattr(request, binding.field, resource)
        numbers = _enums_as_numbers(asked.query)
        if binding.method == "ProcessDocument":
            document, key = await self._frontend.process(request, caller)
            text = await self._texts.get((key, numbers), lambda: self._text(document, numbers=numbers))
            return Reply.json_text(200, b'{"document":' + text + b"}")
        reply = await self._frontend.call(binding.method, request, caller)
        made = json_format.MessageToJson(reply, use_integers_for_enums=numbers, indent=2, ensure_ascii=False)
        return Reply.json_text(200, made)

    async def _text(self, document: bytes, *, numbers: bool) -> bytes:
        text: bytes = await self._frontend.backend.recogniser.run(_encode, document, numbers)
        return text


def _encode(document: bytes, numbers: bool) -> bytes:
    text: str = json_format.MessageToJson(
        Document.FromString(document), use_integers_for_enums=numbers, indent=None, ensure_ascii=False
    )
    return text.encode("utf-8", "surrogatepass")


def _find(verb: str, path: str) -> tuple[Binding, str]:
    known = False
    for binding in BINDINGS:
        match = binding.path.fullmatch(path)
        if match:
            known = True
            if binding.verb == verb:
                return binding, match[1]
    if known:
        raise Refused(Status("UNIMPLEMENTED", f"Method {verb} is not allowed on /{path[:200]}."))
    raise Refused(Status("NOT_FOUND", f"The requested URL /{path[:200]} was not found on this server."))


def _request_type(api: str, binding: Binding) -> Any:
    for suffix, module in _MIXINS.items():
        if binding.method.endswith(suffix):
            return getattr(module, f"{binding.method}Request")
    return message_type(
        "v1" if binding.method == "ProcessDocument" else api, binding.kind or f"{binding.method}Request"
    )


def _query(request: Any, query: dict[str, str]) -> None:
    """Fill scalar fields that the query names; whatever else it holds is not refused."""
    for name, value in query.items():
        field = request.DESCRIPTOR.fields_by_camelcase_name.get(
            name
        ) or request.DESCRIPTOR.fields_by_name.get(name)
        if field is None or field.message_type is not None:
            continue
        try:
            json_format.ParseDict({field.name: value}, request)
        except json_format.ParseError as error:
            status = Status(
                "INVALID_ARGUMENT", f"Invalid value at '{field.name}' ({field.name}), \"{value[:100]}\""
            )
            raise Refused(status) from error


def _enums_as_numbers(query: dict[str, str]) -> bool:
    return any("enum-encoding=int" in f"{name}={value}" for name, value in query.items())
