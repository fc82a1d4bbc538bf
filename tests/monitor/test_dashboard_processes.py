"""The page where people meet it: on the local cluster, and on a scheduler that was started with the preload."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from docdask.engine.clusters import local
from docdask.settings import Settings
from tests.processes import wait_until

pytestmark = pytest.mark.slow


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as reply:
        return reply.read().decode()


def pages(link: str) -> tuple[str, dict[str, str]]:
    return fetch(f"{link}/docdask"), json.loads(fetch(f"{link}/individual-plots.json"))


def test_the_local_cluster_has_the_page(machine: Settings):
    facts = local.find_or_start(machine)
    page, plots = pages(facts.dashboard.removesuffix("/status"))
    assert 'href="docdask"' in page
    assert "/individual-docdask-quota" in plots.values()


def test_a_scheduler_with_the_preload_has_the_page(tmp_path):
    command = [
        sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
        "--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(tmp_path / "scheduler.json"),
        "--preload", "docdask.engine.preload",
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        found = tmp_path / "scheduler.json"
        wait_until(lambda: found.exists() and found.read_text().endswith("}"), "the scheduler")
        port = json.loads(found.read_text())["services"]["dashboard"]

        def there():
            try:
                return pages(f"http://127.0.0.1:{port}")
            except urllib.error.HTTPError:
                return None  # its preload is at work

        page, plots = wait_until(there, "the page")
        assert 'href="docdask"' in page
        assert "/individual-docdask-runs" in plots.values()
    finally:
        process.terminate()
        process.wait(30)
