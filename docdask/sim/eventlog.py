"""Event logs: what a governor was told and what it answered, one JSON line an event, and their replay.

The first line says how the governor was made; every other line is ``{"event": …, "out": […]}`` as
:mod:`docdask.core.wire` encodes them. A governor is a function of its events, so a log of production, of a test or of
the simulator replays through a fresh governor and gives the same instructions. A last line that was torn by a crash is
left out; anything else that can't be read is an error that names the line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TextIO

from docdask.core import wire
from docdask.core.events import EVENTS, Event
from docdask.core.governor import Governor
from docdask.core.instructions import Instruction
from docdask.errors import UsageError

FORMAT = 1
_MADE = ("epoch", "fence", "sequence", "utc_offset_ns")


class EventLog:
    """Writes a log; called with each event and what was answered.

    Parameters
    ----------
    file
        Text file to write to.
    epoch, fence, sequence, utc_offset_ns
        What the governor was made with.
    """

    def __init__(
        self, file: TextIO, *, epoch: int = 1, fence: int = 0, sequence: int = 0, utc_offset_ns: int = 0
    ) -> None:
        self._file = file
        made = {"epoch": epoch, "fence": fence, "sequence": sequence, "utc_offset_ns": utc_offset_ns}
        self._write({"docdask": "event log", "format": FORMAT, "governor": made})

    def __call__(self, event: Event, out: list[Instruction]) -> None:
        """Write one line."""
        self._write({"event": wire.encode(event), "out": [wire.encode(instruction) for instruction in out]})

    def _write(self, value: dict[str, Any]) -> None:
        self._file.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a replay first went another way."""

    line: int
    """Of the log, from 1."""
    event: Event
    recorded: tuple[Instruction, ...]
    replayed: tuple[Instruction, ...]

    def __str__(self) -> str:
        """Say it in a few lines."""
        pairs = zip(self.recorded, self.replayed, strict=False)
        at = next(
            (number for number, (old, new) in enumerate(pairs) if old != new),
            min(len(self.recorded), len(self.replayed)),
        )
        old = self.recorded[at] if at < len(self.recorded) else "nothing more"
        new = self.replayed[at] if at < len(self.replayed) else "nothing more"
        return f"line {self.line}: {self.event}\n  recorded: {old}\n  replayed: {new}"


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay came to."""

    events: int
    instructions: int
    seconds: float
    """From the first event to the last, on the log's clock."""
    torn: bool
    """Whether the last line was cut and left out."""
    difference: Difference | None
    """None: the governor answered every event as it did then."""


def replay(lines: Iterable[str]) -> Replay:
    """Replay a log through a fresh governor, up to the first difference.

    Raises
    ------
    UsageError
        If it is no event log, of another format, or a line in the middle can't be read.
    """
    source = iter(lines)
    governor = Governor(**_made(next(source, "")))
    events = instructions = 0
    first_ns = last_ns = 0
    torn = False
    for number, event, recorded in _read(source):
        if event is None:
            torn = True
            break
        replayed = tuple(governor.handle(event))
        events += 1
        instructions += len(replayed)
        first_ns = event.at_ns if events == 1 else first_ns
        last_ns = event.at_ns
        if replayed != recorded:
            seconds = (last_ns - first_ns) / 1e9
            return Replay(events, instructions, seconds, torn, Difference(number, event, recorded, replayed))
    return Replay(events, instructions, (last_ns - first_ns) / 1e9, torn, None)


def _made(line: str) -> dict[str, int]:
    try:
        head = json.loads(line)
        if head["docdask"] != "event log":
            raise KeyError("docdask")
        version, made = head["format"], {name: int(head["governor"][name]) for name in _MADE}
    except (ValueError, KeyError, TypeError):
        raise UsageError(
            f"this is no event log: its first line is {line[:60]!r}",
            "give a file that docdask wrote with --record",
        ) from None
    if version != FORMAT:
        raise UsageError(
            f"this event log has format {version}, not {FORMAT}", "replay it with the docdask that wrote it"
        )
    return made


def _read(lines: Iterator[str]) -> Iterator[tuple[int, Event | None, tuple[Instruction, ...]]]:
    """Line number, event and recorded instructions; the event is None for a torn last line."""
    torn: tuple[int, str] | None = None
    for number, line in enumerate(lines, 2):
        if torn is not None:
            raise UsageError(
                f"line {torn[0]} of the event log can't be read: {torn[1]}", "the file is damaged"
            )
        try:
            value = json.loads(line)
            event = wire.decode(value["event"])
            out = wire.decode(value["out"])
        except (ValueError, KeyError, TypeError) as error:
            torn = (number, str(error) or type(error).__name__)
            continue
        if not isinstance(event, EVENTS) or not isinstance(out, tuple):
            torn = (number, "there is no event in it")
            continue
        yield number, event, out
    if torn is not None:
        yield torn[0], None, ()
