"""What the documentation shows as printed is what the command prints."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from docdask.service.offline import OfflineEngine
from tests.processes import Machine

ROOT = Path(__file__).parents[2]
#: How fast the machine of the documentation reads: nobody's plan is to depend on who printed it.
SPEED = {"ocr_page_s": 2.0, "text_page_s": 0.02, "start_s": 1.5, "engine": f"offline/{OfflineEngine.version}"}


@pytest.fixture
def shell_of_docs(tmp_path) -> Machine:
    """A machine whose speed was measured before, and where nothing leads to Google or an emulator."""
    state = tmp_path / "state"
    state.mkdir()
    (state / f"calibration-documentai-1-{os.cpu_count()}.json").write_text(
        json.dumps(SPEED), encoding="utf-8"
    )
    made = Machine(state, COLUMNS="120")
    for name in [
        name for name in made.environment if name.startswith(("GOOGLE_", "DOCUMENTAI_", "STORAGE_"))
    ]:
        del made.environment[name]
    return made


def block(page: str, kind: str) -> str:
    """First block of a kind on a page."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    found = re.search(rf"```{kind}\n(.*?)```", text, re.DOTALL)
    assert found, f"{page} has no block of {kind}"
    return found.group(1)


def told(text: str) -> list[str]:
    """Lines without what differs from place to place: where it stands, how well libraries pack, workers, and order."""
    for pattern, instead in (
        (r"(?m)^( +run) +.*/runs/", r"\1  runs/"),
        (r"\([\d.]+ [kM]B\)", "(… MB)"),
        (r"in \d+ partitions", "in … partitions"),
        (r"on \d+ workers?;", "on … workers;"),
        (r"(?m)^( +by route| +)(?=  \w+ +\$[\d.]+: )", "by route"),
    ):
        text = re.sub(pattern, instead, text)
    return sorted(text.splitlines())


def test_the_page_on_plans_shows_what_the_command_prints(shell_of_docs, tmp_path):
    page = (ROOT / "docs" / "plan.md").read_text(encoding="utf-8")
    [samples] = re.findall(r"`docdask (samples [^`]*)`", page)
    [command] = re.findall(r"(?m)^    docdask (plan .*--engine documentai)$", page)
    (tmp_path / "docdask.toml").write_text(block("plan.md", "toml"), encoding="utf-8")
    for line in (samples, command):
        here = ("--cluster", "none") if line == command else ()
        done = shell_of_docs.run(*line.split(), *here, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    printed, _, following = done.stdout.partition("\n\n")
    assert following.strip() == "next: docdask run runs/june"
    assert told(printed) == told(block("plan.md", "text")), f"print it anew in docs/plan.md:\n{printed}"
