"""Runs batches: reads the inputs from storage, has them recognised, writes shards, keeps the operation.

Rules: the model says whether a batch gets in, when it starts and when it will have ended; the operation ends when both
that time has come and the work is done. Everything a restart needs is in the state before the name is given out.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import mimetypes
from dataclasses import dataclass, field
from typing import Any

from docdask.core.server import BatchDocument, Call, Operation, Processor, Status
from docdask.core.server.status import INVALID, invalid
from docdask.service.emulator import shards
from docdask.service.emulator.answers import Question
from docdask.service.emulator.backend import Backend
from docdask.service.emulator.documents import Document
from docdask.service.emulator.ledger import BATCH_DOCUMENT
from docdask.service.emulator.masks import compile_mask
from docdask.service.emulator.messages import message_type, stamp
from docdask.service.emulator.names import Refused, parse
from docdask.service.emulator.objects import StorageError
from docdask.service.emulator.processing import (
    Caller,
    Processing,
    ReplyLost,
    check_labels,
    has_add_ons,
    select,
)
from docdask.service.emulator.statuses import to_proto

_STATES = {"WAITING": 1, "RUNNING": 2, "SUCCEEDED": 3, "CANCELLING": 4, "CANCELLED": 5, "FAILED": 6}
#: Operations that can be asked for after they have ended.
_JOBS_KEPT = 100_000
_TYPES = {"webp": "image/webp", "bmp": "image/bmp", "xlsm": "application/vnd.ms-excel.sheet.macroenabled.12"}


@dataclass(slots=True)
class Input:
    """One file of a batch."""

    uri: str
    mime_type: str
    digest: str = ""
    destination: str = ""


@dataclass(slots=True)
class Job:
    """A batch operation with what only the emulator knows of it."""

    operation: Operation
    request: Any
    api: str
    version: str
    inputs: list[Input] = field(default_factory=list)
    metadata: bytes = b""
    """Serialised metadata once it has ended."""
    task: asyncio.Task[None] | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Batches:
    """All batch operations."""

    def __init__(self, backend: Backend, processing: Processing) -> None:
        self._backend = backend
        self._fetch = processing.fetch
        self.jobs: dict[str, Job] = {}
        backend.on_reset.append(self._forget)

    # ------------------------------------------------------------------ the call

    async def submit(self, request: Any, caller: Caller) -> Job:
        """Answer ``BatchProcessDocuments``.

        Raises
        ------
        Refused
            With the status to answer.
        """
        backend = self._backend
        at_ns = backend.clock.now_ns()
        call = Call("", "us", "", pages=0, user=caller.user)
        try:
            name = parse(request.name, "processors")
            call.project, call.location, call.processor, call.version = (
                name.project, name.location, name.id, name.version,
            )  # fmt: skip
            self._check(request)
            inputs = self._inputs(request)
            call.premium = has_add_ons(request.process_options)
        except Refused as refused:
            verdict = backend.service.other(
                "BatchProcessDocuments", call.project or "0", call.location, call.user, at_ns
            )
            status = verdict.status or refused.status
            if verdict.status is None:
                backend.service.answered("BatchProcessDocuments", status.code)
            backend.write_row(at_ns, "BatchProcessDocuments", call, status.code, message=status.message)
            raise Refused(status) from refused
        verdict, operation = backend.service.submit(call, len(inputs), at_ns)
        code = verdict.status.code if verdict.status else "OK"
        identity = operation.id if operation else ""
        message = verdict.status.message if verdict.status else ""
        if operation is None:
            backend.write_row(
                at_ns, "BatchProcessDocuments", call, code, message=message, fault=verdict.fault
            )
            raise Refused(verdict.status or Status("INTERNAL", "Internal error encountered."))
        job = Job(operation, request, caller.api, call.version, inputs)
        self.jobs[identity] = job
        self._save(job)
        backend.write_row(
            at_ns,
            "BatchProcessDocuments",
            call,
            code,
            operation=identity,
            fault=verdict.fault,
            files=len(inputs),
        )
        if operation.state == "RUNNING":
            self._start(job)
        if verdict.reply_lost:
            raise ReplyLost
        return job

    def _check(self, request: Any) -> None:
        check_labels(request.labels)
        output = request.document_output_config.gcs_output_config
        if not output.gcs_uri.startswith("gs://"):
            raise Refused(
                invalid(
                    INVALID,
                    ("document_output_config.gcs_output_config.gcs_uri", "Required field is not set."),
                )
            )
        compile_mask(output.field_mask.paths, Document.DESCRIPTOR)
        sharding = output.sharding_config
        if sharding.pages_overlap and sharding.pages_overlap >= (sharding.pages_per_shard or 10):
            text = "pages_overlap must be less than pages_per_shard."
            raise Refused(
                invalid(INVALID, ("document_output_config.gcs_output_config.sharding_config", text))
            )

    def _inputs(self, request: Any) -> list[Input]:
        kind = request.input_documents.WhichOneof("source")
        if kind == "gcs_documents":
            found = [
                Input(item.gcs_uri, item.mime_type.lower())
                for item in request.input_documents.gcs_documents.documents
            ]
        elif kind == "gcs_prefix":
            found = self._listed(request.input_documents.gcs_prefix.gcs_uri_prefix)
        else:
            found = []
        if not found:
            raise Refused(invalid(INVALID, ("input_documents", "No input documents were given or found.")))
        return found

    def _listed(self, prefix: str) -> list[Input]:
        bucket, _, start = prefix.removeprefix("gs://").partition("/")
        try:
            names = [name for name in self._backend.objects.names(bucket, start) if not name.endswith("/")]
        except StorageError as error:
            raise Refused(invalid(f"Failed to list {prefix}: {error.message}")) from error
        return [Input(f"gs://{bucket}/{name}", _guess(name)) for name in names]

    # ------------------------------------------------------------------ the work

    def _start(self, job: Job) -> None:
        job.task = asyncio.get_running_loop().create_task(self._run(job), name=f"batch-{job.operation.id}")

    async def _run(self, job: Job) -> None:
        backend, operation = self._backend, job.operation
        described = [await self._describe(job, item) for item in job.inputs]
        backend.service.schedule(operation, described, backend.clock.now_ns())
        processor = backend.service.registry.get(operation.project, operation.location, operation.processor)
        if not operation.stuck:
            for index, (item, document) in enumerate(zip(job.inputs, described, strict=True)):
                if document.status is None and processor is not None:
                    await self._document(job, processor, index, item, document)
        await backend.clock.sleep_until(operation.finish_ns)
        self._end(job, backend.service.finish(operation, backend.clock.now_ns()))

    async def _describe(self, job: Job, item: Input) -> BatchDocument:
        """Look at one input."""
        document = BatchDocument(1, mime_type=item.mime_type)
        try:
            content = self._fetch(item.uri)
            item.digest = hashlib.sha256(content).hexdigest()
            document.size_bytes = len(content)
            if len(content) <= self._backend.config.server.limits.limit("batch_bytes"):
                found = await self._backend.recogniser.inspect(content, item.digest, item.mime_type)
                document.pages, document.width, document.height, document.problem = found
            document.selection = select(job.request.process_options, document.pages)
        except Refused as refused:
            document.status = refused.status
        return document

    async def _document(
        self, job: Job, processor: Processor, index: int, item: Input, document: BatchDocument
    ) -> None:
        """Recognise one input and write its shards."""
        backend = self._backend
        output = job.request.document_output_config.gcs_output_config
        pages: Any = document.selection if document.selection is not None else range(1, document.pages + 1)
        parts = shards.ranges(pages, processor.type, output.sharding_config, backend.config.server.switches)
        directory = shards.destination(output.gcs_uri, job.operation.id, index)
        offsets = shards.Offsets()
        try:
            content = self._fetch(item.uri)
            for number, (part, (bucket, name)) in enumerate(
                zip(parts, shards.names(directory, item.uri, len(parts)), strict=True)
            ):
                selection = None if part == range(1, document.pages + 1) else part
                question = Question(
                    content, item.digest, item.mime_type, processor.type, processor.version(job.version) or "", selection,
                    job.request.process_options.SerializeToString(), (), not _images(output), item.uri,
                )  # fmt: skip
                data = await backend.answers.get(question)
                offset = offsets.place(Document.FromString(data))
                text = await backend.recogniser.run(
                    _encode, data, tuple(output.field_mask.paths), number, len(parts), offset
                )
                if document.half_written and number == len(parts) - 1:
                    text = text[: len(text) // 2]
                backend.objects.put(
                    bucket, name, text, backend.clock.now_ns(), content_type="application/json"
                )
            item.destination = directory
        except Refused as refused:
            document.status = refused.status
        except StorageError as error:
            code = "PERMISSION_DENIED" if error.http in (403, 404) else "INTERNAL"
            document.status = Status(code, f"Failed to write to {directory}: {error.message}")
        except (asyncio.CancelledError, MemoryError):
            raise
        except Exception:  # noqa: BLE001 - one document's failure is not the batch's
            document.status = Status("INTERNAL", "Internal error encountered.")

    def _end(self, job: Job, following: list[Operation]) -> None:
        """Book what was billed, keep the outcome, start who waited."""
        operation, backend = job.operation, self._backend
        job.metadata = self.metadata(job).SerializeToString()
        for item, document in zip(job.inputs, operation.documents, strict=False):
            good = document.status is None and operation.pages_billed > 0
            call = Call(
                operation.project, operation.location, operation.processor, document.pages, operation.user,
                selection=document.selection, size_bytes=document.size_bytes,
            )  # fmt: skip
            backend.write_row(
                operation.updated_ns, BATCH_DOCUMENT, call, document.status.code if document.status else "OK",
                content_hash=item.digest, billed_pages=document.selected() if good else 0, operation=operation.id,
                uri=item.uri, processor_type=operation.processor_type,
                fault="half_written" if document.half_written else "",
            )  # fmt: skip
        self._save(job)
        operation.documents, job.inputs = [], []  # a million batches must not be kept in memory
        job.ended.set()
        self._prune()
        for other in following:
            self._start(self.jobs[other.id])

    def _prune(self) -> None:
        """Forget the oldest operations that have ended, when there are too many."""
        while len(self.jobs) > _JOBS_KEPT:
            oldest = next(iter(self.jobs.values()))
            if not oldest.operation.done:
                return
            del self.jobs[oldest.operation.id]

    async def cancel(self, job: Job) -> None:
        """Cancel a job; nothing happens to one that has ended."""
        backend = self._backend
        if job.operation.done:
            return
        if job.task is not None:
            job.task.cancel()
            await asyncio.gather(job.task, return_exceptions=True)
        following = backend.service.cancel(job.operation, backend.clock.now_ns())
        if not job.ended.is_set():
            self._end(job, following)

    # ------------------------------------------------------------------ telling

    def metadata(self, job: Job) -> Any:
        """``BatchProcessMetadata`` of a job, as it stands."""
        kind = message_type(job.api, "BatchProcessMetadata")
        if job.metadata:
            return kind.FromString(job.metadata)
        operation = job.operation
        message = kind(
            state=_STATES[operation.state], state_message=operation.message,
            create_time=stamp(operation.created_ns), update_time=stamp(operation.updated_ns),
        )  # fmt: skip
        if operation.done:
            for item, document in zip(job.inputs, operation.documents, strict=False):
                status = message.individual_process_statuses.add(
                    input_gcs_source=item.uri,
                    output_gcs_destination=item.destination if document.status is None else "",
                )
                status.status.SetInParent()
                if document.status is not None:
                    status.status.CopyFrom(to_proto(document.status))
                status.human_review_status.state = 1
                status.human_review_status.state_message = "Human review is not enabled for this processor."
        return message

    # ------------------------------------------------------------------ state

    def _save(self, job: Job) -> None:
        operation = job.operation
        names = (
            "id", "project", "location", "processor", "processor_type", "user", "created_ns", "state", "updated_ns",
            "finish_ns", "stuck", "message", "pages_billed", "premium",
        )  # fmt: skip
        error = operation.error
        self._backend.state.append(
            {
                "do": "operation", "id": operation.id, "fields": {name: getattr(operation, name) for name in names},
                "error": [error.code, error.message] if error else None, "api": job.api, "version": job.version,
                "request": base64.b64encode(job.request.SerializeToString()).decode(),
                "metadata": base64.b64encode(job.metadata).decode(),
            }
        )  # fmt: skip

    def restore(self) -> None:
        """Take over operations of an earlier life; those that had not ended start again."""
        backend = self._backend
        for record in backend.restored:
            error = Status(*record["error"]) if record["error"] else None
            operation = Operation(**record["fields"], error=error)
            request = message_type(record["api"], "BatchProcessRequest").FromString(
                base64.b64decode(record["request"])
            )
            job = Job(
                operation,
                request,
                record["api"],
                record["version"],
                metadata=base64.b64decode(record["metadata"]),
            )
            backend.service.adopt(operation)
            self.jobs[operation.id] = job
            if operation.done:
                job.ended.set()
                continue
            job.inputs = self._inputs_or_none(request)
            if operation.state == "RUNNING":
                self._start(job)
        backend.restored.clear()

    def _inputs_or_none(self, request: Any) -> list[Input]:
        try:
            return self._inputs(request)
        except Refused:
            return []

    def _forget(self) -> None:
        for job in self.jobs.values():
            if job.task is not None:
                job.task.cancel()
        self.jobs.clear()

    async def close(self, grace_s: float) -> None:
        """Let running batches end for so long, then stop them where they are; a restart begins them again."""
        tasks = [job.task for job in self.jobs.values() if job.task is not None and not job.task.done()]
        if tasks and grace_s > 0:
            await asyncio.wait(tasks, timeout=grace_s)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _encode(data: bytes, mask: tuple[str, ...], index: int, count: int, offset: int) -> bytes:
    return shards.encode(data, mask, index=index, count=count, offset=offset)


def _images(output: Any) -> bool:
    """Whether the output's mask leaves room for page images."""
    paths = list(output.field_mask.paths)
    return not paths or any(path in ("*", "pages", "pages.image") for path in paths)


def _guess(name: str) -> str:
    extension = name.rsplit(".", 1)[-1].lower()
    return _TYPES.get(extension) or mimetypes.guess_type(name)[0] or "application/octet-stream"
