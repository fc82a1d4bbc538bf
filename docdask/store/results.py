"""Results: put one by one while a branch runs, sealed into one container when it has ended.

Rules:

1. A result is paid for, so it is on the disk before its name is (:data:`SYNC`).
2. What is damaged or cut short is no result: it counts as absent, is done again and then replaced.
3. A loose result wins over one in the container: it is newer, or equal.
4. Sealing writes the new container whole, then removes the loose files. Whatever it is interrupted in, nothing is lost
   and sealing again ends it.

The container is a ZIP whose entries are stored as they are, so any tool opens it, and reading one entry reads that
entry only.
"""

from __future__ import annotations

import contextlib
import os
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any, Self

from docdask.model import Facts
from docdask.store import files
from docdask.store.codec import HEAD_BYTES, SUFFIX, decode, decode_facts, encode, head_bytes

#: Whether a loose result is on the disk before its name is. Without it the kernel may hold the last 30 s of results
#: back, and a power cut then loses calls that were paid. Measured on ext4, SSD: 0.3 ms a result, 0.1 ms of it CPU;
#: a call to Document AI takes 1-3 s. A killed process loses nothing either way.
SYNC = True

#: Temporary files of writers that were killed are removed by :meth:`Results.seal` when they are this old.
ABANDONED_S = 600.0

Loaded = tuple[Facts, bytes | None]


class Results:
    """The results of a run. Cheap to make, and to send to another process: it is the run's URL.

    Parameters
    ----------
    url
        Of the run directory.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._fs, root = files.filesystem(url)
        self._root = f"{root.rstrip('/')}/results"
        self._local = files.is_local(self._fs)

    def __reduce__(self) -> tuple[type[Results], tuple[str]]:
        return Results, (self.url,)

    def put(self, partition: int, facts: Facts, document: bytes | None) -> None:
        """Store a result under its unit's id, replacing one that is there.

        Parameters
        ----------
        partition
            Branch it belongs to.
        facts
            Facts of the call.
        document
            Binary protobuf; None when the unit failed for good.

        Raises
        ------
        StorageError
            If the storage refuses.
        """
        files.atomic_write(
            self._fs, self._loose(partition, facts.unit_id), encode(facts, document), sync=SYNC
        )

    def load(self, partition: int, unit_id: str) -> Loaded | None:
        """One result; None if there is none that is sound. For many, open the :meth:`mapping` once."""
        for _ in range(2):  # a seal between the listing of loose files and the reading of one: look again
            with self.mapping(partition) as results:
                if (loaded := results.get(unit_id)) is not None:
                    return loaded
        return None

    def mapping(self, partition: int) -> PartitionResults:
        """All results of one partition as a mapping; close it, or use it as a context manager."""
        return PartitionResults(self._fs, self._folder(partition), self._container(partition))

    def finished(self, partition: int, *, verify: bool = True) -> dict[str, Facts]:
        """Facts of the units of a partition that are done, whether loose or sealed.

        Parameters
        ----------
        partition
            Branch to look at.
        verify
            Read every result to its end and check its checksum. False looks at heads and lengths only, in half the time:
            for who counts, not for who decides what is done again.
        """
        with self.mapping(partition) as results:
            if verify:
                return {unit_id: loaded[0] for unit_id, loaded in results.items()}
            return dict(results.facts())

    def seal(self, partition: int, unit_ids: Iterable[str] | None = None) -> int:
        """Move loose results into the partition's container; again, or after a crash, is harmless.

        Parameters
        ----------
        partition
            Branch that has ended.
        unit_ids
            Units to move; None for all.

        Returns
        -------
        int
            Results moved.

        Raises
        ------
        StorageError
            If the storage refuses; every result is still there.
        """
        folder, container = self._folder(partition), self._container(partition)
        wanted = None if unit_ids is None else set(unit_ids)
        loose = [
            name
            for name in files.names(self._fs, folder)
            if name.endswith(SUFFIX) and (wanted is None or name.removesuffix(SUFFIX) in wanted)
        ]
        if loose:
            with PartitionResults(self._fs, folder, container) as results:
                moved = {name.removesuffix(SUFFIX) for name in loose}
                files.atomic_stream(self._fs, container, lambda file: _write_container(file, results, moved))
            files.remove(self._fs, [f"{folder}/{name}" for name in loose])
        self._tidy(folder)
        return len(loose)

    def partitions(self) -> list[int]:
        """Partitions that have results."""
        return sorted(
            {
                int(name[5:10])
                for name in files.names(self._fs, self._root)
                if name.startswith("part-") and name[5:].removesuffix(".zip").isdigit()
            }
        )

    def _folder(self, partition: int) -> str:
        return f"{self._root}/part-{partition:05d}"

    def _container(self, partition: int) -> str:
        return f"{self._root}/part-{partition:05d}.zip"

    def _loose(self, partition: int, unit_id: str) -> str:
        return f"{self._folder(partition)}/{unit_id}{SUFFIX}"

    def _tidy(self, folder: str) -> None:
        """Remove the emptied folder, with what killed writers left in it. Folders are a local thing."""
        if not self._local:
            return
        with contextlib.suppress(OSError):
            for entry in os.scandir(folder):
                if (
                    entry.name.endswith(files.TEMPORARY_SUFFIX)
                    and time.time() - entry.stat().st_mtime > ABANDONED_S
                ):
                    os.unlink(entry.path)  # noqa: PTH108 - an entry of scandir
            os.rmdir(folder)  # noqa: PTH106 - beside the others; fails when a late writer has put something there


class PartitionResults(Mapping[str, Loaded]):
    """The results of one partition: unit id → facts and Document (None when the unit failed for good).

    Each access reads and decodes one result, so a partition larger than memory can be walked. A damaged result raises
    ``KeyError`` like an absent one, and a walk passes over it.
    """

    def __init__(self, fs: Any, folder: str, container: str) -> None:
        self._fs, self._folder = fs, folder
        self._local = files.is_local(fs)
        self._loose = {
            name.removesuffix(SUFFIX): f"{folder}/{name}"
            for name in files.names(fs, folder)
            if name.endswith(SUFFIX)
        }
        self._file, self._zip = _open_container(fs, container)
        self._sealed = {
            info.filename.removesuffix(SUFFIX): info
            for info in (self._zip.infolist() if self._zip else ())
            if info.filename.endswith(SUFFIX)
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the container; again is harmless."""
        if self._file is not None:
            self._file.close()

    def __del__(self) -> None:
        if getattr(self, "_file", None) is not None:  # absent when the constructor failed
            self.close()

    def unit_ids(self) -> list[str]:
        """Ids of what is there, not yet known to be sound: loose ones first, then in the container's order."""
        return [*self._loose, *(unit_id for unit_id in self._sealed if unit_id not in self._loose)]

    def is_sealed(self, unit_id: str) -> bool:
        """Whether the container has an entry for it."""
        return unit_id in self._sealed

    def __iter__(self) -> Iterator[str]:
        return (unit_id for unit_id, _ in self._walk())

    def __len__(self) -> int:
        return sum(1 for _ in self._walk())

    def __getitem__(self, unit_id: str) -> Loaded:
        for data in self.stored(unit_id):
            loaded = decode(data)
            if loaded is not None:
                return loaded
        raise KeyError(unit_id)

    def items(self) -> Any:
        """Pairs of unit id and result, each read once, in the order of :meth:`unit_ids`."""
        return self._walk()

    def values(self) -> Any:
        """Results, each read once."""
        return (loaded for _, loaded in self._walk())

    def facts(self) -> Iterator[tuple[str, Facts]]:
        """Pairs of unit id and facts, from the heads alone: a wrong length is noticed, a wrong byte after it is not."""
        for unit_id in self.unit_ids():
            for head, size_bytes in self._heads(unit_id):
                facts = decode_facts(head, size_bytes)
                if facts is not None:
                    yield unit_id, facts
                    break

    def stored(self, unit_id: str) -> Iterator[bytes]:
        """Read the stored forms of a unit's result, best first: loose, then from the container."""
        if unit_id in self._loose:
            with contextlib.suppress(FileNotFoundError):  # sealed in the meantime: the new container has it
                yield files.read(self._fs, self._loose[unit_id])
        if unit_id in self._sealed and self._zip is not None:
            with contextlib.suppress(zipfile.BadZipFile, EOFError):
                yield self._zip.read(self._sealed[unit_id])

    def _walk(self) -> Iterator[tuple[str, Loaded]]:
        for unit_id in self.unit_ids():
            loaded = self.get(unit_id)
            if loaded is not None:
                yield unit_id, loaded

    def _heads(self, unit_id: str) -> Iterator[tuple[bytes, int]]:
        if unit_id in self._loose:
            with contextlib.suppress(FileNotFoundError):
                yield self._loose_head(self._loose[unit_id])
        if unit_id in self._sealed and self._zip is not None:
            info = self._sealed[unit_id]
            with contextlib.suppress(zipfile.BadZipFile, EOFError), self._zip.open(info) as file:
                yield _head(file), info.file_size

    def _loose_head(self, path: str) -> tuple[bytes, int]:
        with files.storage_errors(path, local=self._local):
            if self._local:
                with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - hot path
                    return _head(file), os.fstat(file.fileno()).st_size
            with self._fs.open(path, "rb", block_size=HEAD_BYTES, cache_type="readahead") as file:
                return _head(file), int(file.size)


def _head(file: IO[bytes] | Any) -> bytes:
    data: bytes = file.read(HEAD_BYTES)
    missing = head_bytes(data) - len(data)
    return data + file.read(missing) if missing > 0 else data


def _open_container(fs: Any, path: str) -> tuple[IO[bytes] | None, zipfile.ZipFile | None]:
    """Open the container; nothing if there is none, or none that can be read."""
    try:
        with files.storage_errors(path, local=files.is_local(fs)):
            file = fs.open(path, "rb")
    except FileNotFoundError:
        return None, None
    try:
        return file, zipfile.ZipFile(file)
    except zipfile.BadZipFile:
        return file, None


def _write_container(file: IO[bytes], results: PartitionResults, moved: set[str]) -> None:
    """Write a container of what the old one holds and of the loose ``moved``, one entry in memory at a time."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as container:
        for unit_id in results.unit_ids():
            if unit_id not in moved and not results.is_sealed(unit_id):
                continue
            data = _sound(results, unit_id)
            if data is not None:
                container.writestr(zipfile.ZipInfo(unit_id + SUFFIX), data)


def _sound(results: PartitionResults, unit_id: str) -> bytes | None:
    """Choose the stored form of the best result; of two, the first that is whole."""
    found = list(results.stored(unit_id))
    if len(found) > 1:
        found = [data for data in found if decode(data) is not None] or found
    return found[0] if found else None
