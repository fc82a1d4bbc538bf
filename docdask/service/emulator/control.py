"""The emulator's own calls: ``/emulator/stats``, ``/limits``, ``/calls``, ``/reset``, ``/faults``, ``/profiles`` and the status page.

They are not part of Document AI, need no credentials, and are in nobody's books.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from docdask.core.server import PROFILES
from docdask.errors import UsageError
from docdask.service.emulator.frontend import Frontend
from docdask.service.emulator.status_page import render
from docdask.service.emulator.web_request import Reply, WebRequest

_PAGE_ROWS = 1000
_MOST_ROWS = 10_000


class Control:
    """Answers control calls."""

    def __init__(self, frontend: Frontend) -> None:
        self._backend = frontend.backend
        self._profile = "none"

    async def answer(self, asked: WebRequest) -> Reply:
        """Answer one request."""
        try:
            match asked.method, asked.path.rstrip("/"):
                case "GET", "":
                    return self._page()
                case "GET", "/emulator/stats":
                    return Reply.json(self._backend.stats())
                case "GET", "/emulator/limits":
                    return Reply.json(self._backend.limits())
                case "GET", "/emulator/calls":
                    return self._calls(asked.query)
                case "GET", "/emulator/faults" | "/emulator/profiles":
                    profiles = {name: asdict(faults) for name, faults in PROFILES.items()}
                    return Reply.json({"faults": asdict(self._backend.service.faults), "profiles": profiles})
                case "POST", "/emulator/faults":
                    return self._faults(_object(await asked.body(2**20)))
                case "POST", "/emulator/reset":
                    given = _object(await asked.body(2**20))
                    self._backend.reset(
                        storage=bool(given.get("storage")), processors=bool(given.get("processors"))
                    )
                    return Reply.json(self._backend.stats())
        except UsageError as error:
            return Reply.json({"error": {"code": 400, "message": error.message, "remedy": error.remedy}}, 400)
        return Reply.json(
            {"error": {"code": 404, "message": f"{asked.method} {asked.path[:200]} is not here"}}, 404
        )

    def _calls(self, query: Mapping[str, str]) -> Reply:
        where = {name: value for name, value in query.items() if name not in ("page_token", "page_size")}
        try:
            token, size = int(query.get("page_token") or 0), int(query.get("page_size") or _PAGE_ROWS)
        except ValueError:
            raise UsageError(
                "page_token and page_size are whole numbers", "take page_token from the last answer"
            ) from None
        rows, following = self._backend.ledger.page(token, min(max(1, size), _MOST_ROWS), dict(where))
        return Reply.json({"calls": rows, "next_page_token": None if following is None else str(following)})

    def _faults(self, given: dict[str, Any]) -> Reply:
        profile = given.pop("profile", "none")
        if not isinstance(profile, str):
            raise UsageError(f"profile can't be {profile!r}", f"profiles: {', '.join(PROFILES)}")
        self._backend.set_faults(profile, given)
        return Reply.json({"faults": asdict(self._backend.service.faults)})

    def _page(self) -> Reply:
        backend = self._backend
        page = render(
            backend.stats(), list(backend.ledger.errors), asdict(backend.service.faults), backend.config
        )
        return Reply(
            200, page.encode(), {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"}
        )


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise UsageError("the body is not JSON", 'send an object, e.g. {"profile": "flaky"}') from None
    if not isinstance(value, dict):
        raise UsageError("the body is not a JSON object", 'send an object, e.g. {"profile": "flaky"}')
    return value
