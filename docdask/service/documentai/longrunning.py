"""Batch operations as the service keeps them: read, listed, cancelled.

Rules: metadata is read whatever became of the operation, because one that failed may have files that did not; a file's
status is told by its input URI, the only thing that ties output to input.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from docdask.service.documentai.values import FileStatus, Operation, OperationState
from docdask.service.errors import of_status

if TYPE_CHECKING:
    from docdask.service.documentai.client import DocumentAI

_SERVICE = "/google.longrunning.Operations"
_PAGE = 100


@cache
def _messages() -> tuple[Any, Any]:
    """``operations_pb2`` and the raw class ``BatchProcessMetadata``."""
    from google.cloud.documentai_v1.types import BatchProcessMetadata
    from google.longrunning import operations_pb2

    return operations_pb2, BatchProcessMetadata.pb()


async def get(client: DocumentAI, name: str, deadline_s: float) -> Operation:
    """One ``GetOperation``."""
    messages, _ = _messages()
    request = messages.GetOperationRequest(name=name)
    message = await client.call(
        location_of(name), f"{_SERVICE}/GetOperation", request, messages.Operation, deadline_s
    )
    return value_of(message)


async def list_all(client: DocumentAI, project: str, location: str, deadline_s: float) -> list[Operation]:
    """Every batch operation of a project in a location, page by page."""
    messages, kind = _messages()
    request = messages.ListOperationsRequest(
        name=f"projects/{project}/locations/{location}/operations", page_size=_PAGE
    )
    found: list[Operation] = []
    while True:
        page = await client.call(
            location, f"{_SERVICE}/ListOperations", request, messages.ListOperationsResponse, deadline_s
        )
        found += [value_of(one) for one in page.operations if one.metadata.Is(kind.DESCRIPTOR)]
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


async def cancel(client: DocumentAI, name: str, deadline_s: float) -> None:
    """One ``CancelOperation``."""
    from google.protobuf.empty_pb2 import Empty

    messages, _ = _messages()
    request = messages.CancelOperationRequest(name=name)
    await client.call(location_of(name), f"{_SERVICE}/CancelOperation", request, Empty, deadline_s)


def read(response: bytes) -> Operation:
    """Operation from a serialised ``google.longrunning.Operation``."""
    messages, _ = _messages()
    return value_of(messages.Operation.FromString(response))


def value_of(message: Any) -> Operation:
    """Operation from its message."""
    _, kind = _messages()
    metadata = kind()
    if message.metadata.Is(kind.DESCRIPTOR):
        message.metadata.Unpack(metadata)
    state: OperationState = kind.State.Name(metadata.state)
    files = tuple(
        FileStatus(one.input_gcs_source, one.output_gcs_destination.rstrip("/"), of_status(one.status))
        for one in metadata.individual_process_statuses
    )
    error = of_status(message.error) if message.WhichOneof("result") == "error" else None
    created_s = metadata.create_time.seconds + metadata.create_time.nanos / 1e9
    return Operation(message.name, state, message.done, files, error, created_s)


def location_of(name: str) -> str:
    """Location in a resource name.

    Raises
    ------
    UsageError
        If it is no name of an operation.
    """
    from docdask.errors import UsageError

    parts = name.split("/")
    if len(parts) != 6 or parts[::2] != ["projects", "locations", "operations"] or not all(parts):
        raise UsageError(
            f"{name!r} is no batch operation", "write projects/PROJECT/locations/LOCATION/operations/ID"
        )
    return parts[3]


def writes_to(operation: Operation, output_prefix: str) -> bool:
    """Whether results of the operation are under the prefix: ``…/1`` is not under ``…/10``."""
    folder = f"{output_prefix.rstrip('/')}/"
    return any(one.output_uri.startswith(folder) for one in operation.files)
