"""Every command, once, as a real process: one JSON object on stdout, everything else on stderr."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from docdask.cli import _FORMATS
from tests.processes import ROOT, answer

NOTHING = "docdask.service.dummy:NothingEngine"
HERE = ("--engine", NOTHING, "--cluster", "none")
KEYS = {
    "run", "inputs", "stored", "quarantined", "skipped", "pending", "pages", "wall_s", "documents_per_hour", "speedup",
}  # fmt: skip


@pytest.fixture(scope="module")
def done(shell, pile, tmp_path_factory):
    """A run and what it answered."""
    run = tmp_path_factory.mktemp("done") / "run"
    return run, answer(shell.run("run", pile, "--to", run, *HERE, "--json"))


def test_a_run_answers_with_its_books(done):
    run, found = done
    assert found.keys() >= KEYS
    assert found["run"] == str(run)
    assert (
        found["inputs"] == found["stored"] + found["quarantined"] + found["skipped"] + found["pending"] == 23
    )
    assert found["wall_s"] > 0
    assert found["documents_per_hour"] > 0


def test_status_answers_from_another_process(shell, done):
    found = answer(shell.run("status", done[0], "--json"))
    assert found["state"] == "finished"
    assert found.keys() >= KEYS
    assert answer(shell.run("status", done[0], "--follow", "--json"))["state"] == "finished"


def test_scan_answers_a_row_a_document(shell, pile):
    found = answer(shell.run("scan", pile, "--cluster", "none", "--json"))
    assert len(found["documents"]) == 23
    assert {row["state"] for row in found["documents"]} == {"ready", "quarantined", "skipped"}


def test_a_plan_by_sample_estimates_the_rest_with_an_interval(shell, pile, tmp_path):
    found = answer(shell.run("plan", pile, "--to", tmp_path / "run", *HERE, "--sample", "8", "--json"))
    assert (found["found"], found["sampled"]) == (23, 8)
    assert found["estimate"]
    whole = answer(shell.run("run", tmp_path / "run", "--cluster", "none", "--json"))
    assert (whole["inputs"], whole["pending"]) == (23, 0)


@pytest.mark.parametrize("name", list(_FORMATS))
def test_export_writes_each_format(shell, done, tmp_path, name):
    found = answer(shell.run("export", done[0], f"--{name}", "--to", tmp_path, "--json"))
    assert found["files"]
    for path in found["files"]:
        assert path.startswith(str(tmp_path))
        assert Path(path).stat().st_size


def test_report_says_where_it_is(shell, done, tmp_path):
    found = answer(shell.run("report", done[0], "--to", tmp_path, "--baseline", "12/h", "--json"))
    assert Path(found["pdf"]).read_bytes().startswith(b"%PDF-")
    assert "<html" in Path(found["html"]).read_text(encoding="utf-8")


def test_samples_are_twelve_documents(shell, tmp_path):
    found = answer(shell.run("samples", tmp_path / "in", "--json"))
    assert len(found["documents"]) == 12


def test_doctor_says_what_is_there(shell):
    told = shell.run("doctor", "--json")
    found = json.loads(told.stdout)
    assert told.returncode == (0 if found["ready"] else 1)
    assert {check["state"] for check in found["checks"]} <= {"ok", "missing", "problem"}
    assert {"python", "OCR models", "state folder", "local cluster"} <= {
        check["name"] for check in found["checks"]
    }


def test_a_doctor_that_finds_a_problem_says_so_by_its_exit_code(shell, tmp_path):
    (tmp_path / "file").touch()
    blocked = type(shell)(tmp_path / "file" / "state").run("doctor", "--json")
    assert (blocked.returncode, json.loads(blocked.stdout)["ready"]) == (1, False)


def test_the_columns_of_a_list_are_carried_into_the_tables(shell, pile, tmp_path):
    import docdask

    with (tmp_path / "list.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows(
            [
                ["uri", "client", "amount"],
                [pile / "letter 00.pdf", "Ærø", "12.5"],
                [pile / "letter 01.pdf", "", "7"],
            ]
        )
    run = tmp_path / "run"
    assert answer(shell.run("run", tmp_path / "list.csv", "--to", run, *HERE, "--json"))["stored"] == 2
    documents = docdask.open(run).documents.set_index("name")
    assert documents.loc["letter 00.pdf", "client"] == "Ærø"
    assert documents["amount"].astype(float).sum() == 19.5


def test_a_password_opens_a_locked_document_and_is_kept_nowhere(shell, tmp_path):
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfgen.canvas import Canvas

    word, folder, run = "open-sesame-7431", tmp_path / "in", tmp_path / "run"
    folder.mkdir()
    canvas = Canvas(str(folder / "locked.pdf"), encrypt=StandardEncryption(word, ownerPassword="owner"))
    canvas.drawString(72, 720, "A line that is locked.")
    canvas.save()
    locked = answer(shell.run("run", folder, "--to", run, *HERE, "--json"))
    assert (locked["stored"], locked["quarantined"]) == (0, 1)
    opened = answer(shell.run("run", folder, "--to", run, *HERE, "--password", word, "--json"))
    assert (opened["stored"], opened["quarantined"]) == (1, 0)
    for path in [*run.rglob("*"), *shell.state.rglob("*")]:
        assert not path.is_file() or word.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("name", ["with space", "50% off #1", "請求書", "a+b&c=d;é", "[brackets] {x}"])
def test_a_run_directory_may_have_any_name(shell, pile, tmp_path, name):
    import docdask

    found = answer(shell.run("run", pile / "letter 02.pdf", "--to", tmp_path / name, *HERE, "--json"))
    assert (found["stored"], found["pages"]) == (1, 1)
    assert len(docdask.open(tmp_path / name).pages) == 1
    assert answer(shell.run("export", tmp_path / name, "--csv", "--json"))["files"][0].startswith(
        str(tmp_path / name)
    )


def test_a_document_may_have_any_name(shell, pile, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    names = [
        "with space.pdf",
        "50% #1.pdf",
        "請求書.pdf",
        "a?b*[c].pdf",
        "new\nline.pdf",
        "-dash.pdf",
        "{0}.pdf",
    ]
    for number, name in enumerate(names):
        (folder / name).write_bytes((pile / f"letter {number:02d}.pdf").read_bytes())
    found = answer(shell.run("run", folder, "--to", tmp_path / "run", *HERE, "--json"))
    assert (found["inputs"], found["stored"]) == (len(names), len(names))


def test_an_engine_in_the_working_folder_is_found(shell, pile, tmp_path):
    """As docs/extending.md says, by the script, also on a local cluster that was started elsewhere."""
    (tmp_path / "minemodule.py").write_text(
        "from docdask.service.dummy import NothingEngine\nclass Mine(NothingEngine):\n    pass\n"
    )
    answer(shell.run("run", pile, "--to", tmp_path / "first", "--engine", NOTHING, "--json", cwd=ROOT))
    script = Path(sys.executable).with_name("docdask")
    environment = {name: value for name, value in shell.environment.items() if name != "PYTHONPATH"}
    order = ["run", pile / "letter 00.pdf", "--to", "run", "--engine", "minemodule:Mine", "--json"]
    told = subprocess.run(
        [script, *order],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer(told)["stored"] == 1
