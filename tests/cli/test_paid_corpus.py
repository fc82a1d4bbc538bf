"""The corpus through Document AI: what the plan said is what the service's books say, to the page and the cent."""

from __future__ import annotations

import pytest

import docdask
from docdask.service.emulator import EmulatorConfig
from docdask.store.run import RunDirectory
from docdask.testing import running_emulator
from tests.processes import Machine, answer

KINDS = {
    "ocr": "OCR_PROCESSOR",
    "form": "FORM_PARSER_PROCESSOR",
    "invoice": "INVOICE_PROCESSOR",
    "custom": "CUSTOM_EXTRACTION_PROCESSOR",
}
PROCESSORS = tuple(
    (f"projects/docdask-test/locations/us/processors/{alias}", kind, "") for alias, kind in KINDS.items()
)
CONFIGURATION = """
[documentai]
project = "docdask-test"
location = "us"
staging = "gs://staging/corpus"
period_s = 1.0
[documentai.limits]
"online_requests.us" = 600
"online_pages.us" = 600
"user_requests" = 100000
""" + "".join(
    f'[documentai.processors.{alias}]\ntype = "{kind}"\nprocessor = "{alias}"\n'
    for alias, kind in KINDS.items()
)


@pytest.fixture
def service(tmp_path):
    config = EmulatorConfig(ocr="fast", processors=PROCESSORS, buckets=("staging",), speed=60.0)
    with running_emulator(config) as emulator:
        machine = Machine(
            tmp_path / "state",
            DOCUMENTAI_EMULATOR_HOST=emulator.grpc_address,
            STORAGE_EMULATOR_HOST=emulator.http_url,
        )
        (tmp_path / "docdask.toml").write_text(CONFIGURATION, encoding="utf-8")
        yield emulator, machine
        machine.stop_cluster()
        machine.kill_tree()


def online_calls(emulator) -> int:
    return len(emulator.calls(method="ProcessDocument", code="OK"))


@pytest.mark.slow
@pytest.mark.corpus
@pytest.mark.timeout(900)
@pytest.mark.parametrize("alias", list(KINDS))
def test_a_plan_is_what_the_books_say_after_the_run(corpus, tmp_path, service, alias):
    emulator, machine = service
    order = (corpus, "--to", tmp_path / "run", "--engine", "documentai", "--processor", alias, "--json")
    plan = answer(machine.run("plan", *order, cwd=tmp_path, timeout_s=300))
    found = answer(machine.run("run", *order, cwd=tmp_path, timeout_s=600))
    stats = emulator.stats()
    assert found["stored"] + found["quarantined"] + found["skipped"] == found["inputs"] == 203
    assert found["pending"] == 0
    assert stats["pages_billed"] == found["pages_paid"]
    assert found["pages_at_risk"] == 0
    refused = documents_refused(tmp_path / "run")
    assert not refused, f"the plan let through what the service refused: {refused}"
    assert round(stats["cost_usd"], 2) == round(plan["cost_usd"], 2) == round(found["cost_usd"], 2)
    # A file that no tool can copy pages of is read all the same, by a call of its own that no plan can know of.
    assert online_calls(emulator) == plan["requests"]["online"] + sent_alone(tmp_path / "run")
    assert stats["methods"].get("BatchProcessDocuments", 0) == plan["requests"].get("batch", 0)


def sent_alone(run) -> int:
    """Documents that were planned into a pack and could not be joined."""
    opened = docdask.open(run)
    planned = RunDirectory.open(str(run)).plan(current=True).to_pandas()
    in_packs = set(planned[planned["pack"].notna()]["document_id"])
    calls = opened.frame("calls")
    sizes = planned[planned["pack"].notna()].groupby(["partition", "pack"])["document_id"].transform("count")
    several = set(planned.loc[sizes[sizes > 1].index, "document_id"])
    return int((calls["document_id"].isin(in_packs & several) & (calls["packed"].fillna(1) <= 1)).sum())


def documents_refused(run) -> list[str]:
    documents = docdask.open(run).frame("documents")
    failed = documents[(documents["outcome"] == "quarantined") & documents["engine"].notna()]
    return [f"{row.name}: {row.problem}: {row.reason}" for row in failed.itertuples(name="Document")]
