"""The HTTP side: one server for REST, Cloud Storage, tokens, control calls and the status page.

Rules: HTTP/1.1; paths are taken apart raw, so that an object name is decoded once; a body is read whole, with a limit;
whatever is sent, the answer is a status and a body, never a closed connection, unless a fault asks for one.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path
from urllib.parse import parse_qsl

from aiohttp import web

from docdask.core.server.status import Status
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
        self._busy = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def start(self, host: str, port: int, cert: Path | None, key: Path | None) -> int:
        """Listen; the port."""
        context = None
        if cert is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert, key)
            context.set_alpn_protocols(["http/1.1"])
        server = web.Server(
            self._handle, access_log=None, keepalive_timeout=75.0, max_line_size=65536, max_field_size=65536
        )
        self._runner = web.ServerRunner(server)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, ssl_context=context, backlog=2048)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def stop(self, grace_s: float) -> None:
        """Stop listening, let calls in flight end for so long."""
        if self._runner is None:
            return
        for site in list(self._runner.sites):
            await site.stop()
        try:
            await asyncio.wait_for(self._idle.wait(), grace_s or 0.001)
        except TimeoutError:
            _log.warning("%d HTTP calls did not end within %g s", self._busy, grace_s)
        await self._runner.cleanup()
        self._runner = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self._busy += 1
        self._idle.clear()
        try:
            reply = await self._answer(request)
        finally:
            self._busy -= 1
            if not self._busy:
                self._idle.set()
        return web.Response(status=reply.status, body=reply.body, headers=reply.headers)

    async def _answer(self, request: web.BaseRequest) -> Reply:
        path, _, query = request.raw_path.partition("?")
        if "://" in path[:8]:  # absolute form, as proxies send it
            path = "/" + path.partition("://")[2].partition("/")[2]
        asked = WebRequest(request, path, dict(parse_qsl(query, keep_blank_values=True)), _BODY_BYTES)
        try:
            return await self._route(asked)
        except BodyTooLarge as error:
            text = f"Request payload size exceeds the limit: {error.limit_bytes} bytes."
            return Reply.json_text(400, to_json(Status("INVALID_ARGUMENT", text)))
        except ReplyLost:
            if request.transport is not None:
                request.transport.abort()
            return Reply(503)
        except (ConnectionResetError, asyncio.CancelledError):
            raise
        except Exception:  # noqa: BLE001 - whatever it is, the caller gets an answer and the log a trace
            _log.exception("%s %s failed", request.method, path)
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
