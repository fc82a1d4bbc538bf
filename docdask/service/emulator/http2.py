"""HTTP/2 for the REST side: some clients offer nothing else.

Rules: the first bytes of a connection decide (``PRI * HTTP/2.0`` is HTTP/2, with TLS and without; all else is HTTP/1.1);
streams are answered as they end, each in a task of its own; flow control is kept both ways; a stream that is reset takes
its task along. Needs the package ``h2``; without it the port speaks HTTP/1.1 alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from multidict import CIMultiDict

from docdask.service.emulator.processing import ReplyLost
from docdask.service.emulator.web_request import BodyTooLarge, Reply, WebRequest

try:
    import h2.config
    import h2.connection
    import h2.errors
    import h2.events
    import h2.exceptions
except ImportError:
    AVAILABLE = False
else:
    AVAILABLE = True

PREFACE = b"PRI * HTTP/2.0"
_WINDOW_BYTES = 2**20
Answer = Callable[[WebRequest], Awaitable[Reply]]


class Switch(asyncio.Protocol):
    """Looks at the first bytes of a connection and hands it to the protocol they belong to."""

    def __init__(
        self,
        http1: Callable[[], asyncio.Protocol],
        http2: Callable[[], asyncio.Protocol],
        silent: set[Switch],
    ) -> None:
        self._http1 = http1
        self._http2 = http2
        self._silent = silent
        self._transport: Any = None
        self._seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for bytes."""
        self._transport = transport
        self._silent.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - a protocol's signature
        """Forget a peer that never said anything."""
        self._silent.discard(self)

    def close(self) -> None:
        """End a connection that has said nothing."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Decide, once there are enough bytes to do so."""
        self._seen += data
        head = self._seen[: len(PREFACE)]
        if AVAILABLE and len(head) < len(PREFACE) and PREFACE.startswith(head):
            return
        protocol = self._http2() if AVAILABLE and head == PREFACE else self._http1()
        self._silent.discard(self)
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        protocol.data_received(self._seen)


class _Stream:
    """One request that is coming in, then its reply going out."""

    def __init__(self, headers: CIMultiDict[str]) -> None:
        self.headers = headers
        self.body = bytearray()
        self.over = False
        """The body is larger than the server reads; what follows is thrown away."""
        self.task: asyncio.Task[None] | None = None
        self.window = asyncio.Event()
        """Set whenever the peer takes more."""


class Http2Connection(asyncio.Protocol):
    """One connection.

    Parameters
    ----------
    answer
        Answers a request.
    limit_bytes
        Largest body that is read.
    connections
        Where open connections are kept, so that they can be closed.
    """

    def __init__(self, answer: Answer, limit_bytes: int, connections: set[Http2Connection]) -> None:
        self._answer = answer
        self._limit_bytes = limit_bytes
        self._connections = connections
        self._streams: dict[int, _Stream] = {}
        self._transport: Any = None
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        self._h2 = h2.connection.H2Connection(config)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello."""
        self._transport = transport
        self._connections.add(self)
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(_WINDOW_BYTES)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - a protocol's signature
        """Stop what nobody waits for any more."""
        self._connections.discard(self)
        for stream in self._streams.values():
            if stream.task is not None:
                stream.task.cancel()

    def data_received(self, data: bytes) -> None:
        """Take in frames."""
        try:
            for event in self._h2.receive_data(data):
                self._take(event)
        except h2.exceptions.ProtocolError:
            self._flush()
            self._transport.close()
            return
        self._flush()

    def close(self) -> None:
        """End the connection in good order."""
        try:
            self._h2.close_connection()
            self._flush()
        except h2.exceptions.ProtocolError:
            pass
        self._transport.close()

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def _take(self, event: Any) -> None:
        match event:
            case h2.events.RequestReceived():
                fields: Any = event.headers
                self._streams[event.stream_id] = _Stream(CIMultiDict(fields))
            case h2.events.DataReceived():
                stream = self._streams.get(event.stream_id)
                if stream is not None and not stream.over:
                    stream.body += event.data
                    stream.over = len(stream.body) > self._limit_bytes
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                stream = self._streams[event.stream_id]
                name = f"http2-{event.stream_id}"
                stream.task = asyncio.get_running_loop().create_task(
                    self._serve(event.stream_id, stream), name=name
                )
            case h2.events.StreamReset():
                gone = self._streams.pop(event.stream_id, None)
                if gone is not None and gone.task is not None:
                    gone.task.cancel()
            case h2.events.WindowUpdated() | h2.events.RemoteSettingsChanged():
                for stream in self._streams.values():
                    stream.window.set()
            case h2.events.ConnectionTerminated():
                self._transport.close()

    async def _serve(self, identity: int, stream: _Stream) -> None:
        tls = self._transport.get_extra_info("ssl_object") is not None
        headers = stream.headers

        async def read(limit: int) -> bytes:
            if stream.over or len(stream.body) > limit:
                raise BodyTooLarge(limit)
            return bytes(stream.body)

        host = headers.get(":authority") or headers.get("host", "")
        asked = WebRequest(
            headers.get(":method", "GET"), headers.get(":path", "/"), headers,
            f"{'https' if tls else 'http'}://{host}", read, self._limit_bytes,
        )  # fmt: skip
        try:
            reply = await self._answer(asked)
            await self._send(identity, stream, reply)
        except ReplyLost:
            self._transport.abort()
        except h2.exceptions.ProtocolError:
            pass  # the stream or the connection ended while the reply was on its way
        finally:
            self._streams.pop(identity, None)

    async def _send(self, identity: int, stream: _Stream, reply: Reply) -> None:
        head = [(":status", str(reply.status))]
        head += [
            (name.lower(), value) for name, value in reply.headers.items() if name.lower() != "content-length"
        ]
        head.append(("content-length", reply.headers.get("Content-Length") or str(len(reply.body))))
        self._h2.send_headers(identity, head, end_stream=not reply.body)
        rest = memoryview(reply.body)
        while rest:
            room = min(self._h2.local_flow_control_window(identity), self._h2.max_outbound_frame_size)
            if room <= 0:
                stream.window.clear()
                self._flush()
                await stream.window.wait()
                continue
            self._h2.send_data(identity, bytes(rest[:room]), end_stream=len(rest) <= room)
            rest = rest[room:]
        self._flush()
