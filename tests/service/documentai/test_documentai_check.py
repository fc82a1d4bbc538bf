"""What can be known before money is spent is known then."""

from __future__ import annotations

import asyncio

import pytest
from documentai_files import configuration, place, processor

from docdask.core.routes import Place, Processor
from docdask.core.server import ServerSettings
from docdask.core.server.faults import Faults
from docdask.service.documentai import DocumentAI
from docdask.service.emulator import EmulatorConfig
from docdask.service.errors import make


def checked(use, config=None):
    async def call(client, staging):
        return {check.subject: check for check in await client.check()}

    return use(call, config)


def test_all_is_well_and_nothing_is_billed(use, emulator):
    found = checked(use)
    assert {check.status for check in found.values()} == {"ok"}
    assert found["ocr in us"].message == "OCR_PROCESSOR, version pretrained-ocr-v2.0-2023-06-02"
    assert len(found) == 7
    assert emulator.stats()["pages_billed"] == 0


def test_each_place_is_looked_at(use, emulator):
    row = Processor("ocr", "OCR_PROCESSOR", (place(), place(location="eu"), place(location="europe-west3")))
    found = checked(use, configuration(row))
    assert list(found) == ["credentials", "ocr in us", "ocr in eu", "ocr in europe-west3"]
    assert all(check.ok for check in found.values())


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            processor(where=place("none")),
            "there is no processor projects/my-project/locations/us/processors/none",
        ),
        (processor(where=place(version="none")), "there is no processor version"),
        (processor(where=place("form")), "is a FORM_PARSER_PROCESSOR, not a OCR_PROCESSOR"),
        (processor("invoice", options={"ocrConfig": {}}), "does not take the option OcrConfig"),
        (processor(options={"ocr": 1}), "options of processor 'ocr' can't be read"),
        (processor(field_mask="pages.tokens.layout"), "no field of a Document"),
    ],
)
def test_what_is_configured_wrong_is_told(use, emulator, row, words):
    found = checked(use, configuration(row))
    check = found[f"{row.alias} in us"]
    assert (check.status, check.ok) == ("failed", False)
    assert words in check.message
    assert check.remedy


def test_an_option_that_nobody_knows_is_no_outage(use):
    """Its kind begins like that of an error without a reason, which would be let pass."""

    async def call(client, staging):
        async def refuse(*asked, **more):
            raise make("unknown-field", field="x")

        client.process = refuse
        return await client.check()

    assert [one.status for one in use(call, configuration(processor()))] == ["ok", "failed"]


def test_a_processor_that_is_disabled_is_told(use, emulator):
    name = place().processor
    emulator.documentai_client().disable_processor(request={"name": name}).result(timeout=10)
    check = checked(use, configuration(processor()))["ocr in us"]
    assert check.message == f"{emulator_name(name)} is disabled"
    assert "enable it" in check.remedy


def emulator_name(name):
    """The service names projects by number."""
    from docdask.core.server import project_number

    return name.replace("my-project", project_number("my-project"))


class TestPermissions:
    @pytest.fixture
    def emulator_config(self, request):
        return EmulatorConfig(ocr="fast", server=ServerSettings(denied=frozenset(request.param)))

    @pytest.mark.parametrize("emulator_config", [["documentai.processors.processOnline"]], indirect=True)
    def test_no_right_to_call_fails(self, use):
        check = checked(use, configuration(processor()))["ocr in us"]
        assert check.status == "failed"
        assert "lacks documentai.processors.processOnline" in check.message
        assert "roles/documentai.apiUser" in check.remedy

    @pytest.mark.parametrize("emulator_config", [["documentai.processors.get"]], indirect=True)
    def test_the_right_to_call_is_enough(self, use):
        check = checked(use, configuration(processor()))["ocr in us"]
        assert check.status == "warning"
        assert check.ok
        assert check.message.startswith("can be called; the account lacks documentai.processors.get")


class TestAWeakService:
    @pytest.fixture
    def emulator_config(self):
        return EmulatorConfig(ocr="fast", server=ServerSettings(faults=Faults(regions_down=("us",))))

    def test_an_outage_is_a_warning(self, use):
        check = checked(use, configuration(processor()))["ocr in us"]
        assert check.status == "warning"
        assert "not available" in check.message


class TestASpentQuota:
    @pytest.fixture
    def emulator_config(self):
        limits = ServerSettings().limits.override({"online_requests": 0})
        return EmulatorConfig(ocr="fast", server=ServerSettings(limits=limits))

    def test_others_that_use_the_quota_are_a_warning(self, use):
        check = checked(use, configuration(processor()))["ocr in us"]
        assert (check.status, check.error.kind) == ("warning", "quota-requests")


def test_nobody_there_fails():
    async def call():
        client = DocumentAI(configuration(processor()), emulator_host="127.0.0.1:1")
        try:
            return await client.check()
        finally:
            await client.close()

    checks = asyncio.run(call())
    assert [check.status for check in checks] == ["ok", "failed"]
    assert "can't be reached" in checks[1].message


def test_staging_is_tried(use, emulator):
    async def call(client, staging):
        from docdask.service.staging import Staging

        nowhere = Staging("gs://nowhere/x", endpoint=emulator.http_url)
        try:
            return await staging.check(), await nowhere.check(), await staging.names("gs://bucket/stage")
        finally:
            await nowhere.close()

    good, bad, left = use(call)
    assert good.ok
    assert left == []
    assert bad.status == "failed"
    assert bad.message == "the staging bucket does not exist"


def test_a_version_alias_is_resolved_to_what_it_stands_for(use):
    async def call(client, staging):
        return await client.describe(Place("us", place().processor, "rc"))

    facts = use(call)
    assert facts.version.startswith("pretrained-ocr")
    assert facts.default_version.startswith("pretrained-ocr")
    assert facts.ends_s == 0
