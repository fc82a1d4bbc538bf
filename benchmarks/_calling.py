"""What the quota benchmarks share: an emulator in its own process, plain Dask tasks with Google's bare client, rivals.

Every caller does the same work, one call of one page after the other until all are answered; what they did is read from
the emulator's own books.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

import dask
from distributed import Client, LocalCluster, Semaphore, as_completed, get_worker

import docdask
from benchmarks._common import small_pdfs
from docdask.core.retry import RETRYABLE, RetryPolicy, verdict

PROCESSOR = "projects/p/locations/{location}/processors/ocr"
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
#: A way of calling that has not done in this time what takes five minutes is given up.
GIVE_UP_S = 900.0
_EMULATOR = "from docdask.cli import main; main()"


class EmulatorProcess:
    """``docdask emulator`` in a process of its own."""

    def __init__(self, *options: str) -> None:
        command = [
            sys.executable,
            "-c",
            _EMULATOR,
            "emulator",
            "--ocr",
            "fast",
            "--attached",
            "--grace",
            "1",
            *options,
        ]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        told = json.loads(self.process.stdout.readline())
        self.grpc, self.http = told["grpc"], told["http"]

    def calls(self) -> list[dict]:
        """Online calls in the books, as they came in."""
        rows: list[dict] = []
        token: str | None = ""
        while token is not None:
            with urllib.request.urlopen(
                f"{self.http}/emulator/calls?page_size=10000&page_token={token}"
            ) as reply:
                page = json.load(reply)
            rows += [row for row in page["calls"] if row["method"] == "ProcessDocument"]
            token = page["next_page_token"]
        return rows

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()


@contextlib.contextmanager
def emulator(*options: str) -> Iterator[EmulatorProcess]:
    process = EmulatorProcess(*options)
    try:
        yield process
    finally:
        process.close()


@contextlib.contextmanager
def cluster(workers: int, threads: int) -> Iterator[tuple[LocalCluster, Client]]:
    dask.config.set({"distributed.scheduler.allowed-failures": 1000})
    os.environ["DASK_DISTRIBUTED__LOGGING__DISTRIBUTED"] = (
        "critical"  # killed workers are what is measured, no news
    )
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=threads,
            dashboard_address=":0",
            memory_limit=None,
            silence_logs=logging.CRITICAL,
        ) as made,
        Client(made) as client,
    ):
        client.wait_for_workers(workers)
        yield made, client


@contextlib.contextmanager
def killing(made: LocalCluster, every_s: float, seed: int = 0) -> Iterator[list[int]]:
    """Kill a worker every so often; nannies start new ones. Gives the pids killed."""
    over, killed, rng = threading.Event(), [], random.Random(seed)

    def run() -> None:
        while not over.wait(every_s):
            alive = set(made.scheduler.workers)  # one that is killed while it starts is not started again
            pids = [nanny.pid for nanny in made.workers.values() if nanny.worker_address in alive]
            if pids:
                killed.append(rng.choice(pids))
                with contextlib.suppress(ProcessLookupError):
                    os.kill(killed[-1], signal.SIGKILL)

    thread = threading.Thread(target=run)
    if every_s:
        thread.start()
    try:
        yield killed
    finally:
        over.set()
        if every_s:
            thread.join()


def work_off(client: Client, task: Callable[[int], float], calls: int) -> list[float]:
    """Results of so many tasks, each fetched when it is there: what a worker keeps is lost with it, and paid for again."""
    done = as_completed(client.map(task, range(calls), pure=False), with_results=True, timeout=GIVE_UP_S)
    results: list[float] = []
    with contextlib.suppress(TimeoutError):  # the books tell how far it came
        for batch in done.batches():
            results += [result for _, result in batch]
    return results


# -- one call --------------------------------------------------------------------------------------------------------------

_clients: dict[str, object] = {}
_lock = threading.Lock()


def google_client(address: str):
    """Google's own client, one a process and address."""
    import grpc
    from google.cloud import documentai_v1

    with _lock:
        if address not in _clients:
            made = documentai_v1.DocumentProcessorServiceClient
            channel = grpc.insecure_channel(address, options=_UNLIMITED)
            _clients[address] = made(transport=made.get_transport_class("grpc")(channel=channel))
        return _clients[address]


def process_page(address: str, location: str = "us", retry=None) -> float:
    """One call of one page; seconds that it took."""
    from google.cloud import documentai_v1

    document = documentai_v1.RawDocument(content=page(), mime_type="application/pdf")
    name = PROCESSOR.format(location=location)
    request = documentai_v1.ProcessRequest(name=name, raw_document=document)
    begin = time.monotonic()
    google_client(address).process_document(request, retry=retry, timeout=60)
    return time.monotonic() - begin


_page: list[bytes] = []


def page() -> bytes:
    if not _page:
        import tempfile
        from pathlib import Path

        with tempfile.TemporaryDirectory() as folder:
            small_pdfs(Path(folder), 1)
            _page.append((Path(folder) / "000000.pdf").read_bytes())
    return _page[0]


# -- docdask ---------------------------------------------------------------------------------------------------------------


def call_by_permit(
    number: int, addresses: dict[str, str], quota: docdask.QuotaSemaphore, lane: str = "normal"
) -> float:
    """A plain task: a permit, a call, what became of it; again until it is answered. Seconds of the call."""
    from google.api_core.exceptions import GoogleAPICallError, RetryError

    policy, attempt = RetryPolicy(attempts=10**6), 0
    while True:
        attempt += 1
        permit = quota.acquire(run="run", lane=lane, unit=str(number), attempt=attempt)
        location = permit.endpoint.partition("/")[0]
        try:
            took_s = process_page(addresses[location], location)
        except (GoogleAPICallError, RetryError) as error:
            code = getattr(error, "grpc_status_code", None)
            said = verdict(code.name if code is not None else "UNKNOWN", str(error))
            permit.report(said)
            if said not in RETRYABLE:
                raise
            wait_ns = policy.wait_ns(said, attempt, random.random)
            time.sleep((wait_ns or 0) / 1e9)
        else:
            permit.report()
            return took_s


# -- rivals ----------------------------------------------------------------------------------------------------------------


def patient():
    """Google's retry, as its documentation shows it, for refusals too."""
    from google.api_core import exceptions, retry

    again = retry.if_exception_type(exceptions.ResourceExhausted, exceptions.ServiceUnavailable)
    return retry.Retry(predicate=again, initial=1.0, maximum=60.0, multiplier=2.0, timeout=GIVE_UP_S)


def call_by_lease(_number: int, address: str, semaphore: Semaphore, hold_s: float) -> float:
    """``distributed.Semaphore``, each lease held so long that all of them together make the quota."""
    with semaphore:
        begin = time.monotonic()
        took_s = process_page(address, retry=patient())
        time.sleep(max(0.0, hold_s - (time.monotonic() - begin)))
    return took_s


class Bucket:
    """Textbook token bucket: full at first, refilled evenly."""

    def __init__(self, capacity: float, rate: float) -> None:
        self.capacity, self.rate = capacity, rate
        self.level, self.at = capacity, time.monotonic()
        self.lock = threading.Lock()

    def take(self) -> None:
        while True:
            with self.lock:
                now = time.monotonic()
                self.level = min(self.capacity, self.level + (now - self.at) * self.rate)
                self.at = now
                if self.level >= 1:
                    self.level -= 1
                    return
                wait = (1 - self.level) / self.rate
            time.sleep(wait)


_buckets: dict[str, Bucket] = {}


def call_by_bucket(_number: int, address: str, capacity: float, rate: float) -> float:
    """A token bucket a worker, each with its part of the quota."""
    with _lock:
        bucket = _buckets.setdefault(get_worker().id, Bucket(capacity, rate))
    bucket.take()
    return process_page(address, retry=patient())


def by_threads(calls: int, address: str, threads: int = 64) -> list[float]:
    """No Dask, no limit, retries."""
    pool = ThreadPoolExecutor(threads)
    done, _ = wait([pool.submit(process_page, address, retry=patient()) for _ in range(calls)], GIVE_UP_S)
    pool.shutdown(wait=False, cancel_futures=True)
    return [future.result() for future in done if not future.exception()]


# -- books -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Used:
    """What the books say of one run."""

    calls: int
    """Calls that arrived."""
    refused: int
    """Refused for quota."""
    failed: int
    again: int
    """Paid for beyond what was to be done: calls of workers that died."""
    most: int
    """Admitted in the fullest minute."""
    share: float
    """Of the quota, from the first call to the last that was admitted."""
    minutes: float

    @property
    def refused_part(self) -> float:
        return self.refused / max(1, self.calls)


def used(rows: list[dict], quota: int, wanted: int, *, from_ns: int = 0) -> Used:
    minute_ns = 60 * 10**9
    at = [row["at_ns"] for row in rows if row["code"] == "OK" and row["at_ns"] >= from_ns]
    refused = sum(row["code"] == "RESOURCE_EXHAUSTED" for row in rows)
    span_ns = at[-1] - at[0] if len(at) > 1 else 0
    most = first = 0
    for last in range(len(at)):
        while at[last] - at[first] >= minute_ns:
            first += 1
        most = max(most, last - first + 1)
    share = (len(at) - 1) / (quota * span_ns / minute_ns) if span_ns else 0.0
    return Used(
        len(rows), refused, len(rows) - len(at) - refused, len(at) - wanted, most, share, span_ns / minute_ns
    )
