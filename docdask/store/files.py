"""How bytes reach a run directory: any fsspec URL, and a reader sees a whole file or none.

Rules:

1. A local file is written beside its place under a hidden name and renamed: a reader has the old one or the new one.
2. An object store gets one put, which is atomic there by itself.
3. What the storage refuses becomes a :class:`~docdask.errors.StorageError` that says which file, why, and what to do.

Temporary names begin with a dot and end in ``.tmp``, so that no glob for ``*.parquet`` or ``*.zst`` meets them.
"""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import os
import uuid
from collections.abc import Callable, Iterator
from typing import IO, Any

from docdask.errors import DocdaskError, StorageError

TEMPORARY_SUFFIX = ".tmp"

_serial = itertools.count()
_token = uuid.uuid4().hex[:8]  # two hosts on one network drive may share a process id

_REASONS = {
    errno.ENOSPC: ("there is no space left on the disk", "free some space"),
    errno.EDQUOT: ("the disk quota is used up", "free some space"),
    errno.EROFS: ("the file system is read-only", "choose a folder that can be written"),
    errno.EACCES: ("access is denied", "choose a folder that you may write, or change its rights"),
    errno.EPERM: ("the operation is not permitted", "choose a folder that you may write, or change its rights"),
    errno.ENOENT: ("no folder can be made there", "choose another folder"),
    errno.ENOTDIR: ("a part of that path is a file, not a folder", "choose another folder"),
    errno.EISDIR: ("there is a folder of that name", "choose another folder"),
    errno.ENAMETOOLONG: ("the name is too long for the file system", "choose a shorter path"),
}  # fmt: skip


def filesystem(url: str) -> tuple[Any, str]:
    """File system and path of an fsspec URL; a local path is made absolute.

    Raises
    ------
    StorageError
        If the URL's protocol is unknown or its driver is not installed.
    """
    from fsspec.core import url_to_fs

    try:
        fs, path = url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise StorageError(
            f"can't reach {url!r}: {error}",
            "give a folder or an fsspec URL; gs:// needs pip install 'docdask[gcs]'",
        ) from error
    return fs, str(path).rstrip("/") or "/"


def is_local(fs: Any) -> bool:
    """Whether ``fs`` is this machine's own file system, where renames, locks and ``fsync`` exist."""
    protocol = fs.protocol
    return "file" in ((protocol,) if isinstance(protocol, str) else protocol)


@contextlib.contextmanager
def storage_errors(what: str, *, local: bool) -> Iterator[None]:
    """Turn what the storage raises for ``what`` (a path) into :class:`StorageError`.

    ``FileNotFoundError`` passes: a missing file is an answer, not a failure. A remote driver may raise anything.
    """
    try:
        yield
    except (DocdaskError, FileNotFoundError):
        raise
    except OSError as error:
        raise storage_error(what, error) from error
    except Exception as error:
        if local:
            raise
        raise storage_error(what, error) from error


@contextlib.contextmanager
def _writing(path: str) -> Iterator[None]:
    """To a writer a missing file is a failure: its folder can't be made, as in ``/proc``."""
    try:
        yield
    except FileNotFoundError as error:
        raise storage_error(path, error) from error


def storage_error(what: str, error: BaseException) -> StorageError:
    """Sentence and remedy for an error of the storage at ``what`` (a path)."""
    code = getattr(error, "errno", None)
    fallback = " ".join(str(error).split()) or type(error).__name__
    reason, remedy = _REASONS.get(code or 0, (fallback, "check that the storage can be reached and written"))
    return StorageError(f"can't use {what}: {reason}", f"{remedy}; the same command goes on where it stopped")


def atomic_write(fs: Any, path: str, data: bytes, *, sync: bool = False) -> None:
    """Write ``data`` to ``path`` so that a reader sees all of it or what was there before.

    Parameters
    ----------
    fs
        fsspec file system.
    path
        Path on it, without protocol. Missing folders are made.
    data
        The whole content.
    sync
        Local only: the data is on the disk before the name is. Object stores always promise that.

    Raises
    ------
    StorageError
        If the storage refuses; no temporary file stays behind.
    """
    local = is_local(fs)
    with storage_errors(path, local=local), _writing(path):
        if local:
            replace(path, data, sync=sync)
        else:
            fs.pipe_file(path, data)


def replace(path: str, data: bytes, *, sync: bool) -> None:
    """Local half of :func:`atomic_write`; raises what the operating system raises."""
    temporary = temporary_name(path)
    try:
        file = _create(temporary)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(file, view) :]
            if sync:
                os.fsync(file)
        finally:
            os.close(file)
        os.replace(temporary, path)  # noqa: PTH105 - hot path
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108 - hot path
        raise


def atomic_stream(fs: Any, path: str, write: Callable[[IO[bytes]], None]) -> None:
    """Like :func:`atomic_write` with ``sync`` for what is written piece by piece by ``write(file)``.

    A local file never stands in memory as a whole; for an object store it does, since only a put is atomic there.
    The name is on the disk too when this returns.
    """
    local = is_local(fs)
    with storage_errors(path, local=local), _writing(path):
        if not local:
            buffer = io.BytesIO()
            write(buffer)
            fs.pipe_file(path, buffer.getvalue())
            return
        temporary = temporary_name(path)
        try:
            with os.fdopen(_create(temporary), "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)  # noqa: PTH105 - beside the others
            sync_folder(os.path.dirname(path))  # noqa: PTH120 - beside the others
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108 - beside the others
            raise


def _create(path: str) -> int:
    """Make a new local file, and its folder if need be."""
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
    try:
        return os.open(path, flags, 0o666)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120 - beside the others
        return os.open(path, flags, 0o666)


def temporary_name(path: str) -> str:
    """Hidden name in the folder of ``path`` that no other writer uses."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}.{_token}-{os.getpid()}-{next(_serial)}{TEMPORARY_SUFFIX}"


def sync_folder(path: str) -> None:
    """Put the names in the local folder ``path`` on the disk."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read(fs: Any, path: str) -> bytes:
    """Whole content of ``path``.

    Raises
    ------
    FileNotFoundError
        If there is none.
    StorageError
        If the storage refuses.
    """
    local = is_local(fs)
    with storage_errors(path, local=local):
        if local:
            with open(path, "rb") as file:  # noqa: PTH123 - hot path
                return file.read()
        return bytes(fs.cat_file(path))


def names(fs: Any, folder: str) -> list[str]:
    """Names of what is in ``folder``, sorted, temporary files left out; empty if there is no such folder."""
    local = is_local(fs)
    try:
        with storage_errors(folder, local=local):
            if local:
                found = os.listdir(folder)  # noqa: PTH208 - hot path
            else:
                fs.invalidate_cache(folder)
                found = [str(path).rstrip("/").rpartition("/")[2] for path in fs.ls(folder, detail=False)]
    except FileNotFoundError:
        return []
    return sorted(name for name in found if name and not name.endswith(TEMPORARY_SUFFIX))


def remove(fs: Any, paths: list[str]) -> None:
    """Remove files; those that are gone already are no error."""
    if not paths:
        return
    local = is_local(fs)
    with storage_errors(paths[0], local=local):
        if local:
            for path in paths:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)  # noqa: PTH108 - hot path
            return
        with contextlib.suppress(FileNotFoundError):
            fs.rm(paths)
            return
        for path in paths:  # one of them was gone: a bulk removal may have stopped there
            with contextlib.suppress(FileNotFoundError):
                fs.rm_file(path)
