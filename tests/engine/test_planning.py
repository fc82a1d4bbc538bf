"""What a plan with routes promises: limits, each page once, and a price that is the sum of what is billed."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from docdask.core.packing import joined_bytes
from docdask.core.routes import Configuration, Facts, Route
from docdask.core.server.books import Books
from docdask.engine import planning, routing
from docdask.engine.branch import Branch
from docdask.errors import UsageError
from docdask.model import PageRange, unit_id
from docdask.store.catalog import to_table
from docdask.store.run import RunDirectory
from tests.engine.catalogs import ENGINE, SPEED, TYPES, configuration, processor, row, run

IMAGE = {"mime_type": "image/png", "group": "image", "max_pixels": 2_000_000}


def plan(made: RunDirectory, configured: Configuration | None, **more: Any) -> dict[str, Any]:
    return planning.append(made, ENGINE, SPEED, 2, configuration=configured, **more)


def branches(made: RunDirectory) -> list[Branch]:
    return list(planning.branches(made))


documents = st.lists(
    st.fixed_dictionaries(
        {
            "pages": st.one_of(st.integers(1, 4), st.sampled_from([15, 16, 29, 30, 31, 61, 99, 501, 1203])),
            "size_bytes": st.sampled_from([900, 50_000, 3_000_000, 41_000_000, 70_000_000, 2_000_000_000]),
            "text_share": st.sampled_from([0.0, 0.5, 1.0]),
            "kind": st.sampled_from(["invoice", "form", "letter"]),
            "image": st.booleans(),
        }
    ),
    min_size=1,
    max_size=40,
)
configurations = st.builds(
    lambda staged, form_packs, imageless, used, free, forced, add_on: configuration(
        Route("invoices", processor="invoice", kind="invoice"),
        Route("forms", processor="form", kind="form", lane=forced if staged or forced != "batch" else "auto"),
        Route("own", engine="offline", processor="ocr", text_layer=True, escalate_below=0.85),
        Route("rest", processor="ocr"),
        processors=[
            processor("form", pack=form_packs),
            processor(
                "ocr",
                "us",
                "eu",
                imageless=imageless,
                options={"ocrConfig": {"premiumFeatures": {"enableMathOcr": add_on}}},
            ),
        ],
        staging="gs://bucket/prefix" if staged else "",
        used_pages={"OCR_PROCESSOR": used, "FORM_PARSER_PROCESSOR": 999_990},
        free_pages=free,
        emulated=True,
    ),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.integers(0, 1200),
    st.one_of(st.none(), st.integers(0, 1000)),
    st.sampled_from(["auto", "online", "batch"]),
    st.booleans(),
)


def catalog_rows(drawn: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for number, document in enumerate(drawn):
        image = document["image"]
        pages = 1 if image else document["pages"]
        rows.append(
            row(
                f"{number:03d}",
                **(IMAGE if image else {}),
                pages=pages,
                text_pages=0 if image else int(pages * document["text_share"]),
                size_bytes=document["size_bytes"],
                kind=document["kind"],
            )
        )
    return rows


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return lambda rows: run(tmp_path_factory.mktemp("run") / "run", rows)


laws = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@laws
@given(documents, configurations)
def test_no_request_exceeds_a_limit(fresh, drawn, configured):
    made = fresh(catalog_rows(drawn))
    plan(made, configured)
    by_id = {entry["document_id"]: entry for entry in made.catalog().to_pylist()}
    for branch in branches(made):
        assert len({(r["route"], r["lane"], r["processor"], r["group"]) for r in branch.rows}) == 1
        if not branch.processor:
            assert branch.lane == "offline"
            assert not branch.requests
            continue
        own = configured.processors[branch.processor]
        limits, book = own.limits(configured.book), configured.book
        for request in branch.requests:
            pages = sum(unit.pages for unit in request)
            if branch.lane == "batch":
                assert branch.requests == (request,)
                assert len(request) <= book.limit("batch_files")
                assert all(unit.pages <= limits.batch_pages for unit in request)
                assert all(unit.size_bytes <= book.limit("batch_bytes") or unit.ranged for unit in request)
                continue
            best = limits.imageless_pages if own.imageless else limits.online_pages
            assert pages <= max(best, limits.online_pages)
            assert all(unit.mime_type in limits.mime_types for unit in request)
            if len(request) > 1:
                assert own.packs
                assert not any(unit.ranged for unit in request)
                joined = (
                    joined_bytes(u.mime_type, u.size_bytes, u.pages, by_id[u.document_id]["max_pixels"] or 0)
                    for u in request
                )
                assert sum(joined) <= book.limit("online_bytes")
            elif not request[0].ranged:
                assert request[0].size_bytes <= book.limit("online_bytes")


@laws
@given(documents, configurations)
def test_each_page_of_each_document_is_sent_once_or_set_aside_with_a_reason(fresh, drawn, configured):
    rows = catalog_rows(drawn)
    made = fresh(rows)
    summary = plan(made, configured)
    seen: Counter[tuple[str, int]] = Counter()
    for branch in branches(made):
        units = [unit for piece in branch.pieces for unit in piece]
        assert sorted(u.unit_id for u in units) == sorted(branch.unit_ids)
        if branch.requests:
            assert sorted(u.unit_id for call in branch.requests for u in call) == sorted(branch.unit_ids)
        for unit in units:
            seen.update((unit.document_id, unit.first_page + n) for n in range(unit.pages))
    aside = {found["document_id"]: found for found in planning.set_aside(made, ENGINE, configured)}
    wanted = Counter(
        (entry["document_id"], page)
        for entry in rows
        if entry["document_id"] not in aside
        for page in range(1, entry["pages"] + 1)
    )
    assert seen == wanted
    assert all(
        found["state"] == "skipped" and found["reason"] and found["remedy"] for found in aside.values()
    )
    assert summary["new"] + len(aside) == len(rows)


@laws
@given(documents, configurations)
def test_the_price_is_what_the_books_of_the_service_bill(fresh, drawn, configured):
    made = fresh(catalog_rows(drawn))
    summary = plan(made, configured)
    books = Books()
    for kind in TYPES.values():
        used = configured.used_pages.get(kind, 0)
        if kind == "OCR_PROCESSOR" and configured.free_pages is not None:
            used = max(used, 1000 - configured.free_pages)
        books.units[kind] = used
    planned = 0
    for branch in branches(made):
        for request in branch.requests:
            kind = configured.processors[branch.processor].processor_type
            together = (
                [sum(u.pages for u in request)] if branch.lane == "online" else [u.pages for u in request]
            )
            for pages in together:
                books.bill(kind, pages, premium=configured.processors[branch.processor].premium)
            planned += sum(unit.cost_micros for unit in request)
        assert sum(r["cost_micros"] for r in branch.rows) == sum(
            u.cost_micros for c in branch.requests for u in c
        )
    assert books.cost_nano_usd == planned * 1000
    assert summary["cost_usd"] == pytest.approx(planned / 1e6, abs=1e-9)
    assert books.pages_billed == summary["paid_pages"]
    assert sum(r["cost_usd"] for r in summary["cost_by_route"].values()) == pytest.approx(summary["cost_usd"])


@laws
@given(documents, configurations)
def test_routes_over_columns_are_those_of_the_configuration(fresh, drawn, configured):
    made = fresh(catalog_rows(drawn))
    catalog = made.catalog()
    routed = routing.assign(catalog, ENGINE, configured)
    for number, entry in enumerate(catalog.to_pylist()):
        facts = Facts(entry["uri"], entry["mime_type"], entry["pages"], entry["text_pages"], entry["kind"])
        if number not in routed.refused:
            assert routed.ways[routed.way[number]].route == configured.route(facts)


def test_routes_look_at_path_type_pages_and_text(tmp_path):
    routes = (
        Route("archive", processor="form", path="/pile/old-*"),
        Route("pictures", processor="extractor", type="image/*"),
        Route("long", processor="invoice", min_pages=10, max_pages=20),
        Route("rest", processor="ocr"),
    )
    rows = [row("old-1"), row("new", **IMAGE), row("ten", pages=10), row("more", pages=21), row("a")]
    made = run(tmp_path / "run", rows)
    plan(made, configuration(*routes))
    table = made.plan(current=True)
    routes_of = dict(zip(table["name"].to_pylist(), table["route"].to_pylist(), strict=True))
    assert routes_of == {"old-1": "archive", "new": "pictures", "ten": "long", "more": "rest", "a": "rest"}


def test_the_source_list_decides_and_a_bad_value_sets_that_document_aside_alone(tmp_path):
    def listed(name: str, **columns: Any) -> dict[str, Any]:
        return row(name, columns=json.dumps(columns, sort_keys=True))

    rows = [
        listed("a", processor="form"), listed("b", processor="nonsense"), listed("c", lane="batch"),
        listed("d", lane="sideways"), listed("e", customer="processor"), listed("f", processor="offline"),
        listed("g", processor="", lane=None), listed("h", processor=7),
    ]  # fmt: skip
    made = run(tmp_path / "run", rows)
    configured = configuration(Route("rest", processor="ocr"), staging="gs://b/p")
    summary = plan(made, configured)
    table = made.plan(current=True).select(["name", "processor", "lane"]).to_pydict()
    ways = {name: (alias, lane) for name, alias, lane in zip(*table.values(), strict=True)}
    assert ways == {
        "a": ("form", "online"), "c": ("ocr", "batch"), "e": ("ocr", "online"), "f": (None, "offline"),
        "g": ("ocr", "online"),
    }  # fmt: skip
    aside = {found["name"]: found for found in planning.set_aside(made, ENGINE, configured)}
    assert set(aside) == {"b", "d", "h"}
    assert "'nonsense', which is not configured" in aside["b"]["reason"]
    assert "configured:" in aside["b"]["remedy"]
    assert "'sideways'" in aside["d"]["reason"]
    assert summary["skipped"] == 3


def test_what_the_processor_refuses_is_set_aside_before_it_costs_anything(tmp_path):
    html = {"mime_type": "text/html", "group": "pdf"}
    rows = [
        row("page.html", **html), row("poster.png", **{**IMAGE, "max_pixels": 60_000_000}),
        row("strip.png", **IMAGE, widths=[12_000.0], heights=[90.0], unit="pixels"),
        row("huge.pdf", size_bytes=60_000_000), row("vast.pdf", size_bytes=1_500_000_000), row("good.pdf"),
    ]  # fmt: skip
    made = run(tmp_path / "run", rows)
    configured = configuration(Route("rest", processor="ocr"))
    plan(made, configured)
    aside = {found["name"]: found for found in planning.set_aside(made, ENGINE, configured)}
    assert {name: found["problem"] for name, found in aside.items()} == {
        "page.html": "unsupported-type", "poster.png": "oversize-image", "strip.png": "oversize-image",
        "huge.pdf": "oversize-file", "vast.pdf": "oversize-file",
    }  # fmt: skip
    assert "staging" in aside["huge.pdf"]["remedy"]
    assert "split it" in aside["vast.pdf"]["remedy"]
    assert made.plan(current=True)["name"].to_pylist() == ["good.pdf"]


def test_each_reason_is_told_unless_there_are_as_many_as_documents(tmp_path):
    configured = configuration(Route("rest", processor="ocr"), processors=[processor("ocr")])
    lists = [json.dumps({"processor": name}) for name in ("ocr2", "ocr2", "invoic")]
    rows = [row(name, columns=columns) for name, columns in zip("abc", lists, strict=True)]
    told = plan(run(tmp_path / "few", rows), configured)["aside"]
    assert [(one["documents"], "ocr2" in one["reason"]) for one in told] == [(2, True), (1, False)]
    rows = [row(f"{n}", **IMAGE | {"max_pixels": (50 + n) * 1_000_000}) for n in range(9)]
    (told,) = plan(run(tmp_path / "many", rows), configured)["aside"]
    assert (told["documents"], told["problem"]) == (9, "oversize-image")
    assert told["reason"].endswith("(others likewise)")


def test_a_file_too_large_for_a_call_goes_by_batch_where_there_is_a_bucket(tmp_path):
    made = run(tmp_path / "run", [row("huge.pdf", size_bytes=60_000_000), row("small.pdf")])
    plan(made, configuration(Route("rest", processor="ocr"), staging="gs://b/p"))
    table = made.plan(current=True).select(["name", "lane"]).to_pydict()
    assert dict(zip(*table.values(), strict=True)) == {"huge.pdf": "batch", "small.pdf": "online"}


def test_a_large_pile_is_divided_so_that_all_lanes_end_together(tmp_path):
    rows = [row(f"{n:05d}", kind="invoice" if n % 2 else "letter") for n in range(6000)]
    made = run(tmp_path / "run", rows)
    configured = configuration(staging="gs://b/p")
    summary = plan(made, configured)
    assert set(summary["requests"]) == {"online", "batch"}
    # Packed letters take few requests; invoices can't be packed, so they are the ones that leave.
    table = made.plan(current=True).select(["processor", "lane"]).to_pandas()
    assert set(table[table["lane"] == "batch"]["processor"]) == {"invoice"}
    alone = plan(run(tmp_path / "alone", rows), configuration())
    assert summary["expected_s"] < 0.5 * alone["expected_s"]


def test_ids_are_those_that_a_unit_has_anywhere(tmp_path):
    made = run(tmp_path / "run", [row("a", pages=40), row("b", kind="form"), row("c", text_pages=1)])
    configured = configuration(processors=[processor("ocr", options={"ocrConfig": {"hints": {}}})])
    plan(made, configured)
    for entry in made.plan(current=True).to_pylist():
        spans = [PageRange(*map(int, text.split("-"))) for text in entry["ranges"]] or [None]
        if entry["processor"]:
            own = configured.processors[entry["processor"]]
            name = own.engine_id
            options = {"options": dict(own.options), "field_mask": "", "imageless": True, "action": None}
        else:
            name, options = (
                f"{ENGINE.name}/{ENGINE.version}",
                {**getattr(ENGINE, "options", {}), "action": None},
            )
        assert entry["unit_ids"] == [unit_id(entry["sha256"], span, name, options) for span in spans]


def test_a_run_without_routes_knows_nothing_of_them(tmp_path):
    made = run(tmp_path / "run", [row("a"), row("b", pages=40)])
    summary = plan(made, None)
    table = made.plan()
    for name in ("route", "lane", "processor", "pack", "cost_micros", "unit_micros"):
        assert table[name].null_count == len(table)
    assert "cost_usd" not in summary
    assert all(not branch.requests and not branch.lane for branch in branches(made))


FULL = {"processors": [processor("ocr", pack=True)]}


def test_a_few_documents_go_as_early_packed_as_singly_and_a_pile_goes_in_full_packs(tmp_path):
    configured = configuration(Route("rest", processor="ocr"), emulated=True)
    few = [row(f"{n:02d}", pages=20 if n == 7 else 1) for n in range(30)]
    made = run(tmp_path / "few", few)
    assert plan(made, configured)["requests"] == {
        "online": 3
    }  # the long one, and twice 15 no longer than that
    pile = run(tmp_path / "pile", [row(f"{n:05d}") for n in range(10_000)])
    assert plan(pile, configured)["requests"] == {"online": 334}
    letters = run(tmp_path / "letters", [row(f"{n:02d}") for n in range(12)])
    assert plan(letters, configured)["requests"] == {"online": 12}


def test_a_pack_lies_within_its_partition_and_packs_are_full(tmp_path):
    made = run(tmp_path / "run", [row(f"{n:04d}") for n in range(3000)])
    summary = plan(made, configuration(Route("rest", processor="ocr"), emulated=True, **FULL))
    assert summary["requests"] == {"online": 100}
    sizes = [len(request) for branch in branches(made) for request in branch.requests]
    assert sizes == [30] * 100


def test_documents_of_the_same_bytes_are_paid_once_for_each_processor(tmp_path):
    same = {"sha256": "ab" * 32}
    rows = [row("a", **same), row("b", **same), row("c", **same, kind="form"), row("d", **same, kind="form")]
    made = run(tmp_path / "run", rows)
    configured = configuration()
    summary = plan(made, configured)
    assert (summary["new"], summary["duplicates"]) == (2, 2)
    copied = {found["name"]: found["duplicate_of"] for found in planning.copies(made, ENGINE, configured)}
    assert copied == {"b": rows[0]["document_id"], "d": rows[2]["document_id"]}


def test_a_later_generation_goes_on_in_the_tiers_where_the_earlier_one_ended(tmp_path):
    rows = [row(f"{n:02d}", pages=20) for n in range(60)]  # 1,200 pages, 1,000 of them free
    configured = configuration(Route("rest", processor="ocr"), emulated=True)
    made = run(tmp_path / "run", rows)
    pilot = plan(made, configured, only=frozenset(entry["document_id"] for entry in rows[:30]))
    rest = plan(made, configured)
    assert pilot["cost_usd"] == 0
    assert rest["cost_usd"] == pytest.approx(200 * 0.0015)
    assert plan(made, configured)["new"] == 0


def test_the_first_packs_are_also_sent_singly_where_it_costs_real_money(tmp_path):
    rows = [row(f"{n:03d}") for n in range(150)]
    real = plan(
        run(tmp_path / "real", rows), configuration(Route("rest", processor="ocr"), free_pages=0, **FULL)
    )
    assert real["checks"] == {"requests": 90, "pages": 90, "micros": 135_000, "usd": 0.135}
    assert real["cost_usd"] == pytest.approx(0.36)
    assert real["reserve"] == {"pages": 90, "micros": 135_000}
    emulated = configuration(Route("rest", processor="ocr"), free_pages=0, emulated=True, **FULL)
    assert plan(run(tmp_path / "emulated", rows), emulated)["cost_usd"] == pytest.approx(0.225)


def test_a_pilot_of_one_pack_leaves_two_to_be_checked(tmp_path):
    rows = [row(f"{n:03d}") for n in range(110)]
    made = run(tmp_path / "run", rows)
    configured = configuration(Route("rest", processor="ocr"), free_pages=0, **FULL)
    pilot = plan(made, configured, only=frozenset(entry["document_id"] for entry in rows[:20]))
    assert (pilot["checks"]["requests"], plan(made, configured)["checks"]["requests"]) == (20, 60)


def test_add_ons_are_priced_by_page(tmp_path):
    premium = {"ocrConfig": {"premiumFeatures": {"enableMathOcr": True}}}
    configured = configuration(
        Route("rest", processor="ocr"),
        processors=[processor("ocr", options=premium)],
        free_pages=0,
        emulated=True,
    )
    assert plan(run(tmp_path / "run", [row("a", pages=10)]), configured)["cost_usd"] == pytest.approx(0.075)


def test_agreed_prices_replace_the_list(tmp_path):
    configured = configuration(
        Route("rest", processor="ocr"),
        prices={"OCR_PROCESSOR": 1.0},
        used_pages={"OCR_PROCESSOR": 990},
        emulated=True,
    )
    summary = plan(run(tmp_path / "run", [row("a", pages=20)]), configured)
    assert summary["cost_usd"] == pytest.approx(0.010)  # ten pages are still free
    with pytest.raises(UsageError, match="no price of 'OCR'"):
        configuration(prices={"OCR": 1.0})


def test_a_closed_quota_sends_documents_by_batch_or_sets_them_aside(tmp_path):
    closed = {"online_requests.us.OCR_PROCESSOR": 0}
    rows = [row("a"), row("b")]
    staged = configuration(Route("rest", processor="ocr"), limits=closed, staging="gs://b/p")
    assert plan(run(tmp_path / "staged", rows), staged)["requests"] == {"batch": 1}
    alone = configuration(Route("rest", processor="ocr"), limits=closed)
    made = run(tmp_path / "alone", rows)
    assert plan(made, alone)["new"] == 0
    assert {found["problem"] for found in planning.set_aside(made, ENGINE, alone)} == {"no-quota"}
    no_batch = configuration(
        Route("rest", processor="ocr", lane="batch"), limits={"batch_operations": 0}, staging="gs://b/p"
    )
    assert plan(run(tmp_path / "no-batch", rows), no_batch)["skipped"] == 2


def test_operations_hold_as_many_files_as_one_may(tmp_path):
    rows = [row(f"{n:04d}", pages=2) for n in range(700)]
    configured = configuration(
        Route("rest", processor="ocr", lane="batch"), staging="gs://b/p", limits={"batch_files": 60}
    )
    made = run(tmp_path / "run", rows)
    summary = plan(made, configured)
    sizes = [len(branch.requests[0]) for branch in branches(made)]
    assert max(sizes) <= 60
    assert sum(sizes) == 700
    assert summary["requests"] == {"batch": math.ceil(700 / 60)}


def test_branches_keep_their_bounds(tmp_path):
    shuffled = random.Random(3)
    rows = [row(f"{n:05d}", kind="form", size_bytes=shuffled.randint(1000, 900_000)) for n in range(4000)]
    made = run(tmp_path / "run", rows)
    plan(made, configuration(limits={"online_requests": 60_000}))
    for branch in branches(made):
        assert len(branch.requests) <= 200
        assert len(branch.rows) <= 500
        assert sum(r["size_bytes"] for r in branch.rows) <= 128 * 2**20


def test_batch_operations_begin_first_and_the_lanes_are_fed_side_by_side(tmp_path):
    rows = [row(f"{n:04d}", kind="form" if n % 2 else "invoice") for n in range(400)]
    rows += [row(f"big-{n}", size_bytes=80_000_000, kind="other") for n in range(3)]
    made = run(tmp_path / "run", rows)
    plan(made, configuration(staging="gs://b/p"))
    order = [(branch.lane, branch.processor) for branch in branches(made)]
    lanes = [lane for lane, _ in order]
    assert "batch" in lanes
    assert lanes == sorted(lanes, key=lambda lane: lane != "batch")
    online = [alias for lane, alias in order if lane == "online"]
    assert set(online[: len(online) // 2]) == {"form", "invoice"}


def test_each_lane_is_read_on_its_own_in_the_order_of_the_plan(tmp_path):
    rows = [row(f"{n:04d}", text_pages=n % 2) for n in range(40)]
    rows += [row(f"big-{n}", size_bytes=80_000_000, kind="other") for n in range(3)]
    made = run(tmp_path / "run", rows)
    plan(made, configuration(staging="gs://b/p"))
    every = branches(made)
    assert {branch.lane for branch in every} == {"offline", "online", "batch"}
    for lanes in (("offline",), ("online", ""), ("batch",), ()):
        wanted = [branch for branch in every if branch.lane in lanes]
        assert list(planning.branches(made, lanes=lanes)) == wanted


def test_badly_read_documents_are_planned_anew_with_their_processor(tmp_path):
    rows = [row("good", text_pages=1), row("bad", text_pages=1), row("scan")]
    made = run(tmp_path / "run", rows)
    configured = configuration(emulated=True, free_pages=0)
    first = plan(made, configured)
    assert first["escalation"]["pages"] == 2
    assert first["reserve"] == {"pages": 2, "micros": 3000}
    _stored(made, {"good": 0.97, "bad": 0.4, "scan": 0.2})
    assert planning.escalate(made, ENGINE, configured, SPEED, 2) == 1
    newest = {r["name"]: r for r in made.plan(current=True).to_pylist()}
    assert (newest["bad"]["lane"], newest["bad"]["processor"], newest["bad"]["cost_micros"]) == (
        "online",
        "ocr",
        1500,
    )
    assert (newest["good"]["lane"], newest["scan"]["lane"]) == ("offline", "online")
    assert planning.escalate(made, ENGINE, configured, SPEED, 2) == 0
    reserves = [made.plan_summary(generation)["reserve"]["pages"] for generation in made.generations()]
    assert sum(reserves) == 1  # what was escalated is no longer in reserve
    old = [number for number, gone in planning.superseded(made).items() if rows[1]["document_id"] in gone]
    assert len(old) == 1


def _stored(made: RunDirectory, confidence: dict[str, float]) -> None:
    """Rows of the table of documents, as branches write them."""
    from docdask.tables import build, schema

    parts: dict[int, list[dict[str, Any]]] = {}
    for entry in made.plan(current=True).to_pylist():
        known = {name: entry[name] for name in schema.DOCUMENTS.schema.names if name in entry}
        known |= {"outcome": "stored", "mean_confidence": confidence[entry["name"]], "columns": None}
        parts.setdefault(entry["partition"], []).append(known)
    for partition, rows in parts.items():
        table = pa.Table.from_pylist(rows, schema=schema.DOCUMENTS.schema)
        build.write(made, partition, {"documents": table})


def test_a_pilot_tells_how_many_documents_will_be_escalated(tmp_path):
    rows = [row(f"{n:02d}", text_pages=1) for n in range(60)]
    made = run(tmp_path / "run", rows)
    configured = configuration(emulated=True, free_pages=0)
    pilot = plan(made, configured, only=frozenset(entry["document_id"] for entry in rows[:40]))
    assert "expected_usd" not in pilot["escalation"]
    _stored(made, {entry["name"]: 0.5 if number % 4 == 0 else 0.95 for number, entry in enumerate(rows[:40])})
    rest = plan(made, configured)["escalation"]
    assert rest["documents"] == 20
    assert rest["expected_share"] == 0.25
    assert rest["expected_usd"] == pytest.approx(0.25 * 20 * 0.0015)


def test_a_pilot_tells_how_long_answers_take(tmp_path):
    import datetime as dt

    from docdask.engine import calibration
    from docdask.tables import build, schema

    rows = [row(f"{n:02d}", pages=1 + n % 5) for n in range(40)]
    made = run(tmp_path / "run", rows)
    configured = configuration(Route("rest", processor="ocr"), emulated=True)
    assert "assumed" in calibration.latency(made, configured)[1]
    plan(made, configured)
    assert "0 calls were measured" in calibration.latency(made, configured)[1]
    began = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
    calls = [
        {
            "document_id": entry["document_id"], "unit_id": str(number), "processor": "OCR_PROCESSOR", "worker": "w", "code": "OK",
            "attempt": 1, "lane": "online", "packed": 2, "pages": entry["pages"],
            # Two documents each shared a call: their pages are its pages together, and each has half of its seconds.
            "started_at": began + dt.timedelta(minutes=number // 2), "ended_at": began + dt.timedelta(minutes=number // 2, seconds=number),
            "seconds": (0.5 + 0.25 * sum(r["pages"] for r in rows[number // 2 * 2 : number // 2 * 2 + 2])) / 2,
        }
        for number, entry in enumerate(rows)
    ]  # fmt: skip
    build.write(made, 0, {"calls": pa.Table.from_pylist(calls, schema=schema.CALLS.schema)})
    latency, note = calibration.latency(made, configured)
    assert (latency.base_ns / 1e9, latency.page_ns / 1e9) == pytest.approx((0.5, 0.25))
    assert note.startswith("measured on 20 calls of this run: 0.50 s and 0.25 s a page")


@pytest.mark.parametrize(("options", "seconds"), [({}, 0.0), ({"latency": "2+0.5"}, 4.5), ({"latency": "google"}, 4.75)])  # fmt: skip
def test_the_emulator_of_a_run_answers_as_it_was_told(tmp_path, options, seconds):
    from docdask.core.traffic import answer_s
    from docdask.engine import calibration
    from docdask.store.manifest import Manifest
    from docdask.store.paidrun import configure

    made = RunDirectory.create(str(tmp_path / "run"), Manifest("emulator", "1", {}, tokens=False))
    configured = configuration(Route("rest", processor="ocr"), emulated=True, staging="gs://b/p")
    configure(made, configured, options)
    latency, _ = calibration.latency(made, configured)
    assert answer_s(5, replace(latency, tail=0)) == pytest.approx(seconds)
    made.append_catalog(to_table([row(f"{n:04d}", kind="invoice") for n in range(2000)]))
    assert plan(made, configured)["expected_s"] > 0


def test_answers_of_one_length_are_half_base():
    from docdask.engine.calibration import fit

    assert fit([(10, 4.0)] * 5) == (2.0, 0.2)
    assert fit([(1, 5.0), (10, 1.0)])[1] == 0.0  # longer calls that were faster: pages cost nothing


def test_the_documentation_names_every_key_of_the_summary(tmp_path):
    from pathlib import Path

    text = (Path(__file__).parents[2] / "docs" / "plan.md").read_text(encoding="utf-8")
    summary = plan(run(tmp_path / "run", [row("a"), row("b", text_pages=1)]), configuration())
    assert [key for key in summary if f"`{key}`" not in text and key != "run"] == []
    for key in ("lanes", "checks", "escalation"):
        inner = next(iter(summary[key].values())) if key == "lanes" else summary[key]
        assert [name for name in inner if f"`{name}`" not in text] == []
