"""The Layout Parser's answer: nested blocks (headings own what follows them) and chunks, without pages and text.

Headings are told by their height and length; a chunk ends when it has as many words as asked for, and begins with its
ancestor headings where that was asked for.
"""

from __future__ import annotations

import re
import statistics
from dataclasses import dataclass
from typing import Any

from docdask.service.emulator.documents import box, text_of
from docdask.service.emulator.shapes.view import lines_of

_CHUNK_TOKENS = 500
_LIST = re.compile(r"(?:[•●▪*–-]|\d{1,2}[.)]|[a-z]\))\s+\S")


@dataclass(slots=True)
class Block:
    """A block before it is written: kind, content (text, or rows of a table) and page."""

    kind: str
    content: Any
    page: int


def blocks_of(document: Any) -> list[Block]:
    """Blocks of recognised pages, in reading order."""
    found: list[Block] = []
    for index, page in enumerate(document.pages):
        number = page.page_number
        heights = [line.height for line in lines_of(document, index)]
        usual = statistics.median(heights) if heights else 0.02
        tables = [box(table.layout) for table in page.tables]
        placed = [
            (top, Block("table", _rows(document, table), number))
            for table, (_, top, _, _) in zip(page.tables, tables, strict=True)
        ]
        for paragraph in page.paragraphs or page.lines:
            text = " ".join(text_of(document, paragraph.layout.text_anchor).split())
            left, top, right, bottom = box(paragraph.layout)
            inside = any(
                t[0] - 0.01 <= left
                and right <= t[2] + 0.01
                and t[1] - 0.01 <= (top + bottom) / 2 <= t[3] + 0.01
                for t in tables
            )
            if text and not inside:
                placed.append(
                    (top, Block(_margin(text, top, bottom) or _kind(text, bottom - top, usual), text, number))
                )
        if tables:
            placed.sort(key=lambda pair: pair[0])
        found += [block for _, block in placed]
    return found


def _margin(text: str, top: float, bottom: float) -> str:
    """``header`` or ``footer`` for a short text in the margin of a page, else empty."""
    if len(text.split()) > 10:
        return ""
    return "header" if bottom < 0.08 else "footer" if top > 0.92 else ""


def _kind(text: str, height: float, usual: float) -> str:
    words = len(text.split())
    if _LIST.match(text):
        return "list"
    if words <= 12 and not text.endswith((".", ",", ";", ":")):
        if height > 1.8 * usual:
            return "heading-1"
        if height > 1.3 * usual or (text.isupper() and len(text) > 4):
            return "heading-2"
    return "paragraph"


def _rows(document: Any, table: Any) -> list[list[str]]:
    return [
        [" ".join(text_of(document, cell.layout.text_anchor).split()) for cell in row.cells]
        for row in [*table.header_rows, *table.body_rows]
    ]


def office_blocks(blocks: list[tuple[int, str, Any]]) -> list[Block]:
    """Blocks of an office document."""
    return [Block(kind, content, page) for page, kind, content in blocks]


def fill(document: Any, blocks: list[Block], config: Any) -> None:
    """Replace a document's pages and text by layout and chunks."""
    for name in ("text", "pages", "entities", "shard_info"):
        document.ClearField(name)
    stack: list[tuple[int, Any]] = []
    listed: Any = None
    for index, block in enumerate(blocks, 1):
        level = int(block.kind[-1]) if block.kind.startswith("heading") else 9
        while stack and level < 9 and stack[-1][0] >= level:
            stack.pop()
        siblings = stack[-1][1].text_block.blocks if stack else document.document_layout.blocks
        if block.kind == "list":
            if listed is None:
                listed = siblings.add(block_id=f"{index}")
                listed.list_block.type_ = "unordered"
            entry = listed.list_block.list_entries.add().blocks.add(block_id=f"{index}.1")
            listed.page_span.page_start = listed.page_span.page_start or block.page
            listed.page_span.page_end = block.page
            _write(entry, block, "paragraph")
            continue
        listed = None
        written = siblings.add(block_id=str(index))
        _write(written, block, block.kind)
        if level < 9:
            stack.append((level, written))
    _chunks(document, blocks, config)


def _write(target: Any, block: Block, kind: str) -> None:
    target.page_span.page_start = target.page_span.page_end = block.page
    if kind == "table":
        for position, row in enumerate(block.content):
            rows = target.table_block.header_rows if position == 0 else target.table_block.body_rows
            written = rows.add()
            for text in row:
                cell = written.cells.add(row_span=1, col_span=1)
                inner = cell.blocks.add(block_id=f"{target.block_id}.{position + 1}.{len(written.cells)}")
                inner.text_block.text, inner.text_block.type_ = text, "paragraph"
                inner.page_span.page_start = inner.page_span.page_end = block.page
    else:
        target.text_block.text, target.text_block.type_ = block.content, kind


def _markdown(block: Block) -> str:
    if block.kind == "table":
        rows = ["| " + " | ".join(row) + " |" for row in block.content]
        rule = "|" + "-|" * len(block.content[0]) if block.content else ""
        return "\n".join([*rows[:1], rule, *rows[1:]])
    if block.kind.startswith("heading"):
        return f"{'#' * int(block.kind[-1])} {block.content}"
    return f"- {block.content}" if block.kind == "list" else str(block.content)


class _Chunker:
    """Gathers blocks into chunks."""

    def __init__(self, document: Any, config: Any) -> None:
        self._chunks = document.chunked_document.chunks
        self._size = config.chunking_config.chunk_size or _CHUNK_TOKENS
        self._with_ancestors = config.chunking_config.include_ancestor_headings
        self._ancestors: dict[int, str] = {}
        self._parts: list[str] = []
        self._members: list[tuple[int, Block]] = []

    def add(self, index: int, block: Block) -> None:
        """Take in a block; a full chunk is closed first."""
        text = _markdown(block)
        if self._members and sum(len(part.split()) for part in self._parts) + len(text.split()) > self._size:
            self.close()
            if self._with_ancestors:
                self._parts += [self._ancestors[level] for level in sorted(self._ancestors)]
        if block.kind.startswith("heading"):
            level = int(block.kind[-1])
            self._ancestors = {known: value for known, value in self._ancestors.items() if known < level}
            self._ancestors[level] = text
        if block.kind not in ("header", "footer"):
            self._parts.append(text)
        self._members.append((index, block))

    def close(self) -> None:
        """Write the chunk that is open."""
        members = self._members
        if not members:
            return
        chunk = self._chunks.add(chunk_id=f"c{len(self._chunks) + 1}")
        chunk.source_block_ids.extend(str(index) for index, _ in members)
        chunk.content = "\n\n".join(self._parts)
        chunk.page_span.page_start, chunk.page_span.page_end = members[0][1].page, members[-1][1].page
        for _, block in members:
            if block.kind in ("header", "footer"):
                margin = (chunk.page_headers if block.kind == "header" else chunk.page_footers).add(
                    text=block.content
                )
                margin.page_span.page_start = margin.page_span.page_end = block.page
        self._parts.clear()
        members.clear()


def _chunks(document: Any, blocks: list[Block], config: Any) -> None:
    chunker = _Chunker(document, config)
    for index, block in enumerate(blocks, 1):
        chunker.add(index, block)
    chunker.close()
