"""The command: addresses, environment, TLS, signals, and a state folder that survives a kill."""

from __future__ import annotations

import datetime
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import grpc
import pytest
from click.testing import CliRunner
from emulator_process import emulator_process, run_command
from emulator_requests import PLACE, name, pdf, request
from google.api_core import exceptions
from google.cloud import documentai_v1 as documentai

from docdask.core.server.latency import GOOGLE, Latency
from docdask.errors import UsageError
from docdask.service.emulator.command import _config, emulator_command
from docdask.service.emulator.config import parse_latency, parse_pairs, parse_quotas, parse_switches


def options(*arguments):
    with emulator_command.make_context("emulator", list(arguments)) as context:
        return _config(context.params)


def test_options_reach_the_settings(tmp_path):
    config = options(
        "--quota", "600", "--quota", "batch_operations.eu=9", "--window", "bucket/4", "--latency", "google", "--speed", "60",
        "--profile", "flaky", "--switch", "quota_details=full", "--switch", "retry_info=true", "--deny", "a.b", "--state",
        str(tmp_path), "--bucket", "one", "--bucket", "two",
    )  # fmt: skip
    server = config.server
    assert server.limits.quota("online_requests", "us", "OCR_PROCESSOR") == 600
    assert server.limits.quota("batch_operations", "eu") == 9
    assert (server.window, server.latency, server.faults.unavailable) == ("bucket/4", GOOGLE, 0.05)
    assert (server.switches.quota_details, server.switches.retry_info) == ("full", True)
    assert (config.speed, config.buckets, config.state) == (60.0, ("one", "two"), tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--quota", "x"), ("--quota", "online_requests=x"), ("--quota", "nothing=5"), ("--window", "x"), ("--latency", "x"),
        ("--latency", "-1"), ("--speed", "0"), ("--profile", "x"), ("--switch", "x=1"), ("--switch", "quota_details=x"),
        ("--switch", "retry_info=x"), ("--switch", "max_pages_per_shard=x"),
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(arguments):
    with pytest.raises(UsageError):
        options(*arguments)


def test_texts_of_options_are_read():
    assert parse_latency("1+0.75~0.3") == Latency(
        base_ns=10**9, page_ns=750_000_000, tail=0.3, batch_base_ns=10**9, batch_page_ns=750_000_000
    )
    assert parse_pairs(["a=1_000"], "--x") == {"a": 1000}
    assert parse_quotas(["12"]) == {"online_requests": 12}
    assert parse_switches(["max_pages_per_shard=5"]).max_pages_per_shard == 5


@pytest.mark.slow
def test_env_prints_exports_for_the_emulator_that_runs(tmp_path):
    with emulator_process(folder=tmp_path) as running:
        done = run_command("env", "--key", str(tmp_path / "key.json"), folder=tmp_path)
        exports = dict(line.removeprefix("export ").split("=", 1) for line in done.stdout.splitlines())
        assert exports["DOCUMENTAI_EMULATOR_HOST"] == running.addresses["grpc"]
        assert exports["STORAGE_EMULATOR_HOST"] == running.addresses["http"]
        assert Path(exports["GOOGLE_APPLICATION_CREDENTIALS"]).exists()
        assert running.end() == 0
    assert "no emulator of yours is running" in run_command("env", folder=tmp_path).stderr
    ports = CliRunner().invoke(emulator_command, ["env", "--grpc-port", "1", "--http-port", "2"])
    assert "DOCUMENTAI_EMULATOR_HOST=127.0.0.1:1" in ports.output


@pytest.mark.slow
def test_state_survives_kill_9(tmp_path):
    state = ("--state", str(tmp_path / "state"), "--quota", "online_requests=3")
    with emulator_process(*state, "--latency", "3600", folder=tmp_path) as first:
        client = first.handle.documentai_client()
        made = client.create_processor(
            parent=PLACE, processor=documentai.Processor(display_name="kept", type_="OCR_PROCESSOR")
        )
        bucket = first.handle.storage_client().create_bucket("bucket")
        bucket.blob("a.pdf").upload_from_string(pdf(2))
        operation = client.batch_process_documents(
            request=documentai.BatchProcessRequest(
                name=made.name,
                input_documents={
                    "gcs_documents": {
                        "documents": [{"gcs_uri": "gs://bucket/a.pdf", "mime_type": "application/pdf"}]
                    }
                },
                document_output_config={"gcs_output_config": {"gcs_uri": "gs://bucket/out"}},
            )
        )
        before = first.handle.stats()
        assert first.end(signal.SIGKILL) == -signal.SIGKILL
    with emulator_process(*state, folder=tmp_path) as second:
        client = second.handle.documentai_client()
        assert client.get_processor(name=made.name).display_name == "kept"
        stats = second.handle.stats()
        assert stats["calls_ok"] == before["calls_ok"] + 1
        # Without the delay the batch that was cut begins anew and ends.
        full = operation.operation.name
        while not client.get_operation({"name": full}).done:
            pass
        assert second.handle.stats()["pages_billed"] == 2
        assert second.handle.storage_client().bucket("bucket").get_blob("a.pdf").download_as_bytes() == pdf(2)
        for _ in range(3):
            client.process_document(request=request(pdf()), retry=None)
        second.end(signal.SIGKILL)
    with emulator_process(*state, folder=tmp_path) as third:
        client = third.handle.documentai_client()
        with pytest.raises(exceptions.ResourceExhausted):
            client.process_document(request=request(pdf()), retry=None)
        assert client.get_operation({"name": full}).done
        assert third.handle.stats()["pages_billed"] == 5
        assert third.end() == 0


@pytest.mark.slow
def test_sigterm_lets_calls_end(tmp_path):
    with emulator_process("--latency", "1.5", folder=tmp_path) as running:
        client = running.handle.documentai_client()
        replies = []
        thread = threading.Thread(
            target=lambda: replies.append(client.process_document(request=request(pdf()), retry=None))
        )
        thread.start()
        while not running.handle.stats()["in_flight"]:
            pass
        running.process.send_signal(signal.SIGTERM)
        thread.join(20)
        assert replies
        assert replies[0].document.text
        assert running.process.wait(20) == 0
        running.end()
        assert "Traceback" not in running.errors


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for localhost that is its own authority."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.DNSName("*.googleapis.com")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    return folder / "cert.pem", folder / "key.pem"


@pytest.mark.slow
def test_both_ports_speak_tls_with_a_certificate(tmp_path, certificate):
    import urllib.request

    cert, key = certificate
    with emulator_process("--tls-cert", str(cert), "--tls-key", str(key), folder=tmp_path) as running:
        port = running.addresses["grpc"].rsplit(":", 1)[1]
        credentials = grpc.ssl_channel_credentials(cert.read_bytes())
        with grpc.secure_channel(f"localhost:{port}", credentials) as channel:
            transport = documentai.DocumentProcessorServiceClient.get_transport_class("grpc")(channel=channel)
            client = documentai.DocumentProcessorServiceClient(transport=transport)
            assert client.process_document(request=request(pdf())).document.text
        context = ssl.create_default_context(cafile=str(cert))
        url = running.addresses["http"].replace("127.0.0.1", "localhost")
        assert url.startswith("https://")
        with urllib.request.urlopen(f"{url}/v1/{name()}", context=context) as reply:
            assert b"OCR_PROCESSOR" in reply.read()
        context.set_alpn_protocols(["h2"])
        host, secure = url.removeprefix("https://").split(":")
        plain = socket.create_connection((host, int(secure)), timeout=10)
        with context.wrap_socket(plain, server_hostname=host) as wrapped:
            assert wrapped.selected_alpn_protocol() == "h2"
            wrapped.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
            assert wrapped.recv(9)[3] == 4  # the server's SETTINGS
        assert running.end() == 0


@pytest.mark.slow
def test_a_port_that_is_taken_is_said(tmp_path):
    with emulator_process(folder=tmp_path) as running:
        port = running.addresses["http"].rsplit(":", 1)[1]
        done = run_command("--http-port", port, folder=tmp_path)
        assert done.returncode != 0
        assert "can't listen" in done.stderr


@pytest.mark.slow
def test_one_half_of_a_certificate_is_refused(tmp_path, certificate):
    done = run_command("--tls-cert", str(certificate[0]), folder=tmp_path)
    assert "one of certificate and key is missing" in done.stderr


HARD_WIRED = """
import sys
from google.api_core.client_options import ClientOptions
from google.cloud import documentai, storage
from google.cloud.documentai_toolbox import document as toolbox

options = ClientOptions(api_endpoint="us-documentai.googleapis.com")
client = documentai.DocumentProcessorServiceClient(client_options=options)
raw = documentai.RawDocument(content=open(sys.argv[1], "rb").read(), mime_type="application/pdf")
name = client.processor_path("my-project", "us", "ocr")
print(client.process_document(request=documentai.ProcessRequest(name=name, raw_document=raw)).document.text.split()[0])
bucket = storage.Client().create_bucket("hard-wired")
bucket.blob("a.pdf").upload_from_filename(sys.argv[1])
operation = client.batch_process_documents(request=documentai.BatchProcessRequest(
    name=name,
    input_documents={"gcs_documents": {"documents": [{"gcs_uri": "gs://hard-wired/a.pdf", "mime_type": "application/pdf"}]}},
    document_output_config={"gcs_output_config": {"gcs_uri": "gs://hard-wired/out"}},
))
operation.result(timeout=60)
(whole,) = toolbox.Document.from_batch_process_operation(location="us", operation_name=operation.operation.name)
print(len(whole.pages))
rest = documentai.DocumentProcessorServiceClient(transport="rest", client_options=options)
print(rest.get_processor(name=name).type_)
"""


@pytest.mark.slow
def test_code_whose_endpoint_is_hard_wired_is_led_here_by_the_proxy(tmp_path, certificate):
    cert, key = certificate
    (tmp_path / "a.pdf").write_bytes(pdf(2))
    arguments = ("--tls-cert", str(cert), "--tls-key", str(key), "--proxy-port", "0")
    with emulator_process(*arguments, folder=tmp_path) as running:
        done = run_command("env", "--key", str(tmp_path / "key.json"), folder=tmp_path)
        exports = dict(line.removeprefix("export ").split("=", 1) for line in done.stdout.splitlines())
        assert "STORAGE_EMULATOR_HOST" not in exports  # storage is hard-wired as well
        environment = {**os.environ, **exports}
        command = [sys.executable, "-c", HARD_WIRED, str(tmp_path / "a.pdf")]
        ended = subprocess.run(
            command, capture_output=True, text=True, env=environment, check=False, timeout=120
        )
        assert ended.returncode == 0, ended.stderr[-3000:]
        assert ended.stdout.split() == ["Page", "2", "OCR_PROCESSOR"]
        host, port = running.addresses["proxy"].removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(b"CONNECT example.com:443 HTTP/1.1\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 403")
        assert running.end() == 0


def test_a_proxy_without_tls_is_refused(tmp_path):
    assert "leads nowhere" in run_command("--proxy-port", "0", "--ocr", "fast", folder=tmp_path).stderr
