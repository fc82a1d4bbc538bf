"""Processors, versions, types, locations and v1beta3, as Google's samples call them."""

from __future__ import annotations

import pytest
from emulator_requests import PLACE, name, pdf, request
from google.api_core import exceptions
from google.cloud import documentai_v1 as documentai
from google.cloud import documentai_v1beta3

from docdask.core.limits import LOCATIONS, PROCESSOR_LIMITS
from docdask.core.server import PREMADE, project_number


@pytest.fixture(params=["grpc", "rest"])
def any_client(request, emulator):
    return emulator.documentai_client(request.param)


def test_the_premade_processors_are_there_in_any_project(any_client):
    found = list(any_client.list_processors(parent=PLACE))
    assert {processor.name.rsplit("/", 1)[-1]: processor.type_ for processor in found} == dict(PREMADE)
    assert all(processor.state == documentai.Processor.State.ENABLED for processor in found)
    one = any_client.get_processor(name=name("form"))
    assert one.name == f"projects/{project_number('my-project')}/locations/us/processors/form"
    assert one.default_processor_version.startswith(one.name + "/processorVersions/pretrained-form")
    assert one.process_endpoint.endswith(f"{one.name}:process")


def test_a_processor_is_created_used_switched_and_deleted(any_client):
    asked = documentai.Processor(display_name="mine", type_="INVOICE_PROCESSOR")
    made = any_client.create_processor(parent=PLACE, processor=asked)
    assert any_client.process_document(request=request(pdf(), name=made.name)).document.text
    with pytest.raises(exceptions.GoogleAPICallError, match="already exists"):
        any_client.create_processor(parent=PLACE, processor=asked)
    operation = any_client.disable_processor({"name": made.name})
    operation.result(timeout=10)
    assert operation.metadata.common_metadata.resource == made.name
    assert any_client.get_processor(name=made.name).state == documentai.Processor.State.DISABLED
    with pytest.raises(exceptions.GoogleAPICallError, match="disabled") as caught:
        any_client.process_document(request=request(pdf(), name=made.name))
    assert caught.value.code == 400
    with pytest.raises(exceptions.GoogleAPICallError, match="already disabled"):
        any_client.disable_processor({"name": made.name})
    any_client.enable_processor({"name": made.name}).result(timeout=10)
    with pytest.raises(exceptions.GoogleAPICallError, match="already enabled"):
        any_client.enable_processor({"name": made.name})
    any_client.delete_processor({"name": made.name}).result(timeout=10)
    with pytest.raises(exceptions.NotFound):
        any_client.get_processor(name=made.name)


def test_types_and_locations_are_listed(any_client):
    fetched = any_client.fetch_processor_types(parent=PLACE).processor_types
    assert {item.type_ for item in fetched} == set(PROCESSOR_LIMITS)
    assert {item.type_ for item in any_client.list_processor_types(parent=PLACE)} == set(PROCESSOR_LIMITS)
    one = any_client.get_processor_type(name=f"{PLACE}/processorTypes/OCR_PROCESSOR")
    assert one.category == "GENERAL"
    places = any_client.list_locations({"name": "projects/my-project"}).locations
    assert [place.location_id for place in places] == list(LOCATIONS)
    assert any_client.get_location({"name": PLACE}).location_id == "us"


def test_versions_are_listed_and_one_is_made_the_default(any_client):
    versions = list(any_client.list_processor_versions(parent=name()))
    assert [version.state for version in versions] == [documentai.ProcessorVersion.State.DEPLOYED] * 2
    last = any_client.get_processor_version(name=versions[-1].name)
    asked = documentai.SetDefaultProcessorVersionRequest(
        processor=name(), default_processor_version=last.name
    )
    any_client.set_default_processor_version(request=asked).result(timeout=10)
    assert any_client.get_processor(name=name()).default_processor_version == last.name
    for call in (
        any_client.deploy_processor_version,
        any_client.undeploy_processor_version,
        any_client.delete_processor_version,
    ):
        with pytest.raises(exceptions.GoogleAPICallError) as caught:
            call({"name": last.name})
        assert caught.value.code == 400
    with pytest.raises(exceptions.NotFound):
        any_client.get_processor_version(name=f"{name()}/processorVersions/none")


def test_lists_come_in_pages(client):
    pages = list(client.list_processors(request={"parent": PLACE, "page_size": 3}).pages)
    assert [len(page.processors) for page in pages] == [3, 3, 2]
    with pytest.raises(exceptions.InvalidArgument):
        client.list_processors(request={"parent": PLACE, "page_token": "x"})


def test_what_needs_training_is_unimplemented(client):
    with pytest.raises(exceptions.MethodNotImplemented):
        client.train_processor_version(request={"parent": name()})


def test_v1beta3_answers_with_its_own_types(emulator):
    for transport in ("grpc", "rest"):
        client = emulator.documentai_client(transport, "v1beta3")
        raw = documentai_v1beta3.RawDocument(content=pdf(), mime_type="application/pdf")
        reply = client.process_document(
            request=documentai_v1beta3.ProcessRequest(name=name(), raw_document=raw)
        )
        assert "Page 1" in reply.document.text
    emulator.storage_client().create_bucket("bucket").blob("a.pdf").upload_from_string(pdf())
    operation = client.batch_process_documents(
        request=documentai_v1beta3.BatchProcessRequest(
            name=name(),
            input_documents={
                "gcs_documents": {
                    "documents": [{"gcs_uri": "gs://bucket/a.pdf", "mime_type": "application/pdf"}]
                }
            },
            document_output_config={"gcs_output_config": {"gcs_uri": "gs://bucket/out"}},
        )
    )
    operation.result(timeout=30)
    assert operation.operation.metadata.type_url.endswith(
        "google.cloud.documentai.v1beta3.BatchProcessMetadata"
    )
