"""Who is signed in is found out once, and whatever is wrong with it is one sentence with its remedy."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
import sys
import urllib.request

import pytest
from documentai_files import configuration, pdf, place, processor

from docdask.errors import EngineError
from docdask.service.documentai import DocumentAI, credentials
from docdask.service.emulator.keyfile import write_key
from docdask.service.errors import CredentialsError, ServiceError, classify


@pytest.fixture
def nobody(monkeypatch, tmp_path):
    """A machine on which nobody is signed in, and that is none of Google's."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")


@pytest.fixture
def key(monkeypatch, tmp_path, nobody):
    """Put a key file in place and name it."""

    def put(content: str | bytes):
        path = tmp_path / "key.json"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
        return path

    return put


def account(tmp_path, **changes):
    path = tmp_path / "made.json"
    write_key(path, "http://127.0.0.1:1/token")
    fields = {**json.loads(path.read_text()), **changes}
    return json.dumps({name: value for name, value in fields.items() if value is not None})


USER = {"type": "authorized_user", "client_id": "1", "client_secret": "2", "refresh_token": "3"}


def refused():
    with pytest.raises(ServiceError) as caught:
        credentials.load()
    return caught.value


def test_nobody_is_signed_in(nobody):
    error = refused()
    assert error.kind == "no-credentials"
    assert "gcloud auth application-default login" in error.remedy
    assert isinstance(error, CredentialsError)
    assert isinstance(error, EngineError)


def test_the_key_file_is_missing(nobody, monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    error = refused()
    assert error.kind == "key-missing"
    assert str(tmp_path / "none.json") in error.message


@pytest.mark.parametrize(
    "content",
    ["", "{", "not json at all", b"\xff\xfe\x00", "[]", "{}", '{"type": "nothing"}', '{"type": "service_account"}',
     '{"type": "authorized_user"}', '{"web": {"client_id": "1"}}'],
)  # fmt: skip
def test_the_key_file_is_something_else(key, content):
    path = key(content)
    error = refused()
    assert error.kind == "key-wrong", error.said
    assert error.scope == "credentials"
    assert not error.retry
    assert str(path) in error.message or "can't be used" in error.message


@pytest.mark.parametrize(
    "changes", [{"private_key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}, {"private_key": "x"},
                {"private_key": None}, {"client_email": None}],
)  # fmt: skip
def test_the_key_in_it_is_broken(key, tmp_path, changes):
    key(account(tmp_path, **changes))
    assert refused().kind == "key-wrong"


def test_a_folder_is_no_key_file(nobody, monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path))
    assert refused().kind == "key-wrong"


def test_a_service_account_needs_no_token_server(key, tmp_path):
    key(account(tmp_path))
    found = credentials.load()
    assert found.service_account_email == "emulator@emulator.iam.gserviceaccount.com"


@pytest.mark.parametrize(("named", "counted"), [({}, "my-project"), ({"quota_project_id": "other"}, "other")])
def test_a_persons_calls_are_counted_for_the_project_that_is_called(key, monkeypatch, named, counted):
    key(json.dumps({**USER, **named}))
    token = {"access_token": "t", "expires_in": 3600, "token_type": "Bearer"}
    monkeypatch.setattr(credentials, "_request", lambda: lambda **asked: _Answer(200, token))
    headers = {}
    credentials.load("my-project").apply(headers)
    assert headers["x-goog-user-project"] == counted


def test_a_service_accounts_calls_are_counted_for_its_own_project(key, tmp_path):
    key(account(tmp_path))
    assert credentials.load("my-project").quota_project_id is None


class _Answer:
    def __init__(self, status, body):
        self.status, self.data, self.headers = status, json.dumps(body).encode(), {}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"error": "invalid_grant", "error_description": "Token has been expired or revoked."}, "expired"),
        ({"error": "invalid_grant", "error_subtype": "invalid_rapt", "error_description": "reauth related error"}, "expired"),
        ({"error": "invalid_client", "error_description": "The OAuth client was not found."}, "key-refused"),
        ({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, "key-refused"),
        ({"error": "deleted_client", "error_description": "The OAuth client was deleted."}, "key-refused"),
        ({"error": "access_denied", "error_description": "Account restricted"}, "unauthenticated"),
    ],
)  # fmt: skip
def test_google_gives_no_token(key, monkeypatch, body, kind):
    key(json.dumps(USER))
    monkeypatch.setattr(credentials, "_request", lambda: lambda **asked: _Answer(400, body))
    assert refused().kind == kind


def test_the_token_server_is_out_of_reach(key, monkeypatch):
    key(json.dumps(USER))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    error = refused()
    assert (error.kind, error.scope, error.retry) == ("auth-unreachable", "client", True)
    assert not isinstance(error, EngineError)


def test_a_bad_reply_of_the_library_is_told_too():
    from google.auth.exceptions import GoogleAuthError, TransportError

    assert classify(GoogleAuthError("new kind")).kind == "unauthenticated"
    assert classify(TransportError("Connection timed out")).kind == "auth-unreachable"
    assert classify(OSError("disk"), source="credentials").scope == "credentials"


class TestThroughTheClient:
    def test_a_call_and_a_check_say_it_once(self, nobody):
        async def both():
            client = DocumentAI(configuration())
            try:
                calls = [client.process(place(), processor(), pdf(), "application/pdf") for _ in range(3)]
                answers = await asyncio.gather(*calls, return_exceptions=True)
                return answers, await client.check()
            finally:
                await client.close()

        answers, checks = asyncio.run(both())
        assert {answer.kind for answer in answers} == {"no-credentials"}
        assert [(check.subject, check.status) for check in checks] == [("credentials", "failed")]
        assert checks[0].error.scope == "credentials"

    def test_an_emulator_needs_none(self, nobody, use):
        async def call(client, staging):
            return await client.process(place(), processor(), pdf(), "application/pdf")

        assert use(call).document


OVER_TLS = """
import asyncio, hashlib, sys
sys.path.insert(0, sys.argv[1])
from documentai_files import configuration, ended, parse, pdf, place, processor
from docdask.service.documentai import DocumentAI
from docdask.service.errors import ServiceError
from docdask.service.staging import Staging

async def main():
    client = DocumentAI(configuration())
    try:
        answer = await client.process(place(), processor(), pdf(2), "application/pdf")
    except ServiceError as error:
        print(error.kind)
        return
    finally:
        if sys.argv[2] == "fails":
            await client.close()
    print(len(parse(answer.document).pages), {check.status for check in await client.check()})
    staging = Staging("gs://over-tls/stage")
    from google.cloud import storage
    storage.Client(project="p").create_bucket("over-tls")
    print((await staging.check()).status)
    content = pdf(12)
    uri = await staging.upload(hashlib.sha256(content).hexdigest(), "application/pdf", content)
    name = await client.submit(place(), processor(), [(uri, "application/pdf")], staging.output_prefix("r"))
    async for _, document in staging.collect(await ended(client, name), {uri: 12}):
        print(len(parse(document).pages))
    await client.close()
    await staging.close()

asyncio.run(main())
"""


@pytest.mark.slow
def test_over_tls_with_a_key_file_and_googles_own_host_names(tmp_path, monkeypatch):
    """The real way: endpoint by location, TLS, self-signed tokens; a proxy leads the host names to the emulator."""
    from pathlib import Path

    here = Path(__file__).parent
    monkeypatch.syspath_prepend(str(here.parent / "emulator"))
    from emulator_process import emulator_process, run_command

    cert, private = certificate(tmp_path)
    arguments = ("--tls-cert", str(cert), "--tls-key", str(private), "--proxy-port", "0")
    with emulator_process(*arguments, folder=tmp_path) as running:
        done = run_command("env", "--key", str(tmp_path / "key.json"), folder=tmp_path)
        exports = dict(line.removeprefix("export ").split("=", 1) for line in done.stdout.splitlines())

        def run(what, **changes):
            environment = {**os.environ, **exports, **changes}
            command = [sys.executable, "-c", OVER_TLS, str(here), what]
            return subprocess.run(
                command, capture_output=True, text=True, env=environment, check=False, timeout=120
            )

        good = run("works")
        assert good.stdout.splitlines() == ["2 {'ok'}", "ok", "12"], good.stderr[-3000:]
        strange = run("fails", GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=str(certificate(tmp_path / "other")[0]))
        assert strange.stdout.split() == ["tls"], strange.stderr[-3000:]
        context = ssl.create_default_context(cafile=str(cert))
        context.check_hostname = False  # the books are asked by address
        url = f"{running.addresses['http']}/emulator/calls?method=ProcessDocument"
        with urllib.request.urlopen(url, context=context) as reply:
            users = {row["user"] for row in json.load(reply)["calls"]}
        assert users == {"emulator@emulator.iam.gserviceaccount.com"}


def certificate(folder):
    """A certificate for Google's host names that is its own authority."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    folder.mkdir(exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "googleapis.com")])
    names = x509.SubjectAlternativeName([x509.DNSName("*.googleapis.com")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(1)
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - day).not_valid_after(now + day).add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    return folder / "cert.pem", folder / "key.pem"
