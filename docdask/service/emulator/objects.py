"""Buckets and objects of the Cloud Storage side, in memory or in a folder.

Rules: an object has one live generation, which never comes back; a write is seen whole or not at all (its content is
in place before its record is); preconditions are checked against the live generation. In a folder, contents are
files and the rest is a journal, so that a killed emulator finds all it had acknowledged.
"""

from __future__ import annotations

import base64
import bisect
import hashlib
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from docdask.service.emulator.checksum import crc32c
from docdask.service.emulator.journal import Journal


class StorageError(Exception):
    """A request to storage is refused, with an HTTP status."""

    def __init__(self, http: int, message: str, reason: str = "") -> None:
        super().__init__(http, message, reason)
        self.http, self.message = http, message
        self.reason = reason or {404: "notFound", 409: "conflict", 412: "conditionNotMet"}.get(
            http, "invalid"
        )


@dataclass(frozen=True, slots=True)
class Blob:
    """One object's facts."""

    bucket: str
    name: str
    generation: int
    metageneration: int
    size: int
    content_type: str
    md5: str
    """Base64, as the API has it."""
    crc32c: str
    created_ns: int
    updated_ns: int
    file: str
    """Name of the content's file, or key in memory."""
    properties: Mapping[str, Any] = field(default_factory=dict)
    """Other properties that can be set: ``metadata``, ``cacheControl``, ``contentEncoding`` …"""


@dataclass(slots=True)
class _Bucket:
    properties: dict[str, Any]
    created_ns: int
    names: list[str] = field(default_factory=list)
    blobs: dict[str, Blob] = field(default_factory=dict)


class ObjectStore:
    """All buckets.

    Parameters
    ----------
    folder
        Where contents and the journal live; None keeps everything in memory.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._buckets: dict[str, _Bucket] = {}
        self._contents: dict[str, bytes] = {}
        self._last_generation = 0
        self._journal: Journal | None = None
        if folder is not None:
            (folder / "contents").mkdir(parents=True, exist_ok=True)
            journal = Journal(folder / "storage.jsonl")
            for record in journal.records():
                self._replay(record)
            self._journal = journal
            self._sweep()

    # ------------------------------------------------------------------ buckets

    def buckets(self) -> Iterator[tuple[str, dict[str, Any], int]]:
        """Name, properties and creation time of each bucket, by name."""
        for name in sorted(self._buckets):
            bucket = self._buckets[name]
            yield name, bucket.properties, bucket.created_ns

    def create_bucket(self, name: str, properties: dict[str, Any], at_ns: int) -> None:
        """Create a bucket; 409 if it is there."""
        if name in self._buckets:
            text = "Your previous request to create the named bucket succeeded and you already own it."
            raise StorageError(409, text)
        self._buckets[name] = _Bucket(properties, at_ns)
        self._record({"do": "bucket", "name": name, "properties": properties, "at_ns": at_ns})

    def bucket(self, name: str) -> tuple[dict[str, Any], int]:
        """Properties and creation time of a bucket; 404 if there is none."""
        found = self._bucket(name)
        return found.properties, found.created_ns

    def update_bucket(self, name: str, properties: dict[str, Any]) -> None:
        """Change properties of a bucket."""
        found = self._bucket(name)
        found.properties.update(properties)
        self._record(
            {"do": "bucket", "name": name, "properties": found.properties, "at_ns": found.created_ns}
        )

    def delete_bucket(self, name: str) -> None:
        """Delete an empty bucket; 409 if it is not empty."""
        if self._bucket(name).names:
            raise StorageError(409, "The bucket you tried to delete is not empty.")
        del self._buckets[name]
        self._record({"do": "no-bucket", "name": name})

    def _bucket(self, name: str) -> _Bucket:
        found = self._buckets.get(name)
        if found is None:
            raise StorageError(404, "The specified bucket does not exist.")
        return found

    # ------------------------------------------------------------------ objects

    def get(self, bucket: str, name: str, conditions: Mapping[str, int] | None = None) -> Blob:
        """Facts of an object; 404 if there is none, 412 if a precondition fails."""
        blob = self._bucket(bucket).blobs.get(name)
        asked = dict(conditions or {})
        generation = asked.pop("generation", None)
        if blob is None or (generation is not None and generation != blob.generation):
            raise StorageError(404, f"No such object: {bucket}/{name}")
        check(blob, asked)
        return blob

    def content(self, blob: Blob) -> bytes:
        """Bytes of an object."""
        if self._folder is None:
            return self._contents[blob.file]
        return (self._folder / "contents" / blob.file).read_bytes()

    def put(
        self, bucket: str, name: str, content: bytes, at_ns: int, *, content_type: str = "application/octet-stream",
        properties: Mapping[str, Any] | None = None, conditions: Mapping[str, int] | None = None,
    ) -> Blob:  # fmt: skip
        """Write an object; 412 if a precondition fails."""
        home = self._bucket(bucket)
        if not name or len(name.encode()) > 1024:
            raise StorageError(400, "Invalid object name.")
        check(home.blobs.get(name), conditions or {})
        self._last_generation = max(self._last_generation + 1, at_ns // 1000)
        file = uuid.uuid4().hex
        if self._folder is None:
            self._contents[file] = bytes(content)
        else:
            (self._folder / "contents" / file).write_bytes(content)
        md5 = hashlib.md5(content, usedforsecurity=False).digest()
        blob = Blob(
            bucket, name, self._last_generation, 1, len(content), content_type, base64.b64encode(md5).decode(),
            base64.b64encode(crc32c(content).to_bytes(4, "big")).decode(), at_ns, at_ns, file, dict(properties or {}),
        )  # fmt: skip
        self._keep(blob)
        self._record({"do": "object", **asdict(blob)})
        return blob

    def update(self, blob: Blob, changes: Mapping[str, Any], at_ns: int) -> Blob:
        """Change properties of an object; ``None`` takes one away."""
        properties = dict(blob.properties)
        for key, value in changes.items():
            if key == "metadata" and isinstance(value, dict):
                merged = {**(properties.get("metadata") or {}), **value}
                properties["metadata"] = {name: text for name, text in merged.items() if text is not None}
            elif value is None:
                properties.pop(key, None)
            elif key != "contentType":
                properties[key] = value
        content_type = changes.get("contentType") or blob.content_type
        changed = replace(
            blob,
            properties=properties,
            content_type=content_type,
            metageneration=blob.metageneration + 1,
            updated_ns=at_ns,
        )
        self._keep(changed)
        self._record({"do": "object", **asdict(changed)})
        return changed

    def delete(self, bucket: str, name: str, conditions: Mapping[str, int] | None = None) -> None:
        """Delete an object; 404 if there is none, 412 if a precondition fails."""
        blob = self.get(bucket, name, conditions)
        self._drop(blob)
        self._record({"do": "no-object", "bucket": bucket, "name": name})
        self._discard(blob)

    def names(self, bucket: str, prefix: str = "", start: str = "") -> Iterator[str]:
        """Names of a bucket in order, from ``start`` on, that begin with ``prefix``."""
        names = self._bucket(bucket).names
        index = bisect.bisect_left(names, max(prefix, start))
        while index < len(names) and names[index].startswith(prefix):
            yield names[index]
            index += 1

    def clear(self) -> None:
        """Delete everything."""
        for bucket in self._buckets.values():
            for blob in bucket.blobs.values():
                self._discard(blob)
        self._buckets.clear()
        if self._journal is not None:
            self._journal.rewrite([])

    def close(self) -> None:
        """Close the journal."""
        if self._journal is not None:
            self._journal.close()

    # ------------------------------------------------------------------ inside

    def _keep(self, blob: Blob) -> None:
        home = self._buckets[blob.bucket]
        old = home.blobs.get(blob.name)
        if old is None:
            bisect.insort(home.names, blob.name)
        elif old.file != blob.file:
            self._discard(old)
        home.blobs[blob.name] = blob

    def _drop(self, blob: Blob) -> None:
        home = self._buckets[blob.bucket]
        home.blobs.pop(blob.name, None)
        index = bisect.bisect_left(home.names, blob.name)
        if index < len(home.names) and home.names[index] == blob.name:
            del home.names[index]

    def _discard(self, blob: Blob) -> None:
        """Free the content of a generation that nothing refers to any more."""
        self._contents.pop(blob.file, None)
        # While the journal is read back, old generations are swept together at the end.
        if self._folder is not None and self._journal is not None:
            (self._folder / "contents" / blob.file).unlink(missing_ok=True)

    def _record(self, record: dict[str, Any]) -> None:
        if self._journal is not None:
            self._journal.append(record)

    def _replay(self, record: dict[str, Any]) -> None:
        match record.pop("do", ""):
            case "bucket":
                known = self._buckets.get(record["name"])
                if known is None:
                    self._buckets[record["name"]] = _Bucket(record["properties"], record["at_ns"])
                else:
                    known.properties = record["properties"]
            case "no-bucket":
                self._buckets.pop(record["name"], None)
            case "object":
                blob = Blob(**record)
                self._last_generation = max(self._last_generation, blob.generation)
                if blob.bucket in self._buckets:
                    self._keep(blob)
            case "no-object":
                home = self._buckets.get(record["bucket"])
                gone = home.blobs.get(record["name"]) if home else None
                if gone is not None:
                    self._drop(gone)

    def _sweep(self) -> None:
        """Delete contents that no record names: writes that were cut by a kill, and old generations."""
        assert self._folder is not None
        known = {blob.file for bucket in self._buckets.values() for blob in bucket.blobs.values()}
        for path in (self._folder / "contents").iterdir():
            if path.name not in known:
                path.unlink(missing_ok=True)


def check(blob: Blob | None, conditions: Mapping[str, int]) -> None:
    """Check preconditions against the live generation (0: there is none); 412 if one fails."""
    generation, meta = (blob.generation, blob.metageneration) if blob else (0, 0)
    held = {
        "ifGenerationMatch": lambda value: value == generation,
        "ifGenerationNotMatch": lambda value: value != generation,
        "ifMetagenerationMatch": lambda value: value == meta,
        "ifMetagenerationNotMatch": lambda value: value != meta,
    }
    for name, value in conditions.items():
        if name in held and not held[name](value):
            raise StorageError(412, "At least one of the pre-conditions you specified did not hold.")
