"""The wheel alone works: installed anywhere, ``docdask demo`` runs the main job."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_wheel_in_a_fresh_environment_runs_the_main_job(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "--requirement", str(ROOT / "requirements" / "run.txt")], check=True)
    subprocess.run([*install, "--no-deps", str(wheel)], check=True)
    environment = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    environment |= {
        "DOCDASK_STATE": str(tmp_path / "state"),
        "DOCDASK_IDLE_S": "2",
        "DOCDASK_DASHBOARD_PORT": "0",
    }
    told = subprocess.run(
        [str(tmp_path / "venv" / "bin" / "docdask"), "demo", "out", "--json"],
        cwd=tmp_path, env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    summary = json.loads(told.stdout)
    assert summary["inputs"] == summary["stored"] == 12
    assert Path(tmp_path / summary["report"]).read_bytes().startswith(b"%PDF")
    assert Path(tmp_path / summary["report_html"]).is_file()
    assert list(Path(tmp_path / summary["tables"]).glob("pages/*.parquet"))
