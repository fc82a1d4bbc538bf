"""Torn, missing and repeated segments."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from docdask.core.ledger import Record
from docdask.core.segments import decode_record, encode_record, read

texts = st.text(max_size=20)
numbers = st.integers(0, 2**62)


@st.composite
def records(draw, sequence=None):
    return Record(
        sequence=draw(numbers) if sequence is None else sequence, epoch=draw(st.integers(1, 5)), kind=draw(st.sampled_from(["intent", "lost"])),
        unit=draw(texts), attempt=draw(numbers), fence=draw(numbers), run=draw(texts), semaphore=draw(texts),
        endpoint=draw(texts), worker=draw(texts), pages=draw(numbers), micros=draw(numbers), code=draw(texts), at_utc_ns=draw(numbers),
    )  # fmt: skip


def plain(sequence: int, epoch: int = 1, unit: str = "u") -> Record:
    return Record(sequence, epoch, "intent", unit, 1, sequence, "r", "s", "us", "w", 1, 0, "", 0)


def segment(*items: Record) -> bytes:
    return b"".join(encode_record(item) for item in items)


@given(records())
def test_a_record_survives_its_line(record):
    line = encode_record(record)
    assert line.count(b"\n") == 1
    assert decode_record(line) == record


@given(records(), st.data())
def test_a_flipped_bit_is_noticed(record, data):
    line = bytearray(encode_record(record))
    at = data.draw(st.integers(0, len(line) - 2))
    line[at] ^= 1 << data.draw(st.integers(0, 7))
    decoded = decode_record(bytes(line))
    # The checksum is hexadecimal: "A" and "a" are one digit, and the record is still the one that was written.
    assert decoded is None or (decoded == record and at < 8)


@given(st.integers(1, 8), st.data())
def test_any_cut_loses_only_the_tail(count, data):
    whole = segment(*(plain(n) for n in range(1, count + 1)))
    cut = data.draw(st.integers(0, len(whole)))
    reading = read([("a", whole[:cut])])
    assert reading.records == tuple(plain(n) for n in range(1, len(reading.records) + 1))
    assert reading.whole
    ends = {len(segment(*(plain(n) for n in range(1, upto + 1)))) for upto in range(count + 1)}
    assert bool(reading.torn) == (cut not in ends)


def test_missing_segments_show_as_gaps():
    reading = read([("a", segment(plain(1), plain(2))), ("c", segment(plain(5), plain(8)))])
    assert reading.missing == ((3, 4), (6, 7))
    assert not reading.whole


def test_a_repeated_segment_counts_once():
    reading = read([("a", segment(plain(1), plain(2))), ("copy", segment(plain(1), plain(2)))])
    assert len(reading.records) == 2
    assert reading.repeated == 2
    assert reading.whole


def test_damage_within_a_segment_is_named_and_the_rest_is_read():
    lines = segment(plain(1), plain(2), plain(3)).splitlines(keepends=True)
    lines[1] = b"garbage\n"
    reading = read([("a", b"".join(lines))])
    assert reading.damaged == (("a", 2),)
    assert reading.missing == ((2, 2),)
    assert [record.sequence for record in reading.records] == [1, 3]


def test_a_governor_that_was_replaced_is_overruled():
    old, new = plain(2, epoch=1, unit="old"), plain(2, epoch=2, unit="new")
    for order in ((old, new), (new, old)):
        reading = read([("a", segment(plain(1))), *((r.unit, segment(r)) for r in order)])
        assert reading.records == (plain(1), new)
        assert reading.overruled == (old,)


def test_nothing_is_an_empty_ledger():
    assert read([]).records == ()
    assert read([("a", b"")]).whole
