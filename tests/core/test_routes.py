"""Routes: which document goes where, what is refused when it is configured, and that a configuration survives JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docdask.core.limits import LOCATIONS, PROCESSOR_LIMITS
from docdask.core.routes import LANES, Configuration, Facts, Place, Processor, Route
from docdask.errors import UsageError


def place(location="us", name="abc", version="v1"):
    return Place(location, f"projects/p/locations/{location}/processors/{name}", version)


def processor(alias="ocr", kind="OCR_PROCESSOR", **more):
    return Processor(alias, kind, more.pop("places", (place(name=alias),)), **more)


PROCESSORS = {
    "ocr": processor(),
    "form": processor("form", "FORM_PARSER_PROCESSOR"),
    "invoice": processor("invoice", "INVOICE_PROCESSOR"),
}
LAST = Route("rest", processor="ocr")


def configured(*routes, **more):
    return Configuration("p", "us", more.pop("processors", PROCESSORS), routes or (LAST,), **more)


def facts(**more):
    return Facts(
        **{
            "uri": "/in/a.pdf",
            "mime_type": "application/pdf",
            "pages": 3,
            "text_pages": 0,
            "kind": "letter",
            **more,
        }
    )


class TestWay:
    def test_the_first_route_that_matches_wins(self):
        made = configured(
            Route("invoices", processor="invoice", kind="invoice"),
            Route("first", processor="form", path="/in/*.pdf"),
            Route("second", processor="ocr", path="/in/*"),
            LAST,
        )
        assert made.route(facts()).name == "first"
        assert made.route(facts(uri="/in/b.png")).name == "second"
        assert made.route(facts(uri="/out/b.png")).name == "rest"
        assert made.route(facts(kind="invoice")).name == "invoices"

    @pytest.mark.parametrize(
        ("condition", "yes", "no"),
        [
            ({"kind": "invoice"}, {"kind": "invoice"}, {"kind": "receipt"}),
            ({"path": "*/2024/*"}, {"uri": "gs://b/2024/x"}, {"uri": "gs://b/2025/x"}),
            ({"path": "*.PDF"}, {"uri": "A.PDF"}, {"uri": "a.pdf"}),
            ({"type": "image/*"}, {"mime_type": "image/png"}, {"mime_type": "application/pdf"}),
            ({"min_pages": 3}, {"pages": 3}, {"pages": 2}),
            ({"max_pages": 3}, {"pages": 3}, {"pages": 4}),
            ({"text_layer": True}, {"text_pages": 3}, {"text_pages": 2}),
            ({"text_layer": False}, {"text_pages": 2}, {"text_pages": 3}),
            ({"text_layer": False}, {"pages": 0}, {"text_pages": 3}),
        ],
    )
    def test_each_condition_decides(self, condition, yes, no):
        made = configured(Route("special", processor="form", **condition), LAST)
        assert made.route(facts(**yes)).name == "special"
        assert made.route(facts(**no)).name == "rest"

    def test_a_document_that_no_route_takes_is_told_with_what_it_is(self):
        made = configured(Route("images", processor="ocr", type="image/*"))
        with pytest.raises(UsageError, match=r"/in/a\.pdf \(application/pdf, 3 pages, kind letter\)"):
            made.route(facts())
        with pytest.raises(UsageError, match="no route takes"):
            made.route(facts(lane="online"))


class TestListed:
    """What a source list says in its columns ``processor`` and ``lane``."""

    def test_a_processor_comes_before_every_route(self):
        made = configured(Route("all", processor="ocr", group="big"))
        way = made.route(facts(processor="form"))
        assert (way.name, way.engine, way.processor, way.lane, way.group) == (
            "form",
            "documentai",
            "form",
            "auto",
            "big",
        )

    def test_a_processor_needs_no_route_that_matches(self):
        made = configured(Route("images", processor="ocr", type="image/*", group="gpu"))
        assert made.route(facts(processor="form")) == Route("form", processor="form")

    def test_a_lane_changes_the_lane_alone(self):
        first = Route(
            "reread", engine="offline", processor="form", escalate_below=0.8, group="big", max_pages=9
        )
        made = configured(first, LAST, staging="gs://b/x")
        way = made.route(facts(lane="batch"))
        assert (way.name, way.lane) == ("reread-batch", "batch")
        assert (way.engine, way.processor, way.escalate_below, way.group) == ("offline", "form", 0.8, "big")

    @pytest.mark.parametrize("said", [{"processor": "offline"}, {"lane": "offline"}])
    def test_offline_is_a_processor_and_a_lane(self, said):
        way = configured().route(facts(**said))
        assert (way.engine, way.lane, way.processor) == ("offline", "offline", "")

    @pytest.mark.parametrize(
        ("said", "why"),
        [
            ({"processor": "ocrr"}, "'ocrr', which is not configured"),
            ({"lane": "fast"}, "has lane 'fast'"),
            ({"lane": "batch"}, "no bucket"),
            ({"processor": "form", "lane": "batch"}, "'form-batch' uses the batch lane"),
        ],
    )
    def test_what_is_not_configured_is_told(self, said, why):
        with pytest.raises(UsageError, match=why):
            configured().route(facts(**said))

    def test_a_lane_on_an_offline_route_without_a_processor_leads_nowhere(self):
        made = configured(Route("free", engine="offline"))
        with pytest.raises(UsageError, match="name a processor beside the lane"):
            made.route(facts(lane="online"))


class TestRefused:
    @pytest.mark.parametrize(
        ("name", "location", "why"),
        [
            ("abc", "us", "no processor"),
            ("projects/p/locations/us/processors/", "us", "no processor"),
            ("projects/p/locations/us/processors/a/processorVersions/v", "us", "no processor"),
            ("projects/p/locations/eu/processors/a", "us", "its location is 'eu'"),
        ],
    )
    def test_places_that_are_none(self, name, location, why):
        with pytest.raises(UsageError, match=why):
            Place(location, name)

    def test_a_processor_that_is_nowhere_or_twice_in_a_location(self):
        with pytest.raises(UsageError, match="nowhere"):
            processor(places=())
        with pytest.raises(UsageError, match="twice in one location"):
            processor(places=(place(), place(name="other")))

    def test_versions_that_differ_between_places(self):
        with pytest.raises(UsageError, match=r"us: v1, eu: none"):
            processor(places=(place(), place("eu", version="")))

    @pytest.mark.parametrize("kind", sorted(PROCESSOR_LIMITS))
    def test_packing_where_results_are_not_per_page(self, kind):
        if PROCESSOR_LIMITS[kind].per_page:
            assert processor(kind=kind, pack=True).packs
        else:
            with pytest.raises(UsageError, match="can't pack: its results belong to whole documents"):
                processor(kind=kind, pack=True)
        assert not processor(kind=kind, pack=False).packs
        assert processor(kind=kind).packs == (kind == "OCR_PROCESSOR")

    @pytest.mark.parametrize(
        ("mask", "enough"),
        [
            ("", True), ("*", True), ("text,pages", True), ("text, pages.layout.text_anchor, pages.tokens", True),
            ("text", False), ("pages", False), ("text,pages.tokens", False),
        ],
    )  # fmt: skip
    def test_packing_with_a_field_mask_that_leaves_out_whose_text_it_is(self, mask, enough):
        assert processor(field_mask=mask).packs == enough
        if enough:
            assert processor(field_mask=mask, pack=True).packs
        else:
            with pytest.raises(UsageError, match=r"add text and pages\.layout"):
                processor(field_mask=mask, pack=True)

    @pytest.mark.parametrize(
        ("route", "more", "why"),
        [
            (Route("a", processor="nobody"), {}, "'nobody', which is not configured"),
            (Route("a", engine="offline", escalate_below=0.8), {}, "'', which is not configured"),
            (Route("a", processor="ocr", lane="slow"), {}, "has lane 'slow'"),
            (Route("a", processor="ocr", lane="batch"), {}, "no bucket"),
            (Route("a", processor="ocr", escalate_below=1.5), {}, "is no confidence"),
            (LAST, {"quota_share": 0.0}, "outside 0 to 1"),
            (LAST, {"quota_share": 1.1}, "outside 0 to 1"),
            (LAST, {"limits": {"online_request": 3}}, "no limit or quota named 'online_request'"),
            (LAST, {"prices": {"OCR": 3.0}}, "OCR"),
            (LAST, {"processors": {"ocr": processor(places=(place("mars"),))}}, "where Document AI is not"),
        ],
    )
    def test_what_can_not_work_is_told_when_it_is_configured(self, route, more, why):
        with pytest.raises(UsageError, match=why):
            configured(route, **more)

    def test_a_configuration_without_routes(self):
        with pytest.raises(UsageError, match="no route"):
            Configuration("p", "us", PROCESSORS, ())


class TestProcessor:
    def test_what_is_called_is_the_pinned_version(self):
        assert place(version="pretrained-1").target.endswith("/processors/abc/processorVersions/pretrained-1")
        assert place(version="").target == place(version="").processor
        assert place().project == "p"
        assert processor().engine_id == "documentai.OCR_PROCESSOR/v1"

    @pytest.mark.parametrize(
        ("options", "premium"),
        [
            ({}, False),
            ({"ocrConfig": None}, False),
            ({"ocrConfig": {"enableSymbol": True}}, False),
            ({"ocrConfig": {"premiumFeatures": {"enableMathOcr": False}}}, False),
            ({"ocrConfig": {"premiumFeatures": {"enableMathOcr": True, "computeStyleInfo": False}}}, True),
        ],
    )
    def test_add_ons_cost_extra_only_where_one_is_on(self, options, premium):
        assert processor(options=options).premium == premium

    def test_limits_are_those_of_the_project(self):
        made = configured(limits={"online_pages.OCR_PROCESSOR": 7})
        assert made.processors["ocr"].limits(made.book).online_pages == 7


names = st.text("abcxyz-", min_size=1, max_size=6)


@st.composite
def configurations(draw):
    """Whatever may be configured."""
    aliases = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    locations = st.lists(st.sampled_from(LOCATIONS), min_size=1, max_size=3, unique=True)
    processors = {
        alias: Processor(
            alias,
            draw(st.sampled_from(sorted(PROCESSOR_LIMITS))),
            tuple(place(location, alias) for location in draw(locations)),
            draw(st.sampled_from([{}, {"ocrConfig": {"enableSymbol": True}}])),
            draw(st.sampled_from([None, False])),
            draw(st.booleans()),
            draw(st.sampled_from(["", "text,pages"])),
        )
        for alias in aliases
    }
    route = st.builds(
        Route,
        names,
        st.sampled_from(["documentai", "offline"]),
        st.sampled_from(aliases),
        st.sampled_from(LANES),
        group=names,
        kind=st.sampled_from(["", "invoice"]),
        path=st.sampled_from(["", "*.pdf"]),
        type=st.sampled_from(["", "image/*"]),
        min_pages=st.integers(0, 5),
        max_pages=st.integers(0, 50),
        text_layer=st.sampled_from([None, True, False]),
        escalate_below=st.floats(0, 1),
    )
    return Configuration(
        "p", "us", processors, tuple(draw(st.lists(route, min_size=1, max_size=4))), "gs://bucket/x",
        draw(st.sampled_from([{}, {"online_requests.us": 600}])),
        assumed=draw(st.booleans()),
        quota_share=draw(st.floats(0.01, 1)),
        used_pages=draw(st.dictionaries(st.sampled_from(sorted(PROCESSOR_LIMITS)), st.integers(0, 10**7), max_size=2)),
        free_pages=draw(st.none() | st.integers(0, 1000)),
        residency=tuple(draw(st.lists(st.sampled_from(LOCATIONS), max_size=2))),
        emulated=draw(st.booleans()),
    )  # fmt: skip


@given(configurations())
def test_a_configuration_survives_json(made):
    again = Configuration.from_json(json.loads(json.dumps(made.to_json())))
    assert again == made
    assert again.results() == made.results()


@given(configurations())
def test_fields_of_a_later_version_are_passed_over(made):
    assert Configuration.from_json({**made.to_json(), "something_new": 1}) == made


@given(configurations(), st.sampled_from(["/a.pdf", "/b.png"]), st.integers(1, 60), st.booleans())
def test_a_way_that_is_found_can_be_gone(made, uri, pages, text):
    kind = "application/pdf" if uri.endswith("pdf") else "image/png"
    document = Facts(uri, kind, pages, pages if text else 0, "invoice")
    matching = [route for route in made.routes if route.matches(document)]
    if not matching:
        with pytest.raises(UsageError):
            made.route(document)
        return
    way = made.route(document)
    assert way is matching[0]
    assert way.engine == "offline" or way.processor in made.processors


@given(configurations())
def test_what_changes_results_tells_runs_apart_and_what_does_not_does_not(made):
    other = {
        **made.to_json(),
        "quota_share": 0.5,
        "free_pages": 7,
        "used_pages": {},
        "assumed": not made.assumed,
    }
    assert Configuration.from_json(other).results() == made.results()
    real = {**made.to_json(), "emulated": not made.emulated}
    assert Configuration.from_json(real).results() != made.results()
    renamed = made.to_json()
    for row in renamed["processors"].values():
        for where in row["places"]:
            where["version"] = "v2"
    assert Configuration.from_json(renamed).results() != made.results()


def test_it_says_in_one_phrase_whether_money_is_spent():
    assert configured().billing == "Google project p, location us: real money"
    both = {"ocr": processor(places=(place(), place("eu")))}
    assert configured(processors=both).billing == "Google project p, location eu, us: real money"
    assert configured(emulated=True).billing == "EMULATED: nothing billed"
