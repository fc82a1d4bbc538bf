"""What a report tells of money: what ledger, plan and tables say, on every page whether it was real."""

from __future__ import annotations

import dataclasses
import html as markup
import re

import pytest

from docdask.reporting import build, content
from docdask.reporting.chapters import compose
from docdask.reporting.content import Card, Cards, Grid, Heading, Together
from docdask.reporting.costs import Alternative, Amount, Costs, Endpoint, Way
from docdask.reporting.of_run import gather, write
from docdask.reporting.opened import RunResult
from tests import synthetic
from tests.reporting.test_report import data, html_text, pdf_pages
from tests.tables.run_making import SmallRun, facts, ledger, make_paid, message, planned, record

EMULATED = "EMULATED: nothing billed"
COSTS = Costs(
    planned=Amount(100, 0.15),
    reserve=Amount(20, 0.03),
    in_tables=Amount(100, 0.15),
    ways=(Way("the rest", "online", 40, Amount(100, 0.15), 0.15), Way("text layers", "offline", 3, Amount(0, 0.0), 0.0)),
    endpoints=(Endpoint("eu/ocr", "online", 30, 25, 4, 1, Amount(110, 0.165)),),
    alternatives=(Alternative("as routed", 43, 0.15), Alternative("all as form", 43, 3.0), Alternative("all as id", 40, 4.0)),
    books=Amount(110, 0.165),
)  # fmt: skip


def paid(count=40, costs=COSTS, **changes):
    made = data(count)
    summary = {**synthetic.paid(made.summary, 110, 0.165), **changes}
    return dataclasses.replace(
        made, summary=summary, costs=costs, requests=synthetic.requests(made.documents)
    )


def grids(report):
    """Rows by the heading that they stand below."""
    found, heading = {}, ""

    def walk(blocks):
        nonlocal heading
        for block in blocks:
            if isinstance(block, Heading):
                heading = block.text
            elif isinstance(block, Grid):
                found[heading] = block.rows
            elif isinstance(block, Together):
                walk(block.blocks)

    walk(report.blocks)
    return found


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paid")
    build(paid(), pdf=folder / "r.pdf", html=folder / "r.html", baseline="12/h")
    return folder


def test_every_page_says_whether_it_was_real_money(printed):
    pages = pdf_pages(printed / "r.pdf")
    assert len(pages) > 5
    assert all(EMULATED in text for text in pages)
    source = (printed / "r.html").read_text()
    assert EMULATED in source[source.index("<header>") : source.index("</header>")]
    assert EMULATED in source[source.index("<footer>") : source.index("</footer>")]
    assert f'@bottom-left {{ content: "{EMULATED}"' in source


def test_page_one_and_the_chapter_tell_what_was_paid_planned_and_is_at_risk(printed):
    pages, text = pdf_pages(printed / "r.pdf"), html_text(printed / "r.html")
    for words in ("Paid $0.17 110 pages", "At risk $0.02 12 pages in calls without a known end"):
        assert words in pages[0]
    for words in (
        "What it cost",
        "110 pages paid, $0.17",
        "By route",
        "What else it could have cost",
        "Quota in use",
    ):
        assert words in " ".join(pages)
        assert words in text
    assert (printed / "r.html").read_text().count("<svg") == 7


def test_amounts_that_differ_are_told_apart():
    rows = {name: rest for name, *rest in grids(compose(paid()))["What it cost"]}
    assert rows["Accepted"][:2] == ["130", "no limit"]
    assert rows["Planned"][:2] == ["100", "$0.15"]
    assert rows["Reserved"][:2] == ["20", "$0.03"]
    assert rows["Paid"][:2] == ["110", "$0.17"]
    assert rows["of it in the tables"][:2] == ["100", "$0.15"]
    assert rows["and not"][0] == "10"
    assert rows["At risk"][:2] == ["12", "$0.02"]
    assert "docdask debug ledger runs/june" in rows["At risk"][2]
    assert rows["Emulator's books"][:2] == ["110", "$0.17"]


def test_amounts_that_agree_are_told_once():
    same = dataclasses.replace(COSTS, in_tables=Amount(110, 0.165), reserve=Amount(0, 0.0), books=None)
    rows = {row[0] for row in grids(compose(paid(costs=same, budget=None)))["What it cost"]}
    assert rows == {"Planned", "Paid", "At risk"}


def test_each_processor_is_told_with_its_requests():
    assert grids(compose(paid()))["By processor"] == (
        ("eu/ocr", "online", "30", "25", "4", "1", "110", "$0.17"),
    )


def test_alternatives_are_compared_with_the_plan():
    assert grids(compose(paid()))["What else it could have cost"] == (
        ("as routed", "43", "$0.15", "1 ×"),
        ("all as form", "43", "$3.00", "20 ×"),
        ("all as id", "40", "$4.00", "26.7 ×"),
    )


def test_a_single_processor_has_no_alternatives():
    same = (Alternative("as routed", 43, 0.15), Alternative("all as ocr", 43, 0.15))
    found = grids(compose(paid(costs=dataclasses.replace(COSTS, alternatives=same))))
    assert "By processor" in found
    assert "What else it could have cost" not in found


def test_without_an_online_request_there_is_no_chart_of_quotas():
    def shown(*endpoints):
        report = compose(paid(costs=dataclasses.replace(COSTS, endpoints=endpoints)))
        return "Quota in use" in set(content.texts(report))

    batch = dataclasses.replace(COSTS.endpoints[0], lane="batch")
    assert shown(batch, *COSTS.endpoints)
    assert not shown(batch)
    assert not shown()


def test_a_run_that_is_not_paid_has_none_of_it():
    report = compose(data(40))
    assert report.billing == ""
    assert "What it cost" not in grids(report)
    labels = [card.label for block in report.blocks if isinstance(block, Cards) for card in block.cards]
    assert labels == ["Done", "Set aside", "Time", "Documents an hour"]


def test_a_risk_stands_out_and_none_does_not():
    def tone(**changes):
        blocks = compose(paid(**changes)).blocks
        (card,) = (
            card
            for block in blocks
            if isinstance(block, Cards)
            for card in block.cards
            if card.label == "At risk"
        )
        assert isinstance(card, Card)
        return card.tone

    assert tone() == "bad"
    assert tone(pages_at_risk=0, cost_at_risk_usd=0.0) == "plain"


@pytest.mark.parametrize(
    "project", ["</style><script>alert(1)</script>", '"; } * { display: none', "проект \\ 文"]
)
def test_a_phrase_from_outside_is_printed_and_changes_nothing(project, tmp_path):
    phrase = f"Google project {project}, location us: real money"
    build(paid(billing=phrase), html=tmp_path / "r.html")
    source = (tmp_path / "r.html").read_text()
    assert "<script>alert" not in source
    (printed,) = re.findall(r'@bottom-left \{ content: "([^"]*)"', source)
    assert re.sub(r"\\([0-9a-f]{6})", lambda code: chr(int(code[1], 16)), printed) == phrase
    assert phrase in markup.unescape(re.sub(r"<[^>]*>", "", source[source.index("<footer>") :]))


def test_a_long_phrase_is_printed_whole(tmp_path):
    places = "asia-southeast1, australia-southeast1, europe-west2, northamerica-northeast1"
    phrase = f"Google project a-project-with-a-long-name-123, location {places}: real money"
    build(paid(billing=phrase), pdf=tmp_path / "r.pdf")
    for page in pdf_pages(tmp_path / "r.pdf"):
        assert phrase in page
        assert re.search(r"Page \d+ of \d+", page)


class TestGathering:
    @pytest.fixture
    def small(self, tmp_path):
        small = SmallRun(str(tmp_path / "run"))
        make_paid(small.run, pages=10, micros=15_000)
        return small

    def plan(self, small, *rows, **summary):
        small.found(*rows)
        import pyarrow as pa

        generation = len(small.run.generations())
        small.run.append_plan(generation, pa.Table.from_pylist(list(rows)), summary)

    def test_routes_are_told_with_what_they_were_to_cost_and_did(self, small):
        paid = {"lane": "online", "processor": "ocr"}
        self.plan(
            small,
            planned("a", ["u"], pages=2, route="all", cost_micros=3000, **paid),
            planned("b", ["v"], pages=4, route="all", cost_micros=6000, **paid),
            planned("c", ["w"], route="free", lane="offline", cost_micros=0),
            alternatives=[
                {"name": "as routed", "cost_usd": 0.009, "documents": 3},
                {"name": "all as form", "cost_usd": 0.21, "documents": 3},
            ],
            reserve={"pages": 5, "micros": 7500},
        )
        note = {"endpoint": "us/ocr", "fence": 1}
        small.recognised(0, facts("u", "a", pages=2, cost_usd=0.003, notes=note), message("one", "two"))
        small.recognised(0, facts("w", "c"), message("offline"))
        small.tabulate(0)
        ledger(
            small.run.url,
            record(1, "intent", "u", 1, pages=2, micros=3000),
            record(2, "answered", "u", 1, pages=2, micros=3000),
            record(3, "intent", "v", 2, pages=4, micros=6000),
        )
        costs = gather(RunResult(small.run.url)).costs
        assert costs.planned == Amount(6, pytest.approx(0.009))
        assert costs.reserve == Amount(5, pytest.approx(0.0075))
        assert costs.in_tables == Amount(2, pytest.approx(0.003))
        assert costs.ways == (
            Way("all", "online", 2, Amount(6, pytest.approx(0.009)), pytest.approx(0.003)),
            Way("free", "offline", 1, Amount(0, 0.0), 0.0),
        )
        assert costs.endpoints == (Endpoint("us/ocr", "online", 2, 1, 0, 1, Amount(2, pytest.approx(0.003))),)
        assert [row.name for row in costs.alternatives] == ["as routed", "all as form"]
        assert costs.books is None

    def test_an_operation_that_was_adopted_and_a_permit_that_was_not_used_are_no_requests(self, small):
        self.plan(small, planned("a", ["u"], route="all", lane="batch", cost_micros=1500))
        ledger(
            small.run.url,
            record(1, "intent", "b", 1, pages=9, micros=13_500),
            record(2, "operation", "b", 1),
            record(3, "intent", "b", 2, pages=0, micros=0),
            record(4, "adopted", "b", 2),
            record(5, "answered", "b", 2, pages=9, micros=13_500),
            record(6, "intent", "c", 3),
            record(7, "withdrawn", "c", 3, pages=0, micros=0),
            record(8, "intent", "d", 4),
            record(9, "refused", "d", 4, pages=0, micros=0),
        )
        assert gather(RunResult(small.run.url)).costs.endpoints == (
            Endpoint("us/ocr", "batch", 1, 1, 0, 0, Amount(9, pytest.approx(0.0135))),
            Endpoint("us/ocr", "online", 1, 0, 1, 0, Amount(0, 0.0)),
        )

    def test_alternatives_of_several_generations_are_added_where_all_have_them(self, small):
        first = [
            {"name": "as routed", "cost_usd": 1.0, "documents": 3},
            {"name": "all as x", "cost_usd": 2.0, "documents": 3},
        ]
        second = [{"name": "as routed", "cost_usd": 0.5, "documents": 1}]
        self.plan(small, planned("a", ["u"]), alternatives=first)
        self.plan(small, planned("b", ["v"]), alternatives=second)
        self.plan(small, planned("c", ["w"]))
        assert gather(RunResult(small.run.url)).costs.alternatives == (Alternative("as routed", 4, 1.5),)

    def test_a_run_before_its_first_call_has_a_report(self, small, tmp_path):
        self.plan(small, planned("a", ["u"], route="all", lane="online", cost_micros=1500))
        written = write(RunResult(small.run.url), tmp_path / "out")
        assert "0 pages paid, $0.00" in html_text(written["html"])
        assert (written["charts"] / "quota_use.svg").exists()

    def test_an_offline_run_has_no_chart_of_quotas(self, tmp_path):
        small = SmallRun(str(tmp_path / "run"))
        small.planned(planned("a", ["u"]))
        result = RunResult(small.run.url)
        assert gather(result).costs is None
        written = write(result, tmp_path / "out")
        assert "throughput.svg" in {path.name for path in written["charts"].iterdir()}
        assert not (written["charts"] / "quota_use.svg").exists()
        assert "quota_use" not in result.charts
