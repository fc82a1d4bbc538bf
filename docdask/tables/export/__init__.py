"""Writes what a run found in the forms that other programs read.

One module a format; :data:`FORMATS` names them. See docs/export.md.
"""

from __future__ import annotations

from docdask.tables.export.writing import FORMATS, Exportable, export

__all__ = ["FORMATS", "Exportable", "export"]
