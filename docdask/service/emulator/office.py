"""Reads HTML, DOCX, PPTX and XLSX as the Layout Parser takes them: a flat list of blocks, and pages by its rules.

Runs in a child process. Rules of the price list: a page is 3,000 characters of HTML or DOCX, a slide of PPTX, a tab of
XLSX. XML entities are not expanded; archives that unpack to more than 200 MiB are refused.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

#: ``("heading-1", text)``, ``("paragraph", text)``, ``("list", text)`` or ``("table", rows)``; with the page, 1-based.
Block = tuple[int, str, object]

_PAGE_CHARACTERS = 3000
_UNPACKED_BYTES = 200 * 2**20
_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def read_blocks(content: bytes, mime_type: str) -> list[Block]:
    """Blocks of an office or HTML document, in reading order.

    Raises
    ------
    ValueError, KeyError, zipfile.BadZipFile, xml.etree.ElementTree.ParseError
        If it is not what its type says.
    """
    if mime_type == "text/html":
        return _paged(_html(content))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(item.file_size for item in archive.infolist()) > _UNPACKED_BYTES:
            msg = "the archive unpacks to more than 200 MiB"
            raise ValueError(msg)
        if "wordprocessingml" in mime_type:
            return _paged(_docx(archive))
        if "presentationml" in mime_type:
            return list(_pptx(archive))
        return list(_xlsx(archive))


def page_count(content: bytes, mime_type: str) -> int:
    """Pages as the price list counts them; at least 1."""
    blocks = read_blocks(content, mime_type)
    return max((page for page, _, _ in blocks), default=1)


def text_of(value: object) -> str:
    """Text of a block's value; a table's cells are separated by tabs and newlines."""
    if isinstance(value, str):
        return value
    assert isinstance(value, list)
    return "\n".join("\t".join(row) for row in value)


def _paged(blocks: Iterator[tuple[str, object]]) -> list[Block]:
    found: list[Block] = []
    characters = 0
    for kind, value in blocks:
        found.append((characters // _PAGE_CHARACTERS + 1, kind, value))
        characters += len(text_of(value)) + 1
    return found


def _xml(archive: zipfile.ZipFile, name: str) -> ET.Element:
    data = archive.read(name)
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        msg = f"{name} declares entities"
        raise ValueError(msg)
    return ET.fromstring(data)  # noqa: S314 - no entities: nothing can be expanded


def _docx(archive: zipfile.ZipFile) -> Iterator[tuple[str, object]]:
    body = _xml(archive, "word/document.xml").find(f"{_WORD}body")
    for element in body if body is not None else ():
        if element.tag == f"{_WORD}p":
            text = "".join(part.text or "" for part in element.iter(f"{_WORD}t")).strip()
            style = element.find(f"{_WORD}pPr/{_WORD}pStyle")
            name = (style.get(f"{_WORD}val") or "") if style is not None else ""
            level = re.search(r"(?i)heading\s*(\d)", name)
            if text:
                yield (f"heading-{level[1]}" if level else "list" if "List" in name else "paragraph"), text
        elif element.tag == f"{_WORD}tbl":
            yield (
                "table",
                [
                    [
                        "".join(part.text or "" for part in cell.iter(f"{_WORD}t"))
                        for cell in row.iter(f"{_WORD}tc")
                    ]
                    for row in element.iter(f"{_WORD}tr")
                ],
            )


def _numbered(archive: zipfile.ZipFile, pattern: str) -> list[str]:
    found = [(int(match[1]), name) for name in archive.namelist() if (match := re.fullmatch(pattern, name))]
    return [name for _, name in sorted(found)]


def _pptx(archive: zipfile.ZipFile) -> Iterator[Block]:
    for page, name in enumerate(_numbered(archive, r"ppt/slides/slide(\d+)\.xml"), 1):
        for index, paragraph in enumerate(_xml(archive, name).iter(f"{_DRAWING}p")):
            text = "".join(part.text or "" for part in paragraph.iter(f"{_DRAWING}t")).strip()
            if text:
                yield page, "heading-1" if index == 0 else "paragraph", text


def _xlsx(archive: zipfile.ZipFile) -> Iterator[Block]:
    shared: list[str] = []
    if "xl/sharedStrings.xml" in archive.namelist():
        items = _xml(archive, "xl/sharedStrings.xml").iter(f"{_SHEET}si")
        shared = ["".join(part.text or "" for part in item.iter(f"{_SHEET}t")) for item in items]
    for page, name in enumerate(_numbered(archive, r"xl/worksheets/sheet(\d+)\.xml"), 1):
        sheet = _xml(archive, name)
        rows = [
            [_cell(cell, shared) for cell in row.iter(f"{_SHEET}c")] for row in sheet.iter(f"{_SHEET}row")
        ]
        if rows:
            yield page, "table", rows


def _cell(cell: ET.Element, shared: list[str]) -> str:
    value = cell.find(f"{_SHEET}v")
    if cell.get("t") == "s" and value is not None:
        return shared[int(value.text or 0)]
    if cell.get("t") == "inlineStr":
        return "".join(part.text or "" for part in cell.iter(f"{_SHEET}t"))
    return (value.text or "") if value is not None else ""


class _Reader(HTMLParser):
    """Collects blocks of an HTML page."""

    _BLOCKS = frozenset(
        {"p", "div", "li", "h1", "h2", "h3", "h4", "h5", "h6", "td", "th", "br", "title", "pre"}
    )
    _SILENT = frozenset({"script", "style", "template", "head"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[tuple[str, object]] = []
        self._text: list[str] = []
        self._kind = "paragraph"
        self._silent = 0
        self._rows: list[list[str]] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - signature
        if tag in self._SILENT:
            self._silent += 1
        elif tag == "table" and self._rows is None:
            self.flush()
            self._rows = []
        elif tag == "tr" and self._rows is not None:
            self._rows.append([])
        elif tag in self._BLOCKS:
            self.flush()
            self._kind = f"heading-{tag[1]}" if tag[0] == "h" else "list" if tag == "li" else "paragraph"

    def handle_endtag(self, tag: str) -> None:
        if tag in self._SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag == "table" and self._rows is not None:
            self.flush()
            if any(self._rows):
                self.blocks.append(("table", [row for row in self._rows if row]))
            self._rows = None
        elif tag in self._BLOCKS:
            self.flush()

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._text.append(data)

    def flush(self) -> None:
        """End the block that is open."""
        text = " ".join("".join(self._text).split())
        self._text.clear()
        if text and self._rows:
            self._rows[-1].append(text)
        elif text:
            self.blocks.append((self._kind, text))
        self._kind = "paragraph"


def _html(content: bytes) -> Iterator[tuple[str, object]]:
    reader = _Reader()
    reader.feed(content.decode("utf-8", "replace"))
    reader.close()
    reader.flush()
    yield from reader.blocks
