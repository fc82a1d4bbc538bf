"""The ledger on storage: what a governor decided, in segments below ``ledger/`` that are only ever added to.

Rules:

1. A governor writes under its epoch and under no other; two that believe to be the same one find out at once.
2. A local segment is one file a governor, appended and synced. Where nothing can be appended (object stores), each group
   is an object of its own, numbered.
3. A write that failed leaves nothing behind that a reader could take for a record: the next one begins where the last
   good one ended.

What stands in a segment, and how torn, missing and repeated ones are told, is in :mod:`docdask.core.segments`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from docdask.core.ledger import Record
from docdask.core.segments import Faults, Reading, Segment, encode_record
from docdask.core.segments import read as read_segments
from docdask.core.segments import stream as stream_segments
from docdask.core.totals import Summing, Totals
from docdask.errors import StorageError
from docdask.store import files

FOLDER = "ledger"
_EPOCH = re.compile(r"epoch-(\d+)")
_NUMBERED = re.compile(r"epoch-(\d+)-\d+\.jsonl")
#: Bytes of a segment that are read at a time.
_BLOCK_BYTES = 1 << 20
#: Objects that are fetched at a time.
_OBJECTS = 32


def canonical(url: str) -> str:
    """One name for a run directory, however it was written: an absolute path, or a URL without a slash at its end.

    Raises
    ------
    StorageError
        If the URL's protocol is unknown or its driver is not installed.
    """
    fs, root = files.filesystem(url)
    return root if files.is_local(fs) else str(fs.unstrip_protocol(root))


def totals(url: str, *, since_utc_ns: int | None = None) -> Totals:
    """What the ledger of the run directory at ``url`` comes to, in the memory of a block and about 100 bytes a unit.

    Parameters
    ----------
    url
        Run directory.
    since_utc_ns
        Also give the intents from this moment on, as ``recent``.

    Raises
    ------
    StorageError
        If the storage refuses.
    """
    summing, faults = summed(url, since_utc_ns)
    return summing.totals(faults)


def summed(url: str, since_utc_ns: int | None = None) -> tuple[Summing, Faults]:
    """Like :func:`totals`, for somebody who goes on adding."""
    faults = Faults()
    summing = Summing(since_utc_ns)
    summing.add(records(url, faults))
    return summing, faults


def records(url: str, faults: Faults | None = None, *, of: Sequence[str] = ()) -> Iterator[Record]:
    """Records of the ledger at ``url`` one by one, in the order of their numbers, each once.

    Parameters
    ----------
    url
        Run directory.
    faults
        Takes what was wrong with the segments; says nothing useful with ``of``.
    of
        Only those of units that begin like one of these: many times as fast, as blocks without them are passed over.

    Raises
    ------
    StorageError
        If the storage refuses.
    """
    fs, root = files.filesystem(url)
    folder = f"{root}/{FOLDER}"
    series: dict[str, list[str]] = {}
    for name in files.names(fs, folder):
        if name.endswith(".jsonl"):
            numbered = _NUMBERED.fullmatch(name)
            series.setdefault(numbered[1] if numbered else name, []).append(name)
    needles = [json.dumps(unit, ensure_ascii=False)[:-1].encode() for unit in of]
    found = stream_segments(
        [_segments(fs, folder, names, needles) for names in series.values()],
        Faults() if faults is None else faults,
    )
    return (record for record in found if record.unit.startswith(tuple(of))) if of else found


def exists(url: str) -> bool:
    """Whether the run directory at ``url`` has a ledger.

    Raises
    ------
    StorageError
        If the storage refuses.
    """
    fs, root = files.filesystem(url)
    return any(name.endswith(".jsonl") for name in files.names(fs, f"{root}/{FOLDER}"))


def _segments(fs: Any, folder: str, names: list[str], needles: list[bytes]) -> Iterator[Segment]:
    """Content of segments, in blocks of whole lines: those with one of the needles, if there are any."""

    def wanted(block: bytes) -> bool:
        return not needles or any(needle in block for needle in needles)

    if files.is_local(fs):
        for name in names:
            yield name, filter(wanted, _blocks(f"{folder}/{name}"))
        return
    for at in range(0, len(names), _OBJECTS):
        some = names[at : at + _OBJECTS]
        paths = [f"{folder}/{name}" for name in some]
        with files.storage_errors(paths[0], local=False):
            found = fs.cat(paths)
        for name, path in zip(some, paths, strict=True):
            yield name, filter(wanted, (found[path],))


def _blocks(path: str) -> Iterator[bytes]:
    with files.storage_errors(path, local=True), open(path, "rb") as file:  # noqa: PTH123 - beside the others
        while block := file.read(_BLOCK_BYTES):
            yield block + file.readline()


def read_ledger(url: str) -> Reading:
    """All records of the run directory at ``url``; an empty reading where none was written yet.

    Raises
    ------
    StorageError
        If the storage refuses.
    """
    fs, root = files.filesystem(url)
    folder = f"{root}/{FOLDER}"
    names = [name for name in files.names(fs, folder) if name.endswith(".jsonl")]
    return read_segments((name, files.read(fs, f"{folder}/{name}")) for name in names)


def next_epoch(url: str, last: int) -> int:
    """Number for a new governor: above ``last`` and above every segment there, also those without a whole record.

    Raises
    ------
    StorageError
        If the storage refuses.
    """
    fs, root = files.filesystem(url)
    found = [_EPOCH.match(name) for name in files.names(fs, f"{root}/{FOLDER}")]
    return 1 + max([last, *(int(match[1]) for match in found if match)])


def open_writer(url: str, epoch: int) -> LocalWriter | ObjectWriter:
    """Writer of governor number ``epoch`` below the run directory at ``url``.

    Raises
    ------
    StorageError
        If another governor writes under that number, or the storage refuses.
    """
    fs, root = files.filesystem(url)
    folder = f"{root}/{FOLDER}"
    return LocalWriter(folder, epoch) if files.is_local(fs) else ObjectWriter(fs, folder, epoch)


def _taken(path: str) -> StorageError:
    return StorageError(
        f"another governor writes {path}",
        "let only one scheduler use a run directory, or start this one again so that it takes the next number",
    )


class LocalWriter:
    """Appends to one file and syncs it after each group.

    Parameters
    ----------
    folder
        Path of the ledger; made if missing.
    epoch
        Number of the governor, from 1.
    """

    def __init__(self, folder: str, epoch: int) -> None:
        self.path = f"{folder}/epoch-{epoch:05d}.jsonl"
        self._size_bytes = 0
        self._file: int | None
        with files.storage_errors(self.path, local=True):
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - beside the others
            try:
                self._file = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
            except FileExistsError as error:
                raise _taken(self.path) from error
            files.sync_folder(folder)

    def append(self, records: Iterable[Record]) -> None:
        """Write a group; it is on the disk when this returns.

        Raises
        ------
        StorageError
            If the disk refuses; nothing of the group counts then, and it may be written again.
        """
        data = memoryview(b"".join(map(encode_record, records)))
        with files.storage_errors(self.path, local=True):
            if self._file is None:
                self._file = self._again()
            # What a failed write left behind is overwritten, and cut off where it is longer.
            os.ftruncate(self._file, self._size_bytes)
            done = 0
            while done < len(data):
                done += os.pwrite(self._file, data[done:], self._size_bytes + done)
            os.fdatasync(self._file) if hasattr(os, "fdatasync") else os.fsync(self._file)
        self._size_bytes += len(data)

    def _again(self) -> int:
        try:
            return os.open(self.path, os.O_WRONLY)
        except (
            FileNotFoundError
        ) as error:  # to a writer that is a failure: the run directory was moved or removed
            raise files.storage_error(self.path, error) from error

    def close(self) -> None:
        """Give the file back; what is appended afterwards opens it again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


class ObjectWriter:
    """Puts each group as a numbered object.

    Parameters
    ----------
    fs
        fsspec file system.
    folder, epoch
        As for :class:`LocalWriter`.
    """

    def __init__(self, fs: Any, folder: str, epoch: int) -> None:
        self._fs = fs
        self._prefix = f"{folder}/epoch-{epoch:05d}"
        self._number = 0
        if any(name.startswith(f"epoch-{epoch:05d}") for name in files.names(fs, folder)):
            raise _taken(self._prefix)

    def append(self, records: Iterable[Record]) -> None:
        """Put a group; a put is whole or not at all, and the same number is put again after a failure.

        Raises
        ------
        StorageError
            If the storage refuses.
        """
        data = b"".join(map(encode_record, records))
        files.atomic_write(self._fs, f"{self._prefix}-{self._number + 1:08d}.jsonl", data)
        self._number += 1

    def close(self) -> None:
        """Nothing is held."""
