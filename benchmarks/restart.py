"""The scheduler is killed in the middle of a run of plain tasks and started again: is any window over quota, does the ledger agree with the books?

Run: ``python -m benchmarks.restart [CALLS] [QUOTA] [SECONDS A MINUTE]``. Emulator, scheduler (with the preload) and workers are processes of their
own; the tasks call with Google's bare client. The last row shows what a governor does that remembers nothing.
"""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributed import Client, wait

import docdask
from benchmarks._common import small_pdfs, table
from docdask.core.ledger import Ledger, fold
from docdask.core.spec import BudgetSpec, EndpointSpec, SemaphoreSpec
from docdask.service.emulator.child import EmulatorProcess
from docdask.store.ledger import read_ledger

MINUTE_NS = 60 * 10**9
#: What the second governor finds of the first one.
MEMORIES = ("state folder and ledger", "the ledger alone", "nothing")
NAME = "projects/emulator/locations/us/processors/ocr"


@dataclass(frozen=True)
class Result:
    """What the emulator's books and the ledger say."""

    calls: int
    served: int
    """Calls in the books that were answered."""
    refused: int
    most: int
    """Most calls in any minute of the books."""
    pages: int
    """Billed, by the books."""
    ledger: Ledger
    whole: bool
    """The ledger has neither gaps nor damage."""
    stored: int
    before: int
    """Stored when the scheduler was killed."""
    away_s: float
    """From the kill to the first permit of the next governor."""
    seconds: float

    @property
    def at_risk(self) -> int:
        """Pages of calls whose end the ledger does not know."""
        return self.ledger.at_risk[0]

    @property
    def agrees(self) -> bool:
        """What the books have beyond the ledger's bill are calls that the ledger has as at risk."""
        return 0 <= self.pages - self.ledger.pages_billed <= self.at_risk


@functools.cache
def _client(address: str) -> Any:
    """Google's bare client, one a process, connected: a permit is for a call that goes out at once."""
    import grpc
    from google.cloud import documentai

    channel = grpc.insecure_channel(address)
    grpc.channel_ready_future(channel).result(timeout=30)
    service = documentai.DocumentProcessorServiceClient
    return service(transport=service.get_transport_class("grpc")(channel=channel))


def call(number: int, quota: docdask.QuotaSemaphore, folder: str, address: str, attempt: int) -> int:
    """One document: unless its result is stored, wait for a permit, call, store."""
    from google.api_core.exceptions import ResourceExhausted
    from google.cloud import documentai

    name = f"{number:06d}"
    stored = Path(folder) / "results" / name
    if stored.exists():
        return 0
    content = (Path(folder) / "documents" / f"{name}.pdf").read_bytes()
    document = documentai.RawDocument(content=content, mime_type="application/pdf")
    request = documentai.ProcessRequest(name=NAME, raw_document=document)
    client = _client(address)
    while True:
        with quota.permit(run=folder, unit=name, attempt=attempt, lane="bulk") as permit:
            try:
                # Google's client tries again by itself unless told not to: calls that nobody gave a permit for.
                reply = client.process_document(request, retry=None, timeout=60)
            except ResourceExhausted:
                permit.report("quota", code="RESOURCE_EXHAUSTED")
                attempt += 1
                continue
            permit.report("ok", pages_billed=len(reply.document.pages), code="OK")
            break
    temporary = stored.with_suffix(".tmp")
    temporary.write_text(reply.document.text)
    temporary.replace(stored)
    quota.note(folder, name, permit.fence, "stored")
    return 1


@contextlib.contextmanager
def dask(port: int, state: str, workers: int) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Scheduler with the preload, and workers: its process and address; all are ended afterwards."""
    import re

    base = [sys.executable, "-m", "dask"]
    environment = os.environ | {"DOCDASK_STATE": state, "PYTHONPATH": os.getcwd()}  # noqa: PTH109 - the same
    command = [*base, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    scheduler = subprocess.Popen(
        [*command, "--preload", "docdask.engine.preload"], stderr=subprocess.PIPE, env=environment
    )
    made = [scheduler]
    try:
        assert scheduler.stderr is not None
        address = ""
        while not address:
            found = re.search(rb"Scheduler at: +(tcp://\S+)", scheduler.stderr.readline())
            address = found[1].decode() if found else ""
        threading.Thread(target=scheduler.stderr.read, daemon=True).start()
        worker = [*base, "worker", address, "--nthreads", "8", "--no-nanny", "--no-dashboard"]
        made += [
            subprocess.Popen(
                [*worker, "--local-directory", state], stderr=subprocess.DEVNULL, env=environment
            )
            for _ in range(workers)
        ]
        yield scheduler, address
    finally:
        for process in made:
            process.kill()
            process.wait()


def measure(
    folder: Path, *, calls: int, quota: int, minute_s: float, workers: int = 2, memory: str = MEMORIES[0]
) -> Result:
    """Do ``calls`` calls at ``quota`` a minute, and kill the scheduler after two fifths of them.

    ``memory`` is one of :data:`MEMORIES`: what the next governor finds of the one before.
    """
    again_in = folder / "again" if memory == "nothing" else folder  # its ledger is another one
    small_pdfs(folder / "documents", calls)
    (folder / "results").mkdir()
    options = {
        "ocr": "fast",
        "speed": 60 / minute_s,
        "latency": "3+0~0.3",
        "quota": [f"online_requests={quota}"],
    }
    with EmulatorProcess(options=options) as emulator:
        semaphore = docdask.QuotaSemaphore(name="documentai/emulator", spec=_spec(quota, minute_s))
        begin = time.monotonic()
        with dask(0, str(folder / "state"), workers) as (scheduler, address):
            client = Client(address, timeout=30)
            semaphore.open_run(
                str(folder), calls=calls, pages=calls, budget=BudgetSpec(pages=2 * calls), ledger=str(folder)
            )
            arguments = {"quota": semaphore, "folder": str(folder), "address": emulator.grpc_address}
            lost = client.map(call, range(calls), **arguments, attempt=1, pure=False, retries=0)
            _until(lambda: _stored(folder) >= 2 * calls // 5)
            scheduler.kill()
            scheduler.wait()
        before, killed = _stored(folder), time.monotonic()
        if memory != MEMORIES[0]:
            for path in (folder / "state").glob("usage/*"):
                path.unlink()
        with dask(int(address.rpartition(":")[2]), str(folder / "state"), workers):
            if memory == "nothing":  # also the client forgets, or it would open the run with its ledger again
                client.close()
                client = Client(address, timeout=30)
                semaphore = docdask.QuotaSemaphore(name=semaphore.name, spec=semaphore.spec)
                arguments["quota"] = semaphore
            _until(lambda: client.status == "running")
            del lost
            # The client has opened the run again by itself; now it knows better what is left to do.
            semaphore.close_run(str(folder))
            semaphore.open_run(
                str(folder), calls=calls - before, budget=BudgetSpec(pages=2 * calls), ledger=str(again_in)
            )
            again = client.map(call, range(calls), **arguments, attempt=1, pure=False, retries=0)
            _until(lambda: _stored(folder) > before)
            away_s = time.monotonic() - killed
            wait(again)
            semaphore.view()
            client.close()
        rows = [row for row in emulator.calls() if row["method"] == "ProcessDocument"]
        pages = emulator.stats()["pages_billed"]
    reading = read_ledger(str(folder))
    return Result(
        calls=len(rows),
        served=sum(row["code"] == "OK" for row in rows),
        refused=sum(row["code"] == "RESOURCE_EXHAUSTED" for row in rows),
        most=most_in_a_minute([row["at_ns"] for row in rows]),
        pages=pages,
        ledger=fold(reading.records),
        whole=reading.whole,
        stored=_stored(folder),
        before=before,
        away_s=away_s,
        seconds=time.monotonic() - begin,
    )


def most_in_a_minute(moments_ns: list[int]) -> int:
    """Most calls in any 60 s of the emulator's clock, wherever they begin."""
    window: deque[int] = deque()
    most = 0
    for moment in sorted(moments_ns):
        window.append(moment)
        while window[0] <= moment - MINUTE_NS:
            window.popleft()
        most = max(most, len(window))
    return most


def _spec(quota: int, minute_s: float) -> SemaphoreSpec:
    period_ns = int(minute_s * 1e9)
    return SemaphoreSpec(
        (EndpointSpec("us/ocr", location="us", requests=quota),),
        period_ns=period_ns,
        # Processes of a busy machine are as late in a minute of a few seconds as in one of sixty.
        guard_ns=1_000_000_000,
        guard_most_ns=2_000_000_000,
        ledger=True,
    )


def _stored(folder: Path) -> int:
    return sum(1 for path in (folder / "results").iterdir() if not path.suffix)


def _until(condition: Any, deadline_s: float = 120.0) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the run does not go on")
        time.sleep(0.02)


def main(calls: int = 100, quota: int = 60, minute_s: float = 30.0) -> None:
    """Print the table."""
    rows: list[tuple[str, ...]] = [
        (
            "the next governor finds",
            "calls",
            "most in a minute",
            "refused",
            "pages billed: books",
            "ledger",
            "at risk",
            "stored",
            "s until work goes on",
            "s",
        )
    ]
    for memory in MEMORIES:
        with tempfile.TemporaryDirectory() as folder:
            r = measure(Path(folder), calls=calls, quota=quota, minute_s=minute_s, memory=memory)
        alone = memory == "nothing"
        rows.append(
            (
                memory,
                str(r.calls),
                f"{r.most} of {quota}",
                str(r.refused),
                str(r.pages),
                "two of them" if alone else str(r.ledger.pages_billed),
                "" if alone else str(r.at_risk),
                str(r.stored),
                f"{r.away_s:.1f}",
                f"{r.seconds:.0f}",
            )
        )
    print(table(rows))


if __name__ == "__main__":
    # Tasks must know their functions by the name of this module, not as those of __main__.
    from benchmarks import restart  # noqa: PLW0406 - on purpose, see above

    restart.main(*(int(text) for text in sys.argv[1:3]), *(float(text) for text in sys.argv[3:4]))
