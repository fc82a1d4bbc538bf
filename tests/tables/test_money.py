"""What a run says about money: what its ledger says, with the phrase that tells real money from an emulator."""

from __future__ import annotations

import uuid

import pytest
from run_making import SmallRun, facts, ledger, make_paid, message, planned, record

from docdask.store.spending import FollowedLedger
from docdask.tables import money
from docdask.tables.result import Result

EMULATED = "EMULATED: nothing billed"
TOLD = {
    "run": "runs/june", "billing": EMULATED, "pages_paid": 1234, "cost_usd": 1.851, "pages_at_risk": 12,
    "cost_at_risk_usd": 0.018,
}  # fmt: skip


@pytest.fixture(params=["local", "memory"])
def small(request, tmp_path):
    return SmallRun(
        str(tmp_path / "run") if request.param == "local" else f"memory://money-{uuid.uuid4().hex}"
    )


def done(small, unit="u", document="a", **changes):
    """A document that was recognised by Document AI."""
    small.planned(planned(document, [unit]))
    made = facts(unit, document, engine="documentai.OCR_PROCESSOR/v1", processor="OCR_PROCESSOR", **changes)
    small.recognised(0, made, message("text"))
    small.tabulate(0)


def of(told):
    names = ("billing", "pages_paid", "cost_usd", "pages_at_risk", "cost_at_risk_usd", "budget")
    return tuple(told[name] for name in names)


class TestSummary:
    def test_a_run_that_is_not_paid_has_cost_nothing(self, small):
        small.planned(planned("a", ["u"]))
        small.recognised(0, facts("u", "a"), message("text"))
        small.tabulate(0)
        assert of(Result(small.run.url).summary()) == ("", 0, 0.0, 0, 0.0, None)

    def test_an_engine_of_ones_own_says_what_it_costs(self, small):
        small.planned(planned("a", ["u"]))
        small.recognised(0, facts("u", "a", engine="mine/1", cost_usd=0.25), message("text"))
        small.tabulate(0)
        assert of(Result(small.run.url).summary()) == ("", 0, 0.25, 0, 0.0, None)

    def test_paid_is_what_was_billed_also_twice_and_at_risk_what_has_no_end(self, small):
        make_paid(small.run, pages=40, micros=60_000)
        done(small, cost_usd=0.0015)
        ledger(
            small.run.url,
            record(1, "intent", "u", 1),
            record(2, "lost", "u", 1),
            record(3, "intent", "u", 2),
            record(4, "answered", "u", 2),
            record(5, "stored", "u", 2),
            record(6, "intent", "v", 3, pages=12, micros=18_000),
            record(7, "answered", "v", 3, pages=12, micros=18_000),
        )
        told = Result(small.run.url).summary()
        assert of(told) == (EMULATED, 13, pytest.approx(0.0195), 1, 0.0015, {"pages": 40, "usd": 0.06})

    def test_it_follows_the_ledger(self, small):
        make_paid(small.run)
        small.found(planned("a", ["u"]))
        result = Result(small.run.url)
        assert of(result.summary()) == (EMULATED, 0, 0.0, 0, 0.0, None)
        ledger(small.run.url, record(1, "intent"))
        assert of(result.summary())[1:5] == (0, 0.0, 1, 0.0015)
        ledger(small.run.url, record(2, "answered"), epoch=2)
        assert of(result.summary())[1:5] == (1, 0.0015, 0, 0.0)

    def test_without_a_ledger_the_calls_tell(self, small):
        make_paid(small.run, micros=60_000)
        done(small, pages=3, cost_usd=0.0045)
        told = Result(small.run.url).summary()
        assert of(told) == (EMULATED, 3, pytest.approx(0.0045), 0, 0.0, {"pages": None, "usd": 0.06})

    def test_real_money_is_told_with_its_project(self, small):
        make_paid(small.run, emulated=False)
        small.found(planned("a", ["u"]))
        told = Result(small.run.url).summary()
        assert told["billing"] == "Google project p, location eu, us: real money"


class TestWords:
    def test_paid_and_at_risk(self):
        assert money.lines(TOLD) == [
            "1,234 pages paid, $1.85 (EMULATED: nothing billed)",
            "at risk: 12 pages, $0.02 (calls without a known end; docdask debug ledger runs/june names them)",
        ]

    def test_while_it_goes_on_calls_without_an_end_are_in_flight(self):
        assert money.at_risk({**TOLD, "state": "running"}) == "in flight: 12 pages, $0.02"
        assert money.at_risk({**TOLD, "state": "interrupted"}).startswith("at risk: 12 pages")

    def test_without_risk_nothing_is_said_of_it(self):
        assert len(money.lines({**TOLD, "pages_at_risk": 0})) == 1

    def test_a_run_that_is_not_paid_says_nothing(self):
        assert money.lines({"billing": "", "pages_paid": 0, "cost_usd": 0.0, "pages_at_risk": 0}) == []
        assert money.lines({}) == []

    @pytest.mark.parametrize(
        ("usd", "told"),
        [
            (0, "$0.00"),
            (0.0015, "$0.0015"),
            (0.00001, "under $0.0001"),
            (0.005, "$0.01"),
            (1234.5, "$1,234.50"),
        ],
    )
    def test_small_amounts_are_not_nothing(self, usd, told):
        assert money.dollars(usd) == told

    def test_one_page_is_no_plural(self):
        assert money.paid({**TOLD, "pages_paid": 1, "cost_usd": 0.0015}).startswith("1 page paid, $0.0015 (")


def test_card_and_repr_say_it_too(tmp_path):
    small = SmallRun(str(tmp_path / "run"))
    make_paid(small.run, project="a<b>", emulated=False)
    done(small, cost_usd=0.0015)
    ledger(small.run.url, record(1, "intent"), record(2, "answered"), record(3, "intent", "v", 2, pages=2))
    result = Result(small.run.url)
    html = result._repr_html_()
    assert "$0.0015" in html
    assert "1 page paid, $0.0015 (Google project a&lt;b&gt;, location eu, us: real money)" in html
    assert "at risk: 2 pages" in html
    assert "1 page paid, $0.0015 (Google project a<b>, location eu, us: real money)" in repr(result)


def test_whoever_asks_twice_reads_the_ledger_once(tmp_path, monkeypatch):
    small = SmallRun(str(tmp_path / "run"))
    make_paid(small.run)
    small.found(planned("a", ["u"]))
    ledger(small.run.url, record(1, "intent"), record(2, "answered"))
    result = Result(small.run.url)
    result.summary()
    monkeypatch.setattr(FollowedLedger, "_segments", None)
    assert result.summary()["pages_paid"] == 1
