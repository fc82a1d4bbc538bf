"""Calls of the libraries that open files, in the sandbox's child and within a file's limits.

Rule: what a library raises that nobody foresaw is the file's doing, so the file is set aside; a worker that closes says
nothing about the file.
"""

from __future__ import annotations

from typing import Any

from docdask import sandbox
from docdask.intake import problems
from docdask.intake.limits import Limits


def call(target: str, *args: Any, within: Limits, **more: Any) -> Any:
    """Call ``module:function`` in the child.

    Parameters
    ----------
    target
        Function to call.
    *args, **more
        What it is called with.
    within
        Its time and memory.

    Raises
    ------
    DocumentError
        ``timeout``, ``memory``, ``crash``, what the function says of the file, else ``corrupt``.
    SandboxClosed
        The worker closes: another one will look.
    """
    try:
        return sandbox.call(
            target, *args, timeout_s=within.timeout_s, memory_bytes=within.memory_bytes, **more
        )
    except sandbox.SandboxClosed:
        raise
    except RuntimeError as cause:
        raise problems.error("corrupt", f"it can't be read ({cause})") from cause
