"""Totals in a stream say what the fold says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from docdask.core.ledger import fold
from docdask.core.recovery import recover
from docdask.core.segments import Faults, encode_record, read, stream
from docdask.core.spec import EndpointSpec, SemaphoreSpec
from docdask.core.totals import Summing
from tests.core.test_ledger import ledgers, record
from tests.core.test_segments import plain, segment


def totals(records, **options):
    summing = Summing(**options)
    summing.add(records)
    return summing.totals()


@given(ledgers(), st.integers(0, 40))
def test_totals_are_those_of_the_fold_however_the_records_are_handed_over(records, cut):
    summing = Summing()
    summing.add(records[:cut])
    summing.add(iter(records[cut:]))
    got, want = summing.totals(), fold(records)
    assert got.units == want.counts()
    assert (got.pages_billed, got.micros_billed) == (want.pages_billed, want.micros_billed)
    assert (got.pages_at_risk, got.micros_at_risk) == want.at_risk
    assert (got.records, got.sequence, got.fence) == (len(records), want.sequence, want.fence)
    assert got.ignored == len(want.ignored)
    operating = {name: unit.operation for name, unit in want.units.items() if unit.state == "operating"}
    assert {op.unit: op.name for op in got.operations}.items() <= operating.items()


@given(ledgers())
def test_money_by_run_is_what_recovery_finds(records):
    spec = SemaphoreSpec((EndpointSpec("us"),), ledger=True)
    spent = recover(records, "s", spec, now_utc_ns=0).spent
    found = {run: purse.spent for (_, run), purse in totals(records).runs.items()}
    assert {run: amounts for run, amounts in spent.items() if any(amounts)} == {
        run: amounts for run, amounts in found.items() if any(amounts)
    }


def test_an_operation_that_goes_on_is_told_with_what_it_may_cost():
    begun = [record(1, "intent"), record(2, "operation", code="operations/7", pages=0, micros=0)]
    (operation,) = totals(begun).operations
    assert (operation.name, operation.unit, operation.pages, operation.micros) == (
        "operations/7",
        "u",
        3,
        4500,
    )
    assert totals([*begun, record(3, "answered")]).operations == ()


def test_an_adopted_operation_is_told_with_what_it_was_submitted_for():
    records = [
        record(1, "intent"), record(2, "operation", code="operations/7"), record(3, "lost"),
        record(4, "intent", fence=4, pages=0, micros=0), record(5, "adopted", fence=4, code="operations/7"),
    ]  # fmt: skip
    (operation,) = totals(records).operations
    assert (operation.fence, operation.pages, operation.micros) == (4, 3, 4500)
    ended = totals([*records, record(6, "answered", fence=4)])
    assert (ended.pages_billed, ended.pages_at_risk) == (3, 0)


def test_recent_intents_are_kept_from_the_moment_that_is_asked_for():
    records = [record(n, "intent", fence=n, at_utc_ns=n) for n in range(1, 6)]
    assert [r.sequence for r in totals(records, since_utc_ns=4).recent] == [4, 5]
    assert totals(records).recent == ()


def blocks(content: bytes, size: int):
    """Blocks of whole lines."""
    lines = content.splitlines(keepends=True)
    return [b"".join(lines[at : at + size]) for at in range(0, len(lines), size)]


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 12), st.sampled_from("uv")), max_size=30),
    st.integers(1, 4),
    st.integers(0, 400),
    st.booleans(),
)
def test_a_stream_gives_what_reading_at_once_gives(made, size, cut, flip):
    """Several governors that overlap, a torn tail, a damaged line."""
    by_epoch = {}
    for epoch, sequence, unit in sorted(made):
        by_epoch.setdefault(epoch, {}).setdefault(sequence, plain(sequence, epoch, unit))
    contents = {}
    for epoch, records in by_epoch.items():
        content = segment(*records.values())
        if epoch == 2:
            content = content[: max(0, len(content) - cut)]
        if epoch == 1 and flip:
            content = b"x" + content[1:]
        contents[f"epoch-{epoch}"] = content
    reading, faults = read(contents.items()), Faults()
    found = tuple(stream([[(name, blocks(c, size))] for name, c in contents.items()], faults))
    assert found == reading.records
    assert sorted(faults.torn) == sorted(reading.torn)
    assert tuple(faults.damaged) == reading.damaged
    assert tuple(faults.missing) == reading.missing
    assert faults.overruled == len(reading.overruled)
    assert faults.whole == reading.whole


def test_a_segment_that_is_there_twice_counts_once():
    one = encode_record(plain(1)) + encode_record(plain(2))
    faults = Faults()
    assert len(list(stream([[("a", [one])], [("b", [one])]], faults))) == 2
    assert len(list(stream([[("a", [one]), ("b", [one])]], faults))) == 2
    assert (faults.repeated, faults.whole) == (4, True)
