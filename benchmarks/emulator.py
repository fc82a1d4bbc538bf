"""Calls a second of the emulator, beside a canned grpc.aio server in the same run, client included.

    python -m benchmarks.emulator [--calls 6000] [--json out.json]

Prints one line a measurement, and the ratios that the issue of speed is judged by: one-page cached calls over gRPC
(≥ 1,500/s on 2 cores where the canned server does about 2,100), over REST (≥ 400/s), 15-page replies, and the CPU of a
15-page call in fast mode (< 5 ms).
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import multiprocessing
import os
import statistics
import time

import aiohttp
import grpc
from google.cloud import documentai_v1 as documentai

from docdask.core.limits import DEFAULT_BOOK
from docdask.core.server import ServerSettings

METHOD = "/google.cloud.documentai.v1.DocumentProcessorService/ProcessDocument"
NAME = "projects/p/locations/us/processors/ocr"
WIDE = DEFAULT_BOOK.override({"online_requests": 10**9, "user_requests": 10**9})
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def make_pdf(pages: int, mark: int = 0) -> bytes:
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(612, 792), invariant=True)
    for number in range(pages):
        for line in range(12):
            canvas.drawString(72, 720 - 20 * line, f"Page {number + 1}, line {line + 1} of document {mark}")
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def make_request(content: bytes) -> bytes:
    document = documentai.RawDocument(content=content, mime_type="application/pdf")
    return documentai.ProcessRequest.serialize(documentai.ProcessRequest(name=NAME, raw_document=document))


def run_emulator(pipe) -> None:
    """Child process: the emulator in fast mode."""
    from docdask.service.emulator import EmulatorConfig, serve

    async def main() -> None:
        emulator = await serve(EmulatorConfig(ocr="fast", server=ServerSettings(limits=WIDE)))
        pipe.send(emulator.addresses())
        while not await asyncio.to_thread(pipe.poll, 0.5):
            pass
        await emulator.stop(0.0)

    asyncio.run(main())


def run_canned(pipe) -> None:
    """Child process: a server that answers the same bytes to everything."""
    reply = pipe.recv()

    async def main() -> None:
        async def handler(_data, _context):
            return reply

        server = grpc.aio.server(options=UNLIMITED)
        handlers = {"ProcessDocument": grpc.unary_unary_rpc_method_handler(handler)}
        name = "google.cloud.documentai.v1.DocumentProcessorService"
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        pipe.send({"grpc": f"127.0.0.1:{port}", "pid": os.getpid()})
        while not await asyncio.to_thread(pipe.poll, 0.5):
            pass
        await server.stop(0)

    asyncio.run(main())


async def over_grpc(address: str, data: bytes, calls: int, at_once: int = 64) -> float:
    """Calls a second."""
    async with grpc.aio.insecure_channel(address, options=UNLIMITED) as channel:
        method = channel.unary_unary(METHOD)
        await method(data)
        left = iter(range(calls))

        async def caller() -> None:
            for _ in left:
                await method(data)

        start = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(at_once)))
        return calls / (time.perf_counter() - start)


async def over_rest(url: str, content: bytes, calls: int, at_once: int = 32) -> float:
    """Calls a second."""
    import base64

    encoded = base64.b64encode(content).decode()
    body = json.dumps({"rawDocument": {"content": encoded, "mimeType": "application/pdf"}}).encode()
    target = f"{url}/v1/{NAME}:process"
    async with aiohttp.ClientSession() as session:
        left = iter(range(calls))

        async def caller() -> None:
            for _ in left:
                async with session.post(target, data=body) as reply:
                    assert reply.status == 200
                    await reply.read()

        start = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(at_once)))
        return calls / (time.perf_counter() - start)


def resident_mib(pid: int) -> float:
    import psutil

    return psutil.Process(pid).memory_info().rss / 2**20


def fast_cpu_ms() -> float:
    """Median CPU of one 15-page recognition of a document never seen before."""
    from docdask.service.emulator import fast

    times = []
    for mark in range(40):
        content = make_pdf(15, mark)
        start = time.process_time()
        fast.recognise(content, "application/pdf", None)
        times.append((time.process_time() - start) * 1e3)
    return statistics.median(times)


def measure(calls: int) -> dict[str, float]:
    one, fifteen = make_pdf(1), make_pdf(15)
    found: dict[str, float] = {}
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    child = context.Process(target=run_emulator, args=(there,))
    child.start()
    where = here.recv()
    with grpc.insecure_channel(where["grpc"], options=UNLIMITED) as channel:
        reply = channel.unary_unary(METHOD)(make_request(one))
        big = channel.unary_unary(METHOD)(make_request(fifteen))
    canned_here, canned_there = context.Pipe()
    canned = context.Process(target=run_canned, args=(canned_there,))
    canned.start()
    canned_here.send(reply)
    canned_where = canned_here.recv()
    found["reply_bytes"], found["reply_15_pages_bytes"] = len(reply), len(big)
    # Alternating rounds, so that whatever else the machine does hits both alike.
    rounds = {"canned": [], "emulator": []}
    for _ in range(3):
        rounds["canned"].append(asyncio.run(over_grpc(canned_where["grpc"], make_request(one), calls // 3)))
        rounds["emulator"].append(asyncio.run(over_grpc(where["grpc"], make_request(one), calls // 3)))
    canned_here.send("stop")
    found["canned_calls_per_s"] = max(rounds["canned"])
    found["emulator_calls_per_s"] = max(rounds["emulator"])
    found["share_of_canned"] = found["emulator_calls_per_s"] / found["canned_calls_per_s"]
    found["rest_calls_per_s"] = asyncio.run(over_rest(where["http"], one, max(300, calls // 6)))
    found["grpc_15_pages_calls_per_s"] = asyncio.run(
        over_grpc(where["grpc"], make_request(fifteen), max(300, calls // 6))
    )
    before = resident_mib(where["pid"])
    asyncio.run(over_grpc(where["grpc"], make_request(fifteen), calls))
    # Over 100,000 calls (--calls 100000): +2.7 MiB. A short run shows warm-up more than growth.
    found["growth_mib"] = resident_mib(where["pid"]) - before
    found["resident_mib"] = resident_mib(where["pid"])
    here.send("stop")
    found["fast_15_pages_cpu_ms"] = fast_cpu_ms()
    for process in (child, canned):
        process.join(20)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=6000)
    parser.add_argument("--json")
    options = parser.parse_args()
    found = measure(options.calls)
    for name, value in found.items():
        print(f"{name:40} {value:12,.2f}")
    if options.json:
        with open(options.json, "w") as file:  # noqa: PTH123 - a script
            json.dump(found, file, indent=2)


if __name__ == "__main__":
    main()
