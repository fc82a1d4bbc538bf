"""Uploads to Cloud Storage: simple, multipart and resumable.

Rules: a resumable session lives in memory (a restart ends it: 404, and clients begin anew); an object exists only when its
upload is whole; checksums that the client sends are checked.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from docdask.service.emulator.backend import Backend
from docdask.service.emulator.objects import Blob, StorageError
from docdask.service.emulator.storage_media import conditions
from docdask.service.emulator.web_request import Reply, WebRequest

_PATH = re.compile(r"/(?:resumable/)?upload/storage/v1/b/([^/]+)/o")
_OWN = frozenset(
    {"name", "contentType", "bucket", "size", "generation", "metageneration", "md5Hash", "crc32c"}
)
_SESSIONS = 10_000


@dataclass(slots=True)
class _Session:
    bucket: str
    name: str
    metadata: dict[str, Any]
    content_type: str
    conditions: dict[str, int]
    data: bytearray = field(default_factory=bytearray)
    done: dict[str, Any] | None = None


class Uploads:
    """Answers ``/upload/storage/v1/b/BUCKET/o``."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._sessions: dict[str, _Session] = {}
        backend.on_reset.append(self._sessions.clear)

    async def answer(self, asked: WebRequest) -> Reply:
        """Answer one request.

        Raises
        ------
        StorageError
            If it is refused.
        """
        identity = asked.query.get("upload_id")
        if identity:
            return await self._continue(asked, identity)
        match = _PATH.fullmatch(asked.path)
        if not match or asked.method not in ("POST", "PUT"):
            raise StorageError(404, f"Not Found: {asked.method} {asked.path[:200]}")
        bucket, kind = unquote(match[1]), asked.query.get("uploadType", "media")
        self._backend.objects.bucket(bucket)
        body = await asked.body()
        header = asked.headers.get("Content-Type", "")
        if kind == "multipart":
            metadata, content, content_type = split_multipart(body, header)
        elif kind == "resumable":
            return self._begin(asked, bucket, _metadata(body))
        else:
            metadata, content, content_type = {}, body, header
        return Reply.json(self._store(asked, bucket, metadata, content, content_type or header))

    def _store(
        self, asked: WebRequest, bucket: str, metadata: dict[str, Any], content: bytes, kind: str
    ) -> dict[str, Any]:
        blob = self._put(bucket, _name(asked, metadata), metadata, content, kind, conditions(asked.query))
        return self._resource(blob, asked)

    def _put(
        self,
        bucket: str,
        name: str,
        metadata: dict[str, Any],
        content: bytes,
        kind: str,
        wanted: dict[str, int],
    ) -> Blob:
        objects = self._backend.objects
        blob = objects.put(
            bucket, name, content, self._backend.clock.now_ns(), conditions=wanted,
            content_type=str(metadata.get("contentType") or kind or "application/octet-stream"),
            properties={key: value for key, value in metadata.items() if key not in _OWN},
        )  # fmt: skip
        for key, made in (("md5Hash", blob.md5), ("crc32c", blob.crc32c)):
            if metadata.get(key) and metadata[key] != made:
                objects.delete(bucket, name)
                raise StorageError(
                    400, f"Provided {key} hash '{metadata[key]}' doesn't match calculated hash '{made}'."
                )
        return blob

    def _resource(self, blob: Blob, asked: WebRequest) -> dict[str, Any]:
        from docdask.service.emulator.storage_json import object_resource

        return object_resource(blob, asked.base_url)

    # ------------------------------------------------------------------ resumable

    def _begin(self, asked: WebRequest, bucket: str, metadata: dict[str, Any]) -> Reply:
        identity = uuid.uuid4().hex
        self._sessions[identity] = _Session(
            bucket,
            _name(asked, metadata),
            metadata,
            asked.headers.get("X-Upload-Content-Type", ""),
            conditions(asked.query),
        )
        while len(self._sessions) > _SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        location = (
            f"{asked.base_url}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={identity}"
        )
        return Reply(200, b"", {"Location": location, "X-GUploader-UploadID": identity})

    async def _continue(self, asked: WebRequest, identity: str) -> Reply:
        session = self._sessions.get(identity)
        body = await asked.body()
        if session is None:
            raise StorageError(404, "Upload session not found.")
        if asked.method == "DELETE":
            del self._sessions[identity]
            return Reply(499)
        if session.done is not None:
            return Reply.json(session.done)
        header = asked.headers.get("Content-Range", "")
        if not header:
            session.data[:] = body
            return self._finish(session, asked)
        match = re.fullmatch(r"bytes (?:(\d+)-(\d+|\*)|\*)/(\d+|\*)", header)
        if not match:
            raise StorageError(400, f"Invalid Content-Range: '{header[:80]}'")
        if match[1] is not None:
            self._append(session, int(match[1]), body)
        total = None if match[3] == "*" else int(match[3])
        if match[2] == "*" and total is None:  # ``0-*/*``: a stream of unknown length, whole with this body
            return self._finish(session, asked)
        if total is not None and len(session.data) == total:
            return self._finish(session, asked)
        if total is not None and len(session.data) > total:
            raise StorageError(400, f"{len(session.data)} bytes are more than the {total} announced.")
        headers = {"X-GUploader-UploadID": identity}
        if session.data:
            headers["Range"] = f"bytes=0-{len(session.data) - 1}"
        return Reply(308, b"", headers)

    @staticmethod
    def _append(session: _Session, start: int, body: bytes) -> None:
        """Take in a part; what was there already is passed over, a gap is not accepted."""
        held = len(session.data)
        if start > held:
            raise StorageError(
                503, "The upload has a gap; ask for its state and go on from there.", "backendError"
            )
        session.data += body[held - start :]

    def _finish(self, session: _Session, asked: WebRequest) -> Reply:
        blob = self._put(
            session.bucket,
            session.name,
            session.metadata,
            bytes(session.data),
            session.content_type,
            session.conditions,
        )
        session.done = self._resource(blob, asked)
        session.data.clear()
        return Reply.json(session.done)


def _name(asked: WebRequest, metadata: dict[str, Any]) -> str:
    name = metadata.get("name") or asked.query.get("name") or ""
    if not isinstance(name, str) or not name:
        raise StorageError(400, "Required object name is missing.", "required")
    return name


def _metadata(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise StorageError(400, "Parse Error", "parseError") from None
    if not isinstance(value, dict):
        raise StorageError(400, "Parse Error", "parseError")
    return value


def split_multipart(body: bytes, header: str) -> tuple[dict[str, Any], bytes, str]:
    """Metadata, content and content type of a ``multipart/related`` body.

    Raises
    ------
    StorageError
        400 if it is not one.
    """
    match = re.search(r"""boundary=["']?([^"';]+)""", header)
    if match:
        mark = b"--" + match[1].encode()
        parts = body.split(mark, 2)
        if len(parts) == 3:
            _, _, first = _line_break(parts[1])
            # The content may hold anything but the mark; it ends before the last one.
            head, _, content = _line_break(parts[2][: parts[2].rfind(mark)] if mark in parts[2] else parts[2])
            content = content.removesuffix(b"\n").removesuffix(b"\r")
            kind = re.search(rb"(?i)content-type:\s*([^\r\n]+)", head)
            return _metadata(first), content, kind[1].decode().strip() if kind else ""
    raise StorageError(400, "Malformed multipart body.")


def _line_break(part: bytes) -> tuple[bytes, bytes, bytes]:
    """Headers and body of a part, whichever line ends it has."""
    for blank in (b"\r\n\r\n", b"\n\n"):
        if blank in part:
            return part.partition(blank)
    raise StorageError(400, "Malformed multipart body.")
