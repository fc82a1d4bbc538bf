"""Reads the JSON of a REST body into a message, and says what is wrong with it in Google's words."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf import json_format

from docdask.core.server.status import invalid
from docdask.service.emulator.names import Refused

_INVALID = "Invalid JSON payload received."


def parse_json(body: bytes) -> dict[str, Any]:
    """Read a JSON object; an empty body is an empty one.

    Raises
    ------
    Refused
        INVALID_ARGUMENT.
    """
    if not body.strip():
        return {}
    try:
        value = json.loads(body)
    except RecursionError as error:
        raise Refused(invalid(f"{_INVALID} Message too deep.")) from error
    except ValueError as error:
        position = getattr(error, "pos", 0)
        near = body[max(0, position - 20) : position + 20].decode("utf-8", "replace")
        raise Refused(invalid(f"{_INVALID} Unexpected token.\n{near}\n{' ' * min(20, position)}^")) from error
    if not isinstance(value, dict):
        raise Refused(invalid(f'{_INVALID} Unknown name "": Root element must be a message.'))
    return value


def fill(message: Any, value: dict[str, Any]) -> None:
    """Fill a message from a JSON object.

    Raises
    ------
    Refused
        INVALID_ARGUMENT, with a field violation for each name that is unknown.
    """
    unknown = list(_unknown(message.DESCRIPTOR, value, ""))
    if unknown:
        texts = [
            f'{_INVALID} Unknown name "{name}"{f" at {path!r}" if path else ""}: Cannot find field.'
            for path, name in unknown
        ]
        raise Refused(
            invalid("\n".join(texts), *((path, text) for (path, _), text in zip(unknown, texts, strict=True)))
        )
    try:
        json_format.ParseDict(value, message, max_recursion_depth=100)
    except json_format.ParseError as error:
        raise Refused(invalid(f"{_INVALID} {' '.join(str(error).split())[:300]}")) from error
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise Refused(invalid(f"{_INVALID} Invalid value.")) from error


def _unknown(descriptor: Any, value: Any, path: str, depth: int = 0) -> Any:
    """``(path, name)`` of each name in a JSON value that is no field; well-known types are left to the parser."""
    if descriptor.full_name.startswith("google.protobuf.") or not isinstance(value, dict) or depth > 90:
        return
    for name, part in value.items():
        field = descriptor.fields_by_camelcase_name.get(name) or descriptor.fields_by_name.get(name)
        field = field or descriptor.fields_by_name.get(f"{name}_")
        if field is None:
            yield path, name
            continue
        inner = field.message_type
        if inner is None or inner.GetOptions().map_entry:
            continue
        here = f"{path}.{field.name}" if path else field.name
        if isinstance(part, list):
            for index, item in enumerate(part):
                yield from _unknown(inner, item, f"{here}[{index}]", depth + 1)
        else:
            yield from _unknown(inner, part, here, depth + 1)
