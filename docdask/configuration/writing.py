"""Changes ``docdask.toml`` without touching what else is in it: comments, order and other tables stay.

Rules: the text is taken apart into statements (a line belongs to the statement before it until what is there so far is
TOML), values are exchanged in place, new keys go to the end of their table, new tables after their kin; at last the new
text must mean what was meant, or it is not written and the user is told what to write.
"""

from __future__ import annotations

import copy
import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from docdask.errors import UsageError

Path = tuple[str, ...]
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def changed(text: str, changes: Mapping[Path, Mapping[str, Any]]) -> str:
    """Text of the file with some tables changed.

    Parameters
    ----------
    text
        Of the file; empty for a new one.
    changes
        Table, as ``("documentai", "processors", "ocr")``, → keys to set. A table as ``()`` is the top of the file. A value
        None takes the key away.

    Raises
    ------
    UsageError
        If the file is written so that it can't be changed without understanding more of it.
    """
    meant = _meant(tomllib.loads(text), changes)
    statements = _statements(text)
    for path, keys in changes.items():
        statements = _with_table(statements, path, keys)
    made = "".join(statements)
    if made and not made.endswith("\n"):
        made += "\n"
    try:
        right = tomllib.loads(made) == meant
    except tomllib.TOMLDecodeError:
        right = False
    if not right:
        wanted = "; ".join(
            f"[{header(path)}] {name} = {value(item)}"
            for path, keys in changes.items()
            for name, item in keys.items()
            if item is not None
        )
        raise UsageError(
            "docdask.toml is written in a way that can't be changed here (inline or dotted tables)",
            f"write yourself: {wanted}",
        )
    return made


def value(item: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, float):
        return repr(item) if math.isfinite(item) else str(item)
    if isinstance(item, int):
        return str(item)
    if isinstance(item, str):
        return json.dumps(item, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(item, Mapping):
        return "{" + ", ".join(f"{key(name)} = {value(inner)}" for name, inner in item.items()) + "}"
    return "[" + ", ".join(value(inner) for inner in item) + "]"


def key(name: str) -> str:
    """A key as TOML writes it."""
    return name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def header(path: Path) -> str:
    """Name of a table, without its brackets."""
    return ".".join(key(part) for part in path)


def _meant(table: dict[str, Any], changes: Mapping[Path, Mapping[str, Any]]) -> dict[str, Any]:
    made = copy.deepcopy(table)
    for path, keys in changes.items():
        if all(item is None for item in keys.values()) and not _is_there(made, path):
            continue  # taking away makes no table
        at = made
        for part in path:
            at = at.setdefault(part, {})
            if not isinstance(at, dict):
                raise UsageError(f"docdask.toml has {header(path)} = {at!r}, no table", "correct it")
        for name, item in keys.items():
            if item is None:
                at.pop(name, None)
            else:
                at[name] = json.loads(json.dumps(item))  # tuples are lists in a file
    return made


def _is_there(table: Mapping[str, Any], path: Path) -> bool:
    at: Any = table
    for part in path:
        if not isinstance(at, Mapping) or part not in at:
            return False
        at = at[part]
    return True


def _statements(text: str) -> list[str]:
    """Text in pieces, each a comment, an empty line, a header, or a key with its value, however many lines it takes."""
    found: list[str] = []
    piece = ""
    for line in text.splitlines(keepends=True):
        piece += line
        try:
            tomllib.loads(piece)
        except tomllib.TOMLDecodeError:
            continue
        found.append(piece)
        piece = ""
    return [*found, piece] if piece else found


def _header_of(statement: str) -> tuple[Path, bool] | None:
    """Table that a statement begins, and whether it is one of several (``[[…]]``); None if it begins none."""
    stripped = statement.lstrip()
    if not stripped.startswith("["):
        return None
    path: list[str] = []
    at: Any = tomllib.loads(statement)
    while isinstance(at, dict) and at:
        name, at = next(iter(at.items()))
        path.append(name)
    return tuple(path), stripped.startswith("[[")


def _tables(statements: list[str]) -> Iterator[tuple[Path, int, int]]:
    """Each table with the first statement after its header and the one after its last; the top of the file first."""
    start: int = 0
    path: Path = ()
    for number, statement in enumerate(statements):
        found = _header_of(statement)
        if found is not None:
            yield path, start, number
            start, path = number + 1, ("[[", *found[0]) if found[1] else found[0]
    yield path, start, len(statements)


def _with_table(statements: list[str], path: Path, keys: Mapping[str, Any]) -> list[str]:
    """Statements with the keys of one table set."""
    for found, start, end in _tables(statements):
        if found == path:
            body = _with_keys(statements[start:end], keys)
            return [*statements[:start], *body, *statements[end:]]
    new = [f"{key(name)} = {value(item)}\n" for name, item in keys.items() if item is not None]
    if not new:
        return statements
    at = _place_for(statements, path)
    before = statements[:at]
    if before and not before[-1].endswith("\n"):
        before[-1] += "\n"
    gap = ["\n"] if before and before[-1].strip() else []
    after = statements[at:]
    if not path:
        return [*new, *(["\n"] if after and after[0].strip() else []), *after]
    space = ["\n"] if after and after[0].strip() else []
    return [*before, *gap, f"[{header(path)}]\n", *new, *space, *after]


def _place_for(statements: list[str], path: Path) -> int:
    """Where a new table belongs: after its nearest kin, the last that shares the most of its name, else at the end."""
    at, nearest = len(statements), 0
    for found, _, end in _tables(statements):
        kin = _shared(found, path)
        if kin and kin >= nearest:
            at, nearest = end, kin
    # A comment right above the next table is that table's.
    while 0 < at < len(statements) and statements[at - 1].lstrip().startswith("#"):
        at -= 1
    return at


def _shared(one: Path, other: Path) -> int:
    """How many first names two tables share."""
    number = 0
    while number < min(len(one), len(other)) and one[number] == other[number]:
        number += 1
    return number


def _with_keys(body: list[str], keys: Mapping[str, Any]) -> list[str]:
    """Statements of one table with keys set, those that are there in place."""
    left = dict(keys)
    made = []
    for statement in body:
        names = list(tomllib.loads(statement))
        name = names[0] if names else ""
        if name not in left:
            made.append(statement)
            continue
        item = left.pop(name)
        if item is not None:
            made.append(_exchanged(statement, name, item))
    new = [f"{key(name)} = {value(item)}\n" for name, item in left.items() if item is not None]
    last = len(made)
    while last and not _says_something(made[last - 1]):
        last -= 1
    if new and last and not made[last - 1].endswith("\n"):
        made[last - 1] += "\n"
    return [*made[:last], *new, *made[last:]]


def _says_something(statement: str) -> bool:
    return bool(tomllib.loads(statement))


def _exchanged(statement: str, name: str, item: Any) -> str:
    """A key with another value; what stands before it and the comment behind it stay."""
    old = tomllib.loads(statement)
    if old.get(name) == item:
        return statement
    indent = statement[: len(statement) - len(statement.lstrip())]
    comment = ""
    last = statement.rstrip("\n")
    for at in (number for number, letter in enumerate(last) if letter == "#"):
        try:
            whole = tomllib.loads(last[:at]) == old
        except tomllib.TOMLDecodeError:
            continue
        if whole and "\n" not in last[at:]:
            comment = "  " + last[at:]
            break
    return f"{indent}{key(name)} = {value(item)}{comment}\n"
