"""Numbers and texts that a program hands over, looked at before they leave it.

Rule: what the stream, the governor or the ledger could not take is refused here, with the value. On a stream it would end the
connection, and with it the worker; in a ledger it would keep its run from going on.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

from docdask.errors import UsageError


def whole(name: str, value: Any) -> int:
    """``value`` as a whole number that is not negative.

    Raises
    ------
    UsageError
        If it is none.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = -1
    if number < 0:
        raise UsageError(f"{name} is {value!r}", "use a whole number from 0 up")
    return number


def text(name: str, value: Any) -> str:
    """``value`` if it is text that can be sent and written.

    Raises
    ------
    UsageError
        If it is none.
    """
    if not isinstance(value, str):
        raise UsageError(f"{name} is {value!r}", "pass text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise UsageError(
                f"{name} is {value!r}, which can't be written as UTF-8", "replace what is no character"
            ) from error
    return value


def texts(name: str, values: Iterable[str]) -> tuple[str, ...]:
    """``values`` as texts.

    Raises
    ------
    UsageError
        If they are not, or are a single one.
    """
    if isinstance(values, str):
        raise UsageError(f"{name} is the text {values!r}", f"pass several: {name}=[{values!r}]")
    return tuple(text(name, value) for value in values)
