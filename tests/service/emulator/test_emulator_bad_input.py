"""Whatever is sent, the emulator answers and goes on: no crash, no leaked task."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import urllib.error
import urllib.request

import grpc
import pytest
from emulator_requests import name, pdf, request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PROCESS = "/google.cloud.documentai.v1.DocumentProcessorService/ProcessDocument"


def raw_call(address, data, method=PROCESS):
    with grpc.insecure_channel(address) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(method)(data, timeout=10)
        return caught.value.code().name


def http(emulator, path, body=None, method=None, headers=None):
    asked = urllib.request.Request(emulator.http_url + path, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(asked, timeout=10) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def works(emulator):
    return emulator.documentai_client().process_document(request=request(pdf())).document.text


def leaked(emulator):
    """Tasks on the emulator's loop that belong to no server."""

    async def tasks():
        return [
            task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith(("batch-", "make-"))
        ]

    return emulator.run(tasks())


def test_malformed_protobuf_is_an_invalid_argument(emulator):
    assert raw_call(emulator.grpc_address, b"\xff\xff\xff") == "INVALID_ARGUMENT"
    assert raw_call(emulator.grpc_address, b"") == "INVALID_ARGUMENT"
    assert works(emulator)


def test_unknown_grpc_methods_are_unimplemented(emulator):
    assert raw_call(emulator.grpc_address, b"", PROCESS + "s") == "UNIMPLEMENTED"
    assert raw_call(emulator.grpc_address, b"", "/nothing.Here/At") == "UNIMPLEMENTED"


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"[]", b"1", b'"x"', b"\xff\xfe", b'{"rawDocument": 5}', b'{"rawDocument": {"content": "!"}}',
        b'{"fieldMask": 7}', b'{"processOptions": {"fromStart": "x"}}', b'{"rawDocument": null}', b"{}",
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000, b'{"labels": {"a": {}}}',
    ],
)  # fmt: skip
def test_malformed_json_is_a_400_in_googles_shape(emulator, body):
    status, reply = http(emulator, f"/v1/{name()}:process", body)
    error = json.loads(reply)["error"]
    assert (status, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")


def test_unknown_paths_and_verbs(emulator):
    assert http(emulator, "/v1/nothing")[0] == 404
    assert http(emulator, f"/v1/{name()}:explode", b"{}")[0] == 404
    assert http(emulator, f"/v1/{name()}", b"{}", "PUT")[0] == 501
    assert http(emulator, "/storage/v1/nothing")[0] == 404
    assert http(emulator, "/emulator/nothing")[0] == 404
    assert http(emulator, "/upload/storage/v1/b/none/o?uploadType=multipart", b"x")[0] == 404
    assert http(emulator, "/batch/storage/v1", b"x", "POST")[0] == 400
    assert http(emulator, "/token", b"", "POST")[0] == 400


def test_a_body_over_the_limit_is_refused_before_it_is_read(emulator):
    host, port = emulator.http_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        head = f"POST /v1/{name()}:process HTTP/1.1\r\nHost: x\r\nContent-Length: {10**12}\r\n\r\n"
        connection.sendall(head.encode() + b"{")
        answer = connection.recv(4096)
    assert b" 400 " in answer.split(b"\r\n")[0]
    assert works(emulator)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
def test_any_bytes_on_either_port_get_an_answer_or_a_closed_connection(emulator, data):
    ports = (emulator.grpc_address, emulator.http_url.removeprefix("http://"))
    for address in ports:
        host, port = address.split(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(data + b"\r\n\r\n")
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass


def test_a_thousand_connections_at_once_and_connections_that_are_cut(emulator):
    host, port = emulator.http_url.removeprefix("http://").split(":")
    connections = [socket.create_connection((host, int(port)), timeout=10) for _ in range(1000)]
    _, grpc_port = emulator.grpc_address.split(":")
    connections += [socket.create_connection((host, int(grpc_port)), timeout=10) for _ in range(1000)]
    try:
        half = f"POST /v1/{name()}:process HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{".encode()
        for connection in connections[:500]:
            connection.sendall(half)
        assert works(emulator)
    finally:
        for connection in connections:
            connection.close()
    assert works(emulator)
    assert emulator.stats()["in_flight"] == 0
    assert leaked(emulator) == []


def test_a_caller_that_hangs_up_is_billed_and_leaves_no_task():
    from docdask.core.server import Latency, ServerSettings
    from docdask.service.emulator import EmulatorConfig
    from docdask.testing import running_emulator

    server = ServerSettings(latency=Latency(base_ns=3600 * 10**9))
    with running_emulator(EmulatorConfig(ocr="fast", server=server)) as emulator:
        data = type(request(pdf())).serialize(request(pdf()))
        assert_deadline(emulator, data)
        rows = wait_for_row(emulator)
        assert (rows[0]["code"], rows[0]["billed_pages"], rows[0]["hung_up"]) == ("OK", 1, True)
        assert emulator.stats()["in_flight"] == 0


def assert_deadline(emulator, data):
    with grpc.insecure_channel(emulator.grpc_address) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(PROCESS)(data, timeout=1)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def wait_for_row(emulator):
    for _ in range(1000):
        rows = emulator.calls()
        if rows:
            return rows
    raise AssertionError


def test_a_storage_request_with_nonsense_gets_an_error(emulator):
    emulator.storage_client().create_bucket("bucket")
    base = "/storage/v1/b/bucket/o"
    assert http(emulator, f"{base}?maxResults=x")[0] == 400
    assert http(emulator, f"{base}/a?ifGenerationMatch=x")[0] == 400
    assert http(emulator, "/upload/storage/v1/b/bucket/o?uploadType=media", b"x", "POST")[0] == 400
    assert http(emulator, "/upload/storage/v1/b/bucket/o?upload_id=none", b"x", "PUT")[0] == 404
    assert http(emulator, "/storage/v1/b", b"{", "POST")[0] == 400
    assert http(emulator, "/storage/v1/b", b'{"name": "A"}', "POST")[0] == 400


def test_a_png_cut_short_is_answered(emulator):
    from PIL import Image

    out = io.BytesIO()
    Image.effect_noise((300, 200), 80).save(out, "PNG")
    cut = request(out.getvalue()[:-20_000], "image/png")
    assert emulator.documentai_client().process_document(request=cut, retry=None).document.text


@pytest.mark.corpus
def test_files_that_mean_harm_are_answered_and_never_an_internal_error(corpus):
    import csv

    from google.api_core import exceptions

    from docdask.core.limits import DEFAULT_BOOK
    from docdask.core.server import ServerSettings
    from docdask.service.emulator import EmulatorConfig
    from docdask.testing import running_emulator

    server = ServerSettings(limits=DEFAULT_BOOK.override({"online_requests": 1000}))
    codes = {}
    with running_emulator(EmulatorConfig(ocr="fast", server=server)) as emulator:
        client = emulator.documentai_client()
        with (corpus / "manifest.csv").open() as file:
            rows = [row for row in csv.DictReader(file) if row["kind"] == "hostile"]
        for row in rows:
            mime_type = row["mime"] if row["mime"].startswith("image/") else "application/pdf"
            try:
                client.process_document(
                    request=request((corpus / row["path"]).read_bytes(), mime_type), retry=None
                )
                codes[row["path"]] = "OK"
            except exceptions.GoogleAPICallError as error:
                codes[row["path"]] = error.grpc_status_code.name
    assert len(codes) > 30
    assert set(codes.values()) == {"OK", "INVALID_ARGUMENT"}
