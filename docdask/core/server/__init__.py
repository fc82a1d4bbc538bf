"""The model of Document AI: what the service would answer to a call, and when.

Pure: integer nanoseconds from the caller, chance from the caller. See :mod:`docdask.core.server.service`.
"""

from docdask.core.server.calls import BatchDocument, Call, Verdict
from docdask.core.server.faults import NO_FAULTS, PROFILES, Faults, make_faults
from docdask.core.server.latency import GOOGLE, Latency
from docdask.core.server.operations import Operation
from docdask.core.server.processors import PREMADE, Processor, project_number
from docdask.core.server.service import Service
from docdask.core.server.settings import ServerSettings, Switches
from docdask.core.server.status import Status
from docdask.core.server.windows import make_window

__all__ = [
    "GOOGLE",
    "NO_FAULTS",
    "PREMADE",
    "PROFILES",
    "BatchDocument",
    "Call",
    "Faults",
    "Latency",
    "Operation",
    "Processor",
    "ServerSettings",
    "Service",
    "Status",
    "Switches",
    "Verdict",
    "make_faults",
    "make_window",
    "project_number",
]
