"""What a user installs is what the files say."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def name_of(requirement: str) -> str:
    return re.split(r"[\s\[<>=!~;]", requirement.strip(), maxsplit=1)[0].lower().replace("_", "-")


def pins(name: str) -> dict[str, str]:
    lines = [
        line
        for line in (ROOT / "requirements" / name).read_text().splitlines()
        if line and not line.startswith("#")
    ]
    return {name_of(line): line for line in lines}


def test_environment_yml_installs_what_pyproject_says():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    plain = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    python = next(entry for entry in plain if entry.startswith("python"))
    assert python.removeprefix("python") == PROJECT["requires-python"]
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert pip == ["-e .[dev]"]


def test_every_dependency_is_pinned():
    wanted = {name_of(requirement) for requirement in PROJECT["dependencies"]}
    assert wanted <= set(pins("run.txt"))
    extras = {
        name_of(r)
        for extra in ("dev", "emulator", "gcs", "notebook")
        for r in PROJECT["optional-dependencies"][extra]
    }
    assert (wanted | extras) - {"docdask"} <= set(pins("dev.txt"))


@pytest.mark.parametrize("name", ["run.txt", "dev.txt"])
def test_pins_name_versions_and_no_addresses(name):
    for line in pins(name).values():
        assert "==" in line
        assert "://" not in line
        assert "--" not in line


def test_each_dependency_says_its_licence_and_reason():
    text = (ROOT / "pyproject.toml").read_text()
    block = text[text.index("\ndependencies = [") : text.index("[project.optional-dependencies]")]
    for line in block.splitlines()[2:]:
        if line.strip().startswith('"'):
            assert re.search(r"#\s+\S+.*;", line), line


def test_import_costs_nothing_heavy():
    code = "import sys, docdask; print(sorted({m.split('.')[0] for m in sys.modules} & {'dask','pandas','pyarrow','google','distributed','matplotlib','reportlab'}))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_every_verb_is_callable_whatever_was_imported_before():
    code = (
        "import pkgutil, importlib, docdask\n"
        "for m in pkgutil.walk_packages(docdask.__path__, 'docdask.'):\n"
        "    if not m.name.startswith(('docdask.service.emulator', 'docdask.testing')): importlib.import_module(m.name)\n"
        "print([n for n in docdask.__all__ if n[0] != '_' and not callable(getattr(docdask, n))])\n"
    )
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "[]"
