"""Whether packing changes what is read: looked at with the first packs of a run, and given up for the run if it does.

Rules: what is in a pack is written down before it is sent; the text of each document as read in the pack and as read
alone may differ by :data:`MOST` of its characters; once packing is off it stays off for the run, and a file says why.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher
from itertools import islice
from typing import Any

from docdask.core.requesting import CHECKED_PACKS
from docdask.core.unpacking import PackMap
from docdask.engine.branch import Branch
from docdask.model import pack_id
from docdask.service.message import parse
from docdask.store.run import RunDirectory

#: Share of the characters that may differ.
MOST = 0.005

_OFF = "packing/off.json"
_LOOK_S = 1.0


class Packing:
    """Packing in one run.

    Parameters
    ----------
    run
        The run directory.
    checks
        Ids of the packs that are looked at; empty where packing needs no proof.
    """

    def __init__(self, run: RunDirectory, checks: frozenset[str]) -> None:
        self._run, self._checks = run, checks
        self._looked, self._off = -_LOOK_S, False

    @property
    def off(self) -> bool:
        """Whether documents are to be sent singly from now on; looks at most once a second."""
        if self._checks and not self._off and time.monotonic() - self._looked >= _LOOK_S:
            self._looked = time.monotonic()
            self._off = why_off(self._run) is not None
        return self._off

    def write_down(self, partition: int, request_id: str, pack: PackMap) -> None:
        """Keep what is in a pack, before it is sent."""
        self._run.write_json(f"packing/part-{partition:05d}/{request_id}.json", pack.to_json())

    def compare(self, partition: int, alone: Mapping[str, bytes]) -> None:
        """Compare what was read alone with what was stored from the pack; give packing up if it differs."""
        with self._run.results().mapping(partition) as results:
            for unit_id, document in alone.items():
                stored = results.get(unit_id)
                if stored is None or stored[1] is None:
                    continue
                share = difference(parse(stored[1]).text, parse(document).text)
                if share > MOST:
                    self._run.write_json(_OFF, {"unit": unit_id, "differs": share, "most": MOST})
                    return


def first_packs(branches: Iterable[Branch]) -> frozenset[str]:
    """Ids of the first :data:`CHECKED_PACKS` packs of a plan."""
    packs = (
        pack_id([unit.unit_id for unit in request])
        for branch in branches
        if branch.lane == "online"
        for request in branch.requests
        if len(request) > 1
    )
    return frozenset(islice(packs, CHECKED_PACKS))


def why_off(run: RunDirectory) -> dict[str, Any] | None:
    """Document for which packing was given up, and by how much its text differed; None if it is on."""
    found: dict[str, Any] | None = run.read_json(_OFF)
    return found


def difference(one: str, other: str) -> float:
    """Share of the longer text that the other does not have, 0 to 1."""
    if one == other:
        return 0.0
    same = sum(
        block.size for block in SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    )
    return 1 - same / max(len(one), len(other))
