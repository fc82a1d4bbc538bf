"""Whatever is wrong, the command line says it in one sentence with a remedy, and exits with the documented code."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

from docdask.store.manifest import FORMAT_VERSION
from tests.processes import Machine, complaint

NOTHING = "docdask.service.dummy:NothingEngine"
HERE = ("--engine", NOTHING, "--cluster", "none")


@pytest.fixture
def folder(tmp_path, pile):
    """Two documents."""
    made = tmp_path / "documents"
    made.mkdir()
    for name in ("letter 00.pdf", "letter 01.pdf"):
        (made / name).write_bytes((pile / name).read_bytes())
    return made


@pytest.fixture
def impatient(tmp_path):
    """Commands that wait one second only for a scheduler to answer."""
    return Machine(tmp_path / "impatient", DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT="1s")


@pytest.mark.parametrize("verb", ["scan", "plan", "run"])
def test_a_missing_source(shell, tmp_path, verb):
    to = () if verb == "scan" else ("--to", tmp_path / "run")
    told = shell.run(verb, tmp_path / "nowhere", *to, "--cluster", "none", "--json")
    complaint(told, 3, ["nowhere", "check the path"])
    assert not (tmp_path / "run").exists()


def test_an_empty_folder(shell, tmp_path):
    (tmp_path / "empty").mkdir()
    told = shell.run("run", tmp_path / "empty", "--to", tmp_path / "run", *HERE)
    complaint(told, 3, ["no files in"])
    assert not (tmp_path / "run").exists()


def test_a_url_of_an_unknown_kind(shell, tmp_path):
    told = shell.run("run", "nosuch://bucket/in", "--to", tmp_path / "run", *HERE)
    complaint(told, 3, ["nosuch://bucket/in"])


@pytest.mark.parametrize("place", ["/proc/nobody/run", "{file}/run", "nosuch://bucket/run"])
def test_a_run_directory_that_cannot_be_written(shell, folder, tmp_path, place):
    (tmp_path / "file").write_text("a file where a folder should be")
    to = place.format(file=tmp_path / "file")
    complaint(shell.run("run", folder, "--to", to, *HERE, "--json"), 4, [to])


def test_a_run_directory_with_other_things_in_it(shell, folder):
    complaint(shell.run("run", folder, "--to", folder, *HERE), 4, ["choose a new or empty folder"])


@pytest.fixture
def planned(shell, folder, tmp_path):
    """A run that was planned."""
    finished = shell.run("plan", folder, "--to", tmp_path / "run", *HERE)
    assert finished.returncode == 0, finished.stderr
    return tmp_path / "run"


def test_a_run_that_was_planned_for_another_engine(shell, planned):
    told = shell.run("run", planned, "--engine", "offline", "--cluster", "none", "--json")
    complaint(told, 4, ["was made with other options", f"engine: '{NOTHING}' there, 'offline' here"])
    complaint(
        shell.run("run", planned, "--location", "eu", "--cluster", "none"), 2, ["location is of Document AI"]
    )
    assert shell.run("run", planned, *HERE, "--json").returncode == 0


@pytest.mark.parametrize("verb", ["run", "status", "export", "report"])
def test_a_run_of_another_format_version(shell, planned, verb):
    manifest = planned / "docdask.json"
    text = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**text, "format_version": FORMAT_VERSION + 1}))
    more = ("--csv",) if verb == "export" else ()
    told = shell.run(verb, planned, *more)
    complaint(told, 4, [f"format version {FORMAT_VERSION + 1}", "start in a new folder"])


def test_a_damaged_manifest(shell, planned):
    (planned / "docdask.json").write_text('{"format_ver')
    complaint(shell.run("status", planned), 4, ["docdask.json is damaged"])


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        (["--tokens"], "tokens: False there, True here"),
        (["--option", "name=x"], "name: not set there, 'x' here"),
    ],
)
def test_a_run_with_other_options(shell, folder, planned, options, difference):
    complaint(shell.run("run", folder, "--to", planned, *HERE, *options), 4, [difference])


def test_a_run_with_another_engine(shell, folder, planned):
    complaint(shell.run("run", folder, "--to", planned, "--cluster", "none"), 4, [NOTHING, "offline"])


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["run", "{there}"], 2),
        (["status", "{there}"], 4),
        (["status", "{missing}"], 4),
        (["report", "{there}"], 4),
        (["export", "{missing}", "--csv"], 4),
    ],
)
def test_a_run_that_is_no_run(shell, folder, tmp_path, arguments, code):
    filled = [word.format(there=folder, missing=tmp_path / "missing") for word in arguments]
    complaint(shell.run(*filled), code)


@pytest.mark.parametrize(
    ("address", "code", "words"),
    [
        ("tcp://127.0.0.1:1", 5, ["no Dask scheduler answers at tcp://127.0.0.1:1"]),
        ("somewhere", 2, ["'somewhere' is no scheduler address", "tcp://host:8786"]),
        ("tcp://", 2, ["tcp://"]),
        ("smoke://127.0.0.1:8786", 2, ["smoke://127.0.0.1:8786"]),
        ("tcp://127.0.0.1:port", 2, ["tcp://127.0.0.1:port"]),
        ("tls://127.0.0.1:1", 5, ["tls://127.0.0.1:1", "distributed.comm.tls"]),
    ],
)
def test_a_scheduler_that_cannot_be_reached(impatient, folder, tmp_path, address, code, words):
    told = impatient.run("run", folder, "--to", tmp_path / "run", "--engine", NOTHING, "--cluster", address)
    complaint(told, code, words)


def test_a_port_where_nobody_answers(impatient, folder, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        told = impatient.run(
            "run", folder, "--to", tmp_path / "run", "--engine", NOTHING, "--cluster", address
        )
    complaint(told, 5, [address])


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--option", "language"], 2, ["NAME=VALUE"]),
        (["--option", "nosuch=1"], 6, ["nosuch"]),
        (["--engine", "crystal-ball"], 6, ["crystal-ball", "offline"]),
        (["--engine", "nosuch.module:Engine"], 6, ["nosuch.module", "check its installation"]),
        (["--engine", "docdask.service.dummy:Nosuch"], 6, ["Nosuch"]),
        (["--engine", "json:dumps"], 6, ["json:dumps"]),
        (["--passwords", "/nowhere/words"], 2, ["--passwords /nowhere/words"]),
        (["--passwords", "/"], 2, ["--passwords /"]),
        (["--sample", "0"], 2, ["--sample"]),
        (["--workers", "-1"], 2, ["workers"]),
        (["--timeout", "-5"], 2, ["timeout"]),
        (["--timeout", "0"], 2, ["timeout"]),
        (["--timeout", "nan"], 2, ["timeout"]),
        (["--memory", "0"], 2, ["memory"]),
    ],
)
def test_options_that_cannot_be_right(shell, folder, tmp_path, options, code, words):
    given = [*HERE, *options]
    complaint(shell.run("run", folder, "--to", tmp_path / "run", *given), code, words)


def test_passwords_that_are_no_text(shell, folder, tmp_path):
    (tmp_path / "words").write_bytes(b"\xff\xfe\x00secret")
    told = shell.run("run", folder, "--to", tmp_path / "run", *HERE, "--passwords", tmp_path / "words")
    assert "secret" not in complaint(told, 2, ["UTF-8"])


@pytest.mark.parametrize(
    "arguments",
    [["nosuch"], ["run"], ["run", "x", "--nosuch"], ["plan", "x"], ["run", "x", "--sample", "many"]],
)
def test_arguments_that_click_refuses(shell, arguments):
    told = shell.run(*arguments)
    assert told.returncode == 2
    assert not told.stdout
    assert told.stderr.startswith("Usage: ")
    assert "Error: " in told.stderr
    assert "Traceback" not in told.stderr


def test_sources_without_a_run_directory(shell, folder):
    complaint(shell.run("run", folder, folder, *HERE), 2, ["--to RUN"])


def test_no_format_to_export(shell, planned):
    complaint(shell.run("export", planned), 2, ["--csv"])


def test_a_baseline_that_nobody_understands(shell, planned):
    complaint(shell.run("report", planned, "--baseline", "often"), 2, ["often"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[docdask]\nworker = 3", ["worker", "did you mean workers?"]),
        ("[documentia]", ["documentia", "did you mean documentai?"]),
        ("docdask = 3", ["[docdask]"]),
        ("[docdask", ["docdask.toml"]),
        ("[docdask]\ntimeout_s = 'x'", ["timeout_s"]),
    ],
)
def test_a_settings_file_that_cannot_be_right(shell, folder, tmp_path, text, words):
    (tmp_path / "docdask.toml").write_text(text)
    complaint(shell.run("scan", folder, "--cluster", "none", cwd=tmp_path), 2, words)


def test_whoever_stops_reading_is_no_error(shell, planned):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as gone:
        told = subprocess.run(
            shell.command("status", planned), env=shell.environment, stdout=gone, stderr=subprocess.PIPE, text=True,
            timeout=60, check=False,
        )  # fmt: skip
    assert (told.returncode, told.stderr) == (0, "")


def test_a_fault_of_docdask_shows_where_it_happened_only_when_asked(shell, planned, tmp_path):
    """Anything unforeseen is one sentence too; with DOCDASK_DEBUG=1 it is the stack trace."""
    program = (
        "import sys, docdask.api\n"
        "def broken(*_): raise ZeroDivisionError('one in a million')\n"
        "docdask.api.status = broken\n"
        "from docdask.cli import main\n"
        "sys.argv = ['docdask', 'status', 'RUN']; main()\n"
    )
    for debug, trace in ((None, False), ("1", True)):
        told = subprocess.run(
            [sys.executable, "-c", program],
            env={**shell.environment, **({"DOCDASK_DEBUG": debug} if debug else {})},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert told.returncode == 1
        assert ("Traceback" in told.stderr) == trace
        assert "one in a million" in told.stderr
