"""Events and instructions as JSON values and back, for event logs and their replay.

A dataclass or named tuple becomes ``{"is": name, field: value}``, a tuple a list. What is read back equals what was
written: ``decode(encode(x)) == x``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from docdask.core import events, instructions, ledger, spec
from docdask.core.governor import Governor
from docdask.core.instructions import Instruction

_TYPES: dict[str, type[Any]] = {
    cls.__name__: cls
    for cls in (
        *events.EVENTS, events.Waiter, events.Outcome,
        spec.SemaphoreSpec, spec.EndpointSpec, spec.BreakerSpec, spec.BudgetSpec,
        instructions.Grant, instructions.Refuse, instructions.Revoke, instructions.WakeAt, instructions.Append,
        instructions.Reject, ledger.Record,
    )
}  # fmt: skip


def encode(value: Any) -> Any:
    """JSON value of an event, an instruction, or anything inside one."""
    if is_dataclass(value) and not isinstance(value, type):
        return {"is": type(value).__name__} | {f.name: encode(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, tuple):
        if hasattr(value, "_fields"):
            return {"is": type(value).__name__} | {
                n: encode(v) for n, v in zip(value._fields, value, strict=True)
            }
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return {"is": "dict", "items": value}
    return value


def decode(value: Any) -> Any:
    """What :func:`encode` made a JSON value of.

    Raises
    ------
    ValueError
        If it names a type that is none of ours, or lacks a field.
    """
    if isinstance(value, list):
        return tuple(decode(item) for item in value)
    if not isinstance(value, dict):
        return value
    name = value.get("is")
    if name == "dict":
        return value["items"]
    cls = _TYPES.get(str(name))
    if cls is None:
        msg = f"{name!r} is no event or instruction"
        raise ValueError(msg)
    try:
        return cls(**{key: decode(item) for key, item in value.items() if key != "is"})
    except TypeError as error:
        msg = f"{name} can't be read: {error}"
        raise ValueError(msg) from error


def replay(
    log: Iterable[events.Event], governor: Governor
) -> Iterator[tuple[events.Event, list[Instruction]]]:
    """Feed recorded events to a governor; yields each with what it was answered."""
    for event in log:
        yield event, governor.handle(event)
