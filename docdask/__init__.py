"""A Dask cluster toolkit for documents: PDFs and images in, tables, charts and a report out.

>>> import docdask
>>> plan = docdask.plan("documents", to="runs/june")   # doctest: +SKIP
>>> result = docdask.run(plan)                         # doctest: +SKIP
>>> result.invoices                                    # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from docdask._version import __version__

__all__ = [
    "GovernorPlugin",
    "QuotaSemaphore",
    "__version__",
    "export",
    "handle",
    "open",
    "plan",
    "report",
    "run",
    "samples",
    "scan",
    "status",
]

_ELSEWHERE = {
    "GovernorPlugin": "docdask.engine.plugin",
    "QuotaSemaphore": "docdask.engine.semaphore",
}


def __getattr__(name: str) -> Any:
    # Imported when first used, so that ``import docdask`` costs nothing.
    if name in _ELSEWHERE:
        return getattr(import_module(_ELSEWHERE[name]), name)
    if name in __all__:
        return getattr(import_module("docdask.api"), name)
    msg = f"module 'docdask' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted(__all__)
