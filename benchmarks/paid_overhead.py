"""docdask's own CPU a one-page call, beside the bare client: the same files, the same emulator, one run.

Everything that docdask spends is counted: driver, scheduler, call worker, and the workers that make the tables. Starting
and connecting is not: each figure is the slope between a small run and a large one, on a warm cluster. The emulator is a
process of its own and not counted. The bare client reads the file, sends the same request and parses nothing; Google's
client, which most programs use, is measured too.

Usage: python -m benchmarks.paid_overhead [CALLS]
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks._common import cpu_s, small_pdfs, table
from benchmarks._paid import PROCESSOR, Place, load, place

#: Calls in flight of the bare clients.
_AT_ONCE = 64
_METHOD = "/google.cloud.documentai.v1.DocumentProcessorService/ProcessDocument"
ROLES = ("driver", "call worker", "scheduler", "workers")


def child(url: str) -> None:
    """Drive a planned run in this process and print the CPU of each role."""
    import psutil
    import pyarrow as pa

    from docdask import settings
    from docdask.engine.clusters import local
    from docdask.engine.drive import drive
    from docdask.store.run import RunDirectory

    pa.set_cpu_count(1)  # as docdask.engine.detached does
    pa.set_io_thread_count(1)
    made = settings.load()
    with local.connect(local.find_or_start(made).address) as client:
        workers = [psutil.Process(pid) for pid in client.run(os.getpid).values()]
        scheduler = psutil.Process(client.run_on_scheduler(os.getpid))
    workers += [one for worker in list(workers) for one in worker.children(recursive=True)]

    def now() -> list[float]:
        mine = os.times()
        return [sum(mine[:2]), sum(mine[2:4]), cpu_s(scheduler), sum(map(cpu_s, workers))]

    before = now()
    summary = drive(RunDirectory.open(url), made)
    spent = [after - first for first, after in zip(before, now(), strict=True)]
    print(
        json.dumps(
            {**dict(zip(ROLES, spent, strict=True)), "stored": summary["stored"], "s": summary["wall_s"]}
        )
    )


def docdask_s(at: Place, calls: int) -> dict[str, Any]:
    """CPU seconds of a run of so many documents, by role."""
    import docdask
    from docdask.engine import detached

    run = at.folder / f"run-{calls}"
    docdask.plan(at.folder / f"pile-{calls}", to=run, engine="documentai", options={"pack": False})
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.paid_overhead", "--child", str(run)],
        stdout=subprocess.PIPE,
        check=True,
        env=detached.environment(),
        cwd=Path(__file__).parents[1],
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert found["stored"] == calls
    return found


def bare_s(address: str, files: list[Path]) -> float:
    """CPU seconds of one process that does nothing but call: bytes in, bytes out."""
    import grpc
    from google.cloud.documentai_v1 import ProcessRequest

    template = ProcessRequest.pb()(name=PROCESSOR, imageless_mode=True)
    template.raw_document.mime_type = "application/pdf"

    async def everything() -> None:
        async with grpc.aio.insecure_channel(address) as channel:
            method, free = channel.unary_unary(_METHOD), asyncio.Semaphore(_AT_ONCE)

            async def one(content: bytes) -> None:
                async with free:
                    request = type(template)()
                    request.CopyFrom(template)
                    request.raw_document.content = content
                    await method(request.SerializeToString(), timeout=60)

            await asyncio.gather(*map(one, contents))

    began = time.process_time()
    contents = [file.read_bytes() for file in files]
    asyncio.run(everything())
    return time.process_time() - began


def google_s(address: str, files: list[Path]) -> float:
    """CPU seconds of Google's asynchronous client on the same files; it parses each answer."""
    import grpc
    from google.cloud import documentai_v1 as documentai

    service = documentai.DocumentProcessorServiceAsyncClient

    async def everything() -> None:
        channel = grpc.aio.insecure_channel(address)
        client = service(transport=service.get_transport_class("grpc_asyncio")(channel=channel))
        free = asyncio.Semaphore(_AT_ONCE)

        async def one(content: bytes) -> None:
            async with free:
                raw = documentai.RawDocument(content=content, mime_type="application/pdf")
                request = documentai.ProcessRequest(name=PROCESSOR, raw_document=raw, imageless_mode=True)
                await client.process_document(request, timeout=60)

        await asyncio.gather(*map(one, contents))
        await channel.close()

    began = time.process_time()
    contents = [file.read_bytes() for file in files]
    asyncio.run(everything())
    return time.process_time() - began


def _warm(at: Place, calls: int) -> None:
    """A cluster whose workers have all made tables before."""
    import docdask

    small_pdfs(at.folder / "warm", calls)
    docdask.run(at.folder / "warm", to=at.folder / "warm-run", engine="documentai", options={"pack": False})


def main(calls: int) -> str:
    """Measure all of them; returns the tables."""
    few = calls // 10
    with place() as at:
        for count in (few, calls):
            small_pdfs(at.folder / f"pile-{count}", count)
        _warm(at, few)
        files = sorted((at.folder / f"pile-{calls}").iterdir())
        address = at.emulator.grpc_address
        small, large = docdask_s(at, few), docdask_s(at, calls)
        bare_s(address, files[:few]), google_s(address, files[:few])  # imports, connections
        bare = 1000 * bare_s(address, files) / calls
        google = 1000 * google_s(address, files) / calls
        answered = len(at.books())
    slope = {role: 1000 * (large[role] - small[role]) / (calls - few) for role in ROLES}
    ours = sum(slope.values())
    rows: list[tuple[str, ...]] = [("", "CPU ms a call"), ("bare gRPC client", f"{bare:.2f}")]
    rows += [("Google's client", f"{google:.2f}"), ("docdask, everything", f"{ours:.2f}")]
    rows += [(f"- {role}", f"{value:.2f}") for role, value in slope.items()]
    return (
        f"{calls:,} calls in {large['s']:.0f} s, {answered:,} answered in all; {load()}\n\n{table(rows)}\n\n"
        f"docdask spends {ours - bare:.2f} ms a call more than the bare client (goal: 2 ms), "
        f"{ours - slope['workers'] - bare:.2f} ms without the tables; {ours / bare:.1f} times as much in all."
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2])
    else:
        print(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000))
