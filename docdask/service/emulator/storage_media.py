"""An object's bytes as a reply, whole or by range, and preconditions out of a query."""

from __future__ import annotations

import email.utils
import re
from collections.abc import Mapping
from urllib.parse import quote

from docdask.service.emulator.objects import Blob, StorageError
from docdask.service.emulator.web_request import Reply

CONDITIONS = (
    "ifGenerationMatch",
    "ifGenerationNotMatch",
    "ifMetagenerationMatch",
    "ifMetagenerationNotMatch",
)


def conditions(query: Mapping[str, str]) -> dict[str, int]:
    """Preconditions and generation that a query asks for.

    Raises
    ------
    StorageError
        400 if one is not a number.
    """
    found = {}
    for name in (*CONDITIONS, "generation"):
        if query.get(name):
            try:
                found[name] = int(query[name])
            except ValueError:
                raise StorageError(400, f"Invalid value for {name}: '{query[name][:50]}'") from None
    return found


def media(blob: Blob, content: bytes, ranged: str, *, head: bool = False) -> Reply:
    """Answer a read.

    Parameters
    ----------
    blob, content
        The object.
    ranged
        The ``Range`` header; several ranges, or one that can't be read, give the whole object.
    head
        Leave the body out.
    """
    headers = {
        "Content-Type": blob.content_type, "ETag": f'"{blob.md5}"', "Accept-Ranges": "bytes",
        "Last-Modified": email.utils.formatdate(blob.updated_ns / 1e9, usegmt=True),
        "X-Goog-Generation": str(blob.generation), "X-Goog-Metageneration": str(blob.metageneration),
        "X-Goog-Stored-Content-Length": str(blob.size), "X-Goog-Stored-Content-Encoding": "identity",
        "X-Goog-Storage-Class": "STANDARD",
    }  # fmt: skip
    for name, header in (("cacheControl", "Cache-Control"), ("contentEncoding", "Content-Encoding"),
                         ("contentDisposition", "Content-Disposition")):  # fmt: skip
        if blob.properties.get(name):
            headers[header] = str(blob.properties[name])
    for name, value in (blob.properties.get("metadata") or {}).items():
        headers[f"X-Goog-Meta-{quote(str(name))}"] = quote(str(value), safe=" !#$&'()*+,/:;=?@[]~\"<>")
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", ranged.strip())
    if not match or match[0] == "bytes=-":
        # Clients check the hash of the whole; of a part they could not.
        headers["X-Goog-Hash"] = f"crc32c={blob.crc32c},md5={blob.md5}"
        if head:
            headers["Content-Length"] = str(blob.size)
        return Reply(200, b"" if head else content, headers)
    if match[1]:
        first, last = int(match[1]), min(int(match[2] or blob.size), blob.size - 1)
    else:
        first, last = max(0, blob.size - int(match[2])), blob.size - 1
    if first > last:
        raise StorageError(416, "The requested range cannot be satisfied.", "requestedRangeNotSatisfiable")
    headers["Content-Range"] = f"bytes {first}-{last}/{blob.size}"
    return Reply(206, b"" if head else content[first : last + 1], headers)
