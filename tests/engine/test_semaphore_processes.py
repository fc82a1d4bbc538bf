"""QuotaSemaphore over deaths: a worker that is killed, a scheduler that is killed and started again, a program from the docs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from distributed import Client, LocalCluster

from docdask import GovernorPlugin, QuotaSemaphore
from docdask.core.ledger import fold
from docdask.core.spec import BudgetSpec, EndpointSpec, SemaphoreSpec
from docdask.errors import PermitRefused
from docdask.store.ledger import read_ledger
from tests.engine.test_semaphore import most_in
from tests.processes import wait_until

DOCS = Path(__file__).parents[2] / "docs"


@contextmanager
def scheduler(port: int, *options: str):
    """A scheduler process; gives it and its address. Port 0: any that is free."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dask", "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard", *options],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        for line in process.stderr:
            found = re.search(r"Scheduler at: +(tcp://\S+)", line)
            if found:
                break
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield process, found[1]
    finally:
        process.kill()
        process.wait()


def hold_for_ever(semaphore, entered):
    with semaphore:
        Path(entered).write_text(str(os.getpid()))
        threading.Event().wait()


def test_a_worker_that_is_killed_gives_back_what_it_held(tmp_path):
    entered = tmp_path / "entered"
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        client.register_plugin(GovernorPlugin())
        semaphore = QuotaSemaphore(name="s", in_flight=1)
        future = client.submit(hold_for_ever, semaphore, str(entered), pure=False, retries=0)
        wait_until(lambda: entered.exists() and entered.read_text(), "a permit")
        waiting = client.submit(hold_for_ever, semaphore, str(tmp_path / "never"), pure=False)
        wait_until(lambda: sum(semaphore.view().waiting.values()) == 1, "one who waits")
        first = semaphore.permits()[0].worker
        future.release()
        waiting.release()
        os.kill(int(entered.read_text()), signal.SIGKILL)
        permit = semaphore.acquire(timeout=25)  # a lease lasts 30 s: it was not what freed the slot
        assert permit
        assert first not in {held.worker for held in semaphore.permits()}
        assert sum(semaphore.view().waiting.values()) == 0
        assert semaphore.get_value() == 1


@pytest.mark.parametrize("of_run", [False, True], ids=["ledger of the scheduler", "ledger of the run"])
def test_a_scheduler_that_comes_back_by_preload_knows_the_minute_and_who_waits(tmp_path, monkeypatch, of_run):
    monkeypatch.setenv("DOCDASK_STATE", str(tmp_path / "state"))
    spec = SemaphoreSpec((EndpointSpec("us", requests=6),), ledger=True)
    options = ["--preload", "docdask.engine.preload"] + ([] if of_run else ["--ledger", str(tmp_path)])
    semaphore = QuotaSemaphore(name="s", spec=spec)
    got = []
    with scheduler(0, *options) as (process, address):
        client = Client(address, timeout=30)
        if of_run:
            semaphore.open_run("june", ledger=str(tmp_path), budget=BudgetSpec(pages=7))
        for _ in range(6):
            with semaphore.permit(run="june"):
                pass
        thread = threading.Thread(target=lambda: got.append(semaphore.acquire(run="june")), daemon=True)
        thread.start()
        wait_until(lambda: sum(semaphore.view().waiting.values()) == 1, "one who waits")
        process.kill()
        process.wait()
    assert fold(read_ledger(str(tmp_path)).records).pages_billed == 6
    with scheduler(int(address.rpartition(":")[2]), *options):
        wait_until(lambda: client.status == "running", "the client to be back")
        wait_until(
            lambda: sum(semaphore.view().waiting.values()) == 1, "one who waits"
        )  # it asked again by itself
        view = semaphore.view()
        assert view.meters[0].used == 6  # and the minute is not over
        assert not got
        assert semaphore.acquire(timeout=0) is None
        semaphore.configure(requests=60_000)
        thread.join(30)
        assert [permit.endpoint for permit in got] == ["us"]
        assert got[0].fence > 6
        if of_run:  # the client has opened it again by itself, before anybody was granted anything
            semaphore.release(got[0])
            with pytest.raises(PermitRefused, match="budget"):
                semaphore.acquire(run="june", timeout=60)
        client.close()
    assert read_ledger(str(tmp_path)).whole


class Counting(BaseHTTPRequestHandler):
    """Notes when it was called."""

    moments: list[float] = []  # noqa: RUF012 - one server a test

    def do_GET(self):
        self.moments.append(time.monotonic())
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"fine weather")

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def counting():
    Counting.moments = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Counting)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


def test_the_program_in_the_docs_keeps_its_limit(tmp_path, counting):
    text = (DOCS / "semaphore.md").read_text()
    program = tmp_path / "weather.py"
    program.write_text(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1])
    with LocalCluster(n_workers=2, threads_per_worker=4, dashboard_address=":0") as cluster:
        done = subprocess.run(
            [sys.executable, str(program), cluster.scheduler_address, counting, "2"],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.stdout == "150 replies, 1800 bytes\n", done.stderr
    assert len(Counting.moments) == 150
    assert most_in(Counting.moments, 2.0) <= 60
