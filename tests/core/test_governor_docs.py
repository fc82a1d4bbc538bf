"""docs/governor.md says what the code does."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

from docdask.core import events, instructions
from docdask.core.drawings import drawings

PAGE = (Path(__file__).parents[2] / "docs" / "governor.md").read_text(encoding="utf-8")


def test_diagrams_are_those_of_the_tables():
    shown = dict(re.findall(r"<!-- drawing: (\w+) -->\n```mermaid\n(.*?)\n```", PAGE, re.DOTALL))
    assert shown == drawings()


def test_every_event_and_instruction_is_described():
    shells = PAGE[PAGE.index("## Writing a shell") :]
    names = {event.__name__ for event in events.EVENTS}
    names |= {kind.__name__ for kind in instructions.Instruction.__args__}
    assert {name for name in names if f"`{name}`" not in shells} == set()


def test_the_example_prints_what_the_page_says():
    code, printed = re.search(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL).groups()
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "governor.md", "exec"), {})
    assert out.getvalue() == printed
