"""A Dask cluster toolkit for documents: PDFs and images in, tables, charts and a report out.

>>> import docdask
>>> plan = docdask.plan("documents", to="runs/june")   # doctest: +SKIP
>>> result = docdask.run(plan)                         # doctest: +SKIP
>>> result.invoices                                    # doctest: +SKIP
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"

__all__ = [
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


def __getattr__(name: str) -> Any:
    # Imported when first used, so that ``import docdask`` costs nothing.
    if name in __all__:
        from docdask import api

        return getattr(api, name)
    msg = f"module 'docdask' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted(__all__)
