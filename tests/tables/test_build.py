"""From Documents to rows: what is in the message is in the tables, and nothing in a message is an error."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_making import START_NS, facts, failed, message, one, place, planned

from docdask.service.message import new
from docdask.tables import build, schema


def rows(tables, name):
    return tables[name].to_pylist()


def only(tables, name):
    (row,) = rows(tables, name)
    return row


class TestOutcome:
    def test_all_units_with_a_document_make_it_stored(self):
        results = {"u": (facts("u", pages=2), message("one", "two").SerializeToString()),
                   "v": (facts("v", first_page=3, seconds=1.5, cost_usd=0.5), message("three", first=3).SerializeToString())}  # fmt: skip
        tables = build.build([planned(unit_ids=["u", "v"])], results, 7)
        row = only(tables, "documents")
        assert row["outcome"] == "stored"
        assert (row["pages"], row["partition"], row["seconds"], row["cost_usd"]) == (3, 7, 3.5, 0.5)
        assert row["finished_at"] == dt.datetime.fromtimestamp(START_NS / 1e9 + 3, dt.UTC)
        assert [(p["page_number"], p["text"]) for p in rows(tables, "pages")] == [
            (1, "one\n"),
            (2, "two\n"),
            (3, "three\n"),
        ]
        assert [(c["unit_id"], c["first_page"], c["pages"]) for c in rows(tables, "calls")] == [
            ("u", 1, 2),
            ("v", 3, 1),
        ]

    def test_calls_say_where_and_with_how_many_others_a_unit_was_sent(self):
        """The number of online requests is the sum of 1 / packed."""
        sent = {
            "p1": {"endpoint": "us/ocr", "fence": 7, "packed": 3},
            "p2": {"endpoint": "us/ocr", "fence": 7, "packed": 3},
            "p3": {"endpoint": "us/ocr", "fence": 7, "packed": 3},
            "alone": {"endpoint": "eu/ocr", "fence": 8},
            "batch": {"endpoint": "us/form", "lane": "batch"},
            "offline": {"sources": {"1": "ocr"}},
        }
        stored = message("one").SerializeToString()
        results = {unit: (facts(unit, unit, notes=notes), stored) for unit, notes in sent.items()}
        calls = rows(build.build([planned(unit, [unit]) for unit in sent], results, 0), "calls")
        assert {c["unit_id"]: (c["endpoint"], c["lane"], c["packed"]) for c in calls} == {
            "p1": ("us/ocr", "online", 3), "p2": ("us/ocr", "online", 3), "p3": ("us/ocr", "online", 3),
            "alone": ("eu/ocr", "online", 1), "batch": ("us/form", "batch", 1), "offline": (None, None, None),
        }  # fmt: skip
        assert sum(1 / c["packed"] for c in calls if c["lane"] == "online") == pytest.approx(2)

    def test_one_unit_that_failed_for_good_quarantines_it_with_the_reason(self):
        results = {
            "u": (facts("u"), message("one").SerializeToString()),
            "v": (failed("v", first_page=2), None),
        }
        tables = build.build([planned(unit_ids=["u", "v"])], results, 0)
        row = only(tables, "documents")
        assert (row["outcome"], row["problem"], row["reason"], row["remedy"]) == (
            "quarantined",
            "corrupt",
            "it is broken",
            "mend it",
        )
        assert rows(tables, "pages") == []
        assert [c["code"] for c in rows(tables, "calls")] == ["OK", "corrupt"]

    @pytest.mark.parametrize("second", [None, (failed("v", permanent=False), None)])
    def test_a_unit_that_is_missing_or_may_be_tried_again_leaves_it_pending(self, second):
        results = {"u": (facts("u"), message("one").SerializeToString())}
        if second:
            results["v"] = second
        tables = build.build([planned(unit_ids=["u", "v"])], results, 0)
        assert rows(tables, "documents") == rows(tables, "pages") == []
        assert len(rows(tables, "calls")) == len(results)

    def test_an_answer_that_can_not_be_read_quarantines_that_document_only(self):
        results = {
            "u": (facts("u"), b"\xff\xff no protobuf"),
            "v": (facts("v", "b"), message("fine").SerializeToString()),
        }
        tables = build.build([planned("a", ["u"]), planned("b", ["v"])], results, 0)
        bad, good = rows(tables, "documents")
        assert (bad["outcome"], bad["problem"]) == ("quarantined", "bad-answer")
        assert bad["reason"]
        assert good["outcome"] == "stored"
        assert {p["document_id"] for p in rows(tables, "pages")} == {"b"}

    def test_parts_that_lack_a_page_quarantine_the_document_and_name_it(self):
        results = {"u": (facts("u", pages=2), message("one").SerializeToString()),
                   "v": (facts("v", first_page=3), message("three", first=3).SerializeToString())}  # fmt: skip
        row = only(build.build([planned(unit_ids=["u", "v"])], results, 0), "documents")
        assert row["outcome"] == "quarantined"
        assert "pages 2" in row["reason"]

    def test_what_was_mended_keeps_its_problem_and_action(self):
        row = only(
            one(message("x"), planned(problem="corrupt", reason="no table", action="repaired")), "documents"
        )
        assert (row["outcome"], row["problem"], row["action"]) == ("stored", "corrupt", "repaired")

    def test_nothing_makes_empty_tables_in_the_order_of_writing(self):
        tables = build.build([], {}, 0, tokens=True)
        assert list(tables) == [table.name for table in schema.STORED]
        assert list(tables)[-1] == "documents"
        assert "tokens" not in build.build([], {}, 0)

    def test_every_table_has_the_columns_and_dtypes_of_the_schema(self):
        for name, table in one(message("x y"), tokens=True).items():
            own = schema.BY_NAME[name].schema
            assert table.schema.names[: len(own)] == own.names
            assert table.schema.types[: len(own)] == own.types


class TestPages:
    def test_text_confidence_languages_and_counts(self):
        tables = one(message("two words", ""), notes={"sources": {"1": "ocr"}, "turns": {"1": 90}})
        first, blank = rows(tables, "pages")
        assert (first["text"], first["characters"], first["lines"], first["tokens"]) == (
            "two words\n",
            10,
            1,
            2,
        )
        assert (first["source"], first["orientation_degrees"], first["languages"]) == ("ocr", 90, "en")
        assert (first["width"], first["height"], first["unit"]) == (600, 800, "pixels")
        assert first["mean_confidence"] == 0.5
        assert (blank["characters"], blank["mean_confidence"], blank["source"]) == (1, None, None)
        assert only(tables, "documents")["languages"] == "en"

    def test_mean_confidence_is_weighted_by_characters(self):
        document = message("a bcd")
        document.pages[0].tokens[0].layout.confidence, document.pages[0].tokens[1].layout.confidence = (
            0.4,
            1.0,
        )
        assert only(one(document), "pages")["mean_confidence"] == pytest.approx((0.4 * 2 + 1.0 * 4) / 6)

    def test_without_tokens_the_lines_give_the_confidence(self):
        document = message("a b")
        document.pages[0].ClearField("tokens")
        assert only(one(document), "pages")["mean_confidence"] == 0.5

    def test_a_turned_page_of_another_engine_is_told_by_its_layout(self):
        for orientation, degrees in ((0, 0), (1, 0), (2, 270), (3, 180), (4, 90)):
            document = message("x")
            document.pages[0].layout.orientation = orientation
            assert only(one(document), "pages")["orientation_degrees"] == degrees

    def test_pages_without_a_number_are_counted(self):
        document = message("a", "b")
        for page in document.pages:
            page.ClearField("page_number")
        assert [p["page_number"] for p in rows(one(document), "pages")] == [1, 2]

    def test_a_page_without_an_anchor_takes_the_text_of_its_parts(self):
        document = message("first", "second")
        for page in document.pages:
            page.layout.ClearField("text_anchor")
        assert [p["text"] for p in rows(one(document), "pages")] == ["first\n", "second\n"]

    def test_a_single_page_without_anything_takes_all_text(self):
        document = new()
        document.text = "all of it"
        document.pages.add()
        assert only(one(document), "pages")["text"] == "all of it"

    def test_pixels_become_normalised_boxes(self):
        document = message("x")
        polygon = document.pages[0].lines[0].layout.bounding_poly
        polygon.ClearField("normalized_vertices")
        for x, y in ((60, 80), (300, 80), (300, 160), (60, 160)):
            polygon.vertices.add(x=x, y=y)
        line = only(one(document), "lines")
        assert [line[k] for k in ("x0", "y0", "x1", "y1")] == pytest.approx([0.1, 0.1, 0.5, 0.2])

    def test_a_line_without_a_place_has_none(self):
        document = message("x")
        document.pages[0].lines[0].layout.ClearField("bounding_poly")
        document.pages[0].lines[0].layout.confidence = 0
        line = only(one(document), "lines")
        assert [line[k] for k in ("x0", "y0", "x1", "y1", "confidence")] == [None] * 5

    def test_text_in_several_segments_is_joined(self):
        document = message("one two three")
        segments = document.pages[0].lines[0].layout.text_anchor.text_segments
        segments[0].end_index = 4
        segments.add(start_index=8, end_index=14)
        assert only(one(document), "lines")["text"] == "one three"

    def test_tokens_are_written_on_demand_without_the_white_space_after_them(self):
        tables = one(message("two words"), tokens=True)
        assert [(t["token_number"], t["text"]) for t in rows(tables, "tokens")] == [(0, "two"), (1, "words")]


class TestTables:
    def cells(self, *shapes):
        """Rows of cells, each (row_span, col_span); the first row is a header."""
        document = message("x")
        table = document.pages[0].tables.add()
        for index, shape in enumerate(shapes):
            row = (table.body_rows if index else table.header_rows).add()
            for row_span, column_span in shape:
                cell = row.cells.add(row_span=row_span, col_span=column_span)
                place(cell.layout, 0, 1)
        return [
            (c["row"], c["column"], c["row_span"], c["column_span"], c["header"])
            for c in rows(one(document), "table_cells")
        ]

    def test_cells_have_rows_and_columns(self):
        assert self.cells([(1, 1), (1, 1)], [(1, 1), (0, 0)]) == [
            (0, 0, 1, 1, True), (0, 1, 1, 1, True), (1, 0, 1, 1, False), (1, 1, 1, 1, False),
        ]  # fmt: skip

    def test_a_cell_takes_the_first_column_that_none_above_covers(self):
        assert self.cells([(2, 1), (1, 2)], [(1, 1), (1, 1)], [(1, 1)]) == [
            (0, 0, 2, 1, True), (0, 1, 1, 2, True), (1, 1, 1, 1, False), (1, 2, 1, 1, False), (2, 0, 1, 1, False),
        ]  # fmt: skip

    def test_a_span_of_a_billion_is_damage_and_harmless(self):
        assert self.cells([(10**9, 10**9), (-5, 1)], [(1, 1)]) == [
            (0, 0, 1000, 1000, True), (0, 1000, 1, 1, True), (1, 1000, 1, 1, False),
        ]  # fmt: skip


class TestFormFields:
    def test_name_and_value_as_printed_without_the_colon(self):
        document = message("Name: Ada")
        field = document.pages[0].form_fields.add(value_type="")
        place(field.field_name, 0, 6, (0.1, 0.1, 0.2, 0.2), 0.8)
        place(field.field_value, 6, 10, (0.3, 0.1, 0.5, 0.2), 0.7)
        box = document.pages[0].form_fields.add(value_type="filled_checkbox")
        place(box.field_name, 0, 6, (0.1, 0.1, 0.2, 0.2))
        first, second = rows(one(document), "form_fields")
        assert (first["name"], first["value"], first["value_type"]) == ("Name", "Ada", "")
        assert (first["name_confidence"], first["confidence"], first["x0"]) == pytest.approx((0.8, 0.7, 0.3))
        assert (second["name"], second["value"], second["value_type"], second["confidence"]) == (
            "Name",
            "",
            "filled_checkbox",
            None,
        )
        assert second["x0"] == pytest.approx(0.1)


class TestEntities:
    def test_kinds_of_values(self):
        document = message("x")

        def add(kind, text, **fields):
            entity = document.entities.add(type_=kind, mention_text=text, confidence=0.5)
            entity.page_anchor.page_refs.add()
            for name, values in fields.items():
                target = getattr(entity.normalized_value, name)
                for key, value in values.items():
                    setattr(target, key, value)
            return entity

        add("total_amount", "$1.50", money_value={"currency_code": "USD", "units": 1, "nanos": 500_000_000})
        add("invoice_date", "31 May", date_value={"year": 2024, "month": 5, "day": 31})
        add("due_date", "?", date_value={"year": 2024})
        add("count", "seven").normalized_value.integer_value = 7
        add("share", "half").normalized_value.float_value = 0.5
        add("paid", "yes").normalized_value.boolean_value = True
        add("email", "a@b.c").normalized_value.text = "a@b.c"
        add("when", "now").normalized_value.text = "2024-05-31"
        add("supplier_name", "Ada")
        found = [
            (e["normalized"], e["value"], e["currency"], e["date"]) for e in rows(one(document), "entities")
        ]
        day = dt.date(2024, 5, 31)
        assert found == [
            ("1.50 USD", 1.5, "USD", None), ("2024-05-31", None, None, day), (None, None, None, None), ("7", 7.0, None, None),
            ("0.5", 0.5, None, None), ("true", None, None, None), ("a@b.c", None, None, None), ("2024-05-31", None, None, day),
            (None, None, None, None),
        ]  # fmt: skip

    def test_nested_ones_name_their_parent_and_ids_are_unique(self):
        document = message("x")
        for _ in range(2):
            entity = document.entities.add(id="0", type_="line_item", mention_text="all")
            entity.properties.add(id="1", type_="line_item/amount", mention_text="part")
            entity.properties.add(type_="line_item/quantity", mention_text="2")
        found = rows(one(document), "entities")
        ids = [e["entity_id"] for e in found]
        assert len(set(ids)) == 6
        assert ids[:2] == ["0", "1"]
        assert [e["parent_id"] for e in found] == [None, ids[0], ids[0], None, ids[3], ids[3]]

    def test_they_are_placed_by_page_else_by_text_else_not_at_all(self):
        document = message("one", "two")
        by_page = document.entities.add(type_="a", mention_text="x")
        reference = by_page.page_anchor.page_refs.add(page=1)
        for x, y in ((0.1, 0.2), (0.3, 0.4)):
            reference.bounding_poly.normalized_vertices.add(x=x, y=y)
        document.entities.add(type_="b").text_anchor.text_segments.add(start_index=4, end_index=7)
        document.entities.add(type_="c", mention_text="whole document")
        beyond = document.entities.add(type_="d", mention_text="page that is not there")
        beyond.page_anchor.page_refs.add(page=8)
        found = rows(one(document), "entities")
        assert [e["page_number"] for e in found] == [2, 2, None, 9]
        assert (found[0]["x0"], found[0]["y1"]) == pytest.approx((0.1, 0.4))
        assert found[1]["text"] == "two"


class TestKind:
    invoice = "Invoice number 12\nInvoice date 2024-05-31\nAmount due 12.00\nBill to Ada\n"

    def test_a_guess_that_was_unsure_is_refined_by_what_was_recognised(self):
        row = only(one(message(self.invoice), planned(kind="other", kind_confidence=0.1)), "documents")
        assert row["kind"] == "invoice"
        assert row["kind_confidence"] > 0.1

    def test_a_sure_one_stays(self):
        assert (
            only(one(message(self.invoice), planned(kind="letter", kind_confidence=0.9)), "documents")["kind"]
            == "letter"
        )

    def test_a_text_layer_told_the_scan_all_it_has_to_tell(self):
        tables = one(
            message(self.invoice),
            planned(kind="other", kind_confidence=0.1),
            notes={"sources": {"1": "text-layer"}},
        )
        assert only(tables, "documents")["kind"] == "other"


class TestInvoices:
    def add(self, document, kind, printed, confidence=0.9, parent=None, **value):
        entity = (parent.properties if parent else document.entities).add(
            type_=kind, mention_text=printed, confidence=confidence
        )
        for name, given_value in value.items():
            setattr(entity.normalized_value, name, given_value)
        return entity

    def test_the_surest_value_of_each_column_wins(self):
        document = message("x")
        self.add(document, "supplier_name", "ACME  \n Ltd", 0.6)
        self.add(document, "supplier_name", "wrong", 0.5)
        self.add(document, "invoice_id", "12-A")
        self.add(document, "invoice_date", "31 May", text="2024-05-31")
        self.add(document, "total_amount", "1.234,50 €", 0.8)
        self.add(document, "net_amount", "1000")
        self.add(document, "total_tax_amount", "no number", 0.1)
        row = only(one(document, planned(kind="invoice")), "invoices")
        assert (row["supplier"], row["invoice_number"], row["invoice_date"]) == (
            "ACME Ltd",
            "12-A",
            dt.date(2024, 5, 31),
        )
        assert (row["total"], row["net"], row["tax"], row["currency"]) == (1234.5, 1000.0, None, "EUR")
        assert row["confidence"] == pytest.approx(0.6)
        assert (row["kind"], row["uri"], row["pages"], row["receiver"]) == ("invoice", "/in/a.pdf", 1, None)

    def test_a_part_of_a_line_item_is_no_total(self):
        document = message("x")
        item = self.add(document, "line_item", "a")
        self.add(document, "total_amount", "5.00", parent=item)
        assert only(one(document, planned(kind="receipt")), "invoices")["total"] is None

    def test_other_kinds_have_no_row_unless_the_processor_is_made_for_them(self):
        document = message("x")
        self.add(document, "total_amount", "5.00")
        assert rows(one(document, planned(kind="letter")), "invoices") == []
        assert (
            only(one(document, planned(kind="letter"), processor="INVOICE_PROCESSOR"), "invoices")["kind"]
            == "invoice"
        )
        assert (
            only(one(document, planned(kind="letter"), processor="EXPENSE_PROCESSOR"), "invoices")["kind"]
            == "receipt"
        )

    def test_a_quarantined_invoice_has_no_row(self):
        tables = build.build([planned(kind="invoice")], {"u": (failed("u"), None)}, 0)
        assert rows(tables, "invoices") == []


class TestSetAsideAndDuplicates:
    def test_what_the_scan_set_aside_has_a_row_with_its_reason(self):
        aside = [
            {"document_id": "q", "uri": "/q", "name": "q", "state": "quarantined", "problem": "encrypted", "reason": "locked", "remedy": "--password"},
            {"document_id": "s", "uri": "/s", "name": "s", "state": "skipped", "problem": "unsupported-type", "columns": '{"a": 1}'},
            {"document_id": "r", "uri": "/r", "name": "r", "state": "ready"},
        ]  # fmt: skip
        found = build.set_aside(aside).to_pylist()
        assert [(r["document_id"], r["outcome"], r["problem"], r["remedy"]) for r in found] == [
            ("q", "quarantined", "encrypted", "--password"), ("s", "skipped", "unsupported-type", None),
        ]  # fmt: skip
        assert [r["columns"] for r in found] == [None, '{"a": 1}']
        assert build.set_aside([]).schema == build.set_aside(aside).schema

    @pytest.mark.parametrize("as_frame", [False, True])
    def test_a_duplicate_has_the_outcome_of_its_original_and_costs_nothing(self, as_frame):
        originals = build.build(
            [planned("a", ["u"]), planned("b", ["v"])],
            {
                "u": (facts("u", cost_usd=1.0), message("x").SerializeToString()),
                "v": (failed("v", "b"), None),
            },
            4,
        )["documents"]
        copies = [
            {
                "document_id": "c",
                "uri": "/c",
                "name": "c",
                "size_bytes": 1000,
                "columns": None,
                "duplicate_of": "a",
            },
            {
                "document_id": "d",
                "uri": "/d",
                "name": "d",
                "size_bytes": 1000,
                "columns": None,
                "duplicate_of": "b",
            },
            {
                "document_id": "e",
                "uri": "/e",
                "name": "e",
                "size_bytes": 1000,
                "columns": None,
                "duplicate_of": "pending",
            },
        ]
        found = build.duplicates(copies, originals.to_pandas() if as_frame else originals).to_pylist()
        assert [(r["document_id"], r["outcome"], r["duplicate_of"], r["reason"]) for r in found] == [
            ("c", "stored", "a", None), ("d", "quarantined", "b", "it is broken"),
        ]  # fmt: skip
        assert found[0] | {
            "document_id": 0,
            "uri": 0,
            "name": 0,
            "duplicate_of": 0,
            "cost_usd": 0,
            "seconds": 0,
        } == (
            originals.to_pylist()[0]
            | {"document_id": 0, "uri": 0, "name": 0, "duplicate_of": 0, "cost_usd": 0, "seconds": 0}
        )
        assert (found[0]["cost_usd"], found[0]["seconds"], found[0]["uri"]) == (0.0, 0.0, "/c")


@given(st.data())
def test_no_message_whatever_it_points_at_is_an_error(data):
    """Offsets, numbers, spans and references are what a damaged or hostile answer may say."""
    number = st.integers(-(2**31), 2**31 - 1)
    real = st.floats(width=32)
    document = message("some words", "and more", first=data.draw(st.sampled_from([0, 1, 5])))
    for page in document.pages:
        page.page_number = data.draw(number)
        page.dimension.width = data.draw(real)
        layouts = [
            page.layout,
            page.lines[0].layout,
            page.tokens[0].layout,
            page.tables.add().body_rows.add().cells.add().layout,
        ]
        layouts.append(page.form_fields.add().field_value)
        for layout in layouts:
            layout.confidence = data.draw(real)
            layout.orientation = data.draw(st.integers(-3, 9))
            for segment in layout.text_anchor.text_segments:
                segment.start_index, segment.end_index = data.draw(number), data.draw(number)
            layout.bounding_poly.normalized_vertices.add(x=data.draw(real), y=data.draw(real))
        page.tables[0].body_rows[0].cells[0].col_span = data.draw(number)
    entity = document.entities.add(type_="total_amount", mention_text=data.draw(st.text(max_size=5)))
    entity.page_anchor.page_refs.add(page=data.draw(number))
    entity.normalized_value.money_value.units = data.draw(number)
    tables = one(document, planned(kind="invoice"), tokens=True)
    assert only(tables, "documents")["outcome"] == "stored"
    for line in rows(tables, "lines"):
        assert all(line[k] is None or 0 <= line[k] <= 1 for k in ("x0", "y0", "x1", "y1"))


@pytest.mark.corpus
class TestGooglesAnswers:
    """Every response of the corpus, from seven processors over five years."""

    def load(self, path):
        from google.protobuf import json_format

        value = json.loads(path.read_text())
        document = new()
        return json_format.ParseDict(value.get("document", value), document, ignore_unknown_fields=True)

    def build(self, corpus, name, **options):
        document = self.load(corpus / "documentai-json" / name)
        return document, one(document, tokens=True, **options)

    def test_each_is_stored_with_all_of_its_pages(self, corpus):
        paths = sorted((corpus / "documentai-json").glob("*.json"))
        assert len(paths) > 15
        for path in paths:
            document = self.load(path)
            tables = one(document, tokens=True)
            assert only(tables, "documents")["outcome"] == "stored", path
            if not document.pages:
                continue
            pages = rows(tables, "pages")
            assert [p["page_number"] for p in pages] == [p.page_number for p in document.pages], path
            assert len(rows(tables, "lines")) == sum(len(p.lines) for p in document.pages), path
            assert len(rows(tables, "tokens")) == sum(len(p.tokens) for p in document.pages), path
            assert len(rows(tables, "form_fields")) == sum(len(p.form_fields) for p in document.pages), path
            assert all(p["text"] in document.text for p in pages), path

    def test_the_toolbox_invoice(self, corpus):
        _, tables = self.build(corpus, "toolbox_invoice_test-0.json", row=planned(kind="invoice"))
        row = only(tables, "invoices")
        assert (row["supplier"], row["receiver"], row["invoice_number"]) == (
            "Company ABC",
            "John Doe",
            "NO. 001",
        )
        assert (row["net"], row["tax"], row["total"], row["currency"]) == (2000.0, 140.0, 2140.0, "USD")
        cells = rows(tables, "table_cells")
        assert max(c["row"] for c in cells) + 1 == len({c["row"] for c in cells})
        fields = {f["name"]: f["value"] for f in rows(tables, "form_fields")}
        assert not any(name.endswith(":") for name in fields)

    def test_a_table_of_a_form(self, corpus):
        _, tables = self.build(corpus, "form_with_tables.json")
        cells = rows(tables, "table_cells")
        assert [(c["row"], c["column"], c["header"]) for c in cells] == [
            (r, c, r == 0) for r in range(4) for c in range(len(cells) // 4)
        ]  # fmt: skip

    def test_a_layout_parser_s_blocks_become_pages_and_lines(self, corpus):
        document, tables = self.build(corpus, "layout_parser.json")
        assert not document.pages
        pages = rows(tables, "pages")
        assert [p["page_number"] for p in pages] == list(range(1, 16))
        assert sum(p["characters"] for p in pages) == only(tables, "documents")["characters"] > 5000
        assert pages[0]["text"].startswith("CHAPTER I\nIN WHICH We Are Introduced to\nWinnie-the-Pooh")

    def test_symbols_and_enumerations_as_numbers(self, corpus):
        _, tables = self.build(corpus, "toolbox_invoice_test-with-symbols.json")
        assert only(tables, "pages")["orientation_degrees"] == 0
        assert only(tables, "pages")["tokens"] == 86
