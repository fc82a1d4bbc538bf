"""State machines as tables: the table decides, and the same table draws the diagram in the docs.

A machine is a mapping ``(state, cause) -> state``. What is not in the table does not happen: :func:`step` raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

#: ``(state, cause) -> next state``.
Table = Mapping[tuple[str, str], str]


class IllegalTransition(Exception):  # noqa: N818 - named after what happened
    """A cause that the machine does not know in this state.

    Parameters
    ----------
    machine, state, cause
        Which machine, where it was, what came.
    """

    def __init__(self, machine: str, state: str, cause: str) -> None:
        super().__init__(machine, state, cause)
        self.machine, self.state, self.cause = machine, state, cause

    def __str__(self) -> str:
        return f"{self.machine}: {self.cause!r} can't happen in state {self.state!r}"


def step(machine: str, table: Table, state: str, cause: str) -> str:
    """State after ``cause``.

    Raises
    ------
    IllegalTransition
        If the table has no such pair.
    """
    try:
        return table[state, cause]
    except KeyError:
        raise IllegalTransition(machine, state, cause) from None


def reachable(table: Table, start: str) -> set[str]:
    """States that can be reached from ``start``, itself included."""
    found, todo = {start}, [start]
    while todo:
        here = todo.pop()
        for (state, _), target in table.items():
            if state == here and target not in found:
                found.add(target)
                todo.append(target)
    return found


def mermaid(table: Table, start: str, final: Iterable[str] = ()) -> str:
    """The machine as a Mermaid state diagram; causes of one arrow are joined, loops on one state left out."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for (state, cause), target in table.items():
        if state != target:
            arrows.setdefault((state, target), []).append(cause)
    lines = ["stateDiagram-v2", f"    [*] --> {_name(start)}"]
    lines += [f"    {_name(a)} --> {_name(b)}: {', '.join(causes)}" for (a, b), causes in arrows.items()]
    lines += [f"    {_name(state)} --> [*]" for state in final]
    return "\n".join(lines)


def _name(state: str) -> str:
    return state.replace("-", "_")
