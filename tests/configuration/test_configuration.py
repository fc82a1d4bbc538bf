"""What is configured for Document AI, from file, environment and arguments."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from docdask.configuration import FRIENDLY, emulator_host, friendly, load_configuration, processor_type
from docdask.core.limits import PROCESSOR_LIMITS
from docdask.core.routes import Configuration, Facts
from docdask.errors import UsageError

COMPLETE = """
escalate_below = 0.85

[docdask]
workers = 2

[documentai]
project = "my-project"
location = "eu"
staging = "gs://bucket/docdask/"
quota_share = 0.5
residency = ["eu", "us"]
used_pages = {ocr = 1200, INVOICE_PROCESSOR = 7}
free_pages = 10

[documentai.processors.ocr]
processor = "aaaa"
version = "v2"
options = {ocr_config = {premium_features = {enable_math_ocr = true}, hints = {language_hints = ["de"]}}}
imageless = false
field_mask = "text, pages.layout"

[documentai.processors.bills]
type = "invoice"
places = [{location = "eu", id = "bbbb"}, {location = "us", id = "projects/my-project/locations/us/processors/cccc"}]
version = "v1"

[documentai.limits]
online_requests.us = 250
"online_requests.eu.OCR_PROCESSOR" = 600
batch_operations = 10

[documentai.prices]
bills = 0.08
ocr = 1.2

[[routes]]
kind = "invoice"
processor = "bills"
max_pages = 10

[[routes]]
name = "with text"
engine = "offline"
text_layer = true
"""


@pytest.fixture
def file(tmp_path):
    """A function that writes a file, and reads what is configured there."""

    def read(text: str, engine: str = "documentai", **more: object) -> Configuration:
        path = tmp_path / "docdask.toml"
        path.write_text(text)
        return load_configuration(engine, path=path, **{"environment": {}, **more})

    return read


def facts(**more):
    known = {
        "uri": "file:///a.pdf",
        "mime_type": "application/pdf",
        "pages": 1,
        "text_pages": 0,
        "kind": "letter",
    }
    return Facts(**{**known, **more})


def test_everything_in_a_file_arrives(file):
    found = file(COMPLETE)
    ocr, bills = found.processors["ocr"], found.processors["bills"]
    assert (found.project, found.location, found.staging) == ("my-project", "eu", "gs://bucket/docdask")
    assert (found.quota_share, found.residency, found.free_pages) == (0.5, ("eu", "us"), 10)
    assert found.used_pages == {"OCR_PROCESSOR": 1200, "INVOICE_PROCESSOR": 7}
    assert ocr.places[0].target == "projects/my-project/locations/eu/processors/aaaa/processorVersions/v2"
    assert ocr.options == {
        "ocrConfig": {"premiumFeatures": {"enableMathOcr": True}, "hints": {"languageHints": ["de"]}}
    }
    assert (ocr.premium, ocr.imageless, ocr.field_mask, ocr.packs) == (True, False, "text,pages.layout", True)
    assert [place.location for place in bills.places] == ["eu", "us"]
    assert (bills.processor_type, bills.version) == ("INVOICE_PROCESSOR", "v1")
    assert found.book.quota("online_requests", "us", "OCR_PROCESSOR") == 250
    assert found.book.quota("online_requests", "eu", "OCR_PROCESSOR") == 600
    assert found.book.quota("batch_operations", "eu") == 10
    assert found.prices == {"INVOICE_PROCESSOR": 0.08, "OCR_PROCESSOR": 1.2}
    assert not found.assumed
    assert not found.emulated
    assert found.billing == "Google project my-project, location eu, us: real money"


def test_routes_in_order_then_the_default(file):
    found = file(COMPLETE)
    assert [route.name for route in found.routes] == ["route-1", "with text", "default"]
    assert found.route(facts(kind="invoice")).processor == "bills"
    assert found.route(facts(kind="invoice", pages=11)).name == "default"
    assert found.route(facts(text_pages=1)).engine == "offline"
    last = found.route(facts())
    assert (last.engine, last.processor, last.escalate_below) == ("offline", "ocr", 0.85)


def test_the_value_survives_json(file):
    found = file(COMPLETE)
    assert Configuration.from_json(found.to_json()) == found


def test_environment_wins_over_the_file_and_arguments_over_both(file):
    environment = {
        "DOCDASK_QUOTA_SHARE": "0.25",
        "DOCDASK_STAGING": "gs://other",
        "DOCDASK_ESCALATE_BELOW": "0.5",
    }
    found = file(COMPLETE, environment=environment, staging="gs://third/x")
    assert (found.quota_share, found.staging) == (0.25, "gs://third/x")
    assert found.routes[-1].escalate_below == 0.5


def test_googles_variable_names_the_project_where_nobody_else_does(file):
    text = '[documentai]\nlocation = "us"\n[documentai.processors.ocr]\nprocessor = "aaaa"'
    environment = {"GOOGLE_CLOUD_PROJECT": "googles"}
    assert file(text, environment=environment).project == "googles"
    assert file(text, environment={**environment, "DOCDASK_PROJECT": "ours"}).project == "ours"
    assert file(COMPLETE, environment=environment).project == "my-project"


def test_a_location_that_is_asked_for_chooses_among_the_places(file):
    text = COMPLETE.replace(
        'processor = "aaaa"', 'places = [{location = "us", id = "a"}, {location = "eu", id = "b"}]'
    )
    found = file(text, location="us")
    assert {place.location for row in found.processors.values() for place in row.places} == {"us"}


def test_a_processor_that_is_asked_for_gets_everything(file):
    for asked in (
        "bills",
        "invoice",
        "INVOICE_PROCESSOR",
        "projects/my-project/locations/us/processors/cccc",
    ):
        found = file(COMPLETE, processor=asked, escalate_below=0)
        assert [route.processor for route in found.routes] == ["bills"]


def test_a_processor_can_be_named_without_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "projects/p/locations/eu/processors/abc"
    found = load_configuration("documentai", environment={}, processor=f"form={name}/processorVersions/v7")
    assert (found.project, found.location) == ("p", "eu")
    assert found.processors["form"].engine_id == "documentai.FORM_PARSER_PROCESSOR/v7"
    short = load_configuration("documentai", environment={}, processor="form=abc", project="p", location="eu")
    assert short.processors["form"].places[0].processor == name


def test_the_emulator_needs_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = load_configuration("emulator", environment={})
    assert (found.project, found.location, found.quota_share, found.emulated) == ("emulated", "us", 1.0, True)
    assert found.processors["ocr"].version
    assert found.billing == "EMULATED: nothing billed"


@pytest.mark.parametrize("name", FRIENDLY)
def test_every_type_has_a_friendly_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    found = load_configuration("emulator", environment={}, processor=name)
    assert found.processors[name].processor_type == FRIENDLY[name] == processor_type(FRIENDLY[name])
    assert friendly(FRIENDLY[name]) == name


def test_every_type_in_the_book_is_among_them():
    assert set(FRIENDLY.values()) == set(PROCESSOR_LIMITS)


def test_options_of_the_emulator_reach_limits_and_minute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = {"quota": "600,batch_operations.us=9", "speed": 30, "latency": "google"}
    found = load_configuration("emulator", environment={}, options=options)
    assert found.limits == {"online_requests": 600, "batch_operations.us": 9}
    assert (found.period_s, found.assumed) == (2.0, False)


def test_the_emulator_has_what_a_file_configures(file):
    found = file(COMPLETE, "emulator")
    assert found.processors["bills"].places[1].target == (
        "projects/my-project/locations/us/processors/cccc/processorVersions/v1"
    )
    assert (found.emulated, found.quota_share) == (True, 0.5)


def test_the_emulator_has_what_a_route_names_by_type(file):
    found = file('[[routes]]\nkind = "invoice"\nprocessor = "invoice"', "emulator")
    assert list(found.processors) == ["ocr", "invoice"]


def test_an_emulator_of_googles_kind_is_honoured(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environment = {"DOCUMENTAI_EMULATOR_HOST": "localhost:8080", "GOOGLE_CLOUD_PROJECT": "emulator"}
    found = load_configuration("documentai", environment=environment, processor="layout")
    assert (found.emulated, found.project, found.quota_share) == (True, "emulator", 1.0)
    assert found.processors["layout"].version == ""
    assert emulator_host(environment) == "localhost:8080"


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"DOCUMENTAI_EMULATOR_HOST": "localhost:1"}, "would be a real bucket"),
        ({"STORAGE_EMULATOR_HOST": "http://localhost:1"}, "Document AI is Google's"),
    ],
)
def test_emulated_and_real_are_never_mixed(file, environment, words):
    with pytest.raises(UsageError, match=words):
        file(COMPLETE, environment=environment)
    assert file(COMPLETE, environment=environment, staging="").staging == ""
    assert file(COMPLETE, "emulator", environment=environment).staging == "gs://bucket/docdask"
    both = {"DOCUMENTAI_EMULATOR_HOST": "localhost:1", "STORAGE_EMULATOR_HOST": "http://localhost:1"}
    assert file(COMPLETE, environment=both).emulated


@pytest.mark.parametrize(
    "value", ["http://localhost:80", "localhost", "localhost:", ":80", "localhost:99999", "a:b"]
)
def test_an_address_that_is_none_is_refused(value):
    with pytest.raises(UsageError, match="DOCUMENTAI_EMULATOR_HOST"):
        emulator_host({"DOCUMENTAI_EMULATOR_HOST": value})


def test_without_a_file_real_money_needs_init(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="docdask init") as raised:
        load_configuration("documentai", environment={})
    assert "--engine emulator" in raised.value.remedy


def test_options_of_the_command_line_reach_the_processor(file):
    options = {"ocr_config.enable_symbol": True, "imageless": True, "pack": False, "version": "v9"}
    found = file(COMPLETE, options=options)
    ocr, bills = found.processors["ocr"], found.processors["bills"]
    assert ocr.options["ocrConfig"] == {"enableSymbol": True}
    assert (ocr.version, ocr.imageless, ocr.packs, bills.packs, bills.version) == (
        "v9",
        True,
        False,
        False,
        "v1",
    )


BASE = '[documentai]\nproject = "p"\nlocation = "us"\n[documentai.processors.ocr]\nprocessor = "a"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[documentia]\nproject = "p"', ["documentia", "did you mean documentai?"]),
        ('[documentai]\nloaction = "us"', ["[documentai]", "loaction", "did you mean location?"]),
        (BASE + "imagless = true", ["[documentai.processors.ocr]", "did you mean imageless?"]),
        (BASE + "[[routes]]\nmax_page = 3", ["[[routes]] 1", "did you mean max_pages?"]),
        (BASE + '[[routes]]\nprocessor = "orc"', ["processor = 'orc'", "did you mean ocr?"]),
        (BASE + '[[routes]]\nkind = "invoices"', ["did you mean invoice?"]),
        (BASE + '[[routes]]\nlane = "bach"', ["did you mean batch?"]),
        (BASE + '[[routes]]\n[[routes]]\nkind = "form"', ["'route-2' is never reached"]),
        ("escalate_below = 0.5\n" + BASE + "[[routes]]", ["never used"]),
        (BASE + '[[routes]]\nlane = "batch"', ["batch lane", "gs://"]),
        (BASE + "[[routes]]\nescalate_below = 0.5", ['add engine = "offline"']),
        (BASE + "[[routes]]\nmin_pages = 5\nmax_pages = 2", ["takes nothing"]),
        (BASE + "[documentai.prices]\nocr = '5'", ["prices", "no price"]),
        (BASE + "[documentai.prices]\nocr = -5", ["OCR_PROCESSOR", "0 or more"]),
        (BASE + "[documentai.limits]\nonline_request = 5", ["online_request"]),
        (BASE + '[documentai.limits]\nonline_requests = "5"', ["whole number"]),
        (BASE + "options = {ocr_config = {enable_symbols = true}}", ["did you mean enableSymbol?"]),
        (BASE + "options = {layout_config = {return_images = true}}", ["takes no layoutConfig", "layout"]),
        (BASE + "options = {from_start = 3}", ["selects pages"]),
        (BASE + "options = '{'", ["no JSON"]),
        (BASE + 'field_mask = "pages.lines.layout"', ["nothing deeper"]),
        (BASE + '[documentai.processors.bills]\nprocessor = "b"', ["has no type", "invoice"]),
        (BASE + '[documentai.processors.bills]\ntype = "invioce"\nprocessor = "b"', ["did you mean invoice?"]),
        (BASE + '[documentai.processors.invoice]\npack = true\nprocessor = "b"', ["can't pack"]),
        (BASE + "[documentai.processors.invoice]", ["neither processor nor places", "docdask init"]),
        (BASE.replace('"us"', '"usa"'), ["'usa'", "eu"]),
        (BASE.replace('location = "us"\n', ""), ["in which location", "quotas of its own"]),
        (BASE.replace('project = "p"\n', ""), ["to which project"]),
        (BASE.replace('"a"', '"projects/q/locations/us/processors/a"'), ["in project q, and p was asked for"]),
        (BASE.replace("[documentai]", "[documentai]\nquota_share = 2"), ["quota_share"]),
        (BASE.replace("[documentai]", '[documentai]\nquota_share = "all"'), ["'all' is not a number"]),
        (BASE.replace("[documentai]", "[documentai]\nperiod_s = 1.0"), ["break Google's quotas"]),
        (BASE.replace("[documentai]", "[documentai]\nfree_pages = -1"), ["below 0"]),
        (BASE.replace("[documentai]", '[documentai]\nstaging = "s3://b"'), ["no bucket"]),
        (BASE.replace("[documentai]", '[documentai]\nresidency = ["eu"]'), ["outside residency"]),
        (BASE.replace("[documentai]", '[documentai]\nresidency = ["europe"]'), ["where Document AI is not"]),
        (BASE.replace("[documentai]", "[documentai]\nused_pages = {orc = 1}"), ["did you mean ocr?"]),
        (BASE + "[other]", ["other"]),
        (BASE.replace('processor = "a"', "places = []"), ["places is empty"]),
        (BASE.replace('"a"', '"a b"'), ["'a b' is no id"]),
        (BASE.replace('"p"', '"a b"'), ["'a b' is no project"]),
        (BASE.replace('"p"', "12"), ["in quotes"]),
        (BASE + '[documentai.processors."us/ocr"]\ntype = "ocr"', ["'us/ocr' can't be the name"]),
        (BASE + '[documentai.processors.offline]\ntype = "ocr"', ["'offline' can't be the name"]),
        (BASE + '[documentai.limits]\n"online_requests.us" = 1\nonline_requests.us = 2', ["twice"]),
        (BASE.replace("[documentai]", '[documentai]\nstaging = "gs:///x"'), ["no bucket"]),
        ("documentai = 3", ["write it as a table"]),
        ("routes = 3\n" + BASE, ["[[routes]]"]),
        ("[documentai", ["can't be read"]),
    ],
)  # fmt: skip
def test_what_cannot_be_right_is_said_with_its_key_and_a_remedy(file, text, words):
    with pytest.raises(UsageError) as raised:
        file(text)
    assert raised.value.remedy
    for word in words:
        assert word in str(raised.value)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"processor": "custom-extractor"}, ["docdask init --processor custom-extractor"]),
        ({"processor": "bils"}, ["bils", "known: ocr, bills"]),
        ({"processor": "projects/p/locations/us/processors/x"}, ["type", "ocr=projects"]),
        ({"location": "asia-south1"}, ["is not in 'asia-south1'", "docdask init"]),
        ({"project": "other"}, ["other was asked for", "docdask init"]),
        ({"options": {"latency": "google"}}, ["option of the emulator"]),
        ({"options": {"ocr_confg.enable_symbol": 1}}, ["did you mean ocr_config?"]),
        ({"options": {"pack": "yes"}}, ["neither true nor false"]),
        ({"engine": "documenta"}, ["documenta"]),
    ],
)  # fmt: skip
def test_arguments_that_cannot_be_right(file, more, words):
    with pytest.raises(UsageError) as raised:
        file(COMPLETE, **more)
    for word in words:
        assert word in str(raised.value)


@pytest.mark.parametrize("options", [{"speed": 0}, {"speed": "x"}, {"quota": "x"}, {"quota": "nothing=3"}])
def test_options_of_the_emulator_that_make_no_sense(tmp_path, monkeypatch, options):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        load_configuration("emulator", environment={}, options=options)


def test_reading_imports_no_client_of_google():
    program = (
        "import sys; from docdask.configuration import load_configuration\n"
        "load_configuration('emulator', environment={})\n"
        "assert not {'grpc', 'google.cloud.documentai', 'pandas'} & set(sys.modules), 'heavy'"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path.home(), timeout=60)
