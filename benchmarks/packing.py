"""Packed against unpacked, and twelve documents against their bound: what the paid pipeline makes of quota and latency.

1. ``quota``: one-page documents, 120 requests a minute, imageless OCR: requests and minutes of each, from the emulator's
   books, beside the least minutes that the quota allows (its window slides: after the first 120 each waits for the one
   120 before it). The emulator's time runs faster (``--speed``), and docdask is told what a minute is.
2. ``tables``: documents that are really read, packed and singly: the same tables.
3. ``samples``: the twelve samples at 2 s a call and a second a page, packed, singly, and by a pool of 12 threads with
   the bare client, each against its bound: the sum of its calls ÷ the longest. Then with a document of 90 pages.

Usage: python -m benchmarks.packing [PART …] [--documents 10000] [--speed 30] [--read 200]. A quick look:
``quota --documents 1000``. Where 120 calls take this machine longer than a minute of the emulator (60 s ÷ speed), the machine
is what is measured: choose a slower speed.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks._common import small_pdfs, table
from benchmarks._paid import PROCESSOR, Place, load, place

QUOTA = 120
#: Seconds of a call, whatever its pages, and of a page: in the middle of the 1-3 s that calls take.
LATENCY = "2+1"
THREADS = 12
_TYPES = {".pdf": "application/pdf", ".png": "image/png", ".jpg": "image/jpeg", ".tif": "image/tiff"}
MINUTE_NS = 60 * 10**9


def least_minutes(requests: int) -> float:
    """Minutes from the first request to the last that ``QUOTA`` in any sliding minute allows."""
    return float(math.ceil(requests / QUOTA) - 1)


# -- quota -----------------------------------------------------------------------------------------------------------------


def quota(options: argparse.Namespace) -> str:
    """Packed and unpacked under a quota."""
    rows: list[tuple[str, ...]] = [
        ("", "requests", "refused for quota", "minutes", "least", "of it", "pages billed", "real s")
    ]
    sent: dict[str, int] = {}
    for name, pack in (("packed", True), ("unpacked", False)):
        with place(quota=QUOTA, speed=options.speed) as at:
            small_pdfs(at.folder / "warm", 30)
            _run(at, at.folder / "warm", "warm-run", pack=pack)
            small_pdfs(at.folder / "pile", options.documents)
            plan = _plan(at, at.folder / "pile", name, pack=pack)
            before = len(list(at.emulator.calls(method="ProcessDocument")))
            time.sleep(60 / options.speed)  # the warm-up's part of the quota is free again
            began = time.perf_counter()
            _go_on(plan)
            took_s = time.perf_counter() - began
            calls = list(at.emulator.calls(method="ProcessDocument"))[before:]
        served = [call for call in calls if call["code"] == "OK"]
        at_ns = sorted(call["at_ns"] for call in served)
        minutes, least = (at_ns[-1] - at_ns[0]) / MINUTE_NS, least_minutes(len(served))
        sent[name] = len(served)
        rows.append(
            (
                name,
                f"{len(served):,}",
                str(sum(call["code"] == "RESOURCE_EXHAUSTED" for call in calls)),
                f"{minutes:.2f}",
                f"{least:.0f}",
                f"{minutes / least:.3f}" if least else "",
                f"{sum(call['billed_pages'] for call in served):,}",
                f"{took_s:.0f}",
            )
        )
    return (
        f"{options.documents:,} one-page documents at {QUOTA} requests a minute; a minute is {60 / options.speed:g} s; {load()}\n\n"
        f"{table(rows)}\n\n{sent['unpacked'] / sent['packed']:.1f}x fewer requests (goal: 25x; minutes within 1.05 of the least)."
    )


def _plan(at: Place, source: Path, name: str, *, pack: bool) -> Any:
    import docdask

    return docdask.plan(source, to=at.folder / name, engine="documentai", options={"pack": pack})


def _go_on(plan: Any) -> Any:
    import docdask

    found = docdask.run(plan, progress=lambda _status: None)
    assert found.summary()["pending"] == 0
    return found


def _run(at: Place, source: Path, name: str, *, pack: bool) -> Any:
    return _go_on(_plan(at, source, name, pack=pack))


# -- tables ----------------------------------------------------------------------------------------------------------------


def tables(options: argparse.Namespace) -> str:
    """The tables of both, cell by cell."""
    import pandas as pd

    with place(ocr="full") as at:
        small_pdfs(at.folder / "pile", options.read)
        packed = _run(at, at.folder / "pile", "packed", pack=True)
        shared = len(at.books())
        single = _run(at, at.folder / "pile", "single", pack=False)
        alone = len(at.books()) - shared
        rows: list[tuple[str, ...]] = [("table", "rows", "columns", "cells that differ")]
        for name in ("documents", "pages", "lines", "tokens", "entities", "form_fields", "table_cells"):
            one, other = (_sorted(found, name) for found in (packed, single))
            if one is None or other is None:
                continue
            same = [column for column in one.columns if column not in {"seconds", "escalated_from"}]
            pd.testing.assert_index_equal(one.columns, other.columns)
            differ = (one[same].ne(other[same]) & ~(one[same].isna() & other[same].isna())).to_numpy().sum()
            rows.append((name, f"{len(one):,}", str(len(same)), f"{differ}"))
            assert len(one) == len(other)
    return f"{options.read} documents that are really read, {shared} requests against {alone}; {load()}\n\n{table(rows)}"


def _sorted(found: Any, name: str) -> Any:
    """A table in an order that does not depend on branches; None if the run has no such table."""
    try:
        frame = found.frame(name)
    except Exception:  # noqa: BLE001 - a run has the tables that it has
        return None
    return frame.sort_values([*frame.columns[:4]]).reset_index(drop=True)


# -- samples ---------------------------------------------------------------------------------------------------------------


def samples(_options: argparse.Namespace) -> str:
    """The samples at the latencies of a remote service."""
    import docdask

    rows: list[tuple[str, ...]] = [
        ("documents", "", "calls", "sum s", "longest s", "s", "speed-up", "bound", "of the bound")
    ]
    with place(latency=LATENCY) as at:
        docdask.samples(at.folder / "samples")
        small_pdfs(at.folder / "warm", 12)
        _run(at, at.folder / "warm", "warm-run", pack=False)
        for what in ("twelve", "and one of 90 pages"):
            if what != "twelve":
                _long(at.folder / "samples" / "long.pdf", 90)
            for name, pack in (("docdask, singly", False), ("docdask, packed", True)):
                found = _run(at, at.folder / "samples", f"{what} {pack}", pack=pack)
                rows.append(_row(what, name, *_spans(found)))
            if what == "twelve":  # 90 pages are three times what the service takes in a call
                rows.append(_row(what, f"{THREADS} threads, bare client", *_pool(at, at.folder / "samples")))
    return (
        f"{LATENCY} s (a call + a page); {load()}\n\n{table(rows)}\n\n"
        "Goal: 0.95 of the bound. Packing is for the quota: where that is not what decides, a pack only takes longer."
    )


def _row(what: str, name: str, seconds: Sequence[float], took_s: float) -> tuple[str, ...]:
    total, longest = sum(seconds), max(seconds)
    return (
        what,
        name,
        str(len(seconds)),
        f"{total:.1f}",
        f"{longest:.2f}",
        f"{took_s:.2f}",
        f"{total / took_s:.2f}x",
        f"{total / longest:.2f}x",
        f"{longest / took_s:.3f}",
    )


def _spans(found: Any) -> tuple[list[float], float]:
    """Seconds of each request of a run, and from its start to its last answer."""
    import pandas as pd

    import docdask

    calls = found.calls
    began = pd.Timestamp(docdask.status(found.url)["started_at"])
    # Units of a pack have their share of its seconds, and there are as many of them as each says.
    alone = calls[calls["packed"] == 1]["seconds"].tolist()
    packs = calls[calls["packed"] > 1].groupby(["packed", "seconds"])["seconds"].sum().tolist()
    return [*alone, *packs], (calls["ended_at"].max() - began).total_seconds()


def _pool(at: Place, folder: Path) -> tuple[list[float], float]:
    """The same documents by a pool of threads, each a call of Google's client."""
    import grpc
    from google.cloud import documentai_v1 as documentai

    service = documentai.DocumentProcessorServiceClient
    files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    with grpc.insecure_channel(
        at.emulator.grpc_address, options=[("grpc.max_receive_message_length", -1)]
    ) as channel:
        client = service(transport=service.get_transport_class("grpc")(channel=channel))
        grpc.channel_ready_future(channel).result(timeout=30)

        def call(file: Path) -> float:
            raw = documentai.RawDocument(content=file.read_bytes(), mime_type=_TYPES[file.suffix])
            request = documentai.ProcessRequest(name=PROCESSOR, raw_document=raw, imageless_mode=True)
            began = time.perf_counter()
            client.process_document(request, timeout=300)
            return time.perf_counter() - began

        began = time.perf_counter()
        with ThreadPoolExecutor(THREADS) as pool:
            seconds = list(pool.map(call, files))
        return seconds, time.perf_counter() - began


def _long(path: Path, pages: int) -> None:
    """A PDF of so many pages."""
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(path), invariant=True)
    for page in range(1, pages + 1):
        canvas.drawString(72, 720, f"This is page {page} of {pages}.")
        canvas.showPage()
    canvas.save()


PARTS = {"quota": quota, "tables": tables, "samples": samples}


def main() -> None:
    """Measure the parts that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--speed", type=float, default=30.0)
    parser.add_argument("--read", type=int, default=200)
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    for name in options.parts or PARTS:
        print(f"## {name}\n\n{PARTS[name](options)}\n", flush=True)


if __name__ == "__main__":
    main()
