"""The command line of this session: one state folder, one local cluster, ended at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.processes import Machine


@pytest.fixture(scope="session")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Commands that share one state folder and so one local cluster."""
    made = Machine(tmp_path_factory.mktemp("shell"), DOCDASK_WORKERS="2")
    yield made
    made.stop_cluster()
    made.kill_tree()
