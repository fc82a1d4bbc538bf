"""Which quotas a call is counted against, and the refusal when one is spent.

Rules: online requests are counted per project × processor type × region, generative types also by page (per model
version); every method is counted per user. Regions are us, eu and single; by the hostile reading all single regions
share one quota. Windows are made when first used.
"""

from __future__ import annotations

from docdask.core.limits import region_kind
from docdask.core.server.processors import project_number
from docdask.core.server.settings import ServerSettings
from docdask.core.server.status import Detail, ErrorInfo, QuotaFailure, RetryInfo, Status
from docdask.core.server.windows import MINUTE_NS, Window, make_window

#: Users whose windows are kept; beyond that the one who came first is forgotten, so that memory stays bounded.
_USERS_KEPT = 10_000


class Quotas:
    """All quota windows of the service."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._windows: dict[tuple[str, ...], Window] = {}
        self._users: dict[str, Window] = {}

    def user(self, user: str) -> Window:
        """Window of one user, over all methods."""
        window = self._users.get(user)
        if window is None:
            settings = self._settings
            limit = settings.limits.quota("user_requests", "us")
            window = self._users[user] = make_window(settings.user_window or settings.window, limit)
            if len(self._users) > _USERS_KEPT:
                del self._users[next(iter(self._users))]
        return window

    def online(
        self, name: str, project: str, location: str, processor_type: str, version: str = ""
    ) -> Window:
        """Window of ``online_requests`` or ``online_pages``."""
        region = region_kind(location)
        place = region if region != "single" or self._settings.switches.single_regions_shared else location
        key = (name, project_number(project), place, processor_type, version)
        window = self._windows.get(key)
        if window is None:
            limit = self._settings.limits.quota(name, region, processor_type)
            window = self._windows[key] = make_window(self._settings.window, limit)
        return window

    def in_use(self, at_ns: int) -> list[dict[str, object]]:
        """One row a window that was used: what, whose, where, limit and share in use (for the status page)."""
        rows: list[dict[str, object]] = [
            {
                "quota": name, "project": project, "region": place, "processor_type": kind, "version": version,
                "limit": window.limit, "used": round(window.used(at_ns), 4),
            }
            for (name, project, place, kind, version), window in self._windows.items()
        ]  # fmt: skip
        rows += [
            {
                "quota": "user_requests",
                "user": user,
                "limit": window.limit,
                "used": round(window.used(at_ns), 4),
            }
            for user, window in list(self._users.items())[-50:]
        ]
        return rows

    def refusal(self, name: str, project: str, location: str = "us", processor_type: str = "") -> Status:
        """RESOURCE_EXHAUSTED for a spent quota, with the details the switches ask for."""
        settings = self._settings
        quota = settings.limits.quotas[name]
        region = {"us": "us", "eu": "eu", "single": "single_region"}[region_kind(location)]
        metric = quota.metric.format(region=region)
        label = quota.label.format(REGION=region.upper())
        consumer = f"project_number:{project_number(project)}"
        concurrent = name == "batch_operations"
        limit = label if concurrent else f"{label} per minute"
        text = (
            f"Quota exceeded for quota metric '{label}' and limit '{limit}' of service 'documentai.googleapis.com' "
            f"for consumer '{consumer}'."
        )
        details: list[Detail] = []
        if settings.switches.quota_details != "none":
            metadata = {
                "service": "documentai.googleapis.com",
                "consumer": f"projects/{project_number(project)}",
                "quota_metric": metric,
                "quota_limit": "ConcurrentRequestsPerProject"
                if concurrent
                else "ProcessRequestsPerMinutePerProject",
                "quota_limit_value": str(
                    settings.limits.quota(name, region_kind(location), processor_type or "*")
                ),
                "quota_location": location,
            }
            details.append(ErrorInfo("RATE_LIMIT_EXCEEDED", "googleapis.com", metadata))
        if settings.switches.quota_details == "full":
            details.append(QuotaFailure(consumer, text))
        if settings.switches.retry_info:
            details.append(RetryInfo(MINUTE_NS // 2))
        return Status("RESOURCE_EXHAUSTED", text, tuple(details))
