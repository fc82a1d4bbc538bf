"""What an exception says: status code, text, and the details of the service, whichever library raised it.

Rules: gRPC statuses, HTTP answers of the storage client, errors of google-auth and of the network all become the same
four values; nothing is judged here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

_HTTP = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 408: "DEADLINE_EXCEEDED",
    409: "ABORTED", 412: "FAILED_PRECONDITION", 413: "INVALID_ARGUMENT", 416: "OUT_OF_RANGE", 429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED", 500: "INTERNAL", 501: "UNIMPLEMENTED", 502: "UNAVAILABLE", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip
_CODES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
_DETAILS_KEY = "grpc-status-details-bin"
#: How gRPC tells that google-auth could not get a token; its own code for it is UNAVAILABLE.
_PLUGIN = "metadata from plugin failed"
_LONGEST = 400


@dataclass(frozen=True, slots=True)
class Said:
    """What was said."""

    code: str
    """Canonical status name."""
    text: str
    """For a person: one line, not too long."""
    words: str
    """All of it, fields and reasons included: what rules look at."""
    after_s: float = 0.0
    """``RetryInfo``."""


def of_exception(error: BaseException) -> Said:
    """What any exception says."""
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.auth.exceptions import GoogleAuthError
    from grpc import RpcError

    if isinstance(error, RetryError) and error.cause is not None:
        return of_exception(error.cause)
    if isinstance(error, RpcError) and callable(getattr(error, "code", None)):
        return _of_rpc(error)
    if isinstance(error, GoogleAPICallError):
        return _of_api(error)
    if isinstance(error, GoogleAuthError):
        return _said("UNAUTHENTICATED", str(error))
    return _of_others(error)


def about_credentials(said: Said) -> Said:
    """The same, when credentials were looked for: whatever went wrong, nobody is signed in."""
    return replace(said, code="UNAUTHENTICATED")


def of_status(status: Any) -> Said:
    """What a ``google.rpc.Status`` says."""
    code = _CODES[status.code] if 0 <= status.code < len(_CODES) else "UNKNOWN"
    return _said(code, status.message, _unpacked(status.details))


def _of_rpc(error: Any) -> Said:
    code, text = error.code().name, error.details() or ""
    if code == "UNAVAILABLE" and _PLUGIN in text:
        code = "UNAUTHENTICATED"
    return _said(code, text, _trailing(error))


def _trailing(error: Any) -> list[Any]:
    from google.protobuf.message import DecodeError
    from google.rpc.status_pb2 import Status

    trailers = error.trailing_metadata() if hasattr(error, "trailing_metadata") else None
    for key, value in trailers or ():
        if key == _DETAILS_KEY:
            try:
                return _unpacked(Status.FromString(value).details)
            except DecodeError:
                return []
    return []


def _unpacked(details: Iterable[Any]) -> list[Any]:
    """Details of the kinds that tell something."""
    from google.rpc import error_details_pb2 as kinds

    known = (kinds.ErrorInfo, kinds.BadRequest, kinds.QuotaFailure, kinds.RetryInfo)
    return [
        kind.FromString(detail.value) for detail in details for kind in known if detail.Is(kind.DESCRIPTOR)
    ]


def _of_api(error: Any) -> Said:
    status = getattr(error, "grpc_status_code", None)
    code = status.name if status is not None else _HTTP.get(int(error.code or 0), "UNKNOWN")
    details = [detail for detail in error.details or () if hasattr(detail, "DESCRIPTOR")]
    return _said(code, str(error.message), details)


def _of_others(error: BaseException) -> Said:
    """Network libraries, timeouts, and whatever nobody thought of."""
    from google.resumable_media import DataCorruption, InvalidResponse
    from requests.exceptions import ConnectionError as NoConnection
    from requests.exceptions import Timeout

    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, asyncio.CancelledError):
        return _said("CANCELLED", text)
    if isinstance(error, (TimeoutError, Timeout)):
        return _said("DEADLINE_EXCEEDED", text)
    if isinstance(error, InvalidResponse):
        return _said(_HTTP.get(error.response.status_code, "UNKNOWN"), text)
    if isinstance(error, DataCorruption):
        return _said("DATA_LOSS", text)
    if isinstance(error, (NoConnection, ConnectionError)):
        return _said("UNAVAILABLE", text)
    return _said("UNKNOWN", text)


def _said(code: str, text: str, details: Iterable[Any] = ()) -> Said:
    """Put text and details together; fields are named in the text a person sees too."""
    parts, hidden, after_s = [text], [], 0.0
    for detail in details:
        kind = detail.DESCRIPTOR.name
        if kind == "BadRequest":
            parts += [f"{one.field}: {one.description}" for one in detail.field_violations]
        elif kind == "ErrorInfo":
            hidden += [detail.reason, *(f"{key}={value}" for key, value in detail.metadata.items())]
        elif kind == "QuotaFailure":
            hidden += [one.description for one in detail.violations]
        elif kind == "RetryInfo":
            after_s = detail.retry_delay.seconds + detail.retry_delay.nanos / 1e9
    shown = " ".join(" ".join(parts).split())
    short = shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
    return Said(code, short, "\n".join([shown, *hidden]), after_s)
