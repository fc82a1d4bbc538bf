"""Does the simulator foretell what the emulator then does? Five workloads: time, requests and cost, side by side.

    python -m benchmarks.forecast [WORKLOAD …] [--speed 4]

Workloads: ``even``, ``mixed``, ``flaky``, ``regions``, ``pages``. The emulator runs in a process of its own with its clock four
times as fast, and the governor's minute is 15 s, so that five minutes of work take 75 s: the way of a call and the jitter
of a busy machine then weigh four times as much as they would in real time. The simulator is told so (``travel_s``). Calls
are plain Dask tasks with Google's bare client; time, requests and cost are from the emulator's books. Goal: within 3 %.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass, replace
from functools import partial

import docdask
from benchmarks import _calling as calling
from benchmarks._common import table
from benchmarks.emulator import make_pdf
from docdask.core.retry import RETRYABLE, RetryPolicy, verdict
from docdask.core.server import Faults
from docdask.core.server.latency import Latency
from docdask.sim import Incident, Load, Scenario, drawn, repeated, simulate
from docdask.sim.workload import calls_of

#: Real seconds from a grant to the arrival of its call: an exchange with the worker, a thread that wakes, the call.
_TRAVEL_S = (0.002, 0.02)
_LATENCY, _LATENCY_FLAG = Latency(base_ns=10**9, page_ns=500_000_000, tail=0.2), "1+0.5~0.2"
_WORKERS, _THREADS = 2, 40


@dataclass(frozen=True)
class Workload:
    about: str
    scenario: Scenario
    processor: str = "ocr"


def _scenario(lengths, **more) -> Scenario:
    return Scenario((Load(lengths),), workers=_WORKERS, calls_per_worker=_THREADS, latency=_LATENCY, **more)


WORKLOADS = {
    "even": Workload("600 of three pages, 120 a minute", _scenario(repeated(600, 3), requests=120)),
    "mixed": Workload(
        "1,000 of 1 to 40 pages, 300 a minute",
        _scenario(drawn(1000, {1: 70, 2: 20, 15: 6, 40: 4}), requests=300, user_requests=10**6),
    ),
    "flaky": Workload(
        "900 of two pages, 180 a minute, 5 % 503 and 2 % 500",
        _scenario(repeated(900, 2), requests=180, incidents=(Incident(0, Faults(unavailable=0.05, internal=0.02)),)),
    ),
    "regions": Workload(
        "1,000 of two pages, two regions of 120 a minute, one down from 60 s to 150 s",
        _scenario(
            repeated(1000, 2), requests=120, regions=("us", "eu"), incidents=(Incident(60, Faults(regions_down=("us",)), 150),)
        ),
    ),
    "pages": Workload(
        "350 of 1 to 6 pages, custom extractor, 240 pages and 120 requests a minute",
        _scenario(
            drawn(350, {1: 40, 3: 40, 6: 20}), requests=120, pages=240, processor_type="CUSTOM_EXTRACTION_PROCESSOR"
        ),
        "custom-extractor",
    ),
}  # fmt: skip


_contents: dict[int, bytes] = {}


def call(pages: int, address: str, processor: str, quota: docdask.QuotaSemaphore, speed: float) -> int:
    """A plain task: one call, tried again as the simulator's workers do."""
    from google.api_core.exceptions import GoogleAPICallError
    from google.cloud import documentai_v1

    policy, attempt, counted = RetryPolicy(), 1, 1
    content = _contents.get(pages) or _contents.setdefault(pages, make_pdf(pages))
    document = documentai_v1.RawDocument(content=content, mime_type="application/pdf")
    while True:
        permit = quota.acquire(run="run", pages=pages, attempt=attempt)
        name = f"projects/p/locations/{permit.endpoint.partition('/')[0]}/processors/{processor}"
        try:
            request = documentai_v1.ProcessRequest(name=name, raw_document=document)
            calling.google_client(address).process_document(request, retry=None, timeout=120)
        except GoogleAPICallError as error:
            code = error.grpc_status_code
            said = verdict(code.name if code is not None else "UNKNOWN", str(error))
            permit.report(said)
            counted += said not in ("quota", "capacity")
            if said not in RETRYABLE or counted > policy.attempts:
                return 0
            wait_ns = policy.wait_ns(said, min(attempt, policy.attempts - 1), random.random)
            attempt += 1
            time.sleep((wait_ns or 0) / 1e9 / speed)
        else:
            permit.report()
            return 1


def real(workload: Workload, speed: float) -> tuple[float, int, float]:
    """Emulated seconds, requests and dollars of a run through emulator and scheduler."""
    scenario = workload.scenario
    spec = replace(scenario.spec(), period_ns=int(60e9 / speed), lease_ns=30 * 10**9)
    breaker = spec.breaker
    times = {name: int(getattr(breaker, name) / speed) for name in ("open_ns", "open_most_ns", "silence_ns")}
    spec = replace(spec, breaker=replace(breaker, **times))
    quotas = {
        "online_requests": scenario.requests,
        "online_pages": scenario.pages,
        "user_requests": scenario.user_requests,
    }
    flags = [flag for name, value in quotas.items() if value for flag in ("--quota", f"{name}={value}")]
    pieces = [count for pages in scenario.loads[0].pages for count in calls_of(pages, scenario.most_pages)]
    with (
        calling.emulator(*flags, "--latency", _LATENCY_FLAG, "--speed", f"{speed:g}") as server,
        calling.cluster(_WORKERS, _THREADS) as (_, client),
    ):
        semaphore = docdask.QuotaSemaphore(name="documentai", spec=spec, client=client).register()
        client.run(_prepare, server.grpc, sorted(set(pieces)))
        semaphore.open_run("run", calls=len(pieces), pages=sum(pieces))
        work = partial(call, address=server.grpc, processor=workload.processor, quota=semaphore, speed=speed)
        over = threading.Event()
        troubles = threading.Thread(target=_troubles, args=(server, scenario.incidents, speed, over))
        troubles.start()
        begin = time.monotonic()
        client.gather(client.map(work, pieces, pure=False))
        took_s = (time.monotonic() - begin) * speed
        over.set()
        troubles.join()
        with urllib.request.urlopen(f"{server.http}/emulator/stats") as reply:
            stats = json.load(reply)
    return took_s, stats["calls_ok"] + stats["calls_refused"], stats["cost_usd"]


def _prepare(address: str, lengths: list[int]) -> None:
    calling.google_client(address)
    for pages in lengths:
        _contents[pages] = make_pdf(pages)


def _troubles(server: calling.EmulatorProcess, incidents, speed: float, over: threading.Event) -> None:
    """Tell the emulator what goes wrong, when."""
    moments = [(i.at_s, i.faults) for i in incidents] + [
        (i.until_s, Faults()) for i in incidents if i.until_s < 1e9
    ]
    begin = time.monotonic()
    for at_s, faults in sorted(moments, key=lambda moment: moment[0]):
        if over.wait(max(0.0, begin + at_s / speed - time.monotonic())):
            return
        said = {name: getattr(faults, name) for name in ("unavailable", "internal", "regions_down")}
        data = json.dumps({"profile": "none", **said}).encode()
        urllib.request.urlopen(urllib.request.Request(f"{server.http}/emulator/faults", data=data)).read()


def foretold(scenario: Scenario, speed: float) -> tuple[float, int, float]:
    travel_s = tuple(seconds * speed for seconds in _TRAVEL_S)
    result = simulate(replace(scenario, travel_s=travel_s))
    return result.seconds, result.calls, result.cost_usd


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workloads", nargs="*", help="default: all")
    parser.add_argument("--speed", type=float, default=4.0)
    options = parser.parse_args()
    rows = [("workload", "s", "foretold", "off", "requests", "foretold", "off", "cost", "foretold", "off")]
    for name in options.workloads or WORKLOADS:
        if name not in WORKLOADS:
            parser.error(f"no workload {name!r}; workloads: {', '.join(WORKLOADS)}")
        workload = WORKLOADS[name]
        found, said = real(workload, options.speed), foretold(workload.scenario, options.speed)
        off = [f"{b / a - 1:+.1%}" for a, b in zip(found, said, strict=True)]
        rows.append(
            (
                f"{name}: {workload.about}", f"{found[0]:.0f}", f"{said[0]:.0f}", off[0], f"{found[1]:,}", f"{said[1]:,}", off[1],
                f"${found[2]:.2f}", f"${said[2]:.2f}", off[2],
            )
        )  # fmt: skip
        print(rows[-1], file=sys.stderr, flush=True)
    print(f"The governor's minute: {60 / options.speed:g} s.\n\n{table(rows)}")


if __name__ == "__main__":
    main()
