"""A :class:`~docdask.core.server.status.Status` as ``google.rpc.Status``: for gRPC trailers, operations and REST bodies."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf import any_pb2, duration_pb2, json_format
from google.rpc import error_details_pb2, status_pb2

from docdask.core.server.status import BadRequest, ErrorInfo, QuotaFailure, RetryInfo, Status


def to_proto(status: Status) -> Any:
    """``google.rpc.Status`` with its details packed."""
    message = status_pb2.Status(code=status.number, message=status.message)
    for detail in status.details:
        packed = any_pb2.Any()
        packed.Pack(_detail(detail))
        message.details.append(packed)
    return message


def _detail(detail: Any) -> Any:
    match detail:
        case ErrorInfo(reason, domain, metadata):
            return error_details_pb2.ErrorInfo(reason=reason, domain=domain, metadata=dict(metadata))
        case QuotaFailure(subject, description):
            violation = error_details_pb2.QuotaFailure.Violation(subject=subject, description=description)
            return error_details_pb2.QuotaFailure(violations=[violation])
        case BadRequest(violations):
            return error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(field=field, description=description)
                    for field, description in violations
                ]
            )
        case RetryInfo(delay_ns):
            seconds, nanos = divmod(delay_ns, 10**9)
            return error_details_pb2.RetryInfo(
                retry_delay=duration_pb2.Duration(seconds=seconds, nanos=nanos)
            )
    msg = f"no such detail: {detail!r}"
    raise TypeError(msg)


def to_json(status: Status) -> str:
    """Body of a REST error, as Google writes it."""
    error: dict[str, Any] = {"code": status.http, "message": status.message, "status": status.code}
    if status.details:
        error["details"] = [json_format.MessageToDict(packed) for packed in to_proto(status).details]
    return json.dumps({"error": error}, indent=2, ensure_ascii=False)
