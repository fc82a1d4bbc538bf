"""The one in-memory form of a document."""

from __future__ import annotations

import subprocess
import sys

import pytest

from docdask.errors import DocumentError
from docdask.service import message


def test_a_message_survives_serialising():
    document = message.new()
    document.text = "Grüße 😀\n"
    document.pages.add().page_number = 7
    again = message.parse(document.SerializeToString())
    assert again.text == "Grüße 😀\n"
    assert again.pages[0].page_number == 7
    assert isinstance(again, message.Document)


def test_bytes_that_are_no_message_are_a_bad_result():
    with pytest.raises(DocumentError) as caught:
        message.parse(b"\xff\xff\xff not a message")
    assert caught.value.code == "bad-result"


def test_an_anchor_joins_its_segments_by_code_points():
    document = message.new()
    document.text = "😀ab cd"
    anchor = document.pages.add().layout.text_anchor
    for start, end in ((0, 2), (4, 6)):
        segment = anchor.text_segments.add()
        segment.start_index, segment.end_index = start, end
    assert message.anchor_text(document, anchor) == "😀acd"
    assert message.page_text(document, document.pages[0]) == "😀acd"
    assert list(message.segments(anchor)) == [(0, 2), (4, 6)]


def test_an_anchor_without_segments_gives_its_content():
    document = message.new()
    anchor = document.entities.add().text_anchor
    anchor.content = "derived"
    assert message.anchor_text(document, anchor) == "derived"


def test_importing_the_module_does_not_import_googles_types():
    code = "import sys, docdask.service.message; print('google.cloud.documentai_v1' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError):
        _ = message.Nothing
