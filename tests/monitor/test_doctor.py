"""The doctor about Document AI: asks nobody unless something is configured, and then says what would be billed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from docdask.monitor import documentai
from docdask.testing import emulator, emulator_config  # noqa: F401
from tests.processes import Machine

REAL = '[documentai]\nproject = "p"\nlocation = "us"\n[documentai.processors.ocr]\nprocessor = "ocr"\n'


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def looked(folder):
    """A function that writes a file and gives the checks by name."""

    def look(text: str = "", **environment: str):
        (folder / "docdask.toml").write_text(text)
        return {check.name: check for check in documentai.checks(environment)}

    return look


def test_nothing_configured_is_no_problem_and_imports_no_client(folder):
    program = (
        "import sys; from docdask.monitor import documentai\n"
        "found = list(documentai.checks({}))\n"
        "assert [(one.name, one.state) for one in found] == [('Document AI', 'missing')], found\n"
        "assert 'docdask init' in found[0].remedy\n"
        "assert not {'grpc', 'google.auth', 'urllib3'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=folder, timeout=60)


def test_an_emulator_is_said_to_be_one(looked, emulator):  # noqa: F811
    found = looked(REAL, DOCUMENTAI_EMULATOR_HOST=emulator.grpc_address)
    assert found["money"].found == f"EMULATED: nothing billed (emulator at {emulator.grpc_address})"
    assert (found["credentials"].state, found["ocr in us"].state) == ("ok", "ok")
    assert emulator.stats()["pages_billed"] == 0


def test_a_processor_that_is_not_there_is_a_problem(looked, emulator):  # noqa: F811
    text = REAL.replace('processor = "ocr"', 'processor = "nowhere"')
    found = looked(text, DOCUMENTAI_EMULATOR_HOST=emulator.grpc_address)
    assert found["ocr in us"].state == "problem"
    assert found["ocr in us"].remedy


def test_real_money_is_said_and_credentials_are_looked_for(looked, monkeypatch, folder):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(folder / "missing.json"))
    found = looked(REAL)
    assert found["money"].found == "Google project p, location us: real money"
    assert found["quotas"].state == "missing"
    assert found["credentials"].state == "problem"
    assert "missing.json" in found["credentials"].found


def test_an_emulator_with_a_real_bucket_is_a_problem(looked, emulator):  # noqa: F811
    text = REAL.replace("[documentai]", '[documentai]\nstaging = "gs://b/x"', 1)
    host = {"DOCUMENTAI_EMULATOR_HOST": emulator.grpc_address}
    assert looked(text, **host)["Document AI"].state == "problem"
    assert looked(text, **host, STORAGE_EMULATOR_HOST=emulator.http_url)["staging bucket"].state == "ok"


@pytest.mark.parametrize(
    ("text", "environment", "words"),
    [
        (REAL.replace("location", "locaton"), {}, "did you mean location?"),
        (REAL, {"DOCUMENTAI_EMULATOR_HOST": "http://x"}, "host:port"),
        (REAL.replace("[documentai]", "[documentai]\nemulated = true", 1), {}, "DOCUMENTAI_EMULATOR_HOST"),
    ],
)
def test_a_configuration_that_is_wrong_is_a_problem(looked, text, environment, words):
    (check,) = looked(text, **environment).values()
    assert check.state == "problem"
    assert words in check.remedy


def test_the_command_tells_it(folder):
    (folder / "docdask.toml").write_text(REAL)
    machine = Machine(folder / "state", DOCUMENTAI_EMULATOR_HOST="127.0.0.1:1")
    told = machine.run("doctor", "--json", cwd=folder)
    found = {check["name"]: check for check in json.loads(told.stdout)["checks"]}
    assert told.returncode == 1
    assert "127.0.0.1:1" in found["money"]["found"]
    assert found["ocr in us"]["state"] == "problem"
