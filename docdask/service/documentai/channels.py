"""Connections to Document AI: as many a location as its calls in flight need.

Rules: a server takes some 100 calls at once on one connection and lets the others wait unseen, so a new connection is
opened before that; each has a pool of its own, else gRPC would make them one; messages are of any size; nobody below
us tries again (a bare channel repeats only what the server never began; api-core, which would, is not asked).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

#: Calls in flight on one connection before another is opened.
CALLS_A_CHANNEL = 80
#: Connections a location at most; beyond that the emptiest one takes the call.
CHANNELS = 48

OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),
)


@dataclass(slots=True, eq=False)
class _Connection:
    channel: Any
    in_flight: int = 0
    methods: dict[str, Any] = field(default_factory=dict)


class Channels:
    """All connections to one endpoint.

    Parameters
    ----------
    connect
        Makes a new ``grpc.aio`` channel.
    """

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._open: list[_Connection] = []

    def __len__(self) -> int:
        return len(self._open)

    @contextmanager
    def method(self, path: str) -> Any:
        """Lend the method ``path``, bytes in and bytes out, on the connection with the fewest calls in flight."""
        connection = min(self._open, key=lambda one: one.in_flight, default=None)
        if connection is None or (connection.in_flight >= CALLS_A_CHANNEL and len(self._open) < CHANNELS):
            connection = _Connection(self._connect())
            self._open.append(connection)
        call = connection.methods.get(path)
        if call is None:
            call = connection.methods[path] = connection.channel.unary_unary(path)
        connection.in_flight += 1
        try:
            yield call
        finally:
            connection.in_flight -= 1

    async def close(self) -> None:
        """Close all connections; calls in flight end as cancelled."""
        opened, self._open = self._open, []
        for connection in opened:
            await connection.channel.close()


def plain(address: str, user_agent: str) -> Any:
    """Channel to an emulator at ``host:port``: plaintext, no credentials, no proxy."""
    import grpc

    options = [*OPTIONS, ("grpc.enable_http_proxy", 0), ("grpc.primary_user_agent", user_agent)]
    return grpc.aio.insecure_channel(address, options=options)


def secure(location: str, credentials: Any, user_agent: str) -> Any:
    """Channel to Google's endpoint of a location, made by Google's own transport."""
    from google.cloud.documentai_v1.services.document_processor_service.transports import (
        DocumentProcessorServiceGrpcAsyncIOTransport as Transport,
    )

    return Transport.create_channel(
        endpoint(location),
        credentials=credentials,
        options=[*OPTIONS, ("grpc.primary_user_agent", user_agent)],
    )


def endpoint(location: str) -> str:
    """Host and port that serve a location."""
    return f"{location}-documentai.googleapis.com:443"
