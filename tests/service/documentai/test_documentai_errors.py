"""Every failure that Google, its libraries or the network have in store becomes one error that says what to do.

Rows that the emulator can produce are produced there and seen through the real client; the others are exceptions made of the
libraries' own classes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import pickle
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from documentai_files import configuration, ended, pdf, place, png, processor, sent, sha

from docdask.core.server import ServerSettings, Switches
from docdask.core.server.faults import Faults
from docdask.core.server.latency import Latency
from docdask.errors import DocdaskError, EngineError
from docdask.service import refusals
from docdask.service.documentai import DocumentAI, channels
from docdask.service.emulator import EmulatorConfig
from docdask.service.errors import (
    CredentialsError,
    ServiceError,
    classify,
    example,
    make,
    markdown,
    of_status,
)

SECOND_NS = 10**9


def server(**more) -> EmulatorConfig:
    limits = more.pop("limits", {})
    book = ServerSettings().limits.override(limits)
    return EmulatorConfig(
        ocr="fast", server=ServerSettings(limits=book, **more), speed=1000.0 if more else 1.0
    )


async def process(
    client, content=None, mime_type="application/pdf", alias="ocr", where=None, times=1, **more
):
    row = processor(alias, where=where, **more.pop("row", {}))
    for _ in range(times):
        await client.process(row.places[0], row, pdf() if content is None else content, mime_type, **more)


async def raw(client, path="ProcessDocument", **fields):
    """A request that docdask itself would not make."""
    from google.cloud import documentai_v1 as documentai

    request = documentai.ProcessRequest.pb()(name=place().processor)
    request.raw_document.content, request.raw_document.mime_type = pdf(), "application/pdf"
    for name, value in fields.items():
        if isinstance(value, dict):
            getattr(request, name).update(value)
        elif isinstance(value, list):
            getattr(request, name).paths.extend(value)
        else:
            setattr(request, name, value)
    method = f"/google.cloud.documentai.v1.DocumentProcessorService/{path}"
    return await client.call("us", method, request, documentai.ProcessResponse.pb(), 30)


async def batch(client, staging, *contents, output="", wait=True, submit=1):
    uris = [await staging.upload(sha(one), "application/pdf", one) for one in contents or (pdf(),)]
    inputs = [(uri, "application/pdf") for uri in uris]
    for _ in range(submit):
        name = await client.submit(place(), processor(), inputs, output or staging.output_prefix("r"))
    return await ended(client, name) if wait else name


async def failed(client, staging, *contents, **more):
    raise (await batch(client, staging, *contents, **more)).error


async def failed_file(client, staging, *contents, **more):
    raise next(one.error for one in (await batch(client, staging, *contents, **more)).files if one.error)


async def cancelled(client, staging):
    name = await batch(client, staging, wait=False)
    await client.cancel(name)
    raise (await client.operation(name)).error


async def disabled(client, staging):
    from google.cloud import documentai_v1 as documentai
    from google.longrunning import operations_pb2

    request = documentai.DisableProcessorRequest.pb()(name=place().processor)
    method = "/google.cloud.documentai.v1.DocumentProcessorService/DisableProcessor"
    await client.call("us", method, request, operations_pb2.Operation, 30)
    await process(client)


async def bad_name(client, staging):
    from google.cloud import documentai_v1 as documentai

    request = documentai.GetProcessorRequest.pb()(name="processors/1")
    method = "/google.cloud.documentai.v1.DocumentProcessorService/GetProcessor"
    await client.call("us", method, request, documentai.Processor.pb(), 30)


async def closed_meanwhile(client, staging):
    calling = asyncio.ensure_future(process(client))
    await sent(client)
    await client.close()
    try:
        await calling
    except asyncio.CancelledError as error:
        raise classify(error) from error


async def missing_input(client, staging, online=False):
    if online:
        await process(client, "gs://bucket/none.pdf")
    inputs = [("gs://bucket/none.pdf", "application/pdf")]
    name = await client.submit(place(), processor(), inputs, staging.output_prefix("r"))
    raise (await ended(client, name)).files[0].error


async def small_channel(client, staging):
    """A channel that somebody made without the two options."""
    import grpc

    channel = grpc.aio.insecure_channel(
        client._emulator_host, options=[("grpc.max_receive_message_length", 100)]
    )
    client._channels["us"] = channels.Channels(lambda: channel)
    await process(client)


HERE = "projects/my-project/locations/us"
SLOW = Latency(base_ns=60 * SECOND_NS, batch_base_ns=3600 * SECOND_NS)
QUOTA = Switches(quota_details="full", retry_info=True)

# kind, emulator's settings, what is done, what the sentence must have in it
SCENARIOS = [
    ("quota-requests", server(limits={"online_requests": 2}), lambda c, s: process(c, times=3), "requests a minute"),
    ("quota-requests", server(limits={"online_requests": 2}, switches=QUOTA), lambda c, s: process(c, times=3), "requests"),
    ("quota-pages", server(limits={"online_pages": 3}), lambda c, s: process(c, pdf(2), alias="custom-extractor", times=2), "pages a minute"),
    ("quota-user", server(limits={"user_requests": 1}), lambda c, s: process(c, times=2), "over all methods"),
    ("quota-batch", server(limits={"batch_operations": 1}, latency=SLOW), lambda c, s: batch(c, s, wait=False, submit=2), "batch operations"),
    ("message-too-large", server(), small_channel, "bytes does not pass"),
    ("page-limit", server(), lambda c, s: process(c, pdf(31)), "31 pages, and the processor takes 30"),
    ("page-limit-imageless", server(), lambda c, s: process(c, pdf(16), row={"imageless": False}), "16 pages, and 15"),
    ("page-limit-selection", server(), lambda c, s: process(c, pdf(40), pages=_range(2, 20)), "more than 15 pages"),
    ("too-big", server(limits={"online_bytes": 1000}), lambda c, s: process(c), "1000 bytes are allowed"),
    ("image-too-large", server(), lambda c, s: process(c, png(10_001, 10), "image/png"), "10,000 a side"),
    ("image-too-large", server(), lambda c, s: process(c, png(9000, 4500), "image/png"), "40 million"),
    ("wrong-type", server(), lambda c, s: process(c, b"PK", "application/msword"), "files of this type"),
    ("corrupt", server(), lambda c, s: process(c, b"%PDF-1.4 x"), "damaged, cut short or encrypted"),
    ("corrupt-image", server(), lambda c, s: process(c, b"\x89PNG", "image/png"), "read the image"),
    ("empty", server(), lambda c, s: process(c, b""), "empty"),
    ("page-out-of-range", server(), lambda c, s: process(c, pdf(3), pages=_range(4, 5)), "it has 3"),
    ("source-unreadable", server(), lambda c, s: missing_input(c, s, online=True), "gs://bucket/none.pdf"),
    ("source-unreadable", server(), missing_input, "gs://bucket/none.pdf"),
    ("files-failed", server(), lambda c, s: failed(c, s, pdf(), b"%PDF-1.4 x"), "1 of the batch's files"),
    ("all-files-failed", server(), lambda c, s: failed(c, s, b"%PDF-1.4 x"), "no file of the batch"),
    ("corrupt", server(), lambda c, s: failed_file(c, s, pdf(), b"%PDF-1.4 x"), "damaged"),
    ("page-limit", server(limits={"batch_pages.OCR_PROCESSOR": 2}), lambda c, s: failed_file(c, s, pdf(), pdf(3)), "3 pages, and the processor takes 2"),
    ("wrong-location", server(deployment="us"), lambda c, s: process(c, where=place(location="eu")), "in 'eu', but the endpoint serves 'us'"),
    ("bad-mask", server(), lambda c, s: raw(c, field_mask=["pages.nothing"]), "pages.nothing"),
    ("bad-labels", server(), lambda c, s: raw(c, labels={"RUN": "x"}), "labels"),
    ("unsupported-option", server(), lambda c, s: process(c, alias="invoice", row={"options": {"ocrConfig": {}}}), "OcrConfig"),
    ("bad-name", server(), bad_name, "'processors/1'"),
    ("too-many-files", server(limits={"batch_files": 1}), lambda c, s: batch(c, s, pdf(1), pdf(2)), "2 files, and 1 are allowed"),
    ("output-refused", server(), lambda c, s: failed_file(c, s, output="gs://nowhere/out"), "gs://nowhere/out/"),
    ("processor-disabled", server(), disabled, f"{HERE}/processors/ocr is disabled"),
    ("version-not-found", server(), lambda c, s: process(c, where=place(version="none")), "processorVersions/none"),
    ("processor-not-found", server(), lambda c, s: process(c, where=place("none")), f"no processor {HERE}/processors/none"),
    ("operation-not-found", server(), lambda c, s: c.operation(f"{HERE}/operations/123"), "operations/123"),
    ("bucket-not-found", server(), lambda c, s: s.names("gs://nowhere/x"), "bucket does not exist"),
    ("permission", server(denied=frozenset({"documentai.processors.processOnline"})), lambda c, s: process(c), "lacks documentai.processors.processOnline"),
    ("permission", server(denied=frozenset({"documentai.processors.processBatch"})), batch, "documentai.processors.processBatch"),
    ("reply-lost", server(faults=Faults(lost=1)), lambda c, s: process(c), "nobody knows whether"),
    ("unavailable", server(faults=Faults(unavailable=1)), lambda c, s: process(c), "not available"),
    ("unavailable", server(faults=Faults(regions_down=("us",))), lambda c, s: process(c), "not available"),
    ("internal", server(faults=Faults(internal=1)), lambda c, s: process(c), "failed"),
    ("deadline", server(faults=Faults(deadline=1)), lambda c, s: process(c), "no answer came in time"),
    ("operation-gave-up", EmulatorConfig(ocr="fast", server=ServerSettings(faults=Faults(stuck=1)), speed=5e6), failed, "24 hours"),
    ("operation-cancelled", server(latency=SLOW), cancelled, "cancelled the batch"),
    ("cancelled", EmulatorConfig(ocr="fast", server=ServerSettings(latency=Latency(base_ns=SECOND_NS))), closed_meanwhile, "nobody knows"),
    ("unimplemented", server(), lambda c, s: raw(c, path="GetEvaluation"), "does not have this method"),
]  # fmt: skip


def _range(first, last):
    from docdask.model import PageRange

    return PageRange(first, last)


class TestThroughTheClient:
    @pytest.fixture
    def emulator_config(self, request):
        return request.getfixturevalue("settings")

    @pytest.mark.parametrize(
        ("kind", "settings", "does", "words"),
        SCENARIOS,
        ids=[f"{n}-{row[0]}" for n, row in enumerate(SCENARIOS)],
    )
    def test_the_services_refusal_is_told(self, kind, settings, does, words, use):
        with pytest.raises(ServiceError) as caught:
            use(does)
        error = caught.value
        assert error.kind == kind, (error.code, error.said)
        assert words in error.message
        assert "?" not in error.message
        rule = refusals.rule(kind)
        assert (error.verdict, error.scope, error.retry, error.limit) == (
            rule.verdict, rule.scope, rule.retry, rule.limit,
        )  # fmt: skip
        assert error.remedy or error.retry


def test_what_the_service_asks_to_wait_is_known(running):
    run = running(server(limits={"online_requests": 1}, switches=QUOTA))
    with pytest.raises(ServiceError) as caught:
        run(lambda c: process(c, times=2))
    assert caught.value.after_s == 30.0


@pytest.fixture
def running():
    from contextlib import ExitStack

    from docdask.testing import running_emulator

    with ExitStack() as stack:

        def start(config):
            emulator = stack.enter_context(running_emulator(config))

            def run(does):
                async def inside():
                    client = DocumentAI(configuration(), emulator_host=emulator.grpc_address)
                    try:
                        return await does(client)
                    finally:
                        await client.close()

                return asyncio.run(inside())

            return run

        yield start


def test_over_rest_an_unknown_field_is_told(emulator):
    """Only REST can be told a field that is none: the answer of the emulator, as api-core raises it."""
    from google.api_core.exceptions import GoogleAPICallError, from_http_status

    body = json.dumps({"rawDocument": {}, "imagelessMode2": True}).encode()
    url = f"{emulator.http_url}/v1/{place().processor}:process"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(url, data=body))
    told = json.load(caught.value)["error"]
    error = from_http_status(caught.value.code, told["message"])
    assert isinstance(error, GoogleAPICallError)
    found = classify(error)
    assert found.kind == "unknown-field"
    assert "imagelessMode2" in found.message


class TestTheWayThere:
    def call(self, host):
        async def inside():
            client = DocumentAI(configuration(), emulator_host=host)
            try:
                await process(client, deadline_s=20)
            finally:
                await client.close()

        with pytest.raises(ServiceError) as caught:
            asyncio.run(inside())
        return caught.value

    def test_nobody_listens(self):
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        error = self.call(f"127.0.0.1:{port}")
        assert (error.kind, error.verdict, error.retry, error.scope) == (
            "no-connection", "capacity", True, "client",
        )  # fmt: skip

    def test_a_name_that_is_none(self):
        error = self.call("nowhere.invalid:443")
        assert (error.kind, error.scope) == ("dns", "client")
        assert "nowhere.invalid" in error.message

    def test_a_server_that_hangs_up(self):
        """A server that takes the connection and ends it: gRPC calls it unavailable, and nothing was begun."""
        import threading

        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(0.1)
        over = threading.Event()

        def hang_up():
            while not over.is_set():
                with contextlib.suppress(TimeoutError):
                    listener.accept()[0].close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        try:
            error = self.call(f"127.0.0.1:{listener.getsockname()[1]}")
        finally:
            over.set()
            thread.join()
            listener.close()
        assert error.retry
        assert error.kind in {"reply-lost", "no-connection", "unavailable"}


def rpc(code, text, details=()):
    """What ``grpc.aio`` raises, with details as Google attaches them."""
    import grpc
    from google.rpc import status_pb2
    from grpc.aio import AioRpcError, Metadata

    status = status_pb2.Status(code=getattr(grpc.StatusCode, code).value[0], message=text)
    for detail in details:
        status.details.add().Pack(detail)
    trailers = Metadata(("grpc-status-details-bin", status.SerializeToString())) if details else Metadata()
    return AioRpcError(getattr(grpc.StatusCode, code), Metadata(), trailers, details=text)


CONSTRUCTED = [
    ("RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).", "quota"),
    ("RESOURCE_EXHAUSTED", "The model is overloaded.", "capacity"),
    ("RESOURCE_EXHAUSTED", "Received message larger than max (5218782 vs. 4194304)", "message-too-large"),
    ("RESOURCE_EXHAUSTED", "Sent message larger than max (50 vs. 40)", "message-too-large"),
    ("INVALID_ARGUMENT", "Document pages exceed the limit: 2 got 11", "page-limit"),
    ("INVALID_ARGUMENT", "Request payload size exceeds the limit: 41943040 bytes.", "too-big"),
    ("INVALID_ARGUMENT", "Input Document too large", "image-too-large"),
    ("INVALID_ARGUMENT", "The document is password protected", "encrypted"),
    ("INVALID_ARGUMENT", "nobody knows", "invalid"),
    ("FAILED_PRECONDITION", "Processor version x is not deployed.", "version-undeployed"),
    ("FAILED_PRECONDITION", "not now", "precondition"),
    ("NOT_FOUND", "Requested entity was not found.", "not-found"),
    ("PERMISSION_DENIED", "The caller does not have permission", "denied"),
    ("PERMISSION_DENIED", "Cloud Document AI API has not been used in project 1 before or it is disabled.", "api-disabled"),
    ("PERMISSION_DENIED", "This API method requires billing to be enabled.", "billing-disabled"),
    ("PERMISSION_DENIED", "The project to be billed is associated with an absent billing account.", "billing-disabled"),
    ("PERMISSION_DENIED", "Permission denied on resource project [their-project].", "wrong-project"),
    ("PERMISSION_DENIED", "Your application has authenticated using end user credentials from the Google Cloud SDK or Google Cloud Shell.", "no-quota-project"),
    ("PERMISSION_DENIED", "Caller does not have required permission to use project 12. Grant the caller the role", "quota-project-denied"),
    ("PERMISSION_DENIED", "Request had insufficient authentication scopes.", "scope-missing"),
    ("PERMISSION_DENIED", "Permission denied: Consumer 'projects/12' has been suspended.", "project-suspended"),
    ("PERMISSION_DENIED", "Request is prohibited by organization's policy. VPC Service Controls", "perimeter"),
    ("UNAUTHENTICATED", "Request had invalid authentication credentials.", "unauthenticated"),
    ("UNAVAILABLE", "Getting metadata from plugin failed with error: ('invalid_grant: Bad Request', {})", "expired"),
    ("UNAVAILABLE", "Getting metadata from plugin failed with error: HTTPSConnectionPool: Max retries exceeded", "auth-unreachable"),
    ("UNAVAILABLE", "recvmsg:Connection reset by peer", "reply-lost"),
    ("UNAVAILABLE", "GOAWAY received; Error code: 0; Debug Text: session_timed_out", "reply-lost"),
    ("INTERNAL", "Received RST_STREAM with error code 2", "reply-lost"),
    ("UNAVAILABLE", "Received RST_STREAM with error code 7", "no-connection"),
    ("UNAVAILABLE", "failed to connect to all addresses; last error: Ssl handshake failed: CERTIFICATE_VERIFY_FAILED", "tls"),
    ("UNKNOWN", "Stream removed", "reply-lost"),
    ("UNKNOWN", "what", "unknown"),
    ("DATA_LOSS", "what", "unknown"),
    ("ABORTED", "what", "internal"),
    ("OUT_OF_RANGE", "what", "invalid"),
    ("ALREADY_EXISTS", "what", "invalid"),
    ("CANCELLED", "Locally cancelled by application!", "cancelled"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "text", "kind"), CONSTRUCTED)
def test_a_grpc_error_is_told_by_its_code_and_words(code, text, kind):
    error = classify(rpc(code, text))
    assert error.kind == kind
    assert error.said == text
    assert "?" not in error.message.replace(text, "")


class TestDetails:
    def test_reason_decides_where_words_do_not(self):
        from google.rpc import error_details_pb2 as kinds

        info = kinds.ErrorInfo(reason="RATE_LIMIT_EXCEEDED", domain="googleapis.com")
        info.metadata["quota_metric"] = "documentai.googleapis.com/processor_online_process_document_pages_us"
        error = classify(rpc("RESOURCE_EXHAUSTED", "Too many.", [info]))
        assert (error.kind, error.limit) == ("quota-pages", "pages")
        disabled = kinds.ErrorInfo(reason="SERVICE_DISABLED", domain="googleapis.com")
        assert classify(rpc("PERMISSION_DENIED", "No.", [disabled])).kind == "api-disabled"

    def test_a_sign_in_without_a_project_is_not_taken_for_an_api_that_is_off(self):
        from google.rpc.error_details_pb2 import ErrorInfo

        text = "The documentai.googleapis.com API requires a quota project, which is not set by default."
        info = ErrorInfo(
            reason="SERVICE_DISABLED", domain="googleapis.com", metadata={"consumer": "projects/764086051850"}
        )
        error = classify(rpc("PERMISSION_DENIED", text, [info]))
        assert error.kind == "no-quota-project"
        assert "set-quota-project" in error.remedy

    @pytest.mark.parametrize(
        ("reason", "metadata", "kind", "words"),
        [
            ("CONSUMER_INVALID", {"consumer": "projects/their", "service": "x"}, "wrong-project", "no project their"),
            ("USER_PROJECT_DENIED", {"consumer": "projects/their"}, "quota-project-denied", "project their"),
            ("IAM_PERMISSION_DENIED", {"permission": "documentai.processors.get", "resource": "projects/p"}, "permission",
             "lacks documentai.processors.get on projects/p"),
            ("IAM_PERMISSION_DENIED", {}, "denied", "No."),
        ],
    )  # fmt: skip
    def test_names_are_taken_from_the_details(self, reason, metadata, kind, words):
        from google.rpc.error_details_pb2 import ErrorInfo

        info = ErrorInfo(reason=reason, domain="googleapis.com", metadata=metadata)
        error = classify(rpc("PERMISSION_DENIED", "No.", [info]))
        assert error.kind == kind
        assert words in error.message
        assert "?" not in error.message

    def test_violations_are_shown_and_looked_at(self):
        from google.rpc import error_details_pb2 as kinds

        bad = kinds.BadRequest()
        bad.field_violations.add(
            field="raw_document.content", description="Document size (34381195) exceeds the limit: 20971520."
        )
        error = classify(rpc("INVALID_ARGUMENT", "Request contains an invalid argument.", [bad]))
        assert (error.kind, error.scope) == ("too-big", "document")
        assert "20971520 bytes are allowed" in error.message
        assert "34381195" in error.said

    def test_retry_info_is_waited(self):
        from google.protobuf.duration_pb2 import Duration
        from google.rpc import error_details_pb2 as kinds

        info = kinds.RetryInfo(retry_delay=Duration(seconds=2, nanos=500_000_000))
        assert classify(rpc("UNAVAILABLE", "Later.", [info])).after_s == 2.5

    def test_details_that_can_not_be_read_do_no_harm(self):
        import grpc
        from grpc.aio import AioRpcError, Metadata

        broken = AioRpcError(
            grpc.StatusCode.INTERNAL,
            Metadata(),
            Metadata(("grpc-status-details-bin", b"\xff\xff")),
            details="x",
        )
        assert classify(broken).kind == "internal"


class TestOtherLibraries:
    def test_storage(self):
        from google.api_core import exceptions

        denied = exceptions.Forbidden(
            "POST https://storage: docdask@p.iam.gserviceaccount.com does not have storage.objects.create access to it."
        )
        assert classify(denied).kind == "storage-permission"
        assert "storage.objects.create" in classify(denied).message
        assert classify(exceptions.NotFound("GET x: No such object: b/n.pdf")).kind == "object-not-found"
        assert classify(exceptions.TooManyRequests("slow down")).verdict == "capacity"
        assert classify(exceptions.GatewayTimeout("late")).verdict == "lost"
        assert classify(exceptions.ServiceUnavailable("down")).kind == "unavailable"
        cause = exceptions.ServiceUnavailable("down")
        assert classify(exceptions.RetryError("gave up", cause)).kind == "unavailable"

    def test_network(self):
        import requests

        assert classify(requests.ConnectionError("Max retries exceeded")).kind == "no-connection"
        assert classify(requests.Timeout("late")).kind == "deadline"
        assert classify(TimeoutError()).kind == "deadline"
        assert classify(ConnectionResetError("Connection reset by peer")).kind == "reply-lost"
        assert classify(asyncio.CancelledError()).verdict == "lost"

    def test_whatever_nobody_thought_of_is_told_with_its_name(self):
        error = classify(ZeroDivisionError("division by zero"))
        assert (error.kind, error.verdict) == ("unknown", "lost")
        assert "ZeroDivisionError: division by zero" in error.message

    def test_ours_is_left_as_it_is(self):
        error = make("corrupt")
        assert classify(error) is error

    def test_an_ok_status_is_no_error(self):
        from google.rpc.status_pb2 import Status

        assert of_status(Status()) is None
        assert of_status(Status(code=3, message="Invalid image content")).kind == "corrupt-image"
        assert of_status(Status(code=77, message="new")).code == "UNKNOWN"


class TestTheError:
    @pytest.mark.parametrize("rule", refusals.RULES, ids=lambda rule: rule.kind)
    def test_each_row_is_told_from_its_own_example(self, rule):
        error = example(rule)
        assert error.kind == rule.kind
        assert error.message[0] != " "
        assert not {"{{", "?"} & set(error.message)
        assert error.remedy or error.retry, "whoever reads it must be told what to do"
        assert isinstance(error, DocdaskError)
        assert isinstance(error, EngineError) == (rule.scope == "credentials")

    @pytest.mark.parametrize("rule", refusals.RULES, ids=lambda rule: rule.kind)
    def test_it_travels_between_processes(self, rule):
        error = example(rule)
        error.after_s = 1.5
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert vars(again) == vars(error)

    def test_credentials_errors_are_engine_errors_with_their_exit_code(self):
        error = make("expired")
        assert isinstance(error, CredentialsError)
        assert error.exit_code == EngineError.exit_code

    def test_kinds_are_unique_and_each_code_has_a_last_resort(self):
        kinds = [rule.kind for rule in refusals.RULES]
        assert len(kinds) == len(set(kinds))
        from docdask.service.saying import _CODES

        for code in _CODES[1:]:
            assert refusals.find(code, "words that no pattern knows")[0]

    def test_long_answers_are_cut(self):
        assert len(classify(rpc("INTERNAL", "x" * 10_000)).said) == 400


def test_the_page_of_errors_is_in_step_with_the_code():
    page = Path(__file__).parents[3] / "docs" / "errors.md"
    assert page.read_text(encoding="utf-8") == markdown(), "write it: python -m docdask.service.errors"
