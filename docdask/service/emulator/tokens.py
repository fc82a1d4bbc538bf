"""The token endpoint that service-account key files and user credentials ask: every account gets a token."""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qs

from docdask.service.emulator.backend import Backend
from docdask.service.emulator.users import make_token
from docdask.service.emulator.web_request import Reply, WebRequest


class Tokens:
    """Answers ``POST /token`` and ``POST /oauth2/v4/token``."""

    def __init__(self, backend: Backend) -> None:
        self._clock = backend.clock

    async def answer(self, asked: WebRequest) -> Reply:
        """Hand out an access token for the account in the assertion."""
        if asked.method != "POST":
            return Reply.json({"error": "invalid_request"}, 405)
        body = (await asked.body(2**20)).decode("utf-8", "replace")
        try:
            fields = (
                json.loads(body)
                if body.lstrip().startswith("{")
                else {k: v[0] for k, v in parse_qs(body).items()}
            )
        except ValueError:
            fields = {}
        grant = fields.get("grant_type") if isinstance(fields, dict) else None
        if not grant:
            return Reply.json(
                {"error": "unsupported_grant_type", "error_description": "Invalid grant_type: "}, 400
            )
        claims = _claims(str(fields.get("assertion", "")))
        account = str(claims.get("iss") or fields.get("client_id") or "user@emulator")
        token = make_token(account, self._clock.now_ns() // 10**9)
        reply: dict[str, object] = {"access_token": token, "expires_in": 3599, "token_type": "Bearer"}
        if claims.get("target_audience"):
            reply["id_token"] = token
        return Reply.json(reply)


def _claims(assertion: str) -> dict[str, object]:
    try:
        part = assertion.split(".")[1]
        value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
