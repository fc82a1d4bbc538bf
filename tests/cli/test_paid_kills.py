"""``kill -9`` of everything during paid runs: what was billed twice is what was in flight, and docdask names it."""

from __future__ import annotations

import random

import pytest

import docdask
from docdask.core.ledger import fold
from docdask.core.server import ServerSettings, make_faults
from docdask.core.server.latency import Latency
from docdask.service.emulator import EmulatorConfig
from docdask.store.ledger import read_ledger
from docdask.testing import running_emulator
from tests.processes import Machine, answer, wait_until

OCR = "projects/docdask-test/locations/us/processors/ocr"


def environment(emulator, tmp_path) -> dict[str, str]:
    (tmp_path / "docdask.toml").write_text(
        f"""
[documentai]
project = "docdask-test"
location = "us"
period_s = 5.0
[documentai.limits]
"online_requests.us" = 600
"user_requests" = 100000
[documentai.processors.ocr]
type = "ocr"
processor = "{OCR}"
pack = false
""",
        encoding="utf-8",
    )
    return {
        "DOCUMENTAI_EMULATOR_HOST": emulator.grpc_address,
        "STORAGE_EMULATOR_HOST": emulator.http_url,
        "DOCDASK_WORKERS": "2",
    }


@pytest.mark.slow
@pytest.mark.corpus
@pytest.mark.timeout(1500)
def test_ten_kills_with_faults_bill_no_page_twice_that_was_not_in_flight(corpus, tmp_path):
    config = EmulatorConfig(
        ocr="fast",
        processors=((OCR, "OCR_PROCESSOR", ""),),
        speed=12.0,
        server=ServerSettings(
            latency=Latency(base_ns=12 * 10**9),  # emulated seconds: a real one
            faults=make_faults("none", {"unavailable": 0.08, "internal": 0.04, "lost": 0.04, "quota": 0.04}),
        ),
    )
    with running_emulator(config) as emulator:
        machine = Machine(tmp_path / "state", **environment(emulator, tmp_path))
        run = tmp_path / "run"
        planning = ("plan", corpus, "--to", run, "--engine", "documentai", "--cluster", "none", "--json")
        order = ("run", run, "--budget", "5000 pages", "--json")
        try:
            # Once: what is killed below is the paid run alone, so that ten starts take little more than one command each.
            answer(machine.run(*planning, cwd=tmp_path))
            chance = random.Random(2026)
            for number in range(10):
                process = machine.start(*order, cwd=tmp_path)
                # What the service had in hand of the run before counts for that one: it ends while this one starts.
                wait_until(lambda: not emulator.stats()["in_flight"], "the end of earlier calls")
                enough = emulator.stats()["pages_billed"] + chance.randint(1, 40)
                wait_until(
                    lambda enough=enough, process=process: (
                        emulator.stats()["pages_billed"] >= enough or ended(process)
                    ),
                    "pages",
                )
                assert not ended(process), f"nothing to kill in round {number}: {process.communicate()}"
                machine.kill_tree()
                process.communicate(timeout=60)
            found = answer(machine.run(*order, cwd=tmp_path, timeout_s=600))
        finally:
            machine.kill_tree()
        billed = emulator.stats()["pages_billed"]
    assert found["stored"] + found["quarantined"] + found["skipped"] == found["inputs"]
    assert found["pending"] == 0
    ledger = fold(read_ledger(str(run)).records)
    assert (found["pages_paid"], found["pages_at_risk"]) == (ledger.pages_billed, ledger.at_risk[0])
    assert found["pages_paid"] <= billed <= found["pages_paid"] + found["pages_at_risk"]
    twice = billed - pages_needed(run)
    print(
        f"billed {billed}, twice {twice}, at risk {found['pages_at_risk']} (${found['cost_at_risk_usd']:.2f})"
    )
    assert 0 <= twice <= found["pages_at_risk"]


def ended(process) -> bool:
    return process.poll() is not None


def pages_needed(run) -> int:
    """Pages that were recognised and stored, each once."""
    documents = docdask.open(run).frame("documents")
    own = documents[(documents["outcome"] == "stored") & documents["duplicate_of"].isna()]
    return int(own["pages"].sum())
