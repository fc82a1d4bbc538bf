"""What a person reads while a run goes on."""

from __future__ import annotations

import io
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docdask.core.routes import Configuration, Place, Processor, Route
from docdask.core.spending import Spent
from docdask.engine import status as status_file
from docdask.engine import telling
from docdask.engine.handle import RunHandle
from docdask.engine.status import Amount, Progress, StatusWriter
from docdask.monitor import progress
from docdask.store.ledger import open_writer
from docdask.store.manifest import Manifest
from docdask.store.run import RunDirectory
from docdask.store.spending import FollowedLedger
from docdask.words import duration
from tests.core.test_ledger import record

RUNNING = {
    "state": "running", "run": "runs/june", "dashboard": "http://127.0.0.1:8787/status", "documents": 123_456,
    "documents_total": 1_200_000, "pages": 300_000, "pages_total": 3_000_000, "pages_per_minute": 1234.4,
    "eta_s": 7512.3, "failed": 12,
}  # fmt: skip

PLACE = Place("us", "projects/p/locations/us/processors/ocr", "v1")
CONFIGURATION = Configuration(
    "p",
    "us",
    {"ocr": Processor("ocr", "OCR_PROCESSOR", (PLACE,))},
    (Route("all", processor="ocr"),),
    emulated=True,
)


def written(status: dict, width: int) -> list[str]:
    from rich.console import Console

    out = io.StringIO()
    shown = progress.Terminal(Console(file=out, width=width, force_terminal=True, color_system=None))
    shown(status)
    shown.close()
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())
    return [line.split("\r")[-1].rstrip() for line in text.splitlines()]


@pytest.mark.parametrize("width", [80, 120])
def test_the_bar_stays_on_one_line_and_words_below_it_are_never_cut(width: int) -> None:
    lines = [line for line in written(RUNNING, width) if line]
    assert "Dask dashboard: http://127.0.0.1:8787/status" in lines
    assert all(len(line) <= width for line in lines)
    last = " ".join(" ".join(lines).split("running")[-1].split())
    assert "10%" in last
    assert last.endswith(
        "123,456 of 1,200,000 documents, 300,000 of 3,000,000 pages, 1,234 pages/min, 12 failed, about 2 h 05 min left"
    )


MONEY = {
    "billing": "EMULATED: nothing billed", "pages_paid": 299_000, "cost_usd": 448.5, "pages_at_risk": 30,
    "cost_at_risk_usd": 0.045, "budget": {"pages": 3_000_000, "usd": 4500.0},
}  # fmt: skip


@pytest.mark.parametrize("width", [60, 120])
def test_what_was_spent_so_far_has_a_line_of_its_own(width: int) -> None:
    lines = [line for line in written({**RUNNING, "money": MONEY}, width) if line]
    assert all(len(line) <= width for line in lines)
    assert lines[-1] == "299,000 pages paid, $448.50 (EMULATED: nothing billed)"


def test_a_log_tells_what_was_spent(capsys: pytest.CaptureFixture[str]) -> None:
    progress.Lines()({**RUNNING, "money": MONEY})
    assert capsys.readouterr().err.endswith("299,000 pages paid, $448.50 (EMULATED: nothing billed)\n")


def test_html_tells_what_was_spent_and_what_is_in_flight_or_at_risk() -> None:
    running = telling.html({**RUNNING, "money": {**MONEY, "billing": "Google <project>"}})
    assert "$448.50" in running
    assert "Google &lt;project&gt;" in running
    assert "in flight: 30 pages, $0.04" in running
    killed = telling.html({**RUNNING, "money": MONEY, "state": "interrupted"})
    assert "at risk: 30 pages, $0.04" in killed
    assert "docdask debug ledger runs/june" in killed


def test_a_dashboard_is_told_once() -> None:
    from rich.console import Console

    out = io.StringIO()
    shown = progress.Terminal(Console(file=out, width=80))
    shown(RUNNING)
    shown({**RUNNING, "pages": 300_001})
    shown.close()
    assert out.getvalue().count("Dask dashboard") == 1


def test_what_is_not_known_is_not_told() -> None:
    assert telling.counts({"state": "starting"}) == ""
    assert telling.left({"state": "running", "eta_s": None}) == ""
    assert telling.left({"state": "stopping", "eta_s": 40}) == ""
    assert telling.left({"state": "running", "eta_s": 0.0}) == ""


def test_one_is_no_plural() -> None:
    one = {"documents": 0, "documents_total": 1, "pages": 0, "pages_total": 1}
    assert telling.counts(one) == "0 of 1 document, 0 of 1 page"


@pytest.mark.parametrize(
    ("eta_s", "told"),
    [
        (0.3, "a few seconds left"),
        (7.4, "about 5 s left"),
        (58.9, "about 1 min 00 s left"),
        (137.2, "about 2 min 20 s left"),
        (1234, "about 21 min left"),
        (7512.3, "about 2 h 05 min left"),
        (300_000, "about 3 d 11 h left"),
    ],
)
def test_the_time_left_is_rounded_to_what_is_known(eta_s: float, told: str) -> None:
    assert telling.left({"state": "running", "eta_s": eta_s}) == told


@given(st.floats(0, 1e9))
def test_a_duration_is_short_and_never_nothing(seconds: float) -> None:
    told = duration(seconds)
    assert len(told) <= 12
    assert seconds == 0 or not told.startswith("0 ")
    assert "60 s" not in told


def test_html_shows_the_share_and_escapes_what_comes_from_outside() -> None:
    html = telling.html({**RUNNING, "run": "<script>", "dashboard": 'http://x/"onclick="'})
    assert "width:10.000%" in html
    assert "<script>" not in html
    assert '"onclick="' not in html
    assert "about 2 h 05 min" in html


def test_html_of_a_failed_run_says_what_to_do() -> None:
    failed = {"state": "failed", "run": "r", "error": {"message": "no space", "remedy": "free <some>"}}
    assert "no space" in telling.html(failed)
    assert "free &lt;some&gt;" in telling.html(failed)


# Counting


@given(st.integers(0, 2**32), st.integers(1, 8))
def test_progress_never_exceeds_the_total_and_ends_at_it(seed: int, branches: int) -> None:
    """Tasks of a branch are heard in any order, late ones too; no number goes back and none is too high."""
    rng = random.Random(seed)
    sizes = [Amount(rng.randint(1, 9), rng.random(), rng.randint(1, 4)) for _ in range(branches)]
    counted = Progress(
        documents_total=sum(size.documents for size in sizes),
        pages_total=sum(size.pages for size in sizes),
        work_total_s=sum(size.expected_s for size in sizes),
    )
    before = counted.now()
    for number, size in enumerate(sizes):
        counted.open(number, size)
        for page in range(size.pages):
            counted.heard(number, "whole", (page + 1, page + 1))
            if number and rng.random() < 0.5:
                counted.heard(number - 1, "late", (sizes[number - 1].pages, 1))
            now = counted.now()
            assert now.pages >= before.pages
            assert now.documents >= before.documents
            before = now
        counted.ended(number, stopped=False)
        assert counted.now().pages == sum(size.pages for size in sizes[: number + 1])
    end = counted.now()
    assert (end.pages, end.documents) == (counted.pages_total, counted.documents_total)
    assert end.expected_s == pytest.approx(counted.work_total_s)


def test_page_ranges_of_one_document_are_added_and_the_document_counts_at_its_end() -> None:
    counted = Progress(documents_total=1, pages_total=20)
    counted.open(0, Amount(20, 1.0, 1))
    counted.heard(0, "first range", (10, 1))
    counted.heard(0, "second range", (4, 1))
    assert (counted.now().pages, counted.now().documents) == (14, 0)
    counted.ended(0, stopped=False)
    assert (counted.now().pages, counted.now().documents) == (20, 1)


def test_a_resumed_run_tells_the_rate_and_time_of_this_session(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What earlier sessions did is in the totals, but took none of this session's time."""
    clock = [1000.0]
    monkeypatch.setattr(status_file.time, "monotonic", lambda: clock[0])
    run = RunDirectory.create(str(tmp_path / "run"), Manifest(engine="offline", engine_version="1"))
    writer = StatusWriter(run, {"workers": 1})
    p = writer.progress
    p.documents_total, p.pages_total, p.work_total_s = 200, 200, 2000.0
    writer.write()
    p.documents, p.pages, p.work_done_s = 100, 100, 1000.0  # by the session before
    writer.begin()
    assert status_file.read(run)["eta_s"] == pytest.approx(1000)  # the plan's word
    for number in range(10):
        p.open(number, Amount(1, 10.0, 1))
        clock[0] += 20.0  # twice as long as planned
        p.ended(number, stopped=False)
        writer.write()
    told = status_file.read(run)
    assert told["pages"] == 110
    assert told["pages_per_minute"] == pytest.approx(3)
    assert 900 * 1.6 < told["eta_s"] <= 900 * 2


# Money


def test_the_status_of_a_paid_run_says_what_it_has_cost_so_far(tmp_path, monkeypatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(status_file.time, "monotonic", lambda: clock[0])
    run = RunDirectory.create(str(tmp_path / "run"), Manifest(engine="emulator", engine_version="1"))
    run.write_json("documentai.json", {"configuration": CONFIGURATION.to_json()})
    run.write_json("budget.json", {"pages": 40, "micros": 60_000})
    writer = StatusWriter(run, {"workers": 1})
    writer.write()
    assert status_file.read(run)["money"]["pages_paid"] == 0
    ledger = open_writer(run.url, 1)
    ledger.append([record(1, "intent"), record(2, "answered"), record(3, "intent", "v", 2)])
    clock[0] += 2.0
    writer.write()
    told = status_file.read(run)["money"]
    assert (told["pages_paid"], told["cost_usd"], told["pages_at_risk"]) == (3, 0.0045, 3)
    assert told["budget"] == {"pages": 40, "usd": 0.06}
    ledger.append([record(4, "answered", "v", 2)])
    writer.set("finished")  # the last word is never an old one
    assert status_file.read(run)["money"]["pages_paid"] == 6
    assert FollowedLedger(run.url).spent() == Spent(6, 9000)
    assert run.read_json("spent.json")["sequence"] == 4


def test_a_handle_says_what_was_spent(tmp_path) -> None:
    run = RunDirectory.create(str(tmp_path / "run"), Manifest(engine="emulator", engine_version="1"))
    run.write_json("status.json", {**RUNNING, "state": "stopped", "money": MONEY})
    assert repr(RunHandle(run)).endswith("12 failed, 299,000 pages paid, $448.50 (EMULATED: nothing billed)>")


def test_the_status_of_an_offline_run_says_nothing_of_money(tmp_path) -> None:
    run = RunDirectory.create(str(tmp_path / "run"), Manifest(engine="offline", engine_version="1"))
    StatusWriter(run, {"workers": 1}).set("finished")
    assert "money" not in status_file.read(run)
    assert not (tmp_path / "run" / "spent.json").exists()
