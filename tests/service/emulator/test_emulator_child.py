"""An emulator of one's own: what is configured is there, and it ends with whoever started it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request

import grpc
import psutil
import pytest
from emulator_requests import pdf
from google.cloud import documentai_v1 as documentai

from docdask.configuration import EMULATOR_OPTIONS, load_configuration
from docdask.errors import EngineError, UsageError
from docdask.service.emulator.child import EmulatorProcess
from docdask.service.emulator.command import emulator_command
from tests.processes import wait_until

FAST = {"ocr": "fast"}
CONFIGURED = """
[documentai]
project = "my-project"
location = "eu"
staging = "gs://my-bucket/docdask"
[documentai.processors.bills]
type = "invoice"
processor = "0123abcd"
version = "my-own-v3"
[documentai.processors.slips]
type = "pay-slip"
processor = "projects/my-project/locations/us/processors/ffff"
[documentai.limits]
online_requests = 7
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Temporary files go here, and no file of the user is read."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def process(emulator: EmulatorProcess, name: str, pages: int = 1):
    client = documentai.DocumentProcessorServiceClient
    with grpc.insecure_channel(emulator.grpc_address) as channel:
        made = client(transport=client.get_transport_class("grpc")(channel=channel))
        raw = documentai.RawDocument(content=pdf(pages), mime_type="application/pdf")
        return made.process_document({"name": name, "raw_document": raw}, retry=None).document


def asked(emulator: EmulatorProcess, path: str):
    with urllib.request.urlopen(emulator.http_url + path, timeout=30) as reply:
        return json.load(reply)


def test_what_is_configured_is_there(folder):
    (folder / "docdask.toml").write_text(CONFIGURED)
    configuration = load_configuration("emulator", environment={}, options={"quota": "batch_operations=2"})
    with EmulatorProcess(configuration, {**FAST, "quota": "batch_operations=2"}) as emulator:
        for processor in configuration.processors.values():
            assert len(process(emulator, processor.places[0].target, 2).pages) == 2
        assert emulator.stats()["pages_billed"] == 4
        assert [row["version"] for row in emulator.calls(processor="0123abcd")] == ["my-own-v3"]
        assert [bucket["name"] for bucket in asked(emulator, "/storage/v1/b?project=p")["items"]] == [
            "my-bucket"
        ]
        quotas = asked(emulator, "/emulator/limits")["quotas"]
        assert (quotas["online_requests"]["eu"], quotas["batch_operations"]["us"]) == (7, 2)


def test_nothing_is_left_of_it(folder):
    emulator = EmulatorProcess(options=FAST).start()
    pid = emulator.pid
    assert os.getsid(pid) == pid, "Ctrl-C in the parent's terminal must not reach it"
    assert {path.suffix for path in folder.iterdir()} <= {""}, "`docdask emulator env` must not find it"
    emulator.stop()
    emulator.stop()
    assert not psutil.pid_exists(pid)
    assert not list(folder.glob("docdask-emulator-*"))
    with pytest.raises(EngineError, match="does not run"):
        emulator.stats()


def test_it_starts_again_after_it_was_stopped():
    emulator = EmulatorProcess(options=FAST)
    with emulator:
        first = emulator.pid
    with emulator:
        assert emulator.pid != first
        assert emulator.stats()["calls"] == 0


def test_it_ends_with_a_parent_that_is_killed(folder):
    program = (
        "import os, signal\n"
        "from docdask.service.emulator.child import EmulatorProcess\n"
        "emulator = EmulatorProcess(options={'ocr': 'fast'}).start()\n"
        "print(emulator.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    pid = int(told.stdout)
    wait_until(lambda: not psutil.pid_exists(pid), "the end of the emulator", 30)
    assert not list(folder.glob("docdask-emulator-*"))


@pytest.mark.parametrize(
    ("options", "word"),
    [({"latency": "slow"}, "latency 'slow'"), ({"speed": "-1"}, "--speed"), ({"seed": "x"}, "seed"), ({"ocr": "nosuch"}, "nosuch")],
)  # fmt: skip
def test_an_option_that_it_does_not_take_is_said_in_its_words(options, word):
    with pytest.raises((UsageError, EngineError), match=word) as raised:
        EmulatorProcess(options=options).start()
    assert raised.value.remedy


def test_a_type_that_it_has_not_is_said_before_it_starts():
    name = "SUMMARY_PROCESSOR=projects/p/locations/us/processors/x"
    configuration = load_configuration("emulator", environment={}, processor=name)
    with pytest.raises(UsageError, match="SUMMARY_PROCESSOR"):
        EmulatorProcess(configuration)


def test_it_takes_the_options_of_the_command_but_for_where_it_listens():
    names = {option.opts[0].removeprefix("--") for option in emulator_command.params}
    ours = {
        "grpc-port",
        "http-port",
        "host",
        "proxy-port",
        "tls-cert",
        "tls-key",
        "attached",
        "processor",
        "used",
    }
    assert set(EMULATOR_OPTIONS) == names - ours


def test_full_recognition_is_the_default_by_another_name():
    assert "offline" in EmulatorProcess(options={"ocr": "full"}).arguments


@pytest.mark.parametrize(
    "text", ["x", "projects/p/locations/us/processors/x", "projects/p/locations/us/processors/x=OCR", "projects/p/locations/mars/processors/x=OCR_PROCESSOR"],
)  # fmt: skip
def test_a_processor_that_is_none_is_refused(text):
    from emulator_process import run_command

    told = run_command("--processor", text, folder=os.environ["TMPDIR"])
    assert told.returncode != 0
    assert "--processor" in told.stderr
