"""Every row of the service's refusals, provoked through Google's own client: code, text, details."""

from __future__ import annotations

import grpc
import pytest
from emulator_requests import PLACE, name, pages_of, pdf, png, request
from google.api_core import exceptions
from google.cloud import documentai_v1 as documentai

from docdask.core.limits import DEFAULT_BOOK
from docdask.core.server import ServerSettings, Switches
from docdask.service.emulator import EmulatorConfig
from docdask.testing import running_emulator


def refused(client, asked):
    with pytest.raises(exceptions.GoogleAPICallError) as caught:
        client.process_document(request=asked, retry=None)
    return caught.value


def with_server(**options):
    return running_emulator(EmulatorConfig(ocr="fast", server=ServerSettings(**options)))


@pytest.fixture(params=["grpc", "rest"])
def any_client(request, emulator):
    return emulator.documentai_client(request.param)


@pytest.mark.parametrize(
    ("pages", "options", "text"),
    [
        (316, {}, "Document pages exceed the limit: 30 got 316"),
        (316, {"process_options": pages_of(*range(31, 62))}, "Document pages exceed the limit: 30 got 31"),
        (
            316,
            {"process_options": pages_of(*range(31, 61))},
            (
                "Document pages in non-imageless mode exceed the limit: 15 got 30. "
                "Try using imageless mode to increase the limit to 30."
            ),
        ),
        (20, {"processor": "expense"}, "Document pages exceed the limit: 10 got 20"),
    ],
)
def test_too_many_pages(any_client, pages, options, text):
    error = refused(any_client, request(pdf(pages), **options))
    assert error.code == 400
    assert error.message.endswith(text)
    assert error.reason == "PAGE_LIMIT_EXCEEDED"
    assert set(error.metadata) == {"page_limit", "pages"}
    assert error.domain == "documentai.googleapis.com"


def test_more_than_15_pages_away_from_page_one_have_no_details(client):
    error = refused(client, request(pdf(61), process_options=pages_of(*range(31, 61)), imageless_mode=True))
    assert (error.message, error.details, error.reason) == ("At most 15 pages in one call please.", [], None)


def test_thirty_pages_from_page_one_pass_in_imageless_mode(client):
    options = documentai.ProcessOptions(from_start=30)
    reply = client.process_document(request=request(pdf(61), process_options=options, imageless_mode=True))
    assert len(reply.document.pages) == 30


@pytest.mark.parametrize(
    ("content", "mime_type", "text"),
    [
        (b"%PDF-1.4 nothing", "application/pdf", "PDF document could not be opened or is corrupted"),
        (pdf()[:300], "application/pdf", "PDF document could not be opened or is corrupted"),
        (b"not an image", "image/png", "Invalid image content"),
        (png(10_001, 2), "image/png", "Image width or height exceeds the 10k pixel limit"),
        (png(9_000, 9_000), "image/png", "Input Document too large"),
    ],
)
def test_a_file_that_can_not_be_read(any_client, content, mime_type, text):
    error = refused(any_client, request(content, mime_type))
    assert error.code == 400
    assert text in error.message


@pytest.mark.parametrize("mime_type", ["text/plain", "application/octet-stream", "text/html"])
def test_a_type_that_is_not_supported(any_client, mime_type):
    error = refused(any_client, request(b"hello", mime_type))
    assert error.message.endswith("Request contains an invalid argument.")
    assert "Unsupported input file format." in str(error.details)
    assert "raw_document.mime_type" in str(error.details)


def test_a_file_that_is_too_big():
    limits = DEFAULT_BOOK.override({"online_bytes": 1000})
    with with_server(limits=limits) as emulator:
        content = pdf()
        error = refused(emulator.documentai_client(), request(content))
        assert error.message == "Request contains an invalid argument."
        violation = error.details[0].field_violations[0]
        assert violation.field == "raw_document.content"
        assert violation.description == f"Document size ({len(content)}) exceeds the limit: 1000."


def test_the_real_size_limit_is_40_mib(client):
    error = refused(client, request(b"%PDF-" + bytes(40 * 2**20)))
    assert (
        error.details[0].field_violations[0].description
        == "Document size (41943045) exceeds the limit: 41943040."
    )


def test_a_reply_over_the_clients_own_limit_is_refused_by_the_client(emulator):
    from google.cloud.documentai_v1.services.document_processor_service.transports import (
        DocumentProcessorServiceGrpcTransport as Transport,
    )

    options = [("grpc.max_receive_message_length", 1000)]
    with grpc.insecure_channel(emulator.grpc_address, options=options) as channel:
        client = documentai.DocumentProcessorServiceClient(transport=Transport(channel=channel))
        error = refused(client, request(pdf(3)))
    assert isinstance(error, exceptions.ResourceExhausted)
    assert "larger than max" in error.message
    assert error.reason is None
    assert emulator.stats()["pages_billed"] == 3


@pytest.mark.parametrize("location", ["eu", "us-central1"])
def test_a_location_that_is_not_the_servers(location):
    with with_server(deployment="us") as emulator:
        asked = request(pdf(), name=f"projects/p/locations/{location}/processors/ocr")
        error = refused(emulator.documentai_client(), asked)
        assert error.message == f"Invalid location: '{location}' must match the server deployment 'us'"


def test_a_permission_that_is_missing():
    with with_server(
        denied=frozenset({"documentai.processors.processOnline", "documentai.processors.get"})
    ) as emulator:
        client = emulator.documentai_client()
        error = refused(client, request(pdf()))
        assert isinstance(error, exceptions.PermissionDenied)
        assert error.message.startswith("Permission 'documentai.processors.processOnline' denied on resource")
        with pytest.raises(exceptions.PermissionDenied):
            client.get_processor(name=name())


@pytest.mark.parametrize("transport", ["grpc", "rest"])
def test_the_quota_of_online_requests(transport):
    limits = DEFAULT_BOOK.override({"online_requests": 2})
    with with_server(limits=limits) as emulator:
        client = emulator.documentai_client(transport)
        for _ in range(2):
            client.process_document(request=request(pdf()))
        error = refused(client, request(pdf()))
        assert error.code == 429
        assert "Quota exceeded for quota metric 'Number of online process document requests" in error.message
        assert "of service 'documentai.googleapis.com' for consumer 'project_number:" in error.message
        assert (list(error.details), error.reason) == ([], None)


def test_the_quota_with_details():
    switches = Switches(quota_details="full", retry_info=True)
    with with_server(limits=DEFAULT_BOOK.override({"online_requests": 0}), switches=switches) as emulator:
        error = refused(emulator.documentai_client(), request(pdf()))
        assert (error.reason, error.domain) == ("RATE_LIMIT_EXCEEDED", "googleapis.com")
        assert error.metadata["quota_metric"] == (
            "documentai.googleapis.com/processor_online_process_document_requests_us"
        )
        assert [type(detail).__name__ for detail in error.details] == [
            "ErrorInfo",
            "QuotaFailure",
            "RetryInfo",
        ]


def test_the_quota_of_pages_of_generative_types():
    with with_server(limits=DEFAULT_BOOK.override({"online_pages": 3})) as emulator:
        error = refused(emulator.documentai_client(), request(pdf(4), processor="custom-extractor"))
        assert "'Number of online process document pages (US)'" in error.message


def test_the_quota_of_concurrent_batches():
    with with_server(limits=DEFAULT_BOOK.override({"batch_operations": 0})) as emulator:
        emulator.storage_client().create_bucket("input").blob("a.pdf").upload_from_string(pdf())
        batch = documentai.BatchProcessRequest(
            name=name(),
            input_documents={
                "gcs_documents": {
                    "documents": [{"gcs_uri": "gs://input/a.pdf", "mime_type": "application/pdf"}]
                }
            },
            document_output_config={"gcs_output_config": {"gcs_uri": "gs://input/out"}},
        )
        with pytest.raises(exceptions.ResourceExhausted, match="concurrent batch"):
            emulator.documentai_client().batch_process_documents(request=batch, retry=None)


def test_an_unknown_json_field_is_refused_with_its_path(emulator):
    import json
    import urllib.error
    import urllib.request

    body = json.dumps({"rawDocument": {"contents": "", "mimeType": "application/pdf"}, "skip": 1}).encode()
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(f"{emulator.http_url}/v1/{name()}:process", body))
    with caught.value as reply:
        error = json.load(reply)["error"]
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert (
        "Invalid JSON payload received. Unknown name \"contents\" at 'raw_document': Cannot find field."
        in error["message"]
    )
    assert 'Unknown name "skip": Cannot find field.' in error["message"]


@pytest.mark.parametrize(
    "options",
    [
        {"processor": "invoice", "process_options": {"ocr_config": {"enable_symbol": True}}},
        {"process_options": {"layout_config": {"chunking_config": {"chunk_size": 5}}}},
        {"process_options": {"individual_page_selector": {"pages": [0]}}},
        {"process_options": {"individual_page_selector": {"pages": [2]}}},
        {"process_options": {"from_start": -1}},
        {"name": "projects/p/locations/us"},
        {"name": f"{PLACE}/processors/"},
        {"labels": {"UPPER": "x"}},
    ],
)
def test_arguments_that_make_no_sense(any_client, options):
    with pytest.raises((exceptions.GoogleAPICallError, ValueError)) as caught:
        any_client.process_document(request=request(pdf(), **options), retry=None)
    if isinstance(caught.value, exceptions.GoogleAPICallError):
        assert caught.value.code == 400
