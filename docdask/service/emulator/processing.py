"""``ProcessDocument``: from the message to a described call, to the model's verdict, to the answer.

Rules: a call is judged before any work is done for it, and booked before its reply leaves; a caller that hangs up has
still had the work done, and is billed.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass
from typing import Any

from docdask.core.limits import SYSTEM_LIMITS
from docdask.core.server import Call, Status, Verdict
from docdask.core.server.status import INVALID, invalid
from docdask.service.emulator.answers import Question
from docdask.service.emulator.backend import Backend
from docdask.service.emulator.names import Refused, parse
from docdask.service.emulator.objects import StorageError

_LABEL = re.compile(r"[\w-]{0,63}")


class ReplyLost(Exception):  # noqa: N818 - reads as what happened
    """The work is done and billed; the shell cuts the connection instead of answering."""


@dataclass(slots=True)
class Caller:
    """Who calls, over which version of the API."""

    user: str = "anonymous"
    api: str = "v1"


def has_add_ons(options: Any) -> bool:
    """Whether process options ask for features of OCR that are billed on top."""
    premium = options.ocr_config.premium_features
    return options.HasField("ocr_config") and any(
        (premium.enable_selection_mark_detection, premium.compute_style_info, premium.enable_math_ocr)
    )


def select(options: Any, pages: int) -> tuple[int, ...] | range | None:
    """Pages that ``ProcessOptions`` select of a document; None for all.

    Raises
    ------
    Refused
        INVALID_ARGUMENT if the selector is empty or negative.
    """
    kind = options.WhichOneof("page_range")
    if kind is None:
        return None
    if kind == "individual_page_selector":
        chosen = sorted(set(options.individual_page_selector.pages))
        if not chosen or chosen[0] < 1:
            raise Refused(_bad("process_options.individual_page_selector.pages", "Page numbers start at 1."))
        whole = range(chosen[0], chosen[-1] + 1)
        selection: tuple[int, ...] | range = whole if len(whole) == len(chosen) else tuple(chosen)
    else:
        count = getattr(options, kind)
        if count < 1:
            raise Refused(_bad(f"process_options.{kind}", "Must be greater than 0."))
        selection = (
            range(1, min(count, pages) + 1)
            if kind == "from_start"
            else range(max(1, pages - count + 1), pages + 1)
        )
    return None if selection == range(1, pages + 1) else selection


def check_labels(labels: Any) -> None:
    """Refuse labels that break the rules: at most 64, 63 lower-case characters each."""
    bad = len(labels) > SYSTEM_LIMITS["labels"].value or any(
        not key
        or key != key.lower()
        or text != text.lower()
        or not _LABEL.fullmatch(key)
        or not _LABEL.fullmatch(text)
        for key, text in labels.items()
    )
    if bad:
        raise Refused(
            _bad("labels", "Label keys and values can be no longer than 63 characters, lower case.")
        )


def _bad(field: str, description: str) -> Status:
    return invalid(INVALID, (field, description))


class Processing:
    """Handler of ``ProcessDocument``."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def __call__(self, request: Any, caller: Caller) -> tuple[bytes, tuple[Any, ...]]:
        """Answer one request.

        Returns
        -------
        tuple
            Serialised Document, and the key it is cached under.

        Raises
        ------
        Refused
            With the status to answer.
        ReplyLost
            When the connection is to be cut.
        """
        backend = self._backend
        backend.in_flight += 1
        try:
            return await self._process(request, caller)
        finally:
            backend.in_flight -= 1

    async def _process(self, request: Any, caller: Caller) -> tuple[bytes, tuple[Any, ...]]:
        backend = self._backend
        call, digest = Call("", "us", "", user=caller.user), ""
        at_ns = backend.clock.now_ns()
        try:
            name = parse(request.name, "processors")
            call.project, call.location, call.processor, call.version = (
                name.project, name.location, name.id, name.version,
            )  # fmt: skip
            content, uri = self._read(request, call)
            digest = hashlib.sha256(content).hexdigest()
            check_labels(request.labels)
            await self._describe(request, call, content, digest)
        except Refused as refused:
            # What is wrong with the message itself is found before any quota but the user's.
            self._refuse(call, digest, refused.status, at_ns)
            raise
        at_ns = backend.clock.now_ns()
        verdict = backend.service.process(call, at_ns)
        if verdict.status is not None:
            await backend.clock.sleep_until(verdict.finish_ns)
            self._book(at_ns, call, digest, verdict, request, verdict.status.code)
            raise Refused(verdict.status)
        return await self._answer(request, call, verdict, (content, digest, uri), at_ns)

    async def _answer(
        self, request: Any, call: Call, verdict: Verdict, source: tuple[bytes, str, str], at_ns: int
    ) -> tuple[bytes, tuple[Any, ...]]:
        backend = self._backend
        content, digest, uri = source
        processor = backend.service.processor_of(call)
        assert processor is not None
        selection = call.selection
        question = Question(
            content, digest, call.mime_type, processor.type, processor.version(call.version) or "",
            selection if selection is None or isinstance(selection, range) else tuple(selection),
            request.process_options.SerializeToString(), tuple(request.field_mask.paths), call.imageless, uri,
        )  # fmt: skip
        try:
            document = backend.answers.peek(question) or await backend.answers.get(question)
            await backend.clock.sleep_until(verdict.finish_ns)
        except Refused as refused:
            backend.service.failed(processor.type, verdict, refused.status.code)
            self._book(at_ns, call, digest, verdict, request, refused.status.code)
            raise
        except asyncio.CancelledError:
            self._book(at_ns, call, digest, verdict, request, "OK", hung_up=True)
            raise
        except Exception:
            backend.service.failed(processor.type, verdict, "INTERNAL")
            self._book(at_ns, call, digest, verdict, request, "INTERNAL")
            raise
        self._book(at_ns, call, digest, verdict, request, "OK")
        if verdict.reply_lost:
            raise ReplyLost
        return document, question.key

    def _refuse(self, call: Call, digest: str, status: Status, at_ns: int) -> None:
        service = self._backend.service
        verdict = service.other("ProcessDocument", call.project or "0", call.location, call.user, at_ns)
        if verdict.status is None:
            service.answered("ProcessDocument", status.code)
        code = verdict.status.code if verdict.status else status.code
        self._backend.write_row(
            at_ns, "ProcessDocument", call, code, content_hash=digest, message=status.message
        )
        if verdict.status is not None:
            raise Refused(verdict.status)

    def _read(self, request: Any, call: Call) -> tuple[bytes, str]:
        """Content and URL of the request's source; fills in what the call says of it."""
        kind = request.WhichOneof("source")
        if kind == "raw_document":
            content, call.mime_type, uri = request.raw_document.content, request.raw_document.mime_type, ""
        elif kind == "inline_document":
            content, call.mime_type, uri = (
                request.inline_document.content,
                request.inline_document.mime_type,
                "",
            )
        elif kind == "gcs_document":
            uri, call.mime_type = request.gcs_document.gcs_uri, request.gcs_document.mime_type
            content = self.fetch(uri)
        else:
            raise Refused(
                _bad("source", "Exactly one of inline_document, raw_document and gcs_document must be set.")
            )
        call.source, call.size_bytes = kind, len(content)
        if not content:
            raise Refused(_bad(f"{kind}.content", "Document content is empty."))
        return content, uri

    def fetch(self, uri: str) -> bytes:
        """Bytes of ``gs://bucket/name``.

        Raises
        ------
        Refused
            If it is no such URL (INVALID_ARGUMENT) or there is no such object (NOT_FOUND).
        """
        match = re.fullmatch(r"gs://([^/]+)/(.+)", uri, re.DOTALL)
        if not match:
            raise Refused(_bad("gcs_document.gcs_uri", f"Invalid Cloud Storage URI '{uri[:200]}'."))
        objects = self._backend.objects
        try:
            return objects.content(objects.get(match[1], match[2]))
        except StorageError as error:
            raise Refused(Status("NOT_FOUND", f"Failed to read {uri}: {error.message}")) from error

    async def _describe(self, request: Any, call: Call, content: bytes, digest: str) -> None:
        """Fill in what the model needs to know."""
        options = request.process_options
        call.imageless = request.imageless_mode
        call.mime_type = call.mime_type.lower()
        # A file over the limit is not even looked at.
        if len(content) <= self._backend.config.server.limits.limit("online_bytes"):
            inspected = await self._backend.recogniser.inspect(content, digest, call.mime_type)
            call.pages, call.width, call.height, call.problem = inspected
        call.selection = select(options, call.pages)
        call.ocr_config = options.HasField("ocr_config")
        call.layout_config = options.HasField("layout_config")
        call.premium = has_add_ons(options)

    def _book(
        self,
        at_ns: int,
        call: Call,
        digest: str,
        verdict: Verdict,
        request: Any,
        code: str,
        *,
        hung_up: bool = False,
    ) -> None:
        processor = self._backend.service.processor_of(call)
        for copy in range(verdict.copies):
            self._backend.write_row(
                at_ns, "ProcessDocument", call, code, content_hash=digest, billed_pages=verdict.pages,
                cost_nano_usd=verdict.cost_nano_usd // verdict.copies, fault=verdict.fault, copy=copy,
                processor_type=processor.type if processor else "", selection=_selection(call.selection),
                imageless=call.imageless, labels=dict(request.labels), hung_up=hung_up,
                message=verdict.status.message if verdict.status else "",
            )  # fmt: skip


def _selection(selection: Any) -> str:
    if selection is None:
        return ""
    if isinstance(selection, range):
        return f"{selection.start}-{selection.stop - 1}"
    return ",".join(map(str, selection))
