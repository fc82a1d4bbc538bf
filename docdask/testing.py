"""Test tools: an emulator of Document AI for your own test suite, as a pytest fixture or a context manager.

::

    from docdask.testing import emulator  # the fixture; put it into conftest.py


    def test_my_code(emulator):
        client = emulator.documentai_client()
        ...
        assert emulator.stats()["pages_billed"] == 3

Rules: one emulator a test, on free ports, in a thread of the test's process, in memory, gone when the test ends. Settings come
from the fixture ``emulator_config``, which a test module overrides to change them.
"""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from docdask.service.emulator import Emulator, EmulatorConfig

__all__ = ["EmulatorHandle", "emulator", "emulator_config", "running_emulator"]

_START_S = 60.0


class EmulatorHandle:
    """A running emulator and clients that are pointed at it.

    Attributes
    ----------
    grpc_address
        ``host:port`` of the gRPC side.
    http_url
        URL of REST, Cloud Storage and the control calls.
    """

    def __init__(self, running: Emulator, loop: asyncio.AbstractEventLoop) -> None:
        self.running = running
        self._loop = loop
        self._channels: list[Any] = []
        self.grpc_address = running.grpc_address
        self.http_url = running.http_url

    def documentai_client(self, transport: str = "grpc", api: str = "v1") -> Any:
        """Google's own Document AI client, over ``grpc`` or ``rest``, of ``v1`` or ``v1beta3``."""
        import google.cloud.documentai_v1 as v1
        import google.cloud.documentai_v1beta3 as v1beta3
        from google.api_core.client_options import ClientOptions
        from google.auth.credentials import AnonymousCredentials

        module = v1 if api == "v1" else v1beta3
        client = module.DocumentProcessorServiceClient
        if transport == "rest":
            options = ClientOptions(api_endpoint=self.http_url)
            return client(transport="rest", client_options=options, credentials=AnonymousCredentials())
        import grpc

        unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        channel = grpc.insecure_channel(self.grpc_address, options=unlimited)
        self._channels.append(channel)
        return client(transport=client.get_transport_class("grpc")(channel=channel))

    def storage_client(self, project: str = "emulator") -> Any:
        """Google's own Cloud Storage client."""
        from google.api_core.client_options import ClientOptions
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage

        options = ClientOptions(api_endpoint=self.http_url)
        return storage.Client(project=project, credentials=AnonymousCredentials(), client_options=options)

    def stats(self) -> dict[str, Any]:
        """Sums of the emulator's books."""
        found: dict[str, Any] = self._json("/emulator/stats")
        return found

    def calls(self, **where: str) -> list[dict[str, Any]]:
        """Every row of the books whose fields have these values."""
        rows: list[dict[str, Any]] = []
        token: str | None = ""
        query = "".join(f"&{name}={value}" for name, value in where.items())
        while token is not None:
            page = self._json(f"/emulator/calls?page_token={token}{query}")
            rows += page["calls"]
            token = page["next_page_token"]
        return rows

    def reset(self, **what: bool) -> None:
        """Empty the books and refill the quotas; ``storage=True`` and ``processors=True`` reset those as well."""
        self._json("/emulator/reset", what)

    def faults(self, profile: str = "none", **changes: Any) -> None:
        """Put a fault profile in force, with changes to it."""
        self._json("/emulator/faults", {"profile": profile, **changes})

    def _json(self, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.http_url + path, data=data)  # noqa: S310 - our own http URL
        with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310
            return json.load(reply)

    def run(self, coroutine: Any) -> Any:
        """Run a coroutine on the emulator's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_START_S)

    def close(self) -> None:
        """Close the channels that were made here."""
        for channel in self._channels:
            channel.close()


@contextmanager
def running_emulator(config: EmulatorConfig | None = None) -> Iterator[EmulatorHandle]:
    """Run an emulator in a thread of this process.

    Parameters
    ----------
    config
        Its settings; None for the defaults, with made-up text (``ocr="fast"``).
    """
    from docdask.service.emulator import EmulatorConfig, serve

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="emulator", daemon=True)
    thread.start()
    try:
        started = asyncio.run_coroutine_threadsafe(serve(config or EmulatorConfig(ocr="fast")), loop)
        handle = EmulatorHandle(started.result(_START_S), loop)
        try:
            yield handle
        finally:
            handle.close()
            handle.run(handle.running.stop(1.0))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def emulator_config() -> EmulatorConfig:
    """Settings of the fixture ``emulator``; override it to change them."""
    from docdask.service.emulator import EmulatorConfig

    return EmulatorConfig(ocr="fast")


@pytest.fixture
def emulator(emulator_config: EmulatorConfig) -> Iterator[EmulatorHandle]:
    """Return a running emulator of Document AI, one a test."""
    with running_emulator(emulator_config) as handle:
        yield handle
