"""The messages of both versions of the API as raw protobuf classes, and how processors become messages.

v1 and v1beta3 share field numbers, so that answers are built once; what differs is the name in an ``Any``.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import google.cloud.documentai_v1 as v1
import google.cloud.documentai_v1beta3 as v1beta3
from google.protobuf import any_pb2, empty_pb2, timestamp_pb2

from docdask.core.limits import LOCATIONS, PROCESSOR_LIMITS
from docdask.core.server import Processor
from docdask.core.server.processors import ENDING

_MODULES: dict[str, ModuleType] = {"v1": v1, "v1beta3": v1beta3}
_CATEGORIES = {
    "OCR_PROCESSOR": "GENERAL",
    "FORM_PARSER_PROCESSOR": "GENERAL",
    "LAYOUT_PARSER_PROCESSOR": "GENERAL",
}
_CACHE: dict[tuple[str, str], Any] = {}


def message_type(api: str, name: str) -> Any:
    """Raw message class ``name`` of a version of the API."""
    key = (api, name)
    found = _CACHE.get(key)
    if found is None:
        found = _CACHE[key] = empty_pb2.Empty if name == "Empty" else getattr(_MODULES[api], name).pb()
    return found


def pack(message: Any) -> Any:
    """``Any`` with the message and its type URL."""
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


def stamp(at_ns: int) -> Any:
    """``Timestamp`` of a time in nanoseconds."""
    seconds, nanos = divmod(at_ns, 10**9)
    return timestamp_pb2.Timestamp(seconds=seconds, nanos=nanos)


def processor_message(api: str, processor: Processor) -> Any:
    """``Processor``."""
    versions = f"{processor.name}/processorVersions"
    message = message_type(api, "Processor")(
        name=processor.name,
        type_=processor.type,
        display_name=processor.display_name,
        state=1 if processor.enabled else 2,
        default_processor_version=f"{versions}/{processor.default_version}",
        process_endpoint=f"https://{processor.location}-documentai.googleapis.com/{api}/{processor.name}:process",
        create_time=stamp(processor.created_ns),
    )
    for alias, version in (("pretrained", 0), ("pretrained-next", -1)):
        message.processor_version_aliases.add(
            alias=f"{versions}/{alias}", processor_version=f"{versions}/{processor.versions[version][0]}"
        )
    return message


def version_message(api: str, processor: Processor, version: tuple[str, str, str]) -> Any:
    """``ProcessorVersion``."""
    identity, title, _ = version
    versions = f"{processor.name}/processorVersions"
    message = message_type(api, "ProcessorVersion")(
        name=f"{versions}/{identity}",
        display_name=title,
        state=1,
        create_time=stamp(processor.created_ns),
        google_managed=True,
    )
    if identity in ENDING:
        end_s, replacement = ENDING[identity]
        message.deprecation_info.deprecation_time.seconds = end_s
        message.deprecation_info.replacement_processor_version = f"{versions}/{replacement}"
    return message


def processor_type_message(api: str, project: str, location: str, kind: str) -> Any:
    """``ProcessorType``."""
    limits = PROCESSOR_LIMITS[kind]
    category = _CATEGORIES.get(kind) or ("CUSTOM" if kind.startswith("CUSTOM") else "SPECIALIZED")
    message = message_type(api, "ProcessorType")(
        name=f"projects/{project}/locations/{location}/processorTypes/{kind}",
        type_=kind,
        category=category,
        allow_creation=limits.processor_type == kind,
        launch_stage=4,
    )
    for place in LOCATIONS:
        message.available_locations.add(location_id=place)
    return message
