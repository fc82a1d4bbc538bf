"""Runs through Document AI: paid once, accounted for to the page, stopped in order. Real client, real emulator."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pandas as pd
import pytest

import docdask
from docdask.core.server import ServerSettings
from docdask.engine import accepting, packcheck, paid, paying
from docdask.engine.desk import Desk
from docdask.errors import EngineError, NotAccepted, PermitRefused, UsageError
from docdask.service.emulator import EmulatorConfig
from docdask.service.errors import make
from docdask.store import paidrun
from docdask.store.ledger import read_ledger
from docdask.store.run import RunDirectory
from docdask.testing import EmulatorHandle, running_emulator

TYPES = {"ocr": "OCR_PROCESSOR", "form": "FORM_PARSER_PROCESSOR", "invoice": "INVOICE_PROCESSOR"}
PROCESSORS = tuple(
    (f"projects/docdask-test/locations/us/processors/{name}", kind, "") for name, kind in TYPES.items()
)


@pytest.fixture
def emulator():
    """An emulator with made-up text and a bucket."""
    with running_emulator(EmulatorConfig(ocr="fast", buckets=("staging",), processors=PROCESSORS)) as handle:
        yield handle


@pytest.fixture
def reading(monkeypatch):
    """An emulator that reads what it is sent."""
    with running_emulator(EmulatorConfig(buckets=("staging",), processors=PROCESSORS)) as handle:
        lead_to(monkeypatch, handle)
        yield handle


@pytest.fixture(autouse=True)
def configured(tmp_path, monkeypatch, emulator: EmulatorHandle):
    """A working directory with a docdask.toml, and an emulator that clients are led to."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("GOOGLE_")]:
        monkeypatch.delenv(name)
    lead_to(monkeypatch, emulator)
    write_toml()


def lead_to(monkeypatch, emulator: EmulatorHandle) -> None:
    monkeypatch.setenv("DOCUMENTAI_EMULATOR_HOST", emulator.grpc_address)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator.http_url)


def write_toml(routes: str = "", **more: object) -> None:
    Path("docdask.toml").write_text(
        f"""
[documentai]
project = "docdask-test"
location = "us"
staging = "gs://staging/here"
period_s = 1.0
{chr(10).join(f"{name} = {value!r}" for name, value in more.items())}

[documentai.limits]
"online_requests.us" = 1200
"user_requests" = 100000

[documentai.processors.ocr]
type = "ocr"
processor = "ocr"

[documentai.processors.form]
type = "form"
processor = "form"
pack = false

[documentai.processors.invoice]
type = "invoice"
processor = "invoice"
{routes}
""",
        encoding="utf-8",
    )


def run(what, to="run", **more):
    return docdask.run(what, to=to, engine="documentai", cluster="none", **more)


def books(emulator: EmulatorHandle) -> tuple[int, int]:
    """Pages that the service says it billed, and online calls that it did."""
    return emulator.stats()["pages_billed"], len(emulator.calls(method="ProcessDocument", code="OK"))


def planned(url: str) -> tuple[int, float]:
    price = accepting.price(RunDirectory.open(url))
    return price.pages or 0, (price.micros or 0) / 1e6


def test_every_page_is_paid_once_and_the_plan_said_how_many(pile, emulator):
    found = run(pile, processor="form")
    summary = found.summary()
    assert (summary["stored"], summary["quarantined"], summary["skipped"], summary["pending"]) == (
        21,
        1,
        1,
        0,
    )
    assert books(emulator)[0] == planned("run")[0] == 39
    assert emulator.stats()["cost_usd"] == pytest.approx(summary["cost_usd"])
    assert summary["cost_usd"] == pytest.approx(planned("run")[1])
    assert summary["cost_usd"] == pytest.approx(39 * 0.03)


def test_what_is_stored_is_never_sent_again(pile, emulator):
    run(pile)
    before = books(emulator)
    again = run(pile)
    assert books(emulator)[0] == before[0]
    assert again.summary()["pending"] == 0
    tables = RunDirectory.open("run")
    tables.fs.rm(tables.path("tables"), recursive=True)
    run("run", to=None)
    assert books(emulator)[0] == before[0], "tables are made again from what is stored"


def test_small_documents_share_requests_and_give_the_same_tables(pile, reading):
    emulator = reading
    packed = run(pile, to="packed")
    pages, calls = books(emulator)
    assert calls < 10, "twenty letters share a few requests"
    single = run(pile, to="single", processor="ocr", options={"pack": False})
    assert books(emulator)[0] == 2 * pages
    assert books(emulator)[1] - calls == 20, "a letter a request; the one that is there twice goes once"
    for name in ("pages", "lines", "entities"):
        one, other = (
            found.frame(name).sort_values([*found.frame(name).columns[:3]]) for found in (packed, single)
        )
        pd.testing.assert_frame_equal(one.reset_index(drop=True), other.reset_index(drop=True))


class Service:
    """Google's client, and a service that answers some requests in its own way."""

    def __init__(self, client, answer) -> None:
        self.client, self.answer = client, answer

    async def process(self, place, processor, content, mime_type, **more):
        self.answer(content)
        return await self.client.process(place, processor, content, mime_type, **more)


@pytest.fixture
def service(monkeypatch):
    """Called with a function, it lets that look at the bytes of each request, and raise."""
    before = Desk.__init__

    def use(answer) -> None:
        def patched(self, *args, **more):
            before(self, *args, **more)
            self.client = Service(self.client, answer)

        monkeypatch.setattr(Desk, "__init__", patched)

    return use


def test_a_pack_that_is_refused_is_halved_until_the_culprit_stands_alone(pile, emulator, service):
    import pypdfium2

    def no_seven(content):
        pdf = pypdfium2.PdfDocument(content)
        if any("number 7," in page.get_textpage().get_text_range() for page in pdf):
            raise make("corrupt")

    service(no_seven)
    found = run(pile)
    documents = found.frame("documents")
    refused = documents[(documents["problem"] == "corrupt") & documents["engine"].notna()]
    assert list(refused["name"]) == ["letter 07.pdf"]
    assert found.summary()["stored"] == 20
    assert books(emulator)[0] == 39 - 2, "the others are paid once"


def test_a_processor_that_is_taken_away_ends_the_run_in_order_and_it_can_go_on(pile, emulator, service):
    calls = []

    def taken_away(content):
        calls.append(content)
        if len(calls) > 5:
            raise make("permission")

    service(taken_away)
    with pytest.raises(EngineError, match=r"permission|lacks"):
        run(pile, processor="ocr", options={"pack": False})
    halfway = docdask.open("run").summary()
    assert 0 < halfway["pages_paid"] == books(emulator)[0]
    assert halfway["pending"] > 0
    assert halfway["pages_at_risk"] == 0, "how each call ended was told before anybody left"
    service(lambda _content: None)
    assert docdask.run("run", cluster="none").summary()["pending"] == 0
    assert books(emulator)[0] == 39


def test_the_first_packs_are_also_sent_singly_where_packing_needs_proof(pile, reading, monkeypatch):
    monkeypatch.setattr(paying, "unproven", lambda _configuration: True)
    found = run(pile, budget="100 pages").summary()
    assert books(reading)[0] == 2 * 39 == found["pages_paid"]
    assert found["pending"] == 0
    assert packcheck.why_off(RunDirectory.open("run")) is None


def test_packing_goes_off_where_texts_differ_and_the_run_goes_on(pile, emulator, monkeypatch):
    monkeypatch.setattr(paying, "unproven", lambda _configuration: True)
    monkeypatch.setattr(packcheck, "difference", lambda one, _other: 0.01 if one else 0.0)
    found = run(pile, budget="100 pages").summary()
    assert found["pending"] == 0
    assert packcheck.why_off(RunDirectory.open("run"))["differs"] > packcheck.MOST
    assert all(call["labels"]["docdask-run"] for call in emulator.calls(method="ProcessDocument", code="OK"))


def test_a_document_that_changed_is_left_out_of_its_pack(pile, tmp_path, emulator):
    import shutil

    folder = tmp_path / "pile"
    shutil.copytree(pile, folder)
    plan = docdask.plan(folder, to="run", engine="documentai", cluster="none")
    (folder / "letter 04.pdf").write_bytes((folder / "letter 05.pdf").read_bytes())
    documents = run(plan, to=None).frame("documents")
    assert list(documents[documents["problem"] == "changed"]["name"]) == ["letter 04.pdf"]
    assert books(emulator)[0] == 39 - 2


def test_a_budget_is_never_exceeded_by_a_page_and_the_rest_can_be_bought_later(pile, emulator):
    with pytest.raises(PermitRefused, match="budget"):
        run(pile, processor="ocr", options={"pack": False}, budget="20 pages")
    paid_pages = books(emulator)[0]
    assert 17 <= paid_pages <= 20
    found = docdask.open("run").summary()
    assert found["pending"] > 0
    assert found["stored"] + found["quarantined"] + found["skipped"] + found["pending"] == found["inputs"]
    done = docdask.run("run", cluster="none", budget="100 pages").summary()
    assert done["pending"] == 0
    assert books(emulator)[0] == 39


def test_what_is_asked_is_what_is_kept(pile):
    """Also what may follow: documents that are read badly offline cost more than the plan."""
    asked = []

    def accept(plan):
        asked.append(plan.summary["offer"])
        return False

    with pytest.raises(NotAccepted):
        run(pile, processor="form", escalate_below=0.9, accept=accept)
    with pytest.raises(NotAccepted):
        docdask.run("run", cluster="none", budget=0.5, accept=accept)
    price, short = asked
    assert price == {
        "pages": 39, "usd": pytest.approx(39 * 0.03), "price_pages": 39, "price_usd": pytest.approx(39 * 0.03), "covers": True,
    }  # fmt: skip
    assert (short["pages"], short["usd"], short["price_pages"], short["covers"]) == (None, 0.5, 39, False)
    assert paidrun.budget(RunDirectory.open("run")) is None


def test_a_budget_below_what_was_spent_is_none(pile, emulator):
    run(pile, processor="form")
    with pytest.raises(UsageError, match=r"--budget 1 is below the \$1\.17 that .*run has spent already"):
        docdask.run("run", cluster="none", budget=1)
    with pytest.raises(UsageError, match="'10 pages' is below the 39 pages"):
        docdask.run("run", cluster="none", budget="10 pages")
    assert docdask.run("run", cluster="none", budget=2).summary()["stored"] == 21


def test_a_budget_that_is_no_amount_is_refused_before_anything_is_looked_at(pile):
    for budget in ("nan", "-5", "five"):
        with pytest.raises(UsageError, match="is no amount"):
            run(pile, budget=budget)
    assert not Path("run").exists()


def test_real_money_needs_a_word(pile, monkeypatch):
    monkeypatch.setattr(paidrun, "configuration", real(paidrun.configuration))
    with pytest.raises(NotAccepted, match="real money"):
        run(pile)
    with pytest.raises(NotAccepted):
        run(pile, accept=lambda _plan: False)
    assert not RunDirectory.open("run").read_json(paidrun.BUDGET)
    with pytest.raises(EngineError, match=r"DOCUMENTAI_EMULATOR_HOST=.* is set"):
        docdask.run(docdask.plan(pile, to="run", engine="documentai", cluster="none"), cluster="none")
    assert RunDirectory.open("run").read_json(paidrun.BUDGET)["pages"] == 2 * 39, (
        "the first packs are also sent singly"
    )


def real(function):
    """As if the emulator were Google."""
    from dataclasses import replace

    return lambda run: replace(function(run), emulated=False)


def test_an_emulated_run_is_not_gone_on_with_for_real(pile, monkeypatch):
    run(pile)
    monkeypatch.delenv("DOCUMENTAI_EMULATOR_HOST")
    with pytest.raises(EngineError, match="DOCUMENTAI_EMULATOR_HOST is not set"):
        docdask.run("run", cluster="none")


def test_a_processor_that_refuses_everybody_is_told_before_anything_is_paid(pile, monkeypatch):
    denied = ServerSettings(denied=frozenset({"documentai.processors.processOnline"}))
    with running_emulator(EmulatorConfig(ocr="fast", server=denied, processors=PROCESSORS)) as refusing:
        lead_to(monkeypatch, refusing)
        with pytest.raises(EngineError, match=r"lacks documentai[.]processors[.]processOnline"):
            run(pile)
        assert books(refusing)[0] == 0


def test_what_was_put_right_in_the_file_reaches_a_run_that_was_refused(pile, emulator):
    toml = Path("docdask.toml")
    named = 'processor = "form"\nversion = "pretrained-form-parser-v2.0-2022-11-10"'
    toml.write_text(toml.read_text().replace('processor = "form"', named.replace('"form"', '"from"')))
    with pytest.raises(EngineError, match=r"no processor .*from") as caught:
        run(pile, processor="form")
    assert "docdask plan SOURCE --to" in caught.value.remedy
    toml.write_text(toml.read_text().replace('"from"', '"form"'))
    docdask.plan(pile, to="run", engine="documentai", cluster="none", processor="form")
    assert docdask.run("run", cluster="none").summary()["stored"] == 21
    assert books(emulator)[0] == 39


def test_long_documents_go_in_ranges_and_come_back_whole(tmp_path, reading):
    emulator = reading
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(tmp_path / "long.pdf"), invariant=True)
    for page in range(1, 101):
        canvas.drawString(72, 720, f"This is page {page} of a document of a hundred pages.")
        canvas.showPage()
    canvas.save()
    online = run(tmp_path / "long.pdf", to="online")
    assert books(emulator) == (100, 4), "30 pages a call"
    Path("list.csv").write_text(f"uri,lane\n{tmp_path / 'long.pdf'},batch\n", encoding="utf-8")
    batch = run("list.csv", to="batch")
    assert emulator.stats()["methods"]["BatchProcessDocuments"] == 1
    assert books(emulator)[0] == 200
    for name in ("pages", "lines"):
        one, other = online.frame(name), batch.frame(name)
        assert len(one) >= 100
        pd.testing.assert_frame_equal(one, other)
    calls = batch.frame("calls")
    lasted_s = (calls["ended_at"] - calls["started_at"]).dt.total_seconds()
    assert (lasted_s >= calls["seconds"] * 0.99).all(), "a file of a batch lasts as long as its operation"


def test_three_routes_four_ways_in_one_run(pile, tmp_path, emulator):
    from reportlab.pdfgen.canvas import Canvas

    folder = tmp_path / "mixed"
    (folder / "batch").mkdir(parents=True)
    for source in sorted(pile.glob("letter 0*.pdf")):
        (folder / source.name).write_bytes(source.read_bytes())
    for source in sorted(pile.glob("letter 1*.pdf")):
        (folder / "batch" / source.name).write_bytes(source.read_bytes())
    canvas = Canvas(str(folder / "long.pdf"), invariant=True)
    for page in range(1, 41):
        canvas.drawString(72, 720, f"Long page {page}.")
        canvas.showPage()
    canvas.save()
    (folder / "invoice.pdf").write_bytes((pile / "letter 00.pdf").read_bytes() + b"\n% another\n")
    write_toml(
        """
[[routes]]
name = "invoices"
path = "*invoice.pdf"
processor = "invoice"
[[routes]]
name = "by-batch"
path = "*/batch/*"
processor = "form"
lane = "batch"
[[routes]]
name = "rest"
processor = "ocr"
"""
    )
    found = run(folder)
    summary, stats = found.summary(), emulator.stats()
    assert (summary["stored"], summary["pending"]) == (22, 0)
    assert stats["pages_billed"] == planned("run")[0]
    assert stats["cost_usd"] == pytest.approx(summary["cost_usd"])
    assert stats["methods"]["BatchProcessDocuments"] == 1
    documents = found.frame("documents")
    assert set(documents["processor"]) == {"OCR_PROCESSOR", "FORM_PARSER_PROCESSOR", "INVOICE_PROCESSOR"}


def test_what_the_offline_engine_reads_badly_goes_to_google(pile, emulator, monkeypatch):
    write_toml(
        """
[[routes]]
name = "cheap"
engine = "offline"
processor = "ocr"
escalate_below = 1.0
"""
    )
    found = run(sorted(pile.glob("letter 0[0-3].pdf")))
    documents = found.frame("documents")
    sure = documents["mean_confidence"]
    assert found.summary()["pending"] == 0
    assert len(documents) == 4
    escalated = documents[documents["engine"].str.startswith("documentai")]
    assert books(emulator)[0] == escalated["pages"].sum()
    assert not ((sure < 1.0) & ~documents["engine"].str.startswith("documentai")).any()


def test_lost_replies_and_faults_end_in_books_that_agree_with_the_ledger(pile, emulator):
    emulator.faults("flaky", lost=0.1, quota=0.1)
    found = run(pile, processor="ocr", options={"pack": False}, budget="200 pages")
    summary, stats = found.summary(), emulator.stats()
    assert summary["pending"] == 0
    records = read_ledger(RunDirectory.open("run").url)
    from docdask.core.ledger import fold

    ledger = fold(records.records)
    assert ledger.pages_billed <= stats["pages_billed"] <= ledger.pages_billed + ledger.at_risk[0]


def test_asked_to_stop_nothing_new_is_sent_and_what_was_sent_is_kept(pile, emulator, monkeypatch):
    emulator_calls = threading.Event()
    keep = paid.Calls._keep

    async def noticed(self, *args):
        emulator_calls.set()
        await keep(self, *args)

    monkeypatch.setattr(paid.Calls, "_keep", noticed)
    Path("docdask.toml").write_text(
        Path("docdask.toml").read_text().replace('"online_requests.us" = 1200', '"online_requests.us" = 4')
    )
    handle = run(pile, processor="ocr", options={"pack": False}, wait=False)
    assert emulator_calls.wait(60)
    handle.stop()
    found = docdask.open("run").summary()
    assert handle.status()["state"] == "stopped"
    assert found["pending"] > 0
    assert found["stored"] > 0
    documents = docdask.open("run").frame("documents")
    assert books(emulator)[0] == documents[documents["duplicate_of"].isna()]["pages"].sum()


def test_an_emulator_of_our_own_knows_how_many_free_pages_are_left(pile, tmp_path):
    Path("docdask.toml").write_text("[documentai]\nfree_pages = 0\n", encoding="utf-8")
    found = docdask.run(
        pile, to="own", engine="emulator", cluster="none", options={"ocr": "fast", "latency": "none"}
    ).summary()
    kept = RunDirectory.open("own").read_json(paidrun.BOOKS)
    assert found["cost_usd"] == pytest.approx(kept["cost_usd"]) == pytest.approx(39 * 0.0015)
