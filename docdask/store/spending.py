"""What a run's ledger says about money, read on from where it was read last: cheap enough to be asked every second.

Rules:

1. Segments are only ever added to, so what was read of one is not read again, not even by another process: the driver
   keeps in ``spent.json`` how far it has read and what that came to.
2. Whatever looks otherwise (a segment that shrank, a line that can't be read, records that overlap) makes the whole ledger
   be read anew, by the rules of :mod:`docdask.core.segments`. The ledger decides, never what was kept.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from docdask.core.segments import Faults, Segment, stream
from docdask.core.spending import Spending, Spent
from docdask.store import files
from docdask.store.ledger import FOLDER

#: File in the run directory with what was read so far.
KEPT = "spent.json"
#: Bytes of a segment that are read at a time.
_BLOCK_BYTES = 1 << 20
#: Objects that are fetched at a time.
_OBJECTS = 32


class FollowedLedger:
    """The ledger of a run that may be going on.

    Parameters
    ----------
    url
        Run directory.
    """

    def __init__(self, url: str) -> None:
        self._fs, root = files.filesystem(url)
        self._local = files.is_local(self._fs)
        self._folder, self._kept = f"{root}/{FOLDER}", f"{root}/{KEPT}"
        self._begun = False
        self._sizes: dict[str, int] = {}
        self._offsets: dict[str, int] = {}
        self._spending = Spending()

    def sizes(self) -> dict[str, int]:
        """Bytes by segment, as they are now; empty where no call was ever made.

        Raises
        ------
        StorageError
            If the storage refuses.
        """
        try:
            with files.storage_errors(self._folder, local=self._local):
                return dict(sorted(self._listed()))
        except FileNotFoundError:
            return {}

    def spent(self, sizes: Mapping[str, int] | None = None) -> Spent:
        """What it comes to.

        Parameters
        ----------
        sizes
            What :meth:`sizes` said a moment ago; None: asked now.

        Raises
        ------
        StorageError
            If the storage refuses.
        """
        now = dict(self.sizes() if sizes is None else sizes)
        if now != self._sizes:
            try:
                if not self._begun:
                    self._begun = True
                    self._go_on(now)
                if not self._read(now):
                    self._forget()
                    self._read(now, anew=True)
            except BaseException:
                self._forget()  # what was half read is not known to be added up
                raise
            self._sizes = now
        return self._spending.spent()

    def keep(self) -> None:
        """Write down what was read, for whoever reads next. For the run's driver: nobody else may write there.

        Raises
        ------
        StorageError
            If the storage refuses.
        """
        read: dict[str, list[Any]] = {}
        for name in sorted(self._offsets):
            read[_governor(name)] = [name, self._offsets[name]]
        value = {"read": read, **self._spending.to_json()}
        files.atomic_write(self._fs, self._kept, (json.dumps(value) + "\n").encode())

    def _go_on(self, sizes: Mapping[str, int]) -> None:
        """Begin where the last reader kept that it was; with the beginning if that can't be."""
        try:
            value = json.loads(files.read(self._fs, self._kept))
            spending, read = Spending.from_json(value), dict(value["read"])
            offsets = {}
            for name, size in sizes.items():
                last, at = read.get(_governor(name), ("", 0))
                if name <= last:  # of numbered objects all up to the last one were read
                    offsets[name] = int(at) if name == last else size
            if {name for name, _ in read.values()} <= offsets.keys():
                self._offsets, self._spending = offsets, spending
        except (FileNotFoundError, KeyError, TypeError, ValueError, AttributeError):
            self._forget()

    def open_calls(self) -> dict[tuple[str, int], tuple[int, int]]:
        """Calls without a known end: unit and fence → pages and micro-dollars; errors as for :meth:`spent`."""
        self.spent()
        return self._spending.open

    def _forget(self) -> None:
        self._sizes, self._offsets, self._spending = {}, {}, Spending()

    def _listed(self) -> Iterator[tuple[str, int]]:
        if self._local:
            with os.scandir(self._folder) as entries:
                found = [(entry.name, entry.stat().st_size) for entry in entries]
        else:
            self._fs.invalidate_cache(self._folder)
            rows = self._fs.ls(self._folder, detail=True)
            found = [(str(row["name"]).rpartition("/")[2], int(row["size"])) for row in rows]
        return ((name, size) for name, size in found if name.endswith(".jsonl"))

    def _read(self, sizes: Mapping[str, int], *, anew: bool = False) -> bool:
        """Read what is new; False if that does not simply follow what was read."""
        if any(sizes.get(name, -1) < offset for name, offset in self._offsets.items()):
            return False
        # Of one governor: its file, or its numbered objects, in which sequence numbers rise.
        series: dict[str, list[str]] = {}
        for name in sorted(sizes):
            if sizes[name] > self._offsets.get(name, 0):
                series.setdefault(_governor(name), []).append(name)
        faults, read = Faults(), self._spending.sequence
        for record in stream([self._segments(names, sizes) for names in series.values()], faults):
            if record.sequence <= read and not anew:
                return False
            self._spending.add(record)
        return anew or not (faults.damaged or faults.torn or faults.repeated or faults.overruled)

    def _segments(self, names: list[str], sizes: Mapping[str, int]) -> Iterator[Segment]:
        if self._local:
            for name in names:
                yield name, self._blocks(name, sizes[name])
            return
        for at in range(0, len(names), _OBJECTS):
            paths = {f"{self._folder}/{name}": name for name in names[at : at + _OBJECTS]}
            with files.storage_errors(self._folder, local=False):
                found = self._fs.cat(list(paths))
            for path, name in paths.items():
                self._offsets[name] = sizes[name]
                yield name, (found[path],)

    def _blocks(self, name: str, size: int) -> Iterator[bytes]:
        """Whole lines of a file between what was read of it and ``size``; a last line without its end waits."""
        path = f"{self._folder}/{name}"
        at = self._offsets.get(name, 0)
        with files.storage_errors(path, local=True), open(path, "rb") as file:  # noqa: PTH123 - beside the others
            file.seek(at)
            while at < size:
                block = file.read(min(_BLOCK_BYTES, size - at))
                if not block.endswith(b"\n"):
                    block += file.readline()
                if not block.endswith(b"\n"):
                    block = block[: block.rfind(b"\n") + 1]
                if not block:
                    return
                at = self._offsets[name] = at + len(block)
                yield block


def _governor(name: str) -> str:
    """Part of a segment's name that all segments of one governor share: ``epoch-00001``."""
    return "-".join(name.removesuffix(".jsonl").split("-")[:2])
