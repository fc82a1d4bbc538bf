"""Makes a file clean before an engine sees it, as the catalog's column ``action`` says.

Rules: nothing is done without an action; the work is done in the sandbox; the same bytes, action and passwords give
the same result, so what is recognised is what was planned.
"""

from __future__ import annotations

from collections.abc import Sequence

from docdask.intake import child
from docdask.intake.limits import Limits


def prepare(
    data: bytes, action: str | None, passwords: Sequence[str] = (), *, limits: Limits | None = None
) -> bytes:
    """Decrypt or repair a file again, as the scan did.

    Parameters
    ----------
    data
        The file as it was read.
    action
        ``repaired``, ``decrypted``, both with a comma between, or None: then ``data`` is returned as it is.
    passwords
        As given to the scan.

    Returns
    -------
    bytes
        A clean PDF; for images a PNG, or a TIFF where there are several frames.

    Raises
    ------
    DocumentError
        If it can't be done: ``encrypted`` (the password is not among those given), ``corrupt``, ``timeout`` …
    """
    if not action:
        return data
    limits = limits or Limits()
    result: bytes = child.call("docdask.intake.examine:clean", data, tuple(passwords), limits, within=limits)
    return result
