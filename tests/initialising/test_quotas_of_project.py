"""Quotas are read from either API of Google, or assumed with the reason told."""

from __future__ import annotations

import http.server
import json
import threading
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from docdask.core.limits import DEFAULT_BOOK
from docdask.service.quotas import of_emulator, of_project

ONLINE = "documentai.googleapis.com/processor_online_process_document_requests_us"
BATCH = "documentai.googleapis.com/processor_batch_process_document_concurrent_requests_eu"
DISABLED = {"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "It is off. Turn it on.", "details": [{"reason": "SERVICE_DISABLED"}]}}  # fmt: skip

CLOUD = [
    {"quotaInfos": [
        {"quotaId": "ProcessorOnlineRequestsPerMinutePerProjectUS", "metric": ONLINE, "refreshInterval": "minute",
         "dimensions": ["processor_type"], "dimensionsInfos": [
            {"details": {"value": "120"}},
            {"dimensions": {"processor_type": "OCR_PROCESSOR"}, "details": {"value": "250"}}]},
        {"quotaId": "PerDay", "metric": ONLINE, "refreshInterval": "day", "dimensionsInfos": [{"details": {"value": "9"}}]},
    ], "nextPageToken": "more"},
    {"quotaInfos": [
        {"metric": BATCH, "dimensionsInfos": [{"details": {"value": "10"}}]},
        {"quotaId": "RequestsPerMinutePerUser", "metric": "documentai.googleapis.com/default_requests", "refreshInterval": "minute",
         "dimensionsInfos": [{"details": {"value": "3000"}}]},
        {"quotaId": "Unlimited", "metric": ONLINE.replace("_us", "_eu"), "refreshInterval": "minute",
         "dimensionsInfos": [{"details": {"value": "-1"}}]},
        {"metric": "documentai.googleapis.com/something_new", "dimensionsInfos": [{"details": {"value": "1"}}]},
    ]},
]  # fmt: skip
USAGE = [
    {"metrics": [
        {"metric": ONLINE, "consumerQuotaLimits": [
            {"unit": "1/min/{project}/{processor_type}", "quotaBuckets": [
                {"effectiveLimit": "120"}, {"effectiveLimit": "60", "dimensions": {"processor_type": "OCR_PROCESSOR"}}]},
            {"unit": "1/d/{project}", "quotaBuckets": [{"effectiveLimit": "5"}]}]},
        {"metric": BATCH, "consumerQuotaLimits": [{"unit": "1/{project}", "quotaBuckets": [{"effectiveLimit": "7"}]}]},
    ]},
]  # fmt: skip


class _Google(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        where = urlsplit(self.path)
        self.server.asked.append(where.path)
        answers = self.server.cloud if "quotaInfos" in where.path else self.server.usage
        status, body = answers if isinstance(answers, tuple) else (200, answers)
        if isinstance(body, list):
            body = body[1 if parse_qs(where.query).get("pageToken") else 0]
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def google():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Google)
    server.asked, server.cloud, server.usage = [], (403, DISABLED), (403, DISABLED)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def read(server):
    url = f"http://127.0.0.1:{server.server_port}"
    with requests.Session() as session:
        return of_project("my-project", session=session, endpoints=(url, url))


def test_cloud_quotas_are_asked_first(google):
    google.cloud = CLOUD
    found = read(google)
    assert (found.source, found.assumed) == ("Cloud Quotas", False)
    assert found.limits == {
        "online_requests.us": 120, "online_requests.us.OCR_PROCESSOR": 250, "batch_operations.eu": 10, "user_requests": 3000,
    }  # fmt: skip
    assert set(google.asked) == {
        "/v1/projects/my-project/locations/global/services/documentai.googleapis.com/quotaInfos"
    }
    assert DEFAULT_BOOK.override(found.limits).quota("online_requests", "us", "OCR_PROCESSOR") == 250


def test_service_usage_is_asked_where_those_are_off(google):
    google.usage = USAGE
    found = read(google)
    assert found.source == "Service Usage"
    assert found.limits == {
        "online_requests.us": 120,
        "online_requests.us.OCR_PROCESSOR": 60,
        "batch_operations.eu": 7,
    }


@pytest.mark.parametrize(
    ("cloud", "usage", "words"),
    [
        ((403, DISABLED), (403, {"error": {"message": "no"}}), ["not enabled", "roles/servicemanagement.quotaViewer"]),
        ((404, {"error": {"message": "There is no such project. Look."}}), (502, b"<html>"), ["HTTP 404: There is no such project", "HTTP 502"]),
        ([{"quotaInfos": []}], [{}], ["lists none"]),
        ((200, b"no json"), (200, b"[]"), ["can't be read"]),
    ],
)  # fmt: skip
def test_otherwise_they_are_assumed_and_the_reason_told(google, cloud, usage, words):
    google.cloud, google.usage = cloud, usage
    found = read(google)
    assert (found.assumed, dict(found.limits)) == (True, {})
    for word in words:
        assert word in found.refusal


def test_nobody_is_there():
    with requests.Session() as session:
        found = of_project("p", session=session, endpoints=("http://127.0.0.1:1", "http://127.0.0.1:1"))
    assert found.assumed
    assert "can't be reached" in found.refusal


def test_without_credentials_they_are_assumed(monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    found = of_project("p")
    assert found.assumed
    assert "missing.json" in found.refusal


def test_an_emulator_tells_its_own(emulator, monkeypatch):
    monkeypatch.setenv("DOCUMENTAI_EMULATOR_URL", emulator.http_url)
    assert not of_emulator(emulator.grpc_address).assumed
    monkeypatch.setenv("DOCUMENTAI_EMULATOR_URL", "http://127.0.0.1:1")
    assert of_emulator(emulator.grpc_address).assumed


def test_an_emulator_whose_http_side_is_not_known(monkeypatch, tmp_path):
    monkeypatch.delenv("DOCUMENTAI_EMULATOR_URL", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert "DOCUMENTAI_EMULATOR_URL" in of_emulator("127.0.0.1:1").refusal
