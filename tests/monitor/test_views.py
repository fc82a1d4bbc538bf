"""How plans, catalogs and results look."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import docdask
from docdask.core.routes import Configuration, Route
from docdask.engine import estimating, planning
from docdask.model import Source
from docdask.monitor import amounts, views
from docdask.monitor.views import Plan
from tests.engine.catalogs import ENGINE, ROUTES, SPEED, configuration, processor, row, run

SUMMARY = {
    "run": "runs/june", "engine": "offline/1.0", "engine_note": "a note <that> is quite long and goes on and on",
    "inputs": 1, "size_bytes": 12_345_678, "new": 1, "new_pages": 1, "new_text_pages": 0, "workers": 1, "partitions": 1,
    "expected_s": 200.4, "speed_note": "calibrated before on this machine", "decides": "its longest document",
    "duplicates": 0, "aside": [{"outcome": "quarantined", "documents": 2, "problem": "broken",
                                "reason": "it is not a PDF, or so broken that nothing of it could be read " * 2}],
}  # fmt: skip


@pytest.mark.parametrize("columns", [80, 120])
def test_a_plan_is_wrapped_to_the_terminal_below_its_values(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = str(Plan("runs/june", SUMMARY)).splitlines()
    assert max(len(line) for line in lines) <= columns
    start = lines[0].index("runs/june")
    assert all(line[:start].endswith("  ") for line in lines)
    assert "3 min 20 s on 1 worker, in 1 partition" in "\n".join(lines)
    assert "1 document, 1 page" in "\n".join(lines)


def test_a_long_path_stays_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    path = "/a/very-long-path" * 8
    assert path in str(Plan(path, SUMMARY))


def test_a_plan_in_a_notebook_escapes_and_sums_up() -> None:
    html = Plan("runs/<june>", SUMMARY)._repr_html_()
    assert "runs/&lt;june&gt;" in html
    assert "a note &lt;that&gt;" in html
    assert "3 min 20 s" in html
    assert "page to do" in html


def test_a_plan_with_nothing_new_tells_no_time() -> None:
    text = str(Plan("runs/june", {**SUMMARY, "new": 0, "new_pages": 0, "expected_s": 0.0}))
    assert "nothing new" in text
    assert "expected time" not in text


def test_a_catalog_names_what_is_wrong(pile: Path) -> None:
    catalog = docdask.scan(pile, cluster="none")
    html = catalog._repr_html_()
    assert "1 quarantined" in html
    assert "broken.pdf" in html
    assert "23" in str(catalog).splitlines()[0]


def test_sizes_have_three_figures() -> None:
    assert [amounts.size(n) for n in (999, 12_345, 3.2e9, 4e13)] == ["999 B", "12.3 kB", "3.2 GB", "40.0 TB"]


def test_the_end_of_a_paid_run_says_what_it_cost_and_what_is_at_risk() -> None:
    told = {
        "run": "runs/june", "inputs": 12, "stored": 12, "quarantined": 0, "skipped": 0, "pending": 0, "pages": 54,
        "billing": "EMULATED: nothing billed", "pages_paid": 66, "cost_usd": 0.099, "pages_at_risk": 1, "cost_at_risk_usd": 0.0015,
    }  # fmt: skip
    assert views.told(told).splitlines()[1:] == [
        "66 pages paid, $0.10 (EMULATED: nothing billed)",
        "at risk: 1 page, $0.0015 (calls without a known end; docdask debug ledger runs/june names them)",
    ]
    assert len(views.told({**told, "billing": "", "pages_at_risk": 0}).splitlines()) == 1


# -- plans that cost money ---------------------------------------------------------------------------------------------

FACTS = {"engine": "documentai/1", "engine_note": "", "speed_note": "measured"}


def paid_plan(folder: Path, rows: list[dict[str, Any]], configured: Configuration) -> Plan:
    made = run(folder, rows)
    return Plan(made.url, planning.append(made, ENGINE, SPEED, 2, facts=FACTS, configuration=configured))


def pile(count: int) -> list[dict[str, Any]]:
    kinds = ("invoice", "form", "letter")
    return [
        row(f"{n:05d}", kind=kinds[n % 3], pages=1 + n % 4, text_pages=(1 + n % 4) * (n % 6 == 2))
        for n in range(count)
    ]


@pytest.mark.parametrize("columns", [80, 120])
def test_a_paid_plan_says_first_whether_it_is_real_money_and_fits_the_terminal(
    columns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    real = str(paid_plan(tmp_path / "real", pile(300), configuration())).splitlines()
    assert real[0] == "Google project p, location us: real money"
    emulated = str(paid_plan(tmp_path / "emulated", pile(300), configuration(emulated=True))).splitlines()
    assert emulated[0] == "EMULATED: nothing billed"
    short = [line for line in real if str(tmp_path) not in line]
    assert max(map(len, short)) <= columns
    start = real[1].index(str(tmp_path))
    assert all(line[:start].endswith("  ") for line in real[1:])


def test_a_paid_plan_names_price_routes_alternatives_time_and_what_decides(tmp_path: Path) -> None:
    plan = paid_plan(tmp_path / "run", pile(3000), configuration(free_pages=0))
    text = str(plan)
    summary = plan.summary
    assert f"${summary['cost_usd']:,.2f}; an estimate, not a bill" in text
    assert "as routed: $" in text
    assert "all as form: $" in text
    assert "invoices  $" in text
    assert "decided by  108 requests/min, 90 % of the quota of" in text
    assert "assumed" in text
    assert "a quota of 600 requests/min: " in text
    assert "up to $" in text  # what is read badly offline may be escalated
    assert sum(part["cost_usd"] for part in summary["cost_by_route"].values()) == pytest.approx(
        summary["cost_usd"] - summary["checks"]["usd"]
    )
    forms = next(row for row in summary["alternatives"] if row["name"] == "all as form")
    assert forms["cost_usd"] == pytest.approx(0.03 * summary["new_pages"])


def test_packing_is_told_by_what_it_saves(tmp_path: Path) -> None:
    letters = [row(f"{n:05d}") for n in range(6000)]
    text = str(paid_plan(tmp_path / "packed", letters, configuration(Route("rest", processor="ocr"))))
    assert "as planned  packing: " in text
    single = configuration(Route("rest", processor="ocr"), processors=[processor("ocr", pack=False)])
    plan = paid_plan(tmp_path / "single", letters, single)
    advice = next(row for row in plan.summary["advice"] if row["change"] == "pack")
    assert advice["instead_s"] == pytest.approx(plan.summary["expected_s"])
    assert advice["instead_s"] > 10 * advice["expected_s"]
    assert advice["text"] in str(plan).replace("\n" + " " * 15, " ")


def test_a_paid_plan_in_a_notebook_shows_the_price(tmp_path: Path) -> None:
    html = paid_plan(tmp_path / "run", pile(60), configuration(emulated=True))._repr_html_()
    assert "EMULATED: nothing billed" in html
    assert "expected price" in html
    assert "decided by" in html


def test_a_paid_plan_with_nothing_new_has_no_price(tmp_path: Path) -> None:
    made = run(tmp_path / "run", pile(10))
    configured = configuration(emulated=True)
    planning.append(made, ENGINE, SPEED, 2, facts=FACTS, configuration=configured)
    again = Plan(made.url, planning.append(made, ENGINE, SPEED, 2, facts=FACTS, configuration=configured))
    assert "nothing new" in str(again)
    assert "price" not in str(again)
    assert "EMULATED" in again._repr_html_()


def test_an_estimate_has_intervals_for_price_requests_and_time(tmp_path: Path) -> None:
    rows = pile(3000)
    configured = configuration(*ROUTES, free_pages=0, emulated=True)
    whole = paid_plan(tmp_path / "all", rows, configured).summary
    found = [Source(one["uri"], one["size_bytes"], "1") for one in rows]
    picked = estimating.pick(found, 300, seed=1)
    seen = {source.document_id for source in picked}
    sampled = run(tmp_path / "sample", [one for one in rows if one["document_id"] in seen])
    outlook = estimating.outlook(sampled, ENGINE, SPEED, 2, found, picked, configured)
    estimate = outlook["estimate"]
    for name, truth in (
        ("cost_usd", whole["cost_usd"]), ("paid_pages", whole["paid_pages"]), ("pages", whole["pages"]),
        ("requests", whole["requests"]["online"]), ("expected_s", whole["expected_s"]),
    ):  # fmt: skip
        assert estimate[name]["low"] <= truth <= estimate[name]["high"], name
        assert estimate[name]["low"] < estimate[name]["high"], name
    plan = Plan(
        sampled.url, {**FACTS, "found": 3000, "sampled": len(picked), "seed": 1, "workers": 2, **outlook}
    )
    text = str(plan)
    assert text.splitlines()[0] == "EMULATED: nothing billed"
    assert "with 95 % confidence); an estimate, not a bill" in " ".join(text.split()), text
    assert "requests/min" in text
    assert "EMULATED" in plan._repr_html_()


def test_a_sample_of_everything_is_exact(tmp_path: Path) -> None:
    rows = pile(90)
    configured = configuration(free_pages=0, emulated=True)
    whole = paid_plan(tmp_path / "all", rows, configured).summary
    found = [Source(one["uri"], one["size_bytes"], "1") for one in rows]
    sampled = run(tmp_path / "sample", rows)
    estimate = estimating.outlook(sampled, ENGINE, SPEED, 2, found, found, configured)["estimate"]
    assert estimate["cost_usd"]["low"] == pytest.approx(whole["cost_usd"])
    assert estimate["cost_usd"]["high"] == pytest.approx(whole["cost_usd"])


def test_where_nothing_is_ready_plan_and_estimate_say_so(tmp_path: Path) -> None:
    rows = [row("a", state="quarantined", problem="empty", reason="the file is empty", remedy="none")]
    configured = configuration(emulated=True)
    assert "nothing new" in str(paid_plan(tmp_path / "all", rows, configured))
    found = [Source(one["uri"], one["size_bytes"], "1") for one in rows]
    sampled = run(tmp_path / "sample", rows)
    outlook = estimating.outlook(sampled, ENGINE, SPEED, 2, found, found, configured)
    assert outlook["estimate"]["cost_usd"]["high"] == 0
    plan = Plan(sampled.url, {**FACTS, "found": 1, "sampled": 1, "seed": 1, "workers": 2, **outlook})
    assert "1 documents" in str(plan)


def test_a_long_export_is_told_by_folder_and_a_short_one_by_file():
    files = [Path("export/tables.xlsx"), *(Path(f"export/pdf/{number}.pdf") for number in range(200_000))]
    assert views.listed(files).splitlines() == ["export/tables.xlsx", "export/pdf: 200,000 files"]
    assert views.listed(files[:13]).splitlines() == [str(path) for path in files[:13]]


def test_speed_is_told_against_one_call_after_another():
    summary = {
        "inputs": 2,
        "stored": 2,
        "quarantined": 0,
        "skipped": 0,
        "pending": 0,
        "pages": 4,
        "wall_s": 2.0,
    }
    assert "1.8 times as fast as one by one" in views.told({**summary, "speedup": 1.8})
    assert "as fast" not in views.told({**summary, "speedup": 0.8})
