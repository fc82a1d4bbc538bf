"""Resource names: ``projects/P/locations/L/processors/X/processorVersions/V`` and the like, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass

from docdask.core.server.status import Status, invalid

_NAME = re.compile(
    r"projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)"
    r"(?:/(?P<kind>processors|operations|processorTypes)(?:/(?P<id>[^/]+)"
    r"(?:/processorVersions(?:/(?P<version>[^/:]+))?)?)?)?"
)


class Refused(Exception):  # noqa: N818 - reads as what happened
    """A call is answered with ``status`` instead of a message."""

    def __init__(self, status: Status) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class Name:
    """A resource name, taken apart; parts that are not there are empty."""

    project: str
    location: str
    kind: str
    id: str
    version: str


def parse(text: str, kind: str = "", *, needs_id: bool = True) -> Name:
    """Take a resource name apart.

    Raises
    ------
    Refused
        INVALID_ARGUMENT, if it is not a name of ``kind``.
    """
    match = _NAME.fullmatch(text)
    if match:
        name = Name(*(part or "" for part in match.group("project", "location", "kind", "id", "version")))
        if not kind or (name.kind == kind and (name.id or not needs_id)):
            return name
    raise Refused(
        invalid(
            "Request contains an invalid argument.",
            ("name", f"Invalid resource name '{text[:200]}'." if text else "Required field is not set."),
        )
    )
