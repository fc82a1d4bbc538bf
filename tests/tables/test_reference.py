"""docs/tables.md says what the schema says."""

from __future__ import annotations

from pathlib import Path

from docdask.tables import reference, schema

PAGE = Path(__file__).parents[2] / "docs" / "tables.md"


def test_the_page_is_in_step_with_the_schema():
    """If this fails: ``python -m docdask.tables.reference > docs/tables.md``."""
    assert PAGE.read_text(encoding="utf-8") == reference.markdown()


def test_every_column_is_on_it_with_a_meaning():
    text = reference.markdown()
    for table in schema.STORED:
        section = text.split(f"\n## {table.name}\n")[1].split("\n## ")[0]
        for column in table.columns:
            assert column.meaning
            assert f"| `{column.name}` |" in section
