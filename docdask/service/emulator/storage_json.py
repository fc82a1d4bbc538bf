"""The Cloud Storage JSON API, as far as google-cloud-storage (Python, Go, Node), gcsfs and the toolbox use it.

Paths come with and without ``/storage/v1`` (Node leaves it out). Buckets must be created, as on the real service.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote, unquote

from docdask.service.emulator.backend import Backend
from docdask.service.emulator.clock import rfc3339
from docdask.service.emulator.objects import Blob, StorageError
from docdask.service.emulator.storage_media import CONDITIONS, conditions, media
from docdask.service.emulator.storage_uploads import Uploads
from docdask.service.emulator.web_request import Reply, WebRequest

_PREFIX = re.compile(r"/(?:download/)?(?:storage/v1/)?")
_READ_ONLY = frozenset({"name", "bucket", "kind", "id", "generation", "metageneration", "size", "md5Hash", "crc32c", "etag",
                        "selfLink", "mediaLink", "timeCreated", "updated"})  # fmt: skip


class StorageJson:
    """Answers the JSON API."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._objects = backend.objects
        self._uploads = Uploads(backend)

    async def answer(self, asked: WebRequest) -> Reply:
        """Answer one request."""
        try:
            if asked.path.startswith("/batch"):
                return await self._batch(asked)
            if asked.path.startswith(("/upload/", "/resumable/")):
                return await self._uploads.answer(asked)
            body = await asked.body(2**24) if asked.method in ("POST", "PUT", "PATCH") else b""
            return self._dispatch(
                asked.method, asked.path, asked.query, body, asked.base_url, asked.headers.get("Range", "")
            )
        except StorageError as error:
            return error_reply(error)

    def _dispatch(
        self, method: str, path: str, query: dict[str, str], body: bytes, base: str, ranged: str
    ) -> Reply:
        parts = [unquote(part) for part in _PREFIX.sub("", path, count=1).split("/")]
        match (method, *parts):
            case ("GET", "b"):
                items = [
                    bucket_resource(name, properties, at, base)
                    for name, properties, at in self._objects.buckets()
                ]
                return Reply.json({"kind": "storage#buckets", "items": items})
            case ("POST", "b"):
                return self._create_bucket(_parse(body), base)
            case ("GET", "b", bucket):
                return Reply.json(bucket_resource(bucket, *self._objects.bucket(bucket), base))
            case ("PATCH" | "PUT", "b", bucket):
                self._objects.update_bucket(bucket, _parse(body))
                return Reply.json(bucket_resource(bucket, *self._objects.bucket(bucket), base))
            case ("DELETE", "b", bucket):
                self._objects.delete_bucket(bucket)
                return Reply(204)
            case ("GET", "b", bucket, "storageLayout"):
                self._objects.bucket(bucket)
                return Reply.json({"kind": "storage#storageLayout", "bucket": bucket, "location": "US"})
            case ("GET", "b", bucket, "iam", *_):
                self._objects.bucket(bucket)
                return Reply.json({"kind": "storage#policy", "bindings": [], "permissions": []})
            case ("GET", "b", bucket, "o"):
                return self._list(bucket, query, base)
            case (_, "b", bucket, "o", name):
                return self._object(method, bucket, name, query, body, base, ranged)
            case (
                "POST",
                "b",
                bucket,
                "o",
                name,
                "rewriteTo" | "copyTo" as verb,
                "b",
                target,
                "o",
                target_name,
            ):
                return self._copy((bucket, name), (target, target_name), verb, query, _parse(body), base)
            case ("POST", "b", bucket, "o", name, "compose"):
                return self._compose(bucket, name, query, _parse(body), base)
        raise StorageError(404, f"Not Found: {method} {path[:200]}")

    def _create_bucket(self, properties: dict[str, Any], base: str) -> Reply:
        name = properties.pop("name", "")
        if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", name):
            raise StorageError(400, f"Invalid bucket name: '{name}'")
        self._objects.create_bucket(name, properties, self._backend.clock.now_ns())
        return Reply.json(bucket_resource(name, *self._objects.bucket(name), base))

    def _list(self, bucket: str, query: dict[str, str], base: str) -> Reply:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        limit = min(_number(query, "maxResults", 1000) or 1000, 1000)
        start, end = query.get("startOffset", ""), query.get("endOffset", "")
        after = query.get("pageToken", "")
        items: list[dict[str, Any]] = []
        prefixes: list[str] = []
        last = ""
        for name in self._objects.names(bucket, prefix, max(start, after)):
            if end and name >= end:
                break
            cut = name.find(delimiter, len(prefix)) if delimiter else -1
            group = name[: cut + len(delimiter)] if cut >= 0 else ""
            # A page ends after a name or a group; the next one starts behind it.
            if after and (name <= after or (group and group <= after)):
                continue
            if group and group == (prefixes[-1] if prefixes else None):
                continue
            if len(items) + len(prefixes) >= limit:
                return Reply.json(_listing(items, prefixes, last))
            if group:
                prefixes.append(group)
            if not group or (query.get("includeTrailingDelimiter") == "true" and group == name):
                items.append(object_resource(self._objects.get(bucket, name), base))
            last = group or name
        return Reply.json(_listing(items, prefixes, ""))

    def _object(
        self, method: str, bucket: str, name: str, query: dict[str, str], body: bytes, base: str, ranged: str
    ) -> Reply:
        asked = conditions(query)
        if method == "DELETE":
            self._objects.delete(bucket, name, asked)
            return Reply(204)
        if method == "GET" and query.get("alt") == "media":
            blob = self._objects.get(bucket, name, asked)
            return media(blob, self._objects.content(blob), ranged)
        if method == "GET":
            return Reply.json(object_resource(self._objects.get(bucket, name, asked), base))
        if method in ("PATCH", "PUT"):
            blob = self._objects.get(bucket, name, asked)
            changes = {key: value for key, value in _parse(body).items() if key not in _READ_ONLY}
            return Reply.json(
                object_resource(self._objects.update(blob, changes, self._backend.clock.now_ns()), base)
            )
        raise StorageError(405, f"Method {method} is not allowed on an object.")

    def _copy(
        self,
        source: tuple[str, str],
        target: tuple[str, str],
        verb: str,
        query: dict[str, str],
        given: dict[str, Any],
        base: str,
    ) -> Reply:
        wanted = {"generation": _number(query, "sourceGeneration", 0)} if "sourceGeneration" in query else {}
        for name in CONDITIONS:
            key = f"ifSource{name[2:]}"
            if key in query:
                wanted[name] = _number(query, key, 0)
        blob = self._objects.get(*source, wanted)
        properties = {
            key: value for key, value in given.items() if key not in _READ_ONLY and key != "contentType"
        }
        made = self._objects.put(
            *target, self._objects.content(blob), self._backend.clock.now_ns(),
            content_type=given.get("contentType") or blob.content_type, properties=properties or blob.properties,
            conditions=conditions(query),
        )  # fmt: skip
        resource = object_resource(made, base)
        if verb == "copyTo":
            return Reply.json(resource)
        return Reply.json(
            {
                "kind": "storage#rewriteResponse", "totalBytesRewritten": str(made.size), "objectSize": str(made.size),
                "done": True, "resource": resource,
            }
        )  # fmt: skip

    def _compose(
        self, bucket: str, name: str, query: dict[str, str], given: dict[str, Any], base: str
    ) -> Reply:
        sources = given.get("sourceObjects")
        if not isinstance(sources, list) or not 1 <= len(sources) <= 32:
            raise StorageError(400, "The number of source components must be between 1 and 32.")
        content = b"".join(
            self._objects.content(self._objects.get(bucket, str(part.get("name")))) for part in sources
        )
        destination = given.get("destination") or {}
        kind = destination.get("contentType") or "application/octet-stream"
        made = self._objects.put(
            bucket,
            name,
            content,
            self._backend.clock.now_ns(),
            content_type=kind,
            conditions=conditions(query),
        )
        return Reply.json(object_resource(made, base))

    async def _batch(self, asked: WebRequest) -> Reply:
        """``multipart/mixed`` of small requests, as clients delete many objects at once."""
        body = await asked.body(2**24)
        boundary = re.search(r'boundary="?([^";]+)', asked.headers.get("Content-Type", ""))
        if not boundary:
            raise StorageError(400, "Missing boundary.")
        replies = []
        for part in body.split(b"--" + boundary[1].encode())[1:]:
            head, _, inner = part.replace(b"\r\n", b"\n").lstrip(b"\n").partition(b"\n\n")
            if not inner:
                continue
            found = re.search(rb"(?i)content-id:\s*<?([^>\n]+)>?", head)
            identity = found[1].decode() if found else ""
            replies.append((identity, self._inner(inner, asked.base_url)))
        out = b"".join(_part(identity, reply) for identity, reply in replies) + b"--batch_emulator--\r\n"
        return Reply(200, out, {"Content-Type": "multipart/mixed; boundary=batch_emulator"})

    def _inner(self, text: bytes, base: str) -> Reply:
        head, _, body = text.partition(b"\n\n")
        line = head.split(b"\n")[0].decode("utf-8", "replace").split()
        try:
            if len(line) < 2:
                raise StorageError(400, "Malformed part.")
            path, _, query = re.sub(r"^https?://[^/]+", "", line[1]).partition("?")
            pairs = (pair.partition("=") for pair in query.split("&") if pair)
            fields = {unquote(name): unquote(value) for name, _, value in pairs}
            return self._dispatch(line[0], path, fields, body.strip(), base, "")
        except StorageError as error:
            return error_reply(error)


def _part(identity: str, reply: Reply) -> bytes:
    reason = {200: "OK", 204: "No Content", 404: "Not Found", 412: "Precondition Failed"}.get(
        reply.status, "Status"
    )
    head = f"--batch_emulator\r\nContent-Type: application/http\r\nContent-ID: <response-{identity}>\r\n\r\n"
    inner = f"HTTP/1.1 {reply.status} {reason}\r\nContent-Length: {len(reply.body)}\r\n"
    inner += "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
    return head.encode() + inner.encode() + b"\r\n" + reply.body + b"\r\n"


def _listing(items: list[dict[str, Any]], prefixes: list[str], token: str) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": "storage#objects"}
    if token:
        found["nextPageToken"] = token
    if prefixes:
        found["prefixes"] = prefixes
    if items:
        found["items"] = items
    return found


def _number(query: dict[str, str], name: str, default: int) -> int:
    try:
        return int(query.get(name, default))
    except ValueError:
        raise StorageError(400, f"Invalid value for {name}: '{query[name][:50]}'") from None


def _parse(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise StorageError(400, "Parse Error", "parseError") from None
    if not isinstance(value, dict):
        raise StorageError(400, "Parse Error", "parseError")
    return value


def error_reply(error: StorageError) -> Reply:
    """Error body of the JSON API."""
    one = {"message": error.message, "domain": "global", "reason": error.reason}
    return Reply.json({"error": {"code": error.http, "message": error.message, "errors": [one]}}, error.http)


def bucket_resource(name: str, properties: dict[str, Any], at_ns: int, base: str) -> dict[str, Any]:
    """Bucket as the JSON API writes it."""
    return {
        "location": "US", "locationType": "multi-region", "storageClass": "STANDARD", **properties,
        "kind": "storage#bucket", "id": name, "name": name, "selfLink": f"{base}/storage/v1/b/{name}",
        "projectNumber": "100000000000", "metageneration": "1", "etag": "CAE=", "timeCreated": rfc3339(at_ns),
        "updated": rfc3339(at_ns),
    }  # fmt: skip


def object_resource(blob: Blob, base: str) -> dict[str, Any]:
    """Object as the JSON API writes it; links lead back to the host that was asked."""
    path = f"b/{blob.bucket}/o/{quote(blob.name, safe='')}"
    return {
        **blob.properties, "kind": "storage#object", "id": f"{blob.bucket}/{blob.name}/{blob.generation}",
        "selfLink": f"{base}/storage/v1/{path}",
        "mediaLink": f"{base}/download/storage/v1/{path}?generation={blob.generation}&alt=media",
        "name": blob.name, "bucket": blob.bucket, "generation": str(blob.generation),
        "metageneration": str(blob.metageneration), "contentType": blob.content_type, "storageClass": "STANDARD",
        "size": str(blob.size), "md5Hash": blob.md5, "crc32c": blob.crc32c, "etag": f"{blob.generation}{blob.metageneration}",
        "timeCreated": rfc3339(blob.created_ns), "updated": rfc3339(blob.updated_ns),
        "timeStorageClassUpdated": rfc3339(blob.created_ns), "timeFinalized": rfc3339(blob.created_ns),
    }  # fmt: skip
