"""Field masks that pass through repeated fields (``pages.pageNumber``), which protobuf's own helpers refuse.

Rules: a path names fields in snake_case or camelCase; ``*`` or an empty mask keeps all; an unknown path is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from docdask.core.server.status import INVALID, invalid
from docdask.service.emulator.names import Refused

#: Fields to keep, with what to keep of each; an empty dict keeps all of it.
Tree = dict[str, "Tree"]


def compile_mask(paths: Iterable[str], descriptor: Any) -> Tree:
    """Turn the paths of a mask on a message of type ``descriptor`` into a tree of field names.

    Raises
    ------
    Refused
        INVALID_ARGUMENT if a path names no field.
    """
    tree: Tree = {}
    for path in paths:
        if path == "*":
            return {}
        node, message, whole = tree, descriptor, False
        for name in path.split("."):
            field = _field(message, name) if message is not None else None
            if field is None:
                raise Refused(invalid(INVALID, ("field_mask", f"Invalid field mask path '{path[:200]}'.")))
            # A field that is kept whole stays whole, whatever another path says about its parts.
            whole = whole or node.get(field.name) == {}
            if not whole:
                node = node.setdefault(field.name, {"": {}})
            message = field.message_type
        if not whole:
            node.clear()
    _tidy(tree)
    return tree


def _tidy(tree: Tree) -> None:
    tree.pop("", None)
    for node in tree.values():
        _tidy(node)


def _field(descriptor: Any, name: str) -> Any:
    fields = descriptor.fields_by_name
    return fields.get(name) or fields.get(f"{name}_") or descriptor.fields_by_camelcase_name.get(name)


def keep(message: Any, tree: Tree) -> None:
    """Clear all fields of ``message`` that the tree does not keep."""
    if not tree:
        return
    for field, value in message.ListFields():
        part = tree.get(field.name)
        if part is None:
            message.ClearField(field.name)
        elif part and field.message_type is not None:
            for item in value if _repeated(field) else (value,):
                keep(item, part)


def _repeated(field: Any) -> bool:
    return bool(field.is_repeated) if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED
