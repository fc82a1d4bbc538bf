"""An HTTP proxy (``CONNECT``) that leads Google's host names to the emulator, for code whose endpoint is hard-wired.

Rules: only ``*.googleapis.com`` is led anywhere, all else is refused; the bytes are passed on unread, but for the first
ones: Google serves gRPC and REST on one port, the emulator on two, and a TLS client that offers ``h2`` alone to a Document
AI host is taken for gRPC.
"""

from __future__ import annotations

import asyncio
import contextlib

_CHUNK = 2**16
_HEAD_BYTES = 2**14
_WAIT_S = 10.0


class Proxy:
    """A listening proxy.

    Parameters
    ----------
    host, grpc_port, http_port
        Where the emulator listens.
    """

    def __init__(self, host: str, grpc_port: int, http_port: int) -> None:
        self._host = host
        self._grpc_port = grpc_port
        self._http_port = http_port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self, port: int) -> int:
        """Listen; the port."""
        self._server = await asyncio.start_server(self._serve, self._host, port, limit=_HEAD_BYTES)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening and cut what is open."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._connect(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the peer went away, or never said what it wanted
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _WAIT_S)
        words = head.split(b"\r\n")[0].decode("latin-1").split()
        host = (
            words[1].rpartition(":")[0].lower() if len(words) == 3 and words[0].upper() == "CONNECT" else ""
        )
        if host != "googleapis.com" and not host.endswith(".googleapis.com"):
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        first = await asyncio.wait_for(reader.read(_CHUNK), _WAIT_S)
        port = (
            self._grpc_port
            if host.endswith("documentai.googleapis.com") and _wants_grpc(first)
            else self._http_port
        )
        far_reader, far_writer = await asyncio.open_connection(self._host, port)
        self._writers.add(far_writer)
        try:
            far_writer.write(first)
            await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))
        finally:
            self._writers.discard(far_writer)
            far_writer.close()


def _wants_grpc(hello: bytes) -> bool:
    """Whether a TLS ClientHello offers HTTP/2 and not HTTP/1.1."""
    return b"\x02h2" in hello and b"\x08http/1.1" not in hello


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until one side ends; then tell the other."""
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.close()
