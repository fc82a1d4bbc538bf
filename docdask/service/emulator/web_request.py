"""A request and a reply as the handlers of the HTTP side see them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl


class BodyTooLarge(Exception):  # noqa: N818 - reads as what happened
    """The body is larger than the server reads."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(limit_bytes)
        self.limit_bytes = limit_bytes


@dataclass(slots=True)
class Reply:
    """Status, headers and body."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, value: Any, status: int = 200, **headers: str) -> Reply:
        """Reply with a JSON value."""
        return cls.json_text(status, json.dumps(value, ensure_ascii=False), **headers)

    @classmethod
    def json_text(cls, status: int, text: str | bytes, **headers: str) -> Reply:
        """Reply with JSON that is text already."""
        body = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
        return cls(status, body, {"Content-Type": "application/json; charset=UTF-8", **headers})


class WebRequest:
    """One request, over whichever version of HTTP.

    Parameters
    ----------
    method, target
        Verb, and path with query as they were sent.
    headers
        Case-insensitive.
    base_url
        Scheme and host as the client wrote them: links in replies must lead back the same way.
    read
        Reads the whole body, up to a limit in bytes; raises :class:`BodyTooLarge`.
    limit_bytes
        Limit where the caller of :meth:`body` gives none.
    """

    def __init__(
        self, method: str, target: str, headers: Mapping[str, str], base_url: str,
        read: Callable[[int], Awaitable[bytes]], limit_bytes: int,
    ) -> None:  # fmt: skip
        path, _, query = target.partition("?")
        if "://" in path[:8]:  # absolute form, as proxies send it
            path = "/" + path.partition("://")[2].partition("/")[2]
        self.method = method
        self.path = path
        """Raw: still percent-encoded."""
        self.query = dict(parse_qsl(query, keep_blank_values=True))
        self.headers = headers
        self.base_url = base_url
        self._read = read
        self._limit_bytes = limit_bytes

    async def body(self, limit_bytes: int | None = None) -> bytes:
        """Read the whole body.

        Raises
        ------
        BodyTooLarge
            If it is over the limit.
        """
        return await self._read(limit_bytes or self._limit_bytes)
