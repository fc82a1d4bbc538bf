"""The Cloud Storage XML API as far as readers use it: ``GET`` and ``HEAD`` of ``/BUCKET/OBJECT`` (Go's default)."""

from __future__ import annotations

from urllib.parse import unquote
from xml.sax.saxutils import escape

from docdask.service.emulator.backend import Backend
from docdask.service.emulator.objects import StorageError
from docdask.service.emulator.storage_media import conditions, media
from docdask.service.emulator.web_request import Reply, WebRequest

_CODES = {404: "NoSuchKey", 412: "PreconditionFailed", 416: "InvalidRange", 405: "MethodNotAllowed"}


class StorageXml:
    """Answers the XML API."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def answer(self, asked: WebRequest) -> Reply:
        """Answer one request."""
        bucket, _, name = asked.path.lstrip("/").partition("/")
        bucket, name = unquote(bucket), unquote(name)
        objects = self._backend.objects
        try:
            if not name:
                raise StorageError(404, "The specified bucket or path does not exist.")
            if asked.method in ("GET", "HEAD"):
                wanted = conditions(asked.query)
                for header, condition in (("If-Generation-Match", "ifGenerationMatch"),
                                          ("If-Metageneration-Match", "ifMetagenerationMatch")):  # fmt: skip
                    value = asked.headers.get(f"X-Goog-{header}", "")
                    if value.isdigit():
                        wanted[condition] = int(value)
                blob = objects.get(bucket, name, wanted)
                return media(
                    blob, objects.content(blob), asked.headers.get("Range", ""), head=asked.method == "HEAD"
                )
            if asked.method == "PUT":
                content = await asked.body()
                kind = asked.headers.get("Content-Type", "application/octet-stream")
                blob = objects.put(bucket, name, content, self._backend.clock.now_ns(), content_type=kind)
                return Reply(200, b"", {"ETag": f'"{blob.md5}"', "X-Goog-Generation": str(blob.generation)})
            if asked.method == "DELETE":
                objects.delete(bucket, name)
                return Reply(204)
            raise StorageError(405, f"Method {asked.method} is not allowed.")
        except StorageError as error:
            code = _CODES.get(error.http, "InvalidArgument")
            body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{escape(error.message)}</Message></Error>"
            return Reply(error.http, body.encode(), {"Content-Type": "application/xml; charset=UTF-8"})
