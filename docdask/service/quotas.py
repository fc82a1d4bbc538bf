"""Reads the quotas that a project really has, from the two APIs of Google that tell them.

Rules: Cloud Quotas is asked first, then Service Usage; each may be off or closed to the user, which is no error: the
quotas are then assumed, and whoever asked is told why. Several limits of one quota: the one that the book counts (a
minute, per user where it is per user), and of those the smallest. What is unlimited is left to the book.
Sources: https://cloud.google.com/docs/quotas/reference/rest/v1/projects.locations.services.quotaInfos and
https://cloud.google.com/service-usage/docs/reference/rest/v1beta1/services.consumerQuotaMetrics
"""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from docdask.core.limits import QUOTAS
from docdask.errors import EngineError
from docdask.service.errors import ServiceError, classify

CLOUD_QUOTAS = "https://cloudquotas.googleapis.com"
SERVICE_USAGE = "https://serviceusage.googleapis.com"
_DOCUMENTAI = "documentai.googleapis.com"
_TIMEOUT_S = 30.0
_REGIONS = {"us": "us", "eu": "eu", "single": "single_region"}


@dataclass(frozen=True, slots=True)
class Quotas:
    """Quotas as far as they are known."""

    limits: Mapping[str, int] = field(default_factory=dict)
    """Overrides of :class:`docdask.core.limits.LimitBook`."""
    source: str = ""
    """Who told them; empty: nobody, the book's defaults are assumed."""
    refusal: str = ""
    """Why nobody told them."""
    speed: float = 1.0
    """Of an emulator: its minutes in a real one."""

    @property
    def assumed(self) -> bool:
        """Whether they are guessed."""
        return not self.source


@dataclass(frozen=True, slots=True)
class _Limit:
    """One limit as either API tells it."""

    metric: str
    minute: bool
    user: bool
    dimensions: Mapping[str, str]
    value: int


def of_project(
    project: str,
    *,
    session: Any = None,
    endpoints: tuple[str, str] = (CLOUD_QUOTAS, SERVICE_USAGE),
) -> Quotas:
    """Read the quotas of a project.

    Parameters
    ----------
    project
        Id or number.
    session
        Of ``requests``, with credentials; None for one with those that ``google.auth`` finds.
    endpoints
        URLs of Cloud Quotas and Service Usage.

    Returns
    -------
    Quotas
        With ``refusal`` and no limits where neither API tells.
    """
    refusals = []
    try:
        session = session or _session(project)
    except ServiceError as error:
        return Quotas(refusal=error.message)
    readers = (("Cloud Quotas", _cloud_quotas), ("Service Usage", _service_usage))
    for (name, read), endpoint in zip(readers, endpoints, strict=True):
        try:
            limits = overrides(list(read(session, endpoint, project)))
        except _Refused as refused:
            refusals.append(f"{name}: {refused}")
            continue
        if limits:
            return Quotas(limits, source=name)
        refusals.append(f"{name}: it lists none of Document AI")
    return Quotas(refusal="; ".join(refusals))


def of_emulator(grpc_address: str) -> Quotas:
    """Read the quotas of an emulator, as it was started."""
    url = emulator_url(grpc_address)
    if not url:
        return Quotas(
            refusal=f"the HTTP side of the emulator at {grpc_address} is not known: set DOCUMENTAI_EMULATOR_URL"
        )
    try:
        request = urllib.request.Request(f"{url}/emulator/limits")  # noqa: S310 - the emulator's own http URL
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as reply:  # noqa: S310
            found = json.load(reply)
        quotas = {
            f"{name}.{region}": int(value)
            for name, regions in found["quotas"].items()
            for region, value in regions.items()
            if name in QUOTAS and value != getattr(QUOTAS[name], region)
        }
        # What was changed for one processor type, or is no quota, is said as it was said to the emulator.
        special = {
            key: int(value) for key, value in found["overrides"].items() if "." in key or key not in QUOTAS
        }
        return Quotas({**quotas, **special}, source="the emulator", speed=float(found["speed"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return Quotas(refusal=f"the emulator at {url} does not tell: {error}")


def emulator_url(grpc_address: str) -> str:
    """HTTP side of the emulator at ``grpc_address``, as the environment or the emulator that was started last says."""
    url = os.environ.get("DOCUMENTAI_EMULATOR_URL", "").rstrip("/")
    if url:
        return url if url.startswith("http") else f"http://{url}"
    from docdask.service.emulator.command import addresses_file

    try:
        last = json.loads(addresses_file().read_text())
    except (OSError, ValueError):
        return ""
    same = isinstance(last, dict) and last.get("grpc") == grpc_address
    return str(last["http"]) if same else ""


def overrides(limits: list[_Limit]) -> dict[str, int]:
    """Overrides of the book that the limits mean; smallest of several."""
    found: dict[str, int] = {}
    for limit in limits:
        named = _named(limit.metric)
        if named is None or limit.value < 0:
            continue
        name, region = named
        rate = "/min" in QUOTAS[name].unit
        if rate != limit.minute or ("per user" in QUOTAS[name].unit) != limit.user:
            continue
        kind = limit.dimensions.get("processor_type", "")
        key = ".".join(part for part in (name, region or ("*" if kind else ""), kind) if part)
        found[key] = min(found.get(key, limit.value), limit.value)
    return found


def _named(metric: str) -> tuple[str, str] | None:
    """Quota and region (empty: all) that a metric counts."""
    for name, quota in QUOTAS.items():
        for region, written in _REGIONS.items():
            if "{region}" in quota.metric and metric == quota.metric.format(region=written):
                return name, region
        if metric == quota.metric:
            return name, ""
    return None


class _Refused(Exception):  # noqa: N818 - reads as what happened
    """An API did not tell."""


def _cloud_quotas(session: Any, endpoint: str, project: str) -> Iterator[_Limit]:
    path = f"{endpoint}/v1/projects/{project}/locations/global/services/{_DOCUMENTAI}/quotaInfos"
    for info in _pages(session, path, "quotaInfos", {"pageSize": "500"}):
        words = {str(name) for name in info.get("dimensions", ())}
        for row in info.get("dimensionsInfos", ()):
            value = row.get("details", {}).get("value")
            if value is not None:
                dimensions = row.get("dimensions", {})
                yield _Limit(
                    info.get("metric", ""), info.get("refreshInterval") == "minute",
                    "user" in words or "PerUser" in info.get("quotaId", ""), dimensions, int(value),
                )  # fmt: skip


def _service_usage(session: Any, endpoint: str, project: str) -> Iterator[_Limit]:
    path = f"{endpoint}/v1beta1/projects/{project}/services/{_DOCUMENTAI}/consumerQuotaMetrics"
    for metric in _pages(session, path, "metrics", {"view": "FULL", "pageSize": "100"}):
        for limit in metric.get("consumerQuotaLimits", ()):
            unit = limit.get("unit", "")
            for bucket in limit.get("quotaBuckets", ()):
                value = bucket.get("effectiveLimit")
                if value is not None:
                    yield _Limit(
                        metric.get("metric", ""), "/min" in unit, "{user}" in unit, bucket.get("dimensions", {}), int(value)
                    )  # fmt: skip


def _pages(session: Any, url: str, rows: str, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Rows of all pages of a listing."""
    from google.auth.exceptions import GoogleAuthError
    from requests import RequestException

    token = ""
    while True:
        try:
            reply = session.get(
                url, params={**query, "pageToken": token} if token else query, timeout=_TIMEOUT_S
            )
        except RequestException as error:
            raise _Refused(f"it can't be reached ({type(error).__name__})") from error
        except GoogleAuthError as error:
            raise _Refused(classify(error, source="credentials").message) from error
        try:
            body = reply.json()
        except ValueError:
            body = None
        if not reply.ok:
            raise _Refused(_reason(body, reply.status_code))
        if not isinstance(body, dict):
            raise _Refused("its answer can't be read")
        yield from (row for row in body.get(rows, ()) if isinstance(row, dict))
        token = str(body.get("nextPageToken") or "")
        if not token:
            return


def _reason(body: Any, status: int) -> str:
    """Why a call was refused: not enabled, not allowed, or Google's own first sentence."""
    error = body.get("error", {}) if isinstance(body, dict) else {}
    reasons = {detail.get("reason") for detail in error.get("details", ()) if isinstance(detail, dict)}
    if "SERVICE_DISABLED" in reasons:
        return "the API is not enabled in the project"
    if status == 403:
        return (
            "asking is not allowed (it needs roles/servicemanagement.quotaViewer or roles/cloudquotas.viewer)"
        )
    return f"HTTP {status}: {str(error.get('message', '')).partition('. ')[0] or 'it does not say why'}"


def _session(project: str) -> Any:
    try:
        from google.auth.transport.requests import AuthorizedSession
        from google.oauth2 import credentials as user
    except ImportError as error:
        raise EngineError("quotas are read with the package requests", "pip install requests") from error
    from docdask.service.documentai import credentials

    found = credentials.load()
    session = AuthorizedSession(found)
    if isinstance(found, user.Credentials):  # a person's calls are counted for a project, which must be named
        session.headers["x-goog-user-project"] = project
    return session
