"""``docdask init`` as a real command against a real emulator."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from docdask.configuration import load_configuration
from docdask.core.limits import DEFAULT_BOOK
from docdask.core.server import PREMADE
from docdask.service.emulator.config import EmulatorConfig, ServerSettings
from docdask.service.provisioning import Provisioning
from docdask.testing import running_emulator
from tests.processes import Machine, answer, complaint

OCR = "pretrained-ocr-v2.0-2023-06-02"


@pytest.fixture(scope="module")
def emulator():
    limits = DEFAULT_BOOK.override({"online_requests.eu": 250, "online_requests.eu.OCR_PROCESSOR": 600})
    config = EmulatorConfig(ocr="fast", buckets=("mine",), server=ServerSettings(limits=limits))
    with running_emulator(config) as handle:
        yield handle


@pytest.fixture
def shell(emulator, tmp_path):
    """Commands in a folder of their own, led to the emulator."""
    emulator.reset(processors=True, storage=False)
    environment = {
        "DOCUMENTAI_EMULATOR_HOST": emulator.grpc_address,
        "DOCUMENTAI_EMULATOR_URL": emulator.http_url,
        "STORAGE_EMULATOR_HOST": emulator.http_url,
        "GOOGLE_CLOUD_PROJECT": "",
        "HOME": str(tmp_path),
    }
    made = Machine(tmp_path / "state", **environment)
    return lambda *words, **more: made.run("init", *words, **{"cwd": tmp_path, "input": "", **more})


@pytest.fixture
def file(tmp_path):
    """A function that reads what was written."""
    return lambda: tomllib.loads((tmp_path / "docdask.toml").read_text())


def test_everything_is_named_on_the_command_line(shell, emulator, tmp_path, file):
    words = ("--project", "p", "--location", "eu", "--processor", "ocr", "--processor", "bank-statement")
    told = shell(*words, "--staging", "gs://mine/docdask", "--yes", "--json")
    found = answer(told)
    assert "nothing that init does is billed" in told.stderr
    assert (found["written"], found["emulated"], found["assumed"], found["quotas"]) == (
        True,
        True,
        False,
        "the emulator",
    )
    assert {name: row["created"] for name, row in found["processors"].items()} == {
        "ocr": False,
        "bank-statement": True,
    }
    written = file()["documentai"]
    assert (written["project"], written["location"], written["staging"]) == ("p", "eu", "gs://mine/docdask")
    assert written["processors"]["ocr"] == {"processor": "ocr", "version": OCR}
    assert written["limits"] == {"online_requests.eu": 250, "online_requests.eu.OCR_PROCESSOR": 600}
    assert emulator.stats()["pages_billed"] == 0
    read = load_configuration("emulator", path=tmp_path / "docdask.toml", environment={})
    assert read.book.quota("online_requests", "eu", "OCR_PROCESSOR") == 600
    # The same again finds what it made, and changes nothing.
    before = (tmp_path / "docdask.toml").read_bytes()
    again = answer(shell(*words, "--yes", "--json"))
    assert not again["written"]
    assert not again["processors"]["bank-statement"]["created"]
    assert (tmp_path / "docdask.toml").read_bytes() == before


def test_what_was_not_said_is_asked(shell, file):
    told = shell(input="us\n\nform,invoice\ny\n")
    assert told.returncode == 0, told.stderr
    for question in (
        "Location",
        "exists in one location only",
        "Bucket",
        "Which do you want",
        "Write docdask.toml",
    ):
        assert question in told.stderr
    written = file()["documentai"]
    assert list(written["processors"]) == ["form", "invoice"]
    assert written["processor"] == "form"
    assert "staging" not in written
    assert "EMULATED: nothing billed" in told.stdout


def test_nothing_is_made_or_written_without_a_yes(shell, emulator, tmp_path):
    base = ("--project", "p", "--location", "us", "--staging", "")
    told = shell(*base, "--processor", "w2", input="n\n")
    complaint(told, 2, ["no w2 processor"])
    client = emulator.documentai_client()
    assert all(
        one.type_ != "FORM_W2_PROCESSOR" for one in client.list_processors(parent="projects/p/locations/us")
    )
    complaint(shell(*base, "--processor", "ocr", input="n\n"), 2, ["was not written"])
    complaint(shell(*base, "--processor", "ocr"), 2, ["nobody answered", "--yes"])
    assert not (tmp_path / "docdask.toml").exists()


def test_what_is_in_the_file_stays(shell, tmp_path, file):
    (tmp_path / "docdask.toml").write_text(
        '# ours\n[docdask]\nworkers = 3 # two\n\n[documentai]\nproject = "p"\nlocation = "us"\nemulated = true\n\n'
        f'[documentai.processors.read]\ntype = "ocr"\nprocessor = "ocr"\nversion = "{OCR.replace("v2.0-2023-06-02", "v2.1-2024-08-07")}"\n'
        '\n# where to\n[[routes]]\nkind = "invoice"\nprocessor = "read"\n'
    )
    told = shell("--processor", "ocr", "--processor", "form", "--yes", "--json")
    found = answer(told)
    assert list(found["processors"]) == ["read", "form"]
    text = (tmp_path / "docdask.toml").read_text()
    for line in ("# ours", "workers = 3 # two", "# where to", "[[routes]]"):
        assert line in text.splitlines()
    assert file()["documentai"]["processors"]["read"]["version"] == "pretrained-ocr-v2.1-2024-08-07"
    assert f"stays pinned; the default is now {OCR}" in told.stderr
    assert "+[documentai.processors.form]" in told.stderr


def test_a_second_location_gets_names_of_its_own(shell, file, tmp_path):
    base = ("--processor", "ocr", "--yes", "--json")
    answer(shell("--project", "p", "--location", "us", *base))
    found = answer(shell("--location", "eu", *base))
    assert list(found["processors"]) == ["ocr-eu"]
    written = file()["documentai"]
    assert written["location"] == "us"
    assert written["processors"]["ocr-eu"]["processor"] == "projects/p/locations/eu/processors/ocr"
    read = load_configuration("emulator", path=tmp_path / "docdask.toml", environment={})
    assert {place.location for row in read.processors.values() for place in row.places} == {"us", "eu"}


def test_a_disabled_processor_is_told(shell, emulator):
    emulator.documentai_client().disable_processor(request={"name": "projects/p/locations/us/processors/ocr"})
    told = shell("--project", "p", "--location", "us", "--processor", "ocr", "--yes")
    complaint(told, 2, ["is disabled", "enable it"])


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--location", "us"], 0, ["emulated"]),
        (["--project", "a/b", "--location", "us"], 2, ["'a/b' is no project"]),
        (["--project", "p"], 2, ["no location", "quotas of its own"]),
        (["--project", "p", "--location", "usa"], 2, ["did you mean us?"]),
        (["--project", "p", "--location", "us", "--processor", "invioce"], 2, ["did you mean invoice?"]),
        (["--project", "p", "--location", "us", "--staging", "gs://yours"], 4, ["gs://yours", "bucket"]),
        (["--project", "p", "--location", "us", "--staging", "s3://x"], 2, ["s3://x"]),
        (["--project", "p", "--location", "us", "--file", "/proc/docdask.toml"], 4, ["/proc/docdask.toml"]),
    ],
)  # fmt: skip
def test_what_cannot_be_right(shell, words, code, said):
    told = shell(*words, "--yes")
    if code:
        complaint(told, code, said)
    else:
        assert told.returncode == 0, told.stderr


def test_a_permission_that_is_missing(tmp_path):
    settings = ServerSettings(denied=frozenset({"documentai.processors.list"}))
    with running_emulator(EmulatorConfig(ocr="fast", server=settings)) as closed:
        machine = Machine(tmp_path / "state", DOCUMENTAI_EMULATOR_HOST=closed.grpc_address)
        told = machine.run("init", "--project", "p", "--location", "us", "--yes", cwd=tmp_path)
    complaint(told, 6, ["documentai.processors.list"])


def test_an_emulator_with_a_real_bucket_is_refused(shell, emulator, tmp_path):
    machine = Machine(
        tmp_path / "state", DOCUMENTAI_EMULATOR_HOST=emulator.grpc_address, STORAGE_EMULATOR_HOST=""
    )
    told = machine.run(
        "init", "--project", "p", "--location", "us", "--staging", "gs://mine", "--yes", cwd=tmp_path
    )
    complaint(told, 2, ["would be a real bucket", "STORAGE_EMULATOR_HOST"])


def test_google_and_an_emulator_never_share_a_file(shell, tmp_path):
    real = '[documentai]\nproject = "p"\nlocation = "us"\n[documentai.processors.ocr]\nprocessor = "abc"\n'
    (tmp_path / "docdask.toml").write_text(real)
    complaint(shell("--processor", "ocr", "--yes"), 2, ["has processors of Google", "--file"])
    (tmp_path / "docdask.toml").write_text(
        real.replace("[documentai]\n", "[documentai]\nemulated = true\n", 1)
    )
    machine = Machine(tmp_path / "state", DOCUMENTAI_EMULATOR_HOST="")
    complaint(machine.run("init", "--yes", cwd=tmp_path), 2, ["was written from an emulator"])


def test_an_emulator_that_does_not_answer(tmp_path):
    machine = Machine(tmp_path / "state", DOCUMENTAI_EMULATOR_HOST="127.0.0.1:1")
    told = machine.run("init", "--project", "p", "--location", "us", "--yes", cwd=tmp_path)
    complaint(told, 6)


def test_nobody_is_signed_in(tmp_path):
    """Google itself is asked for nothing: the key file is not there."""
    machine = Machine(
        tmp_path / "state",
        DOCUMENTAI_EMULATOR_HOST="",
        GOOGLE_APPLICATION_CREDENTIALS=str(tmp_path / "missing.json"),
    )
    told = machine.run("init", input="p\nus\n\n", cwd=tmp_path)
    complaint(told, 6, ["missing.json", "Google Cloud project", "Google project p, location us"])


def test_a_version_that_will_end_is_told(tmp_path):
    old = "pretrained-ocr-v1.0-2020-09-23"
    name = "projects/p/locations/us/processors/old"
    config = EmulatorConfig(ocr="fast", processors=((name, "OCR_PROCESSOR", old),))
    with running_emulator(config) as emulator:
        machine = Machine(tmp_path / "state", DOCUMENTAI_EMULATOR_HOST=emulator.grpc_address)
        words = ("--project", "p", "--location", "us", "--processor", "old", "--yes", "--json")
        told = machine.run("init", *words, cwd=tmp_path)
    assert answer(told)["processors"]["ocr"]["version"] == old
    assert f"warning: version {old}" in told.stderr
    assert f"on 2026-06-30; Google names {OCR} instead" in told.stderr


def test_all_pages_of_a_long_list_are_read(emulator, monkeypatch):
    monkeypatch.setattr("docdask.service.provisioning._PAGE", 3)
    with Provisioning("p", "us", emulator_host=emulator.grpc_address) as service:
        assert len({found.name for found in service.processors()}) == len(PREMADE)


def test_another_file_is_written_and_read_through_a_link(shell, tmp_path, monkeypatch):
    (tmp_path / "kept").mkdir()
    real, link = tmp_path / "kept" / "real.toml", tmp_path / "link.toml"
    real.write_text("# ours\n")
    real.chmod(0o640)
    link.symlink_to(real)
    answer(
        shell("--project", "p", "--location", "us", "--processor", "ocr", "--file", link, "--yes", "--json")
    )
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["real.toml"]
    monkeypatch.chdir(tmp_path)
    found = load_configuration("emulator", environment={"DOCDASK_FILE": str(link)})
    assert found.project == "p"


@pytest.mark.slow
def test_the_way_to_google_with_a_key_file_over_tls(tmp_path, monkeypatch):
    """Nothing says that it is an emulator: Google's host names are led there by a proxy. Quotas are refused and assumed."""
    services = Path(__file__).parents[1] / "service"
    for folder in ("emulator", "documentai"):
        monkeypatch.syspath_prepend(str(services / folder))
    from emulator_process import emulator_process, run_command
    from test_documentai_credentials import certificate

    cert, key = certificate(tmp_path)
    tls = ("--tls-cert", str(cert), "--tls-key", str(key), "--proxy-port", "0", "--bucket", "mine")
    words = (
        "--project",
        "p",
        "--location",
        "eu",
        "--processor",
        "ocr",
        "--processor",
        "w2",
        "--staging",
        "gs://mine/x",
    )
    with emulator_process(*tls, folder=tmp_path):
        done = run_command("env", "--key", str(tmp_path / "key.json"), folder=tmp_path)
        exports = dict(line.removeprefix("export ").split("=", 1) for line in done.stdout.splitlines())
        machine = Machine(
            tmp_path / "state", **{**exports, "DOCUMENTAI_EMULATOR_HOST": "", "STORAGE_EMULATOR_HOST": ""}
        )
        told = machine.run("init", *words, "--yes", "--json", cwd=tmp_path)
    found = answer(told)
    assert found["billing"] == "Google project p, location eu: real money"
    assert found["processors"]["w2"]["created"]
    assert (found["emulated"], found["assumed"]) == (False, True)
    assert "those of a new project are assumed (Cloud Quotas: HTTP 404" in told.stderr
    written = tomllib.loads((tmp_path / "docdask.toml").read_text())["documentai"]
    assert written["assumed"] is True
    assert written["limits"] == {"online_requests.eu": 120, "batch_operations.eu": 5}
