"""Parts of docs/cli.md that are made from the code: ``python -m docdask.monitor.reference`` writes them anew."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import sys
from dataclasses import fields
from pathlib import Path

from docdask import errors, settings


def exit_codes() -> str:
    """Table of exit codes, from the error tree."""
    lines = ["| code | error | meaning |", "|---|---|---|", "| 0 | | it did what was asked |"]
    for cls in errors.tree():
        meaning = (inspect.getdoc(cls) or "").splitlines()[0]
        lines.append(f"| {cls.exit_code} | `{cls.__name__}` | {meaning.rstrip('.')} |")
    lines.append("| 130 | | stopped by Ctrl-C; the same command goes on |")
    return "\n".join(lines)


def settings_table() -> str:
    """Table of settings, from their dataclass and the texts below its fields."""
    body = ast.parse(inspect.getsource(settings.Settings)).body[0]
    assert isinstance(body, ast.ClassDef)
    texts: dict[str, str] = {}
    for statement, text in itertools.pairwise(body.body):
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        ):
            texts[statement.target.id] = re.sub(r"\s+", " ", str(text.value.value)).strip()
    rows = [
        f"| `{field.name}` | `DOCDASK_{field.name.upper()}` | `{field.default!r}` | {texts[field.name]} |"
        for field in fields(settings.Settings)
    ]
    return "\n".join(["| setting | environment | default | meaning |", "|---|---|---|---|", *rows])


def write(path: Path) -> None:
    """Put both tables between their marks."""
    text = path.read_text(encoding="utf-8")
    for name, table in (("settings", settings_table()), ("exit-codes", exit_codes())):
        head, mark, tail = text.partition(f"<!-- {name} -->")
        rest = tail.partition("\n## ")
        text = f"{head}{mark}\n\n{table}\n{''.join(rest[1:])}"
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/cli.md"))
