"""Packed against unpacked, and twelve documents against their bound: what the paid pipeline makes of quota and latency.

1. ``quota``: one-page documents, 120 requests a minute, imageless OCR: requests and minutes of each, from the emulator's
   books, beside the least minutes that the quota allows. The emulator's time runs faster (``--speed``), and docdask is told
   what a minute is. Joining and taking apart are this machine's work, so packs get a minute four times as long.
2. ``tables``: documents that are really read, packed and singly: the same tables.
3. ``samples``: the twelve samples at 2 s a call and a second a page, singly, as docdask plans it and by a pool of 12 threads
   with the bare client: the speed-up over one after another beside its bound, that sum ÷ the longest request. Then with a
   document of 90 pages, which goes in ranges.

Usage: python -m benchmarks.packing [PART …] [--documents 10000] [--speed 12] [--read 200]. A quick look:
``quota --documents 1000``. Where 120 calls take this machine longer than a minute of the emulator (60 s ÷ speed), the machine
is what is measured: choose a slower speed.

What a quota allows depends on how its minute is counted, which nobody documents. At an even pace, N requests take
N ÷ quota minutes, whatever the count; that is the least here. Somebody who knew that the service counts a sliding minute
could send whole quotas in bursts, a minute apart, and the first one at once: that is the column ``in bursts``.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks._common import print_parts, small_pdfs, table
from benchmarks._paid import PROCESSOR, Place, load, place

QUOTA = 120
#: Seconds of a call, whatever its pages, and of a page: in the middle of the 1-3 s that calls take.
LATENCY = "2+1"
THREADS = 12
LONG_PAGES = 90
#: Columns of ``documents`` that say when and in which branch it was done, not what was read.
TIMES = frozenset({"seconds", "finished_at", "partition"})
_TYPES = {".pdf": "application/pdf", ".png": "image/png", ".jpg": "image/jpeg", ".tif": "image/tiff"}
MINUTE_NS = 60 * 10**9


def least_minutes(requests: int) -> float:
    """Minutes from the first request to the last at the even pace that every way of counting allows."""
    return (requests - 1) / QUOTA


def burst_minutes(requests: int) -> int:
    """The same if a sliding minute is what is counted, and whole quotas go at once."""
    return math.ceil(requests / QUOTA) - 1


# -- quota -----------------------------------------------------------------------------------------------------------------


def quota(options: argparse.Namespace) -> str:
    """Packed and unpacked under a quota."""
    rows: list[tuple[str, ...]] = [
        ("", "requests", "refused for quota", "minutes", "least", "of it", "in bursts", "pages billed", "a minute is s", "real s")
    ]  # fmt: skip
    sent: dict[str, int] = {}
    for name, pack, speed in (("packed", True, options.speed / 4), ("unpacked", False, options.speed)):
        _say(f"{name}: {options.documents:,} documents")
        with place(quota=QUOTA, speed=speed) as at:
            small_pdfs(at.folder / "warm", 30)
            _run(at, at.folder / "warm", "warm-run", pack=pack)
            small_pdfs(at.folder / "pile", options.documents)
            plan = _plan(at, at.folder / "pile", name, pack=pack)
            before = len(list(at.emulator.calls(method="ProcessDocument")))
            time.sleep(2 * 60 / speed)  # what the warm-up used is forgotten
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
                f"{least:.2f}",
                f"{minutes / least:.3f}",
                f"{burst_minutes(len(served))}",
                f"{sum(call['billed_pages'] for call in served):,}",
                f"{60 / speed:g}",
                f"{took_s:.0f}",
            )
        )
        _say(" | ".join(rows[-1]))
    return (
        f"{options.documents:,} one-page documents at {QUOTA} requests a minute; {load()}\n\n"
        f"{table(rows)}\n\n{sent['unpacked'] / sent['packed']:.1f}x fewer requests (goal: 25x; minutes within 1.05 of the least)."
    )


def _plan(at: Place, source: Path, name: str, *, pack: bool | None) -> Any:
    import docdask

    options = {} if pack is None else {"pack": pack}
    return docdask.plan(source, to=at.folder / name, engine="documentai", options=options)


def _go_on(plan: Any) -> Any:
    import docdask

    found = docdask.run(plan, progress=lambda _status: None)
    assert found.summary()["pending"] == 0
    return found


def _run(at: Place, source: Path, name: str, *, pack: bool | None) -> Any:
    return _go_on(_plan(at, source, name, pack=pack))


def _say(text: str) -> None:
    """How far it is, beside the result."""
    print(text, file=sys.stderr, flush=True)


# -- tables ----------------------------------------------------------------------------------------------------------------


def tables(options: argparse.Namespace) -> str:
    """The tables of both, cell by cell."""
    import pandas as pd

    with place(ocr="offline") as at:
        small_pdfs(at.folder / "pile", options.read)
        packed = _run(at, at.folder / "pile", "packed", pack=True)
        shared = len(at.books())
        single = _run(at, at.folder / "pile", "single", pack=False)
        alone = len(at.books()) - shared
        rows: list[tuple[str, ...]] = [("table", "rows", "columns", "cells that differ")]
        for name in ("documents", "pages", "lines", "tokens", "entities", "form_fields", "table_cells"):
            one, other = (_sorted(found, name) for found in (packed, single))
            if one is None or other is None or not len(one) + len(other):
                continue
            same = [column for column in one.columns if column not in TIMES]
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
        ("documents", "", "calls", "longest s", "s", "speed-up", "bound", "of the bound", "command s")
    ]
    with place(latency=LATENCY) as at:
        pile = at.folder / "samples"
        docdask.samples(pile)
        small_pdfs(at.folder / "warm", 12)
        _run(at, at.folder / "warm", "warm-run", pack=None)
        seconds, took_s = _pool(
            at, pile
        )  # first: the emulator has looked at the files when docdask's turn comes
        alone_s = sum(seconds)
        what = f"twelve, {alone_s:.1f} s one after another"
        rows.append(_row(what, f"{THREADS} threads, bare client", seconds, took_s, took_s, alone_s))
        for name, pack in (("docdask, singly", False), ("docdask, as planned", None)):
            rows.append(_row(what, name, *_timed(at, pile, name, pack), alone_s=alone_s))
        _long(pile / "long.pdf", LONG_PAGES)  # more pages than the service takes in a call: the pool is out
        alone_s += LONG_PAGES + 2 * math.ceil(LONG_PAGES / 30)
        what = f"and one of {LONG_PAGES} pages, {alone_s:.1f} s"
        rows.append(_row(what, "docdask, as planned", *_timed(at, pile, "long", None), alone_s=alone_s))
    return f"{LATENCY} s (a call + a page); {load()}\n\n{table(rows)}\n\nGoal: 0.95 of the bound."


def _row(
    what: str, name: str, seconds: Sequence[float], took_s: float, command_s: float, alone_s: float
) -> tuple[str, ...]:
    """Requests that took ``seconds`` each and ``took_s`` together, of documents that take ``alone_s`` one after another."""
    longest = max(seconds)
    row = (
        what,
        name,
        str(len(seconds)),
        f"{longest:.2f}",
        f"{took_s:.2f}",
        f"{alone_s / took_s:.2f}x",
        f"{alone_s / longest:.2f}x",
        f"{longest / took_s:.3f}",
        f"{command_s:.1f}",
    )
    _say(" | ".join(row))
    return row


def _timed(at: Place, pile: Path, name: str, pack: bool | None) -> tuple[list[float], float, float]:
    """Seconds of each request of a run, from its start to its last answer, and of the whole command."""
    import pandas as pd

    import docdask

    plan = _plan(at, pile, name, pack=pack)
    before = time.perf_counter()
    found = _go_on(plan)
    command_s = time.perf_counter() - before
    began = pd.Timestamp(docdask.status(found.url)["started_at"])
    calls = found.calls
    # Units of a pack began together, and each has its share of the call's seconds.
    request = calls["started_at"].astype(str).where(calls["packed"] > 1, calls["unit_id"])
    seconds = calls.groupby(request)["seconds"].sum().tolist()
    return seconds, (calls["ended_at"].max() - began).total_seconds(), command_s


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
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--speed", type=float, default=12.0)
    parser.add_argument("--read", type=int, default=200)
    print_parts(PARTS, parser)


if __name__ == "__main__":
    main()
