"""An emulator for each test, and docdask's client of Document AI pointed at it."""

from __future__ import annotations

import asyncio

import pytest
from documentai_files import configuration

from docdask.service.documentai import DocumentAI
from docdask.service.staging import Staging
from docdask.testing import emulator, emulator_config

__all__ = ["emulator", "emulator_config"]


@pytest.fixture
def use(emulator):
    """Run a coroutine function with a client and a staging area that are closed afterwards."""
    emulator.storage_client().create_bucket("bucket")

    def run(function, config=None):
        async def inside():
            async with (
                DocumentAI(config or configuration(), emulator_host=emulator.grpc_address) as client,
                Staging("gs://bucket/stage", endpoint=emulator.http_url) as staging,
            ):
                return await function(client, staging)

        return asyncio.run(inside())

    return run
