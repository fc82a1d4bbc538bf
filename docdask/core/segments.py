r"""How records stand in segments, and what a reader makes of segments that are torn, missing or repeated.

A segment is a run of lines, each ``<crc32 of the rest, 8 hex digits> <JSON object>\n``, in UTF-8. Rules for reading: a
damaged last line is a torn tail, normal after a crash; a damaged line elsewhere is damage; sequence numbers tell what is
missing or there twice. Of two records with one number, the one of the later epoch counts: the other was written by a
governor that did not know it had been replaced.
"""

from __future__ import annotations

import heapq
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from docdask.core.ledger import Record


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read."""

    records: tuple[Record, ...]
    """Each once, in order."""
    torn: tuple[str, ...] = ()
    """Segments whose last line is incomplete."""
    damaged: tuple[tuple[str, int], ...] = ()
    """Segment and line number (from 1) of lines that can't be read."""
    missing: tuple[tuple[int, int], ...] = ()
    """Gaps: first and last sequence number that is not there."""
    repeated: int = 0
    """Records that were there more than once, equal."""
    overruled: tuple[Record, ...] = field(default=())
    """Records of a governor that had been replaced."""

    @property
    def whole(self) -> bool:
        """Whether nothing but a torn tail or a repetition was found."""
        return not (self.damaged or self.missing or self.overruled)


@dataclass(slots=True)
class Faults:
    """What was wrong with segments that were read in a stream; the first thousand of each are named."""

    torn: list[str] = field(default_factory=list)
    """Segments whose last line is incomplete."""
    damaged: list[tuple[str, int]] = field(default_factory=list)
    """Segment and line number (from 1) of lines that can't be read."""
    missing: list[tuple[int, int]] = field(default_factory=list)
    """Gaps: first and last sequence number that is not there."""
    repeated: int = 0
    """Records that were there more than once."""
    overruled: int = 0
    """Records of a governor that had been replaced."""

    @property
    def whole(self) -> bool:
        """Whether nothing but a torn tail or a repetition was found."""
        return not (self.damaged or self.missing or self.overruled)


#: Name of a segment, and its content in blocks of whole lines (the last one may lack its end).
Segment = tuple[str, Iterable[bytes]]
_NAMED = 1000
_fields = itemgetter(*Record._fields)


def encode_record(record: Record) -> bytes:
    """One line."""
    text = json.dumps(record._asdict(), ensure_ascii=False, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def decode_record(line: bytes) -> Record | None:
    """The record on a line (with or without its end), or None if it is damaged."""
    head, _, text = line.rstrip(b"\n").partition(b" ")
    try:
        if len(head) != 8 or int(head, 16) != zlib.crc32(text):
            return None
        return Record(**json.loads(text))
    except (ValueError, TypeError):
        return None


def read(segments: Iterable[tuple[str, bytes]]) -> Reading:
    """Read segments, given as name and content, in any order.

    Returns
    -------
    Reading
        All that could be read, and all that was wrong.
    """
    found: dict[int, Record] = {}
    torn: list[str] = []
    damaged: list[tuple[str, int]] = []
    overruled: list[Record] = []
    repeated = 0
    for name, content in segments:
        lines = content.splitlines(keepends=True)
        for number, line in enumerate(lines, start=1):
            record = decode_record(line) if line.endswith(b"\n") else None
            if record is None:
                if number == len(lines):
                    torn.append(name)
                else:
                    damaged.append((name, number))
                continue
            known = found.get(record.sequence)
            if known is None:
                found[record.sequence] = record
            elif known == record:
                repeated += 1
            elif record.epoch > known.epoch:
                overruled.append(known)
                found[record.sequence] = record
            else:
                overruled.append(record)
    order = sorted(found)
    return Reading(
        records=tuple(found[sequence] for sequence in order),
        torn=tuple(torn),
        damaged=tuple(damaged),
        missing=_gaps(order),
        repeated=repeated,
        overruled=tuple(overruled),
    )


def _gaps(order: list[int]) -> tuple[tuple[int, int], ...]:
    gaps = []
    expected = 1
    for sequence in order:
        if sequence > expected:
            gaps.append((expected, sequence - 1))
        expected = sequence + 1
    return tuple(gaps)


def stream(series: Sequence[Iterable[Segment]], faults: Faults) -> Iterator[Record]:
    """Records in the order of their numbers, each once, in the memory of a block a series.

    Parameters
    ----------
    series
        Segments in which sequence numbers rise from one to the next: those of one governor.
    faults
        Takes what was wrong; complete when the stream has ended.

    Yields
    ------
    Record
        The same that :func:`read` returns.
    """
    lanes = [_records(segments, faults) for segments in series]
    # Of two with one number that of the later epoch comes first, and counts.
    merged = lanes[0] if len(lanes) == 1 else heapq.merge(*lanes, key=lambda r: (r.sequence, -r.epoch))
    expected = 1
    last: Record | None = None
    for record in merged:
        sequence = record.sequence
        if sequence < expected and last is not None:
            if sequence < last.sequence or record == last:
                faults.repeated += 1
            else:
                faults.overruled += 1
            continue
        if sequence > expected and len(faults.missing) < _NAMED:
            faults.missing.append((expected, sequence - 1))
        expected, last = sequence + 1, record
        yield record


def _records(segments: Iterable[Segment], faults: Faults) -> Iterator[Record]:
    for name, blocks in segments:
        number, bad = 0, 0  # line, and a damaged one that may be the last
        for block in blocks:
            lines = block.split(b"\n")
            tail = lines.pop()
            found: Sequence[Record | None] | None = _decode(lines)
            if found is None:
                found = [decode_record(line) for line in lines]
            for record in found:
                number += 1
                if bad and len(faults.damaged) < _NAMED:
                    faults.damaged.append((name, bad))
                bad = 0
                if record is None:
                    bad = number
                else:
                    yield record
            if tail:
                number += 1
                if bad and len(faults.damaged) < _NAMED:
                    faults.damaged.append((name, bad))
                bad = number
        if bad and len(faults.torn) < _NAMED:
            faults.torn.append(name)


def _decode(lines: list[bytes]) -> list[Record] | None:
    """Records of whole lines, all at once, which is three times as fast; None if any is damaged."""
    texts = [line[9:] for line in lines]
    crc32 = zlib.crc32
    try:
        if any([int(line[:8], 16) != crc32(text) for line, text in zip(lines, texts, strict=True)]):  # noqa: C419 - twice as fast
            return None
        return [Record._make(_fields(value)) for value in json.loads(b"[" + b",".join(texts) + b"]")]
    except (ValueError, TypeError, KeyError):
        return None
