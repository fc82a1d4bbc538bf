"""An emulator for each test, and Google's clients pointed at it."""

from __future__ import annotations

import pytest

from docdask.testing import emulator, emulator_config

__all__ = ["emulator", "emulator_config"]


@pytest.fixture
def client(emulator):
    """Google's own client over gRPC."""
    return emulator.documentai_client()


@pytest.fixture
def rest(emulator):
    """Google's own client over REST."""
    return emulator.documentai_client("rest")
