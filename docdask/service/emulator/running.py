"""A running emulator: both ports, started and stopped together."""

from __future__ import annotations

import asyncio
import os
import time
from types import TracebackType
from typing import Any, Self

from docdask.errors import EngineError, UsageError
from docdask.service.emulator.backend import Backend
from docdask.service.emulator.config import EmulatorConfig
from docdask.service.emulator.frontend import Frontend
from docdask.service.emulator.grpc_shell import GrpcShell
from docdask.service.emulator.http_shell import HttpShell
from docdask.service.emulator.proxy import Proxy


class Emulator:
    """An emulator that listens; made by :func:`docdask.service.emulator.serve`.

    Used as ``async with await serve(config) as emulator``, or closed with :meth:`stop`.
    """

    def __init__(self, config: EmulatorConfig) -> None:
        self.config = config
        self.backend = Backend(config)
        self.frontend = Frontend(self.backend)
        self._grpc = GrpcShell(self.frontend)
        self._http = HttpShell(self.frontend)
        self._proxy: Proxy | None = None
        self.proxy_port = 0
        self.grpc_port = 0
        self.http_port = 0

    async def start(self) -> None:
        """Listen on both ports.

        Raises
        ------
        EngineError
            If a port is taken.
        """
        config = self.config
        if (config.tls_cert is None) != (config.tls_key is None):
            raise UsageError("one of certificate and key is missing", "give both --tls-cert and --tls-key")
        if config.proxy_port is not None and config.tls_cert is None:
            raise UsageError("a proxy without TLS leads nowhere", "give --tls-cert and --tls-key as well")
        try:
            self.grpc_port = await self._grpc.start(
                f"{config.host}:{config.grpc_port}", config.tls_cert, config.tls_key
            )
            self.http_port = await self._http.start(
                config.host, config.http_port, config.tls_cert, config.tls_key
            )
            if config.proxy_port is not None:
                self._proxy = Proxy(config.host, self.grpc_port, self.http_port)
                self.proxy_port = await self._proxy.start(config.proxy_port)
        except (RuntimeError, OSError) as error:
            await self.backend.close()
            raise EngineError(
                f"the emulator can't listen on {config.host}: {error}",
                "choose other ports, or 0 for free ones",
            ) from error
        self.frontend.batches.restore()

    @property
    def grpc_address(self) -> str:
        """``host:port`` of the gRPC side."""
        return f"{self.config.host}:{self.grpc_port}"

    @property
    def http_url(self) -> str:
        """URL of the HTTP side, no trailing slash."""
        scheme = "https" if self.config.tls_cert else "http"
        return f"{scheme}://{self.config.host}:{self.http_port}"

    def addresses(self) -> dict[str, Any]:
        """What the command prints when it is ready."""
        found: dict[str, Any] = {
            "grpc": self.grpc_address, "http": self.http_url, "storage": self.http_url, "status": f"{self.http_url}/",
            "token_uri": f"{self.http_url}/token", "tls": self.config.tls_cert is not None, "pid": os.getpid(),
        }  # fmt: skip
        if self.config.tls_cert is not None:
            found["tls_cert"] = str(self.config.tls_cert.absolute())
        if self.proxy_port:
            found["proxy"] = f"http://{self.config.host}:{self.proxy_port}"
        return found

    async def stop(self, grace_s: float | None = None) -> None:
        """Refuse new calls, let those in flight end, keep the state."""
        grace = self.config.grace_s if grace_s is None else grace_s
        deadline = time.monotonic() + grace
        await asyncio.gather(self._grpc.stop(grace), self._http.stop(grace))
        if self._proxy is not None:
            await self._proxy.stop()
        await self.frontend.batches.close(
            max(0.0, deadline - time.monotonic()) if self.config.state is None else 0.0
        )
        await self.backend.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop(0.0 if error else None)
