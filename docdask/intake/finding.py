"""Finds the files behind what a user names: folders, globs, single files, fsspec URLs, lists.

Rules:

1. Order is that of the URIs, each URI once, whatever the order of the sources.
2. In folders, hidden files and folders (a leading dot) and run directories (they hold ``docdask.json``) are left out;
   what is named itself is taken.
3. Nothing is opened here but lists. Size and version come from the directory.
4. A name that leads nowhere in a list or as a dangling link is kept, so that it ends up in the tables with a reason.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from docdask.errors import SourceError, sentence
from docdask.intake import lists
from docdask.intake.reading import StorageOptions, is_url, local_path, local_uri
from docdask.model import Source
from docdask.store.run import MANIFEST

_MAGIC = frozenset("*?[")


def find(sources: Sequence[str], *, storage_options: StorageOptions = None) -> Iterator[Source]:
    """Every file behind ``sources``, sorted by URI, each once.

    Parameters
    ----------
    sources
        Folders, files, globs (``**`` crosses folders), fsspec URLs (``gs://…``, ``zip://**::archive.zip``), lists
        (``list.csv``, ``list.parquet``, ``@file``; see :mod:`docdask.intake.lists`).
    storage_options
        Passed to the file systems (fsspec).

    Raises
    ------
    SourceError
        If a source does not exist, can't be listed, or there is not one file behind all of them.
    """
    found: dict[str, Source] = {}
    for source in sources:
        for item in _expand(str(source), storage_options):
            found.setdefault(item.uri, item)
    if not found:
        raise SourceError(
            f"no files in {', '.join(map(repr, sources)) or 'an empty list of sources'}",
            "name a folder, a file, a glob or an fsspec URL that holds documents; hidden files don't count",
        )
    return iter([found[uri] for uri in sorted(found)])


def _expand(source: str, options: StorageOptions) -> Iterator[Source]:
    if source.startswith("@") and not os.path.lexists(source):
        yield from _listed(source[1:], options, certain=True)
        return
    path = local_path(source)
    if path is None:
        yield from _listed(source, options) if lists.looks_like(source) else _remote(source, options)
        return
    path = os.path.expanduser(path)  # noqa: PTH111 - pathlib would lose names that are no UTF-8
    if os.path.isdir(path):  # noqa: PTH112
        yield from _folder(path)
    elif os.path.lexists(path):
        yield from _listed(path, options) if lists.looks_like(path) else [_file(path)]
    elif _MAGIC & set(path):
        yield from _glob(path)
    else:
        raise SourceError(
            f"there is no file or folder {source!r}", "check the path; globs need quotes in a shell"
        )


def _folder(top: str) -> Iterator[Source]:
    """Files below a folder, by ``os.scandir``: one ``stat`` a file and nothing else."""
    pending, seen = [os.path.abspath(top)], {os.path.realpath(top)}  # noqa: PTH100
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(folder) as entries:
                inside = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError as cause:
            raise SourceError(
                f"the folder {folder!r} can't be read: {cause.strerror or cause}",
                "give the account that runs docdask the right to read it, or leave it out",
            ) from cause
        if any(entry.name == MANIFEST for entry in inside):
            continue
        for entry in inside:
            if entry.is_dir():
                if not entry.is_symlink():
                    pending.append(entry.path)
                elif (real := os.path.realpath(entry.path)) not in seen:
                    # A link to a folder is followed once, so that links in a circle end.
                    seen.add(real)
                    pending.append(entry.path)
            elif entry.is_file() or entry.is_symlink():
                yield _entry(entry)


def _entry(entry: os.DirEntry[str]) -> Source:
    try:
        status = entry.stat()
    except OSError:
        return Source(local_uri(entry.path), 0, "")
    return Source(local_uri(entry.path), status.st_size, str(status.st_mtime_ns))


def _file(path: str) -> Source:
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return Source(local_uri(path), 0, "")
    return Source(local_uri(path), status.st_size, str(status.st_mtime_ns))


def _glob(pattern: str) -> Iterator[Source]:
    matches = glob.glob(pattern, recursive=True)  # noqa: PTH207
    if not matches:
        raise SourceError(f"nothing matches {pattern!r}", "check the pattern; ** crosses folders")
    runs: dict[str, bool] = {}
    for path in matches:
        if os.path.isdir(path):  # noqa: PTH112
            # `*` names folders too: their files are meant. Below `**` they are matched one by one.
            if "**" not in pattern:
                yield from _folder(path)
        elif stat.S_ISREG(_mode(path)) and not _in_run(path, runs):
            yield _file(path)


def _mode(path: str) -> int:
    try:
        return os.stat(path).st_mode  # noqa: PTH116
    except OSError:
        return 0


def _in_run(path: str, runs: dict[str, bool]) -> bool:
    """Whether a file that a glob matched lies in a run directory; ``runs`` remembers folders already looked at."""
    folder = os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120
    passed = []
    while folder not in runs:
        passed.append(folder)
        if os.path.exists(os.path.join(folder, MANIFEST)):  # noqa: PTH110, PTH118
            runs[folder] = True
        elif (parent := os.path.dirname(folder)) == folder:  # noqa: PTH120
            runs[folder] = False
        else:
            folder = parent
    answer = runs[folder]
    runs.update(dict.fromkeys(passed, answer))
    return answer


def _remote(source: str, options: StorageOptions) -> Iterator[Source]:
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(source, **(options or {}))
        if _MAGIC & set(path):
            listing = filesystem.glob(path, detail=True)
        else:
            listing = filesystem.find(path, detail=True, withdirs=False)
            if not listing and filesystem.exists(path) and not filesystem.isdir(path):
                listing = {path: filesystem.info(path)}
    except Exception as cause:
        raise SourceError(
            f"{source!r} can't be listed: {sentence(cause)}",
            "check the URL, your login, and that its fsspec file system is installed",
        ) from cause
    if not listing:
        raise SourceError(f"there is nothing at {source!r}", "check the URL; ** crosses folders")
    runs = {name.rpartition("/")[0] for name in listing if name.rpartition("/")[2] == MANIFEST}
    for name, info in listing.items():
        if info.get("type") == "directory" or _left_out(name, path, runs):
            continue
        yield Source(_url(source, filesystem, name), int(info.get("size") or 0), version(info))


def _left_out(name: str, top: str, runs: set[str]) -> bool:
    if any(name.startswith(run + "/") for run in runs):
        return True
    root = top.rstrip("/")
    below = name.removeprefix(root) if name != root and not _MAGIC & set(top) else name.rpartition("/")[2]
    return name != root and any(part.startswith(".") for part in below.split("/") if part)


def _url(source: str, filesystem: Any, name: str) -> str:
    """URL of a listed name; the outer part of a chain (``::archive.zip``) is kept."""
    head, separator, tail = source.partition("::")
    if separator:
        return f"{head.partition('://')[0]}://{name.lstrip('/')}::{tail}"
    return str(filesystem.unstrip_protocol(name))


def version(info: Mapping[str, Any]) -> str:
    """Pick what changes when a file changes, from an fsspec listing; empty where the file system tells nothing."""
    for key in ("generation", "ETag", "etag", "md5Hash", "md5", "CRC", "mtime", "LastModified", "last_modified", "updated", "created"):  # fmt: skip
        value = info.get(key)
        if value:
            return value.isoformat() if hasattr(value, "isoformat") else str(value)
    return ""


def _listed(source: str, options: StorageOptions, *, certain: bool = False) -> Iterator[Source]:
    """Files that a list names, or the list itself where it is none."""
    entries = lists.read(source, options, certain=certain)
    if entries is None:
        yield from _remote(source, options) if is_url(source) else [_file(source)]
        return
    from concurrent.futures import ThreadPoolExecutor

    def locate(entry: lists.Entry) -> Source:
        path = local_path(entry.uri)
        found = _file(path) if path is not None else _info(entry.uri, options)
        return Source(found.uri, found.size_bytes, found.version, entry.columns)

    with ThreadPoolExecutor(16) as pool:
        yield from pool.map(locate, entries) if any(is_url(e.uri) for e in entries) else map(locate, entries)


def _info(uri: str, options: StorageOptions) -> Source:
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(uri, **(options or {}))
        info = filesystem.info(path)
    except Exception:  # noqa: BLE001 - whatever a file system raises: the scan says why, in that document's row
        return Source(uri, 0, "")
    # The same file must have the same URI, whether a list or a listing names it.
    return Source(_url(uri, filesystem, path), int(info.get("size") or 0), version(info))
