r"""How records stand in segments, and what a reader makes of segments that are torn, missing or repeated.

A segment is a run of lines, each ``<crc32 of the rest, 8 hex digits> <JSON object>\n``, in UTF-8. Rules for reading: a
damaged last line is a torn tail, normal after a crash; a damaged line elsewhere is damage; sequence numbers tell what is
missing or there twice. Of two records with one number, the one of the later epoch counts: the other was written by a
governor that did not know it had been replaced.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

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
