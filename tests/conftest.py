"""Fixtures that every layer uses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# No test is about time: a machine that is busy with something else must not fail one.
settings.register_profile("docdask", deadline=None)
settings.load_profile("docdask")


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Folder of the corpus of real documents; the test is skipped where it is missing."""
    folder = Path(
        os.environ.get("DOCDASK_CORPUS", Path(__file__).parents[1] / ".." / "shared" / "corpus")
    ).resolve()
    if not (folder / "manifest.csv").is_file():
        pytest.skip(f"the corpus of real documents is not at {folder}; set DOCDASK_CORPUS")
    return folder
