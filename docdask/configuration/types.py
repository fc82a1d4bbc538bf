"""What people call the processor types: ``invoice`` for ``INVOICE_PROCESSOR``, and back.

Rule: Google's own names are taken as they are, known or not (there will be new ones); a name that is neither is an error
that names the nearest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from docdask.core.server import PREMADE
from docdask.errors import UsageError
from docdask.settings import nearest

#: Friendly name → Google's. The first eight are the processors that the emulator has ready, under these ids.
FRIENDLY: Mapping[str, str] = MappingProxyType(
    {
        **PREMADE,
        "utility": "UTILITY_PROCESSOR",
        "bank-statement": "BANK_STATEMENT_PROCESSOR",
        "pay-slip": "PAYSTUB_PROCESSOR",
        "w2": "FORM_W2_PROCESSOR",
        "driver-license": "US_DRIVER_LICENSE_PROCESSOR",
        "passport": "US_PASSPORT_PROCESSOR",
        "id-proofing": "ID_PROOFING_PROCESSOR",
    }
)
_GOOGLE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")


def processor_type(name: str) -> str | None:
    """Google's name of the type that ``name`` means, None if it means none."""
    plain = name.strip()
    if _GOOGLE.fullmatch(plain):
        return plain
    return FRIENDLY.get(plain.lower().replace("_", "-"))


def require_type(name: str, where: str) -> str:
    """:func:`processor_type`, or an error.

    Raises
    ------
    UsageError
        If it is no processor type.
    """
    found = processor_type(name)
    if found is None:
        near = nearest(name, FRIENDLY)
        raise UsageError(
            f"{where}: {name!r} is no processor type",
            (f"did you mean {near}? " if near else "") + f"use {', '.join(FRIENDLY)}, or Google's name",
        )
    return found


def friendly(google_type: str) -> str:
    """Short name of a type; for one without, Google's in lower case."""
    for name, known in FRIENDLY.items():
        if known == google_type:
            return name
    return google_type.lower().removesuffix("_processor").replace("_", "-")
