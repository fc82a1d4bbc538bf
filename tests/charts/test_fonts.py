"""Every character is drawn by a font that has it, or written as its code."""

from __future__ import annotations

import pytest

from docdask.charts import fonts


@pytest.mark.parametrize("text", ["Žluťoučký", "Счёт", "Τιμολόγιο", "क्षेत्र", "فاتورة", "חשבונית", "Ա ა"])
def test_the_dependencies_alone_have_these_scripts(text):
    assert fonts.printable(text, fonts.base()) == text


def test_what_no_font_has_is_written_as_its_code():
    assert fonts.printable("a\U0010fffdb") == "a[U+10FFFD]b"
    assert fonts.printable("文", fonts.base()) == "[U+6587]"


def test_control_characters_become_spaces():
    assert fonts.printable("a\x00b\nc") == "a b c"


def test_faces_are_added_only_for_what_is_missing():
    assert fonts.faces(["plain"]) == fonts.base()
    assert fonts.faces(["a\U0010fffdb"]) == fonts.base()


def test_matplotlib_gets_names_of_fonts_it_can_find():
    from matplotlib import font_manager

    for name in fonts.families(["plain"]):
        assert font_manager.findfont(name, fallback_to_default=False)
