"""What is said of a run that is planned: the same again by any of its names is fine, all else is named."""

from __future__ import annotations

import pytest

from docdask.configuration import load_configuration, split_options
from docdask.configuration.agreeing import differences
from docdask.core.routes import Configuration
from docdask.errors import UsageError

FILE = """
[documentai]
project = "my-project"
location = "eu"
staging = "gs://bucket/docdask/"
residency = ["eu", "us"]

[documentai.processors.ocr]
places = [{location = "eu", id = "aaaa"}, {location = "us", id = "bbbb"}]
version = "v2"

[documentai.processors.bills]
type = "invoice"
processor = "cccc"
version = "v1"
"""
ROUTES = """
[[routes]]
kind = "invoice"
processor = "bills"
"""
NAME = "projects/my-project/locations/eu/processors"


def kept(tmp_path, text=FILE, engine="documentai", **more):
    """What a run keeps of its configuration."""
    path = tmp_path / "docdask.toml"
    path.write_text(text)
    found = load_configuration(engine, path=path, environment={}, **more)
    path.unlink()  # a run does not need it any more
    return Configuration.from_json(found.to_json())


def said(configuration, options=None, own=False, emulator_options=None, **given):
    return differences(configuration, emulator_options or {}, own=own, options=options or {}, given=given)


@pytest.mark.parametrize(
    ("planned", "again"),
    [
        ({}, {}),
        ({}, {"project": "my-project", "staging": "gs://bucket/docdask", "residency": ["us", "eu"]}),
        ({}, {"quota_share": 0.9, "escalate_below": 0, "location": None}),
        ({}, {"processor": "ocr"}),
        ({}, {"processor": f"{NAME}/aaaa"}),
        ({"location": "eu"}, {"location": "eu"}),
        ({"processor": "invoice"}, {"processor": "bills"}),
        ({"processor": "bills"}, {"processor": "INVOICE_PROCESSOR"}),
        ({"processor": "bills"}, {"processor": f"{NAME}/cccc/processorVersions/v1"}),
        ({"processor": f"form={NAME}/dddd/processorVersions/v3"}, {"processor": "form=dddd"}),
        ({"processor": f"form={NAME}/dddd/processorVersions/v3"}, {"processor": "form"}),
        ({"escalate_below": 0.8}, {"escalate_below": 0.8, "processor": "ocr"}),
        ({}, {"options": {"pack": True, "imageless": True, "version": "v2"}}),
        ({"options": {"pack": False}}, {"options": {"pack": False}}),
        ({"options": {"ocr_config.enable_symbol": True}}, {"options": {"ocr_config.enable_symbol": True}}),
    ],
)
def test_the_same_by_any_of_its_names_is_no_difference(tmp_path, planned, again):
    assert said(kept(tmp_path, **planned), **again) == []


@pytest.mark.parametrize(
    ("planned", "again", "phrase"),
    [
        ({}, {"project": "other"}, "project: 'my-project' there, 'other' here"),
        ({}, {"location": "eu"}, "location: 'eu, us' there, 'eu' here"),
        ({"location": "eu"}, {"location": "us"}, "location: 'eu' there, 'us' here"),
        ({}, {"staging": "gs://other"}, "staging: 'gs://bucket/docdask' there, 'gs://other' here"),
        ({}, {"residency": ["eu"]}, "residency: ['eu', 'us'] there, ['eu'] here"),
        ({}, {"quota_share": 0.5}, "quota share: 0.9 there, 0.5 here"),
        ({}, {"free_pages": 5}, "free pages: None there, 5 here"),
        ({}, {"escalate_below": 0.5}, "escalate below: 0.0 there, 0.5 here"),
        ({}, {"processor": "bills"}, "processor: 'ocr' there, 'bills' here"),
        ({}, {"processor": "form"}, "processor: 'ocr' there, 'form' here"),
        ({}, {"processor": "ocr=zzzz"}, "processor: 'ocr' there, 'ocr=zzzz' here"),
        ({"processor": "bills"}, {"processor": f"{NAME}/cccc/processorVersions/v9"}, "processor: 'bills' there"),
        ({}, {"options": {"pack": False}}, "pack: True there, False here"),
        ({"options": {"imageless": False}}, {"options": {"imageless": True}}, "imageless: False there, True here"),
        ({}, {"options": {"version": "v9"}}, "version: 'v2' there, 'v9' here"),
        ({}, {"options": {"ocr_config.enable_symbol": True}}, "options: {} there, {'ocrConfig'"),
        ({}, {"options": {"quota": 600}}, "quota: 'not set' there, 600 here"),
    ],
)  # fmt: skip
def test_what_is_said_otherwise_is_named_with_both_values(tmp_path, planned, again, phrase):
    [found] = said(kept(tmp_path, **planned), **again)
    assert found.startswith(phrase)


def test_one_processor_is_not_what_several_routes_are(tmp_path):
    [found] = said(kept(tmp_path, FILE + ROUTES), processor="ocr")
    assert found == "processor: '2 routes' there, 'ocr' here"


def test_options_of_the_runs_own_emulator_are_compared_too(tmp_path):
    options = {"quota": 600, "latency": "0.1"}
    made = kept(tmp_path, "", "emulator", options=options)
    _, emulator_options = split_options(options)
    assert said(made, {"quota": 600}, own=True, emulator_options=emulator_options, processor="ocr") == []
    [found] = said(made, {"quota": 60}, own=True, emulator_options=emulator_options)
    assert found == "quota: 600 there, 60 here"
    [found] = said(made, own=True, emulator_options=emulator_options, processor="invoice")
    assert found == "processor: 'ocr' there, 'invoice' here"


@pytest.mark.parametrize("again", [{"quota_share": "much"}, {"options": {"nosuch": 1}}])
def test_what_is_right_for_no_run_is_a_usage_error(tmp_path, again):
    with pytest.raises(UsageError):
        said(kept(tmp_path), **again)
