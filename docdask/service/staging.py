"""The bucket between us and batch operations: inputs go in once, results come out whole.

Rules: an input is named by the hash of its content, so it is uploaded once however often a run begins; each batch
request has an output prefix of its own, by which its operation is found again when its name is lost; a result counts
only when all of its shards are there, in order, and together have every page; nothing is deleted unless told to.

::

    gs://bucket/prefix/inputs/<sha256>.pdf
    gs://bucket/prefix/outputs/<request id>/<operation id>/<index>/<name>-<shard>.json
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeVar

from docdask.errors import DocdaskError, EngineError, UsageError
from docdask.service import shards
from docdask.service.documentai.values import Check, FileStatus, Operation
from docdask.service.errors import ServiceError, classify, make

T = TypeVar("T")

#: Transfers at a time.
THREADS = 8
#: Files of an operation that are read ahead of whoever takes them.
_AHEAD = 2 * THREADS
_TIMEOUT_S = 120.0

_EXTENSIONS: Mapping[str, str] = {
    "application/pdf": ".pdf", "image/gif": ".gif", "image/tiff": ".tiff", "image/jpeg": ".jpg", "image/png": ".png",
    "image/bmp": ".bmp", "image/webp": ".webp", "text/html": ".html",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.ms-excel.sheet.macroenabled.12": ".xlsm",
}  # fmt: skip


class Staging:
    """A prefix of a bucket; ``async with`` closes it.

    Parameters
    ----------
    url
        ``gs://bucket/prefix``.
    project
        That storage requests are for; empty: the credentials' own.
    endpoint
        ``http://host:port`` of a storage emulator; empty: ``STORAGE_EMULATOR_HOST`` if that is set, else Google.
    threads
        Transfers at a time.

    Raises
    ------
    UsageError
        If ``url`` is no prefix in a bucket.
    """

    def __init__(self, url: str, *, project: str = "", endpoint: str = "", threads: int = THREADS) -> None:
        match = re.fullmatch(r"gs://([^/]+)(?:/(.*?))?/*", url)
        if not match:
            raise UsageError(f"{url!r} is no place in a bucket", 'write staging = "gs://bucket/prefix"')
        self.bucket_name = match[1]
        self.prefix = f"{match[2]}/" if match[2] else ""
        self._project = project
        self._endpoint = endpoint or os.environ.get("STORAGE_EMULATOR_HOST", "")
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="staging")
        self._made: Any = None
        self._making = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<Staging gs://{self.bucket_name}/{self.prefix}>"

    # -- names -------------------------------------------------------------------------------------------------------

    def input_uri(self, sha256: str, mime_type: str) -> str:
        """Where an input is, or would be."""
        name = f"{self.prefix}inputs/{sha256}{_EXTENSIONS.get(mime_type, '')}"
        return f"gs://{self.bucket_name}/{name}"

    def output_prefix(self, request_id: str) -> str:
        """Where the results of one batch request go; no dots, no trailing slash, as readers of such outputs want it."""
        return f"gs://{self.bucket_name}/{self.prefix}outputs/{request_id}"

    # -- in ----------------------------------------------------------------------------------------------------------

    async def upload(self, sha256: str, mime_type: str, content: bytes, *, missing: bool = False) -> str:
        """Put an input there unless it is there already, with the right size; its URI.

        Parameters
        ----------
        sha256, mime_type
            Of the content.
        content
            The file.
        missing
            It is known not to be there (:meth:`has`), so that nobody need look again.

        Raises
        ------
        ServiceError
            If the bucket can't be written.
        """
        uri = self.input_uri(sha256, mime_type)
        await self._do(_upload, uri, content, mime_type, missing)
        return uri

    async def has(self, sha256: str, mime_type: str, size_bytes: int | None = None) -> bool:
        """Whether an input is there, with that size if one is given: it need not be read from its source again.

        Raises
        ------
        ServiceError
            If the bucket can't be read.
        """
        found: int | None = await self._do(_size, self.input_uri(sha256, mime_type))
        return found is not None and (size_bytes is None or found == size_bytes)

    # -- out ---------------------------------------------------------------------------------------------------------

    async def names(self, prefix: str) -> list[str]:
        """Names of the objects under ``gs://bucket/folder``, without its bucket: of that folder alone.

        Raises
        ------
        ServiceError
            If the bucket can't be listed.
        """
        found: list[str] = await self._do(_names, prefix)
        return found

    async def operation_ids(self, output_prefix: str) -> list[str]:
        """Ids of the operations that have written under a prefix so far: how a running one is found by its output.

        Raises
        ------
        ServiceError
            If the bucket can't be listed.
        """
        found: list[str] = await self._do(_folders, output_prefix)
        return found

    async def collect(
        self, operation: Operation, pages: Mapping[str, int] | None = None
    ) -> AsyncIterator[tuple[str, bytes | ServiceError]]:
        """Results of an operation that has ended, file by file, in the order in which they are there.

        Parameters
        ----------
        operation
            As :meth:`docdask.service.documentai.DocumentAI.operation` returned it.
        pages
            Input URI → pages its result must have; files that are not named are not checked for that.

        Yields
        ------
        tuple
            Input URI, and the file's one Document (serialised binary protobuf) or why there is none.
        """
        wanted = dict(pages or {})
        files = iter(_once(operation.files))
        running: set[asyncio.Task[tuple[str, bytes | ServiceError]]] = set()
        try:
            while True:
                while len(running) < _AHEAD and (status := next(files, None)) is not None:
                    job = self._result(status, wanted.get(status.input_uri), operation.error)
                    running.add(asyncio.ensure_future(job))
                if not running:
                    return
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    yield task.result()
        finally:
            for task in running:
                task.cancel()

    async def _result(
        self, status: FileStatus, pages: int | None, whole: ServiceError | None
    ) -> tuple[str, bytes | ServiceError]:
        uri = status.input_uri
        if status.error is not None:
            return uri, status.error
        if not status.output_uri:
            return uri, whole or make("no-status", uri=uri)  # cancelled before its turn came
        try:
            found: bytes = await self._do(_read, uri, status.output_uri, pages)
        except ServiceError as error:
            return uri, error
        return uri, found

    # -- housekeeping ------------------------------------------------------------------------------------------------

    async def cleanup(self, output_prefix: str = "", inputs: Iterable[str] = ()) -> int:
        """Delete what is under an output prefix, and inputs by their URIs; how many objects were deleted.

        Inputs outside this staging prefix are someone's own files and are refused.

        Raises
        ------
        UsageError
            If one is not ours.
        ServiceError
            If the bucket refuses.
        """
        uris = list(inputs)
        ours = f"gs://{self.bucket_name}/{self.prefix}"
        for uri in [*uris, *([output_prefix] if output_prefix else [])]:
            if not uri.startswith((f"{ours}inputs/", f"{ours}outputs/")):
                raise UsageError(f"{uri} was not staged here", f"only what is under {ours} is deleted")
        deleted: int = await self._do(_delete, output_prefix, uris)
        return deleted

    async def check(self) -> Check:
        """Whether objects can be written, listed, read and deleted there."""
        subject = f"staging gs://{self.bucket_name}/{self.prefix}"
        uri = f"gs://{self.bucket_name}/{self.prefix}inputs/docdask-check"
        try:
            await self._do(_try, uri)
        except DocdaskError as error:
            service = error if isinstance(error, ServiceError) else None
            return Check(subject, "failed", error.message, error.remedy, service)
        return Check(subject, "ok", "can be written, listed, read and deleted")

    async def close(self) -> None:
        """Let go of threads and connections."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._made is not None:
            self._made.close()

    async def _do(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run ``function(client, ...)`` in a thread; whatever storage raises is ours when it leaves."""
        if self._made is None:
            async with self._making:
                self._made = self._made or await self._threaded(_client, self._project, self._endpoint)
        return await self._threaded(function, self._made, *arguments)

    async def _threaded(self, function: Callable[..., T], *arguments: Any) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)
        except (asyncio.CancelledError, DocdaskError):
            raise
        except Exception as error:
            raise classify(error) from error


def _client(project: str, endpoint: str) -> Any:
    """Google's storage client; tries again by itself, which costs nothing here."""
    try:
        from google.cloud import storage
    except ImportError as error:
        raise EngineError(
            "the batch lane needs Google's storage client, which is not installed",
            "pip install 'docdask[gcs]'",
        ) from error
    if endpoint:
        from google.auth.credentials import AnonymousCredentials

        url = endpoint if "://" in endpoint else f"http://{endpoint}"
        options = {"api_endpoint": url.rstrip("/")}
        return storage.Client(
            project=project or "emulator", credentials=AnonymousCredentials(), client_options=options
        )
    from docdask.service.documentai import credentials

    return storage.Client(project=project or None, credentials=credentials.load())


def _parts(uri: str) -> tuple[str, str]:
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return bucket, name


def _blob(client: Any, uri: str) -> Any:
    bucket, name = _parts(uri)
    return client.bucket(bucket).blob(name)


def _size(client: Any, uri: str) -> int | None:
    """Bytes of an object; None if there is none."""
    bucket, name = _parts(uri)
    blob = client.bucket(bucket).get_blob(name, timeout=_TIMEOUT_S)
    return None if blob is None else int(blob.size)


def _upload(client: Any, uri: str, content: bytes, mime_type: str, missing: bool) -> None:
    from google.api_core.exceptions import PreconditionFailed

    bucket, name = _parts(uri)
    there = None if missing else client.bucket(bucket).get_blob(name, timeout=_TIMEOUT_S)
    if there is not None and there.size == len(content):
        return
    generation = 0 if there is None else there.generation
    try:
        _blob(client, uri).upload_from_string(
            content, content_type=mime_type, if_generation_match=generation, checksum="crc32c", timeout=_TIMEOUT_S
        )  # fmt: skip
    except PreconditionFailed:
        # Somebody else was first. What is there now is the same content: its name says so.
        if _size(client, uri) != len(content):
            raise


def _names(client: Any, prefix: str) -> list[str]:
    """Names under ``gs://bucket/folder``: of the folder, not of others whose names begin like it."""
    bucket, name = _parts(prefix)
    listed = client.list_blobs(bucket, prefix=f"{name.rstrip('/')}/", timeout=_TIMEOUT_S)
    return [blob.name for blob in listed]


def _folders(client: Any, prefix: str) -> list[str]:
    _, folder = _parts(prefix)
    start = len(folder.rstrip("/")) + 1
    return sorted({name[start:].partition("/")[0] for name in _names(client, prefix) if "/" in name[start:]})


def _read(client: Any, uri: str, output_uri: str, pages: int | None) -> bytes:
    """Read all shards of one file and put them together."""
    bucket, folder = _parts(output_uri)
    start = len(folder.rstrip("/")) + 1
    names = [
        name for name in _names(client, output_uri) if name.endswith(".json") and "/" not in name[start:]
    ]
    if not names:
        raise make("shards-missing", uri=uri, said=f"{output_uri} is empty")
    texts = {
        name: _blob(client, f"gs://{bucket}/{name}").download_as_bytes(timeout=_TIMEOUT_S) for name in names
    }
    return shards.join(uri, texts, pages)


def _delete(client: Any, output_prefix: str, uris: list[str]) -> int:
    from google.api_core.exceptions import NotFound

    if output_prefix:
        bucket, _ = _parts(output_prefix)
        uris = [*uris, *(f"gs://{bucket}/{name}" for name in _names(client, output_prefix))]
    deleted = 0
    for uri in uris:
        try:
            _blob(client, uri).delete(timeout=_TIMEOUT_S)
            deleted += 1
        except NotFound:
            continue
    return deleted


def _try(client: Any, uri: str) -> None:
    blob = _blob(client, uri)
    blob.upload_from_string(b"docdask", content_type="text/plain", timeout=_TIMEOUT_S)
    blob.download_as_bytes(timeout=_TIMEOUT_S)
    _names(client, uri.rpartition("/")[0])
    blob.delete(timeout=_TIMEOUT_S)


def _once(files: Iterable[FileStatus]) -> list[FileStatus]:
    """Files by their URI, each once: of a file that was submitted twice, a result that is good."""
    best: dict[str, FileStatus] = {}
    for one in files:
        known = best.get(one.input_uri)
        if known is None or (known.error is not None and one.error is None):
            best[one.input_uri] = one
    return list(best.values())
