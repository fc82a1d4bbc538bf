"""The HTTP side: one server for REST, Cloud Storage, tokens, control calls and the status page.

Rules: HTTP/1.1, and HTTP/2 where ``h2`` is installed; paths are taken apart raw, so that an object name is decoded once; a body is read whole, with a limit;
whatever is sent, the answer is a status and a body, never a closed connection, unless a fault asks for one.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

from aiohttp import web

from docdask.core.server.status import Status
from docdask.service.emulator import http2
from docdask.service.emulator.control import Control
from docdask.service.emulator.frontend import Frontend
from docdask.service.emulator.processing import ReplyLost
from docdask.service.emulator.rest import Rest
from docdask.service.emulator.statuses import to_json
from docdask.service.emulator.storage_json import StorageJson
from docdask.service.emulator.storage_xml import StorageXml
from docdask.service.emulator.tokens import Tokens
from docdask.service.emulator.web_request import BodyTooLarge, Reply, WebRequest

_log = logging.getLogger(__name__)
#: A 40 MB file is 56 MB of base64; objects come in one body up to this.
_BODY_BYTES = 2**30 + 2**20


class HttpShell:
    """An aiohttp server in front of the emulator."""

    def __init__(self, frontend: Frontend) -> None:
        self._rest = Rest(frontend)
        self._json = StorageJson(frontend.backend)
        self._xml = StorageXml(frontend.backend)
        self._control = Control(frontend)
        self._tokens = Tokens(frontend.backend)
        self._runner: web.ServerRunner | None = None
        self._server: asyncio.Server | None = None
        self._connections: set[http2.Http2Connection] = set()
        self._silent: set[http2.Switch] = set()
        self._busy = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def start(self, host: str, port: int, cert: Path | None, key: Path | None) -> int:
        """Listen; the port."""
        context = None
        if cert is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert, key)
            context.set_alpn_protocols(["h2", "http/1.1"] if http2.AVAILABLE else ["http/1.1"])
        http1 = web.Server(
            self._over_http1,
            access_log=None,
            keepalive_timeout=75.0,
            max_line_size=65536,
            max_field_size=65536,
        )
        self._runner = web.ServerRunner(http1)
        await self._runner.setup()

        def connection() -> asyncio.Protocol:
            return http2.Switch(
                http1,
                lambda: http2.Http2Connection(self._counted, _BODY_BYTES, self._connections),
                self._silent,
            )

        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(connection, host, port, ssl=context, backlog=2048)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self, grace_s: float) -> None:
        """Stop listening, let calls in flight end for so long."""
        if self._runner is None or self._server is None:
            return
        self._server.close()
        try:
            await asyncio.wait_for(self._idle.wait(), grace_s or 0.001)
        except TimeoutError:
            _log.warning("%d HTTP calls did not end within %g s", self._busy, grace_s)
        for connection in list(self._connections):
            connection.close()
        for switch in list(self._silent):
            switch.close()
        await self._runner.cleanup()
        self._runner = None

    async def _over_http1(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request of aiohttp's."""
        transport = request.transport
        tls = transport is not None and transport.get_extra_info("ssl_object") is not None

        async def read(limit: int) -> bytes:
            if request.content_length is not None and request.content_length > limit:
                raise BodyTooLarge(limit)
            parts, size = [], 0
            async for part in request.content.iter_any():
                size += len(part)
                if size > limit:
                    raise BodyTooLarge(limit)
                parts.append(part)
            return b"".join(parts)

        base = f"{'https' if tls else 'http'}://{request.host}"
        asked = WebRequest(request.method, request.raw_path, request.headers, base, read, _BODY_BYTES)
        try:
            reply = await self._counted(asked)
        except ReplyLost:
            if transport is not None:
                transport.abort()
            reply = Reply(503)
        return web.Response(status=reply.status, body=reply.body, headers=reply.headers)

    async def _counted(self, asked: WebRequest) -> Reply:
        """Answer a request, counted among those in flight."""
        self._busy += 1
        self._idle.clear()
        try:
            return await self._answer(asked)
        finally:
            self._busy -= 1
            if not self._busy:
                self._idle.set()

    async def _answer(self, asked: WebRequest) -> Reply:
        try:
            return await self._route(asked)
        except BodyTooLarge as error:
            text = f"Request payload size exceeds the limit: {error.limit_bytes} bytes."
            return Reply.json_text(400, to_json(Status("INVALID_ARGUMENT", text)))
        except (ReplyLost, ConnectionResetError, asyncio.CancelledError):
            raise
        except Exception:  # noqa: BLE001 - whatever it is, the caller gets an answer and the log a trace
            _log.exception("%s %s failed", asked.method, asked.path)
            return Reply.json_text(500, to_json(Status("INTERNAL", "Internal error encountered.")))

    async def _route(self, asked: WebRequest) -> Reply:
        path = asked.path
        if path.startswith(("/v1/", "/v1beta3/")):
            return await self._rest.answer(asked)
        if (
            path.startswith(("/storage/v1/", "/upload/", "/download/", "/batch", "/b/", "/resumable/"))
            or path == "/b"
        ):
            return await self._json.answer(asked)
        if path in ("/token", "/oauth2/v4/token", "/oauth2/v3/token"):
            return await self._tokens.answer(asked)
        if path in ("/", "/favicon.ico") or path.startswith("/emulator"):
            return await self._control.answer(asked)
        return await self._xml.answer(asked)
