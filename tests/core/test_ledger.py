"""The ledger as a fold over records."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from docdask.core.ledger import UNIT, Record, fold, story
from docdask.core.machine import reachable

KINDS = ("intent", "answered", "refused", "failed", "lost", "withdrawn", "stored", "operation", "adopted")


def record(
    sequence: int, kind: str, unit: str = "u", fence: int = 1, *, pages: int = 3, micros: int = 4500, **more
) -> Record:
    values = {
        "epoch": 1, "attempt": 1, "run": "r", "semaphore": "s", "endpoint": "us", "worker": "w", "code": "", "at_utc_ns": 0,
    } | more  # fmt: skip
    return Record(sequence=sequence, kind=kind, unit=unit, fence=fence, pages=pages, micros=micros, **values)


@st.composite
def ledgers(draw):
    """Records of a few units; fences rise with intents, late outcomes name older ones."""
    records, fences = [], {"a": [0], "b": [0], "c": [0]}
    for sequence in range(1, draw(st.integers(0, 40)) + 1):
        unit, kind = draw(st.sampled_from("abc")), draw(st.sampled_from(KINDS))
        if kind == "intent":
            fences[unit].append(sequence)
        records.append(
            record(
                sequence,
                kind,
                unit,
                draw(st.sampled_from(fences[unit][-2:])) if kind != "intent" else sequence,
            )
        )
    return records


@given(ledgers(), st.randoms())
def test_order_of_arrival_and_repetition_do_not_matter(records, rng):
    shuffled = records + rng.sample(records, len(records) // 2)
    random.Random(rng.random()).shuffle(shuffled)
    assert fold(shuffled).units.keys() == fold(records).units.keys()
    for unit, state in fold(records).units.items():
        other = fold(shuffled).units[unit]
        assert (other.state, other.pages_billed, other.open) == (state.state, state.pages_billed, state.open)


@given(ledgers(), st.integers(0, 40))
def test_the_fold_of_any_prefix_is_a_state_that_the_machine_can_be_in(records, length):
    ledger = fold(records[:length])
    possible = reachable(UNIT, "new")
    for unit in ledger.units.values():
        assert unit.state in possible
        assert unit.pages_billed >= 0
    pages, _ = ledger.at_risk
    asked = sum(r.pages for r in records[:length] if r.kind == "intent")
    assert ledger.pages_billed + pages <= asked


@given(ledgers())
def test_what_is_stored_stays_stored(records):
    stored: set[str] = set()
    for length in range(len(records) + 1):
        ledger = fold(records[:length])
        assert all(ledger.units[unit].state == "stored" for unit in stored)
        stored |= {name for name, unit in ledger.units.items() if unit.state == "stored"}


def test_a_call_without_a_known_end_is_at_risk_until_it_has_one():
    lost = [record(1, "intent"), record(2, "lost")]
    assert fold(lost).at_risk == (3, 4500)
    assert fold(lost).units["u"].state == "at-risk"
    late = fold([*lost, record(3, "answered")])
    assert late.at_risk == (0, 0)
    assert (late.pages_billed, late.micros_billed) == (3, 4500)


def test_a_late_answer_moves_money_not_the_state_of_the_newer_attempt():
    ledger = fold(
        [
            record(1, "intent"),
            record(2, "lost"),
            record(3, "intent", fence=5, attempt=2),
            record(4, "answered"),
        ]
    )
    unit = ledger.units["u"]
    assert (unit.state, unit.attempts, unit.fence) == ("calling", 2, 5)
    assert unit.pages_billed == 3
    assert unit.open == {5: (3, 4500)}


def test_the_same_call_is_not_billed_twice_by_two_records():
    assert fold([record(1, "intent"), record(2, "answered"), record(3, "answered")]).pages_billed == 3


def test_an_operation_outlives_its_worker_and_can_be_adopted():
    records = [record(1, "intent"), record(2, "operation", code="operations/7"), record(3, "lost")]
    unit = fold(records).units["u"]
    assert (unit.state, unit.operation) == ("operating", "operations/7")
    assert fold([*records, record(4, "adopted", code="operations/7")]).units["u"].state == "operating"


def test_who_adopts_an_operation_answers_for_what_was_at_risk_since_its_submission():
    begun = [record(1, "intent"), record(2, "operation", code="operations/7"), record(3, "lost")]
    adopted = [
        record(4, "intent", fence=4, pages=0, micros=0),
        record(5, "adopted", fence=4, code="operations/7"),
    ]
    going_on = fold([*begun, *adopted])
    assert (going_on.units["u"].state, going_on.at_risk) == ("operating", (3, 4500))
    ended = fold([*begun, *adopted, record(6, "answered", fence=4, pages=2, micros=3000)])
    assert (ended.units["u"].state, ended.at_risk) == ("answered", (0, 0))
    assert (ended.pages_billed, ended.micros_billed) == (2, 3000)


def test_a_record_that_no_transition_allows_is_kept_apart():
    wrong = record(1, "answered")
    ledger = fold([wrong])
    assert ledger.ignored == [wrong]
    assert ledger.units["u"].state == "new"


def test_a_story_is_all_records_of_one_unit_in_order_each_once():
    records = [
        record(3, "answered"),
        record(1, "intent"),
        record(2, "intent", unit="other"),
        record(1, "intent"),
    ]
    assert [r.sequence for r in story(records, "u")] == [1, 3]


def test_the_fold_knows_where_the_next_governor_goes_on():
    ledger = fold([record(1, "intent", fence=9, epoch=2), record(2, "answered", fence=9, epoch=2)])
    assert (ledger.sequence, ledger.fence, ledger.epoch) == (2, 9, 2)
