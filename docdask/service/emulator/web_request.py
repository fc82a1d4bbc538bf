"""A request and a reply as the handlers of the HTTP side see them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


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
    """One request; the path is raw (still percent-encoded)."""

    def __init__(self, request: web.BaseRequest, path: str, query: dict[str, str], limit_bytes: int) -> None:
        self._request = request
        self.method = request.method
        self.path = path
        self.query = query
        self.headers = request.headers
        self._limit_bytes = limit_bytes

    @property
    def base_url(self) -> str:
        """Scheme and host as the client wrote them: links in replies must lead back the same way."""
        transport = self._request.transport
        tls = transport is not None and transport.get_extra_info("ssl_object") is not None
        return f"{'https' if tls else 'http'}://{self._request.host}"

    async def body(self, limit_bytes: int | None = None) -> bytes:
        """Read the whole body.

        Raises
        ------
        BodyTooLarge
            If it is over the limit.
        """
        limit = limit_bytes or self._limit_bytes
        announced = self._request.content_length
        if announced is not None and announced > limit:
            raise BodyTooLarge(limit)
        parts, size = [], 0
        async for part in self._request.content.iter_any():
            size += len(part)
            if size > limit:
                raise BodyTooLarge(limit)
            parts.append(part)
        return b"".join(parts)
